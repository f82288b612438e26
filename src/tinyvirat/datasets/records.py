"""One clip's record, and everything that must hold for it on its own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from tinyvirat.common.errors import TinyviratError

Window: TypeAlias = tuple[int, int, int, int]

SPLITS = ("train", "val", "test")
# Far above anything real; they keep a wrong number from asking for all memory.
MOST_FRAMES = 100_000_000
LARGEST_TRACK = 2**53
LARGEST_SIDE = 32_768
# A window may be larger than the frame it surrounds, but not absurdly so.
LARGEST_WINDOW = 4
FPS = re.compile(r"([1-9]\d{0,8})(?:/([1-9]\d{0,8}))?|\d{1,5}\.\d{1,6}")


class ManifestError(TinyviratError):
    """A manifest, or a clip's record, that cannot be used as it is."""


@dataclass(frozen=True)
class ClipRecord:
    """One clip: a file, or a span of it, or a square cut along that span.

    Attributes:
        id: names the clip; unique in its manifest.
        path: the video file, relative, with forward slashes. The numbers below are this file's:
            where a clip was cut out and saved as a file of its own, where it was cut from belongs
            in `extra`, not in `start`, `stop` and `windows`.
        frames: frames of the file as it decodes.
        height: of its frames, pixels, after rotation.
        width: of its frames, pixels, after rotation.
        fps: frames a second, on average.
        labels: the classes it shows; none where they are not known.
        split: `train`, `val` or `test`.
        source: the video or group it comes from.
        start: the first frame of the clip in the file; `None` is 0.
        stop: the frame after its last; `None` is `frames`.
        windows: square boxes `x1, y1, x2, y2` in pixels of the file, x2 and y2 exclusive; one for
            the whole clip or one for each of its frames. `None` is the whole frame.
        tracks: numbers of the tracks it shows.
        extra: anything else, as JSON values.

    Raises:
        ManifestError: a value that cannot be.
    """

    id: str
    path: str
    frames: int
    height: int
    width: int
    fps: Fraction
    labels: tuple[str, ...]
    split: str
    source: str
    start: int | None = None
    stop: int | None = None
    windows: tuple[Window, ...] | None = None
    tracks: tuple[int, ...] | None = None
    extra: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("id", "path", "source"):
            _check_text(name, getattr(self, name))
        _check_path(self.path)
        _check_whole("frames", self.frames, 1, MOST_FRAMES)
        _check_whole("height", self.height, 1, LARGEST_SIDE)
        _check_whole("width", self.width, 1, LARGEST_SIDE)
        if not isinstance(self.fps, Fraction) or not FPS.fullmatch(str(self.fps)):
            raise ManifestError(f"fps is {self.fps!r}; it must be a fraction above 0")
        check_split(self.split)
        for name in ("labels", "windows", "tracks"):
            if not isinstance(getattr(self, name), tuple | None):
                raise ManifestError(f"{name} is {getattr(self, name)!r}; it must be a tuple")
        for label in self.labels:
            check_label(label)
        if len(set(self.labels)) < len(self.labels):
            raise ManifestError(f"labels are {list(self.labels)}; give each of them once")
        self._check_span()
        if self.windows is not None:
            self._check_windows(self.windows)
        if self.tracks is not None:
            _check_whole("the number of tracks", len(self.tracks), 1, MOST_FRAMES)
            for track in self.tracks:
                _check_whole("tracks", track, 0, LARGEST_TRACK)

    @property
    def span(self) -> tuple[int, int]:
        """The first frame of the clip in its file and the one after its last."""
        return (
            0 if self.start is None else self.start,
            self.frames if self.stop is None else self.stop,
        )

    @property
    def length(self) -> int:
        """Frames of the clip."""
        start, stop = self.span
        return stop - start

    def _check_span(self) -> None:
        if self.start is not None:
            _check_whole("start", self.start, 0, MOST_FRAMES)
        if self.stop is not None:
            _check_whole("stop", self.stop, 0, MOST_FRAMES)
        start, stop = self.span
        if not start < stop <= self.frames:
            raise ManifestError(
                f"the span [{start}, {stop}) is empty or leaves the file's {self.frames} frames; "
                f"start must be below stop, and stop at most {self.frames}"
            )

    def _check_windows(self, windows: tuple[Window, ...]) -> None:
        if len(windows) not in (1, self.length):
            raise ManifestError(
                f"{len(windows)} windows for a clip of {self.length} frames; "
                "give one for all, or one a frame"
            )
        largest = LARGEST_WINDOW * max(self.height, self.width)
        for window in windows:
            if len(window) != 4 or any(type(edge) is not int for edge in window):
                raise ManifestError(
                    f"the window {list(window)} is not four whole numbers x1, y1, x2, y2; "
                    "round the edges to whole pixels"
                )
            x1, y1, x2, y2 = window
            if x2 - x1 != y2 - y1 or not 1 <= x2 - x1 <= largest:
                raise ManifestError(
                    f"the window {list(window)} (x1, y1, x2, y2) must be a square with a side from "
                    f"1 to {largest} pixels"
                )
            if x1 >= self.width or y1 >= self.height or x2 <= 0 or y2 <= 0:
                raise ManifestError(
                    f"the window {list(window)} lies wholly outside the frame of "
                    f"{self.width} x {self.height} pixels"
                )


