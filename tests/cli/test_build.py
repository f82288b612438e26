"""`tinyvirat data build-virat` from its options to its output."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.annotations import Activity, Annotations, Track
from tinyvirat.annotations.kpf import write_kpf
from tinyvirat.cli import main
from tinyvirat.datasets import read_manifest
from tinyvirat.video import write_video

NAME = "VIRAT_S_000001_00"
FRAMES = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A short video of somebody who walks and later waves, twice annotated as KPF."""
    rng = np.random.default_rng(0)
    frames_THWC = np.tile(rng.integers(0, 200, (1, 48, 64, 3), np.uint8), (FRAMES, 1, 1, 1))
    write_video(tmp_path / "videos" / f"{NAME}.mp4", frames_THWC, 25)
    boxes_T4 = np.array([[8 + t / 2, 10, 20 + t / 2, 30] for t in range(FRAMES)])
    track = Track(1, "person", np.arange(FRAMES), boxes_T4)
    walks = Activity(1, "activity_walking", 0, FRAMES, (1,))
    waves = Activity(2, "activity_gesturing", 20, FRAMES, (1,))
    write_kpf(tmp_path / "kpf", Annotations(NAME, (track,), (walks, waves)))
    nowhere = replace(track, id=2, frames_T=np.zeros(0, np.int64), boxes_T4=np.zeros((0, 4)))
    talks = Activity(1, "Talking", 0, FRAMES, (2,))
    write_kpf(tmp_path / "unlocated", Annotations("gate", (nowhere,), (talks,)))
    return tmp_path


def run(*words: object) -> int:
    try:
        return main([*map(str, ("data", "build-virat", *words))])
    except SystemExit as end:
        return int(end.code or 0)


def test_it_builds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "set"
    options = ("--annotations", folder / "kpf", "--videos", folder / "videos", "--out", out)
    assert run(*options, "--min-samples", 1, "--processes", 1) == 0
    shown = capsys.readouterr()
    assert "activity_gesturing" in shown.out and "2 clips" in shown.err
    manifest = read_manifest(out / "manifest.jsonl")
    assert [(one.frames, one.labels) for one in manifest.records] == [
        (20, ("activity_walking",)),
        (20, ("activity_gesturing", "activity_walking")),
    ]
    assert run(*options, "--min-samples", 1, "--processes", 1, "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["clips"] == 2
    assert "videos cut now: 0" in shown.err


def test_a_plan_needs_no_videos(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--annotations", folder / "kpf", "--plan-only", "--min-samples", 1)
    before = sorted(folder.iterdir())
    assert run(*options, "--processes", 1, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["clips"], found["classes"], found["mean_frames"]) == (2, 2, 20.0)
    assert found["without_boxes"]["clips"] == 0
    assert run(*options, "--processes", 1, "--larger-than", 112) == 1
    assert "no clip can be made" in capsys.readouterr().err
    assert run(*options, "--processes", 1, "--set", "crop.context=5", "size.largest=30") == 1
    assert sorted(folder.iterdir()) == before


def test_a_plan_counts_what_has_no_boxes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--annotations", folder / "unlocated", "--plan-only", "--processes", 1)
    assert run(*options) == 0
    shown = capsys.readouterr()
    assert "spans without boxes" in shown.out and "Talking" in shown.out
    assert "of actors without a box" in shown.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--annotations", "kpf"), 1, "--videos is missing"),
        (("--annotations", "kpf", "--videos", "videos"), 1, "--out is missing"),
        ((), 2, "annotations"),
        (("--annotations", "none", "--plan-only"), 1, "no such folder of annotations"),
        (("--annotations", "kpf", "--plan-only", "--processes", "0"), 1, "1 or more"),
        (("--annotations", "kpf", "--plan-only", "--processes", "2", "--ray", "x"), 1, "leave one"),
        (("--annotations", "kpf", "--plan-only", "--set", "crop.contxt=1"), 1, "contxt"),
        (("--annotations", "kpf", "--plan-only", "--layout", "v3"), 2, "v1"),
        (("--annotations", "kpf", "--plan-only"), 1, "Set --min-samples to 2 or less"),
    ],
)
def test_mistakes_are_one_line_that_helps(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    assert run(*words) == code
    assert message in capsys.readouterr().err


def test_many_troubles_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    track = Track(1, "person", np.arange(3), np.ones((3, 4)) * [1, 2, 8, 9])
    for number in range(14):
        write_kpf(folder / "kpf", Annotations(f"absent{number:02}", (track,), ()))
    options = ("--annotations", folder / "kpf", "--videos", folder / "videos", "--out")
    assert run(*options, folder / "set", "--min-samples", 1, "--processes", 1) == 0
    shown = capsys.readouterr().err
    assert "absent09" in shown and "absent10" not in shown
    assert "And more: 4 annotation without video." in shown
    report = json.loads((folder / "set" / "report.json").read_text())
    assert len(report["troubles"]) == 14
