"""`tinyvirat bench`: how fast the networks, training and the rest are on this machine."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tinyvirat.benchmark.compare import Change
    from tinyvirat.benchmark.records import Report
    from tinyvirat.benchmark.speeds import Subject
    from tinyvirat.benchmark.turns import Pace

DEFAULT = (
    "i3d-prog-dvsr-x8",
    "prog-dvsr-x8",
    "prog-dvsr-x8-fast",
    "prog-dvsr-x8-slim",
    "i3d-112",
    "resnet3d-50",
    "x3d-s",
)
"""The largest published recogniser, its two parts, and what is lighter."""

NARROW = ("network", "engine", "precision", "clips/s, best", "times published, best", "error", "MB")
"""Columns for a terminal; the files have all."""


def bench(
    *,
    networks: list[str] | None = None,
    engines: list[Literal["torch", "compiled", "onnx", "openvino"]] | None = None,
    precisions: list[Literal["float32", "bfloat16", "int8"]] | None = None,
    out: Path | None = None,
    page: Path | None = None,
    against: Path | None = None,
    tolerance: float = 0.3,
    quick: bool = False,
    training: bool = False,
    data: Path | None = None,
    paths: bool = False,
    start: bool = False,
    video: Path | None = None,
    accuracy: Path | None = None,
    model: list[str] | None = None,
    threads: int | None = None,
    device: str = "cpu",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Measures networks in every engine and precision, beside the published ones as published.

    Each network, engine and precision is a process of its own, and all of one network take turns
    with each other, with the published network as published (PyTorch, float32, eager, default
    memory format) and with products of large matrices, which show what the machine can do. What
    crashes or takes too long is a line with the reason.

    Args:
        networks: names of `tinyvirat models`, or all; default: the largest published recogniser,
            its parts and some lighter networks; none leaves them out. A name with a slash is the
            folder of a trained model: its error is then that of weights which have learnt.
        engines: torch, compiled (torch.compile), onnx, openvino; default: all.
        precisions: float32, bfloat16, int8; default: the first two.
        out: a folder for bench.json, bench.md and speed.png.
        page: a Markdown page, between whose marks the tables go; needs --out, for the picture.
        against: an earlier bench.json: says what got slower, each as a ratio to the matrix products
            of its own run, and ends with 1 if something lost more than the tolerance.
        tolerance: the part of its speed that something may lose.
        quick: fewer turns, one clip at a time, PyTorch without compiling.
        training: measure steps of the three training phases too, of the published x8 network.
        data: a manifest whose clips are loaded, for --paths; default: clips that are made for it.
        paths: measure the way of clips too: decoding, the cache, making them small.
        start: measure commands from cold too.
        video: measure the whole of this video too, stage by stage, with --model.
        accuracy: a manifest on whose test clips each --model is scored, in every engine and
            precision.
        model: models' or runs' folders, or names of models that ship or of fetched weights, for
            --video and --accuracy.
        threads: of every measurement; default: all cores.
        device: where PyTorch computes.
        seed: of weights and clips.
        json: print the report as JSON instead of tables.
    """
    from tinyvirat.benchmark.compare import compare, refuse_other
    from tinyvirat.benchmark.page import between_marks
    from tinyvirat.benchmark.records import BenchmarkError, read_report
    from tinyvirat.benchmark.run import Wanted, run
    from tinyvirat.benchmark.speeds import ENGINES, How
    from tinyvirat.common.plain import to_plain

    if page is not None and out is None:
        raise BenchmarkError("--page needs --out: the page shows a picture that lies there")
    if (video is None and accuracy is None) != (model is None):
        raise BenchmarkError(
            "--model goes together with --video or --accuracy: what reads, and what is read"
        )
    if not 0.0 <= tolerance < 1.0:
        raise BenchmarkError(f"--tolerance {tolerance} is not a part from 0 to 1")
    if page is not None:
        between_marks(_text(page), "", str(page))
    earlier = None if against is None else read_report(against)
    how = How(
        engines=tuple(engines or (("torch",) if quick else ENGINES)),
        precisions=tuple(precisions or ("float32", "bfloat16")),
        threads=_threads(threads),
        seed=seed,
        device=device,
        pace=_pace(quick),
    )
    if earlier is not None:
        refuse_other(earlier, how.threads, how.device)
    wanted = Wanted(
        _subjects(networks),
        how,
        training=training,
        data=paths or data is not None,
        manifest=data,
        start=start,
        video=video,
        clips=accuracy,
        models=tuple(model or ()),
    )
    report = run(wanted)
    if out is not None:
        _write(report, out, page)
    changes = [] if earlier is None else compare(report, earlier)
    if json:
        print(json_module.dumps(to_plain(report) | {"changes": to_plain(changes)}, indent=1))
    else:
        _show(report, changes)
    return 1 if any(change.slower(tolerance) for change in changes) else 0


