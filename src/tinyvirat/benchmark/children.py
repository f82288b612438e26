"""Processes that measure one thing each: their memory is their own, and so is their end.

A child is told what it is (a job), gets ready, and then works whenever it is told to, so that
several can take turns. One that crashes, hangs or cannot begin is a reason in a table, never the
end of a benchmark.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

COMMAND = (sys.executable, "-m", "tinyvirat.benchmark.worker")
LONGEST_LINE = 1 << 20
LAST_WORDS = 300
"""Characters of its standard error that the reason of a crash quotes."""


class ChildError(Exception):
    """A child that failed; the text is the reason."""


class Child:
    """A process that measures; a context manager, which ends it.

    Args:
        job: what it is to be, as `worker.open_work` reads it.
        threads: that it may use.
        seconds: that it may take to get ready, and for every order.
        command: what it runs.
    """

    def __init__(
        self,
        job: dict[str, Any],
        *,
        threads: int,
        seconds: float,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.seconds = seconds
        self.facts: dict[str, Any] = {}
        self._errors = b""
        self._closed = False
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
        }
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # what it starts itself (compilers) ends with it
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self._say({**job, "threads": threads})

    def ready(self) -> dict[str, Any]:
        """Waits until it can work; what it says of itself, with the seconds that it took.

        Raises:
            ChildError: it cannot.
        """
        left = self.seconds - (time.monotonic() - self._began)
        self.facts = self._answer(max(left, 0.1))
        return self.facts

    def work(self, **order: Any) -> dict[str, Any]:
        """Lets it work once.

        Raises:
            ChildError: it failed.
        """
        self._say(order)
        return self._answer(self.seconds)

    def close(self) -> None:
        """Ends it and all that it started; more than once does nothing."""
        if self._closed:
            return
        self._closed = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listening.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):  # what was still to be written has no reader
                    pipe.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _say(self, data: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it is gone: its answer will say so
            self._process.stdin.write(json.dumps(data).encode() + b"\n")
            self._process.stdin.flush()

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise ChildError(f"took longer than {self.seconds:.0f} s") from None
        if not line:
            raise ChildError(self._end())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ChildError(str(answer["error"]))
        return answer

    def _end(self) -> str:
        """Why it ended."""
        code = self._process.wait()
        self._listening.join(timeout=5)
        if code < 0:
            name = signal.Signals(-code).name
            hint = ": perhaps out of memory" if name == "SIGKILL" else ""
            return f"ended by {name}{hint}"
        words = " ".join(self._errors.decode(errors="replace").split())[-LAST_WORDS:]
        return f"ended with code {code}: {words}" if words else f"ended with code {code}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        with suppress(OSError, ValueError):  # closed while it was read
            while line := self._process.stdout.readline(LONGEST_LINE):
                self._lines.put(line)
        self._lines.put(b"")

    def _listen(self) -> None:
        """Keeps the end of its standard error, and the pipe empty."""
        assert self._process.stderr is not None
        with suppress(OSError, ValueError):
            while part := os.read(self._process.stderr.fileno(), 1 << 14):
                self._errors = (self._errors + part)[-4 * LAST_WORDS :]


class Crew:
    """Children by name; a context manager, which ends them all.

    Args:
        threads: of each.
        seconds: that each may take to get ready, and for every order.
    """

    def __init__(self, *, threads: int, seconds: float) -> None:
        self.children: dict[str, Child] = {}
        self._threads = threads
        self._seconds = seconds

    def start(self, name: str, job: dict[str, Any]) -> None:
        """Adds a child; it gets ready while others are started."""
        self.children[name] = Child(job, threads=self._threads, seconds=self._seconds)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children.values():
            child.close()
