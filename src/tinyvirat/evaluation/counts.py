"""F1 from counts: the one definition behind the scores, their intervals and their breakdowns.

Written out rather than taken from torchmetrics, which refuses one class or one clip, divides in
float32, and cannot score thousands of resamples at once. The tests hold it to torchmetrics where
torchmetrics has an answer.

With `hits` (predicted and true), `predicted` and `positives` (true),
F1 = 2 hits / (predicted + positives), the harmonic mean of precision = hits / predicted and
recall = hits / positives. A quotient with nothing below the line is 0, as in scikit-learn and
torchmetrics.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from tinyvirat.evaluation.arrays import BoolArray, FloatArray

F1Average = Literal["macro", "macro_present", "micro", "samples"]
F1_AVERAGES: tuple[F1Average, ...] = get_args(F1Average)


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """`above / below`, and 0 where `below` is 0."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.zeros(below.shape), where=below != 0)


def kept(values_RK: FloatArray, shown_RK: BoolArray, whole_K: FloatArray | float) -> FloatArray:
    """One value a class in many resamples; a class that a resample lacks has that of the whole set.

    Left out of some draws, or counted 0 in them, a rare class would make an average over classes
    mean something else in each, and an interval lie beside its own point.

    Args:
        values_RK: of the resamples.
        shown_RK: whether the resample has clips of the class.
        whole_K: of the whole set.
    """
    return np.where(shown_RK, values_RK, whole_K)


def f1_of_clips(predicted_NK: BoolArray, targets_NK: BoolArray) -> FloatArray:
    """The F1 of each clip over its classes; 0 for a clip with no label and no prediction."""
    hits_N = (predicted_NK & targets_NK).sum(axis=1).astype(np.float64)
    return ratio(2.0 * hits_N, (predicted_NK.sum(axis=1) + targets_NK.sum(axis=1)).astype(float))


def class_counts(
    predicted_NK: BoolArray, targets_NK: BoolArray, counts_RN: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Hits, predictions and positives of each class, each of shape (R, K).

    Args:
        predicted_NK: which classes are predicted.
        targets_NK: which are true.
        counts_RN: how often each clip is counted; one row a resample, ones for the plain score.
    """
    return (
        counts_RN @ (predicted_NK & targets_NK),
        counts_RN @ predicted_NK.astype(np.float64),
        counts_RN @ targets_NK.astype(np.float64),
    )


def average_f1(
    predicted_NK: BoolArray, targets_NK: BoolArray, average: F1Average, counts_RN: FloatArray
) -> FloatArray:
    """One averaged F1 for each row of `counts_RN`, shape (R,).

    Args:
        predicted_NK: which classes are predicted.
        targets_NK: which are true.
        average: `macro`: the mean over all classes, where a class that is neither present nor
            predicted counts 0 (torchmetrics, scikit-learn; the ranking of the TinyVIRAT challenge).
            `macro_present`: the mean over the classes with at least one positive; NaN with none.
            `micro`: F1 of the sums over all classes. `samples`: the mean over clips of each
            clip's F1, where a clip with no label and no prediction counts 0.
        counts_RN: how often each clip is counted; every row has a positive sum. In an average over
            classes, one that a row has no clips of counts as in the whole set (`kept`).
    """
    if average == "samples":
        return np.asarray(counts_RN @ f1_of_clips(predicted_NK, targets_NK) / counts_RN.sum(axis=1))
    hits_RK, predicted_RK, positives_RK = class_counts(predicted_NK, targets_NK, counts_RN)
    if average == "micro":
        below_R = predicted_RK.sum(axis=1) + positives_RK.sum(axis=1)
        return ratio(2.0 * hits_RK.sum(axis=1), below_R)
    present_K = targets_NK.any(axis=0)
    once_1N = np.ones((1, len(targets_NK)))
    whole_hits_1K, whole_predicted_1K, whole_1K = class_counts(predicted_NK, targets_NK, once_1N)
    whole_K = ratio(2.0 * whole_hits_1K, whole_predicted_1K + whole_1K)[0]
    f1_RK = ratio(2.0 * hits_RK, predicted_RK + positives_RK)
    f1_RK = kept(f1_RK, (positives_RK > 0) | ~present_K, whole_K)
    if average == "macro":
        return np.asarray(f1_RK.mean(axis=1))
    if average == "macro_present":
        if not present_K.any():
            return np.full(len(f1_RK), np.nan)
        return np.asarray(f1_RK[:, present_K].mean(axis=1))
    raise ValueError(f"unknown average {average!r}; one of {', '.join(F1_AVERAGES)} is needed")
