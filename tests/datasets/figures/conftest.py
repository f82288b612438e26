"""A small data set with several labels a clip, spans, windows and what the rows tell of actors."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.datasets import ClipRecord, Manifest, read_manifest, write_manifest
from tinyvirat.video import write_video

# Height, width, frames and labels of the files.
FILES = (
    (12, 16, 20, ("run", "walk")),
    (24, 24, 30, ("walk",)),
    (40, 40, 16, ("walk",)),
    (90, 100, 8, ("talk", "walk")),
    (130, 140, 3, ()),
    (20, 20, 10, ("run",)),
)
SPLITS = ("train", "train", "train", "val", "test", "test")


def colours(frames: int, height: int, width: int, seed: int) -> np.ndarray:
    """A grey background of its own and a square that moves."""
    frames_THWC = np.full((frames, height, width, 3), 40 + 20 * seed, np.uint8)
    for t in range(frames):
        left = t * (width - 4) // max(1, frames - 1)
        frames_THWC[t, 2:8, left : left + 4] = (200, 40, 40)
    return frames_THWC


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes the files and their manifest; do not change them."""
    folder = tmp_path_factory.mktemp("figures") / "six clips"
    records = []
    for number, (height, width, frames, labels) in enumerate(FILES):
        path = folder / f"{number}.mp4"
        write_video(path, colours(frames, height, width, number), Fraction(25))
        record = ClipRecord(
            id=path.stem,
            path=path.name,
            frames=frames,
            height=height,
            width=width,
            fps=Fraction(25),
            labels=labels,
            split=SPLITS[number],
            source=f"video {SPLITS[number]} {number // 2}",
        )
        records.append(record)
    write_manifest(folder / "manifest.jsonl", records)
    return folder / "manifest.jsonl"


@pytest.fixture
def clips(made: Path) -> Manifest:
    """The six clips; what their rows tell of actors is left to the tests."""
    return read_manifest(made)


def telling(manifest: Manifest, **extra: object) -> Manifest:
    """The same manifest, each of its rows with `extra`."""
    records = tuple(replace(record, extra=extra) for record in manifest.records)
    return replace(manifest, records=records)
