"""ActEV and MEVA JSON: activities with their objects, for one or many videos in a file.

What the format means, and what is done with it at this border:

- Frames count from 1, here from 0. NIST's file indices run from 1 to the number of frames, and its
  conversion of the VIRAT annotations is one above the KPF it was made from. Some third-party MEVA
  files count from 0 and cannot be told apart: `first_frame=0` reads those.
- A `localization` is a step function: a value holds from the frame that is its key to the next key.
  An activity is on from its 1 to its 0, so that the frame of the 0 is the exclusive end. On several
  times, it becomes several activities.
- A box holds to the next key, `{}` ends it. Where the last box is not ended it holds to the end of
  the activity, or for its one frame when that is past.
- `x, y, w, h` become `x1, y1, x1 + w, y1 + h`.
- An `objectID` is only sure to mean the same object within its activity. Objects of several
  activities become one track when id and type are the same and their boxes agree in every frame
  both have, of which there must be one; otherwise the later gets a track with a free id.
- `presenceConf` and `alertFrame` are about a system's output; they are not kept.

Source: ActEV evaluation plans and schemas (NIST), and NIST's own files for VIRAT and MEVA.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyvirat.annotations.building import (
    MAX_FRAME,
    MAX_ID,
    ActivityBuilder,
    box_reason,
    name_reason,
    normal_type,
)
from tinyvirat.annotations.json_lines import Place, RepeatedKeys, lines_of, read_json
from tinyvirat.annotations.merging import LocalObject, settled
from tinyvirat.annotations.problems import (
    MAX_LISTED,
    AnnotationError,
    Problem,
    ProblemLog,
    shortened,
)
from tinyvirat.annotations.records import Annotations, BoxArray, FrameArray, Track
from tinyvirat.common.files import written_beside

MAX_BOXES = 5_000_000
"""No video has more boxes once steps are written out: 46 hours of one object."""

_VIDEO_SUFFIX = re.compile(r"\.(?:mp4|avi|mkv|mov|mpg|mpeg|m4v|webm|ts|wmv)$", re.IGNORECASE)
_KEY = re.compile(r"[0-9]{1,12}")


class _PlaceError(ValueError):
    """Something in the document that is not as it should be, and where."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def clip_of(video: str) -> str:
    """The name of a video file without folder and suffix, however many dots it has."""
    return _VIDEO_SUFFIX.sub("", video.replace("\\", "/").rpartition("/")[2])


def videos_of(path: Path) -> tuple[str, ...]:
    """The videos that a file speaks of, as it spells them.

    Raises:
        AnnotationError: no JSON, or not of this format.
    """
    return _Document(path).videos


def read_actev(
    path: Path, *, clip: str | None = None, first_frame: int = 1, lenient: bool = False
) -> Annotations:
    """Reads what a file says of one video.

    Args:
        path: the file.
        clip: the video's name without suffix; may be left out when the file has only one.
        first_frame: the number that the file gives the first frame of a video, 1 or 0.
        lenient: skip and count what is not as it should be, instead of raising.

    Raises:
        AnnotationError: no JSON, not of this format, no such video, or (unless lenient) something
            in it is malformed: a key missing, not a number, a size that is not positive, a span
            that does not end, a repeated id or key, more boxes than a video can have.
    """
    document = _Document(path)
    names = {clip_of(video): video for video in document.videos}
    if clip is None and len(names) == 1:
        (clip,) = names
    if clip is None or clip not in names:
        wanted = "one of its videos must be named" if clip is None else f"nothing about {clip!r}"
        listed = ", ".join(sorted(names)[:10]) + (", ..." if len(names) > 10 else "")
        raise AnnotationError(f"{path}: {wanted}; it has {listed or 'none'}")
    return _VideoReader(document, names[clip], first_frame, lenient=lenient).read()


def read_actev_videos(
    path: Path, *, first_frame: int = 1, lenient: bool = False
) -> tuple[Annotations, ...]:
    """Reads a file whole: `read_actev` for each of its videos, in its order."""
    document = _Document(path)
    return tuple(
        _VideoReader(document, video, first_frame, lenient=lenient).read()
        for video in document.videos
    )


