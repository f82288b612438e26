"""What a benchmark finds, as plain data that goes to JSON and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import write_text
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain

FORMAT = 1
LARGEST = 1 << 24
"""Bytes; a larger file is no report."""

PUBLISHED = "published"
"""The engine that stands for "as published": PyTorch, eager, float32, default memory format."""
AS_PUBLISHED = "as published"
"""How it is shown."""


class BenchmarkError(TinyviratError):
    """Something that cannot be measured as asked."""


@dataclass(frozen=True)
class Machine:
    """What the figures were made on, and how.

    Attributes:
        command: what was run.
        commit: of the source, with `+changes` when it was altered; empty where it is not known.
        time: when it began, UTC.
        processor: its name and the number of cores.
        platform: the operating system.
        python: its version.
        tinyvirat: its version.
        versions: name and version of the libraries that compute.
        threads: of every measurement.
        seed: of weights and clips.
        load: processes that were running or waiting before it began, from the system; more than
            the few of a machine at rest say that figures are too low.
        device: where PyTorch computed; exported files always run on the CPU.
        accelerator: the name of that device; empty for the CPU.
    """

    command: str
    commit: str
    time: str
    processor: str
    platform: str
    python: str
    tinyvirat: str
    versions: tuple[tuple[str, str], ...]
    threads: int
    seed: int
    load: float
    device: str = "cpu"
    accelerator: str = ""


@dataclass(frozen=True)
class Peak:
    """How fast the machine multiplies large matrices in one format.

    Attributes:
        precision: the format.
        best: GFLOP/s of the best turn: the machine's peak.
        median: GFLOP/s of the middle turn of the smaller matrices, which every benchmark
            multiplies: what was there while the others were measured.
    """

    precision: str
    best: float
    median: float


@dataclass(frozen=True)
class Speed:
    """One network in one engine and precision.

    Attributes:
        network: name in the zoo, or of a trained model.
        engine: `published`, `torch`, `compiled`, `onnx` or `openvino`.
        precision: `float32`, `bfloat16` or `int8`.
        parameters: trainable values.
        gmac: 10^9 multiplications with addition of one clip.
        seconds: for one clip alone, the median of all turns; None where it did not run.
        batch: the number of clips at once that was fastest.
        seconds_batched: for one of so many clips.
        ratio: how many times faster than the published network as published, one clip each.
        ratio_batched: the same, each at its best batch.
        published: what it was compared with.
        share: of the peak in its precision, at the best batch.
        error: norm of the difference to the output in float32, over the norm of that output.
        psnr: of the enlarged clip against that in float32, dB; None where there is none.
        memory_mb: the most that the process held while it answered for one clip alone.
        prepare_seconds: loading, exporting, compiling.
        reason: why there are no figures.
    """

    network: str
    engine: str
    precision: str
    parameters: int
    gmac: float
    seconds: float | None = None
    batch: int | None = None
    seconds_batched: float | None = None
    ratio: float | None = None
    ratio_batched: float | None = None
    published: str | None = None
    share: float | None = None
    error: float | None = None
    psnr: float | None = None
    memory_mb: float | None = None
    prepare_seconds: float | None = None
    reason: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """What it is, whenever it is measured."""
        return (self.network, self.engine, self.precision)


@dataclass(frozen=True)
class Timing:
    """Anything else that takes time.

    Attributes:
        part: `training`, `data`, `start` or `video`.
        what: such as `phase 1`.
        variant: how, such as `as published` or `ours, bfloat16`.
        seconds: median of all turns, for one of `unit`; None where it did not run.
        unit: what the seconds are for, such as `clip`.
        ratio: how many times faster than the first variant of the same part and `what`; of a
            video, than it plays.
        memory_mb: the most that the process held.
        gmac: 10^9 multiplications with addition for one of `unit`, where they are known.
        reason: why there are no figures.
    """

    part: str
    what: str
    variant: str
    seconds: float | None = None
    unit: str = "clip"
    ratio: float | None = None
    memory_mb: float | None = None
    gmac: float | None = None
    reason: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """What it is, whenever it is measured."""
        return (self.part, self.what, self.variant)


@dataclass(frozen=True)
class Cost:
    """What a trained model scores in one engine and precision, and what it loses by them.

    Attributes:
        model: its name.
        engine: `torch`, `onnx` or `openvino`.
        precision: `float32`, `bfloat16` or `int8`.
        metric: `top 1` or `mAP`.
        clips: how many.
        score: a share of 1; None where it did not run.
        gained: the score less that of PyTorch in float32.
        low: the lower end of its 95 % interval; None with a single source.
        high: the upper end, likewise.
        other: clips that are given other labels than by PyTorch in float32.
        reason: why there are no figures.
    """

    model: str
    engine: str
    precision: str
    metric: str = ""
    clips: int = 0
    score: float | None = None
    gained: float | None = None
    low: float | None = None
    high: float | None = None
    other: int | None = None
    reason: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """What it is, whenever it is measured."""
        return (self.model, self.engine, self.precision, "accuracy")


@dataclass(frozen=True)
class Report:
    """Everything of one run.

    Attributes:
        machine: where and how.
        peaks: of the machine.
        speeds: of networks.
        timings: of the rest.
        costs: in accuracy, of trained models.
        format: of this file.
    """

    machine: Machine
    peaks: tuple[Peak, ...] = ()
    speeds: tuple[Speed, ...] = ()
    timings: tuple[Timing, ...] = ()
    costs: tuple[Cost, ...] = ()
    format: int = field(default=FORMAT)

    def peak(self, precision: str) -> Peak | None:
        """The machine's peak in a precision, if it was measured."""
        return next((peak for peak in self.peaks if peak.precision == precision), None)


def write_report(path: Path, report: Report) -> None:
    """Writes a report as JSON."""
    write_text(path, json.dumps(to_plain(report), indent=1) + "\n")


def read_report(path: Path) -> Report:
    """Reads what `write_report` wrote.

    Raises:
        BenchmarkError: no such file, or not a report.
    """
    try:
        if not path.is_file():
            raise BenchmarkError(f"{path}: there is no such file; `tinyvirat bench --out` makes it")
        if path.stat().st_size > LARGEST:
            raise BenchmarkError(f"{path}: larger than {LARGEST} bytes: not a report")
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and data.get("format") != FORMAT:
            raise BenchmarkError(
                f"{path}: format {data.get('format')!r}, where {FORMAT} is read; measure anew"
            )
        return from_plain(Report, data, where=str(path))
    except (OSError, ValueError, RecursionError) as error:
        raise BenchmarkError(f"{path}: not a report of `tinyvirat bench`: {error}") from error
    except PlainDataError as error:
        raise BenchmarkError(f"{error}; is it a report of `tinyvirat bench`?") from error
