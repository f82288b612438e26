"""The best of many, in memory that does not grow."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Generic, TypeVar

from tinyvirat.recognition.events import TubeEnd

T = TypeVar("T")
Rank = tuple[float, ...]


class Best(Generic[T]):
    """Keeps the items of the highest rank; of equal ones, those that came first.

    Args:
        most: how many.

    Attributes:
        seen: how many were offered.
    """

    def __init__(self, most: int) -> None:
        self.seen = 0
        self._most = most
        self._heap: list[tuple[Rank, int, T]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[T]:
        """The kept items in the order in which they came."""
        return (item for _, _, item in sorted(self._heap, key=lambda entry: -entry[1]))

    def takes(self, rank: Rank) -> bool:
        """Whether an item of this rank would be kept now."""
        return len(self._heap) < self._most or rank > self._heap[0][0]

    def offer(self, rank: Rank, item: T) -> T | None:
        """Keeps an item, or not.

        Returns:
            The item that fell out: the one offered, an earlier one, or None while there is room.
        """
        self.seen += 1
        # Later items have lower numbers, so that among equals they are the first to fall out.
        entry = (rank, -next(self._order), item)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
            return None
        return heapq.heappushpop(self._heap, entry)[2]


def rank_of(tube: TubeEnd) -> Rank:
    """How much a tube has to show: one that does something before others, then by its scores."""
    peak = max((action.peak for action in tube.actions), default=-1.0)
    return peak, max((tube.scores or {}).values(), default=-1.0)
