"""VIRAT Ground 2.0 text annotations: objects, events and the mapping between them.

What the format means, and what is done with it at this border:

- `<clip>.viratdata.objects.txt`, eight columns: object id, duration, frame, left, top, width,
  height, type. Frames count from 0, as here; width and height become the exclusive corner x2, y2.
  An object may pause; its duration (from its first to its last frame, pauses included) is not used.
- `<clip>.viratdata.mapping.txt`: event id, event type, duration, first frame, last frame, number of
  objects, then a flag for each object, whose position is the object's id. The last frame is part
  of the event, so that the span here is `[first, last + 1)`.
- `<clip>.viratdata.events.txt`, ten columns: event id, event type, duration, first frame, last
  frame, frame, left, top, width, height. Its boxes were drawn for the event and are not those of
  its objects; they are checked, and not kept. Without a mapping its events have no actors.

Types and events are numbers in the files and the words of `OBJECT_TYPES` and `EVENT_NAMES` here.
Lines may end with a space and a carriage return. Source: the data set's release notes, checked
against 30 clips of release 2.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyvirat.annotations.building import (
    ActivityBuilder,
    TrackBuilder,
    assembled,
    box_reason,
    span_reason,
)
from tinyvirat.annotations.problems import AnnotationError, ProblemLog, shortened
from tinyvirat.annotations.records import Activity, Annotations, BoxArray, Track
from tinyvirat.common.files import inside, written_beside

OBJECT_TYPES = ("unknown", "person", "car", "vehicle", "object", "bike")
"""The types by their numbers, from 0."""

EVENT_NAMES = {
    1: "load",
    2: "unload",
    3: "open trunk",
    4: "close trunk",
    5: "get into vehicle",
    6: "get out of vehicle",
    7: "gesture",
    8: "dig",
    9: "carry",
    10: "run",
    11: "enter facility",
    12: "exit facility",
}
"""The twelve events by their numbers."""

MAX_LINE = 1 << 16
"""No line of these files has more characters."""
MAX_FLAGS = 20_000
"""The writer gives no object an id from here on: a line of flags would outgrow `MAX_LINE`."""

_INTEGER = r"(-?[0-9]{1,19})"
_OBJECT = re.compile(r"[ \t]+".join([_INTEGER] * 8))
_EVENT = re.compile(r"[ \t]+".join([_INTEGER] * 10))
_HEAD = re.compile(r"[ \t]+".join([_INTEGER] * 6))
_FLAGS = re.compile(r"(?:[ \t]+[01])*")


@dataclass(frozen=True)
class _Event:
    """What the columns of the mapping and of the events file have in common."""

    type: int
    duration: int
    start: int
    end: int

    def __str__(self) -> str:
        return f"of type {self.type}, frames {self.start} to {self.end}, duration {self.duration}"

    def reason(self) -> str | None:
        """Why this is no event, or `None`."""
        if self.type not in EVENT_NAMES:
            return f"the event type {self.type} is none of 1 to 12"
        reason = span_reason(self.start, self.end + 1)
        if reason is None and self.duration != self.end - self.start + 1:
            reason = (
                f"the duration {self.duration} does not fit frames {self.start} to {self.end}, "
                f"which are {self.end - self.start + 1}"
            )
        return reason


def read_virat(
    *,
    clip: str,
    objects: Path | None = None,
    mapping: Path | None = None,
    events: Path | None = None,
    lenient: bool = False,
) -> Annotations:
    """Reads the text files of one clip; any of them may be missing.

    Args:
        clip: the video's name, for the result.
        objects: the objects file. Without it the actors are tracks without boxes.
        mapping: the mapping file. Without it the events have no actors.
        events: the events file. Beside a mapping it is only checked against it.
        lenient: skip and count lines that are not as they should be, instead of raising.

    Returns:
        Tracks, and activities labelled by `EVENT_NAMES`.

    Raises:
        AnnotationError: a file cannot be read, or (unless lenient) a line is malformed: too short,
            too long, not whole numbers, a size that is not positive, a reversed span, a second
            box in a frame, frames that go back, an unknown object, a repeated id, a type changed
            halfway, or events that contradict the mapping.
    """
    log = ProblemLog(lenient=lenient)
    tracks = TrackBuilder()
    activities = ActivityBuilder()
    if objects is not None:
        _read_objects(objects, tracks, log)
    mapped: dict[int, _Event] | None = None
    if mapping is not None:
        mapped = _read_mapping(mapping, activities, log)
    if events is not None:
        for event_id, (event, line) in _read_events(events, mapped, log).items():
            if mapped is None:
                _claim(activities, event_id, event, (), events, line, log)
    if objects is None:
        for actor in sorted(activities.actors()):
            tracks.declare(actor, "unknown")
    return assembled(clip, tracks, activities, log)


def write_virat(folder: Path, annotations: Annotations) -> tuple[Path, Path, Path]:
    """Writes the three text files of one clip.

    Boxes become whole pixels, never smaller than they were. The boxes of an event are the smallest
    that hold those of its actors, in the frames that have any.

    Args:
        folder: where to; it is made when absent.
        annotations: tracks of `OBJECT_TYPES`, each with a box, and activities of `EVENT_NAMES`.

    Returns:
        The paths of the objects, mapping and events file.

    Raises:
        AnnotationError: a type, a label, an id or a box that the format cannot hold.
    """
    clip = annotations.clip
    names = ("objects", "mapping", "events")
    paths = [inside(folder, f"{clip}.viratdata.{name}.txt", where=f"clip {clip}") for name in names]
    flags = max((track.id for track in annotations.tracks), default=-1) + 1
    if flags > MAX_FLAGS:
        raise AnnotationError(
            f"{paths[0]}: the object id {flags - 1} is too high for VIRAT text, which writes a "
            f"flag for every id; number the objects from 0 (up to {MAX_FLAGS - 1})"
        )
    boxes = {track.id: _whole_boxes(track, paths[0]) for track in annotations.tracks}
    _write_lines(paths[0], _object_lines(annotations.tracks, boxes, paths[0]))
    _write_lines(paths[1], _mapping_lines(annotations.activities, flags, paths[1]))
    _write_lines(paths[2], _event_lines(annotations, boxes, paths[2]))
    return paths[0], paths[1], paths[2]


def _lines(path: Path, log: ProblemLog) -> Iterator[tuple[int, str]]:
    """The numbered lines of a file without space at their ends; empty ones are left out."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
            number = 0
            while text := file.readline(MAX_LINE):
                number += 1
                if len(text) == MAX_LINE and not text.endswith("\n"):
                    while (rest := file.readline(MAX_LINE)) and not rest.endswith("\n"):
                        pass
                    log.add(path, number, f"the line is longer than {MAX_LINE} characters")
                elif text := text.strip():
                    yield number, text
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read: {error.strerror or error}") from error


