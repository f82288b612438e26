"""Tables as plain data, and their three forms: text for a terminal, Markdown, JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tinyvirat.common.words import printable
from tinyvirat.evaluation.significance import Interval

Cell = str | int | float | Interval | None
Kind = Literal["text", "count", "number", "percent"]
NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: its heading.
        kind: `text` is set left; `count` (whole), `number` and `percent` (a share, shown times 100)
            are set right.
        decimals: how many are shown of a `number` or `percent`.
        signed: a `number` or `percent` has its sign shown, above zero too.
    """

    name: str
    kind: Kind = "text"
    decimals: int = 2
    signed: bool = False


@dataclass(frozen=True)
class Table:
    """What a table says.

    Attributes:
        title: one line.
        columns: its columns.
        rows: one cell a column; None is shown as `-`, an `Interval` as `point [low, high]`.
        notes: what a reader has to know, one line each.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells for {len(self.columns)} columns: {row!r}")


def as_text(table: Table) -> str:
    """The table in aligned columns for a terminal, ending in a line break."""
    grid = [[column.name for column in table.columns], *_shown(table)]
    widths = [max(len(row[c]) for row in grid) for c in range(len(table.columns))]
    grid.insert(1, ["-" * width for width in widths])
    lines = [printable(table.title), ""]
    for row in grid:
        cells = (
            cell.ljust(width) if column.kind == "text" else cell.rjust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    if table.notes:
        lines += ["", *map(printable, table.notes)]
    return "\n".join(lines) + "\n"


def as_markdown(table: Table) -> str:
    """The table in GitHub's Markdown under a bold title, ending in a line break."""
    head = [_escaped(column.name) for column in table.columns]
    rule = ["---" if column.kind == "text" else "---:" for column in table.columns]
    grid = [head, rule, *([_escaped(cell) for cell in row] for row in _shown(table))]
    lines = [f"**{_escaped(table.title)}**", ""]
    lines += ["| " + " | ".join(row) + " |" for row in grid]
    if table.notes:
        lines += ["", *(f"- {_escaped(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def to_json(result: Any) -> str:
    """A table, or any result dataclass of this room, as indented JSON without NaN or infinity.

    Raises:
        ValueError: a field holds NaN or infinity.
    """
    return json.dumps(asdict(result), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _shown(table: Table) -> list[list[str]]:
    return [
        [_cell(cell, column) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]


def _cell(cell: Cell, column: Column) -> str:
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return printable(" ".join(cell.split()))  # a label with a line break would break the table
    if isinstance(cell, Interval):
        point = _number(cell.point, column)
        if cell.low is None or cell.high is None:
            return point
        return f"{point} [{_number(cell.low, column)}, {_number(cell.high, column)}]"
    return _number(cell, column)


def _number(value: float, column: Column) -> str:
    if column.kind == "count" or column.kind == "text":
        return f"{value:d}" if isinstance(value, int) else f"{value:g}"
    shown = 100.0 * value if column.kind == "percent" else value
    return f"{shown:{'+' if column.signed else ''}.{column.decimals}f}"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: no cell ended early, no HTML."""
    for mark, instead in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "\\`"), ("*", "\\*")):
        text = text.replace(mark, instead)
    return text
