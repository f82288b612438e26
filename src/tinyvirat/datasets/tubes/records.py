"""What the construction makes of annotations: tubes, and the clips that are to be cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BoxArray = NDArray[np.float64]
WindowArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tube:
    """What one or several actors do together, without a gap, in one video.

    Attributes:
        video: the source video's name without folder and suffix.
        start: its first frame in the source video, from 0.
        labels: what is done all the while; sorted, each once.
        boxes_T4: the smallest box around its actors in each frame: `x1, y1, x2, y2` in pixels of
            the source, x2 and y2 exclusive.
        tracks: the ids of its actors' tracks, ascending.
        activities: the ids of the annotated activities it is made of, ascending.
    """

    video: str
    start: int
    labels: tuple[str, ...]
    boxes_T4: BoxArray
    tracks: tuple[int, ...]
    activities: tuple[int, ...]

    @property
    def stop(self) -> int:
        """The frame after its last."""
        return self.start + len(self.boxes_T4)


@dataclass(frozen=True)
class Span:
    """What would be a tube if anybody had said where it is.

    Attributes:
        video: the source video's name without folder and suffix.
        start: its first frame in the source video, from 0.
        stop: the frame after its last.
        labels: what is done all the while; sorted, each once.
        tracks: the ids of its actors' tracks, ascending.
        activities: the ids of the annotated activities it is made of, ascending.
    """

    video: str
    start: int
    stop: int
    labels: tuple[str, ...]
    tracks: tuple[int, ...]
    activities: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PlannedClip:
    """A clip that is to be cut out of a source video.

    Attributes:
        id: names it; unique in the data set and the same whenever the same plan is made.
        tube: what it shows; frame t of the clip is frame `tube.start + t` of the source.
        windows_T4: the square cut out of each frame: `x1, y1, x2, y2`, whole pixels of the source,
            x2 and y2 exclusive, all of the same even side. It may leave the frame.
        split: `train`, `val` or `test`.
    """

    id: str
    tube: Tube
    windows_T4: WindowArray
    split: str

    @property
    def side(self) -> int:
        """The side of its windows in pixels."""
        return int(self.windows_T4[0, 2] - self.windows_T4[0, 0])