class _Document:
    """A decoded file whose outermost form is right."""

    def __init__(self, path: Path) -> None:
        self.path = path
        document, self.text = read_json(path)
        if not isinstance(document, dict) or not isinstance(document.get("activities"), list):
            raise AnnotationError(f'{path}: not ActEV JSON, which is {{"activities": [...], ...}}')
        if isinstance(document, RepeatedKeys):
            raise AnnotationError(f"{path}: a key comes twice at the top of the document")
        self._activities: list[Any] = document["activities"]
        # A list; some third-party MEVA files have the one name by itself.
        named = document.get("filesProcessed", [])
        named = [named] if isinstance(named, str) else named
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            raise AnnotationError(f"{path}: filesProcessed is no list of file names")
        self._of_video: dict[str, list[int]] = {name: [] for name in named}
        self._of_none: list[int] = []
        for number, activity in enumerate(self._activities):
            if isinstance(activity, dict) and isinstance(activity.get("localization"), dict):
                for name in activity["localization"]:
                    self._of_video.setdefault(name, []).append(number)
            else:
                self._of_none.append(number)
        self.videos = tuple(self._of_video)
        (twice, times), *_ = Counter(map(clip_of, self.videos)).most_common(1) or [("", 0)]
        if times > 1:
            raise AnnotationError(f"{path}: {times} of its videos have the same name {twice!r}")

    def activities(self, video: str) -> Iterator[tuple[int, Any]]:
        """The activities of a video, with their numbers, and those that are so of any."""
        for number in sorted([*self._of_video[video], *self._of_none]):
            yield number, self._activities[number]


@dataclass(frozen=True)
class _Claim:
    """An activity as the document has it."""

    id: int
    label: str
    spans: list[tuple[int, int]]
    objects: list[LocalObject]


class _VideoReader:
    """Reads what a document says of one video."""

    def __init__(self, document: _Document, video: str, first_frame: int, *, lenient: bool) -> None:
        self._document = document
        self._video = video
        self._first = first_frame
        self._lenient = lenient
        self._wrong: list[_PlaceError] = []
        self._skipped = 0
        self._boxes = 0

    def read(self) -> Annotations:
        claims: dict[int, _Claim] = {}
        for number, item in self._document.activities(self._video):
            place: Place = ("activities", number)
            try:
                claim = self._activity(item, place)
                if claim.id in claims:
                    raise _PlaceError(place, f"the activity id {claim.id} comes twice")
                claims[claim.id] = claim
            except _PlaceError as wrong:
                self._report(wrong)
        tracks, actors = settled([claim.objects for claim in claims.values()])
        activities = ActivityBuilder()
        log = ProblemLog(lenient=self._lenient)
        for claim, ids in zip(claims.values(), actors, strict=True):
            reason = activities.add(
                claim.id,
                claim.label,
                claim.spans,
                ids,
                path=self._document.path,
                line=None,
            )
            if reason is not None:
                log.add(self._document.path, None, reason)
        return Annotations(
            clip=clip_of(self._video),
            tracks=tracks,
            activities=activities.build({track.id for track in tracks}, log),
            problems=self._problems() + log.listed,
            skipped=self._skipped + log.skipped,
        )

    def _report(self, wrong: _PlaceError) -> None:
        """Raises for what is wrong, or keeps it until all lines are looked up at once."""
        self._skipped += 1
        if len(self._wrong) < MAX_LISTED:
            self._wrong.append(wrong)
        if not self._lenient:
            problem = self._problems()[0]
            ProblemLog(lenient=False).add(problem.path, problem.line, problem.message)

    def _problems(self) -> tuple[Problem, ...]:
        lines = lines_of(self._document.text, [wrong.place for wrong in self._wrong])
        return tuple(
            Problem(self._document.path, lines[wrong.place], str(wrong)) for wrong in self._wrong
        )

    def _activity(self, item: Any, place: Place) -> _Claim:
        members = _mapping(item, place)
        where = _mapping(members.get("localization"), (*place, "localization"))
        label = _name(members.get("activity"), (*place, "activity"))
        activity_id = _id(members.get("activityID"), (*place, "activityID"))
        spans = self._spans(where[self._video], (*place, "localization", self._video))
        items = members.get("objects", [])
        if not isinstance(items, list):
            raise _PlaceError((*place, "objects"), "the objects are no list")
        objects: dict[int, LocalObject] = {}
        for number, below in enumerate(items):
            try:
                found = self._object(below, spans[-1][1], (*place, "objects", number))
                if found.id in objects:
                    raise _PlaceError(
                        (*place, "objects", number),
                        f"the object id {found.id} comes twice in activity {activity_id}",
                    )
                objects[found.id] = found
            except _PlaceError as wrong:
                self._report(wrong)
        return _Claim(activity_id, label, spans, list(objects.values()))

    def _spans(self, steps: Any, place: Place) -> list[tuple[int, int]]:
        """The half-open spans in which a step function of 1 and 0 is 1."""
        spans: list[tuple[int, int]] = []
        start: int | None = None
        for frame, value in self._steps(steps, place):
            if isinstance(value, bool) or value not in (0, 1):
                raise _PlaceError(place, f"the value {shortened(str(value))} is neither 1 nor 0")
            if value == 1 and start is None:
                start = frame
            elif value == 0 and start is not None:
                spans.append((start, frame))
                start = None
        if start is not None:
            raise _PlaceError(
                place,
                f"the span that starts at frame {start + self._first} has no end after it",
            )
        if not spans:
            raise _PlaceError(place, "the activity has no span of frames")
        return spans

    def _object(self, item: Any, stop: int, place: Place) -> LocalObject:
        """One object of an activity that ends before frame `stop`."""
        members = _mapping(item, place)
        object_id = _id(members.get("objectID"), (*place, "objectID"))
        type_ = _name(members.get("objectType"), (*place, "objectType"))
        where = _mapping(members.get("localization"), (*place, "localization"))
        place = (*place, "localization", self._video)
        steps = self._steps(where.get(self._video, {}), place)
        starts, boxes, counts = [], [], []
        for number, (frame, value) in enumerate(steps):
            until = steps[number + 1][0] if number + 1 < len(steps) else max(stop, frame + 1)
            try:
                box = _box(value, (*place, str(frame + self._first)))
            except _PlaceError as wrong:
                self._report(wrong)
                continue
            if box is not None:
                starts.append(frame)
                boxes.append(box)
                counts.append(until - frame)
        self._boxes += sum(counts)
        if self._boxes > MAX_BOXES:
            self._boxes -= sum(counts)
            raise _PlaceError(
                place,
                f"with its {sum(counts)} boxes the video has more than {MAX_BOXES}: "
                "a box that does not end in time?",
            )
        frames_T, boxes_T4 = _written_out(starts, boxes, counts)
        return LocalObject(object_id, normal_type(type_), frames_T, boxes_T4)

    def _steps(self, steps: Any, place: Place) -> list[tuple[int, Any]]:
        """The values of a step function by ascending frame, from 0."""
        found: dict[int, Any] = {}
        for key, value in _mapping(steps, place).items():
            frame = int(key) - self._first if _KEY.fullmatch(key) else -1
            if not 0 <= frame <= MAX_FRAME + 1:
                hint = "; read a file that counts from 0 with first_frame=0" * (key == "0")
                raise _PlaceError(
                    (*place, key),
                    f"{shortened(key, 20)} is no frame from {self._first} to {MAX_FRAME}{hint}",
                )
            if frame in found:
                raise _PlaceError((*place, key), f"the frame {key} comes twice")
            found[frame] = value
        return sorted(found.items())


