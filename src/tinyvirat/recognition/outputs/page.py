"""The report as HTML: one file that needs no network, nor any other file unless the video is large.

Names of files, labels and types come from elsewhere: all are escaped, and a policy in the page lets
no script run but its own, whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from tinyvirat import __version__
from tinyvirat.common.words import counted, one_line
from tinyvirat.recognition.events import StreamEnd, StreamHeader
from tinyvirat.recognition.outputs.cards import Shown, card, timeline
from tinyvirat.recognition.outputs.collecting import TubeRow, seconds_of_labels
from tinyvirat.recognition.outputs.colours import colours_of
from tinyvirat.recognition.outputs.words import base_name, clock, source_name

LARGEST_EMBEDDED = 32 * 2**20
"""Bytes of a video that is put into the page; larger ones stay beside it."""

PIECE = 3 * 2**18
MOST_LABELS = 40


@dataclass(frozen=True)
class Report:
    """What the page shows.

    Attributes:
        header: of the stream.
        end: of the stream.
        rows: the tubes that are shown, by their beginning.
        tubes: how many there were.
        actions: how many there were.
        strips: pictures (WebP or JPEG) by the number of the tube.
        times: of the first and the last frame; None without a frame.
        video: the annotated video, if there is one.
    """

    header: StreamHeader
    end: StreamEnd
    rows: tuple[TubeRow, ...]
    tubes: int
    actions: int
    strips: dict[int, bytes]
    times: tuple[float, float] | None
    video: Path | None


def parts_of(report: Report) -> Iterator[str]:
    """The page, piece by piece."""
    shown = _shown(report)
    script = _text("report.js")
    name = escape(one_line(base_name(report.header.video), 120))
    source = escape(one_line(source_name(report.header.video), 300))
    yield _head(name, script)
    yield f"<main>\n<h1>{name}</h1>\n"
    yield f'<p class="soft source">{source}</p>\n'
    yield _notices(report)
    yield _facts(report, shown)
    yield from _watch(report, shown)
    yield timeline(shown)
    yield _heading(report)
    yield '<div class="tubes">\n'
    for row in report.rows:
        yield card(row, shown, report.strips.get(row.tube.tube))
    yield f"</div>\n<footer>Written by tinyvirat {escape(__version__)}.</footer>\n</main>\n"
    yield f'<script type="application/json" id="data">{_data(shown)}</script>\n'
    yield f"<script>{script}</script>\n</body></html>\n"


def inlined(value: object) -> str:
    """JSON that may stand inside a `<script>`: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _shown(report: Report) -> Shown:
    rows = report.rows
    first, last = report.times or (0.0, 0.0)
    frame = 1.0 / float(report.header.fps) if report.header.fps > 0 else 0.0
    stop = max([last + frame, *(row.tube.stop_time for row in rows)])
    colours = colours_of(seconds_of_labels(list(rows)))
    return Shown(
        rows=rows,
        first=first,
        seconds=max(stop - first, 1e-3),
        size=(report.header.width, report.header.height),
        numbers={label: number for number, label in enumerate(colours)},
        colours=colours,
    )


def _head(title: str, script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        "default-src 'none'; img-src data:; media-src data: 'self' file:; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{title} - tinyvirat</title>\n<style>{_text('report.css')}</style></head>\n<body>\n"
    )


def _notices(report: Report) -> str:
    said = []
    if report.end.interrupted:
        said.append("Stopped by hand before the source ended: what follows is of the part before.")
    if not any(row.actions for row in report.rows):
        why = (
            "no tube was found: nothing was seen to move, or nothing was marked."
            if not report.tubes
            else "none of the labels reached its threshold in any tube."
        )
        said.append(f"Nothing recognised: {why}")
    return "".join(f'<p class="notice">{text}</p>\n' for text in said)


