"""A video that somebody uploaded: checked, and read, in a process that can do no harm.

Here no decoder ever touches it. Everything that the page shows or saves is made of pixels that
`tinyvirat.service.remote` brings from a process with little memory, without files, and with a
time-out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from tinyvirat.app.limits import AppLimits
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import sha256_of
from tinyvirat.common.words import shown_name
from tinyvirat.recognition.stream.ahead import Ahead, Pause, room_for
from tinyvirat.recognition.stream.source_info import SourceInfo
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.service.remote import RemoteSource
from tinyvirat.video import Frame, VideoError

LONGEST_NAME = 120


class UploadError(TinyviratError):
    """A video that is not taken, in a sentence that names it as its owner does."""


@dataclass(frozen=True)
class Upload:
    """A video that can be read to its end.

    Attributes:
        path: where it lies here.
        name: what its owner calls it.
        digest: SHA-256 of its bytes.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second.
        frames: how many there are, counted.
    """

    path: Path
    name: str
    digest: str
    width: int
    height: int
    fps: Fraction
    frames: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return float(self.frames / self.fps)


def check_upload(path: Path, name: str, limits: AppLimits) -> Upload:
    """Decodes a video once, elsewhere, and looks whether it is within the limits.

    Args:
        path: the file.
        name: what its owner calls it; what cannot be shown is left out.
        limits: of size, length, time and memory.

    Raises:
        UploadError: it is not, or no video that can be read.
    """
    name = shown_name(name, LONGEST_NAME)
    if path.stat().st_size > limits.bytes:
        raise UploadError(f"{name}: larger than the {limits.megabytes:g} MB that are taken here")
    try:
        with closing(RemoteSource(path, limits.decoding(limits.check_seconds))) as source:
            info = source.info
            _check_length(name, (info.header_frames or 0) / info.fps, limits)
            frames = source.count()
    except VideoError as error:
        raise UploadError(f"{name}: {error.cause}") from error
    _check_length(name, frames / info.fps, limits)
    return Upload(path, name, sha256_of(path), info.width, info.height, info.fps, frames)


class UploadStream:
    """An upload as a source of recognition.

    Args:
        upload: the video.
        limits: how long it may be read.

    Raises:
        VideoError: it cannot be read any more.
    """

    dropped = 0
    reconnects = 0

    def __init__(self, upload: Upload, limits: AppLimits) -> None:
        self.info = SourceInfo(
            upload.name, upload.width, upload.height, upload.fps, upload.frames, live=False
        )
        self._upload = upload
        self._source = RemoteSource(upload.path, limits.decoding(limits.answer_seconds))
        self._ahead: Ahead[Frame] | None = None

    def frames(self, stages: Stages) -> Iterator[Frame | Pause]:
        """Every frame."""
        room = room_for(self.info.width, self.info.height)
        self._ahead = Ahead(lambda: self._frames(0, self._upload.frames), room, stages)
        return iter(self._ahead)

    def between(self, start: int, stop: int) -> Iterator[Frame]:
        """The frames `[start, stop)`."""
        return self._frames(start, stop)

    def close(self) -> None:
        """Ends the process that decodes."""
        if self._ahead is not None:
            self._ahead.close()
        self._source.close()

    def _frames(self, start: int, stop: int) -> Iterator[Frame]:
        for frame in self._source.read(range(start, stop)):
            # Pixels from a pipe cannot be written to, which PyTorch warns of.
            yield replace(frame, frame_HWC=frame.frame_HWC.copy())


def frames_of(upload: Upload, start: int, stop: int, limits: AppLimits) -> Iterator[Frame]:
    """The frames `[start, stop)` of an upload, which are read in `limits.check_seconds`.

    Raises:
        UploadError: they cannot be read.
    """
    short = replace(limits, answer_seconds=limits.check_seconds)
    try:
        with closing(UploadStream(upload, short)) as stream:
            yield from stream.between(start, stop)
    except VideoError as error:
        raise UploadError(f"{upload.name}: {error.cause}") from error


def _check_length(name: str, seconds: float | Fraction, limits: AppLimits) -> None:
    if seconds > limits.seconds:
        raise UploadError(
            f"{name}: lasts {float(seconds):.1f} s; up to {limits.seconds:g} s are taken here. "
            "`tinyvirat recognize` on the command line takes any length"
        )
