"""The numbers: Table I's row, and what rows tell of actors in their frames."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from tinyvirat.datasets import ClipRecord, Manifest
from tinyvirat.datasets.figures.actors import ActorSize, actor_sizes
from tinyvirat.datasets.figures.summary import TABLE_1, TableRow, summary
from tinyvirat.datasets.health.quarantine import Quarantined
from tinyvirat.datasets.manifest import LeftOut

from .conftest import telling

RECORD = ClipRecord("a", "a.mp4", 4, 720, 1280, Fraction(30), ("x",), "train", "a")


def test_the_row_of_table_1(clips: Manifest) -> None:
    found = summary(clips, "six")
    assert found.row == TableRow("six", "16x12 - 140x130", 87 / 6, True, 3, 6)
    same = replace(clips, records=clips.records[1:2])
    assert summary(same, "one").row == TableRow("one", "24x24", 30.0, False, 1, 1)


def test_a_span_and_windows_decide_length_and_size(clips: Manifest) -> None:
    record = replace(clips.records[3], start=2, stop=7, windows=((0, 0, 30, 30),))
    found = summary(replace(clips, records=(record,)), "cut")
    assert (found.row.resolution, found.row.mean_frames) == ("30x30", 5.0)


def test_absent_classes_and_the_quarantine_are_counted(clips: Manifest) -> None:
    row = Quarantined("5", "5.mp4", "size")
    fewer = replace(
        clips,
        labels=(*clips.labels, "swim"),
        records=clips.records[:5],
        quarantined=(LeftOut(clips.records[5], row),),
    )
    found = summary(fewer, "five")
    assert (found.absent, found.quarantined, found.row.videos) == (("swim",), 1, 5)


def test_it_is_json(clips: Manifest) -> None:
    plain = summary(telling(clips, actor=[6, 8.5], frame=[64, 48]), "six").to_plain()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["actors"]["mean_ratio"] == pytest.approx(6 * 8.5 / (64 * 48))
    assert len(plain["actors"]["clips"]) == 6
    assert plain["table_1"]["classes"] == 3
    assert summary(clips, "six").to_plain()["actors"] is None


def test_the_paper_s_own_row_is_there() -> None:
    assert TABLE_1[-1] == TableRow("TinyVIRAT", "10x10 - 128x128", 93.93, True, 26, 12_829)


def test_the_actor_s_box_is_taken_where_it_is_told() -> None:
    told = replace(RECORD, extra={"actor": [20, 45.0], "frame": [1280, 720], "windows": [[0] * 4]})
    found = actor_sizes([RECORD, told, RECORD])
    assert found is not None
    assert (found.measure, found.without) == ("box", 2)
    assert found.sizes == (ActorSize("a", 20.0, 45.0, 1280, 720),)
    (one,) = found.sizes
    assert one.ratio == pytest.approx(900 / 921_600)
    assert (one.side, one.frame_side) == (30.0, pytest.approx(960.0))
    assert found.mean_ratio == one.ratio
    assert found.frames == (((1280, 720), 1),)


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, windows=((0, 0, 60, 60),)),
        replace(RECORD, windows=((0, 0, 50, 50), (0, 0, 55, 55), (0, 0, 65, 65), (0, 0, 70, 70))),
        replace(RECORD, extra={"windows": [[5, 5, 65, 65]], "frame": [1280, 720]}),
    ],
)
def test_else_the_window_around_it(record: ClipRecord) -> None:
    found = actor_sizes([record])
    assert found is not None
    assert found.measure == "window"
    assert found.sizes == (ActorSize("a", 60.0, 60.0, 1280, 720),)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"actor": [20, 45]},
        {"frame": [1280, 720]},
        {"actor": [20, 45], "frame": [1280]},
        {"actor": [20, 0], "frame": [1280, 720]},
        {"actor": ["20", 45], "frame": [1280, 720]},
        {"actor": [True, True], "frame": [1280, 720]},
        {"actor": [float("nan"), 45], "frame": [1280, 720]},
        {"actor": {"w": 20}, "frame": [1280, 720]},
        {"windows": [], "frame": [1280, 720]},
        {"windows": [[1, 2, 3]], "frame": [1280, 720]},
        {"windows": "all", "frame": [1280, 720]},
        {"windows": [[1, 2, "3", 4]], "frame": [1280, 720]},
    ],
)
def test_what_is_not_told_is_not_made_up(extra: dict[str, object]) -> None:
    assert actor_sizes([replace(RECORD, extra=extra)]) is None