def _facts(report: Report, shown: Shown) -> str:
    header, end = report.header, report.end
    length = shown.seconds if report.times else 0.0
    speed = f"{length / end.seconds:.2g} x as fast as the video" if end.seconds > 0 else ""
    lost = [f"{end.dropped:,} dropped"] if end.dropped else []
    lost += [counted(end.reconnects, "reconnection")] if end.reconnects else []
    facts = [
        ("length", clock(length), ", ".join([counted(end.frames, "frame"), *lost])),
        (
            "picture",
            f"{header.width} x {header.height}",
            f"{float(header.fps):.5g} frames a second",
        ),
        ("tubes", f"{end.tubes:,}", counted(report.actions, "action")),
        ("time taken", f"{end.seconds:.1f} s", speed),
        (
            "model",
            one_line(header.model, 60),
            f"{counted(len(header.labels), 'label')}; {counted(end.windows, 'window')}",
        ),
    ]
    items = "".join(
        f"<div><dt>{name}</dt><dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
        for name, value, more in facts
    )
    return f'<dl class="facts card">{items}</dl>\n' + _cost(end)


def _cost(end: StreamEnd) -> str:
    """Where the time went: a bar and its key."""
    stages = {name: seconds for name, seconds in end.stages.items() if seconds > 0}
    if not stages:
        return ""
    bar, key = [], []
    for number, (name, seconds) in enumerate(stages.items()):
        colour = f"color-mix(in srgb, var(--accent) {max(12, 100 - 22 * number)}%, var(--line))"
        bar.append(f'<i style="flex:{seconds:.6g};--c:{colour}"></i>')
        each = f", {1000 * seconds / end.frames:.1f} ms a frame" if end.frames else ""
        key.append(f'<li style="--c:{colour}">{escape(name)} {seconds:.1f} s{each}</li>')
    if sum(stages.values()) > end.seconds:
        key.append('<li style="--c:transparent">(side by side)</li>')
    return f'<div class="cost">{"".join(bar)}</div>\n<ul class="key">{"".join(key)}</ul>\n'


def _watch(report: Report, shown: Shown) -> Iterator[str]:
    """The video with what holds at the moment, and the labels to choose from."""
    if report.video is None and not shown.numbers:
        return
    yield f'<div class="watch{" alone" if report.video is None else ""}">\n'
    if report.video is not None:
        yield '<div><video controls muted playsinline preload="auto" src="'
        size = report.video.stat().st_size
        if size <= LARGEST_EMBEDDED:
            yield "data:video/mp4;base64,"
            yield from _base64(report.video)
            yield '"></video>'
        else:
            name = report.video.name
            yield f'{escape(quote(name))}"></video>\n<p class="soft">The video is too large for '
            yield f"this page ({size / 2**20:.0f} MiB): keep {escape(name)} beside it.</p>"
        yield "</div>\n"
    yield '<div class="side card">'
    if report.video is not None:
        yield '<h2>Now</h2>\n<ul class="now"></ul>\n'
    yield _labels(shown) + "</div>\n</div>\n"


def _labels(shown: Shown) -> str:
    if not shown.numbers:
        return ""
    held = Counter(label for row in shown.rows for label in {a.label for a in row.actions})
    buttons = "".join(
        f'<button class="label" aria-pressed="false" data-label="{number}" '
        f'style="--c:{shown.colours[label]}">{escape(one_line(label))} '
        f"<b>{held[label]}</b></button>"
        for label, number in list(shown.numbers.items())[:MOST_LABELS]
    )
    more = len(shown.numbers) - MOST_LABELS
    rest = f'<span class="soft">and {counted(more, "rarer one")}</span>' if more > 0 else ""
    heading = "<h2>Labels <small>choose to filter</small></h2>"
    return f'{heading}\n<div class="labels">{buttons}{rest}</div>'


def _heading(report: Report) -> str:
    left = report.tubes - len(report.rows)
    more = f"; and {left:,} more, scored lower, in tubes.csv" if left > 0 else ""
    return f'<h2>Tubes <small><span id="count">{len(report.rows)}</span>{more}</small></h2>\n'


def _data(shown: Shown) -> str:
    actions = [
        [
            round(action.start_time - shown.first, 3),
            round(action.stop_time - shown.first, 3),
            action.tube,
            shown.numbers[action.label],
        ]
        for row in shown.rows
        for action in row.actions
    ]
    return inlined(
        {
            "seconds": round(shown.seconds, 3),
            "labels": [one_line(label) for label in shown.numbers],
            "colours": [shown.colours[label] for label in shown.numbers],
            "actions": sorted(actions),
        }
    )


def _base64(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield base64.b64encode(piece).decode("ascii")


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
