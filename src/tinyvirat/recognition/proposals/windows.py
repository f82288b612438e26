"""The square windows that an actor is cut out with for recognition.

They are made by the rules that training clips are cut by (`tinyvirat.datasets.tubes`): context as a
part of the side, an even side, one side for all of a recognition window, a smoothed path, and no
box ever cut off. `tinyvirat.common.pixels.crop_windows` cuts them out, repeating the edge of the
frame where a window leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyvirat.datasets.tubes.records import WindowArray
from tinyvirat.datasets.tubes.rules import CropRule
from tinyvirat.datasets.tubes.windows import windows_of
from tinyvirat.recognition.proposals.records import Box, BoxArray, ProposalError


def square_windows(
    boxes_T4: BoxArray | Sequence[Box],
    frame_size: tuple[int, int],
    rule: CropRule | None = None,
) -> WindowArray:
    """The window of each frame of one recognition window (of 16 frames, say).

    Args:
        boxes_T4: of one tube in successive frames: `x1, y1, x2, y2` in pixels, inside the frame.
        frame_size: width and height of a frame in pixels.
        rule: context and smoothing; `None` is that of TinyVIRAT's construction.

    Returns:
        `windows_T4`: `x1, y1, x2, y2` in whole pixels, x2 and y2 exclusive, all of one even side;
        each holds its box. Windows larger than the frame leave it.

    Raises:
        ProposalError: there is no box.
    """
    boxes_T4 = np.asarray(boxes_T4, np.float64)
    if boxes_T4.ndim != 2 or boxes_T4.shape[1] != 4 or not len(boxes_T4):
        raise ProposalError(
            f"boxes of shape {boxes_T4.shape}: one row of x1, y1, x2, y2 a frame is needed"
        )
    return windows_of(boxes_T4, rule or CropRule(), frame_size)
