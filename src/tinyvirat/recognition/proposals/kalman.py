"""Where a box will be: a Kalman filter for a box that moves steadily.

Centre x and y each have a position and a velocity, width and height a value; none depends on
another, so that the filter is a few sums on pairs of numbers. (OpenCV's general one needs six by
six matrices, and its Python side shares their memory with arrays that come and go.) How much a box
may accelerate and how exactly it is seen are in parts of its own size, so that near and far actors
are followed alike. Source: Bewley et al., "Simple online and realtime tracking" (2016), for a
filter on boxes.
"""

from __future__ import annotations

import math

import numpy as np

from tinyvirat.recognition.proposals.records import BoxArray

ACCELERATION = 1.5
"""Sizes a second squared: of somebody who starts to run."""
GROWTH = 0.3
"""Sizes a second: of somebody who bends, turns or comes nearer."""
EXACTNESS = 0.06
"""Sizes: how exactly edges are seen."""
SPEED = 2.0
"""Sizes a second that somebody new may have."""


class BoxFilter:
    """One box over time.

    Args:
        box_4: where it is first seen: `x1, y1, x2, y2`.
        fps: frames a second.
        velocity_2: of its centre in pixels a frame, where that is known.
    """

    def __init__(self, box_4: BoxArray, fps: float, velocity_2: BoxArray | None = None) -> None:
        self._fps = fps
        self._centre_2, self._side_2 = _centred(box_4)
        self.velocity_2 = np.zeros(2) if velocity_2 is None else velocity_2.copy()
        exact = (EXACTNESS * self._size()) ** 2
        # The variances of position and velocity, what they share, and the variance of the size.
        self._pp_2 = np.full(2, exact)
        self._pv_2 = np.zeros(2)
        self._vv_2 = np.full(2, (SPEED * self._size() / fps) ** 2)
        self._ss_2 = np.full(2, exact)

    @property
    def box_4(self) -> BoxArray:
        """Where it is, as far as is known."""
        half_2 = self._side_2 / 2
        return np.concatenate([self._centre_2 - half_2, self._centre_2 + half_2])

    def predict(self) -> BoxArray:
        """Goes on by a frame; gives the box expected there."""
        acceleration = (ACCELERATION * self._size() / self._fps**2) ** 2
        self._centre_2 = self._centre_2 + self.velocity_2
        self._pp_2 = self._pp_2 + 2 * self._pv_2 + self._vv_2 + 0.25 * acceleration
        self._pv_2 = self._pv_2 + self._vv_2 + 0.5 * acceleration
        self._vv_2 = self._vv_2 + acceleration
        self._ss_2 = self._ss_2 + (GROWTH * self._size() / self._fps) ** 2
        return self.box_4

    def correct(self, box_4: BoxArray, doubt_4: BoxArray) -> None:
        """Takes what was seen.

        Args:
            box_4: the box.
            doubt_4: how many times less exactly than usual centre x, centre y, width and height
                are known.
        """
        centre_2, side_2 = _centred(box_4)
        noise_4 = (EXACTNESS * self._size() * doubt_4) ** 2
        gain_2 = self._pp_2 / (self._pp_2 + noise_4[:2])
        pull_2 = self._pv_2 / (self._pp_2 + noise_4[:2])
        off_2 = centre_2 - self._centre_2
        self._centre_2 = self._centre_2 + gain_2 * off_2
        self.velocity_2 = self.velocity_2 + pull_2 * off_2
        self._vv_2 = self._vv_2 - pull_2 * self._pv_2
        self._pv_2 = (1 - gain_2) * self._pv_2
        self._pp_2 = (1 - gain_2) * self._pp_2
        growth_2 = self._ss_2 / (self._ss_2 + noise_4[2:])
        self._side_2 = np.maximum(self._side_2 + growth_2 * (side_2 - self._side_2), 1.0)
        self._ss_2 = (1 - growth_2) * self._ss_2

    def slow(self, part: float) -> None:
        """Takes this part of the velocity away: nothing tells that it is still so."""
        self.velocity_2 = self.velocity_2 * (1.0 - part)

    def _size(self) -> float:
        return max(2.0, math.sqrt(self._side_2[0] * self._side_2[1]))


def _centred(box_4: BoxArray) -> tuple[BoxArray, BoxArray]:
    """Centre and sides."""
    return (box_4[:2] + box_4[2:]) / 2, np.maximum(box_4[2:] - box_4[:2], 1.0)
