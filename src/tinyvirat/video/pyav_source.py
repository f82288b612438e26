"""Frames through PyAV: the decoder that is always there, and the measure for any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av

from tinyvirat.video.cursor import Cursor
from tinyvirat.video.decoding import Decoding, Picture
from tinyvirat.video.errors import VideoError
from tinyvirat.video.frames import Frame, VideoInfo
from tinyvirat.video.packets import FrameMap
from tinyvirat.video.upright import Upright


class PyavSource:
    """A file decoded by PyAV.

    Args:
        path: the file.
        threads: of the decoder; None chooses by the size of the pictures.

    Raises:
        VideoError: the file cannot be opened, or no frame of it decodes.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.known = FrameMap(path)
        self._path = path
        self._threads = threads
        self._reading: Cursor | None = None
        self._cursors: list[Cursor] = []
        # The pass that finds the first frame becomes the first pass that is asked for.
        self._begun: Decoding | None = Decoding(path, self.known, threads)
        try:
            first = self._begun.peek()
            if first is None:
                raise VideoError(path, "holds no frame that decodes")
            self.upright = Upright(path, first.pixels)
            self.info = _info(path, self._begun, self.upright, first)
        except BaseException:
            self.close()
            raise

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Every frame from number `start` on, in constant memory."""
        cursor = self._cursor()
        try:
            while (picture := cursor.at(start)) is not None:
                yield self._frame(picture)
                start += 1
        finally:
            cursor.close()
            self._cursors.remove(cursor)

    def read(self, wanted: Iterable[int]) -> Iterator[Frame]:
        """The frames with these numbers, which must ascend without repeats.

        Raises:
            VideoError: one of them lies behind the last frame.
        """
        self._reading = self._reading or self._cursor()
        for index in wanted:
            picture = self._reading.at(index)
            if picture is None:
                raise VideoError(
                    self._path,
                    f"frame {index} was asked for, but it has {self._reading.end} frames, "
                    f"numbered 0 to {(self._reading.end or 1) - 1}",
                )
            yield self._frame(picture)

    def count(self) -> int:
        """How many frames there are."""
        if self.known.count is None:
            decoding = self._begun or Decoding(self._path, self.known, self._threads)
            self._begun = None
            try:
                while decoding.next() is not None:
                    pass
                self.known.count = decoding.next_index
            finally:
                decoding.close()
        return self.known.count

    def close(self) -> None:
        """Lets go of the file."""
        for cursor in self._cursors:
            cursor.close()
        if self._begun is not None:
            self._begun.close()
            self._begun = None

    def _cursor(self) -> Cursor:
        cursor = Cursor(self._path, self._threads, self.known, self._begun)
        self._begun = None
        self._cursors.append(cursor)
        return cursor

    def _frame(self, picture: Picture) -> Frame:
        return Frame(picture.index, picture.time, self.upright(picture.pixels, picture.index))


def _info(path: Path, decoding: Decoding, upright: Upright, first: Picture) -> VideoInfo:
    stream, container = decoding.stream, decoding.container
    duration = None
    if stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration = container.duration / av.time_base
    height, width = upright.size_HW
    return VideoInfo(
        path=path,
        width=width,
        height=height,
        fps=decoding.fps,
        header_frames=stream.frames or None,
        duration=duration,
        codec=stream.codec.canonical_name,
        pixel_format=first.pixels.format.name,
        rotation=upright.rotation,
    )
