"""Which frames of a growing tube make the windows that the network sees, and which it answers for.

All at once this is `tinyvirat.video.sampling.SlidingWindows`; here the tube comes frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvirat.video.sampling import AnySampler, RandomWindow, SlidingWindows


def sliding(sampler: AnySampler, overlap: float, faster: float = 1.0) -> SlidingWindows:
    """Overlapping windows like those of a model's sampler: length and filling are its own.

    Args:
        sampler: as saved with the model.
        overlap: part of a window that the next one shares, 0 or more and below 1.
        faster: frames a second of the video for each of the clips that the model learnt from. The
            stride follows, so that a window lasts as long as it did then, as nearly as whole frames
            allow; a video that is too slow for that is read frame by frame.
    """
    stride = min(sampler.strides) if isinstance(sampler, RandomWindow) else sampler.stride
    stride = max(1, round(stride * faster))
    hop = max(1, round(sampler.length * stride * (1.0 - overlap)))
    return SlidingWindows(sampler.length, hop, stride, sampler.short)


@dataclass(frozen=True, eq=False)
class WindowPlace:
    """A window of a tube.

    Attributes:
        indices_T: its frames, from the tube's first, which is 0.
        begin: where what it answers for begins: halfway between its middle and that of the window
            before; 0 for the first.
    """

    indices_T: NDArray[np.int64]
    begin: int


class WindowPlan:
    """The windows of one tube, as it grows.

    Args:
        sampler: what windows are like.
        shortest: frames; a tube that ends with fewer has no window.

    Attributes:
        frames: that the tube has so far.
        needed: the first frame that a window to come can ask for.
    """

    def __init__(self, sampler: SlidingWindows, shortest: int) -> None:
        self._sampler = sampler
        self._shortest = shortest
        self._span = (sampler.length - 1) * sampler.stride + 1
        self._steps_T = np.arange(sampler.length, dtype=np.int64) * sampler.stride
        self._start = 0  # of the next window
        self._last: int | None = None  # start of the last one
        self.frames = 0

    @property
    def needed(self) -> int:
        """The first frame that a window to come can ask for.

        The last window of a tube is moved back to end on its last frame, almost as far as the one
        before.
        """
        return 0 if self._last is None else self._last + 1

    def grow(self) -> WindowPlace | None:
        """One more frame; the window that it completes."""
        self.frames += 1
        if self.frames < self._start + self._span:
            return None
        start, self._start = self._start, self._start + self._sampler.hop
        return self._place(start, start + self._steps_T)

    def finish(self) -> WindowPlace | None:
        """The tube is over; the window that its last frames still need."""
        if self._last is None:
            if self.frames < max(1, self._shortest):
                return None
            return self._place(0, self._sampler.windows(self.frames)[0])
        if self._last + self._span == self.frames:
            return None
        start = self.frames - self._span
        return self._place(start, start + self._steps_T)

    def _place(self, start: int, indices_T: NDArray[np.int64]) -> WindowPlace:
        begin = 0 if self._last is None else (self._last + start + self._span) // 2
        self._last = start
        return WindowPlace(indices_T, begin)
