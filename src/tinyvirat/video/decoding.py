"""One pass of PyAV over a file: pictures in the order they are shown, each with number and time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from itertools import chain, islice
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tinyvirat.common.cores import usable_cores
from tinyvirat.video.container import open_container, video_stream
from tinyvirat.video.packets import FrameMap, Timetable

# Below this, starting threads costs more than they save: measured on clips of 128 pixels.
SMALL_PIXELS = 640 * 480
MOST_THREADS = 8
FALLBACK_FPS = Fraction(25)
FALLBACK_TICK = Fraction(1, 90_000)


class NotExactError(Exception):
    """A jump did not land where the timetable says; never leaves this room."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture, not yet RGB: its number, its seconds since the first frame, its pixels."""

    index: int
    time: float
    pixels: VideoFrame


class Decoding:
    """One pass over a file, from its first frame or from a key frame.

    A packet that does not decode does not end the pass. If the file has a proven timetable, the
    picture before is shown again in its place, as players do, so that numbers and times stay those
    of the file's timeline; else its frame is left out. A file that breaks off ends the pass.

    Args:
        path: the file.
        known: what is known about the file's frames; learns the first.
        threads: of the decoder; None chooses by the size of the pictures.
        jump: the timetable and the number of the frame that is wanted first, to begin at the key
            frame before it; None begins at the first frame.

    Raises:
        VideoError: the file cannot be opened or holds no video.
        NotExactError: when reading on, and only after a jump: frames came out other than the
            timetable says.
    """

    def __init__(
        self,
        path: Path,
        known: FrameMap,
        threads: int | None = None,
        jump: tuple[Timetable, int] | None = None,
    ) -> None:
        self.jumped = jump is not None
        self.next_index = 0
        self._path = path
        self._known = known
        self._due: list[int] = []
        self._irregular = False
        self._open(threads)
        self._clock = _Clock(self.fps, self.stream.time_base)
        self._ahead: Picture | None = None
        self._pictures = self._numbered() if jump is None else self._jumped(*jump)

    def _open(self, threads: int | None) -> None:
        self.container: InputContainer = open_container(self._path)
        try:
            self.stream: VideoStream = video_stream(self.container, self._path)
        except BaseException:
            self.container.close()
            raise
        context = self.stream.codec_context
        self._threads = threads or chosen_threads(context.width * context.height)
        context.thread_count = self._threads
        context.thread_type = "AUTO"

    @property
    def fps(self) -> Fraction:
        """Average frames a second as the file tells it; 25 where it tells none."""
        for rate in (self.stream.average_rate, self.stream.guessed_rate, self.stream.base_rate):
            if rate is not None and rate > 0:
                return rate
        return FALLBACK_FPS

    def peek(self) -> Picture | None:
        """The next picture, which stays the next; None at the end."""
        if self._ahead is None:
            self._ahead = next(self._pictures, None)
        return self._ahead

    def next(self) -> Picture | None:
        """The next picture, or None at the end."""
        picture, self._ahead = self.peek(), None
        if picture is not None:
            self.next_index = picture.index + 1
        return picture

    def close(self) -> None:
        """Lets go of the file."""
        self._pictures.close()
        self.container.close()

    def _numbered(self) -> Generator[Picture]:
        """Pictures with their numbers: counted, and from the first loss on, by the timetable."""
        index = 0
        shown: VideoFrame | None = None
        for pixels in self._from_the_first():
            if shown is None:
                self._known.begins(pixels.pts, interlaced=pixels.interlaced_frame)
            elif (table := self._needed_table()) is not None:
                place = table.index_of(pixels.pts)
                if place is None or place < index:
                    continue
                yield from self._repeated(shown, table, index, place)
                index = place
            yield Picture(index, self._clock.time(pixels.pts), pixels)
            shown = pixels
            index += 1
        if shown is not None and (table := self._needed_table()) is not None:
            yield from self._repeated(shown, table, index, len(table))

    def _needed_table(self) -> Timetable | None:
        return self._known.timetable() if self._irregular else None

    def _repeated(
        self, shown: VideoFrame, table: Timetable, start: int, stop: int
    ) -> Iterator[Picture]:
        """A picture again for each of the lost frames `[start, stop)` after it."""
        for index in range(start, stop):
            yield Picture(index, self._clock.time(int(table.pts_N[index])), shown)

    def _jumped(self, table: Timetable, wanted: int) -> Generator[Picture]:
        key = index = table.key_before(wanted) or 0
        try:
            self.container.seek(int(table.pts_N[key]), stream=self.stream)
            for pixels in self._decoded(strict=True):
                here = table.index_of(pixels.pts)
                if here is not None and here < key:
                    continue  # shown before the key frame, perhaps without what it refers to
                if here != index:
                    raise NotExactError
                yield Picture(index, table.time(index), pixels)
                index += 1
        except av.FFmpegError:
            raise NotExactError from None
        if index != len(table):
            raise NotExactError

    def _from_the_first(self) -> Iterator[VideoFrame]:
        """All pictures, the same whatever the number of threads.

        With several threads an error comes to light late and can take good frames with it, so from
        there on one thread goes over the file again.
        """
        given = 0
        if self._threads > 1:
            try:
                for pixels in self._decoded(strict=True):
                    given += 1
                    yield pixels
                if not self._due:
                    return
            except av.FFmpegError:
                pass
            self.container.close()
            self._open(threads=1)
        yield from islice(self._decoded(strict=False), given, None)

    def _decoded(self, *, strict: bool) -> Iterator[VideoFrame]:
        """Pictures as the decoder gives them; notes whether each packet has its own in its turn."""
        self._due = []
        for packet in chain(self._packets(), [None]):
            if packet is not None and packet.pts is not None and not packet.is_discard:
                heappush(self._due, packet.pts)
            try:
                pictures = self.stream.codec_context.decode(packet)
            except av.FFmpegError as error:
                if strict and not isinstance(error, av.EOFError):
                    raise
                continue
            for pixels in pictures:
                self._arrived(pixels.pts)
                yield pixels
        self._irregular = self._irregular or bool(self._due)

    def _arrived(self, pts: int | None) -> None:
        due = heappop(self._due) if self._due else None
        while due is not None and pts is not None and due < pts:
            self._irregular = True
            due = heappop(self._due) if self._due else None
        if due != pts:
            self._irregular = True

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, IndexError):
                # The file ends here, whatever its header promised. The IndexError is PyAV's own,
                # for a transport stream in which another stream turns up late.
                return
            if packet is None:
                return
            if packet.size:
                yield packet


class _Clock:
    """Seconds since the first picture; where a time is missing or goes back, one frame later."""

    def __init__(self, fps: Fraction, time_base: Fraction | None) -> None:
        self._tick = time_base or FALLBACK_TICK
        self._step = max(1, round(1 / (fps * self._tick)))
        self._first: int | None = None
        self._last: int | None = None

    def time(self, pts: int | None) -> float:
        """The time of the next picture, stamped `pts`."""
        if self._last is None:
            self._first, self._last = pts, 0
            return 0.0
        stamped = self._last if pts is None or self._first is None else pts - self._first
        self._last = stamped if stamped > self._last else self._last + self._step
        return self._last * self._tick.numerator / self._tick.denominator


def chosen_threads(pixels: int) -> int:
    """Threads for a decoder of pictures of so many pixels, where none were asked for."""
    if pixels <= SMALL_PIXELS:
        return 1
    return min(MOST_THREADS, usable_cores())
