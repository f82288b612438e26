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

MOST_COMPARED = 20
"""With so many tracks of its number an object is compared, the latest; a bound on the time that
thousands of activities take which all number their objects from 1."""


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
        mine, theirs = _shared(self.frames_T, other.frames_T)
        boxes_M4 = self.boxes_T4[mine]
        return len(boxes_M4) > 0 and np.array_equal(boxes_M4, other.boxes_T4[theirs])

    def joined(self, other: LocalObject) -> LocalObject:
        """The frames of both, of two objects that agree."""
        mine, _ = _shared(self.frames_T, other.frames_T)
        if len(self.frames_T[mine]) == len(other.frames_T):
            return self
        frames_T = np.concatenate([self.frames_T, other.frames_T])
        boxes_T4 = np.concatenate([self.boxes_T4, other.boxes_T4])
        frames_T, first = np.unique(frames_T, return_index=True)
        return LocalObject(self.id, self.type, frames_T, boxes_T4[first])


def _shared(
    one_T: FrameArray, other_T: FrameArray
) -> tuple[slice | FrameArray, slice | FrameArray]:
    """Where in each of two increasing rows of frames those are that both have."""
    if not (len(one_T) and len(other_T)):
        return slice(0, 0), slice(0, 0)
    first, last = max(one_T[0], other_T[0]), min(one_T[-1], other_T[-1])
    if last < first:
        return slice(0, 0), slice(0, 0)
    if all(row_T[-1] - row_T[0] + 1 == len(row_T) for row_T in (one_T, other_T)):
        # Without pauses, which is how objects mostly are, there is nothing to search.
        return (
            slice(first - one_T[0], last - one_T[0] + 1),
            slice(first - other_T[0], last - other_T[0] + 1),
        )
    _, one, other = np.intersect1d(one_T, other_T, assume_unique=True, return_indices=True)
    return one, other


def settled(
    activities: Sequence[Sequence[LocalObject]],
) -> tuple[tuple[Track, ...], list[list[int]]]:
    """Makes tracks of the objects of some activities.

    Objects with the same number that agree become one track (of more than `MOST_COMPARED` with one
    number, the latest are looked at). Of those that do not, the first keeps the number and each
    other gets the lowest that no object has.

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
            candidates = (each for each in same[-MOST_COMPARED:] if tracks[each].agrees(item))
            track_id = next(candidates, None)
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
