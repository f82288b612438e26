"""Where frames come from: a file, an address on the network, a camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tinyvirat.recognition.stream.ahead import Ahead, Pause, room_for
from tinyvirat.recognition.stream.live import LiveStream, SourceSettings
from tinyvirat.recognition.stream.source_info import SourceInfo
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.video import Frame, VideoReader, open_video


class VideoStream(Protocol):
    """An open source. It is gone over once.

    Attributes:
        info: what is known of it.
        dropped: frames that were lost or came too fast.
        reconnects: how often it had to be opened again.
    """

    @property
    def info(self) -> SourceInfo: ...

    @property
    def dropped(self) -> int: ...

    @property
    def reconnects(self) -> int: ...

    def frames(self, stages: Stages) -> Iterator[Frame | Pause]:
        """Every frame once, in order, numbered from 0 without gaps; pauses in between.

        Frames are decoded ahead, in a thread of their own.

        Args:
            stages: counts the time of `decode`.

        Raises:
            VideoError: the source breaks, or its pictures change their size.
        """
        ...

    def close(self) -> None:
        """Lets go of the source. Nothing that happens then takes long."""
        ...


class FileStream:
    """A video file. Nothing is dropped, and nothing has to be opened again.

    Args:
        path: the file.

    Raises:
        VideoError: it cannot be read.
    """

    dropped = 0
    reconnects = 0

    def __init__(self, path: Path) -> None:
        self._reader: VideoReader = open_video(path)
        facts = self._reader.info
        self.info = SourceInfo(
            str(path), facts.width, facts.height, facts.fps, facts.header_frames, False, path
        )
        self._ahead: Ahead[Frame] | None = None

    def frames(self, stages: Stages) -> Iterator[Frame | Pause]:
        """Every frame."""
        room = room_for(self.info.width, self.info.height)
        self._ahead = Ahead(lambda: iter(self._reader), room, stages)
        return iter(self._ahead)

    def close(self) -> None:
        """Lets go of the file."""
        if self._ahead is not None:
            self._ahead.close()
        self._reader.close()


def open_stream(source: str | Path | int, settings: SourceSettings | None = None) -> VideoStream:
    """Opens a source of frames.

    Args:
        source: a video file; an address of `http`, `https`, `rtsp` or `rtsps`, as text; or the
            number of a camera.
        settings: time-outs and tries of addresses and cameras.

    Raises:
        VideoError: it cannot be opened.
        StreamError: an address of another kind.
    """
    if isinstance(source, int) or (isinstance(source, str) and "://" in source):
        return LiveStream(source, settings)
    return FileStream(Path(source))
