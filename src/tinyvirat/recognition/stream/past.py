"""The last things of a long row, by their place in the whole row."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class Past(Generic[T]):
    """A row that is added to at its end and forgotten from its beginning."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._first = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def stop(self) -> int:
        """The place after the last."""
        return self._first + len(self._items)

    def add(self, item: T) -> None:
        """At the end."""
        self._items.append(item)

    def between(self, start: int, stop: int) -> list[T]:
        """The items at `[start, stop)`, none of which is forgotten."""
        if start < self._first or stop > self.stop:
            raise IndexError(f"[{start}, {stop}) is not within [{self._first}, {self.stop})")
        return list(islice(self._items, start - self._first, stop - self._first))

    def forget(self, until: int) -> None:
        """Lets go of everything before the place `until`."""
        while self._items and self._first < until:
            self._items.popleft()
            self._first += 1
