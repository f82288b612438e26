"""The machines of a Ray cluster as a crew: a worker each for some cores, or a GPU, or part of one.

A worker is an actor that has loaded the model. One that dies, by itself or with its machine, is
replaced, and its video is begun again, by whoever is free. Ray is imported when it is used.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyvirat import __version__
from tinyvirat.common.files import write_text
from tinyvirat.datasets.build.workers import RayCluster
from tinyvirat.recognition.archive.actor import Begun, Probe, Refused, Worker
from tinyvirat.recognition.archive.crew import Watch
from tinyvirat.recognition.archive.notes import model_digest, work_folder
from tinyvirat.recognition.archive.records import ArchiveError, Job, Outcome, Plan

ATTEMPTS = 3
"""How often a video is begun whose worker dies, and how many workers may die in a row before the
first of them is ready."""
HEARTBEAT_S = 0.5
ASKED_S = 2.0
"""Seconds from one question to the workers how far they are to the next."""


@dataclass(frozen=True)
class Share:
    """What a worker takes of the cluster.

    Attributes:
        workers: how many there are; None is as many as there is room for when it begins.
        cpus: cores of each, and threads that it computes with.
        gpus: GPUs of each, or a part of one; None is 1 where the cluster has any, else 0.

    Raises:
        ArchiveError: a value out of its range.
    """

    workers: int | None = None
    cpus: int = 1
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ArchiveError(f"workers is {self.workers}; it must be 1 or more")
        if self.cpus < 1:
            raise ArchiveError(f"cpus is {self.cpus}; a worker has 1 or more")
        # Ray gives out parts of one GPU, or whole ones.
        if self.gpus is not None and not (0 <= self.gpus < 1 or self.gpus in range(1, 65)):
            raise ArchiveError(f"gpus is {self.gpus}; it must be from 0 to 1, or a whole number")

    def fits(self, cpus: float, gpus: float) -> tuple[int, float]:
        """How many workers there are, and the GPUs of each.

        Args:
            cpus: that the cluster has.
            gpus: likewise.

        Raises:
            ArchiveError: not one of them has room.
        """
        each = (1.0 if gpus >= 1 else 0.0) if self.gpus is None else self.gpus
        room = int(cpus // self.cpus)
        if each:
            # Of one GPU only whole shares can be had.
            room = min(room, int(gpus) * int(1 / each) if each <= 1 else int(gpus // each))
        if room < 1:
            raise ArchiveError(
                f"of cores and GPUs the cluster has {cpus:g} and {gpus:g}, and one worker takes "
                f"{self.cpus} and {each:g}; ask for less"
            )
        return min(self.workers or room, room), each


@dataclass(eq=False)
class _Hand:
    """A worker as it is seen from here."""

    actor: Any
    host: str = "a machine of the cluster"
    job: Job | None = None
    ready: bool = False


@dataclass
class _Shift:
    """What is known while the work goes on.

    Attributes:
        waiting: videos that nobody has.
        attempts: how often each was begun.
        flying: calls to workers that have not been answered.
        asked: questions how far they are, likewise.
        hired: all workers that live, as far as is known.
        idle: those that have nothing to do.
        hands: how many workers there are to be.
        gpus: of each.
        precision: that all compute in; `auto` until the first has decided.
        lost: workers in a row that died before they were ready.
    """

    waiting: deque[Job]
    mark: str
    probe: Probe
    hands: int
    gpus: float
    precision: str
    attempts: Counter[str] = field(default_factory=Counter)
    flying: dict[Any, _Hand] = field(default_factory=dict)
    asked: dict[Any, _Hand] = field(default_factory=dict)
    hired: list[_Hand] = field(default_factory=list)
    idle: list[_Hand] = field(default_factory=list)
    lost: int = 0

    @property
    def busy(self) -> list[_Hand]:
        """The workers that have a video."""
        return [hand for hand in self.flying.values() if hand.job is not None]


class RayCrew:
    """The machines of a Ray cluster, which must see the same files under the same paths.

    Args:
        plan: what is made of the videos.
        address: of the cluster, as `ray.init` takes it; `local` starts one on this machine.
        share: what a worker takes.
    """

    def __init__(self, plan: Plan, address: str, share: Share | None = None) -> None:
        self._plan = plan.settled()
        self._address = address
        self._share = share or Share()
        self._ray: Any = None

    def run(self, jobs: Sequence[Job], mark: str, watch: Watch) -> Generator[Outcome | None]:
        """See `Crew.run`.

        Raises:
            TinyviratError: Ray is not installed, no cluster answers, it has no room, or a machine
                is not fit: it has no such model, or does not see the same files.
        """
        if not jobs:
            return
        ray = self._ray = connected(self._address)
        there = ray.cluster_resources()
        hands, gpus = self._share.fits(there.get("CPU", 0), there.get("GPU", 0))
        with probed(self._plan) as probe:
            shift = _Shift(
                deque(jobs), mark, probe, min(hands, len(jobs)), gpus, self._plan.precision
            )
            try:
                yield from self._work(shift, watch)
            finally:
                for hand in shift.hired:
                    ray.kill(hand.actor)

    def _work(self, shift: _Shift, watch: Watch) -> Generator[Outcome | None]:
        asked = time.monotonic()
        while shift.waiting or shift.busy:
            self._man(shift)
            done, _ = self._ray.wait(list(shift.flying), num_returns=1, timeout=HEARTBEAT_S)
            for call in done:
                hand = shift.flying.pop(call)
                outcome = self._answered(shift, hand, call)
                if hand.ready:
                    shift.idle.append(hand)
                if outcome is not None:
                    yield outcome
            if time.monotonic() - asked >= ASKED_S:
                asked = time.monotonic()
                self._ask(shift, watch)
            if not done:
                yield None

    def _man(self, shift: _Shift) -> None:
        """Gives videos to those who are free, and replaces those who are lost."""
        while shift.waiting and shift.idle:
            hand = shift.idle.pop()
            hand.job = shift.waiting.popleft()
            shift.attempts[hand.job.name] += 1
            shift.flying[hand.actor.recognize.remote(hand.job)] = hand
        # The first decides in what all compute.
        most = shift.hands if shift.precision != "auto" else 1
        while len(shift.flying) < min(most, len(shift.busy) + len(shift.waiting)):
            hand = self._hired(shift)
            call = hand.actor.begin.remote(self._plan, shift.mark, shift.precision, shift.probe)
            shift.flying[call] = hand

    def _hired(self, shift: _Shift) -> _Hand:
        kind = self._ray.remote(
            num_cpus=self._share.cpus,
            num_gpus=shift.gpus,
            max_restarts=0,
            max_concurrency=2,  # so that it answers while it works
        )(Worker)
        hand = _Hand(kind.remote(self._share.cpus, shift.gpus > 0))
        shift.hired.append(hand)
        return hand

    def _answered(self, shift: _Shift, hand: _Hand, call: Any) -> Outcome | None:
        """What a call has brought; `hand.ready` is whether its worker can take a video."""
        job, hand.job = hand.job, None
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            hand.ready = False
            shift.hired.remove(hand)
            self._ray.kill(hand.actor)  # it may only be out of reach
            return self._lost(shift, hand, job, error)
        if isinstance(answer, Refused):
            raise ArchiveError(answer.reason)
        hand.ready = True
        if isinstance(answer, Begun):
            hand.host = answer.host
            shift.precision, shift.lost = answer.precision, 0
            return None
        return Outcome(
            answer.job, answer.note, answer.error, attempts=shift.attempts[answer.job.name]
        )

    def _lost(self, shift: _Shift, hand: _Hand, job: Job | None, error: Any) -> Outcome | None:
        reason = _why(error)
        if job is None:
            shift.lost += 1
            if shift.lost >= ATTEMPTS:
                raise ArchiveError(
                    f"the workers of the cluster do not come up: {reason}; tinyvirat must be "
                    "installed on every machine, with memory for the model"
                )
            return None
        attempts = shift.attempts[job.name]
        if attempts < ATTEMPTS:
            shift.waiting.append(job)
            return None
        return Outcome(
            job,
            None,
            f"lost its worker {attempts} times, at last on {hand.host}: {reason}",
            attempts=attempts,
        )

    def _ask(self, shift: _Shift, watch: Watch) -> None:
        """Hears how far the workers were, and asks them again."""
        for call in [*shift.asked]:
            if not self._ray.wait([call], timeout=0)[0]:
                continue
            hand = shift.asked.pop(call)
            try:
                read, total = self._ray.get(call)
            except self._ray.exceptions.RayError:
                continue  # its video's own call says so
            if hand.job is not None:
                watch(hand.job, read, total)
        waited = set(map(id, shift.asked.values()))
        for hand in shift.busy:
            if id(hand) not in waited:
                shift.asked[hand.actor.at.remote()] = hand


def connected(address: str) -> Any:
    """Ray itself, connected to a cluster.

    Raises:
        TinyviratError: Ray is not installed, or no cluster answers.
    """
    RayCluster(address)
    import ray

    return ray


@contextmanager
def probed(plan: Plan) -> Iterator[Probe]:
    """A file in the folder of the outputs that every worker must find."""
    path = work_folder(plan.out) / "probe"
    text = secrets.token_hex(16)
    write_text(path, text)
    try:
        yield Probe(path, text, model_digest(plan.model), __version__)
    finally:
        Path(path).unlink(missing_ok=True)


def _why(error: Any) -> str:
    """The line of one of Ray's errors that says most."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines and "creation task" in lines[0] else next(iter(lines), "no reason")
