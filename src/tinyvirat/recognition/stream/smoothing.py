"""Scores over time: each window's logits averaged with its neighbours'.

Logits, not probabilities, as evaluation averages those of a clip's windows.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

LogitArray = NDArray[np.float64]


class Smoother:
    """Averages windows with their neighbours, as they come.

    The weights fall evenly from the middle: 1, 2, 1 for three windows. Where a neighbour is missing
    at the beginning or the end, the others count for it.

    Args:
        windows: to average over; odd.
    """

    def __init__(self, windows: int) -> None:
        self._reach = windows // 2
        self._around: deque[LogitArray] = deque(maxlen=2 * self._reach + 1)
        self._middle = 0  # the place in `around` of the next to be given

    def add(self, logits_K: LogitArray) -> LogitArray | None:
        """The next window's; gives the smoothed ones of the window `windows // 2` earlier."""
        full = len(self._around) == self._around.maxlen
        self._around.append(logits_K)
        if full:
            self._middle -= 1
        return self._next() if len(self._around) > self._middle + self._reach else None

    def finish(self) -> list[LogitArray]:
        """Those of the windows that are left."""
        return [self._next() for _ in range(len(self._around) - self._middle)]

    def _next(self) -> LogitArray:
        middle, self._middle = self._middle, self._middle + 1
        places = np.arange(len(self._around))
        weights = np.maximum(self._reach + 1 - np.abs(places - middle), 0)
        smoothed_K: LogitArray = np.average(np.stack(self._around), axis=0, weights=weights)
        return smoothed_K
