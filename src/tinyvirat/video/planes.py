"""Pictures as files store them: brightness at full size, two colour planes at half size.

Cutting small windows out of large pictures is cheapest here: making RGB of a whole picture takes
more time than decoding it, and so nothing is rounded on the way from one file to the next.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from tinyvirat.video.decoding import Decoding, Picture
from tinyvirat.video.errors import VideoError
from tinyvirat.video.packets import FrameMap
from tinyvirat.video.upright import Upright

PLANAR = ("yuv420p", "yuvj420p")
UNSPECIFIED = 2
"""FFmpeg's number for primaries, a transfer curve or a matrix that a file does not name."""


@dataclass(frozen=True)
class Colours:
    """What the numbers in planes mean, in FFmpeg's own numbers (those of ITU-T H.273).

    Attributes:
        matrix: how brightness and colour were made of RGB.
        range: 1 for brightness from 16 to 235, 2 for 0 to 255.
        primaries: the colours of R, G and B; 2 where the file does not say.
        transfer: the curve of the levels; 2 where the file does not say.
    """

    matrix: int = int(Colorspace.ITU601)
    range: int = int(ColorRange.MPEG)
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED


@dataclass(frozen=True, eq=False)
class Planes:
    """One picture as planes of uint8 (4:2:0).

    Attributes:
        y_HW: brightness.
        u_hw: blueness; a sample for each two by two pixels, the last of an odd side for one.
        v_hw: redness, of the same shape.
    """

    y_HW: NDArray[np.uint8]
    u_hw: NDArray[np.uint8]
    v_hw: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PlaneClip:
    """Several pictures of one size as planes of uint8 (4:2:0), both sides even.

    Attributes:
        y_THW: brightness.
        u_Thw: blueness, of half the height and width.
        v_Thw: redness, of the same shape.
    """

    y_THW: NDArray[np.uint8]
    u_Thw: NDArray[np.uint8]
    v_Thw: NDArray[np.uint8]


class Windows:
    """Square windows of one size, cut out of picture after picture.

    Where a window leaves its picture, the edge is repeated. The brightness is what is stored. Where
    an edge of the window lies between two pixels of one colour sample, the colour is the mean of
    the samples on both sides, which is its value there.

    Args:
        side: of the windows in pixels, even.
        most: how many there is room for.
    """

    def __init__(self, side: int, most: int) -> None:
        if side % 2 or side < 2:
            raise ValueError(f"a side of {side}: planes are cut with even sides of 2 or more")
        half = side // 2
        self._side = side
        self._y_TSS = np.empty((most, side, side), np.uint8)
        # One sample more each way: they are halved later, all pictures together, because on
        # arrays as small as these a call costs more than its work.
        self._uv_T2hw = np.empty((most, 2, half + 1, half + 1), np.uint8)
        self._odd: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._odd)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another."""
        return len(self._odd) == len(self._y_TSS)

    @property
    def bytes(self) -> int:
        """Of the room for all of them."""
        return self._y_TSS.nbytes + self._uv_T2hw.nbytes

    def add(self, planes: Planes, x1: int, y1: int) -> None:
        """Cuts the next window; its top left corner may lie outside the picture."""
        t, half = len(self._odd), self._side // 2 + 1
        self._y_TSS[t] = _cut(planes.y_HW, x1, y1, self._side)
        self._uv_T2hw[t, 0] = _cut(planes.u_hw, x1 // 2, y1 // 2, half)
        self._uv_T2hw[t, 1] = _cut(planes.v_hw, x1 // 2, y1 // 2, half)
        self._odd.append((x1 % 2, y1 % 2))

    def clip(self) -> PlaneClip:
        """All windows so far."""
        frames, half = len(self._odd), self._side // 2
        odd_T2 = np.asarray(self._odd, np.intp).reshape(-1, 2)
        uv_T2hw = np.empty((frames, 2, half, half), np.uint8)
        for across, down in set(self._odd):
            these = np.flatnonzero((odd_T2 == (across, down)).all(axis=1))
            uv_T2hw[these] = _halfway(self._uv_T2hw[these], across, down)
        return PlaneClip(self._y_TSS[:frames], uv_T2hw[:, 0], uv_T2hw[:, 1])


class PlaneReader:
    """Goes over a video once, from its first frame on, in constant memory; a context manager.

    Frames have the numbers that `open_video` gives them. Pictures stored otherwise than as 8 bits
    in 4:2:0, or lying down, are made upright RGB first, as `open_video` does, and planes of that.

    Args:
        path: the file.
        threads: of the decoder; None chooses by the size of the pictures.

    Attributes:
        width: pixels across, upright.
        height: pixels down, upright.
        fps: average frames a second as the file tells it; 25 where it tells none.
        colours: what the numbers in the planes mean.

    Raises:
        VideoError: the file cannot be read, none of its frames decodes, or they are too large.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None) -> None:
        self._path = Path(path)
        self._decoding = Decoding(self._path, FrameMap(self._path), threads)
        try:
            first = self._decoding.peek()
            if first is None:
                raise VideoError(self._path, "holds no frame that decodes")
            self._upright = Upright(self._path, first.pixels)
        except BaseException:
            self._decoding.close()
            raise
        self.height, self.width = self._upright.size_HW
        self.fps: Fraction = self._decoding.fps
        self._stored = _stored(first.pixels)
        lying = self._upright.rotation != 0 or self._upright.mirrored
        self._direct = not lying and first.pixels.format.name in PLANAR
        self._reformatter = VideoReformatter()
        self.colours = self._meaning(first.pixels) if self._direct else Colours()

    def __enter__(self) -> PlaneReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoding.close()

    def __iter__(self) -> Iterator[tuple[int, Planes]]:
        """Every frame's number and planes. The planes hold until the next frame is asked for.

        Raises:
            VideoError: the pictures change their size or how they are stored.
        """
        while (picture := self._decoding.next()) is not None:
            yield picture.index, self._planes(picture)

    def _planes(self, picture: Picture) -> Planes:
        if self._direct:
            if _stored(picture.pixels) != self._stored:
                raise VideoError(
                    self._path,
                    f"its pictures change from {self._stored} to {_stored(picture.pixels)} "
                    f"at frame {picture.index}; cut the file there",
                )
            return _views(picture.pixels)
        rgb_HWC = self._upright(picture.pixels, picture.index)
        rgb = VideoFrame.from_ndarray(rgb_HWC, format="rgb24")
        return _views(
            self._reformatter.reformat(
                rgb,
                format="yuv420p",
                dst_colorspace=self.colours.matrix,
                dst_color_range=self.colours.range,
                threads=1,
            )
        )

    def _meaning(self, first: VideoFrame) -> Colours:
        """What the file says of its numbers; where it is silent, what `open_video` takes it for."""
        context = self._decoding.stream.codec_context
        full = first.format.name == "yuvj420p" or first.color_range == ColorRange.JPEG
        # 0 would mean that the planes are G, B and R.
        named = first.colorspace not in (0, UNSPECIFIED)
        return Colours(
            matrix=int(first.colorspace if named else Colorspace.ITU601),
            range=int(ColorRange.JPEG if full else ColorRange.MPEG),
            primaries=int(context.color_primaries),
            transfer=int(context.color_trc),
        )


