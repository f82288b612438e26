"""Average precision and precision-recall curves of one class at a time."""

from __future__ import annotations

import numpy as np

from tinyvirat.evaluation.arrays import BoolArray, FloatArray
from tinyvirat.evaluation.counts import kept, ratio


def average_precisions(scores_NK: FloatArray, targets_NK: BoolArray) -> tuple[float | None, ...]:
    """The average precision of each class (torchmetrics), None where it has no positives.

    It is the sum over distinct scores, from the highest down, of the precision there times the gain
    in recall, without interpolation. torchmetrics alone would give 0 for a class without positives.
    """
    import torch
    from torchmetrics.functional.classification import binary_average_precision

    precisions: list[float | None] = []
    for k in range(scores_NK.shape[1]):
        if not targets_NK[:, k].any():
            precisions.append(None)
            continue
        ranks_N = torch.from_numpy(ranked(scores_NK[:, k]))
        target_N = torch.from_numpy(targets_NK[:, k].astype(np.int64))
        precisions.append(float(binary_average_precision(ranks_N, target_N)))
    return tuple(precisions)


def curve(scores_N: FloatArray, targets_N: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Recall and precision of one class at every distinct score (torchmetrics), recall rising.

    Raises:
        ValueError: the class has no positives, so that recall means nothing.
    """
    import torch
    from torchmetrics.functional.classification import binary_precision_recall_curve

    if not targets_N.any():
        raise ValueError("a class without positives has no precision-recall curve")
    precision, recall, _ = binary_precision_recall_curve(
        torch.from_numpy(ranked(scores_N)), torch.from_numpy(targets_N.astype(np.int64))
    )
    return recall.numpy()[::-1].astype(np.float64), precision.numpy()[::-1].astype(np.float64)


def ranked(scores_N: FloatArray) -> FloatArray:
    """Scores replaced by their ranks within [0, 1], equal ones staying equal.

    torchmetrics takes scores within [0, 1] for probabilities and passes others through a sigmoid,
    which makes confident logits equal and would lose their order; ranks keep it.
    """
    distinct, index_N = np.unique(scores_N, return_inverse=True)
    return np.asarray(index_N.reshape(-1) / max(len(distinct) - 1, 1), dtype=np.float64)


def mean_average_precision(
    scores_NK: FloatArray, targets_NK: BoolArray, counts_RN: FloatArray
) -> FloatArray:
    """Mean average precision of many resamples at once, shape (R,); with all ones the plain one.

    The mean goes over the classes that have positives, NaN with none; one that a resample has none
    of counts as in the whole set (`counts.kept`).

    Args:
        scores_NK: scores, only their order counts.
        targets_NK: whether the clip has the label.
        counts_RN: how often each clip is counted, one row a resample.
    """
    present = np.flatnonzero(targets_NK.any(axis=0))
    if not len(present):
        return np.full(len(counts_RN), np.nan)
    with_whole_NR = np.concatenate([counts_RN, np.ones((1, len(targets_NK)))]).T
    counts_NR = np.ascontiguousarray(with_whole_NR)
    summed_R = np.zeros(len(counts_RN))
    for k in present:
        order = np.argsort(-scores_NK[:, k], kind="stable")
        positive = np.flatnonzero(targets_NK[order, k])
        # Equal scores are taken all at once, so a point of the curve is the last of its group; and
        # only points where recall grows count, which are the groups of the P positives.
        lasts = np.append(np.flatnonzero(np.diff(scores_NK[order, k])), len(order) - 1)
        points, first = np.unique(lasts[np.searchsorted(lasts, positive)], return_index=True)
        taken_PR = np.cumsum(counts_NR[order], axis=0)[points]
        gains_PR = np.add.reduceat(counts_NR[order[positive]], first, axis=0)
        hits_PR = np.cumsum(gains_PR, axis=0)
        positives_R = hits_PR[-1]
        found_R = ratio((ratio(hits_PR, taken_PR) * gains_PR).sum(axis=0), positives_R)
        summed_R += kept(found_R, positives_R > 0, found_R[-1])[:-1]
    return np.asarray(summed_R / len(present))
