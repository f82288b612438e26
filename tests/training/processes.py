"""Training in processes of its own: some are killed, some work together.

They are forked from the tests' own process, which has imported everything already. Where there is a
GPU a fork is not safe once the GPU was used: then from a server that has only imported.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState

import tinyvirat.training.run
from tinyvirat.common.processes import this_process
from tinyvirat.models.zoo import Cost
from tinyvirat.training.journal import METRICS, read_metrics
from tinyvirat.training.recipe import Optimizer, Recipe
from tinyvirat.training.run import Order, run

CONTEXT: Any = multiprocessing.get_context("fork")
if torch.accelerator.is_available():
    CONTEXT = multiprocessing.get_context("forkserver")
    CONTEXT.set_forkserver_preload(["tinyvirat.training.run"])
STAND_INS: dict[str, Callable[..., Any]] = {
    "draw_curves": lambda run: None,
    "cost_of": lambda config, side, frames: Cost(0, 0.0),
}
PATIENCE = 280.0
"""Seconds after which a process is given up."""

SLOW = Optimizer(lr=1e-5)
"""Adam's first steps are as long for a gradient of nothing but rounding as for any other. Slow
learning keeps that out of the losses of runs that differ in rounding."""


def train_until_killed(recipe: Recipe, order: Order, module: str, name: str, call: int) -> None:
    """Trains, and kills itself (`kill -9`) after the `call`-th call of a function.

    Args:
        recipe: as for `run`.
        order: as for `run`.
        module: where the function is looked up when it is called.
        name: of the function, or `Class.method`.
        call: which call, from 1; 0 never.
    """
    hurry()
    home: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        home = getattr(home, part)
    original = getattr(home, last)
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        result = original(*args, **kwargs)
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(home, last, counted)
    run(recipe, order)


def exit_code(target: Callable[..., None], *args: Any) -> int | None:
    """What a process that calls `target` ends with; a negative number is a signal."""
    process = CONTEXT.Process(target=target, args=args)
    process.start()
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"{target.__name__} did not end")
    return process.exitcode


def together(target: Callable[..., None], *args: Any, count: int = 2) -> None:
    """Calls `target(*args)` in several processes that know of each other, as a launcher does."""
    port = free_port()
    processes = [
        CONTEXT.Process(target=_member, args=(rank, count, port, target, args))
        for rank in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    codes = [process.exitcode for process in processes]
    for process in processes:
        if process.is_alive():
            process.kill()
    assert codes == [0] * count, f"the processes ended with {codes}"


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _member(
    rank: int, count: int, port: int, target: Callable[..., None], args: Sequence[Any]
) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    AcceleratorState._reset_state(reset_partial_state=True)  # what was forked knows of itself alone
    target(*args)
    assert this_process().num_processes == count, "these processes did not know of each other"


def train(recipe: Recipe, order: Order) -> None:
    """Trains."""
    hurry()
    run(recipe, order)


def hurry() -> None:
    """Leaves out what takes as long as the training: the curves, and the count of operations."""
    for name, stand_in in STAND_INS.items():
        setattr(tinyvirat.training.run, name, stand_in)


def rows_of(run: Path) -> list[dict[str, Any]]:
    """The metrics of a run without the times."""
    return [
        {key: value for key, value in row.items() if key != "seconds"}
        for row in read_metrics(run / METRICS)
    ]
