"""The parts of the report that repeat: a card for each tube, and its place in the timeline."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from tinyvirat.common.words import one_line
from tinyvirat.recognition.events import Action, TubeEnd
from tinyvirat.recognition.outputs.collecting import TubeRow, lanes_of
from tinyvirat.recognition.outputs.colours import OTHER
from tinyvirat.recognition.outputs.words import clock
from tinyvirat.recognition.proposals.records import UNKNOWN

MOST_CHIPS = 40
LANE, AXIS = 14, 18
"""Height of a lane of the timeline and of its axis, pixels."""

STEPS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
MOST_TICKS = 11


@dataclass(frozen=True)
class Shown:
    """What all parts of the page need.

    Attributes:
        rows: the tubes.
        first: the time of the first frame, at which the video begins.
        seconds: length of the video.
        size: width and height of a frame.
        numbers: of the labels that were found.
        colours: of them.
    """

    rows: tuple[TubeRow, ...]
    first: float
    seconds: float
    size: tuple[int, int]
    numbers: Mapping[str, int]
    colours: Mapping[str, str]

    def at(self, time: float) -> str:
        """A time of the source as a place in the video, in seconds."""
        return f"{max(0.0, time - self.first):.3f}"

    def across(self, time: float) -> float:
        """A time of the source as a part of the timeline's width, in percent."""
        return min(100.0, max(0.0, 100.0 * (time - self.first) / self.seconds))


def timeline(shown: Shown) -> str:
    """All tubes over time; those that do not overlap share a lane. Nothing where there are none."""
    if not shown.rows:
        return ""
    lanes = _packed(shown)
    height = AXIS + LANE * (1 + max(lanes)) + 4
    parts = [f'<svg height="{height}" role="img" aria-label="all tubes over time">']
    for number, (x, text) in enumerate(_ticks(shown)):
        anchor = "start" if x < 3 else "end" if x > 97 else "middle"
        odd = ' class="odd"' if number % 2 else ""
        parts.append(
            f'<line class="grid" x1="{x:.3f}%" x2="{x:.3f}%" y1="{AXIS}" y2="{height}"/>'
            f'<text{odd} x="{x:.3f}%" y="11" text-anchor="{anchor}">{text}</text>'
        )
    for row, lane in zip(shown.rows, lanes, strict=True):
        parts.append(_bars(row, shown, AXIS + LANE * lane))
    parts.append(f'<line id="head" x1="0" x2="0" y1="{AXIS - 4}" y2="{height}"/></svg>')
    return f'<div class="timeline card">{"".join(parts)}</div>\n'


def card(row: TubeRow, shown: Shown, strip: bytes | None) -> str:
    """One tube.

    Args:
        row: the tube and what it does.
        shown: the rest of the page.
        strip: its picture, WebP or JPEG.
    """
    tube = row.tube
    number = tube.tube
    span = f"{clock(tube.start_time)} - {clock(tube.stop_time)}"
    type_ = "" if tube.type == UNKNOWN else escape(one_line(tube.type)) + ", "
    return (
        f'<article class="tube card" id="tube-{number}" data-tube="{number}" '
        f'data-labels="{_numbers(row, shown)}">\n'
        f"<header><h3>Tube {number}</h3>"
        f'<span class="soft">{type_}frames {tube.start} to {tube.stop - 1}</span>'
        f'<button class="seek" data-tube="{number}" data-time="{shown.at(tube.start_time)}">'
        f"{span}</button></header>\n"
        f"{_chips(row, shown)}\n"
        f'<div class="inside"><div>{_scores(tube, shown)}{_way(tube, shown.size)}</div>'
        f'<div class="scroll">{_picture(tube, strip)}</div></div>\n</article>\n'
    )


def _packed(shown: Shown) -> list[int]:
    """A lane for each tube, with a little room between two in one lane."""
    gap = 0.004 * shown.seconds
    ends: list[float] = []
    lanes = []
    for row in shown.rows:
        free = next((k for k, end in enumerate(ends) if end <= row.tube.start_time), len(ends))
        if free == len(ends):
            ends.append(0.0)
        ends[free] = row.tube.stop_time + gap
        lanes.append(free)
    return lanes


def _ticks(shown: Shown) -> list[tuple[float, str]]:
    """Places in percent, and the times to write there."""
    step = next((s for s in STEPS if shown.seconds / s <= MOST_TICKS), STEPS[-1])
    count = int(shown.seconds / step + 1e-9)
    decimals = 1 if step < 1 else 0
    times = [number * step for number in range(min(count, 1000) + 1)]
    return [(100.0 * t / shown.seconds, clock(shown.first + t, decimals)) for t in times]


