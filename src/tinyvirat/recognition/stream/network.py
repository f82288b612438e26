"""Windows of all tubes in batches through the network, in a thread of its own.

For a file, what is run together and when an answer is taken depends on the frames alone, never on
the clock: the same file gives the same answers in the same order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

from tinyvirat.models.inference import Inference
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.recognition.stream.tubes import LogitArray, Window

AHEAD = 2
"""Batches that are run or wait to be, while the next is put together."""
MOST_BYTES = 64 << 20
"""Of the windows of a batch; of large windows fewer are run together."""


@dataclass(frozen=True, eq=False)
class _Batch:
    windows: tuple[Window, ...]
    time: float
    logits: Future[Tensor]


class NetworkQueue:
    """Collects windows, runs them, and gives them back with their logits in the same order.

    Args:
        inference: the model at work; `inference.batch` windows are run together.
        stages: counts the time of `network`.
        patience: seconds of the video that a window may wait for others, and a batch for the next.
        live: answers are taken as soon as they are there.

    Attributes:
        windows: that were put in.
    """

    def __init__(
        self, inference: Inference, stages: Stages, *, patience: float, live: bool
    ) -> None:
        self.windows = 0
        self._inference = inference
        self._stages = stages
        self._patience = patience
        self._live = live
        self._waiting: list[Window] = []
        self._bytes = 0
        self._running: deque[_Batch] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")

    def add(self, window: Window) -> None:
        """Takes the next window; runs those that wait when they fill a batch."""
        self.windows += 1
        self._waiting.append(window)
        self._bytes += window.frames_THWC.nbytes
        if len(self._waiting) >= self._inference.batch or self._bytes >= MOST_BYTES:
            self._run(window.time)

    def ready(self, time: float) -> Iterator[tuple[Window, LogitArray]]:
        """What is to be taken at this time of the video; waits for it."""
        if self._waiting and time - self._waiting[0].time >= self._patience:
            self._run(time)
        while self._running and self._is_due(self._running[0], time):
            yield from self._take()

    def rest(self) -> Iterator[tuple[Window, LogitArray]]:
        """All that is left; waits for it."""
        if self._waiting:
            self._run(self._waiting[-1].time)
        while self._running:
            yield from self._take()

    def close(self) -> None:
        """Ends the thread; what was not run is not."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _run(self, time: float) -> None:
        windows, self._waiting, self._bytes = tuple(self._waiting), [], 0
        logits = self._thread.submit(self._logits, [one.frames_THWC for one in windows])
        self._running.append(_Batch(windows, time, logits))

    def _logits(self, windows: list[Tensor]) -> Tensor:
        with self._stages.measure("network"):
            return self._inference.window_logits(windows)

    def _is_due(self, batch: _Batch, time: float) -> bool:
        if len(self._running) > AHEAD or time - batch.time >= self._patience:
            return True
        return self._live and batch.logits.done()

    def _take(self) -> Iterator[tuple[Window, LogitArray]]:
        batch = self._running.popleft()
        logits_NK = batch.logits.result().double().numpy()
        yield from zip(batch.windows, logits_NK, strict=True)
