"""What a video gives: facts about the file, single frames, and clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class VideoInfo:
    """What a file says about itself, corrected by its first decoded frame.

    Attributes:
        path: the file.
        width: pixels across, of the frames as they are given (upright).
        height: pixels down, of the frames as they are given (upright).
        fps: average frames a second as the file tells it; 25 where it tells none.
        header_frames: the frame count in the header, often wrong; None where there is none. The
            true one is `VideoReader.count()`.
        duration: seconds as the file tells it, or None.
        codec: name of the coding, such as `h264`.
        pixel_format: FFmpeg's name of the stored pixels, such as `yuv420p`.
        rotation: degrees counter-clockwise by which frames were turned to stand upright: 0, 90, 180
            or 270.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    header_frames: int | None
    duration: float | None
    codec: str
    pixel_format: str
    rotation: int


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        index: its number, from 0, in the order of showing.
        time: seconds since the first frame, from the file's own timestamps.
        frame_HWC: uint8 RGB.
    """

    index: int
    time: float
    frame_HWC: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Clip:
    """Some frames of a video.

    Attributes:
        frames_THWC: uint8 RGB.
        times_T: float64, seconds since the first frame of the file.
        fps: average frames a second of the file.
    """

    frames_THWC: NDArray[np.uint8]
    times_T: NDArray[np.float64]
    fps: Fraction


class FrameSource(Protocol):
    """One decoder at work on one file."""

    @property
    def info(self) -> VideoInfo:
        """Facts about the file."""
        ...

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Every frame from number `start` on, in constant memory."""
        ...

    def read(self, wanted: Iterable[int]) -> Iterator[Frame]:
        """The frames with these numbers, which must ascend without repeats."""
        ...

    def count(self) -> int:
        """How many frames there are."""
        ...

    def close(self) -> None:
        """Lets go of the file."""
        ...
