"""Whether anything got slower since an earlier report.

Machines differ and are busy, so that seconds say little. Each figure is divided by what the machine
could do in its own run: operations of a matrix product in the same precision, in the middle turn.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyvirat.benchmark.records import BenchmarkError, Report, Speed, Timing

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

    Raises:
        BenchmarkError: they are of different devices, or of different numbers of threads.
    """
    refuse_other(then, now.machine.threads, now.machine.device)
    earlier = {row.key: row for row in _rows(then)}
    changes = []
    for row in _rows(now):
        old = earlier.get(row.key)
        if old is None:
            continue
        before, after = _seconds(old, row)
        was, cost = _cost(then, old, before), _cost(now, row, after)
        if was:
            changes.append(Change(", ".join(row.key), None if cost is None else was / cost))
    return changes


def _rows(report: Report) -> list[Speed | Timing]:
    return [*report.speeds, *report.timings]


def refuse_other(then: Report, threads: int, device: str) -> None:
    """Makes sure that an earlier report was made in the same way.

    Raises:
        BenchmarkError: it was not.
    """
    for what, old, new in (
        ("threads", then.machine.threads, threads),
        ("device", then.machine.device, device),
    ):
        if old != new:
            raise BenchmarkError(
                f"the earlier report was made with {what} {old}, this one with {new}: they cannot "
                f"be compared; use --{what} {old}"
            )


def _seconds(old: Speed | Timing, new: Speed | Timing) -> tuple[float | None, float | None]:
    """What is compared: networks at their best number of clips, where both had the same, and else
    one clip at a time."""
    if isinstance(old, Speed) and isinstance(new, Speed):
        if old.batch == new.batch or new.seconds is None:
            return old.seconds_batched, new.seconds_batched
        return old.seconds, new.seconds
    return old.seconds, new.seconds


def _cost(report: Report, row: Speed | Timing, seconds: float | None) -> float | None:
    """What a figure costs in operations of matrix products; None where it did not run."""
    precision = row.precision if isinstance(row, Speed) else _precision(row)
    peak = report.peak(precision) or report.peak("float32")
    return None if seconds is None or peak is None else seconds * peak.median


def _precision(row: Timing) -> str:
    return "bfloat16" if "bfloat16" in row.variant else "float32"
