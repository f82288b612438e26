"""A scene on disk: what was written comes back; what is damaged is an error with its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.simulate import (
    Scene,
    SceneConfig,
    SceneFrame,
    SimulationError,
    iter_frames,
    read_masks,
    read_truth,
    render_scene,
    write_scene,
)
from tinyvirat.video import read_clip

BUSY = SceneConfig(seed=4, frames=12, people=4, vehicles=2)
SMALL = SceneConfig(
    seed=1, width=96, height=64, frames=4, people=2, vehicles=1, actor_height=(10, 30)
)


@pytest.fixture(scope="module")
def busy() -> Scene:
    return render_scene(BUSY)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, busy: Scene) -> Path:
    return write_scene(busy, tmp_path_factory.mktemp("scene")).parent


def test_a_written_scene_comes_back(written: Path, busy: Scene) -> None:
    truth = read_truth(written / "truth.json")
    clip = read_clip(truth.video)
    assert clip.fps == BUSY.fps == truth.fps
    assert clip.frames_THWC.shape == busy.frames_THWC.shape
    error = np.abs(clip.frames_THWC.astype(int) - busy.frames_THWC)
    assert error.mean() < 5
    assert np.array_equal(read_masks(truth.masks), busy.masks_THW)
    assert truth.activities == busy.activities
    for one, two in zip(truth.tracks, busy.tracks, strict=True):
        assert (one.id, one.type) == (two.id, two.type)
        assert np.array_equal(one.frames_T, two.frames_T)
        assert np.array_equal(one.boxes_T4, two.boxes_T4)
    text = json.loads((written / "truth.json").read_text())
    assert "no result" in text["about"]
    assert (text["width"], text["height"], text["frames"]) == (320, 240, 12)


def test_writing_frame_by_frame_gives_the_same_files(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scene(BUSY, tmp_path)
    for name in ("truth.json", "masks.npz"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()
    monkeypatch.setattr("tinyvirat.datasets.simulate.write.MASK_CHUNK", 5)
    write_scene(BUSY, tmp_path)
    assert np.array_equal(read_masks(tmp_path / "masks.npz"), read_masks(written / "masks.npz"))


def test_a_scene_half_written_has_no_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scene(SMALL, tmp_path)

    def broken(*_: object) -> Iterator[SceneFrame]:
        yield next(iter_frames(SMALL))
        raise KeyboardInterrupt

    monkeypatch.setattr("tinyvirat.datasets.simulate.write.iter_frames", broken)
    with pytest.raises(KeyboardInterrupt):
        write_scene(SMALL, tmp_path)
    assert not (tmp_path / "truth.json").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"video": "a.mp4"}', "[" * 100_000, '{"video": "../a.mp4", "masks": "m"}'],
)
def test_a_broken_truth_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(text)
    with pytest.raises(TinyviratError, match=r"truth\.json"):
        read_truth(path)


def test_broken_masks_are_named(tmp_path: Path) -> None:
    path = tmp_path / "masks.npz"
    for data in (b"", b"PK nothing", b"\x93NUMPY"):
        path.write_bytes(data)
        with pytest.raises(SimulationError, match=r"masks\.npz"):
            read_masks(path)
    np.savez(path, a=np.zeros((2, 3)))
    with pytest.raises(SimulationError, match="float64"):
        read_masks(path)
    np.savez(path, a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(SimulationError, match=r"masks\.npz"):
        read_masks(path)
    with pytest.raises(SimulationError, match="cannot be read"):
        read_masks(tmp_path / "none.npz")


def test_damaged_masks_are_never_a_crash(written: Path, tmp_path: Path) -> None:
    whole = (written / "masks.npz").read_bytes()
    rng = np.random.default_rng(0)
    path, refused = tmp_path / "masks.npz", 0
    for _ in range(150):
        data = bytearray(whole)
        spot = int(rng.integers(len(data)) if rng.uniform() < 0.5 else rng.choice((40, -60)))
        for at in range(spot, min(spot + 8, len(data))):
            data[at] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(len(data)))] if rng.uniform() < 0.2 else data)
        try:
            assert read_masks(path).ndim == 3
        except SimulationError:
            refused += 1
    assert refused > 75
