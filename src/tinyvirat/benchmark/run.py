"""A whole benchmark: what was asked for, one after another, as one report."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from tinyvirat.benchmark.accuracy import check_clips, measure_accuracy
from tinyvirat.benchmark.children import Crew
from tinyvirat.benchmark.commands import measure_start, measure_video
from tinyvirat.benchmark.data import measure_data
from tinyvirat.benchmark.records import Machine, Report, Speed, Timing
from tinyvirat.benchmark.speeds import (
    MATRIX_SIDES,
    How,
    Subject,
    measure,
    peaks,
    start_matrices,
    with_share,
)
from tinyvirat.benchmark.training import measure_training
from tinyvirat.benchmark.turns import Found, Pace, Party
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import say
from tinyvirat.common.words import shown_command
from tinyvirat.datasets.manifest import read_manifest
from tinyvirat.models.engines import is_exported
from tinyvirat.models.saved import DESCRIPTION, model_folder, read_description
from tinyvirat.training.journal import environment
from tinyvirat.video import open_video

LIBRARIES = ("torch", "onnxruntime", "openvino", "numpy", "av")
FACTS = ("commit", "time", "processor", "platform", "python", "tinyvirat")


@dataclass(frozen=True)
class Wanted:
    """What to measure.

    Attributes:
        subjects: networks.
        how: engines, precisions, threads and the rest.
        training: the steps of the three phases too.
        data: the way of the clips too.
        manifest: of those clips; None makes some.
        start: commands from cold too.
        video: a video to recognise whole, with each of `models`.
        clips: a manifest whose test clips each of `models` is scored on.
        models: for the video and the clips, one after the other.
    """

    subjects: tuple[Subject, ...] = ()
    how: How = field(default_factory=How)
    training: bool = False
    data: bool = False
    manifest: Path | None = None
    start: bool = False
    video: Path | None = None
    clips: Path | None = None
    models: Sequence[str] = ()


def run(wanted: Wanted, progress: Callable[[str], None] = say) -> Report:
    """Measures all that is wanted.

    Args:
        wanted: what.
        progress: is told what begins.

    Raises:
        TinyviratError: something that was given cannot be read.
    """
    _check(wanted)
    machine = _machine(wanted.how)
    speeds: list[Speed] = []
    timings: list[Timing] = []
    turns: list[dict[str, Found]] = []
    for number, one in enumerate(wanted.subjects, start=1):
        progress(f"network {number} of {len(wanted.subjects)}: {one.name}")
        with tempfile.TemporaryDirectory() as folder:
            rows, matrices = measure(one, wanted.how, Path(folder))
        speeds += rows
        turns.append(matrices)
    if wanted.training:
        rows_of_training, matrices_of_training = measure_training(wanted.how, progress=progress)
        timings += rows_of_training
        turns += matrices_of_training
    if not turns:
        turns.append(_matrices(wanted.how))
    if wanted.data:
        progress("clips on their way")
        timings += measure_data(wanted.how, wanted.manifest)
    if wanted.video is not None:
        for model in wanted.models:
            progress(f"the whole of {wanted.video.name} by {model}")
            try:
                timings += measure_video(wanted.video, model, wanted.how)
            except TinyviratError as error:
                what = f"{wanted.video.name}, {model}"
                timings.append(Timing("video", what, "all of it", reason=str(error)))
    costs = []
    if wanted.clips is not None:
        for model in wanted.models:
            progress(f"the accuracy of {model} on {wanted.clips.name}")
            costs += measure_accuracy(model, wanted.clips, wanted.how)
    if wanted.start:
        progress("commands from cold")
        timings += measure_start(wanted.how)
    found = {peak.precision: peak for peak in peaks(turns)}
    device = wanted.how.device
    shared = tuple(with_share(row, found.get(row.precision), device) for row in speeds)
    return Report(machine, tuple(found.values()), shared, tuple(timings), tuple(costs))


def _check(wanted: Wanted) -> None:
    """Finds what cannot be read before anything is measured, not after hours.

    Raises:
        TinyviratError: something cannot.
    """
    for model in wanted.models:
        if not is_exported(model):
            read_description(model_folder(model) / DESCRIPTION)
        if wanted.clips is not None:
            check_clips(model, wanted.clips)
    if wanted.video is not None:
        with open_video(wanted.video):
            pass
    if wanted.manifest is not None:
        read_manifest(wanted.manifest)


def _matrices(how: How) -> dict[str, Found]:
    """The peaks alone, where nothing else needed them."""
    pace = Pace(how.pace.turns, MATRIX_SIDES, how.pace.budget, how.pace.limit)
    with Crew(threads=how.threads, seconds=how.pace.limit) as crew:
        start_matrices(how, crew)
        found = Party(crew.children, pace).play()
    return {name.removeprefix("matrix "): one for name, one in found.items()}


def _machine(how: How) -> Machine:
    facts = {name: str(value) for name, value in environment().items() if name in FACTS}
    versions = []
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions.append((name, metadata.version(name)))
    try:
        load = os.getloadavg()[0]
    except OSError:
        load = 0.0
    return Machine(
        command=shown_command(["tinyvirat", *sys.argv[1:]]),
        versions=tuple(versions),
        threads=how.threads,
        seed=how.seed,
        load=round(load, 2),
        device=how.device,
        accelerator=_accelerator(how.device),
        **facts,
    )


def _accelerator(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else ""
