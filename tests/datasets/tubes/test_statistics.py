"""Numbers of a data set, by hand."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.datasets import ClipRecord
from tinyvirat.datasets.tubes import (
    PlannedClip,
    Sample,
    Span,
    Tube,
    samples_of_plan,
    samples_of_records,
    samples_of_spans,
    statistics,
)
from tinyvirat.datasets.tubes.statistics import BINS, bin_of

SAMPLES = (
    Sample("v1", "train", ("a", "b"), 10, 10),
    Sample("v1", "train", ("b",), 20, 128),
    Sample("v2", "val", ("b", "c"), 60, 40),
    Sample("v3", "val", ("b",), 30, None),
)


def test_every_number() -> None:
    found = statistics(SAMPLES)
    assert (found.clips, found.videos, found.classes, found.multi_label) == (4, 3, 3, True)
    assert (found.mean_frames, found.shortest, found.longest) == (30.0, 10, 60)
    assert found.mean_side == 178 / 3
    assert (found.smallest_side, found.largest_side) == (10, 128)
    assert (found.splits, found.clips_by_split, found.videos_by_split) == (
        ("train", "val"),
        (2, 2),
        (1, 2),
    )
    assert found.clips_by_bin == (0, 1, 0, 1, 1, 0)
    assert [(one.label, one.clips, one.by_bin, one.by_split) for one in found.by_class] == [
        ("a", 1, (0, 1, 0, 0, 0, 0), (1, 0)),
        ("b", 4, (0, 1, 0, 1, 1, 0), (2, 2)),
        ("c", 1, (0, 0, 0, 1, 0, 0), (0, 1)),
    ]
    assert found.labels_per_clip == ((1, 2), (2, 2))
    assert found.together == ((1, 1, 0), (1, 4, 1), (0, 1, 1))
    assert json.loads(json.dumps(found.to_plain()))["by_class"][1]["clips"] == 4


def test_of_nothing() -> None:
    found = statistics(())
    assert (found.clips, found.mean_frames, found.mean_side, found.together) == (0, 0.0, None, ())
    assert found.multi_label is False


def test_the_bins() -> None:
    sides = (9, 10, 19, 20, 39, 40, 79, 80, 127, 128, 129)
    assert [BINS[bin_of(side)] for side in sides] == [
        "<10",
        *["10-20"] * 2,
        *["20-40"] * 2,
        *["40-80"] * 2,
        *["80-128"] * 3,
        ">128",
    ]


def test_plans_and_manifests_are_looked_at_alike() -> None:
    windows_T4 = np.array([[0, 0, 30, 30], [1, 0, 31, 30]], np.int64)
    tube = Tube("v1", 5, ("a",), windows_T4.astype(np.float64), (1,), (2,))
    clip = PlannedClip("v1/0", tube, windows_T4, "val")
    cut = ClipRecord("v1/0", "x.mp4", 2, 30, 30, Fraction(30), ("a",), "val", "v1")
    whole = ClipRecord(
        *("v1/0", "v1.mp4", 99, 720, 1280, Fraction(30), ("a",), "val", "v1", 5, 7),
        windows=((0, 0, 30, 30), (1, 0, 31, 30)),
    )
    assert samples_of_plan([clip]) == samples_of_records([cut]) == samples_of_records([whole])
    wide = ClipRecord("w", "w.mp4", 2, 30, 44, Fraction(30), ("a",), "val", "v1")
    assert samples_of_records([wide])[0].side == 44
    span = Span("v1", 5, 7, ("a",), (1,), (2,))
    assert samples_of_spans([span], "val") == (Sample("v1", "val", ("a",), 2, None),)


samples = st.builds(
    Sample,
    st.sampled_from(["v1", "v2", "v3"]),
    st.sampled_from(["train", "val"]),
    st.sets(st.sampled_from("abcde"), max_size=3).map(lambda names: tuple(sorted(names))),
    st.integers(1, 300),
    st.none() | st.integers(2, 300),
)


@given(st.lists(samples, max_size=30), st.randoms())
def test_totals_agree(found: list[Sample], rng: object) -> None:
    numbers = statistics(found)
    assert sum(numbers.clips_by_split) == numbers.clips == len(found)
    assert sum(numbers.clips_by_bin) == sum(one.side is not None for one in found)
    assert sum(count for _, count in numbers.labels_per_clip) == numbers.clips
    labelled = sum(number * count for number, count in numbers.labels_per_clip)
    assert labelled == sum(one.clips for one in numbers.by_class)
    for index, one in enumerate(numbers.by_class):
        assert numbers.together[index][index] == one.clips == sum(one.by_split)
    assert all(
        numbers.together[i][j] == numbers.together[j][i]
        for i in range(numbers.classes)
        for j in range(i)
    )
    assert statistics(found[::-1]) == numbers
