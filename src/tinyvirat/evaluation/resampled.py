"""Metrics that score thousands of resamples of the same clips at once.

A resample is a row of counts: how often each clip is in it. A row of ones is the set itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from tinyvirat.evaluation import precision
from tinyvirat.evaluation.arrays import BoolArray, FloatArray
from tinyvirat.evaluation.counts import F1Average, average_f1, kept, ratio
from tinyvirat.evaluation.metrics import single_labels, true_ranks
from tinyvirat.evaluation.thresholds import Thresholds

PlainMetric = Callable[[FloatArray, BoolArray], float]


@runtime_checkable
class ResampledMetric(Protocol):
    """A metric that scores many resamples at once."""

    def resampled(
        self, scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
    ) -> FloatArray:
        """One score a row of `counts_RN` (how often each clip is counted); NaN where undefined."""


Metric = PlainMetric | ResampledMetric


@dataclass(frozen=True)
class Accuracy:
    """The share of clips whose true class is among the `top` highest scores; one label a clip."""

    top: int = 1

    def resampled(
        self, scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
    ) -> FloatArray:
        """See `ResampledMetric`."""
        right_N = true_ranks(scores_NK, single_labels(targets_NK)) < self.top
        return np.asarray(counts_RN @ right_N / counts_RN.sum(axis=1))


@dataclass(frozen=True)
class MeanClassAccuracy:
    """The mean over the classes that have clips of their accuracies; one label a clip. A class that
    a resample lacks counts as in the whole set (`counts.kept`)."""

    def resampled(
        self, scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
    ) -> FloatArray:
        """See `ResampledMetric`."""
        right_N1 = true_ranks(scores_NK, single_labels(targets_NK))[:, None] == 0
        present_K = targets_NK.any(axis=0)
        targets_NK, right_NK = targets_NK[:, present_K], (targets_NK & right_N1)[:, present_K]
        clips_RK = counts_RN @ targets_NK.astype(np.float64)
        accuracy_RK = ratio(counts_RN @ right_NK, clips_RK)
        whole_K = right_NK.sum(axis=0) / targets_NK.sum(axis=0)
        return np.asarray(kept(accuracy_RK, clips_RK > 0, whole_K).mean(axis=1))


@dataclass(frozen=True)
class F1:
    """F1 of logits at `thresholds`, averaged as `counts.average_f1` says."""

    average: F1Average
    thresholds: Thresholds

    def resampled(
        self, scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
    ) -> FloatArray:
        """See `ResampledMetric`."""
        predicted_NK = self.thresholds.predict(scores_NK)
        return average_f1(predicted_NK, targets_NK, self.average, counts_RN)


@dataclass(frozen=True)
class MeanAveragePrecision:
    """The mean over the classes with positives of their average precision."""

    def resampled(
        self, scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
    ) -> FloatArray:
        """See `ResampledMetric`."""
        return precision.mean_average_precision(scores_NK, targets_NK, counts_RN)


@dataclass(frozen=True)
class Mean:
    """The mean of one number a clip, such as its PSNR; scores of shape (N, 1), targets unused."""

    def resampled(
        self, scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
    ) -> FloatArray:
        """See `ResampledMetric`."""
        return np.asarray(counts_RN @ scores_NK[:, 0] / counts_RN.sum(axis=1))


@dataclass(frozen=True)
class OverSeeds:
    """A metric's mean over seeds; the scores of all seeds stand side by side in a clip's row."""

    metric: ResampledMetric
    seeds: int

    def resampled(
        self, scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
    ) -> FloatArray:
        """See `ResampledMetric`."""
        parts = np.split(scores_NK, self.seeds, axis=1)
        every = [self.metric.resampled(part_NK, targets_NK, counts_RN) for part_NK in parts]
        return np.asarray(np.mean(every, axis=0))
