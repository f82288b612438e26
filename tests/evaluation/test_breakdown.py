"""F1 by clip size and by class frequency: which clip and class belongs where."""

from __future__ import annotations

import numpy as np
import pytest

from tinyvirat.evaluation.breakdown import f1_by_frequency, f1_by_size
from tinyvirat.evaluation.counts import f1_of_clips
from tinyvirat.evaluation.metrics import f1_scores
from tinyvirat.evaluation.thresholds import at_half

CLASSES = ("walk", "run", "talk")
PREDICTED = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)
TARGETS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]])


def test_sizes_on_the_edges() -> None:
    sizes = [10, 19, 20, 80, 128]
    groups = f1_by_size(PREDICTED, TARGETS, CLASSES, sizes)
    assert [g.name for g in groups] == ["10-20 px", "20-40 px", "40-80 px", "80-128 px"]
    assert [g.clips for g in groups] == [2, 1, 0, 2]


def test_clips_outside_every_group_are_shown_and_not_lost() -> None:
    groups = f1_by_size(PREDICTED, TARGETS, CLASSES, [9, 10, 10, 128, 129])
    assert [g.name for g in groups] == [
        "below 10 px", "10-20 px", "20-40 px", "40-80 px", "80-128 px", "above 128 px",
    ]  # fmt: skip
    assert sum(g.clips for g in groups) == 5


def test_each_size_is_scored_as_a_set_of_its_own() -> None:
    sizes = np.array([12, 12, 30, 30, 30])
    small, middle, empty, _ = f1_by_size(PREDICTED, TARGETS, CLASSES, sizes)
    for group, chosen in ((small, sizes == 12), (middle, sizes == 30)):
        alone = f1_scores(PREDICTED[chosen], TARGETS[chosen].astype(bool), at_half(CLASSES))
        assert (group.macro, group.macro_present) == (alone.macro, alone.macro_present)
        assert (group.micro, group.samples) == (alone.micro, alone.samples)
    assert small.positives == 2
    assert small.macro_present == pytest.approx((2 / 3 + 1) / 2)
    assert (empty.clips, empty.macro, empty.micro, empty.samples) == (0, None, None, None)


def test_frequencies_on_the_edges() -> None:
    groups = f1_by_frequency(PREDICTED, TARGETS, CLASSES, [19, 20, 100])
    assert [g.name for g in groups] == [
        "head: 100 training clips or more",
        "medium: 20-99 training clips",
        "tail: below 20 training clips",
    ]
    assert [g.classes for g in groups] == [1, 1, 1]
    # talk: one of its two is right; run: one of two is found; walk: one of two each way.
    assert [g.macro for g in groups] == [pytest.approx(2 / 3), pytest.approx(2 / 3), 0.5]
    assert all(g.samples is None for g in groups)
    head, medium, tail = f1_by_frequency(PREDICTED, TARGETS, CLASSES, [99, 20, 20])
    assert [g.classes for g in (head, medium, tail)] == [0, 3, 0]
    assert (head.macro, head.micro, head.clips) == (None, None, 5)


def test_classes_absent_from_the_clips_count_as_everywhere() -> None:
    targets = TARGETS.copy()
    targets[:, 2] = 0
    (_, _, tail) = f1_by_frequency(PREDICTED, targets, CLASSES, [1, 1, 1])
    assert tail.macro == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert tail.macro_present == pytest.approx((0.5 + 2 / 3) / 2)


def test_groups_together_are_the_whole() -> None:
    rng = np.random.default_rng(0)
    predicted, targets = rng.random((2, 50, 3)) < 0.4
    groups = f1_by_size(predicted, targets, CLASSES, rng.integers(5, 140, 50))
    whole = sum((g.samples or 0.0) * g.clips for g in groups) / 50
    assert whole == pytest.approx(f1_of_clips(predicted, targets).mean())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="sizes of shape"):
        f1_by_size(PREDICTED, TARGETS, CLASSES, [1, 2])
    with pytest.raises(ValueError, match="training counts of shape"):
        f1_by_frequency(PREDICTED, TARGETS, CLASSES, [1, 2])
    with pytest.raises(ValueError, match="rising"):
        f1_by_size(PREDICTED, TARGETS, CLASSES, [1] * 5, edges=(10, 10))
    with pytest.raises(ValueError, match="rising"):
        f1_by_frequency(PREDICTED, TARGETS, CLASSES, [1] * 3, edges=(20, 20))
    with pytest.raises(ValueError, match="must be bool"):
        f1_by_size(PREDICTED.astype(float), TARGETS, CLASSES, [1] * 5)
