"""Small clips to load, and a manifest of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.datasets import ClipRecord, Manifest, read_manifest, write_manifest
from tinyvirat.video import write_video

# Height, width, frames of the files.
FILES = {
    "a": (24, 32, 20),
    "b": (40, 36, 7),
    "c": (24, 32, 33),
    "d": (16, 16, 1),
    "e": (30, 50, 16),
}


def moving_picture(height: int, width: int, frames: int, seed: int) -> np.ndarray:
    """A bright bar that goes across, so that every frame is unlike the others."""
    rng = np.random.default_rng(seed)
    frames_THWC = np.tile(rng.integers(0, 120, (1, height, width, 3), np.uint8), (frames, 1, 1, 1))
    for t in range(frames):
        frames_THWC[t, :, (t * 3) % width : (t * 3) % width + 4] = 200
    return frames_THWC


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small video below the test's folder: `make_clip("x/y.mp4", 16, 16, 5, seed=1)`."""

    def make(name: str, height: int, width: int, frames: int, seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, moving_picture(height, width, frames, seed), Fraction(25))
        return path

    return make


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Seven clips of five files: three have a span or windows. Do not change the files."""
    folder = tmp_path_factory.mktemp("clips")
    records = []
    for number, (name, (height, width, frames)) in enumerate(FILES.items()):
        write_video(
            folder / f"{name}.mp4", moving_picture(height, width, frames, number), Fraction(25)
        )
        record = ClipRecord(
            id=name,
            path=f"{name}.mp4",
            frames=frames,
            height=height,
            width=width,
            fps=Fraction(25),
            labels=("odd",) if number % 2 else ("even", "first")[: 2 - (number > 0)],
            split="train",
            source=name,
        )
        records.append(record)
    c = records[2]
    records.append(replace(c, id="span", start=5, stop=30, windows=((4, 2, 16, 14),)))
    moving = tuple((t, -3, t + 10 + t % 3, 7 + t % 3) for t in range(20))
    records.append(replace(records[0], id="windows", windows=moving))
    path = folder / "clips.jsonl"
    write_manifest(path, records)
    return read_manifest(path)
