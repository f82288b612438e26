"""Activities as the ActEV evaluations score them: `activities.json`.

The file follows the schema that NIST's ActEV_Scorer checks systems' output against, with objects
(`actev18_aod_schema.json`), and with it the one without: names of files from a small alphabet, a
localization of its own for the one file, boxes of whole pixels, each with its `presenceConf`.
Frames count from 1; the frame of a 0, and that of an empty box, is the first one after.

An activity is known when it is over, its boxes long before. They wait in a database beside the
file, so that memory holds neither.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from tinyvirat.annotations.actev import whole_pixels
from tinyvirat.common.files import written_beside
from tinyvirat.recognition.events import (
    Action,
    AnsweredFrame,
    Event,
    StreamEnd,
    StreamHeader,
)
from tinyvirat.recognition.outputs.files import OutputError, abandoned, writing
from tinyvirat.recognition.outputs.words import base_name
from tinyvirat.recognition.results import Prediction

NAME = "activities.json"

TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE boxes (tube INTEGER, start INTEGER, stop INTEGER, boxes BLOB);
CREATE INDEX boxes_of_tube ON boxes (tube, start);
CREATE TABLE actions (
    tube INTEGER, type TEXT, label TEXT, start INTEGER, stop INTEGER, score REAL, alert INTEGER
);
"""
Row = tuple[int, str, str, int, int, float, int]


class ActevSink:
    """Writes the activities with the boxes of their actors, by their beginning.

    Args:
        out: the folder of the file.
    """

    def __init__(self, out: Path) -> None:
        self._path = out / NAME
        self._session: ExitStack | None = None
        self._waiting: sqlite3.Connection | None = None
        self._video = ""
        self._last = 0

    def begin(self, header: StreamHeader) -> None:
        """Makes the place where boxes wait."""
        self._video = file_name(header.video)
        with ExitStack() as opening:
            self._waiting = opening.enter_context(_database(self._path))
            self._session = opening.pop_all()

    def take(self, event: Event) -> None:
        """Puts boxes and actions by."""
        if isinstance(event, AnsweredFrame):
            self._last = event.frame.index
        elif isinstance(event, Prediction) and event.boxes is not None:
            boxes = whole_pixels(event.boxes)
            self._put("boxes", event.tube, event.start, event.stop, boxes.tobytes())
        elif isinstance(event, Action):
            alert = max(self._last, event.stop - 1) + 1
            text = [name.encode(errors="replace").decode() for name in (event.type, event.label)]
            self._put(
                "actions", event.tube, *text, event.start, event.stop, float(event.score), alert
            )

    def end(self, end: StreamEnd) -> None:
        """Puts everything together."""
        session, self._session = self._session, None
        if session is None or self._waiting is None:
            return
        with (
            session,
            writing(self._path),
            written_beside(self._path) as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            _write(file, self._video, self._waiting)

    def abandon(self) -> None:
        """Removes what waits."""
        session, self._session = self._session, None
        abandoned(session)

    def _put(self, table: str, *values: object) -> None:
        if self._waiting is None:
            raise ValueError("take comes after begin")
        places = ", ".join("?" * len(values))
        with _spelt(self._path):
            self._waiting.execute(f"INSERT INTO {table} VALUES ({places})", values)


def file_name(video: str) -> str:
    """The name of a source as the schema allows it: letters, digits, `_`, `-` and `.` only."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", base_name(video))


def _write(file: TextIO, video: str, waiting: sqlite3.Connection) -> None:
    """The document, an activity a line."""
    file.write(f'{{"filesProcessed": {json.dumps([video])},\n"activities": [')
    actions = waiting.execute("SELECT * FROM actions ORDER BY start, stop, tube, label")
    separator = "\n"
    row: Row
    for number, row in enumerate(actions, start=1):
        tube, type_, label, start, stop, score, alert = row
        span = {video: {str(start + 1): 1, str(stop + 1): 0}}
        head = {
            "activity": label,
            "activityID": number,
            "presenceConf": round(score, 6),
            "alertFrame": alert,
            "localization": span,
        }
        file.write(f'{separator}{json.dumps(head)[:-1]}, "objects": [')
        steps = _steps(waiting, tube, start, stop, round(score, 6))
        first = next(steps, None)
        if first is not None:
            file.write(
                f'{{"objectType": {json.dumps(type_[:1].upper() + type_[1:])}, '
                f'"objectID": {tube}, "localization": {{{json.dumps(video)}: {{{first}'
            )
            for step in steps:
                file.write(", " + step)
            file.write("}}}")
        file.write("]}")
        separator = ",\n"
    file.write("\n]}\n")


def _steps(
    waiting: sqlite3.Connection, tube: int, start: int, stop: int, score: float
) -> Iterator[str]:
    """The boxes of a tube within a span: a step for each change, and one where there is none."""
    rows = waiting.execute(
        "SELECT start, boxes FROM boxes WHERE tube = ? AND start < ? AND stop > ? ORDER BY start",
        (tube, stop, start),
    )
    last: list[int] | None = None
    due = start
    for first, data in rows:
        boxes_T4 = np.frombuffer(data, np.int32).reshape(-1, 4)[max(0, due - first) : stop - first]
        begin = max(due, first)
        if last is not None and begin > due:
            yield f'"{due + 1}": {{}}'
            last = None
        for frame, box in enumerate(boxes_T4.tolist(), start=begin):
            if box != last:
                sides = '"x": {}, "y": {}, "w": {}, "h": {}'.format(*box)
                yield f'"{frame + 1}": {{"presenceConf": {score}, "boundingBox": {{{sides}}}}}'
            last, due = box, frame + 1
    if last is not None:
        yield f'"{due + 1}": {{}}'


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """A database beside a file, which is gone when the block ends."""
    with ExitStack() as stack:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent)
            )
        with _spelt(path):
            connection = sqlite3.connect(Path(folder) / "waiting.sqlite", isolation_level=None)
            stack.enter_context(closing(connection))
            connection.executescript(TABLES)
            connection.execute("BEGIN")
        yield connection


@contextmanager
def _spelt(path: Path) -> Iterator[None]:
    """A full disk, and whatever else a database may say, as the error of the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(f"{path}: cannot be written: {error}") from error
