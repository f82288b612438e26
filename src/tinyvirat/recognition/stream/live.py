"""Cameras and addresses: frames as they come, again and again connected.

- A source without a length (a camera, RTSP, a stream) is live: it does not wait. Frames that come
  while there is no room are dropped and counted, before they cost more than their decoding.
- A broken connection is made again, after a wait that doubles; frames are numbered on, and times go
  on by the clock of this machine. What comes then does not continue what was (`Pause.BROKEN`).
- A file on a web server has an end. If the connection breaks before, it is fetched again, and the
  frames that were had are passed over: numbers and times are those of the file.
- A source that gives nothing at all for long, though its time-outs should have ended it (a camera's
  driver can hang), is given up.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from tinyvirat.common.ranges import within
from tinyvirat.recognition.stream.ahead import QUIET_S, Ahead, Pause, room_for
from tinyvirat.recognition.stream.connection import (
    Connection,
    SourceError,
    Target,
    Timeouts,
    target_of,
)
from tinyvirat.recognition.stream.settings import StreamError
from tinyvirat.recognition.stream.source_info import SourceInfo
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.video import Frame, VideoError
from tinyvirat.video.upright import Upright


@dataclass(frozen=True)
class SourceSettings:
    """How a camera or an address is read.

    Attributes:
        timeouts: of one connection.
        tries: how often in a row a broken connection is made again before it is given up.
        first_wait: seconds before the first of these tries; each further wait is twice as long.
        longest_wait: seconds that no wait exceeds.
        live: whether frames are dropped when they come too fast; `None`: if the source has no
            length.

    Raises:
        StreamError: a value out of its range.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    tries: int = 10
    first_wait: float = 0.5
    longest_wait: float = 30.0
    live: bool | None = None

    def __post_init__(self) -> None:
        seconds = (self.timeouts.open, self.timeouts.read, self.first_wait, self.longest_wait)
        if not all(math.isfinite(one) and 0.0 < one <= 3600.0 for one in seconds):
            raise StreamError(f"time-outs and waits are {seconds}; each must be from 0 to 3600 s")
        within(StreamError, "tries", self.tries, 0, 1_000_000)

    @property
    def longest_silence(self) -> float:
        """Seconds after which a source that gives nothing has hung."""
        once = self.timeouts.open + self.timeouts.read + self.longest_wait
        return 2.0 * once * (self.tries + 1)


class LiveStream:
    """A camera or an address.

    Args:
        source: the number of a camera, or an address.
        settings: how.

    Attributes:
        info: what is known of it.
        dropped: frames that came too fast.
        reconnects: how often it was opened again.

    Raises:
        SourceError: it cannot be opened.
        StreamError: it is no address that is read.
    """

    def __init__(self, source: str | int, settings: SourceSettings | None = None) -> None:
        self._settings = settings = settings or SourceSettings()
        self._target = target_of(source)
        self._begun: _Begun | None = _begin(self._target, settings)
        opened = self._begun
        self.dropped = 0
        self.reconnects = 0
        height, width = opened.upright.size_HW
        connection = opened.connection
        live = connection.endless if settings.live is None else settings.live
        self.info = SourceInfo(
            self._target.name, width, height, connection.fps, connection.frames, live
        )
        self._fingerprint = opened.fingerprint
        self._clock = _Clock(float(1 / connection.fps))
        self._index = 0
        self._failed = 0  # tries since the last new frame
        self._closed = threading.Event()
        self._ahead: Ahead[Frame | Pause] | None = None

    def frames(self, stages: Stages) -> Iterator[Frame | Pause]:
        """Every frame that there was time for, and pauses."""
        self._ahead = Ahead(self._connected, room_for(self.info.width, self.info.height), stages)
        quiet = 0.0
        for item in self._ahead:
            quiet = quiet + QUIET_S if item is Pause.QUIET else 0.0
            if quiet > self._settings.longest_silence:
                raise SourceError(self._target.name, f"gave nothing for {quiet:.0f} s; it hangs")
            yield item

    def close(self) -> None:
        """Lets go of it; a connection that does not answer is left to its time-out."""
        self._closed.set()
        if self._ahead is not None:
            self._ahead.close()
        if self._begun is not None:
            self._begun.connection.close()
            self._begun = None

    def _connected(self) -> Iterator[Frame | Pause]:
        """Frames of one connection after the other."""
        begun, self._begun = self._begun, None
        same = False  # the connection gives the file of the ones before, from its beginning
        while begun is not None:
            before = self._index + self.dropped
            try:
                yield from self._of(begun, passing_over=same)
            finally:
                begun.connection.close()
            more = self._index + self.dropped > before
            endless = begun.connection.endless
            if begun.connection.clean and not endless:
                return
            if endless and same and not more:
                return  # the file ended where it ended before
            if more:
                self._failed = 0
            begun = self._again()
            if begun is None:
                return
            same = self._target.http and begun.fingerprint == self._fingerprint
            if not same:
                self._clock.go_on()
                yield Pause.BROKEN

    def _of(self, begun: _Begun, *, passing_over: bool) -> Iterator[Frame | Pause]:
        """The frames of a connection; of a file begun anew, those after the last one."""
        for pixels in chain([begun.first], begun.pictures):
            if self._closed.is_set():
                return
            stamp = None if pixels.pts is None else float(pixels.pts * begun.connection.tick)
            if passing_over and (stamp is None or self._clock.had(stamp)):
                continue
            moment = self._clock.time(stamp)
            if self.info.live and self._ahead is not None and self._ahead.full:
                self.dropped += 1
                continue
            yield Frame(self._index, moment, begun.rgb(pixels, self._target.name))
            self._index += 1

    def _again(self) -> _Begun | None:
        """Another connection; None when the stream was closed meanwhile.

        Raises:
            SourceError: none could be made, or it shows pictures of another size.
        """
        settings, cause = self._settings, "it breaks at the same place again"
        while self._failed < settings.tries:
            wait = min(settings.first_wait * 2.0**self._failed, settings.longest_wait)
            self._failed += 1
            if self._closed.wait(wait):
                return None
            try:
                begun = _begin(self._target, settings)
            except SourceError as error:
                cause = error.cause
                continue
            self.reconnects += 1
            height, width = begun.upright.size_HW
            if (width, height) != (self.info.width, self.info.height):
                begun.connection.close()
                raise _other_size(self._target.name, (self.info.width, self.info.height))
            return begun
        raise SourceError(
            self._target.name,
            f"was lost, and {settings.tries} tries did not bring it back: {cause}",
        )


