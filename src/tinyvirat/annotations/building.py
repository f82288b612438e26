"""Tracks and activities as they grow while a file is read, with the checks all formats share.

A method that cannot take what it is given returns the reason in words and changes nothing; the
reader, which knows the file and the line, reports it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from tinyvirat.annotations.problems import ProblemLog, shortened
from tinyvirat.annotations.records import Activity, Annotations, Track

MAX_FRAME = 100_000_000
"""No frame number is higher: 38 days at 30 frames a second."""
MAX_PIXEL = 100_000
"""No coordinate is farther from 0."""
MAX_ID = 2**63 - 1
"""No id is higher; MEVA numbers its objects at random up to here."""
MAX_TRACKS = 100_000
"""No video has more objects."""

MAX_NAME = 200
"""No label and no type has more characters."""

_NO_TYPE = frozenset({"", "null", "none", "~"})


def normal_type(name: str) -> str:
    """An object type in lower case, without space around it; any null is `unknown`."""
    lower = name.strip().lower()
    return "unknown" if lower in _NO_TYPE else lower


def name_reason(name: str) -> str | None:
    """Why this is no name of a class or a type, or `None` when it is one."""
    if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        return f"{shortened(name)} is no name; one has 1 to {MAX_NAME} printable characters"
    return None


def box_reason(x1: float, y1: float, x2: float, y2: float) -> str | None:
    """Why this is no box of pixels, or `None` when it is one."""
    corners = (x1, y1, x2, y2)
    if not all(math.isfinite(value) for value in corners):
        return f"the box {corners} is not finite"
    if max(map(abs, corners)) > MAX_PIXEL:
        return f"the box {corners} lies beyond {MAX_PIXEL} pixels"
    if x2 <= x1 or y2 <= y1:
        return f"the box {corners} has width {x2 - x1:g} and height {y2 - y1:g}; both must be > 0"
    return None


def span_reason(start: int, stop: int) -> str | None:
    """Why `[start, stop)` is no span of frames, or `None` when it is one."""
    if start < 0 or stop - 1 > MAX_FRAME:
        return f"the span from frame {start} to {stop - 1} is outside 0 to {MAX_FRAME}"
    if stop <= start:
        return f"the span is reversed: it starts at frame {start} and ends at {stop - 1}"
    return None


class _GrowingTrack:
    """The boxes of one object; arrays of machine numbers, 40 bytes a box."""

    __slots__ = ("boxes", "frames", "last", "type")

    def __init__(self) -> None:
        self.type = "unknown"
        self.last = -1
        self.frames = array("q")
        self.boxes = array("d")


class TrackBuilder:
    """Collects boxes into tracks, whatever the order of the objects in the file."""

    def __init__(self) -> None:
        self._tracks: dict[int, _GrowingTrack] = {}
        self._declared: set[int] = set()

    def __contains__(self, track_id: int) -> bool:
        return track_id in self._tracks

    def __len__(self) -> int:
        return len(self._tracks)

    def type_of(self, track_id: int) -> str:
        """The type of a track that is already there."""
        return self._tracks[track_id].type

    def declare(self, track_id: int, type_: str) -> str | None:
        """Says what an object is; once for each object."""
        if track_id in self._declared:
            return f"the object {track_id} is described a second time"
        type_ = normal_type(type_)
        reason = name_reason(type_)
        if reason is not None:
            return reason
        track = self._tracks.get(track_id)
        if track is None:
            reason = self._new_reason(track_id)
            if reason is not None:
                return reason
            track = self._tracks[track_id] = _GrowingTrack()
        track.type = type_
        self._declared.add(track_id)
        return None

    def add_box(
        self, track_id: int, frame: int, x1: float, y1: float, x2: float, y2: float
    ) -> str | None:
        """Adds the box of one object in one frame, later than all its boxes so far."""
        track = self._tracks.get(track_id)
        last = -1 if track is None else track.last
        if not (
            last < frame <= MAX_FRAME
            and -MAX_PIXEL <= x1 < x2 <= MAX_PIXEL
            and -MAX_PIXEL <= y1 < y2 <= MAX_PIXEL
        ):
            return self._box_reason(track_id, last, frame, (x1, y1, x2, y2))
        if track is None:
            reason = self._new_reason(track_id)
            if reason is not None:
                return reason
            track = self._tracks[track_id] = _GrowingTrack()
        track.last = frame
        track.frames.append(frame)
        track.boxes.extend((x1, y1, x2, y2))
        return None

    def build(self) -> tuple[Track, ...]:
        """The tracks by ascending id; their arrays take over the memory of this builder."""
        return tuple(
            Track(
                id=track_id,
                type=track.type,
                frames_T=np.frombuffer(track.frames, dtype=np.int64),
                boxes_T4=np.frombuffer(track.boxes, dtype=np.float64).reshape(-1, 4),
            )
            for track_id, track in sorted(self._tracks.items())
        )

    def _new_reason(self, track_id: int) -> str | None:
        if not 0 <= track_id <= MAX_ID:
            return f"the object id {track_id} is outside 0 to {MAX_ID}"
        if len(self._tracks) >= MAX_TRACKS:
            return f"the object {track_id} is one more than the {MAX_TRACKS} that a video may have"
        return None

    @staticmethod
    def _box_reason(
        track_id: int, last: int, frame: int, box: tuple[float, float, float, float]
    ) -> str:
        if not 0 <= frame <= MAX_FRAME:
            return f"the frame {frame} is outside 0 to {MAX_FRAME}"
        if frame == last:
            return f"the object {track_id} has a second box in frame {frame}"
        if frame < last:
            return (
                f"the frames of object {track_id} go back from {last} to {frame}; "
                "they must increase"
            )
        return box_reason(*box) or f"the box {box} cannot be used"


@dataclass(frozen=True)
class _Claim:
    label: str
    spans: tuple[tuple[int, int], ...]
    actors: tuple[int, ...]
    path: Path
    line: int | None


class ActivityBuilder:
    """Collects activities; their actors are checked when all files of the video are read."""

    def __init__(self) -> None:
        self._claims: dict[int, _Claim] = {}

    def add(
        self,
        activity_id: int,
        label: str,
        spans: Iterable[tuple[int, int]],
        actors: Iterable[int],
        *,
        path: Path,
        line: int | None,
    ) -> str | None:
        """Adds one activity with its half-open spans of frames.

        Args:
            activity_id: its number, not given before.
            label: its class.
            spans: when it happens; each further span becomes an activity of its own, with the
                lowest id that is free, for an `Activity` has one span.
            actors: the ids of its objects; repeated ones count once.
            path: the file, for a later report of an unknown actor.
            line: and its line.
        """
        spans = tuple(spans)
        if activity_id in self._claims:
            return f"the activity id {activity_id} appears a second time"
        if not 0 <= activity_id <= MAX_ID:
            return f"the activity id {activity_id} is outside 0 to {MAX_ID}"
        reason = name_reason(label)
        if reason is not None:
            return reason
        if not spans:
            return f"the activity {activity_id} ({label}) has no span of frames"
        for start, stop in spans:
            reason = span_reason(start, stop)
            if reason is not None:
                return reason
        self._claims[activity_id] = _Claim(label, spans, tuple(dict.fromkeys(actors)), path, line)
        return None

    def actors(self) -> set[int]:
        """Every actor of every activity."""
        return {actor for claim in self._claims.values() for actor in claim.actors}

    def build(self, known: Collection[int], log: ProblemLog) -> tuple[Activity, ...]:
        """The activities by ascending id, without those that have an actor not in `known`.

        Raises:
            AnnotationError: an actor is unknown and `log` is not lenient.
        """
        built: list[Activity] = []
        free = (number for number in count() if number not in self._claims)
        for activity_id, claim in sorted(self._claims.items()):
            unknown = [actor for actor in claim.actors if actor not in known]
            if unknown:
                log.add(
                    claim.path,
                    claim.line,
                    f"the activity {activity_id} ({claim.label}) has the actor {unknown[0]}, "
                    "which is no object of this video",
                )
                continue
            number = activity_id
            for start, stop in claim.spans:
                built.append(Activity(number, claim.label, start, stop, claim.actors))
                number = next(free)
        return tuple(sorted(built, key=lambda activity: activity.id))


def assembled(
    clip: str, tracks: TrackBuilder, activities: ActivityBuilder, log: ProblemLog
) -> Annotations:
    """All of one video, once its files are read.

    Raises:
        AnnotationError: an actor is unknown and `log` is not lenient.
    """
    built = tracks.build()
    # The activities come first: checking their actors may add to the log.
    done = activities.build({track.id for track in built}, log)
    return Annotations(clip, built, done, log.listed, log.skipped)
