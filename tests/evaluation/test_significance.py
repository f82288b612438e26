"""Bootstrap by source: draws, intervals and differences against slow and exact answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tinyvirat.evaluation import significance
from tinyvirat.evaluation.counts import F1_AVERAGES
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.metrics import multi_label, single_label
from tinyvirat.evaluation.precision import average_precisions
from tinyvirat.evaluation.resampled import (
    F1,
    Accuracy,
    Mean,
    MeanAveragePrecision,
    MeanClassAccuracy,
    Metric,
)
from tinyvirat.evaluation.significance import bootstrap, bootstrap_mean, paired_difference
from tinyvirat.evaluation.thresholds import at_half

CLASSES = ("walk", "run", "talk", "wave")


def many_labels(seed: int = 0, clips: int = 60) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    targets = rng.random((clips, 4)) < (0.5, 0.3, 0.2, 0.1)
    logits = np.round(rng.normal(size=(clips, 4)) + 1.5 * targets - 0.75, 1)
    return logits, targets, [f"video {n % 12}" for n in range(clips)]


def one_label(seed: int = 0, clips: int = 60) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    targets = np.eye(4)[rng.integers(0, 4, clips)]
    logits = rng.normal(size=(clips, 4)) + targets
    return logits, targets.astype(bool), [f"video {n % 12}" for n in range(clips)]


class Slow:
    """The mean of one value a class; where a draw has none, that of the first call: of all."""

    def __init__(self, each: Callable[[np.ndarray, np.ndarray], Sequence[float | None]]) -> None:
        self.each = each
        self.whole: Sequence[float | None] = ()

    def __call__(self, scores: np.ndarray, targets: np.ndarray) -> float:
        found = self.each(scores, targets)
        self.whole = self.whole or found
        pairs = zip(found, self.whole, strict=True)
        known = [whole if one is None else one for one, whole in pairs if whole is not None]
        return float(np.mean(known))


def accuracies(scores: np.ndarray, targets: np.ndarray) -> list[float | None]:
    right = targets[np.arange(len(scores)), scores.argmax(1)]
    return [float(right[one].mean()) if one.any() else None for one in targets.T]


def long_tail(noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Twelve classes in 30 videos, the last in one video alone; without noise all is right."""
    rng = np.random.default_rng(seed)
    videos = np.repeat(np.arange(30), 8)
    targets = np.stack([(videos < 30 / 2**k) & (rng.random(240) < 0.7) for k in range(12)], axis=1)
    targets[:12] |= np.eye(12, dtype=bool)
    targets[:, 0] = True
    logits = 2.0 * targets - 1.0 + rng.normal(size=targets.shape) * noise
    return logits, targets, [str(video) for video in videos]


class TestResampledMetrics:
    """The fast form of each metric gives what the metric gives on clips repeated by hand."""

    def both(self, metric: Metric, plain: object, case: tuple) -> None:
        logits, targets, sources = case
        fast = bootstrap(metric, logits, targets, sources, resamples=25, seed=3)
        slow = bootstrap(plain, logits, targets, sources, resamples=25, seed=3)
        assert fast.point == pytest.approx(slow.point, abs=1e-6)
        assert fast.low == pytest.approx(slow.low, abs=1e-6)
        assert fast.high == pytest.approx(slow.high, abs=1e-6)

    @pytest.mark.parametrize("average", F1_AVERAGES)
    def test_f1(self, average: str) -> None:
        def plain(logits: np.ndarray, targets: np.ndarray) -> float:
            scored = multi_label(logits, targets, CLASSES, [""] * len(logits))
            return float(getattr(scored.f1, average))

        self.both(F1(average, at_half(CLASSES)), plain, many_labels())

    def test_mean_average_precision(self) -> None:
        self.both(MeanAveragePrecision(), Slow(average_precisions), many_labels())

    def test_mean_average_precision_where_a_rare_class_drops_out_of_draws(self) -> None:
        logits, targets, sources = many_labels()
        targets[:, 3] = False
        targets[5, 3] = True
        self.both(MeanAveragePrecision(), Slow(average_precisions), (logits, targets, sources))

    def test_accuracy(self) -> None:
        logits, targets, sources = one_label()
        targets[targets[:, 3]] = np.eye(4, dtype=bool)[0]
        targets[5] = np.eye(4, dtype=bool)[3]  # one clip of the last class: many draws lack it

        def top1(logits: np.ndarray, targets: np.ndarray) -> float:
            return single_label(logits, targets, CLASSES).top1

        case = (logits, targets, sources)
        self.both(Accuracy(), top1, case)
        self.both(MeanClassAccuracy(), Slow(accuracies), case)
        found = single_label(logits, targets, CLASSES).mean_class
        assert bootstrap(MeanClassAccuracy(), *case).point == pytest.approx(found)

    @pytest.mark.parametrize("noise", [0.0, 0.8, 1.5])
    def test_a_score_lies_within_its_interval_where_draws_lack_rare_classes(
        self, noise: float
    ) -> None:
        classes = tuple("abcdefghijkl")
        averages = [F1(average, at_half(classes)) for average in F1_AVERAGES]
        for metric in (*averages, MeanAveragePrecision()):
            found = bootstrap(metric, *long_tail(noise), resamples=500)
            assert found.resamples == 500 and found.low <= found.point <= found.high
            assert noise or found.low == found.point == 1.0

    def test_accuracy_among_the_highest_few(self) -> None:
        logits, targets, sources = one_label()
        best = np.argsort(-logits, axis=1)[:, :2]
        expected = np.mean([targets[n, best[n]].any() for n in range(len(logits))])
        assert bootstrap(Accuracy(2), logits, targets, sources).point == pytest.approx(expected)

    def test_mean(self) -> None:
        logits, targets, sources = many_labels()
        self.both(Mean(), lambda s, t: float(s[:, 0].mean()), (logits, targets, sources))