def _columns_reason(text: str, columns: int, *, at_least: bool = False) -> str:
    """Why a line that does not match its pattern is not one of its file."""
    fields = text.split()
    if len(fields) < columns or (len(fields) > columns and not at_least):
        wanted = f"{columns} or more" if at_least else str(columns)
        return f"{len(fields)} columns where there should be {wanted}: {shortened(text)}"
    wrong = [field for field in fields[:columns] if not re.fullmatch(_INTEGER, field)]
    if wrong:
        return f"{shortened(wrong[0], 20)} is not a whole number: {shortened(text)}"
    return f"a flag is neither 0 nor 1: {shortened(text)}"


def _read_objects(path: Path, tracks: TrackBuilder, log: ProblemLog) -> None:
    for line, text in _lines(path, log):
        match = _OBJECT.fullmatch(text)
        if match is None:
            log.add(path, line, _columns_reason(text, 8))
            continue
        track_id, _, frame, x, y, width, height, type_ = map(int, match.groups())
        if not 0 <= type_ < len(OBJECT_TYPES):
            reason: str | None = f"the object type {type_} is none of 0 to {len(OBJECT_TYPES) - 1}"
        elif track_id in tracks and tracks.type_of(track_id) != OBJECT_TYPES[type_]:
            reason = (
                f"the object {track_id} was a {tracks.type_of(track_id)} and is now "
                f"a {OBJECT_TYPES[type_]}"
            )
        else:
            new = track_id not in tracks
            reason = tracks.add_box(track_id, frame, x, y, x + width, y + height)
            if new and reason is None:
                reason = tracks.declare(track_id, OBJECT_TYPES[type_])
        if reason is not None:
            log.add(path, line, reason)


def _read_mapping(path: Path, activities: ActivityBuilder, log: ProblemLog) -> dict[int, _Event]:
    """Adds the events to `activities`, and gives them by their ids."""
    mapped: dict[int, _Event] = {}
    for line, text in _lines(path, log):
        head = _HEAD.match(text)
        flags = _FLAGS.fullmatch(text, head.end()) if head else None
        if head is None or flags is None:
            log.add(path, line, _columns_reason(text, 6, at_least=True))
            continue
        event_id, *columns, actors_count = map(int, head.groups())
        actors = [number for number, flag in enumerate(flags.group().split()) if flag == "1"]
        event = _Event(*columns)
        if len(actors) != actors_count:
            log.add(
                path, line, f"{actors_count} objects are announced and {len(actors)} are flagged"
            )
        elif _claim(activities, event_id, event, actors, path, line, log):
            mapped[event_id] = event
    return mapped


def _claim(
    activities: ActivityBuilder,
    event_id: int,
    event: _Event,
    actors: Iterable[int],
    path: Path,
    line: int,
    log: ProblemLog,
) -> bool:
    """Adds one event to the activities; says whether it could be."""
    reason = event.reason()
    if reason is None:
        span = (event.start, event.end + 1)
        label = EVENT_NAMES[event.type]
        reason = activities.add(event_id, label, [span], actors, path=path, line=line)
    if reason is not None:
        log.add(path, line, reason)
    return reason is None


