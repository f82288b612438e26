"""Frames decoded in a thread of their own, some ahead of who looks at them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from typing import Generic, TypeVar

from tinyvirat.recognition.stream.stages import Stages

T = TypeVar("T")

ROOM_BYTES = 64 << 20
"""Of the frames that wait, about."""
FEWEST, MOST = 4, 64
"""Frames that may wait, whatever their size."""
QUIET_S = 0.25
"""Seconds without anything new after which that is said."""


class Pause(Enum):
    """What a source gives between frames.

    Attributes:
        QUIET: nothing came for a while.
        BROKEN: the source was lost and found again; what follows does not continue what was.
    """

    QUIET = "quiet"
    BROKEN = "broken"


class _StoppedError(Exception):
    """Nobody wants more."""


class Ahead(Generic[T]):
    """Goes over items in a thread of its own, once.

    Args:
        items: makes the iterator, in that thread; it is also closed there.
        room: how many items may wait.
        stages: counts the time of `decode`; where a source is waited for, that too.
    """

    def __init__(
        self,
        items: Callable[[], Iterator[T]],
        room: int,
        stages: Stages,
    ) -> None:
        self._make = items
        self._stages = stages
        self._waiting: queue.Queue[T | BaseException | None] = queue.Queue(room)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)

    @property
    def full(self) -> bool:
        """Whether there is no room for another item."""
        return self._waiting.full()

    def __iter__(self) -> Iterator[T | Pause]:
        """The items in their order, and `Pause.QUIET` where the next is long in coming.

        Raises:
            Exception: what going over them raised.
        """
        self._thread.start()
        while True:
            try:
                item = self._waiting.get(timeout=QUIET_S)
            except queue.Empty:
                yield Pause.QUIET
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self, patience: float = 5.0) -> None:
        """Ends the thread; waits for it so many seconds at most."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        end: BaseException | None = None
        items = self._make()
        try:
            while True:
                with self._stages.measure("decode"):
                    item = next(items, None)
                if item is None:
                    break
                self._put(item)
        except _StoppedError:
            return
        except Exception as error:  # it is raised again where the items are taken
            end = error
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        with suppress(_StoppedError):
            self._put(end)

    def _put(self, item: T | BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                self._waiting.put(item, timeout=QUIET_S)
                return
            except queue.Full:
                continue
        raise _StoppedError


def room_for(width: int, height: int) -> int:
    """How many frames of that size may wait."""
    return max(FEWEST, min(MOST, ROOM_BYTES // max(1, width * height * 3)))
