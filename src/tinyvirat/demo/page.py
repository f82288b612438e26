"""The page a demonstration leaves: one HTML file with its pictures in it, nothing from outside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from tinyvirat import __version__
from tinyvirat.common.files import write_text
from tinyvirat.demo.outcome import NOTE, Outcome
from tinyvirat.evaluation.significance import Interval
from tinyvirat.evaluation.tables import NOTHING, Cell, Column, Table

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2126; background: #fff;
  max-width: 1040px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
.note { background: #fff4d6; border-left: 4px solid #d99a00; padding: .5rem .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: right; border-bottom: 1px solid #dde1e5;
  vertical-align: bottom; }
th.text, td.text { text-align: left; }
ul { color: #4a535c; font-size: .88rem; padding-left: 1.1rem; }
img { max-width: 100%; height: auto; display: block; } figure { margin: 0; }
summary { cursor: pointer; margin-top: 2rem; }
figcaption { color: #4a535c; font-size: .88rem; margin-top: .4rem; }
"""


def write_page(
    path: Path, outcome: Outcome, strip: Path, recognised: Path, curves: Sequence[Path]
) -> None:
    """Writes the page.

    Args:
        path: the HTML file.
        outcome: what was found.
        strip: the picture of unseen clips.
        recognised: the picture of the recognised clip.
        curves: pictures of the trainings; those that do not exist are left out.
    """
    recognition, *others = outcome.tables()
    clips = ", ".join(f"{count} {split}" for split, count in outcome.clips.items())
    parts = [
        "<h1>tinyvirat: a demonstration</h1>",
        f"<p>Seed {outcome.seed}; rendered clips: {clips}; version {escape(__version__)}; "
        f"trained in {_format(outcome.precision)}; {outcome.seconds:.0f} s this time.</p>",
        f'<p class="note">{NOTE} The people and vehicles are drawings. What is shown is that '
        "the parts work together; whoever wins, wins on drawings.</p>",
        _table(recognition),
        "<h2>Unseen clips</h2>",
        _figure(
            strip,
            "Tiny clips of the test split, evenly spread over it, at the middle of their window. "
            "The truth is the same moment drawn large; the network never saw it.",
        ),
        *map(_table, others),
        "<h2>One clip through the recogniser</h2>",
        _recognised(outcome),
        _figure(recognised, "The same clip over time: what came in, and what the network made."),
        "<details><summary>How the trainings went</summary>",
        *(_figure(one, f"{one.parent.name}: every value of the training") for one in curves),
        "</details>",
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    write_text(
        path,
        f'<!doctype html>\n<html lang="en"><head>{head}<title>tinyvirat: a demonstration</title>'
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n",
    )


def _recognised(outcome: Outcome) -> str:
    one = outcome.recognised
    rows = tuple(
        (label, score, "yes" if label in one.truth else "", "yes" if label in one.labels else "")
        for label, score in one.scores.items()
    )
    columns = (Column("label"), Column("probability", "number"), Column("true"), Column("named"))
    title = f"{one.clip}, the first of the test split"
    return _table(Table(title, columns, rows, (NOTE,)), heading="h3")


def _figure(picture: Path, caption: str) -> str:
    """A picture inside the page; nothing where there is none."""
    if not picture.is_file():
        return ""
    data = base64.b64encode(picture.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _table(table: Table, heading: str = "h2") -> str:
    head = "".join(f"<th{_kind(c)}>{escape(c.name)}</th>" for c in table.columns)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_kind(column)}>{escape(_shown(cell, column))}</td>"
            for cell, column in zip(row, table.columns, strict=True)
        )
        + "</tr>\n"
        for row in table.rows
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    return (
        f"<{heading}>{escape(table.title)}</{heading}>\n"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>\n<ul>{notes}</ul>"
    )


def _kind(column: Column) -> str:
    return ' class="text"' if column.kind == "text" else ""


def _shown(cell: Cell, column: Column) -> str:
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Interval):
        point = _shown(cell.point, column)
        if cell.low is None or cell.high is None:
            return point
        return f"{point} [{_shown(cell.low, column)}, {_shown(cell.high, column)}]"
    if column.kind == "count":
        return f"{cell:,}"
    return f"{100 * cell if column.kind == 'percent' else cell:.{column.decimals}f}"


def _format(precision: str) -> str:
    """A number format as the page calls it."""
    return {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}.get(
        precision, escape(precision)
    )