@dataclass(frozen=True, eq=False)
class _Begun:
    """A connection with its first picture."""

    connection: Connection
    first: VideoFrame
    pictures: Iterator[VideoFrame]
    upright: Upright
    fingerprint: bytes

    def rgb(self, pixels: VideoFrame, name: str) -> NDArray[np.uint8]:
        """A picture as `frame_HWC`."""
        if (pixels.width, pixels.height) != (self.first.width, self.first.height):
            raise _other_size(name, (self.first.width, self.first.height))
        try:
            return self.upright(pixels, 0)
        except VideoError as error:
            raise SourceError(name, error.cause) from None


def _begin(target: Target, settings: SourceSettings) -> _Begun:
    connection = Connection(target, settings.timeouts)
    try:
        pictures = connection.pictures()
        first = next(pictures, None)
        if first is None:
            raise SourceError(
                target.name, f"gave no picture that decodes within {settings.timeouts.open:g} s"
            )
        try:
            upright = Upright(Path(target.name), first)
            content = upright(first, 0).tobytes()
        except VideoError as error:
            raise SourceError(target.name, error.cause) from None
        fingerprint = hashlib.blake2b(content + str(first.pts).encode()).digest()
        return _Begun(connection, first, pictures, upright, fingerprint)
    except BaseException:
        connection.close()
        raise


def _other_size(name: str, size: tuple[int, int]) -> SourceError:
    return SourceError(
        name,
        f"its pictures are not {size[0]}x{size[1]} any more; what came before is answered for, "
        "start again for the rest",
    )


class _Clock:
    """Seconds since the first frame, which always grow.

    Within a connection they are the source's own; from one to the next they go on by the clock of
    this machine.

    Args:
        step: seconds from one frame to the next where the source does not say, or says wrong.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._base = 0.0  # the time of the connection's first frame
        self._first: float | None = None  # and what it was stamped
        self._begins = True
        self._last: float | None = None
        self._at = 0.0

    def time(self, stamp: float | None) -> float:
        """The time of the next frame, stamped `stamp`."""
        now = time.monotonic()
        if self._begins:
            self._begins, self._first = False, stamp
            if self._last is not None:
                self._base = self._last + max(self._step, now - self._at)
            moment = self._base
        elif stamp is None or self._first is None:
            moment = -math.inf
        else:
            moment = self._base + stamp - self._first
        if self._last is not None and moment <= self._last:
            moment = self._last + self._step
        self._last, self._at = moment, now
        return moment

    def had(self, stamp: float) -> bool:
        """Whether the frame with this stamp was before the last one, or is it."""
        if self._first is None or self._last is None:
            return False
        return self._base + stamp - self._first <= self._last + self._step / 2

    def go_on(self) -> None:
        """The next frame is the first of another connection."""
        self._begins = True
