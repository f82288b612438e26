"""Which objects of several activities are one and the same.

In ActEV JSON every activity brings its own copy of its objects, and the numbers of the objects are
only sure to mean the same within one activity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from tinyvirat.annotations.records import BoxArray, FrameArray, Track


@dataclass(frozen=True, eq=False)
class LocalObject:
    """An object as one activity has it.

    Attributes:
        id: its number, unique in its activity.
        type: what it is.
        frames_T: the frames it is seen in, strictly increasing.
        boxes_T4: `x1, y1, x2, y2`, one row a frame.
    """

    id: int
    type: str
    frames_T: FrameArray
    boxes_T4: BoxArray

    def agrees(self, other: LocalObject) -> bool:
        """Whether the two are sure to be one: of one type, with the same boxes where they meet.

        They must meet in one frame at least, or both have no box at all.
        """
        if self.type != other.type:
            return False
        if not (len(self.frames_T) and len(other.frames_T)):
            return len(self.frames_T) == len(other.frames_T)
        _, mine, theirs = np.intersect1d(
            self.frames_T, other.frames_T, assume_unique=True, return_indices=True
        )
        return len(mine) > 0 and np.array_equal(self.boxes_T4[mine], other.boxes_T4[theirs])

    def joined(self, other: LocalObject) -> LocalObject:
        """The frames of both, of two objects that agree."""
        frames_T = np.concatenate([self.frames_T, other.frames_T])
        boxes_T4 = np.concatenate([self.boxes_T4, other.boxes_T4])
        frames_T, first = np.unique(frames_T, return_index=True)
        return LocalObject(self.id, self.type, frames_T, boxes_T4[first])


def settled(
    activities: Sequence[Sequence[LocalObject]],
) -> tuple[tuple[Track, ...], list[list[int]]]:
    """Makes tracks of the objects of some activities.

    Objects with the same number that agree become one track. Of those that do not, the first keeps
    the number and each other gets the lowest that no object has.

    Args:
        activities: the objects of each activity.

    Returns:
        The tracks by ascending id, and for each activity the ids of its objects' tracks.
    """
    taken = {item.id for objects in activities for item in objects}
    free = (number for number in count() if number not in taken)
    tracks: dict[int, LocalObject] = {}
    known_as: dict[int, list[int]] = {}  # the tracks that go by an object's number
    actors: list[list[int]] = []
    for objects in activities:
        actors.append([])
        for item in objects:
            same = known_as.setdefault(item.id, [])
            track_id = next((each for each in same if tracks[each].agrees(item)), None)
            if track_id is None:
                track_id = next(free) if same else item.id
                same.append(track_id)
                tracks[track_id] = item
            else:
                tracks[track_id] = tracks[track_id].joined(item)
            actors[-1].append(track_id)
    built = tuple(
        Track(track_id, item.type, item.frames_T, item.boxes_T4)
        for track_id, item in sorted(tracks.items())
    )
    return built, actors
