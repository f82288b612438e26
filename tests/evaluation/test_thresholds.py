"""Thresholds: what they let through, how they are tuned, and on what they may not be used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.metrics import multi_label
from tinyvirat.evaluation.thresholds import (
    TuningSet,
    at_half,
    at_probability,
    few_false_alarms,
    tuned,
)


def one_class(logits: list[float], targets: list[int]) -> TuningSet:
    sources = tuple(f"train {n}" for n in range(len(logits)))
    return TuningSet(np.array([logits]).T, np.array([targets]).T, ("walk",), sources)


def f1_at(tuning: TuningSet, threshold: float) -> float:
    """F1 by its textbook definition, to hold the search to."""
    predicted = np.asarray(tuning.logits_NK) > threshold
    targets = np.asarray(tuning.targets_NK, dtype=bool)
    hits = (predicted & targets).sum()
    return float(2 * hits / (predicted.sum() + targets.sum()))


@pytest.mark.parametrize(
    ("logits", "targets", "expected"),
    [
        ([4.0, 3.0, 1.0], [1, 1, 0], 2.0),  # halfway between the last let through and the next
        ([-1.0, -2.0, -4.0], [1, 1, 0], -3.0),
        ([1.0, 2.0, -3.0], [1, 1, 0], 0.0),  # where p = 0.5 makes the same cut, it stays
        ([0.0, -2.0], [1, 1], -2.5),  # all are let through
        ([2.0, 2.0, 1.0], [1, 0, 0], 1.5),  # equal scores cannot be parted
    ],
)
def test_the_best_threshold_by_hand(
    logits: list[float], targets: list[int], expected: float
) -> None:
    assert tuned(one_class(logits, targets), min_positives=1).logits == (expected,)


def test_huge_logits_are_let_through() -> None:
    found = tuned(one_class([-1e17, -1e17], [1, 1]), min_positives=1)
    assert found.predict(np.array([[-1e17]])).all()


def test_neighbours_in_floating_point_are_parted() -> None:
    low = 1.0
    high = float(np.nextafter(low, 2.0))
    found = tuned(one_class([high, low], [1, 0]), min_positives=1)
    assert found.predict(np.array([[high], [low]])).tolist() == [[True], [False]]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-4, 4).map(lambda i: i / 2), st.booleans()), min_size=1, max_size=12
    ).filter(lambda clips: any(label for _, label in clips))
)
def test_no_threshold_is_better(clips: list[tuple[float, bool]]) -> None:
    tuning = one_class([logit for logit, _ in clips], [int(label) for _, label in clips])
    (found,) = tuned(tuning, min_positives=1).logits
    every = np.arange(-3.25, 3.0, 0.25)
    assert f1_at(tuning, found) == pytest.approx(max(f1_at(tuning, t) for t in every))


def test_a_class_with_few_positives_keeps_one_half() -> None:
    tuning = one_class([4.0, 3.0, 1.0, 0.5], [1, 1, 0, 0])
    assert tuned(tuning, min_positives=2).untuned == ()
    kept = tuned(tuning, min_positives=3)
    assert kept.logits == (0.0,)
    assert kept.untuned == ("walk",)


def test_thresholds_tuned_on_a_video_refuse_to_score_it() -> None:
    found = tuned(one_class([4.0, 3.0, 1.0], [1, 1, 0]), min_positives=1)
    assert found.tuned_on == ("train 0", "train 1", "train 2")
    scored = multi_label([[2.5], [1.0]], [[1], [0]], ("walk",), ("test 0", "test 1"), tuned=found)
    assert scored.f1_tuned is not None
    assert scored.f1_tuned.threshold_logits == (2.0,)
    assert scored.f1_tuned.macro == 1.0
    assert scored.f1.macro == pytest.approx(2 / 3)
    with pytest.raises(EvaluationError, match=r"tuned on 1 of the videos.*train 1.*held-out"):
        multi_label([[2.5], [1.0]], [[1], [0]], ("walk",), ("test 0", "train 1"), tuned=found)


def test_labels_to_be_scored_do_not_reach_the_thresholds() -> None:
    found = tuned(one_class([4.0, 3.0, 1.0], [1, 1, 0]), min_positives=1)
    logits = [[2.5], [1.0]]
    for targets in ([[1], [0]], [[0], [1]]):
        scored = multi_label(logits, targets, ("walk",), ("a", "b"), tuned=found).f1_tuned
        assert scored is not None
        assert scored.threshold_logits == found.logits


def test_thresholds_of_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="for the classes walk"):
        multi_label([[1.0]], [[1]], ("run",), ("a",), tuned=at_half(("walk",)))


def test_probabilities_become_logits() -> None:
    assert at_half(("walk",)).logits == (0.0,)
    assert at_probability(0.9, ("walk",)).logits == pytest.approx((np.log(9.0),))
    assert at_probability(0.9, ("walk",)).probabilities == pytest.approx((0.9,))
    with pytest.raises(ValueError, match="strictly between"):
        at_probability(1.0, ("walk",))


@given(
    st.lists(st.tuples(st.floats(-8.0, 8.0), st.booleans()), min_size=2, max_size=60),
    st.floats(0.0, 0.5),
)
@settings(max_examples=60, deadline=None)
def test_few_clips_without_the_class_get_past(clips: list[tuple[float, bool]], rate: float) -> None:
    logits, targets = zip(*[*clips, (0.0, False)], strict=True)
    tuning = one_class(list(logits), [int(target) for target in targets])
    found = few_false_alarms(tuning, rate)
    threshold = found.logits[0]
    without = [one for one, target in zip(logits, targets, strict=True) if not target]
    past = sum(one > threshold for one in without)
    assert past <= rate * len(without)
    assert threshold >= 0.0
    # No lower one would do: the threshold is 0.5, or with the next clip there would be too many.
    assert threshold == 0.0 or sum(one >= threshold for one in without) > rate * len(without)


def test_thresholds_against_false_alarms_need_clips_without_the_class() -> None:
    with pytest.raises(EvaluationError, match="every clip shows"):
        few_false_alarms(one_class([1.0, 2.0], [1, 1]))
    with pytest.raises(ValueError, match="rate is 1"):
        few_false_alarms(one_class([1.0, 2.0], [1, 0]), 1.0)
