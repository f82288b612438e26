"""Children that take turns, so that a busy moment of the machine hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinyvirat.benchmark.children import Child, ChildError


@dataclass(frozen=True)
class Pace:
    """How long measuring may take.

    Attributes:
        turns: rounds in which everybody takes a turn, after one to warm up.
        batches: sizes to measure; the first is that of one clip alone.
        budget: seconds that one child may work in the rounds of one size; it then sits out.
        limit: seconds that a child may take to get ready, and for one turn.
    """

    turns: int = 5
    batches: tuple[int, ...] = (1, 4)
    budget: float = 8.0
    limit: float = 240.0


@dataclass
class Found:
    """What a child's turns gave.

    Attributes:
        facts: what it said of itself.
        seconds: of every turn, by size.
        memory_mb: at the first size.
        reason: why it stopped; None: it did not.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[int, list[float]] = field(default_factory=dict)
    memory_mb: float | None = None
    reason: str | None = None

    def median(self, size: int) -> float | None:
        """The middle of the seconds at a size."""
        seconds = self.seconds.get(size)
        return statistics.median(seconds) if seconds else None

    def best(self) -> tuple[int, float] | None:
        """The size at which one clip takes the least time, and its seconds then."""
        each = [(s / size, size) for size in self.seconds if (s := self.median(size)) is not None]
        return (min(each)[1], min(each)[0]) if each else None


class Party:
    """Children that are measured against each other.

    Args:
        children: by name; each is started by whoever made it.
        pace: how long it may take.
    """

    def __init__(self, children: Mapping[str, Child], pace: Pace) -> None:
        self.pace = pace
        self.found = {name: Found() for name in children}
        self._left = dict(children)
        for name, child in children.items():
            try:
                self.found[name].facts = child.ready()
            except ChildError as error:
                self._leave(name, error)

    def play(self, sizes: Mapping[str, Sequence[int]] | None = None) -> dict[str, Found]:
        """Lets everybody take turns at each size.

        Args:
            sizes: by name, where they are not the pace's batches; as many for each.
        """
        rounds = len(self.pace.batches)
        for number in range(rounds):
            own = {
                name: (self.pace.batches if sizes is None else sizes.get(name, self.pace.batches))
                for name in self.found
            }
            self._rounds({name: of[min(number, len(of) - 1)] for name, of in own.items()}, number)
        return self.found

    def order(self, name: str, **order: Any) -> bool:
        """Gives one child an order; whether it could carry it out."""
        if name not in self._left:
            return False
        try:
            self._left[name].work(**order)
        except ChildError as error:
            self._leave(name, error)
            return False
        return True

    def _rounds(self, sizes: Mapping[str, int], number: int) -> None:
        worked = dict.fromkeys(self._left, 0.0)
        for turn in range(self.pace.turns + 1):
            for name in list(self._left):
                # One to warm up, and two that count, are everybody's.
                if turn > 2 and worked[name] >= self.pace.budget:
                    continue
                began = time.monotonic()
                try:
                    answer = self._left[name].work(size=sizes[name], warm=turn == 0)
                except ChildError as error:
                    self._leave(name, error)
                    continue
                worked[name] += time.monotonic() - began
                if turn:
                    found = self.found[name]
                    found.seconds.setdefault(sizes[name], []).append(float(answer["seconds"]))
                    if number == 0:
                        found.memory_mb = float(answer["memory_mb"])

    def _leave(self, name: str, error: ChildError) -> None:
        """One that fails at its first size has no figures; later it keeps what it has."""
        self._left.pop(name).close()
        if not self.found[name].seconds:
            self.found[name].reason = str(error)
