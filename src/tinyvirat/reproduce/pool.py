"""Tasks in their order: one after another here, or side by side on several GPUs.

Where there are several GPUs each gets one process, which does one task at a time, sees no other
GPU, and writes its progress to `gpu-N.log` beside the runs. A task that fails takes with it only
those that need it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import torch

from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.work import Place, Task, do, is_done

VISIBLE = "CUDA_VISIBLE_DEVICES"
Say = Callable[[str], None]
Do = Callable[[Task, Place], None]


@dataclass(frozen=True)
class Failure:
    """A task that could not be done: its own error, or None where one that it needs failed."""

    task: Task
    error: BaseException | None


def gpus(cpu: bool = False) -> tuple[str, ...]:
    """The GPUs to spread the work over; empty where there are not several."""
    if cpu or torch.cuda.device_count() < 2:
        return ()
    named = os.environ.get(VISIBLE)
    names = named.split(",") if named else map(str, range(torch.cuda.device_count()))
    return tuple(names)


def carry_out(
    tasks: Sequence[Task], place: Place, say: Say, *, devices: Sequence[str] = (), work: Do = do
) -> list[Failure]:
    """Does all tasks that are not done yet.

    Args:
        tasks: each after those that it needs.
        place: where everything is.
        say: told in a line what begins, and what failed.
        devices: GPUs, one process each; empty does all work in this process.
        work: does one task.

    Returns:
        What could not be done.

    Raises:
        ReproduceError: a process was killed.
    """
    left = [task for task in dict.fromkeys(tasks) if not is_done(task, place)]
    if not devices:
        return _schedule(left, place, say, Here(), 1, work)
    context = multiprocessing.get_context("spawn")
    free: Queue[str] = context.Queue()
    for device in devices:
        free.put(device)
    given = (free, place.runs)
    try:
        with ProcessPoolExecutor(len(devices), context, _take_device, given) as pool:
            return _schedule(left, place, say, pool, len(devices), work)
    except BrokenProcessPool as error:
        raise ReproduceError(
            "a process was ended from outside, perhaps for want of memory; the same command goes "
            "on from the last checkpoints"
        ) from error


def _take_device(free: Queue[str], runs: Path) -> None:
    """Gives a new process its GPU, before anything in it has looked for one, and a log file."""
    device = free.get()
    os.environ[VISIBLE] = device
    runs.mkdir(parents=True, exist_ok=True)
    # Progress of several processes would be unreadable in one terminal.
    sys.stderr = (runs / f"gpu-{device}.log").open("a", encoding="utf-8", buffering=1)


class Here(Executor):
    """Does what it is given at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The outcome of `fn(*args, **kwargs)`, which has ended; an interrupt is let through."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _schedule(
    left: list[Task], place: Place, say: Say, pool: Executor, places: int, work: Do
) -> list[Failure]:
    """Submits every task as soon as what it needs is done, as many at a time as have a place."""
    failed: dict[Task, Failure] = {}
    running: dict[Future[Any], Task] = {}
    count = len(left)
    while left or running:
        while (
            vain := next((one for one in left if failed.keys() & {*one.needs}), None)
        ) is not None:
            left.remove(vain)
            failed[vain] = Failure(vain, None)
        busy = {*left, *running.values()}
        ready = next((one for one in left if not busy & {*one.needs}), None)
        if ready is not None and len(running) < places:
            left.remove(ready)
            say(f"[{count - len(left)} of {count}] {ready.words}")
            running[pool.submit(work, ready, place)] = ready
            continue
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            task = running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise error
            if error is not None:
                failed[task] = Failure(task, error)
                say(f"failed: {task.words}: {error}")
    return list(failed.values())
