"""What a report becomes: a file and back, tables, a picture, a comparison with an earlier one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.benchmark.compare import compare
from tinyvirat.benchmark.page import BEGIN, END, between_marks, section
from tinyvirat.benchmark.picture import draw
from tinyvirat.benchmark.records import (
    BenchmarkError,
    Machine,
    Peak,
    Report,
    Speed,
    Timing,
    read_report,
    write_report,
)
from tinyvirat.benchmark.speeds import with_share

GOLDEN = Path(__file__).parent / "golden.md"
MACHINE = Machine(
    command="tinyvirat bench",
    commit="abc",
    time="2026-11-22T16:00:00+00:00",
    processor="2 x Some Processor",
    platform="Linux",
    python="3.11",
    tinyvirat="0.1",
    versions=(("torch", "2.13.0"), ("openvino", "2026.4")),
    threads=2,
    seed=0,
    load=0.4,
)
PUBLISHED = Speed(
    "net",
    "published",
    "float32",
    4_000_000,
    50.0,
    seconds=2.0,
    batch=4,
    seconds_batched=1.0,
    ratio=1.0,
    ratio_batched=1.0,
    published="net",
    share=0.5,
    error=0.0,
    memory_mb=800.0,
    prepare_seconds=2.0,
)
FAST = replace(
    PUBLISHED,
    engine="torch",
    precision="bfloat16",
    seconds=0.5,
    batch=1,
    seconds_batched=0.5,
    ratio=4.0,
    ratio_batched=2.0,
    share=0.5,
    error=1.5e-3,
    psnr=51.25,
)
NOT_RUN = Speed("net", "onnx", "bfloat16", 4_000_000, 50.0, reason="only | float32\nthere")
PEAKS = (Peak("float32", 200.0, 150.0), Peak("bfloat16", 400.0, 300.0))
STEP = Timing("training", "phase 1", "ours, bfloat16", 0.5, "clip of a step", 3.0, 900.0)
REPORT = Report(
    MACHINE,
    PEAKS,
    (PUBLISHED, FAST, NOT_RUN),
    (STEP, Timing("start", "help", "cold", 0.25, "command")),
)


def test_a_report_travels_as_json(tmp_path: Path) -> None:
    write_report(tmp_path / "bench.json", REPORT)
    assert read_report(tmp_path / "bench.json") == REPORT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a report"),
        ("[" * 100_000, "not a report"),
        ("[]", "not a mapping"),
        ('{"format": 2}', "format 2, where 1 is read"),
        ('{"format": 1}', "'machine' is missing"),
        ('{"format": 1, "machine": 3}', "machine"),
    ],
)
def test_what_is_no_report_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchmarkError, match=message) as caught:
        read_report(path)
    assert "bench.json" in str(caught.value)
    with pytest.raises(BenchmarkError, match="no such file"):
        read_report(tmp_path / "other.json")


def test_the_section_is_made_of_the_report_alone() -> None:
    """The golden page; to make it anew, write `section(REPORT, "speed.png")` there and look."""
    assert section(REPORT, "speed.png") + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_the_limit_of_our_own_is_set_beside_the_published_one_and_the_highest_rate() -> None:
    ours = Speed("ours", "openvino", "bfloat16", 1, 1.0, seconds_batched=0.004)
    ours = replace(ours, ratio_batched=50.0, published="net")
    page = section(replace(REPORT, speeds=(ours,)))
    assert "The peak is 500 GFLOP/s, the highest rate of this run, in bfloat16." in page
    assert "| ours | net, 200 | openvino bfloat16, 4 | 4 | 50.0 | 50.0 |" in page


def test_the_limit_of_a_step_is_that_of_its_operations() -> None:
    steps = [
        Timing("training", "phase 1", how, seconds=seconds, unit="clip", gmac=100.0)
        for how, seconds in (("as published", 2.0), ("ours, bfloat16", 1.0))
    ]
    page = section(replace(REPORT, timings=tuple(steps)))
    assert "| phase 1 | 100 | 2 | 1 | 0.5 | 4 | 2 |" in page
    assert "step of" not in section(replace(REPORT, timings=tuple(steps), peaks=(), speeds=()))


def test_a_busy_machine_is_said() -> None:
    assert "busy" not in section(REPORT)
    busy = replace(REPORT, machine=replace(MACHINE, load=6.0))
    assert "**The machine was busy** (load 6.0" in section(busy)


def test_only_what_is_between_the_marks_changes() -> None:
    page = f"# Speed\n\nBy hand.\n\n{BEGIN}\nold\n{END}\n\nBelow.\n"
    made = between_marks(page, "new", "page.md")
    assert made == page.replace("old", "new")
    assert between_marks(made, "new", "page.md") == made
    for wrong in ("no marks", f"{END}\n{BEGIN}"):
        with pytest.raises(BenchmarkError, match=r"page\.md: no lines"):
            between_marks(wrong, "new", "page.md")


def test_the_picture_is_the_same_every_time(tmp_path: Path) -> None:
    assert draw(REPORT, tmp_path / "a.png")
    assert draw(REPORT, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert not draw(replace(REPORT, speeds=(NOT_RUN,)), tmp_path / "c.png")
    assert not (tmp_path / "c.png").exists()


def test_speeds_are_compared_in_matrix_products_of_their_own_run() -> None:
    """On a machine half as fast, twice the seconds are no change."""
    slower_machine = replace(
        REPORT,
        peaks=tuple(replace(p, best=p.best, median=p.median / 2) for p in PEAKS),
        speeds=(
            replace(PUBLISHED, seconds_batched=2.0),
            replace(FAST, seconds_batched=2.0),
            NOT_RUN,
        ),
        timings=(replace(STEP, seconds=0.5),),
    )
    changes = {change.what: change.speed for change in compare(slower_machine, REPORT)}
    assert changes == {
        "net, published, float32": pytest.approx(1.0),
        "net, torch, bfloat16": pytest.approx(0.5),
        "training, phase 1, ours, bfloat16": pytest.approx(2.0),
    }
    slow = [c.what for c in compare(slower_machine, REPORT) if c.slower(0.3)]
    assert slow == ["net, torch, bfloat16"]
    assert not any(change.slower(0.5 + 1e-9) for change in compare(slower_machine, REPORT))


def test_each_precision_has_its_own_matrix_products() -> None:
    faster = replace(PEAKS[1], median=600.0)
    now = replace(REPORT, peaks=(PEAKS[0], faster))
    changes = {change.what: change.speed for change in compare(now, REPORT)}
    assert changes["net, torch, bfloat16"] == pytest.approx(0.5)
    assert changes["net, published, float32"] == pytest.approx(1.0)


def test_what_does_not_run_any_more_is_slower_and_what_was_not_asked_for_is_not() -> None:
    broken = replace(FAST, seconds_batched=None, reason="ended by SIGSEGV")
    (lost,) = [c for c in compare(replace(REPORT, speeds=(broken,)), REPORT) if c.speed is None]
    assert lost.what == "net, torch, bfloat16"
    assert lost.slower(0.99)
    assert compare(replace(REPORT, speeds=(), timings=()), REPORT) == []
    new = replace(FAST, network="new")
    assert compare(replace(REPORT, speeds=(new,), timings=()), REPORT) == []


def test_one_clip_is_compared_where_the_best_batches_are_of_other_choices() -> None:
    """`--quick` has no other batch than one: it is not slower than the best of many for that."""
    quick = replace(PUBLISHED, batch=1, seconds_batched=PUBLISHED.seconds)
    (change,) = compare(replace(REPORT, speeds=(quick,), timings=()), REPORT)
    assert change.speed == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("other", "word"), [({"threads": 1}, "threads 2"), ({"device": "cuda"}, "device cpu")]
)
def test_reports_made_in_other_ways_are_not_compared(other: dict[str, Any], word: str) -> None:
    now = replace(REPORT, machine=replace(MACHINE, **other))
    with pytest.raises(BenchmarkError, match=f"use --{word}"):
        compare(now, REPORT)


def test_the_device_is_named() -> None:
    assert "PyTorch on" not in section(REPORT)
    machine = replace(MACHINE, device="cuda:0", accelerator="Some GPU")
    page = section(replace(REPORT, machine=machine))
    assert "on 2 x Some Processor, PyTorch on Some GPU, 2 threads a process" in page
    exported = replace(FAST, engine="onnx", share=None)
    assert with_share(exported, PEAKS[1], "cuda:0").share is None
    assert with_share(exported, PEAKS[1], "cpu").share is not None
