"""What is remembered of a tube until it ends, however long it is: some numbers and one window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tinyvirat.common.pixels import resize
from tinyvirat.recognition.events import Action
from tinyvirat.recognition.proposals.records import Box

MOST_ACTIONS = 100
MOST_BOXES = 64
WIDEST_WINDOW = 320
"""Pixels; a larger window is reduced to this side before it is kept."""

ScoreArray = NDArray[np.float64]


class Summary:
    """The mean scores, the best window and the way of a tube.

    Args:
        labels: how many there are.

    Attributes:
        actions: the first `MOST_ACTIONS`.
        best_start: the first frame of the best window, in the source's numbering.
    """

    def __init__(self, labels: int) -> None:
        self.actions: list[Action] = []
        self.best_start: int | None = None
        self._best_THWC: Tensor | None = None
        self._best_score = -1.0
        self._sums_K: ScoreArray = np.zeros(labels)
        self._frames = 0
        self._boxes: list[Box] = []
        self._every = 1  # one box of so many frames is kept
        self._seen = 0

    def mean_scores(self) -> ScoreArray | None:
        """The mean over the frames that were answered for, `(K,)`; None where there was none."""
        return self._sums_K / self._frames if self._frames else None

    def best_window(self) -> NDArray[np.uint8] | None:
        """The window with the highest score of any label, `frames_THWC`."""
        if self._best_THWC is None:
            return None
        best_THWC: NDArray[np.uint8] = self._best_THWC.contiguous().numpy()
        return best_THWC

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Boxes at even distances, for a picture of the way; `MOST_BOXES` at most."""
        return tuple(self._boxes)

    def box(self, box: Box) -> None:
        """The box of the next frame."""
        if self._seen % self._every == 0:
            if len(self._boxes) >= MOST_BOXES:
                self._boxes = self._boxes[::2]
                self._every *= 2
            if self._seen % self._every == 0:
                self._boxes.append(box)
        self._seen += 1

    def window(self, start: int, frames_THWC: Tensor, scores_K: ScoreArray) -> None:
        """A window, and what the network alone says of it."""
        score = float(scores_K.max())
        if score > self._best_score:
            self._best_score, self.best_start = score, start
            self._best_THWC = _reduced(frames_THWC)

    def stretch(self, scores_K: ScoreArray, frames: int) -> None:
        """Smoothed scores that hold for so many frames."""
        self._sums_K += scores_K * frames
        self._frames += frames

    def action(self, action: Action) -> None:
        """An action that has ended."""
        if len(self.actions) < MOST_ACTIONS:
            self.actions.append(action)


def _reduced(frames_THWC: Tensor) -> Tensor:
    height, width = frames_THWC.shape[1:3]
    part = WIDEST_WINDOW / max(height, width)
    if part >= 1.0:
        return frames_THWC
    size_HW = (max(1, round(height * part)), max(1, round(width * part)))
    return resize(frames_THWC.permute(0, 3, 1, 2), size_HW, "bilinear").permute(0, 2, 3, 1)
