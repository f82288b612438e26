"""Exact frames out of a video file, streaming or by number.

Two decoders give the same frames. PyAV is always there and is the default: measured, it is as fast
as torchcodec or faster, and it can tell what is wrong with a file. torchcodec serves files whose
packets prove where each frame is; where they do not, and where it stumbles, PyAV goes on.

Frames are numbered from 0 in the order they are shown. What a header says about their number is
never used. A file that was cut off gives the frames before the cut. A damaged packet does not end a
file: where the packets prove their times, the frame before stands in for the one that was lost, as
in a player, so that numbers and times stay true; elsewhere the lost frame is left out.

Memory: streaming holds one frame and the decoder's few; `read` holds what was asked for.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, SupportsIndex, TypeAlias, get_args

import numpy as np

from tinyvirat.video.errors import VideoError
from tinyvirat.video.frames import Clip, Frame, FrameSource, VideoInfo
from tinyvirat.video.probe import decoders
from tinyvirat.video.pyav_source import PyavSource

DecoderName: TypeAlias = Literal["auto", "pyav", "torchcodec"]


class VideoReader:
    """An open video: iterate over it, or read frames by number. Made by `open_video`.

    A reader belongs to one thread. Several iterations may run at once, each with its own place.
    """

    def __init__(self, path: Path, source: FrameSource) -> None:
        self._path = path
        self._source = source
        self._closed = False

    @property
    def info(self) -> VideoInfo:
        """Facts about the file."""
        return self._source.info

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every frame from the first on, in constant memory.

        Raises:
            VideoError: the pictures change their size, or the reader is closed.
        """
        frames = self._checked_open().frames()
        while True:
            self._checked_open()
            frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def read(self, indices: Iterable[SupportsIndex]) -> Clip:
        """The frames with these numbers, in the order asked for; repeats are allowed.

        A frame far into a long file is reached by a jump when the file's packets prove where it is,
        else by decoding from the first. Reading on from where the last read ended costs no more
        than the frames between.

        Args:
            indices: frame numbers, from 0.

        Returns:
            A clip of as many frames as numbers.

        Raises:
            VideoError: a number is negative or behind the last frame (the message has the true
                count), or the frames do not fit into memory.
        """
        order = [operator.index(i) for i in indices]
        if order and min(order) < 0:
            raise VideoError(self._path, f"frame {min(order)} was asked for; the first is frame 0")
        source = self._checked_open()
        clip = self._room_for(len(order))
        places: dict[int, list[int]] = {}
        for place, index in enumerate(order):
            places.setdefault(index, []).append(place)
        for frame in source.read(sorted(places)):
            clip.frames_THWC[places[frame.index]] = frame.frame_HWC
            clip.times_T[places[frame.index]] = frame.time
        return clip

    def read_span(self, start: int, stop: int | None = None) -> Clip:
        """The frames `[start, stop)`; to the end when `stop` is None.

        Raises:
            VideoError: the span is empty or leaves the file, or does not fit into memory.
        """
        if start < 0 or (stop is not None and stop <= start):
            raise VideoError(self._path, f"the span [{start}, {stop}) holds no frame of any video")
        source = self._checked_open()
        if stop is None:
            # With nothing found, reading the first of them says why.
            found = list(source.frames(start)) or list(source.read([start]))
            frames, clip = iter(found), self._room_for(len(found))
        else:
            frames, clip = source.read(range(start, stop)), self._room_for(stop - start)
        for place, frame in enumerate(frames):
            clip.frames_THWC[place] = frame.frame_HWC
            clip.times_T[place] = frame.time
        return clip

    def count(self) -> int:
        """How many frames there are: by decoding them all, the first time."""
        return self._checked_open().count()

    def close(self) -> None:
        """Lets go of the file; the reader gives nothing more."""
        self._closed = True
        self._source.close()

    def _checked_open(self) -> FrameSource:
        if self._closed:
            raise VideoError(self._path, "the reader is closed")
        return self._source

    def _room_for(self, frames: int) -> Clip:
        info = self.info
        try:
            frames_THWC = np.empty((frames, info.height, info.width, 3), dtype=np.uint8)
        except (MemoryError, ValueError):
            needed = frames * info.height * info.width * 3 / 2**30
            raise VideoError(
                self._path,
                f"{frames} frames of {info.width}x{info.height} take {needed:.1f} GiB, more than "
                "there is; read fewer at once, or iterate",
            ) from None
        return Clip(frames_THWC, np.empty(frames, dtype=np.float64), info.fps)


def open_video(
    path: str | os.PathLike[str],
    *,
    decoder: DecoderName = "auto",
    threads: int | None = None,
) -> VideoReader:
    """Opens a video and decodes its first frame.

    Args:
        path: a regular file. Pipes, devices, folders and addresses are refused.
        decoder: `pyav`, `torchcodec`, or `auto`, which is PyAV.
        threads: of the decoder. None takes one for pictures up to 640x480, where more only cost,
            else one a core, eight at most. Give 1 where several readers work side by side.

    Raises:
        VideoError: the file cannot be read, none of its frames decodes, its pictures are larger
            than 16,384 pixels a side or 134 million pixels, or the decoder is unknown or not usable
            here.
    """
    path = Path(path)
    if decoder not in get_args(DecoderName):
        raise VideoError(
            path, f"there is no decoder {decoder!r}; use one of {', '.join(get_args(DecoderName))}"
        )
    if threads is not None and threads < 1:
        raise VideoError(path, f"threads is {threads}; it must be 1 or more, or None")
    if decoder == "torchcodec":
        if (trouble := decoders()[decoder]) is not None:
            raise VideoError(path, f"torchcodec cannot be used here ({trouble}); use 'pyav'")
        from tinyvirat.video.torchcodec_source import TorchcodecSource

        return VideoReader(path, TorchcodecSource(path, threads))
    return VideoReader(path, PyavSource(path, threads))


def read_clip(
    path: str | os.PathLike[str],
    start: int = 0,
    stop: int | None = None,
    *,
    decoder: DecoderName = "auto",
    threads: int | None = None,
) -> Clip:
    """The frames `[start, stop)` of a file; all from `start` when `stop` is None.

    Raises:
        VideoError: as `open_video` and `VideoReader.read_span`.
    """
    with open_video(path, decoder=decoder, threads=threads) as reader:
        return reader.read_span(start, stop)
