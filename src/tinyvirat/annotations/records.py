"""What every annotation format becomes: tracks of boxes, and activities of actors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BoxArray = npt.NDArray[np.float64]
FrameArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Track:
    """One object over time.

    Attributes:
        id: the object's number, unique in its video.
        type: what it is (`person`, `vehicle`, ...), in lower case as far as the format tells.
        frames_T: the frames it is seen in, from 0, strictly increasing.
        boxes_T4: `x1, y1, x2, y2` in pixels of the source, x2 and y2 exclusive, one row a frame.
    """

    id: int
    type: str
    frames_T: FrameArray
    boxes_T4: BoxArray

    def __post_init__(self) -> None:
        if self.boxes_T4.shape != (len(self.frames_T), 4):
            raise ValueError(
                f"track {self.id}: {len(self.frames_T)} frames but boxes of shape "
                f"{self.boxes_T4.shape}; one row of x1, y1, x2, y2 a frame is needed"
            )
        if len(self.frames_T) > 1 and not bool(np.all(np.diff(self.frames_T) > 0)):
            raise ValueError(f"track {self.id}: frames must strictly increase")


@dataclass(frozen=True)
class Activity:
    """Something that one or several objects do for a while.

    Attributes:
        id: the activity's number, unique in its video.
        label: its class, as the format spells it.
        start: the first frame, from 0.
        stop: the frame after the last.
        actors: the ids of the tracks that take part.
    """

    id: int
    label: str
    start: int
    stop: int
    actors: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.stop <= self.start:
            raise ValueError(
                f"activity {self.id} ({self.label}): span [{self.start}, {self.stop}) is empty"
            )
