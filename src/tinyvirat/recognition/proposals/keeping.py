"""From what is seen of actors, frame by frame, to the boxes of tubes: late, bridged and smooth.

A frame's boxes are given `lag` frames later. Until then it is known whether an actor that is out
of sight comes back (its boxes are interpolated) or not (its tube ended when it was last seen), and
whether somebody new is an actor at all. Memory is a few numbers an actor and frame of the lag.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tinyvirat.recognition.proposals.records import UNKNOWN, Box, TubeBox, TubeFrame
from tinyvirat.recognition.proposals.settings import KeepingSettings, frames_of


@dataclass(frozen=True, slots=True)
class Sighting:
    """An actor in one frame.

    Attributes:
        actor: its number, given by who follows it; never used for another.
        box: `x1, y1, x2, y2` in pixels of the source, of the picture held still.
        confirmed: whether it is known to be an actor by now.
        type: what it is.
        score: how sure that is.
    """

    actor: int
    box: Box
    confirmed: bool
    type: str = UNKNOWN
    score: float = 1.0


@dataclass(slots=True)
class _Kept:
    """An actor's sightings that are still needed."""

    places: deque[int] = field(default_factory=deque)
    boxes: deque[Box] = field(default_factory=deque)
    type: str = UNKNOWN
    score: float = 1.0
    confirmed: bool = False
    number: int = -1  # of the tube; none while it is not born


@dataclass(frozen=True, slots=True)
class _Place:
    """A frame whose boxes are not given yet."""

    index: int
    time: float
    shift: tuple[float, float]


class TubeKeeper:
    """Keeps what was seen for `lag` frames and gives the tubes' boxes then.

    Args:
        size: width and height of a frame; boxes are cut to it.
        lag: frames; no actor may be out of sight for longer and come back under its number.
        reach: frames before and after that a box is smoothed over.
    """

    def __init__(self, size: tuple[int, int], lag: int, reach: int) -> None:
        self._size = size
        self.lag = lag
        self._reach = min(reach, lag)
        self._waiting: deque[_Place] = deque()
        self._next = 0  # the place of the next frame to come, counted from 0
        self._kept: dict[int, _Kept] = {}
        self._live: dict[int, int] = {}  # the tubes that had a box in the last frame, by actor
        self._born = 0

    def add(
        self,
        index: int,
        time: float,
        seen: Iterable[Sighting],
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> tuple[TubeFrame, ...]:
        """Takes what was seen in a frame; gives the frame of `lag` frames ago, once there is one.

        Args:
            index: the frame's number.
            time: its time in seconds.
            seen: the actors in it.
            shift: what must be added to boxes to come to the picture as it is.
        """
        for one in seen:
            kept = self._kept.setdefault(one.actor, _Kept())
            kept.places.append(self._next)
            kept.boxes.append(one.box)
            kept.type, kept.score = one.type, one.score
            kept.confirmed |= one.confirmed
        self._waiting.append(_Place(index, time, shift))
        self._next += 1
        return (self._give(),) if len(self._waiting) > self.lag else ()

    def finish(self) -> tuple[TubeFrame, ...]:
        """Gives the frames that are left."""
        return tuple(self._give() for _ in range(len(self._waiting)))

    def _give(self) -> TubeFrame:
        place = self._next - len(self._waiting)
        frame = self._waiting.popleft()
        boxes, live, born = [], {}, []
        for actor, kept in self._kept.items():
            if not kept.confirmed or not kept.places[0] <= place <= kept.places[-1]:
                continue
            box = self._inside(self._smoothed(kept, place), frame.shift)
            if box is None:
                continue
            if kept.number < 0 or actor not in self._live:
                kept.number = self._born
                self._born += 1
                born.append(kept.number)
            live[actor] = kept.number
            seen = place in kept.places
            boxes.append(
                TubeBox(kept.number, box, kept.type, round(kept.score, 4), seen, kept.number)
            )
        ended = sorted(number for actor, number in self._live.items() if actor not in live)
        self._live = live
        self._forget(place)
        boxes.sort(key=lambda box: box.tube)
        return TubeFrame(frame.index, frame.time, tuple(boxes), tuple(born), tuple(ended))

    def _smoothed(self, kept: _Kept, place: int) -> Box:
        """The mean of the middle half of the boxes around `place`, edge by edge.

        As many frames before as after, so that a steady motion stays as it is; the middle half, so
        that a box that was far off in a few frames has no part in it.
        """
        reach = min(self._reach, place - kept.places[0], kept.places[-1] - place)
        around_T = np.arange(place - reach, place + reach + 1)
        places, boxes_T4 = np.array(kept.places), np.array(kept.boxes)
        edges = [np.sort(np.interp(around_T, places, boxes_T4[:, edge])) for edge in range(4)]
        cut = len(around_T) // 4
        x1, y1, x2, y2 = (float(edge[cut : len(edge) - cut].mean()) for edge in edges)
        return x1, y1, x2, y2

    def _inside(self, box: Box, shift: tuple[float, float]) -> Box | None:
        """A box in the picture as it is, cut to it; `None` where less than a pixel is left."""
        width, height = self._size
        x1, x2 = (min(max(x + shift[0], 0.0), width) for x in box[::2])
        y1, y2 = (min(max(y + shift[1], 0.0), height) for y in box[1::2])
        return (x1, y1, x2, y2) if x2 - x1 >= 1.0 and y2 - y1 >= 1.0 else None

    def _forget(self, place: int) -> None:
        """Lets go of what no later frame needs."""
        for kept in self._kept.values():
            while len(kept.places) > 1 and kept.places[1] <= place - self._reach:
                kept.places.popleft()
                kept.boxes.popleft()
        # An actor out of sight since before the lag has ended, or was none.
        gone = [actor for actor, kept in self._kept.items() if kept.places[-1] <= place]
        for actor in gone:
            del self._kept[actor]


def lag_of(keeping: KeepingSettings, fps: float) -> int:
    """The frames that a keeper must wait for gaps to be bridged and actors to be confirmed."""
    return max(frames_of(keeping.longest_gap, fps), frames_of(keeping.minimum_life, fps), 1)
