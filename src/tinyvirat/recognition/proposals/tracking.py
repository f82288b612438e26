"""Who a detector's boxes belong to, from frame to frame: one box an actor and frame.

The way of ByteTrack (Zhang et al. 2022): boxes that the detector is sure of are given to actors
first, then the others to actors that are left, so that somebody half hidden is not lost; only sure
boxes begin somebody new. Boxes are compared with a margin (Yang et al., "Hard to track objects with
irregular motions and similar appearances? Make it easier by buffering the matching space", 2023):
an actor of 10 pixels at 10 frames a second is beside its last box, not on it.

It is written here, in half a page on SciPy's assignment, because no library that does it could be
depended on in November 2026. `trackers` 2.6 (Roboflow, Apache 2.0, well kept) demands
`opencv-python`, which overwrites the `opencv-python-headless` of this package and wants the
libraries of a display, and it takes twice as long to import as NumPy and SciPy together; its
`supervision` 0.31 has no tracker of its own any more. The last release of `norfair` is of April
2025, those of `motpy` and `bytetracker` are older. All of them give an actor one box a frame, which
is what motion does not have (`follow`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.proposals.boxes import grown, ious, matched
from tinyvirat.recognition.proposals.kalman import BoxFilter
from tinyvirat.recognition.proposals.keeping import Sighting
from tinyvirat.recognition.proposals.records import Detections
from tinyvirat.recognition.proposals.settings import TrackingSettings, frames_of

NEAR, FAR = 0.3, 0.6
"""The margins of boxes in parts of their sides: at first, and for those that are left."""
OVERLAP = 0.15
"""Intersection over union, with margins; less is somebody else."""
YOUNG_GAP = 0.25
"""Of the longest gap: for so long somebody not confirmed may be out of sight."""
HITS = 0.6
"""Part of its life that somebody new must have been seen."""
MOST_ACTORS = 2000
"""Are followed at once."""

Places = NDArray[np.int64]


@dataclass(eq=False)
class _Followed:
    """An actor: where it is, since when, and what it was taken for, by the sum of the scores."""

    number: int
    filter: BoxFilter
    born: int
    last: int
    score: float
    votes: dict[str, float]
    hits: int = 1
    confirmed: bool = False

    @property
    def type(self) -> str:
        """What it was taken for most."""
        return max(self.votes, key=lambda name: (self.votes[name], name))


class BoxTracker:
    """Follows a detector's boxes.

    Args:
        fps: frames a second.
        settings: scores, gaps, minimum life.
    """

    def __init__(self, fps: float, settings: TrackingSettings) -> None:
        self._fps = fps
        self._settings = settings
        self._gap = frames_of(settings.keeping.longest_gap, fps)
        self._young_gap = frames_of(YOUNG_GAP * settings.keeping.longest_gap, fps, 1)
        self._life = frames_of(settings.keeping.minimum_life, fps, 1)
        self._actors: list[_Followed] = []
        self._place = -1
        self._next = 0

    def follow(self, found: Detections) -> list[Sighting]:
        """Takes the boxes of the next frame; gives the actors that are seen in it."""
        self._place += 1
        for actor in self._actors:
            actor.filter.predict()
        sure_N = found.scores_N >= self._settings.sure
        maybe_N = (found.scores_N >= self._settings.least) & ~sure_N
        left = self._give(found, np.flatnonzero(sure_N), self._actors, NEAR)
        left = self._give(found, left, self._missed(self._gap), FAR)
        self._give(found, np.flatnonzero(maybe_N), self._missed(1), FAR)
        self._begin(found, left)
        self._actors = self._missed(0) + [
            actor
            for actor in self._missed(self._gap)
            if actor.confirmed or self._place - actor.last <= self._young_gap
        ]
        self._actors.sort(key=lambda actor: actor.number)
        return [self._sighting(actor) for actor in self._actors if actor.last == self._place]

    def _missed(self, most: int) -> list[_Followed]:
        """The actors that were last seen 1 to `most` frames ago; for 0, those that are seen."""
        ago = range(1, most + 1) if most else range(1)
        return [actor for actor in self._actors if self._place - actor.last in ago]

    def _give(
        self, found: Detections, which: Places, actors: Sequence[_Followed], margin: float
    ) -> Places:
        """Gives some of the boxes to actors; gives back those that are left."""
        if not len(which) or not actors:
            return which
        expected_M4 = np.stack([actor.filter.box_4 for actor in actors])
        overlap_NM = ious(
            grown(found.boxes_N4[which], margin, 0.0), grown(expected_M4, margin, 0.0)
        )
        pairs = matched(overlap_NM, OVERLAP)
        for n, m in pairs:
            self._take(actors[m], found, int(which[n]))
        return np.delete(which, [n for n, _ in pairs])

    def _take(self, actor: _Followed, found: Detections, n: int) -> None:
        actor.filter.correct(found.boxes_N4[n], np.ones(4))
        actor.last = self._place
        actor.hits += 1
        actor.score = float(found.scores_N[n])
        name = found.types_N[n]
        actor.votes[name] = actor.votes.get(name, 0.0) + actor.score

    def _begin(self, found: Detections, left: Places) -> None:
        for n in left[: MOST_ACTORS - len(self._actors)]:
            score = float(found.scores_N[n])
            filter_ = BoxFilter(found.boxes_N4[n], self._fps)
            votes = {found.types_N[n]: score}
            place = self._place
            self._actors.append(_Followed(self._next, filter_, place, place, score, votes))
            self._next += 1

    def _sighting(self, actor: _Followed) -> Sighting:
        life = self._place - actor.born + 1
        actor.confirmed |= life >= self._life and actor.hits >= HITS * life
        x1, y1, x2, y2 = actor.filter.box_4.tolist()
        return Sighting(actor.number, (x1, y1, x2, y2), actor.confirmed, actor.type, actor.score)
