"""Whole commands: a video stage by stage, and starts from cold."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.benchmark import commands
from tinyvirat.benchmark import run as run_module
from tinyvirat.benchmark.commands import measure_start, measure_video
from tinyvirat.benchmark.records import Timing
from tinyvirat.benchmark.run import Wanted, run
from tinyvirat.benchmark.speeds import How
from tinyvirat.common.errors import TinyviratError
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.video import write_video
from tinyvirat.video.sampling import AllWindows

from .small import CONFIG, HOW, SUBJECT


def test_where_the_time_of_a_video_goes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    preprocess = Preprocess(16, full=None, short_side=None, fit="pad")
    spec = ModelSpec("toy", CONFIG, ("a", "b", "c"), True, preprocess, AllWindows(8))
    save_model(tmp_path / "model", Model(spec, CONFIG.build()))
    frames_THWC = np.full((50, 160, 200, 3), 60, np.uint8)
    for t, frame_HWC in enumerate(frames_THWC):
        frame_HWC[40:80, 20 + 3 * t : 40 + 3 * t] = 220
    write_video(tmp_path / "walk.mp4", frames_THWC, Fraction(25))
    *stages, whole = measure_video(tmp_path / "walk.mp4", str(tmp_path / "model"), HOW)
    names = [row.variant for row in stages]
    assert names == ["decode", "proposals", "crop", "super-resolution", "classification", "write"]
    assert all(row.seconds and row.seconds > 0.0 for row in stages)
    assert whole.what == "walk.mp4, toy"
    assert whole.variant == "all of it" and whole.seconds
    assert whole.unit.startswith("video of 2.0 s, ")
    assert whole.ratio is not None
    assert abs(whole.ratio - 2.0 / whole.seconds) < 1e-9
    assert sum(row.seconds or 0.0 for row in stages) <= whole.seconds * 2
    assert not list(tmp_path.glob("*.jsonl")), "rows go to a folder that is deleted"


def test_what_cannot_be_read_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    said: list[str] = []
    wanted = Wanted((SUBJECT,), HOW, models=["interactions"])
    for wrong, message in (
        ({"video": tmp_path / "none.mp4"}, "none.mp4"),
        ({"models": ["nothing"]}, "nothing: neither a folder"),
        ({"manifest": tmp_path / "none.jsonl"}, "none.jsonl"),
    ):
        with pytest.raises(TinyviratError, match=message):
            run(replace(wanted, **wrong), said.append)
    assert said == []


def test_a_video_that_fails_late_costs_its_own_line_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(video: Path, model: str, how: How) -> list[Timing]:
        raise TinyviratError(f"{video}: broke off")

    monkeypatch.setattr(run_module, "measure_video", broken)
    monkeypatch.setattr(run_module, "_matrices", lambda how: {})
    write_video(tmp_path / "a.mp4", np.zeros((4, 32, 32, 3), np.uint8), Fraction(25))
    report = run(Wanted(how=HOW, video=tmp_path / "a.mp4", models=["interactions"]), print)
    (row,) = report.timings
    assert row.what == "a.mp4, interactions" and row.seconds is None
    assert row.reason is not None and "broke off" in row.reason


def test_starts_from_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model and a clip that are there; one that fails or hangs is a reason."""
    seen: list[list[str]] = []

    def run(words: list[str], threads: int, limit: float) -> str:
        seen.append(words)
        if words == ["--help"]:
            return ""
        video, model = Path(words[1]), Path(words[3])
        assert video.is_file() and (model / "model.json").is_file()
        if len(seen) > 2:
            raise subprocess.TimeoutExpired(words, limit)
        return "ended with code 1: no such thing"

    monkeypatch.setattr(commands, "_tinyvirat", run)
    start, recognise = measure_start(HOW, turns=1, one=SUBJECT)
    assert start.seconds is not None and start.reason is None
    assert (recognise.seconds, recognise.reason) == (None, "ended with code 1: no such thing")
    _, recognise = measure_start(HOW, turns=1, one=SUBJECT)
    assert recognise.reason == "took longer than 120 s"
    assert seen[1][0] == "recognize" and seen[1][4] == "--json"


def test_a_real_command_that_fails_says_why() -> None:
    reason = commands._tinyvirat(["nothing"], 1, 300.0)
    assert reason.startswith("ended with code 2: ")
