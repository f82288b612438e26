"""How far a score could be off: bootstrap over source videos, for one system and for two.

Clips cut from one video resemble each other, so it is videos (`source` in the manifest) that are
drawn with replacement, each with all its clips. An interval is the middle 95 % of the scores of
2,000 such draws (percentile bootstrap). With few sources it is too narrow; `sources` says how many
there were. In averages over classes, one that a draw has no clips of counts as in the whole set:
its own uncertainty is then not in that draw, so that classes of one or two videos make an interval
too narrow likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.evaluation.arrays import BoolArray, FloatArray, IntArray, source_indices
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.resampled import Mean, Metric, ResampledMetric

RESAMPLES = 2000
LEVEL = 0.95
CHUNK = 100


@dataclass(frozen=True)
class Interval:
    """A score and where it would lie on other videos of the same kind.

    Attributes:
        point: the score itself.
        low: the lower end; None with a single source, where nothing can be said.
        high: the upper end; None likewise.
        level: the share of draws between the two.
        sources: how many sources were drawn from.
        resamples: how many draws gave a score.
        seed: of the random draws.
    """

    point: float
    low: float | None
    high: float | None
    level: float
    sources: int
    resamples: int
    seed: int


@dataclass(frozen=True)
class Difference:
    """A second system's score less a first one's, on the same clips.

    Attributes:
        first: the first system's score.
        second: the second's.
        interval: of second - first; both systems are scored on the same draws.
        p_value: two-sided: twice the smaller share of draws on either side of no difference, each
            count and the number of draws raised by one, at most 1; None with a single source.
    """

    first: float
    second: float
    interval: Interval
    p_value: float | None


def bootstrap(
    metric: Metric,
    scores_NK: npt.ArrayLike,
    targets_NK: npt.ArrayLike,
    sources: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """A metric with its interval.

    Args:
        metric: one of `resampled`'s metrics (fast), or any function of scores and targets, which is
            then called once a draw. NaN says that a draw has no score; such draws are left out.
        scores_NK: what the metric takes, one row a clip.
        targets_NK: 0 or 1, one row a clip.
        sources: the video or group of each clip.
        resamples: how many draws.
        seed: the same seed draws the same videos.
        level: the share of draws between `low` and `high`.

    Raises:
        ValueError: numbers of rows that differ, no draws, a level outside (0, 1).
        EvaluationError: the metric has no score on the clips themselves.
    """
    point, drawn_R, count = _scores(metric, scores_NK, targets_NK, sources, resamples, seed)
    return _interval(point, drawn_R, count, level, seed)


def bootstrap_mean(
    values_N: npt.ArrayLike,
    sources: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """The mean of one number a clip, such as its PSNR, with its interval; see `bootstrap`."""
    values_N1 = np.asarray(values_N, dtype=np.float64).reshape(-1, 1)
    nothing_N0 = np.zeros((len(values_N1), 0))
    return bootstrap(
        Mean(), values_N1, nothing_N0, sources, resamples=resamples, seed=seed, level=level
    )


def paired_difference(
    metric: Metric,
    first_NK: npt.ArrayLike,
    second_NK: npt.ArrayLike,
    targets_NK: npt.ArrayLike,
    sources: Sequence[str],
    *,
    second_metric: Metric | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Difference:
    """What a second system gains over a first one on the same clips, in the same order.

    Args:
        metric: as in `bootstrap`.
        first_NK: the first system's scores.
        second_NK: the second's.
        targets_NK: 0 or 1, the same for both.
        sources: the video or group of each clip.
        second_metric: the second system's metric where it differs, such as F1 at thresholds of its
            own; the same by default.
        resamples: how many draws.
        seed: the same seed draws the same videos.
        level: the share of draws between the ends of the interval.

    Raises:
        ValueError: numbers of rows that differ, no draws, a level outside (0, 1).
        EvaluationError: a metric has no score on the clips themselves.
    """
    other = metric if second_metric is None else second_metric
    first, first_R, count = _scores(metric, first_NK, targets_NK, sources, resamples, seed)
    second, second_R, _ = _scores(other, second_NK, targets_NK, sources, resamples, seed)
    gains_R = second_R - first_R
    interval = _interval(second - first, gains_R, count, level, seed)
    gains_R = gains_R[np.isfinite(gains_R)]
    p_value = None
    if count > 1:
        smaller = min(int((gains_R <= 0).sum()), int((gains_R >= 0).sum()))
        p_value = min(1.0, 2.0 * (smaller + 1) / (len(gains_R) + 1))
    return Difference(first, second, interval, p_value)


def _scores(
    metric: Metric,
    scores: npt.ArrayLike,
    targets: npt.ArrayLike,
    sources: Sequence[str],
    resamples: int,
    seed: int,
) -> tuple[float, FloatArray, int]:
    """The score of the clips, of every draw (NaN where undefined), and the number of sources."""
    scores_NK = np.asarray(scores, dtype=np.float64)
    targets_NK = np.asarray(targets)
    if scores_NK.ndim != 2 or targets_NK.ndim != 2 or len(scores_NK) != len(targets_NK):
        raise ValueError(
            f"scores of shape {scores_NK.shape} against targets of shape {targets_NK.shape}; "
            "both need one row a clip"
        )
    if not np.isfinite(scores_NK).all():
        raise EvaluationError("a score is not a finite number: the network has diverged")
    if not np.isin(targets_NK, (0, 1)).all():
        raise ValueError("targets must be 0 or 1")
    targets_NK = targets_NK.astype(np.bool_)
    if resamples < 1:
        raise ValueError(f"at least one resample is needed, got {resamples}")
    source_N, names = source_indices(sources, len(scores_NK))
    if not names:
        raise EvaluationError("there are no clips to score")
    once_1N = np.ones((1, len(scores_NK)))
    point = float(_resampled(metric, scores_NK, targets_NK, once_1N)[0])
    if not np.isfinite(point):
        raise EvaluationError(
            "the metric has no score on these clips, so it has no interval either"
        )
    pieces = [
        _resampled(metric, scores_NK, targets_NK, counts_RN)
        for counts_RN in _draws(source_N, len(names), resamples, seed)
    ]
    return point, np.concatenate(pieces), len(names)


def _draws(source_N: IntArray, count: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    """How often each clip is counted in each draw of `count` sources, a bounded piece at a time."""
    rng = np.random.default_rng(seed)
    even_S = np.full(count, 1.0 / count)
    for start in range(0, resamples, CHUNK):
        drawn_RS = rng.multinomial(count, even_S, size=min(CHUNK, resamples - start))
        yield drawn_RS[:, source_N].astype(np.float64)


def _resampled(
    metric: Metric, scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
) -> FloatArray:
    if isinstance(metric, ResampledMetric):
        return metric.resampled(scores_NK, targets_NK, counts_RN)
    values = []
    for counts_N in counts_RN.astype(np.int64):
        index_M = np.repeat(np.arange(len(counts_N)), counts_N)
        values.append(float(metric(scores_NK[index_M], targets_NK[index_M])))
    return np.array(values)


def _interval(point: float, drawn_R: FloatArray, count: int, level: float, seed: int) -> Interval:
    if not 0.0 < level < 1.0:
        raise ValueError(f"the level must lie between 0 and 1, got {level}")
    known_R = drawn_R[np.isfinite(drawn_R)]
    low = high = None
    if count > 1 and len(known_R):
        tail = (1.0 - level) / 2.0
        low, high = (float(end) for end in np.quantile(known_R, (tail, 1.0 - tail)))
    return Interval(point, low, high, level, count, len(known_R), seed)
