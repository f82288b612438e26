"""A worker on a machine of a cluster, in a process of its own that has the model loaded.

Nothing heavy is imported with this module: the number of threads must be known before.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path

from tinyvirat import __version__
from tinyvirat.common.errors import TinyviratError
from tinyvirat.recognition.archive.records import Job, Outcome, Plan


@dataclass(frozen=True)
class Refused:
    """A mistake that ends everything, as a value: it comes home whole, whatever Ray does."""

    reason: str


@dataclass(frozen=True)
class Probe:
    """What a machine must find to be fit for the work.

    Attributes:
        path: a file in the folder of the outputs, which only shared storage shows to all machines.
        text: what is in it.
        model: the hash that the model must have.
        version: the version of this package.
    """

    path: Path
    text: str
    model: str
    version: str


@dataclass(frozen=True)
class Begun:
    """A worker that is ready: the machine's name, and what it computes on and in."""

    host: str
    device: str
    precision: str


class Worker:
    """Lives in a process of the cluster.

    Args:
        cpus: threads to compute with.
        gpu: whether it has a GPU, or a share of one.
    """

    def __init__(self, cpus: int, gpu: bool) -> None:
        # Read when the libraries that compute are loaded, which they are not yet. Threads that are
        # made later have this number too, unlike one that is set for this thread.
        os.environ["OMP_NUM_THREADS"] = str(cpus)
        self._cpus = cpus
        self._gpu = gpu
        self._mark = ""
        self._at = (0, 0)

    def begin(self, plan: Plan, mark: str, precision: str, probe: Probe) -> Begun | Refused:
        """Sees to it that this machine is fit, and loads the model.

        Args:
            plan: what is made of the videos.
            mark: its fingerprint.
            precision: as decided for all machines, or `auto` for the first.
            probe: what must be found here.
        """
        try:
            wrong = unfit(plan, probe)
            if wrong is not None:
                return Refused(f"{socket.gethostname()}: {wrong}")
            return self._begin(plan, mark, precision)
        except TinyviratError as error:
            return Refused(f"{socket.gethostname()}: {error}")

    def _begin(self, plan: Plan, mark: str, precision: str) -> Begun:
        import cv2
        import torch

        from tinyvirat.recognition.load import load

        torch.set_num_threads(self._cpus)
        cv2.setNumThreads(self._cpus)
        device = plan.device
        if device == "auto" and not self._gpu:
            device = "cpu"  # there may be a GPU, but it is not this worker's
        self._plan = replace(plan, device=device)
        self._mark = mark
        self._recognizer = load(
            plan.model,
            device=device,
            precision=precision,
            input_size=plan.input_size,
            engine=plan.engine,
        )
        inference = self._recognizer.inference
        return Begun(
            socket.gethostname(),
            str(inference.device),
            str(inference.dtype).removeprefix("torch."),
        )

    def recognize(self, job: Job) -> Outcome | Refused:
        """Recognises one video."""
        from tinyvirat.recognition.archive.work import recognize_one

        self._at = (0, 0)
        try:
            return recognize_one(self._recognizer, self._plan, self._mark, job, self._watch)
        except TinyviratError as error:
            return Refused(f"{socket.gethostname()}: {error}")

    def at(self) -> tuple[int, int | None]:
        """Frames of the video under way that were read, and how many it has; asked in between."""
        read, total = self._at
        return read, total or None

    def _watch(self, _job: Job, read: int, total: int | None) -> None:
        self._at = (read, total or 0)


def unfit(plan: Plan, probe: Probe) -> str | None:
    """Why this machine cannot do the work, as a sentence; None where it can.

    Raises:
        TinyviratError: the model is not there.
    """
    from tinyvirat.recognition.archive.notes import model_digest

    if probe.version != __version__:
        return (
            f"has tinyvirat {__version__}, and {probe.version} asks; install the same version on "
            "all machines"
        )
    try:
        seen = probe.path.read_text(encoding="utf-8")
    except OSError:
        seen = None
    if seen != probe.text:
        return (
            f"does not see {plan.out} as it is where this was begun; videos, model and outputs "
            "must lie on storage that all machines of the cluster share, under the same paths"
        )
    if model_digest(plan.model) != probe.model:
        return f"has another model under {plan.model}; it must be the same on all machines"
    return None
