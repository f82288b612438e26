"""One video of an archive: recognised in a folder of its own, which is then put into place."""

from __future__ import annotations

import os
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from tinyvirat.recognition.archive.crew import Watch
from tinyvirat.recognition.archive.notes import (
    install,
    places,
    settings_of,
    wanted,
    work_folder,
    written_in,
)
from tinyvirat.recognition.archive.records import Amount, ArchiveError, Job, Note, Outcome, Plan
from tinyvirat.recognition.events import Action, Event, StreamEnd, StreamHeader
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.outputs.opening import open_sinks
from tinyvirat.recognition.proposals.records import ProposalError
from tinyvirat.recognition.stream import SourceInfo, VideoStream, open_stream, run_stream
from tinyvirat.recognition.stream.ahead import Pause
from tinyvirat.recognition.stream.run import is_clip
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.video import Frame, VideoError

MEMORY_UNITS = 1 << (20 if sys.platform == "darwin" else 10)
"""In a MB, of what the system counts memory in: bytes on macOS, else KB."""


def recognize_one(
    recognizer: ActionRecognizer, plan: Plan, mark: str, job: Job, watch: Watch
) -> Outcome:
    """Recognises one video, and puts what is written into its place.

    Args:
        recognizer: the model.
        plan: what is made of the video.
        mark: the plan's fingerprint.
        job: the video.
        watch: is called with every frame.

    Returns:
        What became of it. A video that cannot be read, or has no tubes of its own in the file of
        tubes, has failed; what was read of one that broke is in place all the same.

    Raises:
        OutputError: something cannot be written.
    """
    began, cpu = time.monotonic(), time.process_time()
    try:
        stat = job.path.stat()
        stream = Watched(open_stream(job.path), job, watch)
    except OSError as error:
        return Outcome(job, None, f"{job.path}: {error.strerror} (seen from {_here()})")
    except VideoError as error:
        return Outcome(job, None, str(error))
    clip = is_clip(stream.info, plan.tubes)
    with closing(stream), _work(plan, job) as folder:
        work = Path(folder)
        # Last: it is ended when all the others have been.
        tally = Tally()
        sinks = [*open_sinks(work, recognizer, wanted(plan, clip=clip)), tally]
        broken = None
        try:
            run_stream(
                recognizer, stream, sinks, plan.tubes, settings_of(plan, clip=clip), progress=False
            )
        except (VideoError, ProposalError) as error:
            broken = str(error)
        end = tally.ended
        if end is None or end.interrupted:
            return Outcome(job, None, broken, interrupted=broken is None)
        note = Note(
            video=job.video,
            size=stat.st_size,
            modified_ns=stat.st_mtime_ns,
            fingerprint=mark,
            files=written_in(work),
            clip=clip,
            frames=end.frames,
            tubes=end.tubes,
            windows=end.windows,
            actions=tuple(Amount(*one) for one in tally.actions.most_common()),
            width=stream.info.width,
            height=stream.info.height,
            fps=stream.info.fps,
            video_seconds=round(float(end.frames / stream.info.fps), 3),
            seconds=round(time.monotonic() - began, 3),
            cpu_seconds=round(time.process_time() - cpu, 3),
            memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEMORY_UNITS, 1),
            stages=tuple(Amount(name, round(value, 3)) for name, value in end.stages.items()),
            host=_here(),
            device=str(recognizer.inference.device),
            precision=str(recognizer.inference.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            error=broken,
        )
        own, of_clips = places(plan, job)
        try:
            install(work, of_clips if clip else own, note)
        except OSError as error:
            raise ArchiveError(f"{own}: cannot be written: {error.strerror}") from error
    return Outcome(job, note, broken)


def _work(plan: Plan, job: Job) -> tempfile.TemporaryDirectory[str]:
    """A folder for one attempt; its name says who is at it."""
    try:
        return tempfile.TemporaryDirectory(
            prefix=f"{job.name}-{_here()}-{os.getpid()}-",
            dir=work_folder(plan.out),
            ignore_cleanup_errors=True,
        )
    except OSError as error:
        raise ArchiveError(
            f"{plan.out}: cannot be written to from {_here()}: {error.strerror}"
        ) from error


def _here() -> str:
    return socket.gethostname()


class Watched:
    """A stream of frames under the name that was given, which tells how far it has come.

    Args:
        inner: the open source.
        job: what it is.
        watch: is told.
    """

    def __init__(self, inner: VideoStream, job: Job, watch: Watch) -> None:
        self.info: SourceInfo = replace(inner.info, name=job.video)
        self._inner = inner
        self._job = job
        self._watch = watch

    @property
    def dropped(self) -> int:
        """Frames that were lost."""
        return self._inner.dropped

    @property
    def reconnects(self) -> int:
        """How often the source had to be opened again."""
        return self._inner.reconnects

    def frames(self, stages: Stages) -> Iterator[Frame | Pause]:
        """Every frame once, in order."""
        for read, item in enumerate(self._inner.frames(stages), start=1):
            self._watch(self._job, read, self.info.frames)
            yield item

    def close(self) -> None:
        """Lets go of the source."""
        self._inner.close()


class Tally:
    """A sink that counts the actions of every label.

    Attributes:
        actions: how many, by label.
        ended: how it went; None until then.
    """

    def __init__(self) -> None:
        self.actions: Counter[str] = Counter()
        self.ended: StreamEnd | None = None

    def begin(self, header: StreamHeader) -> None:
        """Nothing."""

    def take(self, event: Event) -> None:
        """Counts an action."""
        if isinstance(event, Action):
            self.actions[event.label] += 1

    def end(self, end: StreamEnd) -> None:
        """Keeps how it went."""
        self.ended = end

    def abandon(self) -> None:
        """Nothing."""
