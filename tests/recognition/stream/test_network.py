"""Batches: full ones for files, answers in time for cameras, the same order whatever the clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tinyvirat.recognition.load import ActionRecognizer, load
from tinyvirat.recognition.results import Prediction
from tinyvirat.recognition.stream import StreamSettings
from tinyvirat.recognition.stream.ahead import Pause
from tinyvirat.recognition.stream.recognition import StreamRecognition

from ..conftest import write_model
from .films import Film, plain, scripted, walk

SETTINGS = StreamSettings(smooth=1, shortest_action=0.0)


class Answering:
    """Stands in for the network: notes its batches and takes its time.

    Args:
        recognizer: whose network is replaced.
        seconds: to sleep, one batch after the other, again and again.
    """

    def __init__(self, recognizer: ActionRecognizer, seconds: Sequence[float] = (0.0,)) -> None:
        self.batches: list[int] = []
        self._seconds = seconds
        recognizer.inference.window_logits = self  # type: ignore[method-assign]

    def __call__(self, windows: Sequence[Tensor]) -> Tensor:
        time.sleep(self._seconds[len(self.batches) % len(self._seconds)])
        self.batches.append(len(windows))
        means_N = torch.stack([window.float().mean() for window in windows])
        return (means_N[:, None] - 128.0) * torch.tensor([1.0, -1.0, 0.5])


@pytest.fixture
def recognizer(tmp_path: Path) -> ActionRecognizer:
    """Windows of 8 frames, 4 apart; batches of 8."""
    return load(write_model(tmp_path, "attention"), device="cpu", precision="float32")


def first_answer(recognition: StreamRecognition) -> int:
    """How many frames were read when the first stretch was answered."""
    seen = [recognition.frames for event in recognition if isinstance(event, Prediction)]
    return seen[0]


@pytest.mark.parametrize(("live", "latest"), [(True, 30), (False, 115)])
def test_a_window_does_not_wait_for_others_for_ever(
    recognizer: ActionRecognizer, live: bool, latest: int
) -> None:
    recognizer.inference.batch = 1000
    answering = Answering(recognizer)
    film = Film(range(150), live=live)
    recognition = StreamRecognition(recognizer, film, scripted({0: (0, walk(150))}), SETTINGS)
    # 8 frames and 4 for the next window; a second (10 frames) or five of patience; as much again
    # until the answer is taken at the latest.
    assert 12 <= first_answer(recognition) <= latest
    assert max(answering.batches) < 1000


def test_batches_of_a_file_are_full(recognizer: ActionRecognizer) -> None:
    answering = Answering(recognizer)
    tubes = {n: (0, walk(100, y=10.0 * n)) for n in range(4)}
    list(StreamRecognition(recognizer, Film(range(100)), scripted(tubes), StreamSettings()))
    assert answering.batches[:-1] == [8] * (len(answering.batches) - 1)
    assert sum(answering.batches) == 4 * 24


def test_large_windows_are_run_one_by_one(recognizer: ActionRecognizer) -> None:
    answering = Answering(recognizer)
    limit = "tinyvirat.recognition.stream.network.MOST_BYTES"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit, 1000)
        film = Film(range(40))
        list(StreamRecognition(recognizer, film, scripted({0: (0, walk(40))}), StreamSettings()))
    assert set(answering.batches) == {1}


def test_a_silent_camera_gets_its_answers(recognizer: ActionRecognizer) -> None:
    recognizer.inference.batch = 1000
    Answering(recognizer)
    film = Film([*range(12), Pause.QUIET, *range(12, 14)], live=True)
    recognition = StreamRecognition(recognizer, film, scripted({0: (0, walk(14))}), SETTINGS)
    assert first_answer(recognition) == 12


def test_the_clock_changes_nothing_for_files(recognizer: ActionRecognizer) -> None:
    tubes = {n: (3 * n, walk(60 - 6 * n, y=10.0 * n)) for n in range(5)}
    settings = StreamSettings(frames=True)
    runs = []
    for seconds in ([0.0], [0.0, 0.05, 0.01]):
        Answering(recognizer, seconds)
        recognition = StreamRecognition(recognizer, Film(range(70)), scripted(tubes, 4), settings)
        runs.append([(recognition.frames, row) for event in recognition for row in plain([event])])
    assert np.array_equal([at for at, _ in runs[0]], [at for at, _ in runs[1]])
    assert runs[0] == runs[1]


def test_what_the_network_raises_comes_out(recognizer: ActionRecognizer) -> None:
    def broken(windows: Sequence[Tensor]) -> Tensor:
        raise RuntimeError("out of memory")

    recognizer.inference.window_logits = broken  # type: ignore[method-assign, assignment]
    film = Film(range(60))
    with pytest.raises(RuntimeError, match="out of memory"):
        list(StreamRecognition(recognizer, film, scripted({0: (0, walk(60))}), StreamSettings()))
    assert film.closed