def rows_of(plane: VideoPlane) -> NDArray[np.uint8]:
    """The numbers of FFmpeg's plane where they lie, without what fills its rows up."""
    stored = np.frombuffer(memoryview(plane), np.uint8)
    return stored.reshape(-1, plane.line_size)[: plane.height, : plane.width]


def _stored(pixels: VideoFrame) -> str:
    return f"{pixels.width}x{pixels.height} {pixels.format.name}"


def _views(pixels: VideoFrame) -> Planes:
    """The planes of a picture where they lie."""
    return Planes(*(rows_of(plane) for plane in pixels.planes))


def _cut(plane_HW: NDArray[np.uint8], x1: int, y1: int, side: int) -> NDArray[np.uint8]:
    """A square part of a plane; a view where it lies inside."""
    rows, columns = plane_HW.shape
    if x1 >= 0 and y1 >= 0 and x1 + side <= columns and y1 + side <= rows:
        return plane_HW[y1 : y1 + side, x1 : x1 + side]
    down = np.arange(y1, y1 + side).clip(0, rows - 1)
    across = np.arange(x1, x1 + side).clip(0, columns - 1)
    return np.asarray(plane_HW[down[:, None], across])


def _halfway(samples_T2hw: NDArray[np.uint8], across: int, down: int) -> NDArray[np.uint8]:
    """Samples without the last row and column, or halfway to the next ones across or down."""
    height, width = samples_T2hw.shape[2] - 1, samples_T2hw.shape[3] - 1
    if not across and not down:
        return samples_T2hw[:, :, :height, :width]
    sums_T2hw = samples_T2hw.astype(np.uint16)
    if across:
        sums_T2hw = sums_T2hw[:, :, :, :-1] + sums_T2hw[:, :, :, 1:]
    if down:
        sums_T2hw = sums_T2hw[:, :, :-1] + sums_T2hw[:, :, 1:]
    # Of two samples half the sum, of four a quarter, halves rounded up.
    sums_T2hw += across + down
    sums_T2hw >>= across + down
    return sums_T2hw[:, :, :height, :width].astype(np.uint8)
