"""Decodes a file once, in constant memory, and measures it and the clips in it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyvirat.datasets.health.facts import ENOUGH, ClipFacts, FileFacts, View, unreadable
from tinyvirat.video import VideoError, open_video

VERSION = 1
"""Counts up whenever the same file would be measured otherwise; `memory` forgets older facts."""

BLOCK = 8
# Three moments of a clip, each as 8 x 8 comparisons of neighbouring cells: 192 bits.
MOMENTS = (1 / 6, 3 / 6, 5 / 6)
CELLS_HW = (8, 9)


def measure_file(path: Path, views: Sequence[View]) -> FileFacts:
    """Decodes a whole file and measures it.

    Args:
        path: the file.
        views: the clips in it.

    Returns:
        The facts; a file that cannot be read gives its trouble instead of an error.
    """
    clips = [_Clip(view) for view in views]
    try:
        with open_video(path, threads=1) as video:
            info, frames = video.info, 0
            for frame in video:
                for clip in clips:
                    clip.see(frames, frame.frame_HWC)
                frames += 1
    except VideoError as error:
        return unreadable(error.cause, len(views))
    return FileFacts(
        trouble=None,
        frames=frames,
        header_frames=info.header_frames,
        height=info.height,
        width=info.width,
        fps=str(info.fps.limit_denominator(100_000)),
        clips=tuple(clip.facts() for clip in clips),
    )


class _Clip:
    """A clip that is being measured, frame by frame."""

    def __init__(self, view: View) -> None:
        self._view = view
        length = view.stop - view.start
        self._moments = {int(length * moment) for moment in MOMENTS}
        self._digest = hashlib.sha256()
        self._first: NDArray[np.int16] | None = None
        self._thumbnails: list[NDArray[np.bool_]] = []
        self._frames = 0
        self._change = 0.0
        self._contrast = 0.0

    def see(self, index: int, frame_HWC: NDArray[np.uint8]) -> None:
        """Takes frame `index` of the file, if it belongs to the clip."""
        if not self._view.start <= index < self._view.stop:
            return
        windows = self._view.windows
        window = (0, 0, frame_HWC.shape[1], frame_HWC.shape[0])
        if windows is not None:
            window = windows[0 if len(windows) == 1 else index - self._view.start]
        x1, y1, x2, y2 = window
        # What a window shows beyond the frame is only its edge again, and may be large.
        part_HWC = frame_HWC[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
        if part_HWC.size == 0:
            return
        place = (x2 - x1, y2 - y1, min(x1, 0), min(y1, 0), *part_HWC.shape)
        self._digest.update(repr(place).encode())
        self._digest.update(np.ascontiguousarray(part_HWC).data)
        levels_HW = part_HWC[..., 1]  # green is most of what is seen as brightness
        if self._frames in self._moments:
            self._thumbnails.append(_thumbnail(levels_HW))
        if self._contrast < ENOUGH:
            self._contrast = max(self._contrast, float(levels_HW.std()))
        if self._change < ENOUGH:
            self._change = max(self._change, self._change_of(levels_HW))
        self._frames += 1

    def facts(self) -> ClipFacts:
        """What was measured."""
        whole = len(self._thumbnails) == len(MOMENTS)
        bits = np.packbits(np.concatenate(self._thumbnails)).tobytes().hex() if whole else None
        return ClipFacts(
            frames=self._frames,
            content=self._digest.hexdigest() if self._frames else None,
            thumbnail=bits,
            change=min(round(self._change, 3), ENOUGH),
            contrast=min(round(self._contrast, 3), ENOUGH),
        )

    def _change_of(self, levels_HW: NDArray[np.uint8]) -> float:
        now_HW = levels_HW.astype(np.int16)
        if self._first is None or self._first.shape != now_HW.shape:
            # Windows may differ in size along a clip; each size is then compared with its first.
            self._first = now_HW
            return 0.0
        return float(_block_means(np.abs(now_HW - self._first)).max())


def _block_means(values_HW: NDArray[np.int16]) -> NDArray[np.float64]:
    """Means of the blocks of a picture; those at the right and lower edges may be smaller."""
    down, across = (np.arange(0, side, BLOCK) for side in values_HW.shape)
    sums = np.add.reduceat(np.add.reduceat(values_HW, across, axis=1, dtype=np.int64), down, axis=0)
    heights, widths = (
        np.diff(np.append(starts, side))
        for starts, side in zip((down, across), values_HW.shape, strict=True)
    )
    return np.asarray(sums / (heights[:, None] * widths), dtype=np.float64)


def _thumbnail(levels_HW: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each cell of the reduced picture is brighter than its neighbour on the right."""
    cells_HW = levels_HW.astype(np.float64)
    for axis, count in enumerate(CELLS_HW):
        side = cells_HW.shape[axis]
        starts = np.arange(count) * side // count
        # A picture smaller than the grid repeats its pixels.
        stops = np.maximum((np.arange(count) + 1) * side // count, starts + 1)
        running = np.insert(np.cumsum(cells_HW, axis=axis), 0, 0.0, axis=axis)
        sums = np.take(running, stops, axis=axis) - np.take(running, starts, axis=axis)
        cells_HW = sums / np.expand_dims(stops - starts, axis=1 - axis)
    return np.asarray(cells_HW[:, :-1] > cells_HW[:, 1:]).reshape(-1)
