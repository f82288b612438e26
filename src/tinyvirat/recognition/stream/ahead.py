"""Frames decoded in a thread of their own, some ahead of who looks at them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
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
    """Goes over items in a thread of its own. A context manager.

    Args:
        items: makes the iterator, in that thread; it is also closed there.
        room: how many items may wait.
        stages: counts the time of `decode`.
        may_drop: says of an item whether it is left out when there is no room; None waits for room.

    Attributes:
        dropped: how many were left out.
    """

    def __init__(
        self,
        items: Callable[[], Iterator[T]],
        room: int,
        stages: Stages,
        may_drop: Callable[[T], bool] | None = None,
    ) -> None:
        self.dropped = 0
        self._make = items
        self._stages = stages
        self._may_drop = may_drop
        self._waiting: queue.Queue[T | BaseException | None] = queue.Queue(room)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T | Pause]:
        """The items in their order, and `Pause.QUIET` where the next is long in coming.

        Raises:
            Exception: what going over them raised.
        """
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
        try:
            self._put(end, keep=True)
        except _StoppedError:
            return

    def _put(self, item: T | BaseException | None, *, keep: bool = False) -> None:
        if self._stop.is_set():
            raise _StoppedError
        while True:
            try:
                self._waiting.put(item, timeout=0.0 if self._drops(item, keep) else QUIET_S)
                return
            except queue.Full:
                if self._drops(item, keep):
                    self.dropped += 1
                    return
                if self._stop.is_set():
                    raise _StoppedError from None

    def _drops(self, item: T | BaseException | None, keep: bool) -> bool:
        if keep or self._may_drop is None or item is None or isinstance(item, BaseException):
            return False
        return self._may_drop(item)


def room_for(width: int, height: int) -> int:
    """How many frames of that size may wait."""
    return max(FEWEST, min(MOST, ROOM_BYTES // max(1, width * height * 3)))
