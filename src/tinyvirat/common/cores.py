"""How much of the machine there is for this process."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """How many cores this process may use: a container or `taskset` may leave it only some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
