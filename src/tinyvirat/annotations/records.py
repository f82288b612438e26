"""What every annotation format becomes: tracks of boxes, and activities of actors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tinyvirat.annotations.problems import Problem

BoxArray = npt.NDArray[np.float64]
FrameArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Track:
    """One object over time.

    Attributes:
        id: the object's number, unique in its video.
        type: what it is (`person`, `vehicle`, ...), in lower case as far as the format tells.
        frames_T: the frames it is seen in, from 0, strictly increasing; none for an object that
            the annotation names but never locates.
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


@dataclass(frozen=True, eq=False)
class Annotations:
    """Everything that is known of one video.

    Attributes:
        clip: the video's name without folder and suffix.
        tracks: its objects, by ascending id. An object may be named and never located (KPF files
            without geometry): its track has no frames.
        activities: what they do, by ascending id. Every actor is the id of one of `tracks`.
        problems: what a lenient reader skipped, in words (a thousand at most).
        skipped: how many records it skipped.
    """

    clip: str
    tracks: tuple[Track, ...]
    activities: tuple[Activity, ...]
    problems: tuple[Problem, ...] = ()
    skipped: int = 0

    def __post_init__(self) -> None:
        if len(self.track_of) != len(self.tracks):
            raise ValueError(f"{self.clip}: two tracks have the same id")
        if len({activity.id for activity in self.activities}) != len(self.activities):
            raise ValueError(f"{self.clip}: two activities have the same id")
        for activity in self.activities:
            unknown = [actor for actor in activity.actors if actor not in self.track_of]
            if unknown:
                raise ValueError(
                    f"{self.clip}: activity {activity.id} ({activity.label}) has the actor "
                    f"{unknown[0]}, which is no track"
                )

    @cached_property
    def track_of(self) -> dict[int, Track]:
        """The tracks by their ids."""
        return {track.id: track for track in self.tracks}
