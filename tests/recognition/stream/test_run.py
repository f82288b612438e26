"""Sinks are begun, fed and ended in order, whatever happens; Ctrl-C leaves whole files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinyvirat.recognition.events import (
    Action,
    AnsweredFrame,
    Event,
    StreamEnd,
    StreamHeader,
    TubeEnd,
)
from tinyvirat.recognition.load import ActionRecognizer, load
from tinyvirat.recognition.results import Prediction
from tinyvirat.recognition.stream import StreamSettings, recognize_stream, run_stream, watching
from tinyvirat.recognition.stream.stages import STAGES
from tinyvirat.recognition.stream.watching import Watching
from tinyvirat.video import VideoError, open_video

from ..conftest import write_model
from .films import FPS, Film, of_kind, scripted, walk
from .server import Served, Way, serving, write_stream

TUBES = scripted({0: (0, walk(20)), 1: (4, walk(12))}, 3)


class Recorder:
    """A sink that remembers what it was told.

    Args:
        fails: the call that raises.
    """

    def __init__(self, fails: str = "") -> None:
        self.calls: list[str] = []
        self.header: StreamHeader | None = None
        self.last: StreamEnd | None = None
        self._fails = fails

    def _told(self, call: str) -> None:
        self.calls.append(call)
        if call == self._fails:
            raise OSError(f"no room to {call}")

    def begin(self, header: StreamHeader) -> None:
        self.header = header
        self._told("begin")

    def take(self, event: Event) -> None:
        self._told(type(event).__name__)

    def end(self, end: StreamEnd) -> None:
        self.last = end
        self._told("end")

    def abandon(self) -> None:
        self._told("abandon")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), "attention")


@pytest.fixture(scope="module")
def recognizer(model: Path) -> ActionRecognizer:
    return load(model, device="cpu", precision="float32")


def test_sinks_get_everything_and_how_it_went(recognizer: ActionRecognizer) -> None:
    sinks = [Recorder(), Recorder()]
    settings = StreamSettings(frames=True)
    end = run_stream(recognizer, Film(range(20)), sinks, TUBES, settings, progress=False)
    assert sinks[0].calls == sinks[1].calls
    counts = Counter(sinks[0].calls)
    assert (sinks[0].calls[0], sinks[0].calls[-1]) == ("begin", "end")
    assert counts["AnsweredFrame"] == 20 and counts["TubeEnd"] == 2
    assert sinks[0].last is end
    assert (end.frames, end.tubes, end.interrupted, end.dropped) == (20, 2, False, 0)
    assert end.windows == counts["Prediction"] == 6
    assert tuple(end.stages) == STAGES
    assert end.stages["network"] > 0
    header = sinks[0].header
    assert header is not None
    assert (header.video, header.width, header.fps, header.frames) == ("film", 160, FPS, 20)
    assert header.thresholds == (0.4, 0.5, 0.6) and header.multi_label


@pytest.mark.parametrize("call", ["begin", "Prediction", "end"])
def test_where_a_sink_breaks_all_that_are_not_ended_are_abandoned(
    recognizer: ActionRecognizer, call: str
) -> None:
    first, second, third = sinks = [Recorder(), Recorder(fails=call), Recorder()]
    with pytest.raises(OSError, match=f"no room to {call}"):
        run_stream(recognizer, Film(range(20)), sinks, TUBES, progress=False)
    assert first.calls[-1] == ("end" if call == "end" else "abandon")
    assert second.calls[-2:] == [call, "abandon"]
    assert third.calls[-1:] == ([] if call == "begin" else ["abandon"])


def test_where_the_source_breaks_sinks_are_ended(recognizer: ActionRecognizer) -> None:
    sink = Recorder()
    film = Film(range(20), then=VideoError(Path("film"), "broke"))
    with pytest.raises(VideoError, match="broke"):
        run_stream(recognizer, film, [sink], TUBES, progress=False)
    assert sink.calls[-1] == "end" and sink.calls.count("TubeEnd") == 2
    sink = Recorder()
    with pytest.raises(VideoError, match="broke"):
        run_stream(recognizer, Film([], then=VideoError(Path("film"), "broke")), [sink], TUBES)
    assert sink.calls == ["begin", "abandon"]


def test_other_threads_leave_signals_alone(recognizer: ActionRecognizer) -> None:
    before = signal.getsignal(signal.SIGINT)
    ends = []
    work = lambda: ends.append(run_stream(recognizer, Film(range(9)), [], TUBES, progress=False))  # noqa: E731
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert ends[0].frames == 9
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C as it is in a terminal: processes that run tests side by side ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_and_the_second_breaks_off(
    recognizer: ActionRecognizer, kind: signal.Signals
) -> None:
    class Signalling(Recorder):
        def take(self, event: Event) -> None:
            super().take(event)
            if self.calls.count("AnsweredFrame") == 5:
                signal.raise_signal(kind)

    before = signal.getsignal(kind)
    sink = Signalling()
    settings = StreamSettings(frames=True)
    film = Film(range(2000))
    end = run_stream(recognizer, film, [sink], scripted({}), settings, progress=False)
    assert end.interrupted and sink.calls[-1] == "end"
    assert sink.calls.count("AnsweredFrame") == end.frames < 2000
    assert signal.getsignal(kind) is before
    if kind is signal.SIGINT:

        class Twice(Signalling):
            def take(self, event: Event) -> None:
                super().take(event)
                if self.calls.count("AnsweredFrame") == 5:
                    signal.raise_signal(kind)

        impatient = Twice()
        with pytest.raises(KeyboardInterrupt):
            run_stream(recognizer, Film(range(2000)), [impatient], scripted({}, 3), settings)
        assert impatient.calls[-1] == "abandon"


def test_a_tiny_file_is_one_clip(recognizer: ActionRecognizer, clips: Path) -> None:
    path = clips.parent / "3.mp4"
    found = list(recognize_stream(recognizer, path, None, StreamSettings(frames=True)))
    (wanted,) = recognizer.recognize(path)
    assert of_kind(found, Prediction) == [wanted]
    assert tuple(one.label for one in of_kind(found, Action)) == wanted.labels
    (end,) = of_kind(found, TubeEnd)
    assert (end.scores, end.stop) == (wanted.scores, wanted.stop)
    frames = of_kind(found, AnsweredFrame)
    with open_video(path) as reader:
        for answered, frame in zip(frames, reader, strict=True):
            assert (answered.frame.frame_HWC == frame.frame_HWC).all()
            assert answered.boxes[0].labels == wanted.labels
    assert end.best_start is not None and end.best_window_THWC is not None
    with open_video(path) as reader:
        first_HWC = reader.read([end.best_start]).frames_THWC[0]
    assert (end.best_window_THWC[0] == first_HWC).all()
    read_over_time = list(recognize_stream(recognizer, path, TUBES))
    assert all(one.boxes for one in of_kind(read_over_time, Prediction))


def test_progress_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 0.0, 1.0, 20.0, 21.0])
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with Watching("yard.mp4", 400) as bar:
        for frames in (10, 200, 210):
            bar.at(frames)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "yard.mp4: 200 of 400 frames, 10.0 frames/s, 20 s left"


def test_ctrl_c_leaves_whole_files(model: Path, tmp_path: Path) -> None:
    film = write_stream(tmp_path / "film.ts", 60, size=(160, 128))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tinyvirat", "recognize"]
    options = [
        "--model",
        str(model),
        "--tubes",
        "whole",
        "--out",
        str(out),
        "--outputs",
        "jsonl,csv",
    ]
    options += ["--device", "cpu", "--precision", "float32"]
    # It stays connected and silent: only Ctrl-C ends it.
    with serving(Served(Way(film, length=False, stall=300.0))) as url:
        running = subprocess.Popen(
            [*command, url, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            deadline = time.monotonic() + 200.0
            while not any(one.stat().st_size for one in out.glob(".predictions*")):
                assert running.poll() is None, running.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            running.send_signal(signal.SIGINT)
            printed, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 130, errors
    assert "secret" not in printed + errors
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert rows and rows[-1]["stop"] <= 60
    assert [row["start"] for row in rows[1:]] == [row["stop"] for row in rows[:-1]]
    assert not list(out.glob(".*"))
