"""What is shown on standard error while an archive is recognised: videos, frames a second, rest."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tinyvirat.common.progress import PLAIN_EVERY_S, bar, say
from tinyvirat.common.words import counted
from tinyvirat.recognition.archive.records import Job, Outcome

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Showing:
    """Shows how far it is: a bar on a terminal, elsewhere a plain line now and then.

    The time left is counted by the bytes of the videos: how many frames they have is not known
    before they are opened. A context manager.

    Args:
        videos: how many there are.
        before: how many of them are finished.
        left: bytes of the others.
        shown: whether anything is shown at all.
    """

    def __init__(self, videos: int, before: int, left: int, *, shown: bool = True) -> None:
        self._videos = videos
        self._done = before
        self._bytes = max(1, left)
        self._bytes_done = 0
        self._frames = 0
        self._under_way: dict[str, tuple[int, float]] = {}  # frames and bytes of each video
        self._shown = shown
        self._began = self._said = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Showing:
        self._began = self._said = time.monotonic()
        if self._shown and sys.stderr.isatty():
            self._bar = bar("videos", "rate", counted=False)
            self._task = self._bar.add_task("recognising", total=1.0, rate="", videos="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at(self, job: Job, read: int, total: int | None) -> None:
        """So many frames of a video are read."""
        part = min(1.0, read / total) if total else 0.0
        self._under_way[job.name] = (read, part * job.size)
        self.beat()

    def finished(self, outcome: Outcome) -> None:
        """A video is over."""
        self._under_way.pop(outcome.job.name, None)
        self._done += 1
        self._bytes_done += outcome.job.size
        self._frames += outcome.note.frames if outcome.note else 0
        self.beat()

    def beat(self) -> None:
        """Some time has passed."""
        now = time.monotonic()
        every = PLAIN_EVERY_S if self._bar is None else 0.1
        if self._shown and now - self._said >= every:
            self._said = now
            self._say(now - self._began)

    def _say(self, elapsed: float) -> None:
        frames = self._frames + sum(read for read, _ in self._under_way.values())
        part = (self._bytes_done + sum(done for _, done in self._under_way.values())) / self._bytes
        rate = f"{frames / max(elapsed, 1e-9):.1f} frames/s"
        if self._bar is not None and self._task is not None:
            videos = f"{self._done:,}/{counted(self._videos, 'video')}"
            self._bar.update(self._task, completed=min(1.0, part), rate=rate, videos=videos)
            return
        line = f"recognising: {self._done:,} of {counted(self._videos, 'video')}, {rate}"
        if 0 < part < 1:
            line += f", {elapsed / part - elapsed:.0f} s left"
        say(line)