def _bars(row: TubeRow, shown: Shown, top: int) -> str:
    tube = row.tube
    rectangles = [_bar("life", tube.start_time, tube.stop_time, shown, top + LANE / 2 - 1.5, 3)]
    lanes = lanes_of(row.actions)
    height = (LANE - 4) / (1 + max(lanes, default=0))
    for action, lane in zip(row.actions, lanes, strict=True):
        times = (action.start_time, action.stop_time)
        colour = f' fill="{shown.colours[action.label]}"'
        place = top + 2 + lane * height
        rectangles.append(_bar(None, *times, shown, place, height, colour))
    said = ", ".join(dict.fromkeys(one_line(action.label) for action in row.actions))
    title = f"tube {tube.tube}, {clock(tube.start_time)}: {said or 'nothing recognised'}"
    hit = _bar("hit", tube.start_time, tube.stop_time, shown, top, LANE)
    return (
        f'<g tabindex="0" data-tube="{tube.tube}" data-time="{shown.at(tube.start_time)}" '
        f'data-labels="{_numbers(row, shown)}"><title>{escape(title)}</title>'
        f"{''.join(rectangles)}{hit}</g>"
    )


def _bar(
    kind: str | None,
    start: float,
    stop: float,
    shown: Shown,
    top: float,
    height: float,
    more: str = "",
) -> str:
    x, end = shown.across(start), shown.across(stop)
    name = f' class="{kind}"' if kind else ""
    return (
        f'<rect{name}{more} x="{x:.3f}%" width="{max(0.15, end - x):.3f}%" '
        f'y="{top:.1f}" height="{height:.1f}" rx="1.5"/>'
    )


def _numbers(row: TubeRow, shown: Shown) -> str:
    held = dict.fromkeys(shown.numbers[action.label] for action in row.actions)
    return " ".join(str(number) for number in held)


def _chips(row: TubeRow, shown: Shown) -> str:
    if not row.actions:
        why = "too short to be read" if row.tube.scores is None else "nothing above its threshold"
        return f'<p class="soft">{why}</p>'
    chips = "".join(_chip(action, shown) for action in row.actions[:MOST_CHIPS])
    left = len(row.actions) - MOST_CHIPS
    more = f'<span class="soft">and {left:,} more, in actions.csv</span>' if left > 0 else ""
    return f'<div class="chips">{chips}{more}</div>'


def _chip(action: Action, shown: Shown) -> str:
    span = f"{clock(action.start_time)} - {clock(action.stop_time)}"
    return (
        f'<button class="chip" style="--c:{shown.colours[action.label]}" '
        f'data-tube="{action.tube}" data-time="{shown.at(action.start_time)}">'
        f"{escape(one_line(action.label))} {action.score:.2f}<small>{span}</small></button>"
    )


def _scores(tube: TubeEnd, shown: Shown) -> str:
    if not tube.scores:
        return ""
    lines = "".join(
        f'<li style="--c:{shown.colours.get(label, OTHER)};--s:{100 * score:.1f}%">'
        f'<span title="{escape(label)}">{escape(one_line(label))}</span><b>{score:.2f}</b>'
        "<i></i></li>"
        for label, score in tube.scores.items()
    )
    return f'<ul class="scores">{lines}</ul>'


def _way(tube: TubeEnd, size: tuple[int, int]) -> str:
    """The way the tube took through the frame: where it began, its path, where it ended."""
    if not tube.boxes:
        return ""
    width, height = size
    middle = " ".join(f"{(x1 + x2) / 2:.0f},{(y1 + y2) / 2:.0f}" for x1, y1, x2, y2 in tube.boxes)
    ends = ""
    for kind, (x1, y1, x2, y2) in (("first", tube.boxes[0]), ("last", tube.boxes[-1])):
        ends += (
            f'<rect class="{kind}" x="{x1:.0f}" y="{y1:.0f}" '
            f'width="{max(1.0, x2 - x1):.0f}" height="{max(1.0, y2 - y1):.0f}"/>'
        )
    return (
        f'<svg class="way" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="its way through the picture">'
        f'<rect class="frame" width="{width}" height="{height}"/>'
        f'<polyline points="{middle}"/>{ends}</svg>'
    )


def _picture(tube: TubeEnd, strip: bytes | None) -> str:
    if strip is None:
        return ""
    kind = "webp" if strip[8:12] == b"WEBP" else "jpeg"
    data = base64.b64encode(strip).decode("ascii")
    text = f"tube {tube.tube}: frames of the window with the highest score, as the network saw them"
    return (
        f'<img class="strip" loading="lazy" decoding="async" alt="{text}" '
        f'src="data:image/{kind};base64,{data}">'
    )
