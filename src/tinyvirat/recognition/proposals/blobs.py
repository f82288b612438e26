"""Pieces of foreground, and which of them belong together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.proposals.background import Mask
from tinyvirat.recognition.proposals.boxes import areas, connected, intersections
from tinyvirat.recognition.proposals.records import BoxArray

MOST = 200
"""Pieces a picture; of more, the largest are taken: rain or a flicker must not cost the frame."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of a mask.

    Attributes:
        labels_HW: the number in `numbers_N` of the piece that each pixel is of; 0 for background.
        numbers_N: the pieces' numbers in `labels_HW`.
        boxes_N4: `x1, y1, x2, y2` in pixels of the mask.
        areas_N: pixels of foreground.
        sure_N: the part of them that cannot be a shadow's.
    """

    labels_HW: NDArray[np.int32]
    numbers_N: NDArray[np.int64]
    boxes_N4: BoxArray
    areas_N: NDArray[np.float64]
    sure_N: NDArray[np.float64]


def pieces_of(mask_HW: Mask, sure_HW: Mask, least: float, largest: tuple[float, float]) -> Pieces:
    """The pieces of a mask.

    Args:
        mask_HW: 255 where there is something.
        sure_HW: 255 where nothing can be a shadow.
        least: pixels of foreground a piece needs.
        largest: width and height that no actor exceeds.
    """
    _, labels_HW, stats_K5, _ = cv2.connectedComponentsWithStats(mask_HW, connectivity=8)
    keep_K = (
        (stats_K5[:, cv2.CC_STAT_AREA] >= least)
        & (stats_K5[:, cv2.CC_STAT_WIDTH] <= largest[0])
        & (stats_K5[:, cv2.CC_STAT_HEIGHT] <= largest[1])
    )
    keep_K[0] = False
    numbers_N = np.flatnonzero(keep_K)
    if len(numbers_N) > MOST:
        order = np.argsort(-stats_K5[numbers_N, cv2.CC_STAT_AREA], kind="stable")
        numbers_N = np.sort(numbers_N[order[:MOST]])
    found_N5 = stats_K5[numbers_N].astype(np.float64)
    corner_N2, side_N2 = found_N5[:, :2], found_N5[:, 2:4]
    boxes_N4 = np.concatenate([corner_N2, corner_N2 + side_N2], axis=1)
    sure_K = np.bincount(labels_HW[sure_HW > 0], minlength=len(stats_K5))
    areas_N = found_N5[:, 4]
    return Pieces(np.asarray(labels_HW), numbers_N, boxes_N4, areas_N, sure_K[numbers_N] / areas_N)


def nothing_in(mask_HW: Mask) -> Pieces:
    """No pieces."""
    return Pieces(
        labels_HW=np.zeros(mask_HW.shape, np.int32),
        numbers_N=np.zeros(0, np.int64),
        boxes_N4=np.zeros((0, 4)),
        areas_N=np.zeros(0),
        sure_N=np.zeros(0),
    )


def together(boxes_N4: BoxArray) -> NDArray[np.int64]:
    """Which pieces are one actor's, as far as their boxes tell: the group of each.

    A person falls apart into head, body and legs: one above the other, with gaps that are small
    against their height. Two people side by side overlap little across, and stay two.
    """
    if len(boxes_N4) == 1:
        return np.zeros(1, np.int64)
    x1, y1, x2, y2 = boxes_N4.T
    width, height = x2 - x1, y2 - y1
    across = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    down = np.maximum(y1[:, None], y1) - np.minimum(y2[:, None], y2)
    stacked = (across >= 0.5 * np.minimum(width[:, None], width)) & (
        down <= 0.35 * np.maximum(height[:, None], height)
    )
    shared = intersections(boxes_N4, boxes_N4)
    size = areas(boxes_N4)
    overlapping = shared >= 0.25 * np.minimum(size[:, None], size)
    return connected(stacked | overlapping)
