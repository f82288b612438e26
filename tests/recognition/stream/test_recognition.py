"""Whole videos over time: the numbers of evaluation, once for each frame, in constant memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.common.pixels import crop_windows
from tinyvirat.recognition.events import Action, AnsweredFrame, TubeEnd
from tinyvirat.recognition.load import ActionRecognizer, load
from tinyvirat.recognition.proposals import ProposalError, WholeFrame, square_windows
from tinyvirat.recognition.results import Prediction
from tinyvirat.recognition.stream import StreamError, StreamSettings, recognize_stream
from tinyvirat.recognition.stream.ahead import Pause
from tinyvirat.recognition.stream.network import AHEAD
from tinyvirat.recognition.stream.recognition import StreamRecognition
from tinyvirat.recognition.stream.tubes import Window, _Seen
from tinyvirat.video import VideoError, open_video

from ..conftest import MODELS, write_model
from .films import (
    FPS,
    HEIGHT,
    WIDTH,
    Film,
    Scripted,
    of_kind,
    picture,
    plain,
    scripted,
    walk,
    write_lossless,
)

EVERYTHING = StreamSettings(smooth=1, overlap=0.0, shortest_action=0.0, frames=True)


@pytest.fixture(scope="module")
def recognizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ActionRecognizer]:
    folder = tmp_path_factory.mktemp("models")
    return {
        name: load(write_model(folder / name, name), device="cpu", precision="float32")
        for name in MODELS
    }


@pytest.fixture(scope="module")
def recognizer(recognizers: dict[str, ActionRecognizer]) -> ActionRecognizer:
    """Multi-label, tiny clips, windows of 8 frames."""
    return recognizers["attention"]


@pytest.mark.parametrize("name", MODELS)
def test_a_window_has_the_numbers_of_its_crop_as_a_clip(
    recognizers: dict[str, ActionRecognizer], tmp_path: Path, name: str
) -> None:
    recognizer = recognizers[name]
    sampler = recognizer.spec.sampler
    span = (sampler.length - 1) * getattr(sampler, "stride", 1) + 1
    boxes = walk(span, side=25.0)
    film = Film(range(span))
    found = list(recognize_stream(recognizer, film, scripted({0: (0, boxes)}, 2), EVERYTHING))
    windows_T4 = square_windows(boxes, (WIDTH, HEIGHT))
    frames_THWC = torch.from_numpy(np.stack([picture(t) for t in range(span)]))
    write_lossless(tmp_path / "clip.mkv", crop_windows(frames_THWC, windows_T4).numpy())
    (clip,) = recognizer.recognize(tmp_path / "clip.mkv")
    (prediction,) = of_kind(found, Prediction)
    assert prediction.scores == pytest.approx(clip.scores, abs=1e-6)
    assert (prediction.start, prediction.stop) == (0, span)
    with open_video(tmp_path / "clip.mkv") as reader:
        ((window,),) = recognizer.windows(reader, span)
    (end,) = of_kind(found, TubeEnd)
    assert end.best_window_THWC is not None
    assert np.array_equal(end.best_window_THWC, window.numpy())


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_frame_has_the_numbers_of_the_video(
    recognizers: dict[str, ActionRecognizer], tmp_path: Path, name: str
) -> None:
    recognizer = recognizers[name]
    write_lossless(tmp_path / "video.mkv", np.stack([picture(t) for t in range(5)]))
    (clip,) = recognizer.recognize(tmp_path / "video.mkv")
    # Five frames: filled up as evaluation does, and read although a tube would be too short.
    found = list(recognize_stream(recognizer, tmp_path / "video.mkv", "whole", EVERYTHING))
    (prediction,) = of_kind(found, Prediction)
    assert prediction.scores == pytest.approx(clip.scores, abs=1e-6)
    assert prediction.boxes == ((0.0, 0.0, float(WIDTH), float(HEIGHT)),) * 5


def test_every_frame_is_answered_once_and_in_order(recognizer: ActionRecognizer) -> None:
    tubes = {0: (0, walk(45)), 1: (7, walk(5, y=60.0)), 2: (20, walk(30, x=60.0)), 3: (59, walk(1))}
    settings = StreamSettings(frames=True, widest=80)
    film = Film(range(60))
    found = list(recognize_stream(recognizer, film, scripted(tubes, 3), settings))
    frames = of_kind(found, AnsweredFrame)
    assert [one.frame.index for one in frames] == list(range(60))
    assert {one.frame.frame_HWC.shape for one in frames} == {(60, 80, 3)}
    assert {one.scale for one in frames} == {0.5}
    for one in frames:
        wanted = {n for n, (at, boxes) in tubes.items() if 0 <= one.frame.index - at < len(boxes)}
        assert [answered.box.tube for answered in one.boxes] == sorted(wanted)
    for number, (start, boxes) in tubes.items():
        _agrees(found, number, start, boxes)
    assert film.closed


def _agrees(found: list[object], number: int, start: int, boxes: list[tuple[float, ...]]) -> None:
    """Stretches, frames, actions and end of one tube say the same."""
    stretches = of_kind(found, Prediction, number)  # type: ignore[arg-type, type-var]
    (end,) = of_kind(found, TubeEnd, number)  # type: ignore[arg-type, type-var]
    assert (end.start, end.stop) == (start, start + len(boxes))
    assert end.start_time == pytest.approx(start / float(FPS))
    assert end.stop_time == pytest.approx((start + len(boxes)) / float(FPS))
    shown = {
        one.frame.index: answered
        for one in of_kind(found, AnsweredFrame)  # type: ignore[arg-type, type-var]
        for answered in one.boxes
        if answered.box.tube == number
    }
    if len(boxes) < 8:
        assert not stretches and end.scores is None and end.best_window_THWC is None
        assert all(answered.scores is None for answered in shown.values())
        return
    edges = [start, *(one.stop for one in stretches)]
    assert [one.start for one in stretches] == edges[:-1]
    assert edges[-1] == start + len(boxes)
    assert sum((one.boxes for one in stretches), ()) == tuple(boxes)
    for one in stretches:
        for frame in range(one.start, one.stop):
            assert shown[frame].labels == one.labels
            assert shown[frame].scores == one.scores
    mean = {
        label: sum(one.scores[label] * (one.stop - one.start) for one in stretches) / len(boxes)
        for label in ("carry", "pull", "walk")
    }
    assert end.scores == pytest.approx(mean)
    actions = of_kind(found, Action, number)  # type: ignore[arg-type, type-var]
    assert sorted(actions, key=lambda one: one.start) == list(end.actions)
    held = {(one.label, f) for one in actions for f in range(one.start, one.stop)}
    assert held == {
        (label, f) for one in stretches for label in one.labels for f in range(one.start, one.stop)
    }


def test_a_tube_ends_after_all_that_is_said_of_it(recognizer: ActionRecognizer) -> None:
    tubes = {0: (0, walk(40)), 1: (5, walk(12))}
    found = list(recognize_stream(recognizer, Film(range(40)), scripted(tubes)))
    assert not of_kind(found, AnsweredFrame)
    for number in tubes:
        mine = [one for one in found if one.tube == number]  # type: ignore[union-attr]
        assert isinstance(mine[-1], TubeEnd)
        assert len(of_kind(mine, TubeEnd)) == 1


def test_the_same_video_gives_the_same_events(recognizer: ActionRecognizer) -> None:
    tubes = {n: (3 * n, walk(50 - 5 * n, y=10.0 * n)) for n in range(4)}
    settings = StreamSettings(frames=True)
    runs = [
        plain(list(recognize_stream(recognizer, Film(range(60)), scripted(tubes, 4), settings)))
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_a_source_that_was_lost_begins_new_tubes(recognizer: ActionRecognizer) -> None:
    film = Film([*range(20), Pause.QUIET, Pause.BROKEN, *range(20, 40)], live=True)
    settings = StreamSettings(frames=True)
    found = list(recognize_stream(recognizer, film, scripted({0: (0, walk(20))}, 3), settings))
    assert [(one.tube, one.start, one.stop) for one in of_kind(found, TubeEnd)] == [
        (0, 0, 20),
        (1, 20, 40),
    ]
    assert [one.frame.index for one in of_kind(found, AnsweredFrame)] == list(range(40))


def test_what_was_read_before_a_source_broke_is_given(recognizer: ActionRecognizer) -> None:
    film = Film(range(20), then=VideoError(Path("film"), "broke"))
    found = []
    with pytest.raises(VideoError, match="film: broke"):
        for event in recognize_stream(recognizer, film, scripted({0: (0, walk(20))}, 3)):
            found.append(event)
    assert [(one.start, one.stop) for one in of_kind(found, TubeEnd)] == [(0, 20)]


def test_stopping_answers_for_what_was_read(recognizer: ActionRecognizer) -> None:
    film = Film(range(1000))
    settings = StreamSettings(frames=True)
    recognition = StreamRecognition(recognizer, film, scripted({0: (0, walk(1000))}, 3), settings)
    found = []
    for event in recognition:
        found.append(event)
        if recognition.frames >= 50:
            recognition.stop()
    assert recognition.interrupted
    frames = [one.frame.index for one in of_kind(found, AnsweredFrame)]
    assert 50 <= len(frames) < 200
    assert of_kind(found, TubeEnd)[0].stop == len(frames)
    end = recognition.end()
    assert (end.frames, end.tubes, end.interrupted) == (len(frames), 1, True)
    assert end.windows == len(of_kind(found, Prediction))
    assert film.closed


def test_memory_does_not_grow_with_the_video(recognizer: ActionRecognizer) -> None:
    def peak(frames: int) -> int:
        tubes = {0: (0, walk(frames)), **{n: (40 * n, walk(30)) for n in range(1, frames // 40)}}
        settings = StreamSettings(frames=True)
        tracemalloc.start()
        for _ in recognize_stream(recognizer, Film([0] * frames), scripted(tubes, 10), settings):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    short, long = peak(150), peak(650)
    # The script itself is a box a frame and tube; the frames would be 58 kB each.
    assert long - short < 500 * 58_000 / 10


def test_what_was_answered_is_let_go_of(recognizer: ActionRecognizer) -> None:
    windows, boxes = 0, 0
    film, tubes = Film([0] * 500), scripted({0: (0, walk(500))})
    for number, _ in enumerate(recognize_stream(recognizer, film, tubes)):
        if number % 20 == 0:
            kinds = Counter(type(one) for one in gc.get_objects())
            windows, boxes = max(windows, kinds[Window]), max(boxes, kinds[_Seen])
    # Batches of 8: those that run or wait to, the one that is collected, and one being answered.
    assert 0 < windows <= 8 * (AHEAD + 3)
    assert 0 < boxes <= 4 * 8 * (AHEAD + 3)  # windows are 4 frames apart


def test_one_source_of_tubes_is_used_as_it_is(recognizer: ActionRecognizer) -> None:
    one = Scripted({0: (0, walk(9))})
    assert len(of_kind(list(recognize_stream(recognizer, Film(range(9)), one)), TubeEnd)) == 1
    found = list(recognize_stream(recognizer, Film(range(9)), WholeFrame(WIDTH, HEIGHT)))
    assert len(of_kind(found, TubeEnd)) == 1


def test_what_cannot_be_is_told(recognizer: ActionRecognizer, tmp_path: Path) -> None:
    film = Film(range(3))
    with pytest.raises(ProposalError, match="no such file"):
        list(recognize_stream(recognizer, film, tmp_path / "none.csv"))
    assert film.closed
    for wrong in ({"overlap": 1.0}, {"smooth": 2}, {"threshold": float("nan")}, {"patience": -1.0}):
        with pytest.raises(StreamError, match=next(iter(wrong))):
            StreamSettings(**wrong)  # type: ignore[arg-type]
