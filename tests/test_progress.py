"""The bar that is shown while long work goes on: on a terminal, and in a log."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyvirat.common import progress
from tinyvirat.common.progress import bar, track
from tinyvirat.recognition.archive.records import Job, Outcome
from tinyvirat.recognition.archive.showing import Showing
from tinyvirat.recognition.stream.watching import Watching

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LINE = "━" * 40
TIMES = "0:00:0. left (0:00:0.|-:--:--)"


class Terminal(io.StringIO):
    """A standard error that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error from here on. No fixture: what is captured is set anew after those."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "150")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def last_line(shown: Terminal) -> str:
    """What stands there in the end."""
    return ESCAPES.sub("", shown.getvalue()).replace("\r", "\n").strip().split("\n")[-1]


def tracked() -> None:
    assert list(track(range(3), "decoding")) == [0, 1, 2]


def watched() -> None:
    with Watching("gate.mp4", 8) as watching:
        watching.at(8)


def showed() -> None:
    jobs = [Job(name, Path(name), name, 100) for name in ("a", "b")]
    with Showing(videos=3, before=1, left=200) as showing:
        showing.at(jobs[0], 5, 10)
        showing.finished(Outcome(jobs[0], None))
        time.sleep(0.11)  # the bar moves ten times a second at the most
        showing.finished(Outcome(jobs[1], None))


@pytest.mark.parametrize(
    ("work", "line"),
    [
        (tracked, f"decoding {LINE} 3/3 {TIMES}"),
        (watched, rf"gate.mp4 {LINE} 8/8 [0-9.]+ frames/s {TIMES}"),
        (showed, rf"recognising {LINE} 3/3 videos [0-9.]+ frames/s {TIMES}"),
    ],
)
def test_a_terminal_shows_a_bar(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[], None], line: str
) -> None:
    terminal = a_terminal(monkeypatch)
    work()
    assert re.fullmatch(line, last_line(terminal)), last_line(terminal)


@pytest.mark.parametrize(
    ("work", "lines"),
    [
        (tracked, "decoding: 1 of 3, 0 s left\ndecoding: 2 of 3, 0 s left\n"),
        (watched, "gate.mp4: 8 frames, "),
        (showed, "recognising: 1 of 3 videos, "),
    ],
)
def test_a_log_gets_lines(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[], None],
    lines: str,
) -> None:
    for module in (progress, sys.modules[Watching.__module__], sys.modules[Showing.__module__]):
        monkeypatch.setattr(module, "PLAIN_EVERY_S", 0.0)
    work()
    shown = capsys.readouterr().err
    assert shown.startswith(lines)
    assert "━" not in shown


def test_short_work_writes_nothing_into_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    tracked()
    watched()
    assert capsys.readouterr().err == ""


def test_a_bar_shows_what_is_told_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with bar("videos", "rate", counted=False) as shown:
        shown.add_task("reading", total=2, completed=2, videos="2 videos", rate="quickly")
    assert re.fullmatch(f"reading {LINE} 2 videos quickly {TIMES}", last_line(terminal))


def test_what_a_bar_is_about_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with bar("rate") as shown:
        shown.add_task("dir[/x].mp4", total=1, completed=1, rate="[front]:car:")
    assert last_line(terminal).startswith(f"dir[/x].mp4 {LINE} 1/1 [front]:car: ")
