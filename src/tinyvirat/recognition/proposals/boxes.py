"""Arithmetic of boxes: overlaps, hulls, gaps, groups and pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.proposals.records import BoxArray

Matrix = NDArray[np.float64]


def areas(boxes_N4: BoxArray) -> NDArray[np.float64]:
    """The area of each box, at least a tiny one."""
    sides_N2 = np.maximum(boxes_N4[:, 2:] - boxes_N4[:, :2], 1e-6)
    return np.asarray(sides_N2[:, 0] * sides_N2[:, 1])


def intersections(a_N4: BoxArray, b_M4: BoxArray) -> Matrix:
    """The area that each of N boxes shares with each of M."""
    low_NM2 = np.maximum(a_N4[:, None, :2], b_M4[None, :, :2])
    high_NM2 = np.minimum(a_N4[:, None, 2:], b_M4[None, :, 2:])
    sides_NM2 = np.maximum(high_NM2 - low_NM2, 0.0)
    return np.asarray(sides_NM2[..., 0] * sides_NM2[..., 1])


def ious(a_N4: BoxArray, b_M4: BoxArray) -> Matrix:
    """Intersection over union of each of N boxes with each of M."""
    shared_NM = intersections(a_N4, b_M4)
    return np.asarray(shared_NM / (areas(a_N4)[:, None] + areas(b_M4)[None] - shared_NM))


def hull(boxes_N4: BoxArray) -> BoxArray:
    """The smallest box around all."""
    return np.concatenate([boxes_N4[:, :2].min(0), boxes_N4[:, 2:].max(0)])


def grown(boxes_N4: BoxArray, part: float, least: float) -> BoxArray:
    """Boxes with a margin on every side.

    Args:
        boxes_N4: to grow.
        part: of a box's own width and height.
        least: pixels.
    """
    margin_N2 = np.maximum((boxes_N4[:, 2:] - boxes_N4[:, :2]) * part, least)
    return np.concatenate([boxes_N4[:, :2] - margin_N2, boxes_N4[:, 2:] + margin_N2], axis=1)


def separation(boxes_N4: BoxArray, box_4: BoxArray) -> Matrix:
    """How far each of N boxes is from one, across and down; negative where they overlap."""
    return np.asarray(
        np.maximum(boxes_N4[:, :2], box_4[:2]) - np.minimum(boxes_N4[:, 2:], box_4[2:])
    )


def connected(near_NN: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which group each of N things belongs to, if those that are near each other stay together."""
    near_NN = near_NN | near_NN.T | np.eye(len(near_NN), dtype=bool)
    group_N = np.arange(len(near_NN))
    while True:
        lowest_N = np.where(near_NN, group_N[None], len(near_NN)).min(1)
        if np.array_equal(lowest_N, group_N):
            return group_N
        group_N = lowest_N


def matched(gain_NM: Matrix, least: float) -> list[tuple[int, int]]:
    """Pairs of rows and columns with the greatest sum of gains, each row and column once.

    SciPy's assignment decides where there is anything to decide: taking the greatest gain first
    costs half as many mistakes again in a crowd. It is loaded then only, for it is slow to load.

    Args:
        gain_NM: of each pair; not negative. It may be empty.
        least: pairs that gain less are none.
    """
    if not gain_NM.size:
        return []
    possible_NM = gain_NM >= least
    if possible_NM.sum(0).max() <= 1 and possible_NM.sum(1).max() <= 1:
        return [(int(n), int(m)) for n, m in np.argwhere(possible_NM)]
    # SciPy ships no types.
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    rows, columns = linear_sum_assignment(np.where(possible_NM, gain_NM, 0.0), maximize=True)
    return [(int(n), int(m)) for n, m in zip(rows, columns, strict=True) if possible_NM[n, m]]
