"""From decoded pictures to upright RGB."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from tinyvirat.video.container import checked_size
from tinyvirat.video.errors import VideoError


class Upright:
    """Turns pictures into RGB as they are meant to be seen, all of the first picture's size.

    Cameras held sideways store their pictures lying down and note how to turn them. libswscale
    makes 8-bit RGB of any stored pixels (grey, 10 bits, odd sizes).

    Args:
        path: the file, for errors.
        first: its first picture.

    Raises:
        VideoError: the picture is too large.
    """

    def __init__(self, path: Path, first: VideoFrame) -> None:
        checked_size(path, first.width, first.height)
        self._path = path
        self._stored = (first.width, first.height)
        self._transposed, self._flips = orientation(first)
        self._reformatter = VideoReformatter()
        self.rotation = round(first.rotation / 90) * 90 % 360
        self._plain = not self._transposed and self._flips == (1, 1)
        # Swapping the axes mirrors, each flip mirrors once more.
        self.mirrored = (self._flips[0] * self._flips[1] < 0) != self._transposed
        self.size_HW = (
            (first.width, first.height) if self._transposed else (first.height, first.width)
        )

    def __call__(self, pixels: VideoFrame, index: int) -> NDArray[np.uint8]:
        """The picture as `frame_HWC`, uint8 RGB.

        Raises:
            VideoError: its size differs from the first one's, or its pixels cannot be converted.
        """
        if (pixels.width, pixels.height) != self._stored:
            raise VideoError(
                self._path,
                f"its pictures change from {self._stored[0]}x{self._stored[1]} to "
                f"{pixels.width}x{pixels.height} at frame {index}; cut the file there",
            )
        try:
            rgb = self._reformatter.reformat(pixels, format="rgb24", threads=1)
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(
                self._path, f"pixels {pixels.format.name} cannot become RGB: {error}"
            ) from None
        frame_HWC = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
        if self._plain:
            return frame_HWC
        if self._transposed:
            frame_HWC = frame_HWC.swapaxes(0, 1)
        return np.ascontiguousarray(frame_HWC[:: self._flips[0], :: self._flips[1]])


def orientation(pixels: VideoFrame) -> tuple[bool, tuple[int, int]]:
    """How to set a picture upright: whether to swap its axes, then the steps along H and W.

    The display matrix maps a stored point (p, q) to (a p + c q, b p + d q); of the eight upright
    orientations the nearest is taken.
    """
    try:
        data = pixels.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # Some other note on the picture is newer than this PyAV; the angle alone can still be had.
        return _from_angle(pixels.rotation)
    if not isinstance(data, SideData):
        return False, (1, 1)
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), dtype=np.int32).tolist()
    if abs(b) > abs(a):
        return True, (_sign(b), _sign(c))
    return False, (_sign(d), _sign(a))


def _from_angle(degrees: int) -> tuple[bool, tuple[int, int]]:
    """The same for a plain turn, counter-clockwise."""
    return {
        0: (False, (1, 1)),
        90: (True, (-1, 1)),
        180: (False, (-1, -1)),
        270: (True, (1, -1)),
    }[round(degrees / 90) * 90 % 360]


def _sign(value: int) -> int:
    return -1 if value < 0 else 1
