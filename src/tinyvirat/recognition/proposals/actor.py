"""Somebody who is followed, and how far they have gone."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyvirat.recognition.proposals.kalman import BoxFilter
from tinyvirat.recognition.proposals.records import BoxArray


@dataclass(eq=False)
class Actor:
    """Somebody, or something, that is followed. Boxes are in pixels of the mask.

    Attributes:
        number: never used for another.
        filter: where it will be.
        born: the place of the frame it was first seen in.
        last: that of the frame it was last seen in.
        box_4: where it is; in a frame in which it is not seen, where it is expected.
        rest_4: where it was when it last moved.
        moved: the place of the frame of that.
        seen: frames.
        alone: of them, those in which it had its pieces for itself.
        sure: the sum over those of the part of its pixels that cannot be a shadow's.
        steady: the part of the time it is seen, of late.
        apart: frames for which its pieces have been too far from each other.
        clear: the place of the last frame in which it did not lie upon another.
        parted: it came off somebody confirmed.
        confirmed: it is an actor.
        trail: where it was a few times a second, of late, before it was confirmed.
    """

    number: int
    filter: BoxFilter
    born: int
    last: int
    box_4: BoxArray
    rest_4: BoxArray
    moved: int
    seen: int = 1
    alone: int = 1
    sure: float = 0.0
    steady: float = 1.0
    apart: int = 0
    clear: int = 0
    parted: bool = False
    confirmed: bool = False
    trail: deque[BoxArray] = field(default_factory=deque)

    @classmethod
    def new(cls, number: int, place: int, box_4: BoxArray, fps: float) -> Actor:
        """Somebody who is seen for the first time."""
        return cls(number, BoxFilter(box_4, fps), place, place, box_4, box_4, place)

    def see(self, place: int) -> None:
        """Notes that it is seen; the filter has been told where."""
        self.box_4 = self.filter.box_4
        self.last = place
        self.seen += 1


def size_of(box_4: BoxArray) -> float:
    """The side of a square of the same area."""
    return math.sqrt(max(0.0, float((box_4[2] - box_4[0]) * (box_4[3] - box_4[1]))))


def travelled(a_4: BoxArray, b_4: BoxArray) -> float:
    """How far a box has gone, in pixels: as far as both edges have, for growing is not going."""
    away_4 = b_4 - a_4
    near_2 = np.minimum(np.abs(away_4[:2]), np.abs(away_4[2:]))
    return float(np.hypot(*np.where(away_4[:2] * away_4[2:] > 0, near_2, 0.0)))


def straightness(boxes: Sequence[BoxArray]) -> float:
    """The way from the first to the last of some boxes, as a part of the way from each to each."""
    centres_N2 = np.stack([(box_4[:2] + box_4[2:]) / 2 for box_4 in boxes])
    way = float(np.hypot(*np.diff(centres_N2, axis=0).T).sum())
    return float(np.hypot(*(centres_N2[-1] - centres_N2[0]))) / max(way, 1e-6)
