"""One way to say on standard error how work goes: lines, and a bar with an estimate."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, TypeVar

from tinyvirat.common.words import printable

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
PLAIN_EVERY_S = 15.0


def say(text: str) -> None:
    """Writes a line on standard error, at once; what could steer a terminal is escaped."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yields `items` while showing progress and the time left on standard error.

    On a terminal this is a bar; elsewhere (a log file, CI) a plain line every 15 seconds, so that
    short work prints nothing.

    Args:
        items: what to go through.
        what: a few words for the bar, such as `decoding`.
        total: how many there are; taken from `len(items)` where it has one.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        yield from _shown(items, what, total)
    else:
        yield from _plain(items, what, total)


def bar(*fields: str, counted: bool = True) -> Progress:
    """A bar on standard error, with the time taken and the time left.

    It is shown from its `start` to its `stop`, or as long as it is entered.

    Args:
        fields: of a task, shown as text before the times; `add_task` and `update` give them.
        counted: show how many of how many are done.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),  # it can be the name of a file
        BarColumn(),
        *([MofNCompleteColumn()] if counted else []),
        *(TextColumn(f"{{task.fields[{field}]}}", markup=False) for field in fields),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _shown(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    with bar() as shown:
        task = shown.add_task(what, total=total)
        for item in items:
            yield item
            shown.advance(task)


def _plain(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    began = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said < PLAIN_EVERY_S:
            continue
        said = now
        line = f"{what}: {done}"
        if total:
            left = (now - began) / done * (total - done)
            line = f"{what}: {done} of {total}, {left:.0f} s left"
        say(line)