def _written_out(
    starts: list[int], boxes: list[tuple[float, float, float, float]], counts: list[int]
) -> tuple[FrameArray, BoxArray]:
    """Every frame of some steps, with its box."""
    starts_N = np.array(starts, dtype=np.int64)
    counts_N = np.array(counts, dtype=np.int64)
    boxes_N4 = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    before_N = np.cumsum(counts_N) - counts_N
    within_T = np.arange(counts_N.sum(), dtype=np.int64) - np.repeat(before_N, counts_N)
    return np.repeat(starts_N, counts_N) + within_T, np.repeat(boxes_N4, counts_N, axis=0)


def _spelt(place: Place) -> str:
    """A place as a script would write it: `activities[3].objects[0]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".")


def _mapping(value: Any, place: Place) -> dict[str, Any]:
    if isinstance(value, RepeatedKeys):
        raise _PlaceError(place, "a key of this object comes twice")
    if not isinstance(value, dict):
        raise _PlaceError(place, f"{_spelt(place)} is missing or no JSON object")
    return value


def _name(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise _PlaceError(place, f"{_spelt(place)} is missing or no text")
    reason = name_reason(value)
    if reason is not None:
        raise _PlaceError(place, reason)
    return value


def _id(value: Any, place: Place) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_ID:
        raise _PlaceError(
            place, f"{place[-1]} is {shortened(str(value))}, not a whole number from 0"
        )
    return value


def _box(value: Any, place: Place) -> tuple[float, float, float, float] | None:
    """The corners of a box; `None` for `{}`, the end of one."""
    if not _mapping(value, place):
        return None
    sides = _mapping(value.get("boundingBox"), (*place, "boundingBox"))
    numbers = [sides.get(name) for name in ("x", "y", "w", "h")]
    for number in numbers:
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise _PlaceError(place, f"a boundingBox has numbers x, y, w, h, this one {numbers}")
    try:
        x, y, width, height = (float(number) for number in numbers if number is not None)
    except OverflowError:
        raise _PlaceError(place, "the box has a number beyond all measure") from None
    reason = box_reason(x, y, x + width, y + height)
    if reason is not None:
        raise _PlaceError(place, reason)
    return x, y, x + width, y + height


def write_actev(
    path: Path,
    annotations: Annotations | Iterable[Annotations],
    *,
    suffix: str = ".mp4",
    first_frame: int = 1,
    confidence: Mapping[int, float] | None = None,
) -> None:
    """Writes the activities of one or several videos, an activity a line.

    The file is as NIST's schema for activities with objects (`actev18_aod_schema.json`) has it. A
    track is written with every activity it takes part in; the format has no room for tracks that
    take part in none or have no box, which are left out. Boxes are those of `whole_pixels`, and
    what is read back is these.

    Args:
        path: the file; an old one is replaced.
        annotations: the videos.
        suffix: what is added to a clip's name to make the name of its video file. The schema knows
            names of letters, digits, `_`, `-` and `.`; others are written as they are.
        first_frame: the number of the first frame: 1 as the format demands, or 0.
        confidence: for a system's output, the `presenceConf` of activities by their ids; 1 for
            those left out.

    Raises:
        AnnotationError: a box that is not finite or has no size.
    """
    videos = [annotations] if isinstance(annotations, Annotations) else list(annotations)
    names = json.dumps([video.clip + suffix for video in videos])
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"filesProcessed": {names},\n"activities": [')
        separator = "\n"
        for video in videos:
            for activity in video.activities:
                item = {
                    "activity": activity.label,
                    "activityID": activity.id,
                    "presenceConf": (confidence or {}).get(activity.id, 1),
                    "localization": {
                        video.clip + suffix: {
                            str(activity.start + first_frame): 1,
                            str(activity.stop + first_frame): 0,
                        }
                    },
                    "objects": [
                        _object_item(video.track_of[actor], video.clip + suffix, first_frame, path)
                        for actor in activity.actors
                        if len(video.track_of[actor].frames_T)
                    ],
                }
                file.write(separator + json.dumps(item))
                separator = ",\n"
        file.write("\n]}\n")


def whole_pixels(boxes_T4: ArrayLike) -> NDArray[np.int32]:
    """Boxes as the format has them.

    Args:
        boxes_T4: `x1, y1, x2, y2` each, in pixels.

    Returns:
        `x, y, w, h` each, with the corners at the nearest pixels. A side that would be 0 is the one
        pixel that it begins in.
    """
    exact_T4 = np.asarray(boxes_T4, np.float64).reshape(-1, 4)
    corners_T4 = np.floor(exact_T4 + 0.5)
    start_T2, stop_T2 = corners_T4[:, :2], corners_T4[:, 2:]
    start_T2 = np.where(stop_T2 > start_T2, start_T2, np.floor(exact_T4[:, :2]))
    sides_T2 = np.maximum(1, stop_T2 - start_T2)
    return np.concatenate([start_T2, sides_T2], axis=1).astype(np.int32)


def _object_item(track: Track, name: str, first_frame: int, path: Path) -> dict[str, Any]:
    capital = track.type[:1].upper() + track.type[1:]
    steps: dict[str, Any] = {}
    last: tuple[int, list[int]] | None = None
    frames = track.frames_T.tolist()
    for frame, row in zip(frames, track.boxes_T4.tolist(), strict=True):
        reason = box_reason(*row)
        if reason is not None:
            raise AnnotationError(f"{path}: track {track.id}, frame {frame}: {reason}")
    for frame, row in zip(frames, whole_pixels(track.boxes_T4).tolist(), strict=True):
        if last is not None and frame > last[0] + 1:
            steps[str(last[0] + 1 + first_frame)] = {}
        if last is None or last != (frame - 1, row):
            box = dict(zip("xywh", row, strict=True))
            steps[str(frame + first_frame)] = {"presenceConf": 1, "boundingBox": box}
        last = (frame, row)
    if last is not None:
        steps[str(last[0] + 1 + first_frame)] = {}
    return {
        "objectType": capital if normal_type(capital) == track.type else track.type,
        "objectID": track.id,
        "localization": {name: steps},
    }
