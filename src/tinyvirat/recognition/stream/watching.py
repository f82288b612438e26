"""What is shown on standard error while a video is recognised: frames a second and time left."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tinyvirat.common.progress import PLAIN_EVERY_S, bar, say
from tinyvirat.common.words import counted, printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Watching:
    """Shows how far it is: a bar on a terminal, elsewhere a plain line now and then.

    A context manager.

    Args:
        what: a few words, such as the file's name.
        total: how many frames there will be, as far as is known.
        shown: whether anything is shown at all.
    """

    def __init__(self, what: str, total: int | None, *, shown: bool = True) -> None:
        self._what = printable(what)
        self._total = total
        self._shown = shown
        self._began = self._said = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Watching:
        self._began = self._said = time.monotonic()
        if self._shown and sys.stderr.isatty():
            self._bar = bar("rate")
            self._task = self._bar.add_task(self._what, total=self._total, rate="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at(self, frames: int) -> None:
        """So many frames are done."""
        now = time.monotonic()
        if not self._shown or (self._bar is None and now - self._said < PLAIN_EVERY_S):
            return
        rate = frames / max(now - self._began, 1e-9)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=frames, rate=f"{rate:.1f} frames/s")
            return
        self._said = now
        line = f"{self._what}: {counted(frames, 'frame')}, {rate:.1f} frames/s"
        if self._total is not None and self._total > frames and rate:
            line = f"{self._what}: {frames:,} of {counted(self._total, 'frame')}, "
            line += f"{rate:.1f} frames/s, {(self._total - frames) / rate:.0f} s left"
        say(line)