class TestBootstrap:
    def test_the_interval_of_a_mean_is_the_normal_one(self) -> None:
        # 400 sources of one clip: the bootstrap's standard error is sd / sqrt(n).
        values = np.random.default_rng(1).normal(size=400)
        interval = bootstrap_mean(values, [str(n) for n in range(400)], resamples=4000)
        half = 1.96 * values.std() / 20.0
        assert interval.point == pytest.approx(values.mean())
        assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
        assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)

    def test_sources_are_drawn_and_not_clips(self) -> None:
        # The same numbers, ten clips each: as wide as ten clips' worth of sources, not of clips.
        values = np.random.default_rng(1).normal(size=40)
        sources = [str(n) for n in range(40)]
        once = bootstrap_mean(values, sources)
        tenfold = bootstrap_mean(np.repeat(values, 10), np.repeat(sources, 10).tolist())
        assert (tenfold.low, tenfold.high) == (pytest.approx(once.low), pytest.approx(once.high))
        torn = bootstrap_mean(np.repeat(values, 10), [str(n) for n in range(400)])
        assert torn.high - torn.low < 0.5 * (once.high - once.low)

    def test_a_source_brings_all_its_clips(self) -> None:
        # Two sources of 1 and 3 clips: the four draws average 0, 3/4, 3/4 and 1.
        seen: set[float] = set()

        def record(scores: np.ndarray, targets: np.ndarray) -> float:
            seen.add(float(scores.mean()))
            return float(scores.mean())

        bootstrap(record, [[0.0], [1.0], [1.0], [1.0]], np.zeros((4, 1)), list("abbb"))
        assert seen == {0.0, 0.75, 1.0}

    @pytest.mark.parametrize("seed", range(3))
    def test_it_holds_the_point_estimate_in_ordinary_cases(self, seed: int) -> None:
        for average in F1_AVERAGES:
            metric = F1(average, at_half(CLASSES))
            interval = bootstrap(metric, *many_labels(seed), resamples=500)
            assert interval.low < interval.point < interval.high
            assert interval.low >= 0.0 and interval.high <= 1.0

    def test_a_higher_level_is_wider(self) -> None:
        case = many_labels()
        metric = F1("micro", at_half(CLASSES))
        narrow, wide = (bootstrap(metric, *case, level=level) for level in (0.5, 0.99))
        assert wide.low < narrow.low < narrow.high < wide.high

    def test_the_same_seed_draws_the_same_in_pieces_of_any_size(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        case = many_labels()
        metric = F1("macro", at_half(CLASSES))
        first = bootstrap(metric, *case, resamples=150, seed=7)
        monkeypatch.setattr(significance, "CHUNK", 13)
        assert bootstrap(metric, *case, resamples=150, seed=7) == first
        assert bootstrap(metric, *case, resamples=150, seed=8) != first
        assert first.resamples == 150

    def test_perfect_scores_have_no_spread(self) -> None:
        _, targets, sources = one_label()
        interval = bootstrap(Accuracy(), targets.astype(float), targets, sources)
        assert (interval.low, interval.point, interval.high) == (1.0, 1.0, 1.0)

    def test_nothing_is_said_about_a_single_source(self) -> None:
        interval = bootstrap_mean([1.0, 2.0], ["a", "a"])
        assert (interval.point, interval.low, interval.high) == (1.5, None, None)
        assert interval.sources == 1

    def test_draws_without_a_score_are_left_out_and_counted(self) -> None:
        # Half the draws of two sources hold both, a quarter only the one without positives.
        def defined_with_positives(scores: np.ndarray, targets: np.ndarray) -> float:
            return 1.0 if targets.any() else float("nan")

        targets = [[1], [0]]
        interval = bootstrap(defined_with_positives, [[1.0], [0.0]], targets, ["a", "b"])
        assert interval.resamples < 2000
        assert interval.resamples == pytest.approx(1500, abs=100)
        assert (interval.low, interval.high) == (1.0, 1.0)

    def test_refusals(self) -> None:
        logits, targets, sources = many_labels()
        metric = F1("micro", at_half(CLASSES))
        with pytest.raises(ValueError, match="59 sources"):
            bootstrap(metric, logits, targets, sources[1:])
        with pytest.raises(ValueError, match="at least one resample"):
            bootstrap(metric, logits, targets, sources, resamples=0)
        with pytest.raises(ValueError, match="between 0 and 1"):
            bootstrap(metric, logits, targets, sources, level=95)
        with pytest.raises(ValueError, match="one row a clip"):
            bootstrap(metric, logits[1:], targets, sources)
        with pytest.raises(ValueError, match="0 or 1"):
            bootstrap(metric, logits, targets + 1.0, sources)
        with pytest.raises(EvaluationError, match="no score"):
            bootstrap(MeanAveragePrecision(), logits, targets & False, sources)
        with pytest.raises(EvaluationError, match="diverged"):
            bootstrap(metric, logits * np.nan, targets, sources)
        with pytest.raises(EvaluationError, match="no clips"):
            bootstrap(metric, np.zeros((0, 4)), np.zeros((0, 4)), [])


class TestPairedDifference:
    def test_the_same_system_twice(self) -> None:
        logits, targets, sources = many_labels()
        found = paired_difference(F1("macro", at_half(CLASSES)), logits, logits, targets, sources)
        assert (found.interval.low, found.interval.point, found.interval.high) == (0.0, 0.0, 0.0)
        assert found.p_value == 1.0

    def test_pairing_removes_what_both_systems_find_hard(self) -> None:
        rng = np.random.default_rng(0)
        hard = rng.normal(size=100)
        first = hard[:, None]
        second = first + 0.1 + 0.05 * rng.normal(size=(100, 1))
        sources = [str(n) for n in range(100)]
        none = np.zeros((100, 0))
        found = paired_difference(Mean(), first, second, none, sources)
        alone = bootstrap_mean(second[:, 0], sources)
        assert found.interval.low > 0.08
        assert found.interval.high < 0.12
        assert alone.high - alone.low > 0.3
        assert found.p_value == pytest.approx(2 / 2001)
        assert found.second - found.first == pytest.approx(found.interval.point)

    def test_exchanging_the_systems_turns_the_sign_only(self) -> None:
        first, targets, sources = many_labels(0)
        second = first + np.random.default_rng(5).normal(size=first.shape)
        metric = F1("micro", at_half(CLASSES))
        there = paired_difference(metric, first, second, targets, sources)
        back = paired_difference(metric, second, first, targets, sources)
        assert there.interval.point == -back.interval.point
        assert there.interval.low == pytest.approx(-back.interval.high)
        assert there.p_value == back.p_value

    def test_the_p_value_is_even_under_no_difference(self) -> None:
        rng = np.random.default_rng(2)
        sources = [str(n) for n in range(40)]
        below = 0
        for _ in range(200):
            first, second = rng.normal(size=(2, 40, 1))
            found = paired_difference(
                Mean(), first, second, np.zeros((40, 0)), sources, resamples=200
            )
            assert found.p_value is not None
            below += found.p_value < 0.1
        assert below / 200 == pytest.approx(0.1, abs=0.06)

    def test_each_system_may_have_its_own_metric(self) -> None:
        logits, targets, sources = many_labels()
        metrics = F1("micro", at_half(CLASSES)), F1("macro", at_half(CLASSES))
        found = paired_difference(
            metrics[0], logits, logits, targets, sources, second_metric=metrics[1]
        )
        scored = multi_label(logits, targets, CLASSES, sources).f1
        assert found.first == pytest.approx(scored.micro)
        assert found.second == pytest.approx(scored.macro)

    def test_nothing_is_said_about_a_single_source(self) -> None:
        none = np.zeros((2, 0))
        found = paired_difference(Mean(), [[0.0], [1.0]], [[1.0], [1.0]], none, ["a", "a"])
        assert found.p_value is None
        assert found.interval.low is None
