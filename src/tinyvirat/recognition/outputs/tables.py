"""Tables for spreadsheets: `actions.csv`, a row an action, and `tubes.csv`, a row a tube.

Spreadsheets run what begins like a formula, and the names in these tables come from elsewhere: a
file's name, a label. Text that begins so gets an apostrophe before it, which a spreadsheet reads as
"this is text" (OWASP, CSV injection). For the names to the letter, read the JSONL files.
"""

from __future__ import annotations

import csv
from pathlib import Path

from tinyvirat.common.words import one_line
from tinyvirat.recognition.events import Action, Event, StreamEnd, StreamHeader, TubeEnd
from tinyvirat.recognition.outputs.files import GrowingFile

Cell = str | int | float | None

ACTION_COLUMNS = (
    "video",
    "tube",
    "type",
    "label",
    "start",
    "stop",
    "start_time",
    "stop_time",
    "score",
    "peak",
)
TUBE_COLUMNS = (
    "video",
    "tube",
    "type",
    "start",
    "stop",
    "start_time",
    "stop_time",
    "labels",
    "top",
    "top_score",
)
# The last four are the wide forms of the first four, which some spreadsheets take for the same.
FORMULA = (
    *"=+-@",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)


class TablesSink:
    """Writes a row for every action and for every tube as it ends.

    Args:
        out: the folder of the two files.
    """

    def __init__(self, out: Path) -> None:
        self._actions = _Table(out / "actions.csv", ACTION_COLUMNS)
        self._tubes = _Table(out / "tubes.csv", TUBE_COLUMNS)

    def begin(self, header: StreamHeader) -> None:
        """Makes the files with their headings."""
        self._actions.open()
        self._tubes.open()

    def take(self, event: Event) -> None:
        """Writes the row of an action or a tube."""
        if isinstance(event, Action):
            row = event.to_json()
            self._actions.add([row[name] for name in ACTION_COLUMNS])
        elif isinstance(event, TubeEnd):
            self._tubes.add(_tube_row(event))

    def end(self, end: StreamEnd) -> None:
        """Gives the files their names."""
        self._actions.file.finish()
        self._tubes.file.finish()

    def abandon(self) -> None:
        """Removes the files."""
        self._actions.file.drop()
        self._tubes.file.drop()


def _tube_row(tube: TubeEnd) -> list[Cell]:
    labels = "|".join(dict.fromkeys(action.label for action in tube.actions))
    top, score = max((tube.scores or {}).items(), key=lambda item: item[1], default=(None, None))
    return [
        tube.video,
        tube.tube,
        tube.type,
        tube.start,
        tube.stop,
        round(tube.start_time, 6),
        round(tube.stop_time, 6),
        labels,
        top,
        None if score is None else round(score, 6),
    ]


class _Table:
    """A CSV file (RFC 4180) that grows row by row."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.file = GrowingFile(path)
        self._columns = columns
        self._writer = csv.writer(self.file, lineterminator="\r\n")

    def open(self) -> None:
        self.file.open()
        self.add(self._columns)

    def add(self, cells: list[Cell] | tuple[Cell, ...]) -> None:
        self._writer.writerow([text_cell(c) if isinstance(c, str) else c for c in cells])


def text_cell(text: str) -> str:
    """Text as a cell: one line, and never a formula.

    Args:
        text: anything.

    Returns:
        The text with control characters made spaces, and an apostrophe before it where the first
        character that is no space could begin a formula.
    """
    line = one_line(text, None)
    return "'" + line if line.lstrip().startswith(FORMULA) else line