def _read_events(
    path: Path, mapped: dict[int, _Event] | None, log: ProblemLog
) -> dict[int, tuple[_Event, int]]:
    """The events with the first line of each; every line is checked, each event reported once."""
    found: dict[int, tuple[_Event, int]] = {}
    last: dict[int, int] = {}
    refused: set[int] = set()
    for line, text in _lines(path, log):
        match = _EVENT.fullmatch(text)
        if match is None:
            log.add(path, line, _columns_reason(text, 10))
            continue
        event_id, *columns, frame, x, y, width, height = map(int, match.groups())
        if event_id in refused:
            continue
        event = _Event(*columns)
        if event_id not in found:
            reason = event.reason() or _contradiction(event_id, event, mapped)
            if reason is not None:
                refused.add(event_id)
                log.add(path, line, reason)
                continue
            found[event_id] = (event, line)
        reason = box_reason(x, y, x + width, y + height)
        if found[event_id][0] != event:
            reason = f"the event {event_id} was described otherwise in line {found[event_id][1]}"
        elif not event.start <= frame <= event.end:
            reason = f"the frame {frame} is outside the event, {event.start} to {event.end}"
        elif frame <= last.get(event_id, -1):
            reason = f"the frames of event {event_id} go from {last[event_id]} to {frame}"
        if reason is None:
            last[event_id] = frame
        else:
            log.add(path, line, reason)
    return found


def _contradiction(event_id: int, event: _Event, mapped: dict[int, _Event] | None) -> str | None:
    if mapped is None:
        return None
    if event_id not in mapped:
        return f"the event {event_id} is not in the mapping, so that its actors are unknown"
    if mapped[event_id] != event:
        return f"the event {event_id} is {event}, but {mapped[event_id]} in the mapping"
    return None


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(lines)


def _whole_boxes(track: Track, path: Path) -> dict[int, tuple[int, int, int, int]]:
    """The boxes of a track by frame, grown to whole pixels."""
    boxes = {}
    for frame, row in zip(track.frames_T.tolist(), track.boxes_T4.tolist(), strict=True):
        reason = box_reason(*row)
        if reason is not None:
            raise AnnotationError(f"{path}: track {track.id}, frame {frame}: {reason}")
        x1, y1, x2, y2 = row
        boxes[frame] = (math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2))
    return boxes


def _object_lines(
    tracks: Iterable[Track], boxes: dict[int, dict[int, tuple[int, int, int, int]]], path: Path
) -> Iterator[str]:
    for track in tracks:
        if track.type not in OBJECT_TYPES:
            raise AnnotationError(
                f"{path}: track {track.id} is a {track.type!r}, and VIRAT text knows only "
                f"{', '.join(OBJECT_TYPES)}"
            )
        if not boxes[track.id]:
            raise AnnotationError(
                f"{path}: track {track.id} has no box, which VIRAT text cannot say"
            )
        type_ = OBJECT_TYPES.index(track.type)
        duration = int(track.frames_T[-1] - track.frames_T[0]) + 1
        for frame, (x1, y1, x2, y2) in boxes[track.id].items():
            yield f"{track.id} {duration} {frame} {x1} {y1} {x2 - x1} {y2 - y1} {type_}\n"


def _event_columns(activity: Activity, path: Path) -> str:
    """The first five columns of the mapping and the events file."""
    numbers = [number for number, name in EVENT_NAMES.items() if name == activity.label]
    if not numbers:
        raise AnnotationError(
            f"{path}: activity {activity.id} is {activity.label!r}, and VIRAT text knows only "
            f"{', '.join(EVENT_NAMES.values())}"
        )
    duration = activity.stop - activity.start
    return f"{activity.id} {numbers[0]} {duration} {activity.start} {activity.stop - 1}"


def _mapping_lines(activities: Iterable[Activity], flags: int, path: Path) -> Iterator[str]:
    for activity in activities:
        actors = set(activity.actors)
        row = " ".join("1" if number in actors else "0" for number in range(flags))
        yield f"{_event_columns(activity, path)} {len(actors)}  {row}\n"


def _event_lines(
    annotations: Annotations,
    boxes: dict[int, dict[int, tuple[int, int, int, int]]],
    path: Path,
) -> Iterator[str]:
    for activity in annotations.activities:
        columns = _event_columns(activity, path)
        for frame in _frames_seen(activity, annotations):
            seen: BoxArray = np.array(
                [boxes[actor][frame] for actor in activity.actors if frame in boxes[actor]]
            )
            x1, y1 = seen[:, :2].min(axis=0).tolist()
            x2, y2 = seen[:, 2:].max(axis=0).tolist()
            yield f"{columns} {frame} {x1} {y1} {x2 - x1} {y2 - y1}\n"


def _frames_seen(activity: Activity, annotations: Annotations) -> list[int]:
    """The frames of an activity in which any of its actors has a box."""
    frames: set[int] = set()
    for actor in activity.actors:
        frames_T = annotations.track_of[actor].frames_T
        inside_span = (frames_T >= activity.start) & (frames_T < activity.stop)
        frames.update(frames_T[inside_span].tolist())
    return sorted(frames)
