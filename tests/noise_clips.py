"""A few clips of noise and their manifest, for tests that only need something to read."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinyvirat.datasets.manifest import ClipRecord, write_manifest
from tinyvirat.video import write_video


def write_noise_clips(folder: Path, labels: Sequence[str], splits: Sequence[str]) -> Path:
    """Writes a clip of 8 frames of 32 x 32 px for each of `splits`; returns the manifest's path.

    Labels take turns, and each clip is a source of its own.
    """
    rng = np.random.default_rng(0)
    records = []
    for number, split in enumerate(splits):
        path = folder / f"{number}.mp4"
        write_video(path, rng.integers(0, 255, (8, 32, 32, 3), np.uint8), Fraction(25))
        record = ClipRecord(
            id=path.stem,
            path=path.name,
            frames=8,
            height=32,
            width=32,
            fps=Fraction(25),
            labels=(labels[number % len(labels)],),
            split=split,
            source=path.stem,
        )
        records.append(record)
    write_manifest(folder / "manifest.jsonl", records)
    return folder / "manifest.jsonl"
