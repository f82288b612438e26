"""From logits of windows to labels over time: smoothing and hysteresis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.recognition.stream.intervals import Decided, Hysteresis, Interval, Rule, Stretch
from tinyvirat.recognition.stream.smoothing import Smoother

FRAME_S = 0.1
LENGTH = 4  # frames of a stretch


@given(st.integers(0, 30), st.sampled_from([1, 3, 5, 9]), st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_smoothing_is_the_weighted_mean_of_what_is_around(
    windows: int, width: int, seed: int
) -> None:
    logits_NK = np.random.default_rng(seed).normal(size=(windows, 3))
    smoother = Smoother(width)
    given_ = [one for row in logits_NK if (one := smoother.add(row)) is not None]
    assert len(given_) == max(0, windows - width // 2)
    given_ += smoother.finish()
    assert len(given_) == windows
    for n, found_K in enumerate(given_):
        weights = np.maximum(width // 2 + 1 - np.abs(np.arange(windows) - n), 0)
        assert found_K == pytest.approx(weights @ logits_NK / weights.sum())


def rule(exclusive: bool = False, shortest: float = 0.0, labels: int = 2) -> Rule:
    return Rule(np.full(labels, 0.5), np.full(labels, 0.4), exclusive, shortest)


def told(rule: Rule, scores_NK: object) -> tuple[list[Decided], list[Interval]]:
    """All that is decided of stretches with these scores."""
    hysteresis = Hysteresis(rule)
    decided, intervals = list[Decided](), list[Interval]()
    for n, scores_K in enumerate(np.asarray(scores_NK, np.float64)):
        start, stop = n * LENGTH, (n + 1) * LENGTH
        stretch = Stretch(start, stop, start * FRAME_S, stop * FRAME_S, scores_K)
        more, ended = hysteresis.add(stretch)
        decided += more
        intervals += ended
    more, ended = hysteresis.finish()
    return decided + more, intervals + ended


def spans(intervals: list[Interval]) -> list[tuple[int, int, int]]:
    """Label, first and last stretch (exclusive) of each."""
    return [(one.label, one.start // LENGTH, one.stop // LENGTH) for one in intervals]


def test_a_label_enters_at_its_threshold_and_leaves_below_a_lower_one() -> None:
    scores = [[0.49], [0.5], [0.45], [0.4], [0.39], [0.45], [0.6]]
    decided, intervals = told(rule(labels=1), scores)
    assert spans(intervals) == [(0, 1, 4), (0, 6, 7)]
    assert [one.labels for one in decided] == [(), (0,), (0,), (0,), (), (), (0,)]
    assert intervals[0].score == pytest.approx((0.5 + 0.45 + 0.4) / 3)
    assert intervals[0].peak == 0.5
    assert intervals[0].start_time == pytest.approx(0.4)
    assert intervals[0].stop_time == pytest.approx(1.6)


def test_what_is_too_short_is_not_said_unless_it_is_the_whole_tube() -> None:
    scores = [[0.1], [0.9], [0.1], [0.9], [0.9], [0.1], [0.9]]
    decided, intervals = told(rule(labels=1, shortest=0.8), scores)
    assert spans(intervals) == [(0, 3, 5)]
    assert [one.labels for one in decided] == [(), (), (), (0,), (0,), (), ()]
    assert spans(told(rule(labels=1, shortest=0.8), [[0.9]])[1]) == [(0, 0, 1)]
    assert spans(told(rule(labels=1, shortest=0.9), [[0.9], [0.9], [0.1]])[1]) == []


def test_of_exclusive_labels_the_most_probable_holds() -> None:
    scores = [[0.3, 0.3], [0.6, 0.4], [0.45, 0.48], [0.45, 0.5], [0.6, 0.4], [0.3, 0.3]]
    decided, intervals = told(rule(exclusive=True), scores)
    assert [one.labels for one in decided] == [(), (0,), (0,), (1,), (0,), ()]
    assert spans(intervals) == [(0, 1, 3), (1, 3, 4), (0, 4, 5)]


def test_labels_of_a_stretch_are_given_most_probable_first() -> None:
    decided, _ = told(rule(), [[0.6, 0.9], [0.9, 0.6]])
    assert [one.labels for one in decided] == [(1, 0), (0, 1)]


SCORES = st.lists(
    st.lists(st.sampled_from([0.0, 0.39, 0.4, 0.45, 0.5, 0.8]), min_size=2, max_size=2),
    max_size=40,
)


@given(SCORES, st.booleans(), st.sampled_from([0.0, 0.4, 0.8, 1.5]))
@settings(max_examples=200, deadline=None)
def test_labels_of_stretches_and_actions_say_the_same(
    scores: list[list[float]], exclusive: bool, shortest: float
) -> None:
    decided, intervals = told(rule(exclusive, shortest), scores)
    assert [one.stretch.start for one in decided] == [n * LENGTH for n in range(len(scores))]
    by_stretch = {(n, label) for n, one in enumerate(decided) for label in one.labels}
    by_interval = [
        (n, label) for label, start, stop in spans(intervals) for n in range(start, stop)
    ]
    assert sorted(by_stretch) == sorted(by_interval)
    for label, start, stop in spans(intervals):
        column = [row[label] for row in scores[start:stop]]
        assert column[0] >= 0.5
        assert min(column) >= 0.4
        whole = (start, stop) == (0, len(scores))
        assert whole or (stop - start) * LENGTH * FRAME_S >= shortest - 1e-6
    if exclusive:
        assert all(len(one.labels) <= 1 for one in decided)
