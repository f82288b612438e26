"""The child process: `python -m tinyvirat.benchmark.worker`, spoken to in lines of JSON.

The first line is the job. It answers with what it is, and then every further line with what came of
it: the seconds of so many clips, or where its output was written.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TextIO

SHORTEST = 0.05
"""Seconds; what is quicker is done several times, and their mean is taken."""


class Work(Protocol):
    """What a child does."""

    facts: dict[str, Any]

    def once(self, size: int) -> None:
        """Does what is timed, for `size` clips."""

    def answer(self, path: Path) -> None:
        """Writes what it gives, for comparison."""


def open_work(job: dict[str, Any]) -> Work:
    """What a job asks for, ready."""
    kind = job["kind"]
    if kind == "network":
        from tinyvirat.benchmark.networks import NetworkWork

        return NetworkWork(job)
    if kind == "export":
        from tinyvirat.benchmark.engines import ExportWork

        return ExportWork(job)
    if kind == "matrix":
        from tinyvirat.benchmark.matrix import MatrixWork

        return MatrixWork(job)
    if kind == "training":
        from tinyvirat.benchmark.training import TrainingWork

        return TrainingWork(job)
    if kind == "data":
        from tinyvirat.benchmark.data import DataWork

        return DataWork(job)
    if kind == "accuracy":
        from tinyvirat.benchmark.accuracy import AccuracyWork

        return AccuracyWork(job)
    raise ValueError(f"no work is called {kind!r}")


def serve(orders: TextIO, say: Callable[[dict[str, Any]], None]) -> None:
    """Answers orders until there are none."""
    try:
        began = time.perf_counter()
        job = json.loads(orders.readline())
        import torch

        torch.set_num_threads(int(job["threads"]))
        work = open_work(job)
        say({"prepare_seconds": time.perf_counter() - began, **work.facts})
        for line in orders:
            order = json.loads(line)
            if "answer" in order:
                work.answer(Path(order["answer"]))
                say({})
            else:
                say(timed(work, int(order["size"]), warm=bool(order.get("warm"))))
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        say({"error": f"{type(error).__name__}: {text}" if text else type(error).__name__})


def timed(work: Work, size: int, *, warm: bool = False) -> dict[str, Any]:
    """Seconds of one time, and the most memory that was held in it.

    Args:
        work: what to time.
        size: of it.
        warm: begin the count of memory anew, as getting ready may have needed more.
    """
    if warm:
        forget_peak()
    began = time.perf_counter()
    times = 0
    while True:
        work.once(size)
        times += 1
        seconds = time.perf_counter() - began
        if seconds >= SHORTEST or warm:
            return {"seconds": seconds / times, "memory_mb": peak_mb()}


def forget_peak() -> None:
    """Lets the most memory held so far be what is held now, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> float:
    """The most memory that this process held since `forget_peak`, in MB."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> None:
    """Keeps standard output for answers: libraries print what they like, to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(data: dict[str, Any]) -> None:
        answers.write(json.dumps(data) + "\n")
        answers.flush()

    serve(sys.stdin, say)
    answers.flush()
    os._exit(0)  # engines can take long, or break, on their way out


if __name__ == "__main__":
    main()
