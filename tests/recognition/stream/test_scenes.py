"""From a rendered scene to rows: tubes from the truth and from motion, in Python and by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyvirat.annotations import Track
from tinyvirat.cli import main
from tinyvirat.datasets.simulate import SceneConfig, Truth, read_truth, write_scene
from tinyvirat.recognition.events import AnsweredFrame, TubeEnd
from tinyvirat.recognition.load import load
from tinyvirat.recognition.proposals.followed import TrackTubes, as_found
from tinyvirat.recognition.results import Prediction
from tinyvirat.recognition.stream import StreamSettings, recognize_stream

from ..conftest import write_model
from .films import of_kind

SCENE = SceneConfig(seed=3, width=192, height=144, frames=50, people=2, vehicles=1)
FLOAT32 = ["--device", "cpu", "--precision", "float32"]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Read only."""
    return read_truth(write_scene(SCENE, tmp_path_factory.mktemp("scene")))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), "attention")


def write_mot(path: Path, tracks: tuple[Track, ...]) -> None:
    """The tracks as MOTChallenge has them: counted from 1, corner and size."""
    rows = []
    for track in tracks:
        for frame, (x1, y1, x2, y2) in zip(track.frames_T, track.boxes_T4, strict=True):
            box = f"{x1:.3f},{y1:.3f},{x2 - x1:.3f},{y2 - y1:.3f}"
            rows.append(f"{frame + 1},{track.id + 1},{box},1,-1,-1,-1\n")
    path.write_text("".join(rows))


def test_tubes_of_the_truth_are_read_from_end_to_end(truth: Truth, model: Path) -> None:
    recognizer = load(model, device="cpu", precision="float32")
    found = list(
        recognize_stream(
            recognizer,
            truth.video,
            lambda width, height, fps: TrackTubes(
                [as_found(track) for track in truth.tracks], width, height, fps
            ),
            StreamSettings(frames=True),
        )
    )
    ends = {one.tube: one for one in of_kind(found, TubeEnd)}
    assert {one.type for one in ends.values()} == {track.type for track in truth.tracks}
    for number, end in ends.items():
        stretches = of_kind(found, Prediction, number)
        if stretches:
            assert (stretches[0].start, stretches[-1].stop) == (end.start, end.stop)
            assert end.best_window_THWC is not None and end.best_window_THWC.shape[0] == 8
    frames = of_kind(found, AnsweredFrame)
    assert [one.frame.index for one in frames] == list(range(SCENE.frames))
    assert frames[10].frame.time == pytest.approx(10 / 30, abs=1e-3)


def test_by_command_with_tracks_of_a_file(
    truth: Truth, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mot(tmp_path / "tracks.csv", truth.tracks)
    common = ["recognize", str(truth.video), "--model", str(model), *FLOAT32]
    common += ["--tubes", str(tmp_path / "tracks.csv")]
    out = tmp_path / "out"
    assert main([*common, "--json", "--out", str(out), "--outputs", "jsonl"]) == 0
    printed = capsys.readouterr().out
    assert printed == (out / "predictions.jsonl").read_text()
    rows = [json.loads(line) for line in printed.splitlines()]
    assert all(len(row["boxes"]) == row["stop"] - row["start"] for row in rows)
    assert len({row["tube"] for row in rows}) >= 2
    actions = [json.loads(line) for line in (out / "actions.jsonl").read_text().splitlines()]
    assert main(common) == 0
    table = capsys.readouterr().out
    if actions:
        assert all(action["label"] in table for action in actions)
    else:
        assert "no action above its threshold" in table


def test_by_command_with_motion_which_is_the_default(
    truth: Truth, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["recognize", str(truth.video), "--model", str(model), "--json", *FLOAT32]
    assert main(common) == 0
    chosen = capsys.readouterr().out
    assert main([*common, "--tubes", "motion"]) == 0
    assert capsys.readouterr().out == chosen
    assert len(chosen.splitlines()) >= 2


def test_wrong_commands_are_told_in_a_sentence(
    truth: Truth, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = str(truth.video)
    for words, message in (
        ([video, "--outputs", "jsonl"], "--outputs needs --out"),
        ([video, "--tubes", "none.csv"], "none.csv"),
        ([video, "--render", "--out", str(tmp_path)], "--render draws clips"),
        (["ftp://camera/live"], "addresses of http, https, rtsp, rtsps"),
        (["none.mp4"], "none.mp4: there is no such file"),
        (["97"], "camera 97"),
        ([video, "--out", str(tmp_path), "--outputs", "jsonl,gif"], "gif"),
    ):
        assert main(["recognize", *words, "--model", str(model), *FLOAT32]) == 1
        (line,) = [one for one in capsys.readouterr().err.splitlines() if "error" in one]
        assert message in line
    assert main(["recognize", "none.mp4"]) == 1
    assert "none.mp4" in capsys.readouterr().err  # the source's own error comes first
