"""Whether anything got slower since an earlier report.

Machines differ and are busy, so that seconds say little. Each figure is divided by what the machine
could do in its own run: operations of a matrix product in the same precision, in the middle turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyvirat.benchmark.records import Report

TOLERANCE = 0.3
"""The part of its speed that a figure may lose before it counts as slower: two runs on a quiet
machine differ by less, one on a busy machine by more."""


@dataclass(frozen=True)
class Change:
    """One figure, then and now.

    Attributes:
        what: its key, joined.
        speed: now over then, each in the machine's own matrix products; 1 is as before. None: it
            ran before and does not any more.
    """

    what: str
    speed: float | None

    def slower(self, tolerance: float) -> bool:
        """Whether it lost more than `tolerance` of its speed, or all of it."""
        return self.speed is None or self.speed < 1.0 - tolerance


def compare(now: Report, then: Report) -> list[Change]:
    """Every figure that both reports have, or that only the earlier one could measure.

    What this run was not asked for is left out: only a row that is there and has a reason instead
    of a figure counts as lost.
    """
    earlier = dict(_figures(then))
    changes = []
    for key, cost in _figures(now):
        before = earlier.get(key)
        if before:
            speed = None if cost is None else before / cost
            changes.append(Change(", ".join(key), speed))
    return changes


def _figures(report: Report) -> Iterator[tuple[tuple[str, ...], float | None]]:
    """What each figure costs in operations of matrix products; None where it did not run."""
    for row in report.speeds:
        yield row.key, _cost(report, row.seconds_batched, row.precision)
    for timing in report.timings:
        precision = "bfloat16" if "bfloat16" in timing.variant else "float32"
        yield timing.key, _cost(report, timing.seconds, precision)


def _cost(report: Report, seconds: float | None, precision: str) -> float | None:
    peak = report.peak(precision) or report.peak("float32")
    return None if seconds is None or peak is None else seconds * peak.median