COLUMNS = tuple(column.name for column in fields(ClipRecord))
REQUIRED = COLUMNS[: COLUMNS.index("start")]


def record_from_row(row: Mapping[str, Any]) -> ClipRecord:
    """The record of a manifest's row, given as JSON values.

    Raises:
        ManifestError: a column missing or unknown, a value of the wrong type or out of range.
    """
    for name in row:
        if name not in COLUMNS:
            raise ManifestError(
                f"the column {name!r} is unknown{suggestion(name, COLUMNS)}; the columns are "
                f"{', '.join(COLUMNS)}, and extra holds anything else"
            )
    for name in REQUIRED:
        if row.get(name) is None:
            raise ManifestError(
                f"{name} is missing; every row needs {', '.join(REQUIRED)} "
                "(an empty list of labels where they are not known)"
            )
    windows = _optional_list("windows", row.get("windows"))
    tracks = _optional_list("tracks", row.get("tracks"))
    extra = row.get("extra")
    if extra is not None and not isinstance(extra, Mapping):
        raise ManifestError(f'extra is {extra!r}; it must be an object such as {{"camera": 3}}')
    return ClipRecord(
        id=row["id"],
        path=row["path"],
        frames=row["frames"],
        height=row["height"],
        width=row["width"],
        fps=_fps(row["fps"]),
        labels=tuple(_list("labels", row["labels"])),
        split=row["split"],
        source=row["source"],
        start=row.get("start"),
        stop=row.get("stop"),
        windows=None if windows is None else tuple(tuple(_list("windows", w)) for w in windows),
        tracks=None if tracks is None else tuple(tracks),
        extra=dict(extra or {}),
    )


def row_from_record(record: ClipRecord) -> dict[str, object]:
    """A record as a manifest's row of JSON values, without the optional columns it does not use."""
    row: dict[str, object] = {name: getattr(record, name) for name in COLUMNS}
    row["fps"] = str(record.fps)
    row["labels"] = list(record.labels)
    row["windows"] = None if record.windows is None else [list(w) for w in record.windows]
    row["tracks"] = None if record.tracks is None else list(record.tracks)
    row["extra"] = dict(record.extra) or None
    return {name: value for name, value in row.items() if value is not None}


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest of `known`, or nothing when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def check_split(split: object) -> None:
    """Raises `ManifestError` unless `split` is one of the three."""
    if split not in SPLITS:
        near = suggestion(split, SPLITS) if isinstance(split, str) else ""
        raise ManifestError(f"the split {split!r} is unknown{near}; use {', '.join(SPLITS)}")


def check_label(label: object) -> None:
    """Raises `ManifestError` unless `label` is text that every format can hold."""
    _check_text("a label", label)
    if "|" in str(label):
        raise ManifestError(f"the label {label!r} holds '|', which joins labels in CSV; rename it")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ManifestError(f"{name} is {value!r}; it must be text of printable characters")


def _check_path(path: str) -> None:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise ManifestError(
            f"the path {path!r} leaves its folder; give it relative to the manifest, without '..'"
        )


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ManifestError(
            f"{name} is {value!r}; it must be a whole number from {least} to {most}"
        )


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ManifestError(f"{name} is {value!r}; it must be a list")
    return value


def _optional_list(name: str, value: object) -> list[Any] | None:
    if value is None:
        return None
    if not _list(name, value):
        raise ManifestError(f"{name} is an empty list; leave the column out")
    return _list(name, value)


def _fps(value: object) -> Fraction:
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not FPS.fullmatch(text) or Fraction(text) <= 0:
        raise ManifestError(
            f'fps is {value!r}; write it as a fraction in text, such as "30000/1001" or "25"'
        )
    return Fraction(text)
