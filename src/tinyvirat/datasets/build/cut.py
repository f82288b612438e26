"""One pass over a video writes all of its clips.

Every picture is decoded once. The windows are cut out of it as it is stored, and small pictures
wait until their clip is complete: then one encoder after another works on what lies together in
memory, which takes two thirds of the time that fifty encoders in turn take. A clip of large
pictures does not wait that long: at `WAITING_BYTES` what there is goes to its encoder, so that
memory depends on how many clips run at once and not on how long they are. Encoding has a thread of
its own and at most `AHEAD_BYTES` before it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from tinyvirat.datasets.build.records import CutClip, CutJob, CutVideo, NamedClip
from tinyvirat.datasets.build.state import save_cut, work_folder
from tinyvirat.video import VideoError, VideoWriter
from tinyvirat.video.planes import Colours, PlaneClip, PlaneReader, Planes, Windows
from tinyvirat.video.writer import FASTEST, SLOWEST

# Clips are data: of what the source shows, as little as possible is to be lost. This keeps 47 dB of
# brightness (rendered scenes; 42 dB of RGB in VIRAT's clip). At the same distortion, `superfast`
# would take two fifths more time for files smaller by 6 % (VIRAT's clip) to 40 % (rendered scenes).
PRESET = "ultrafast"
QUANTISER = 14
WAITING_BYTES = 4 << 20
AHEAD_BYTES = 64 << 20
# A rate of more digits than a manifest holds is no rate that a camera has.
LARGEST_DENOMINATOR = 100_000
FRAMES_A_TICK = 25

Encoding = Generator[None, PlaneClip | None, None]


def cut_video(
    job: CutJob, *, threads: int | None = None, tick: Callable[[int], None] | None = None
) -> CutVideo:
    """Cuts the clips of one video and puts them into place together.

    Whatever interrupts it, the clips are all in place and noted as done, or the next run cuts them
    again. What it writes depends on nothing but the job.

    Args:
        job: the video and its clips.
        threads: of the decoder; None chooses by the size of the pictures.
        tick: is told of frames that were gone through, some at a time.

    Returns:
        What became of it; an unreadable video is a result, not an error.

    Raises:
        VideoError: a clip cannot be written.
    """
    work = Path(tempfile.mkdtemp(prefix=f"{job.video}-", dir=work_folder(job.out)))
    try:
        try:
            reader = PlaneReader(job.file, threads)
        except VideoError as error:
            return unreadable(job, error.cause)
        with reader:
            fps = reader.fps.limit_denominator(LARGEST_DENOMINATOR)
            if not SLOWEST <= fps <= FASTEST:
                return unreadable(job, f"says that it has {float(fps):g} frames a second")
            source = _Source(reader, tick)
            with _Encoder(work, fps, reader.colours) as encoder:
                try:
                    done = _cut(source, job.clips, encoder)
                except _SourceError as error:
                    return unreadable(job, error.cause, source.frames)
        clips = tuple(CutClip(name, (work / f"{name}.mp4").stat().st_size) for name in done)
        cut = CutVideo(
            job.video,
            job.folder,
            job.fingerprint,
            source.frames,
            reader.width,
            reader.height,
            fps,
            clips,
        )
        save_cut(job.out, work, cut)
        return cut
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _SourceError(Exception):
    """The source cannot be read on; apart from errors of writing, which are of the same class."""

    def __init__(self, error: VideoError) -> None:
        super().__init__(str(error))
        self.cause = error.cause


class _Source:
    """The pictures of a video, counted as they come."""

    def __init__(self, reader: PlaneReader, tick: Callable[[int], None] | None) -> None:
        self.frames = 0
        self._reader = reader
        self._tick = tick

    def __iter__(self) -> Generator[tuple[int, Planes]]:
        pictures = iter(self._reader)
        while True:
            try:
                picture = next(pictures, None)
            except VideoError as error:
                raise _SourceError(error) from error
            if picture is None:
                break
            self.frames = picture[0] + 1
            if self._tick is not None and self.frames % FRAMES_A_TICK == 0:
                self._tick(FRAMES_A_TICK)
            yield picture
        if self._tick is not None:
            self._tick(self.frames % FRAMES_A_TICK)


def _cut(source: _Source, clips: Sequence[NamedClip], encoder: _Encoder) -> list[str]:
    """Goes through the source once; the names of the clips that are complete, in their order."""
    waiting = deque(sorted(clips, key=lambda one: one.clip.tube.start))
    running: list[_Running] = []
    done: set[str] = set()
    for index, planes in source:
        while waiting and waiting[0].clip.tube.start <= index:
            running.append(_Running(waiting.popleft()))
        complete = False
        for one in running:
            one.add(planes)
            if one.is_complete:
                encoder.finish(one.name, one.take())
                done.add(one.name)
                complete = True
            elif one.is_full:
                encoder.write(one.name, one.take())
        if complete:
            running = [one for one in running if not one.is_complete]
    return [one.name for one in clips if one.name in done]


class _Running:
    """A clip while its frames go by."""

    def __init__(self, named: NamedClip) -> None:
        self.name = named.name
        self._side = named.clip.side
        self._corners: deque[tuple[int, int]] = deque(
            (x1, y1) for x1, y1, *_ in named.clip.windows_T4.tolist()
        )
        self._windows = self._room()

    def add(self, planes: Planes) -> None:
        """Cuts its window out of the next frame."""
        self._windows.add(planes, *self._corners.popleft())

    @property
    def is_complete(self) -> bool:
        """Whether it has all of its frames."""
        return not self._corners

    @property
    def is_full(self) -> bool:
        """Whether `take` is due."""
        return self._windows.is_full

    def take(self) -> Windows:
        """Its windows since they were last taken."""
        windows, self._windows = self._windows, self._room()
        return windows

    def _room(self) -> Windows:
        fitting = max(1, WAITING_BYTES // (self._side**2 * 3 // 2))
        return Windows(self._side, min(len(self._corners), fitting))


class _Encoder:
    """Writes clips in a thread of its own, in the order asked for; use it in a `with` block.

    The clips that were not finished leave no file. An error of writing is raised here, by one of
    the next calls or at the end of the block.
    """

    def __init__(self, folder: Path, fps: Fraction, colours: Colours) -> None:
        self._folder = folder
        self._fps = fps
        self._colours = colours
        self._begun: dict[str, Encoding] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._ahead: deque[tuple[Future[None], int]] = deque()
        self._ahead_bytes = 0

    def __enter__(self) -> _Encoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while self._ahead and error is None:
                self._settle()
        finally:
            self._thread.shutdown(cancel_futures=True)
            for encoding in self._begun.values():
                encoding.close()

    def write(self, name: str, windows: Windows) -> None:
        """Adds pictures to a clip."""
        self._put(lambda: self._write(name, windows), windows.bytes)

    def finish(self, name: str, windows: Windows) -> None:
        """Adds the last pictures of a clip; its file is then whole."""
        self._put(lambda: self._finish(name, windows), windows.bytes)

    def _put(self, work: Callable[[], None], size: int) -> None:
        while self._ahead and (self._ahead_bytes + size > AHEAD_BYTES or self._ahead[0][0].done()):
            self._settle()
        self._ahead.append((self._thread.submit(work), size))
        self._ahead_bytes += size

    def _settle(self) -> None:
        future, size = self._ahead.popleft()
        self._ahead_bytes -= size
        future.result()

    def _write(self, name: str, windows: Windows) -> None:
        if name not in self._begun:
            self._begun[name] = _encoding(self._folder / f"{name}.mp4", self._fps, self._colours)
            next(self._begun[name])
        self._begun[name].send(windows.clip())

    def _finish(self, name: str, windows: Windows) -> None:
        self._write(name, windows)
        encoding = self._begun.pop(name)
        try:
            encoding.send(None)
        except StopIteration:
            return


def _encoding(path: Path, fps: Fraction, colours: Colours) -> Encoding:
    """Is sent pictures, then None; closed before that, it leaves no file."""
    # One thread, so that the bytes do not depend on the machine.
    with VideoWriter(
        path,
        fps,
        preset=PRESET,
        quantiser=QUANTISER,
        threads=1,
        colours=colours,
        in_place=True,
    ) as writer:
        while (clip := (yield)) is not None:
            writer.write_planes(clip)


def unreadable(job: CutJob, why: str, frames: int = 0) -> CutVideo:
    """What becomes of a job whose video cannot be read to its end."""
    return CutVideo(job.video, job.folder, job.fingerprint, frames, 0, 0, Fraction(1), (), why)
