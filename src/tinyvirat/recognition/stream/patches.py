"""What is kept of a frame until its windows are cut: the surroundings of each actor.

A window has one side for all its frames, which is known only when its last frame has come. Until
then a generous surrounding of each box is kept instead of the frame: the box, and its longer side
again on every side. A window that leaves it (its actor's box has more than doubled within the
window) has the surrounding's edge repeated, as at the edge of the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinyvirat.common.pixels import crop_windows
from tinyvirat.datasets.tubes.rules import CropRule
from tinyvirat.recognition.proposals.records import Box
from tinyvirat.recognition.proposals.windows import square_windows

AROUND = 1.0
"""Kept on each side of a box, in parts of its longer side."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of a frame.

    Attributes:
        pixels_HWC: uint8 RGB.
        x: of its left column in the frame.
        y: of its top row in the frame.
    """

    pixels_HWC: Picture
    x: int
    y: int


def patches_of(frame_HWC: Picture, boxes: Sequence[Box]) -> list[Patch]:
    """The surroundings of boxes, cut out of their frame.

    The frame itself is kept instead where that takes less memory.

    Args:
        frame_HWC: uint8 RGB; nobody may write into it any more.
        boxes: `x1, y1, x2, y2` in its pixels, inside it.
    """
    height, width = frame_HWC.shape[:2]
    areas = [_around(box, width, height) for box in boxes]
    pixels = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in areas)
    if pixels >= height * width:
        return [Patch(frame_HWC, 0, 0)] * len(boxes)
    return [Patch(frame_HWC[y1:y2, x1:x2].copy(), x1, y1) for x1, y1, x2, y2 in areas]


def whole(frame_HWC: Picture) -> Patch:
    """The frame itself."""
    return Patch(frame_HWC, 0, 0)


def cut_window(
    patches: Sequence[Patch],
    boxes: Sequence[Box],
    indices_T: NDArray[np.int64],
    frame_size: tuple[int, int],
    rule: CropRule,
) -> Tensor:
    """The crops of one window.

    Args:
        patches: of successive frames, those from the window's first to its last.
        boxes: in the same frames.
        indices_T: which of them the window has.
        frame_size: width and height of a frame in pixels.
        rule: context and smoothing.

    Returns:
        `frames_TSSC`, uint8 RGB, all of one side.
    """
    windows_T4 = square_windows(np.asarray(boxes, np.float64), frame_size, rule)
    crops = []
    for index in indices_T.tolist():
        patch = patches[index]
        window_14 = windows_T4[index : index + 1] - np.array([patch.x, patch.y] * 2)
        pixels_1HWC = torch.from_numpy(patch.pixels_HWC)[None]
        crops.append(crop_windows(pixels_1HWC, window_14))
    return torch.cat(crops)


def stack_window(patches: Sequence[Patch], indices_T: NDArray[np.int64]) -> Tensor:
    """The frames of one window of the whole frame, `frames_THWC`."""
    return torch.from_numpy(np.stack([patches[i].pixels_HWC for i in indices_T.tolist()]))


def _around(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    margin = AROUND * max(x2 - x1, y2 - y1) + 2.0
    return (
        max(0, int(x1 - margin)),
        max(0, int(y1 - margin)),
        min(width, int(x2 + margin) + 1),
        min(height, int(y2 + margin) + 1),
    )
