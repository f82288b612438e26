"""From scores over time to actions: where each label begins and where it ends (hysteresis)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ScoreArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some successive frames of a tube, with one score a label.

    Attributes:
        start: the first frame, from the tube's first.
        stop: the frame after the last.
        start_time: of the first frame in seconds.
        stop_time: at which the last frame ends.
        scores_K: smoothed probabilities.
    """

    start: int
    stop: int
    start_time: float
    stop_time: float
    scores_K: ScoreArray


@dataclass(frozen=True)
class Interval:
    """One label from its beginning to its end.

    Attributes:
        label: its number.
        start: the first frame, from the tube's first.
        stop: the frame after the last.
        start_time: of the first frame in seconds.
        stop_time: at which the last frame ends.
        score: the mean of the scores in between.
        peak: the highest of them.
    """

    label: int
    start: int
    stop: int
    start_time: float
    stop_time: float
    score: float
    peak: float


@dataclass(frozen=True)
class Rule:
    """When a label holds.

    Attributes:
        enter_K: the score at which each label begins.
        leave_K: the score below which it ends; nowhere above `enter_K`.
        exclusive: one label at most holds at a time: the one with the highest score.
        shortest: seconds; what is shorter does not count, unless it is the whole tube.
    """

    enter_K: ScoreArray
    leave_K: ScoreArray
    exclusive: bool
    shortest: float

    def holding(self, scores_K: ScoreArray, before_K: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """What holds now, given the scores and what held before."""
        begins_K = scores_K >= self.enter_K
        stays_K = before_K & (scores_K >= self.leave_K)
        if not self.exclusive:
            return begins_K | stays_K
        top_K = np.zeros_like(before_K)
        top_K[int(np.argmax(scores_K))] = True
        begins_K &= top_K
        return begins_K if begins_K.any() else stays_K


@dataclass(frozen=True, eq=False)
class Decided:
    """A stretch of which it is known what holds.

    Attributes:
        stretch: which.
        labels: numbers of those that hold, highest score first.
    """

    stretch: Stretch
    labels: tuple[int, ...]


@dataclass
class _Open:
    """A label that holds and has not ended."""

    first: Stretch
    last: Stretch
    peak: float
    sum: float = 0.0
    sure: bool = False

    def extend(self, stretch: Stretch, score: float, shortest: float) -> None:
        """Holds in the next stretch too."""
        self.last = stretch
        self.sum += score * (stretch.stop - stretch.start)
        self.peak = max(self.peak, score)
        # Times are sums of fractions of a second: a little less is as long.
        lasted = stretch.stop_time - self.first.start_time
        self.sure = self.sure or lasted >= shortest - 1e-6

    def interval(self, label: int) -> Interval:
        """From the first stretch to the last."""
        first, last = self.first, self.last
        mean = self.sum / (last.stop - first.start)
        return Interval(
            label, first.start, last.stop, first.start_time, last.stop_time, mean, self.peak
        )


@dataclass(eq=False)
class _Pending:
    stretch: Stretch
    labels: set[int] = field(default_factory=set)


class Hysteresis:
    """Takes a tube's stretches and decides what holds in them, a little later.

    Whether a label counts is known when it has held for long enough, or has ended before.

    Args:
        rule: when a label holds.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._held_K = np.zeros(len(rule.enter_K), np.bool_)
        self._open: dict[int, _Open] = {}
        self._pending: deque[_Pending] = deque()

    def add(self, stretch: Stretch) -> tuple[list[Decided], list[Interval]]:
        """The next stretch; gives those that are decided by it, and the actions that it ends."""
        holds_K = self._rule.holding(stretch.scores_K, self._held_K)
        ended = [self._close(label) for label in sorted(self._open) if not holds_K[label]]
        intervals = [one for one in ended if one is not None]
        pending = _Pending(stretch)
        for label in np.flatnonzero(holds_K).tolist():
            self._extend(label, stretch)
            pending.labels.add(label)
        self._held_K = holds_K
        self._pending.append(pending)
        return self._decided(), intervals

    def finish(self) -> tuple[list[Decided], list[Interval]]:
        """The tube is over; gives what is left."""
        left = [self._close(label, at_end=True) for label in sorted(self._open)]
        return self._decided(), [one for one in left if one is not None]

    def _extend(self, label: int, stretch: Stretch) -> None:
        score = float(stretch.scores_K[label])
        one = self._open.setdefault(label, _Open(stretch, stretch, score))
        one.extend(stretch, score, self._rule.shortest)

    def _close(self, label: int, at_end: bool = False) -> Interval | None:
        one = self._open.pop(label)
        if one.sure or (at_end and one.first.start == 0):
            return one.interval(label)
        for pending in self._pending:
            if pending.stretch.start >= one.first.start:
                pending.labels.discard(label)
        return None

    def _decided(self) -> list[Decided]:
        unsure = [one.first.start for one in self._open.values() if not one.sure]
        until = min(unsure, default=None)
        found = []
        while self._pending and (until is None or self._pending[0].stretch.start < until):
            pending = self._pending.popleft()
            scores_K = pending.stretch.scores_K
            order = sorted(pending.labels, key=lambda label: (-scores_K[label], label))
            found.append(Decided(pending.stretch, tuple(order)))
        return found
