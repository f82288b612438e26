"""From logits to labels: the fixed thresholds, and one a class tuned on videos kept for it.

A class is predicted where its logit is strictly greater than its threshold. Thresholds are kept as
logits, because 0.5 as a probability is exactly 0 there and no rounding of the sigmoid decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.evaluation.arrays import (
    BoolArray,
    FloatArray,
    checked,
    logit,
    sigmoid,
    source_indices,
)
from tinyvirat.evaluation.errors import EvaluationError

PUBLISHED_LOGIT = 0.5
MIN_POSITIVES = 5


@dataclass(frozen=True)
class Thresholds:
    """One threshold a class.

    Attributes:
        name: what tables call them.
        classes: K names.
        logits: a class is predicted where its logit is greater than this.
        tuned_on: the sources of the clips they were tuned on; empty for fixed ones.
        untuned: classes that kept 0 because they had too few positives to tune on.
    """

    name: str
    classes: tuple[str, ...]
    logits: tuple[float, ...]
    tuned_on: tuple[str, ...] = ()
    untuned: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.logits) != len(self.classes):
            raise ValueError(f"{len(self.logits)} thresholds for {len(self.classes)} classes")
        if not all(math.isfinite(value) for value in self.logits):
            raise ValueError(f"thresholds must be finite numbers, got {self.logits}")

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The same thresholds as probabilities."""
        return tuple(float(value) for value in sigmoid(self.logits))

    def predict(self, logits_NK: FloatArray) -> BoolArray:
        """Which classes are predicted for each clip."""
        return np.asarray(logits_NK > np.array(self.logits))

    def refuse(self, sources: Iterable[str]) -> None:
        """Refuses to be used on videos that the thresholds were tuned on.

        Raises:
            EvaluationError: a source is among `tuned_on`.
        """
        seen = sorted(set(self.tuned_on) & set(sources))
        if seen:
            some = ", ".join(seen[:3]) + (", ..." if len(seen) > 3 else "")
            raise EvaluationError(
                f"the thresholds {self.name!r} were tuned on {len(seen)} of the videos to be "
                f"scored ({some}); tune them on held-out training videos, or score other videos"
            )


def at_probability(probability: float, classes: Sequence[str]) -> Thresholds:
    """The same probability, strictly between 0 and 1, for every class."""
    name = f"p = {probability:g}"
    return Thresholds(name, tuple(classes), (logit(probability),) * len(classes))


def at_half(classes: Sequence[str]) -> Thresholds:
    """Probability 0.5 for every class: the default."""
    return at_probability(0.5, classes)


def as_published(classes: Sequence[str]) -> Thresholds:
    """Logit 0.5 for every class, p > 0.622 (published code, which thresholds raw logits at 0.5)."""
    return Thresholds(
        "logit 0.5 (published code)", tuple(classes), (PUBLISHED_LOGIT,) * len(classes)
    )


@dataclass(frozen=True, eq=False)
class TuningSet:
    """Clips kept out of training to tune on. Never the clips that are then scored.

    Attributes:
        logits_NK: what the network answered.
        targets_NK: whether the clip has the label.
        classes: K names.
        sources: the video or group of each clip.
    """

    logits_NK: npt.ArrayLike
    targets_NK: npt.ArrayLike
    classes: tuple[str, ...]
    sources: tuple[str, ...]


def tuned(tuning: TuningSet, *, min_positives: int = MIN_POSITIVES) -> Thresholds:
    """For each class the threshold with the best F1 on the tuning set.

    A threshold lies halfway between the last score it lets through and the next; among equally good
    ones it is the one nearest to 0 (p = 0.5). It remembers the sources it was tuned on, and
    `metrics.multi_label` refuses to score those with it.

    Args:
        tuning: held-out training clips.
        min_positives: a class with fewer positives keeps 0: its best threshold would be chance.
    """
    scored = checked(tuning.logits_NK, tuning.targets_NK, tuning.classes)
    _, sources = source_indices(tuning.sources, len(scored.logits_NK))
    enough_K = scored.targets_NK.sum(axis=0) >= max(min_positives, 1)
    logits = tuple(
        _best_threshold(scored.logits_NK[:, k], scored.targets_NK[:, k]) if enough_K[k] else 0.0
        for k in range(len(scored.classes))
    )
    untuned = tuple(
        name for name, enough in zip(scored.classes, enough_K, strict=True) if not enough
    )
    return Thresholds("tuned on held-out training videos", scored.classes, logits, sources, untuned)


def few_false_alarms(tuning: TuningSet, rate: float = 0.01, *, least: float = 0.5) -> Thresholds:
    """For each class the lowest threshold that few clips without the class get past.

    For models that must be able to say nothing: the best F1 on clips that nearly all show something
    is no measure of that.

    Args:
        tuning: held-out clips, many of them without any class.
        rate: the part of the clips without the class that may get past, from 0 (none) up to 1.
        least: no threshold is lower than this probability, strictly between 0 and 1.

    Raises:
        EvaluationError: a class that every clip shows.
        ValueError: a rate outside 0 to 1.
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"rate is {rate}; it must be from 0 to below 1")
    scored = checked(tuning.logits_NK, tuning.targets_NK, tuning.classes)
    _, sources = source_indices(tuning.sources, len(scored.logits_NK))
    logits = []
    for k, name in enumerate(scored.classes):
        without_N = np.sort(scored.logits_NK[~scored.targets_NK[:, k], k])[::-1]
        if not len(without_N):
            raise EvaluationError(f"every clip shows {name!r}: nothing says what a false alarm is")
        # The first that may not get past is itself the threshold: strictly greater logits count.
        first = without_N[min(int(rate * len(without_N)), len(without_N) - 1)]
        logits.append(float(max(first, logit(least))))
    said = f"{rate:.3g} of the clips without the class get past"
    return Thresholds(said, scored.classes, tuple(logits), sources)


def _best_threshold(logits_N: FloatArray, targets_N: BoolArray) -> float:
    """The threshold with the best F1 of one class that has positives."""
    order = np.argsort(-logits_N, kind="stable")
    ordered_N, hits_N = logits_N[order], np.cumsum(targets_N[order])
    # Letting clip i through lets through all that score the same: only a group's last may be a cut.
    last = np.append(np.flatnonzero(np.diff(ordered_N)), len(ordered_N) - 1)
    f1 = 2.0 * hits_N[last] / (last + 1 + hits_N[-1])
    above = ordered_N[last]
    below = np.append(above[1:], min(above[-1] - 1.0, np.nextafter(above[-1], -np.inf)))
    middle = 0.5 * above + 0.5 * below
    cuts = np.where(middle < above, middle, below)  # neighbours in floating point have no middle
    # Where 0 itself makes the same cut, nothing was learnt that would justify another number.
    cuts = np.where((below <= 0.0) & (above > 0.0), 0.0, cuts)
    best = cuts[f1 >= f1.max() - 1e-12]
    return float(best[np.argmin(np.abs(best))])
