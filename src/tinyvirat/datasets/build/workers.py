"""The same work on many things at once: in processes of this machine, or on a Ray cluster.

Every job has its own process's fate: a decoder that a damaged video brings down takes no other
job with it. Results come as they are done; what is made of them must not depend on that order.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Protocol, TypeVar

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.build.records import BuildError

Job = TypeVar("Job")
Result = TypeVar("Result")
HEARTBEAT_S = 0.5
REACHED_S = 10.0

_counter: Any = None
"""In a worker: the number that all of them add their progress to."""


@dataclass(frozen=True)
class Crashed:
    """A job whose process ended before its work: the decoder crashed, or memory ran out."""

    why: str


class Workers(Protocol):
    """Those who do the work."""

    def run(
        self, function: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> Generator[tuple[int, Result | Crashed] | None]:
        """Does every job and yields its number and its result, in any order; now and then None.

        Raises:
            TinyviratError: of a job; no further ones are begun.
        """
        ...

    @property
    def progress(self) -> int:
        """What the jobs that run here have told of their progress, added up."""
        ...


def tell_progress(amount: int) -> None:
    """Called in a job: adds to the progress that `Workers.progress` shows."""
    if _counter is not None:
        with _counter.get_lock():
            _counter.value += amount


class Processes:
    """Processes of this machine.

    Args:
        count: how many at once.

    Raises:
        BuildError: fewer than one.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise BuildError(f"processes is {count}; it must be 1 or more")
        self._count = count
        # A fork would copy locks that threads of this process hold.
        self._context = multiprocessing.get_context("spawn")
        self._progress = self._context.Value("q", 0)

    @property
    def progress(self) -> int:
        """What the jobs have told of their progress, added up."""
        return int(self._progress.value)

    def run(
        self, function: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> Generator[tuple[int, Result | Crashed] | None]:
        """See `Workers.run`."""
        waiting = deque(enumerate(jobs))
        while waiting:
            flying: dict[Future[Result | TinyviratError], tuple[int, Job]] = {}
            try:
                yield from self._until_one_crashes(function, waiting, flying)
            except BrokenProcessPool:
                # Each of them may be the one; alone, only the one crashes again.
                for number, job in flying.values():
                    yield number, self._alone(function, job)

    def _until_one_crashes(
        self,
        function: Callable[[Job], Result],
        waiting: deque[tuple[int, Job]],
        flying: dict[Future[Result | TinyviratError], tuple[int, Job]],
    ) -> Generator[tuple[int, Result] | None]:
        with self._pool(min(self._count, len(waiting))) as pool:
            while waiting or flying:
                while waiting and len(flying) < self._count:
                    _, job = waiting[0]
                    flying[pool.submit(_guarded, function, job)] = waiting.popleft()
                done, _ = wait(flying, HEARTBEAT_S, FIRST_COMPLETED)
                for future in done:
                    result = _checked(future.result())
                    number, _ = flying.pop(future)
                    yield number, result
                if not done:
                    yield None

    def _alone(self, function: Callable[[Job], Result], job: Job) -> Result | Crashed:
        with self._pool(1) as pool:
            try:
                return _checked(pool.submit(_guarded, function, job).result())
            except BrokenProcessPool:
                return Crashed("the decoder crashed, or there was no memory left")

    def _pool(self, count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(count, self._context, _begin, (self._progress,))


class RayCluster:
    """The machines of a Ray cluster, which must see the same files under the same paths.

    Args:
        address: of the cluster, as `ray.init` takes it (`auto`, `ray://host:10001`); `local` starts
            one on this machine and ends it with this process.

    Raises:
        BuildError: Ray is not installed, or no cluster answers.
    """

    def __init__(self, address: str) -> None:
        # It would tell its makers about every cluster that it starts.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise BuildError(
                "Ray is not installed; pip install 'tinyvirat[ray]', or leave --ray out"
            ) from None
        self._ray: Any = ray
        if ray.is_initialized():
            return
        try:
            _check_reachable(address)
            ray.init(
                address=None if address == "local" else address,
                include_dashboard=False if address == "local" else None,
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise BuildError(
                f"no Ray cluster at {address!r} ({error}); start one with `ray start --head`, or "
                "use --ray local"
            ) from error

    @property
    def progress(self) -> int:
        """Always 0: other machines tell of their work when it is done."""
        return 0

    def run(
        self, function: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> Generator[tuple[int, Result | Crashed] | None]:
        """See `Workers.run`."""
        task = self._ray.remote(num_cpus=1, max_retries=1)(_guarded)
        flying = {task.remote(function, job): number for number, job in enumerate(jobs)}
        try:
            while flying:
                done, _ = self._ray.wait(list(flying), num_returns=1, timeout=HEARTBEAT_S)
                for reference in done:
                    yield flying.pop(reference), self._result(reference)
                if not done:
                    yield None
        finally:
            for reference in flying:
                self._ray.cancel(reference, force=True)

    def _result(self, reference: Any) -> Any:
        try:
            return _checked(self._ray.get(reference))
        except (
            self._ray.exceptions.WorkerCrashedError,
            self._ray.exceptions.OutOfMemoryError,
        ) as error:
            return Crashed(str(error).partition("\n")[0])


def _check_reachable(address: str) -> None:
    """Raises `OSError` where nobody listens; Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), REACHED_S).close()


def _guarded(function: Callable[[Job], Result], job: Job) -> Result | TinyviratError:
    """The result, or the user's error as a value: it must come home whole."""
    try:
        return function(job)
    except TinyviratError as error:
        return error


def _checked(result: Result | TinyviratError) -> Result:
    if isinstance(result, TinyviratError):
        raise result
    return result


def _begin(counter: Any) -> None:
    """Runs in a new worker: it must not outlive the process that started it, however that ends."""
    global _counter
    _counter = counter
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
