"""What `tinyvirat recognize` says of a video and of a folder: one is not said as several."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyvirat.cli.archived import summed_up
from tinyvirat.cli.recognized import Shown
from tinyvirat.recognition.archive.records import Archive, Job, Outcome

from .scenes import Actor, Scene, play


@pytest.mark.parametrize(("tubes", "said"), [(0, "0 tubes"), (1, "1 tube"), (2, "2 tubes")])
def test_a_video_in_which_nothing_is_done(
    tubes: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Shown(json=False, top=3)
    play(shown, Scene(actors=(Actor(0, 9),) * tubes, frames=9))
    shown.tables()
    assert capsys.readouterr().out == f"yard.avi: no action above its threshold in {said}\n"


@pytest.mark.parametrize(
    ("videos", "said"),
    [
        (1, "1 of 1 video finished (1 before); 0 frames in 2.0 s, 0.0 frames/s"),
        (2, "2 of 2 videos finished (2 before); 0 frames in 2.0 s, 0.0 frames/s"),
    ],
)
def test_a_folder(videos: int, said: str) -> None:
    jobs = [Job(f"{number}.mp4", Path(), str(number), 1) for number in range(videos)]
    outcomes = tuple(Outcome(job, None, attempts=0) for job in jobs)
    assert summed_up(Archive(outcomes, videos, 2.0, interrupted=False)) == said


def test_times_are_written_as_in_the_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = Shown(json=False, top=3)
    play(shown, Scene())
    shown.tables()
    out = capsys.readouterr().out
    assert "00:00.4 - 00:02.8" in out and "00:01.2 - 00:02.0" in out
