"""Whole commands: a video stage by stage, and starts from cold."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from tinyvirat.benchmark.commands import measure_start, measure_video
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
    assert {"decode", "proposals", "crop", "network", "write"} <= set(names)
    assert whole.variant == "all of it" and whole.seconds
    assert whole.unit.startswith("video of 2.0 s, ")
    assert whole.ratio is not None
    assert abs(whole.ratio - 2.0 / whole.seconds) < 1e-9
    assert sum(row.seconds or 0.0 for row in stages) <= whole.seconds * 2
    assert not list(tmp_path.glob("*.jsonl")), "rows go to a folder that is deleted"


def test_starts_from_cold() -> None:
    rows = measure_start(HOW, turns=1, one=SUBJECT)
    assert [row.what for row in rows] == ["tinyvirat --help", "tinyvirat recognize, one clip"]
    for row in rows:
        assert row.reason is None, row.reason
        assert row.seconds is not None and row.seconds > 0.01
    late = measure_start(replace(HOW, pace=replace(HOW.pace, limit=0.01)), turns=1, one=SUBJECT)
    assert all(row.seconds is None and "longer" in (row.reason or "") for row in late)
