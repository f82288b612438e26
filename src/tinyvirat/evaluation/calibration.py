"""Whether a probability of 0.8 is right in eight cases of ten, and one number that mends it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.evaluation.arrays import FloatArray, checked, sigmoid, softmax
from tinyvirat.evaluation.metrics import single_labels
from tinyvirat.evaluation.thresholds import TuningSet

BINS = 15
TEMPERATURES = (0.05, 20.0)
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
SEARCH_STEPS = 60


@dataclass(frozen=True)
class ReliabilityBin:
    """The answers whose probability lies in (low, high], and in the first bin also those at 0.

    `probability` is their mean and `right` the share that came true; None where there are none.
    """

    low: float
    high: float
    answers: int
    probability: float | None
    right: float | None


@dataclass(frozen=True)
class Reliability:
    """Probabilities against what came true.

    Attributes:
        expected_error: the expected calibration error: the mean over the bins, weighted by their
            answers, of abs(probability - right).
        answers: how many probabilities were judged.
        bins: of equal width from 0 to 1.
    """

    expected_error: float
    answers: int
    bins: tuple[ReliabilityBin, ...]


def reliability(
    logits_NK: npt.ArrayLike,
    targets_NK: npt.ArrayLike,
    classes: tuple[str, ...],
    *,
    multi_label: bool,
    temperature: float = 1.0,
    bins: int = BINS,
) -> Reliability:
    """Expected calibration error and the diagram behind it.

    Args:
        logits_NK: what the network answered.
        targets_NK: 0 or 1; one 1 a row unless `multi_label`.
        classes: K names.
        multi_label: True judges the sigmoid of every clip and class (N times K answers); False the
            softmax of each clip's first choice (N answers), as is usual for single labels.
        temperature: what logits are divided by.
        bins: how many, of equal width.

    Raises:
        ValueError: shapes that do not match, no bins, a temperature that is not positive.
        EvaluationError: as `arrays.checked`; a clip without exactly one label in single-label mode.
    """
    if bins < 1 or not temperature > 0.0:
        raise ValueError(f"{bins} bins at temperature {temperature}: both must be positive")
    scored = checked(logits_NK, targets_NK, classes)
    cooled_NK = scored.logits_NK / temperature
    if multi_label:
        probability, right = sigmoid(cooled_NK).ravel(), scored.targets_NK.ravel()
    else:
        first_N = cooled_NK.argmax(axis=1)
        probability = softmax(cooled_NK).max(axis=1)
        right = single_labels(scored.targets_NK) == first_N
    edges = np.linspace(0.0, 1.0, bins + 1)
    bin_of = np.searchsorted(edges[1:-1], probability, side="left")
    found, error = [], 0.0
    for b in range(bins):
        members = bin_of == b
        answers = int(members.sum())
        mean, share = None, None
        if answers:
            mean, share = float(probability[members].mean()), float(right[members].mean())
            error += answers / len(right) * abs(mean - share)
        found.append(ReliabilityBin(float(edges[b]), float(edges[b + 1]), answers, mean, share))
    return Reliability(error, len(right), tuple(found))


def fit_temperature(tuning: TuningSet, *, multi_label: bool) -> float:
    """The number to divide logits by so that their likelihood on the tuning set is greatest.

    Golden-section search on its logarithm between 0.05 and 20; the loss has a single minimum there,
    because it is convex in 1 / temperature. Where the tuning set is answered without an error the
    best temperature is the lower bound, which says only that the set is too easy. Labels at p = 0.5
    and first choices stay what they are.

    Args:
        tuning: held-out training clips, never those to be scored.
        multi_label: sigmoid and binary cross-entropy; otherwise softmax and cross-entropy.
    """
    scored = checked(tuning.logits_NK, tuning.targets_NK, tuning.classes)
    if multi_label:
        signs_NK = np.where(scored.targets_NK, 1.0, -1.0)

        def loss(temperature: float) -> float:
            return float(np.logaddexp(0.0, -signs_NK * scored.logits_NK / temperature).mean())
    else:
        labels_N = single_labels(scored.targets_NK)
        true_N = np.take_along_axis(scored.logits_NK, labels_N[:, None], axis=1)[:, 0]

        def loss(temperature: float) -> float:
            return float((_log_sum(scored.logits_NK / temperature) - true_N / temperature).mean())

    low, high = (math.log(bound) for bound in TEMPERATURES)
    return math.exp(_golden(lambda x: loss(math.exp(x)), low, high))


def _log_sum(values_NK: FloatArray) -> FloatArray:
    top_N1 = values_NK.max(axis=1, keepdims=True)
    return np.asarray(top_N1[:, 0] + np.log(np.exp(values_NK - top_N1).sum(axis=1)))


def _golden(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one minimum between `low` and `high` has it."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(SEARCH_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return 0.5 * (low + high)
