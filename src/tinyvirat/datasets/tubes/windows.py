"""The square cut out of each frame of a tube.

All windows of a tube have the same even side, so that the actor is not magnified and shrunk while
it is watched, and every window holds the annotated box, smoothed path or not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinyvirat.datasets.tubes.records import BoxArray, WindowArray
from tinyvirat.datasets.tubes.rules import CropRule, SizeRule

PathArray = NDArray[np.float64]


def windows_of(
    boxes_T4: BoxArray, rule: CropRule, frame_size: tuple[int, int] | None = None
) -> WindowArray:
    """The window of each frame: `x1, y1, x2, y2` in whole pixels, x2 and y2 exclusive.

    A window may leave the frame; where the frame's size is known it is moved back into it, as far
    as it fits.

    Args:
        boxes_T4: what must be seen, inside the frame where its size is known.
        rule: still or moving, context, smoothing.
        frame_size: width and height in pixels.
    """
    if rule.window == "fixed":
        union_14 = np.concatenate([boxes_T4[:, :2].min(0), boxes_T4[:, 2:].max(0)])[None]
        return np.repeat(_moving(union_14, rule, frame_size), len(boxes_T4), axis=0)
    return _moving(boxes_T4, rule, frame_size)


def is_wanted(side: int, rule: SizeRule) -> bool:
    """Whether clips of this side are kept."""
    if rule.larger_than is not None:
        return side > rule.larger_than
    return rule.smallest <= side <= rule.largest


def side_of(boxes_T4: BoxArray, context: float) -> int:
    """The even side that holds the largest box with its context, and each box in whole pixels.

    Args:
        boxes_T4: of all frames.
        context: added to the longer side of the largest box, as a part of it.
    """
    whole = float((boxes_T4[:, 2:] - boxes_T4[:, :2]).max()) * (1.0 + context)
    pixels = np.ceil(boxes_T4[:, 2:]) - np.floor(boxes_T4[:, :2])
    return 2 * math.ceil(max(whole, float(pixels.max())) / 2 - 1e-9)


def smoothed(path_T: PathArray, frames: int) -> PathArray:
    """The mean of a path around each of its frames.

    As many frames are taken before as after, fewer towards the ends: a steady motion stays as it
    is, and its beginning and end are not pulled inwards.

    Args:
        path_T: the path along one direction.
        frames: to average over; of an even number one is left out.
    """
    now = np.arange(len(path_T))
    reach = np.minimum(np.minimum(now, len(path_T) - 1 - now), (frames - 1) // 2)
    sums = np.concatenate([[0.0], np.cumsum(path_T - path_T[0])])
    return np.asarray(path_T[0] + (sums[now + reach + 1] - sums[now - reach]) / (2 * reach + 1))


def _moving(boxes_T4: BoxArray, rule: CropRule, frame_size: tuple[int, int] | None) -> WindowArray:
    side = side_of(boxes_T4, rule.context)
    corners = [
        _corner(
            boxes_T4[:, axis],
            boxes_T4[:, axis + 2],
            side,
            rule.smooth,
            None if frame_size is None else frame_size[axis],
        )
        for axis in (0, 1)
    ]
    low_T2 = np.stack(corners, axis=1)
    return np.concatenate([low_T2, low_T2 + side], axis=1)


def _corner(
    low_T: PathArray, high_T: PathArray, side: int, smooth: int, frame: int | None
) -> NDArray[np.int64]:
    """The lower edge of the windows along one direction, in whole pixels."""
    centre_T = smoothed((low_T + high_T) / 2, smooth)
    wanted_T = np.rint(centre_T - side / 2)
    if frame is not None:
        room = frame - side  # negative where the window is larger than the frame
        wanted_T = np.clip(wanted_T, min(0, room), max(0, room))
    # The box comes last: nothing may push it out.
    held_T = np.clip(wanted_T, np.ceil(high_T) - side, np.floor(low_T))
    return np.asarray(held_T, np.int64)
