"""What a run writes down: metrics, curves, the environment, the summary."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from tinyvirat import __version__
from tinyvirat.common.files import write_text, written_beside

METRICS = "metrics.jsonl"
ENVIRONMENT = "environment.json"
CURVES = "curves.png"


class Journal:
    """Metrics of a run as JSON lines and TensorBoard events; a context manager.

    Args:
        run: the run folder.
        done: iterations that the checkpoint holds, by phase, that in progress last; later rows, of
            work that was lost, are dropped. Phases that are not named are dropped whole.
    """

    def __init__(self, run: Path, done: Mapping[str, int]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.path = run / METRICS
        rows = [r for r in read_metrics(self.path) if r["step"] <= done.get(r["phase"], -1)]
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))
        self._file = self.path.open("a", encoding="utf-8", buffering=1)
        # TensorBoard has one count of steps: iterations of all phases, one after another.
        self._before = sum(done.values()) - [*done.values()][-1]
        self._events = SummaryWriter(str(run / "tensorboard"), purge_step=sum(done.values()) + 1)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._events.close()

    def write(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Adds one row: an iteration's values (`step` of them done), or a validation's."""
        self._file.write(json.dumps({"phase": phase, "step": step, **values}) + "\n")
        for name, value in values.items():
            self._events.add_scalar(f"{phase}/{name}", value, self._before + step)

    def flush(self) -> None:
        """Puts what was written on disk, as before a checkpoint."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._events.flush()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a run's metrics; a last row cut off by a crash is left out."""
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and isinstance(row.get("step"), int) and "phase" in row:
                rows.append(row)
    return rows


def environment(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """What a figure needs beside it to be made again: command, versions, commit, machine."""
    return {
        "command": " ".join(sys.argv if arguments is None else arguments),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "tinyvirat": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "cuda": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def draw_curves(run: Path) -> None:
    """Draws every value of a run's metrics over its iterations, a column a phase."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = read_metrics(run / METRICS)
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    names = [n for n in dict.fromkeys(k for r in rows for k in r) if n not in ("phase", "step")]
    names = [n for n in names if n not in ("seconds", "stage")]
    if not names:
        return
    size = (4.5 * len(phases), 2.2 * len(names))
    figure, axes = plt.subplots(len(names), len(phases), figsize=size, squeeze=False)
    for column, phase in enumerate(phases):
        for line, name in enumerate(names):
            points = [(r["step"], r[name]) for r in rows if r["phase"] == phase and name in r]
            axis = axes[line][column]
            axis.plot(*zip(*points, strict=True), linewidth=0.9) if points else axis.axis("off")
            axis.set_ylabel(name)
            axis.grid(alpha=0.3)
        axes[0][column].set_title(phase)
        axes[-1][column].set_xlabel("iteration")
    figure.tight_layout()
    with written_beside(run / CURVES) as temporary:
        figure.savefig(temporary, dpi=80)
    plt.close(figure)


def _commit() -> str:
    """The commit of the source checkout, with `+changes` when it was altered; else empty."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        return commit + ("+changes" if git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()
