"""The figures of a data set, as PNG files written whole.

Every function takes the file to write and returns it. The user's own matplotlib settings are left
aside, so that a picture looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyvirat.common.drawing import INK, PALE, SECOND, drawable, figure
from tinyvirat.datasets.figures.actors import ActorSizes
from tinyvirat.datasets.figures.sheet import FRAMES, Strip
from tinyvirat.datasets.tubes.statistics import Statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_CAPTION = 72
MOST_NUMBERED = 26
SHEET_COLUMNS = 3
SHEET_WIDTH, SHEET_CAPTION = 5.0, 0.24  # inches
# Height in pixels to which a strip's frames are enlarged, whole pixel by whole pixel.
STRIP_HEIGHT = 96
TINY = (10.0, 128.0)
BINS_A_DECADE = 12
MANY = 150
WORDS = {"box": "actor's box", "window": "window around the actor"}


def contact_sheet_picture(path: Path, strips: Sequence[Strip]) -> Path:
    """Some frames of each of some clips, with size, length and labels (after Fig. 1).

    Args:
        path: the PNG file to write.
        strips: what `sheet.strips` gave; one at least.
    """
    columns = min(SHEET_COLUMNS, len(strips))
    images = [_side_by_side(strip.frames_THWC) for strip in strips]
    # Every row as high as the highest strip in it, and its caption.
    shapes = [SHEET_WIDTH * image.shape[0] / image.shape[1] for image in images]
    heights = [
        max(shapes[first : first + columns]) + SHEET_CAPTION
        for first in range(0, len(strips), columns)
    ]
    with figure(path, (SHEET_WIDTH * columns, sum(heights))) as drawn:
        grid = drawn.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, strip, image in zip(grid.flat, strips, images, strict=False):
            axes.imshow(image, interpolation="nearest", aspect="equal")
            axes.set_anchor("NW")
            height, width = strip.frames_THWC.shape[1:3]
            labels = ", ".join(strip.record.labels) or "no label"
            caption = f"{width}x{height}, {strip.record.length} frames: {labels}"
            axes.set_title(drawable(caption, LONGEST_CAPTION), fontsize=8, loc="left", pad=2)
    return path


def actor_ratio_picture(path: Path, actors: ActorSizes) -> Path:
    """The share of the frame that the actors take: how many clips have which (after Fig. 2).

    Args:
        path: the PNG file to write.
        actors: their sizes.
    """
    from matplotlib.ticker import MaxNLocator, NullFormatter

    percent_N = np.array([100.0 * one.ratio for one in actors.sizes])
    # Whole decades, so that two data sets can be laid side by side.
    low, high = np.floor(np.log10(percent_N.min())), np.floor(np.log10(percent_N.max())) + 1.0
    edges = np.logspace(low, high, 1 + round(BINS_A_DECADE * float(high - low)))
    with figure(path, (6.0, 3.6)) as drawn:
        axes = drawn.subplots()
        axes.hist(percent_N, edges.tolist(), color=INK, edgecolor="white", linewidth=0.5)
        mean = float(percent_N.mean())
        axes.axvline(mean, color=SECOND, linewidth=1.6)
        axes.set(xscale="log", xlim=(edges[0], edges[-1]))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel=f"{WORDS[actors.measure]}, % of the frame's area", ylabel="clips")
        title = f"mean {mean:.2g} % (line), {len(percent_N)} clips"
        axes.set_title(title + _left_out(actors), fontsize=10)
    return path


def actor_size_picture(path: Path, actors: ActorSizes) -> Path:
    """The actors' size against the resolution of the video they are in (after Fig. 3).

    Both are sides of squares of the same area. Dots of one resolution are spread a little.

    Args:
        path: the PNG file to write.
        actors: their sizes.
    """
    frame_N = np.array([one.frame_side for one in actors.sizes])
    actor_N = np.array([one.side for one in actors.sizes])
    spread_N = np.exp(np.random.default_rng(0).uniform(-0.03, 0.03, len(frame_N)))
    with figure(path, (6.0, 4.6)) as drawn:
        axes = drawn.subplots()
        size, alpha = (7.0, 0.35) if len(actor_N) > MANY else (18.0, 0.9)
        axes.scatter(frame_N * spread_N, actor_N, size, INK, alpha=alpha, linewidths=0)
        across = (float(frame_N.min()) / 1.5, float(frame_N.max()) * 1.5)
        down = (min(float(actor_N.min()), TINY[0]) / 1.3, max(float(actor_N.max()), TINY[1]) * 1.3)
        axes.set(xscale="log", yscale="log", xlim=across, ylim=down)
        axes.axhspan(*TINY, color=PALE, alpha=0.3, linewidth=0, zorder=0)
        _shares(axes, across, down)
        _plain_ticks(axes, across, down)
        axes.set_xlabel("video, side of a square of its area, pixels")
        axes.set_ylabel(f"{WORDS[actors.measure]}, pixels")
        title = f"{len(actor_N)} clips; dashed: share of the frame; grey: TinyVIRAT's sizes"
        axes.set_title(title + _left_out(actors), fontsize=9)
    return path


def samples_picture(path: Path, counted: Statistics) -> Path:
    """Clips of each class and of each size, on a log scale (after Fig. 4).

    Args:
        path: the PNG file to write.
        counted: the statistics.
    """
    classes = sorted(counted.by_class, key=lambda one: (-one.clips, one.label))
    height = max(3.0, 1.0 + 0.24 * len(classes))
    with figure(path, (10.0, height)) as drawn:
        left, right = drawn.subplots(1, 2, width_ratios=(3, 2))
        names = [drawable(one.label) for one in classes]
        _bars(left, names, [one.clips for one in classes])
        left.set_title(f"{counted.clips} clips, {counted.classes} classes", fontsize=10)
        _bars(right, counted.bins, counted.clips_by_bin)
        right.set(ylabel="longer side, pixels")
        right.set_title("by size", fontsize=10)
    return path


def together_picture(path: Path, counted: Statistics) -> Path:
    """Which classes are shown together: of the clips of the row's class, those of the column's too.

    With up to 26 classes every cell says its number of clips.

    Args:
        path: the PNG file to write.
        counted: the statistics, of more than one class.
    """
    clips_KK = np.array(counted.together, dtype=np.float64)
    shares_KK = clips_KK / np.maximum(np.diag(clips_KK)[:, None], 1.0)
    np.fill_diagonal(shares_KK, np.nan)
    count = len(clips_KK)
    side = min(3.5 + 0.34 * count, 22.0)
    with figure(path, (side + 0.6, side)) as drawn:
        axes = drawn.subplots()
        axes.set_facecolor("#eceef0")
        image = axes.imshow(shares_KK, cmap="Blues", vmin=0.0, vmax=1.0, interpolation="nearest")
        names = [drawable(one.label) for one in counted.by_class]
        size = 9 if count <= 40 else 5
        axes.set_xticks(range(count), names, rotation=90, fontsize=size)
        axes.set_yticks(range(count), names, fontsize=size)
        drawn.colorbar(image, ax=axes, fraction=0.04, label="share of the row's clips")
        axes.set_title("clips that show both classes; on the diagonal, the class", fontsize=10)
        if count <= MOST_NUMBERED:
            for row, column in np.argwhere(clips_KK > 0):
                dark = row != column and shares_KK[row, column] > 0.5
                text = f"{clips_KK[row, column]:.0f}"
                colour = "white" if dark else "black"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    return path


def _bars(axes: Axes, names: Sequence[str], counts: Sequence[int]) -> None:
    """Bars from the top down, on a log scale, with their numbers."""
    places = range(len(names))
    axes.barh(places, counts, 0.72, color=INK)
    for place, count in zip(places, counts, strict=True):
        axes.text(max(count, 1), place, f" {count}", va="center", fontsize=7)
    axes.set_yticks(places, list(names), fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(0.8, max([10, *counts]) * 2.2)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("clips")


def _side_by_side(frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`FRAMES` frames in a row, or fewer and white, enlarged by a whole factor, with gaps."""
    missing = max(0, FRAMES - len(frames_THWC))
    white = np.full((missing, *frames_THWC.shape[1:]), 255, np.uint8)
    frames_THWC = np.concatenate([frames_THWC, white])
    factor = max(1, round(STRIP_HEIGHT / frames_THWC.shape[1]))
    large = frames_THWC.repeat(factor, axis=1).repeat(factor, axis=2)
    gap = np.full((large.shape[1], max(1, large.shape[1] // 24), 3), 255, np.uint8)
    parts = [part for frame_HWC in large for part in (frame_HWC, gap)][:-1]
    return np.concatenate(parts, axis=1)


def _left_out(actors: ActorSizes) -> str:
    return f"; {actors.without} more do not tell" if actors.without else ""


def _shares(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Lines of actors that take the same share of the frame, named where they leave the picture."""
    for share in (1.0, 0.1, 0.01, 0.001, 0.0001):
        factor = sqrt(share)
        axes.plot(x, (x[0] * factor, x[1] * factor), color="#9aa1a8", linewidth=0.9, linestyle="--")
        end = min(x[1], y[1] / factor)
        if end > x[0] and end * factor > y[0]:
            text, where = f"{100 * share:g} % ", (end, end * factor)
            axes.annotate(
                text,
                where,
                (0, -3),
                textcoords="offset points",
                fontsize=8,
                ha="right",
                va="top",
                color="#5a6168",
            )


def _plain_ticks(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Round pixel counts instead of powers of ten."""
    from matplotlib.ticker import NullFormatter, NullLocator

    steps = [number * 10**power for power in range(5) for number in (1, 2, 5)]
    axes.set_xticks([step for step in steps if x[0] <= step <= x[1]])
    axes.set_yticks([step for step in steps if y[0] <= step <= y[1]])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(NullLocator())
