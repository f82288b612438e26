"""Work for the pool that leaves traces instead of training; other processes import it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tinyvirat.common.errors import TinyviratError
from tinyvirat.reproduce.pool import VISIBLE
from tinyvirat.reproduce.work import Place, Task

PATIENCE = 60.0


def trace(task: Task, place: Place) -> None:
    """Writes down the GPU that it sees; fails where its name says so."""
    place.runs.mkdir(parents=True, exist_ok=True)
    name = task.training.recipe.name
    sys.stderr.write(f"at {name}\n")
    if name == "fails":
        raise TinyviratError("it was asked to")
    if name == "breaks":
        raise KeyError("a defect")
    (place.runs / name).write_text(os.environ.get(VISIBLE, ""), encoding="utf-8")


def meet(task: Task, place: Place) -> None:
    """Writes down the GPU that it sees, and waits until two have."""
    trace(task, place)
    began = time.monotonic()
    while len(traces_in(place.runs)) < 2:
        if time.monotonic() - began > PATIENCE:
            raise TinyviratError("nobody else came")
        time.sleep(0.02)


def die(task: Task, place: Place) -> None:
    """Ends its process as the system does when memory runs out."""
    os._exit(9)


def traces_in(folder: Path) -> list[Path]:
    """What `trace` has written."""
    return [path for path in folder.iterdir() if path.suffix != ".log"]
