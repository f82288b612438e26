"""Measures many files in processes of their own, and outlives a file that ends one of them.

A file from elsewhere can make a decoder crash, or take all memory. The process that worked on it is
then gone and with it those beside it: what was in work is measured once more, one file at a time,
and a file that ends its process again is unreadable.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.health.facts import FileFacts, View, unreadable
from tinyvirat.datasets.health.measure import measure_file

# Files given to each process ahead of time: none waits, and few are measured twice after a crash.
AHEAD = 2
CRASHED = "the decoder crashes on it (its process ended without an answer)"
# A forked process would inherit locks that other threads of this one may hold.
CONTEXT = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Job:
    """One file to measure, and the clips in it."""

    file: Path
    views: tuple[View, ...]


def measured(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, FileFacts]]:
    """Measures files; each is given with its facts as soon as they are known, in any order.

    Args:
        jobs: the files.
        workers: processes; 0 measures in this one, where a crash ends everything.

    Raises:
        TinyviratError: no process can be started.
    """
    if workers == 0:
        for job in jobs:
            yield job, measure_file(job.file, job.views)
        return
    left = list(reversed(jobs))
    while left:
        suspects: list[Job] = []
        yield from _until_broken(left, suspects, min(workers, len(left)))
        for job in suspects:
            yield job, _alone(job)


def _until_broken(
    left: list[Job], suspects: list[Job], workers: int
) -> Iterator[tuple[Job, FileFacts]]:
    """Works `left` off from its end; when a process dies, puts what was in work in `suspects`."""
    pool = ProcessPoolExecutor(workers, mp_context=CONTEXT)
    running: dict[Future[FileFacts], Job] = {}
    try:
        while left or running:
            while left and len(running) < AHEAD * workers:
                job = left[-1]
                running[pool.submit(measure_file, job.file, job.views)] = job
                left.pop()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                facts = future.result()
                yield running.pop(future), facts
    except BrokenProcessPool:
        suspects.extend(running.values())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _alone(job: Job) -> FileFacts:
    with ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:
        try:
            pool.submit(os.getpid).result()
        except BrokenProcessPool as error:
            raise TinyviratError(
                "no processes can be started here to decode in; use --workers 0"
            ) from error
        try:
            return pool.submit(measure_file, job.file, job.views).result()
        except BrokenProcessPool:
            return unreadable(CRASHED, len(job.views))
