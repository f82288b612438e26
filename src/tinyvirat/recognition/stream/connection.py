"""One connection to a camera or to an address, from its opening to its end.

What comes from a network is trusted for nothing: only the schemes below are taken, and FFmpeg is
told to open no other protocol, so that a playlist cannot name a file of this machine. Everything
has a time-out.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvStream

from tinyvirat.recognition.stream.settings import StreamError
from tinyvirat.video import VideoError
from tinyvirat.video.container import DEMUXERS, MAX_PIXELS, video_stream
from tinyvirat.video.decoding import chosen_threads

SCHEMES = ("http", "https", "rtsp", "rtsps")
PROTOCOLS = "http,https,httpproxy,tls,tcp,crypto,rtp,udp"
"""What FFmpeg may open on its own: never `file`."""
FORMATS = f"{DEMUXERS},hls,mpjpeg,rtsp"
PLAYLISTS = ("hls",)
"""Formats whose own size says nothing of their length."""
FALLBACK_FPS, SLOWEST, FASTEST = Fraction(25), 1, 240
"""Frames a second. Streams without a rate of their own claim 90,000."""
CAMERAS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


class SourceError(VideoError):
    """An address or a camera that cannot be read, or not any more.

    Args:
        name: the source, without a password.
        cause: what is wrong with it, and the remedy where there is one.
    """

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(Path(name), cause)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name}: {self.cause}"


@dataclass(frozen=True)
class Timeouts:
    """How long to wait.

    Attributes:
        open: seconds for a connection to be made, and again for its first picture to come.
        read: seconds without a new picture after which a connection is taken for broken.
    """

    open: float = 15.0
    read: float = 10.0


@dataclass(frozen=True)
class Target:
    """What is to be opened.

    Attributes:
        name: for people; without a password.
        file: what FFmpeg opens, with its password.
        format: FFmpeg's name of a camera's interface; None for addresses.
        http: it is an address of a web server, which may give a file from its beginning again.
        options: for FFmpeg.
    """

    name: str
    file: str = field(repr=False)
    format: str | None
    http: bool
    options: tuple[tuple[str, str], ...]


def target_of(source: str | int) -> Target:
    """What an address or a camera's number means.

    Raises:
        StreamError: a scheme that is not read, no host, a port that is no number, or a camera that
            cannot be.
    """
    if isinstance(source, int):
        return _camera(source)
    try:
        parts = urlsplit(source)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its text can hold the password
        raise StreamError(
            f"{_shown(source)!r} is no address: its host or its port cannot be read; in a "
            "password, / is written %2F, ? %3F, # %23 and @ %40"
        ) from None
    if parts.scheme.lower() not in SCHEMES:
        raise StreamError(
            f"{parts.scheme}://...: addresses of {', '.join(SCHEMES)} are read; for a file, give "
            "its path"
        )
    if not host or not source.isprintable():
        raise StreamError(
            f"{_shown(source)!r} is no address: it needs a host, as in rtsp://camera/live"
        )
    name = f"{parts.scheme}://{_without_password(parts)}"
    rtsp = parts.scheme.lower().startswith("rtsp")
    # Over UDP lost packets make broken pictures, and firewalls let nothing through.
    options = (("rtsp_transport", "tcp"),) if rtsp else ()
    return Target(name, source, None, not rtsp, options)


def _without_password(parts: SplitResult) -> str:
    """Host and path of an address, also where its user or password holds a `/` or a `?`."""
    path = parts.path
    if "@" in parts.query + parts.fragment:
        path = path.partition(":")[0]
    before, _, after = f"{parts.netloc}{path}".rpartition("@")
    return after if ":" in before else f"{parts.netloc.rpartition('@')[2]}{path}"


def _shown(source: str) -> str:
    """What may be said of an address that cannot be taken apart: nothing before an `@`."""
    scheme, mark, rest = source.partition("://")
    before, _, after = rest.rpartition("@")
    if not scheme.isalnum():
        return "..."
    if "?" in before or "#" in before:  # the `@` may be in the password as well as behind the path
        return f"{scheme}{mark}..."
    return f"{scheme}{mark}{after.partition('?')[0].partition('#')[0]}"


def _camera(number: int) -> Target:
    interface = CAMERAS.get(sys.platform)
    name = f"camera {number}"
    if interface is None or number < 0:
        raise StreamError(f"{name}: cameras have numbers from 0, on Linux, macOS and Windows")
    if interface == "v4l2":
        return Target(name, f"/dev/video{number}", interface, False, ())
    if interface == "avfoundation":
        return Target(name, str(number), interface, False, (("framerate", "30"),))
    devices = [one.name for one in av.enumerate_input_devices(interface)]
    if number >= len(devices):
        raise StreamError(f"{name}: there are {len(devices)} cameras, numbered from 0")
    return Target(name, f"video={devices[number]}", interface, False, ())


class Connection:
    """An open connection: its pictures, until it ends or breaks. It belongs to one thread.

    Args:
        target: what to open.
        timeouts: how long to wait.

    Attributes:
        fps: frames a second, as it says; 25 where that is none that a camera has.
        tick: seconds of a unit of its timestamps.
        endless: nobody knows its length.
        frames: as its header claims, or None.
        clean: it ended as it should, as far as it says.

    Raises:
        SourceError: it cannot be opened, or there is no video in it.
    """

    def __init__(self, target: Target, timeouts: Timeouts) -> None:
        self.clean = False
        self._target = target
        self._timeouts = timeouts
        self._container = _opened(target, timeouts)
        try:
            self._stream: AvStream = video_stream(self._container, Path(target.name))
        except VideoError as error:
            self._container.close()
            raise SourceError(target.name, error.cause) from None
        context = self._stream.codec_context
        context.thread_count = chosen_threads(context.width * context.height)
        context.thread_type = "AUTO"
        self.fps = self._fps()
        self.tick = self._stream.time_base or Fraction(1, 90_000)
        self.frames = self._stream.frames or None
        self.endless = self._is_endless()

    def pictures(self) -> Iterator[VideoFrame]:
        """Every picture that decodes, until the connection ends or breaks.

        FFmpeg's own time-outs begin anew with every packet, of sound too. So packets of all streams
        are looked at, and the wait for the next picture has an end of its own; the time that a
        picture is looked at does not count. What has an end is read to it, once it gave a picture:
        a film's sound may be longer.
        """
        packets = self._container.demux()
        until = time.monotonic() + self._timeouts.open
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError, IndexError):
                # Broken (or PyAV's own error for a stream that turns up late).
                yield from self._decoded(None)
                return
            if packet is None:
                self.clean = True
                return
            if packet.stream.index == self._stream.index and (found := self._decoded(packet)):
                yield from found
                until = time.monotonic() + self._timeouts.read if self.endless else math.inf
            elif time.monotonic() > until:
                return

    def close(self) -> None:
        """Lets go of it."""
        self._container.close()

    def _decoded(self, packet: av.Packet[Any] | None) -> list[VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except (av.FFmpegError, OSError):
            return []  # a damaged packet does not end a stream

    def _fps(self) -> Fraction:
        stream = self._stream
        for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
            if rate is not None and SLOWEST <= rate <= FASTEST:
                return rate
        return FALLBACK_FPS

    def _is_endless(self) -> bool:
        if self._stream.duration is not None or self._container.duration is not None:
            return False
        if self._target.format is not None or self._container.format.name in PLAYLISTS:
            return True
        return self._container.size <= 0


def _opened(target: Target, timeouts: Timeouts) -> InputContainer:
    limits = {"max_pixels": str(MAX_PIXELS)}
    doors = (
        {"format_whitelist": FORMATS, "protocol_whitelist": PROTOCOLS}
        if target.format is None
        else {}
    )
    try:
        return av.open(
            target.file,
            format=target.format,
            options=limits,
            container_options=doors | dict(target.options),
            metadata_errors="replace",
            timeout=(timeouts.open, timeouts.read),
        )
    except av.ExitError:
        cause = f"did not answer within {timeouts.open:g} s"
    except (av.FFmpegError, OSError, ValueError) as error:
        cause = f"cannot be opened: {getattr(error, 'strerror', None) or type(error).__name__}"
    raise SourceError(target.name, f"{cause}; is the address right, and can it be reached?")
