"""All tubes over time: `timeline.png`, and `timeline-2.png`, ... where there are many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvirat.common.drawing import drawable, figure
from tinyvirat.common.words import counted, one_line
from tinyvirat.recognition.events import AnsweredFrame, Event, StreamEnd, StreamHeader
from tinyvirat.recognition.outputs.collecting import (
    Collected,
    TubeRow,
    lanes_of,
    seconds_of_labels,
)
from tinyvirat.recognition.outputs.colours import OTHER, PALETTE, colours_of
from tinyvirat.recognition.outputs.files import writing
from tinyvirat.recognition.outputs.words import base_name, clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "timeline.png"
MOST_TUBES = 2000
A_PAGE = 100
DPI = 110
ROW, WIDTH = 0.155, 11.0  # inches
LIFE, SECOND = "#cdd3d9", "#4a535c"
LONGEST_CAPTION, LONGEST_LABEL = 70, 32


class TimelineSink:
    """Draws a line for each tube, with a bar for each thing it does.

    Args:
        out: the folder of the pictures.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._collected = Collected(MOST_TUBES)
        self._video = ""
        self._last = 0.0

    def begin(self, header: StreamHeader) -> None:
        """Takes note of the video's name."""
        self._video = base_name(header.video)

    def take(self, event: Event) -> None:
        """Keeps a tube in brief."""
        if isinstance(event, AnsweredFrame):
            self._last = event.frame.time
        else:
            self._collected.take(event)

    def end(self, end: StreamEnd) -> None:
        """Draws."""
        rows = self._collected.rows()
        colours = colours_of(seconds_of_labels(rows))
        pages = [rows[first : first + A_PAGE] for first in range(0, len(rows), A_PAGE)] or [[]]
        seen = self._collected.seen
        caption = f"{one_line(self._video, LONGEST_CAPTION)}: {counted(seen, 'tube')}"
        if seen > len(rows):
            caption += f", of which the {len(rows)} with the highest scores"
        stop = max([self._last, *(row.tube.stop_time for row in rows)])
        for number, page in enumerate(pages, start=1):
            path = page_path(self._out, number)
            title = caption + (f"; page {number} of {len(pages)}" if len(pages) > 1 else "")
            with writing(path):
                draw_timeline(path, page, colours, title=title, stop=stop)
        with writing(self._out / NAME):
            for old in self._out.glob("timeline-*.png"):
                page_of = re.fullmatch(r"timeline-(\d+)\.png", old.name)
                if page_of and int(page_of[1]) > len(pages):
                    old.unlink()

    def abandon(self) -> None:
        """Nothing was written."""


def page_path(out: Path, number: int) -> Path:
    """The file of a page, from 1."""
    return out / (NAME if number == 1 else f"timeline-{number}.png")


def draw_timeline(
    path: Path, rows: list[TubeRow], colours: dict[str, str], *, title: str, stop: float
) -> None:
    """Draws tubes from the top down by their beginning.

    Args:
        path: the PNG file to write.
        rows: the tubes; may be none.
        colours: of every label, the most frequent first.
        title: shown above.
        stop: where the time axis ends, seconds.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    size = (WIDTH, 1.3 + ROW * max(6, len(rows)))
    with figure(path, size, dpi=DPI, tight=False) as drawn:
        axes = drawn.subplots()
        for place, row in enumerate(rows):
            _draw_row(axes, place, row, colours)
        if not rows:
            axes.text(0.5, 0.5, "no tubes", ha="center", transform=axes.transAxes, color=SECOND)
        axes.set(xlim=(0.0, max(stop, 0.1)), ylim=(max(6, len(rows)) - 0.4, -0.6))
        axes.set_yticks(range(len(rows)), [str(row.tube.tube) for row in rows], fontsize=7)
        axes.set_ylabel("tube", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 1.5, 2, 3, 6, 10]))
        decimals = 0 if stop >= 20 else 1
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x, decimals)))
        axes.tick_params(axis="x", labelsize=8, labelbottom=True, labeltop=len(rows) > 40)
        axes.grid(axis="x", color="#e6e9ec", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.set_title(drawable(title, None), fontsize=10, loc="left")
        _legend(axes, rows, colours)


def _draw_row(axes: Axes, place: int, row: TubeRow, colours: dict[str, str]) -> None:
    """The tube's life as a thin line, and what it does as bars, side by side where at once."""
    tube = row.tube
    life = (tube.start_time, max(0.0, tube.stop_time - tube.start_time))
    axes.broken_barh([life], (place - 0.06, 0.12), facecolors=LIFE)
    lanes = lanes_of(row.actions)
    height = 0.76 / (1 + max(lanes, default=0))
    for action, lane in zip(row.actions, lanes, strict=True):
        span = (action.start_time, max(0.0, action.stop_time - action.start_time))
        top = place - 0.38 + lane * height
        axes.broken_barh([span], (top, height), facecolors=colours[action.label])


def _legend(axes: Axes, rows: list[TubeRow], colours: dict[str, str]) -> None:
    from matplotlib.patches import Patch

    held = {action.label for row in rows for action in row.actions}
    named = [label for label in list(colours)[: len(PALETTE)] if label in held]
    handles = [Patch(color=colours[label], label=drawable(label, LONGEST_LABEL)) for label in named]
    rare = len([label for label in held if colours[label] == OTHER])
    if rare:
        handles.append(Patch(color=OTHER, label=counted(rare, "rarer label")))
    handles.append(Patch(color=LIFE, label="in the picture"))
    axes.figure.legend(
        handles=handles, loc="outside lower left", ncols=4, fontsize=8, frameon=False
    )