def _subjects(names: list[str] | None) -> tuple[Subject, ...]:
    from tinyvirat.benchmark.speeds import subject, trained
    from tinyvirat.models.zoo import ZOO

    if names == ["none"]:
        return ()
    wanted = list(ZOO) if names == ["all"] else names or list(DEFAULT)
    return tuple(trained(Path(name)) if "/" in name else subject(name) for name in wanted)


def _threads(wanted: int | None) -> int:
    from tinyvirat.benchmark.records import BenchmarkError
    from tinyvirat.common.cores import usable_cores

    if wanted is not None:
        if not 1 <= wanted <= 1024:
            raise BenchmarkError(f"--threads {wanted} is not 1 to 1024")
        return wanted
    return usable_cores()


def _pace(quick: bool) -> Pace:
    from tinyvirat.benchmark.turns import Pace

    return Pace(turns=2, batches=(1,), budget=5.0) if quick else Pace()


def _write(report: Report, out: Path, page: Path | None) -> None:
    import os

    from tinyvirat.benchmark.page import between_marks, section
    from tinyvirat.benchmark.picture import draw
    from tinyvirat.benchmark.records import write_report
    from tinyvirat.common.files import write_text

    write_report(out / "bench.json", report)  # first: nothing that follows can lose the figures
    drawn = draw(report, out / "speed.png")
    write_text(out / "bench.md", section(report, "speed.png" if drawn else None) + "\n")
    if page is None:
        return
    link = Path(os.path.relpath(out / "speed.png", page.parent)).as_posix() if drawn else None
    write_text(page, between_marks(_text(page), section(report, link), str(page)))


def _text(page: Path) -> str:
    from tinyvirat.benchmark.records import BenchmarkError

    try:
        return page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{page}: cannot be read: {error}") from error


def _show(report: Report, changes: list[Change]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from tinyvirat.benchmark.page import cost_cells, reasons, speed_cells, timing_cells

    console = Console()
    for peak in report.peaks:
        console.print(f"matrix products, {peak.precision}: {peak.best:.0f} GFLOP/s at best")
    parts = (
        ("networks", speed_cells(report.speeds), NARROW),
        ("everything else", timing_cells(report.timings), None),
        ("accuracy", cost_cells(report.costs), None),
    )
    for title, (head, rows), columns in parts:
        if rows:
            kept = [n for n, name in enumerate(head) if columns is None or name in columns]
            table = Table(*(Column(head[n], overflow="fold") for n in kept), title=title)
            for row in rows:
                table.add_row(*(escape(row[n]) for n in kept))
            console.print(table)
    for keys, why in reasons(report):
        console.print(escape(f"{keys}: {why}"), highlight=False)
    for change in changes:
        speed = "does not run any more" if change.speed is None else f"{change.speed:.2f} times"
        console.print(escape(f"against the earlier run, {change.what}: {speed}"), highlight=False)
