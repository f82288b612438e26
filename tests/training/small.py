"""The smallest training there is: clips of a few pixels, networks of a few channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinyvirat.datasets.manifest import ClipRecord, write_manifest
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.training.fade import Fade
from tinyvirat.training.recipe import (
    ClassifierPhase,
    Clips,
    JointPhase,
    Recipe,
    SuperResolutionPhase,
    Upkeep,
)
from tinyvirat.video import write_video

CLASSES = ("blue", "green", "red")
SIZES = ((36, 44), (40, 40), (48, 36))
FRAMES = 12
SPLITS = {"train": 8, "val": 2, "test": 5}

CLASSIFIER = I3DConfig(width=0.0625, dropout=0.0)
NETWORK = ProgressiveDVSRConfig(scale=4, channels=4, growth=4, attention=True)
CLIPS = Clips(size=8, full=32, short_side=36, frames=8)
UPKEEP = Upkeep(checkpoint_every=2, precision="float32", cache=False)
RECIPE = Recipe(
    name="small",
    classifier=CLASSIFIER,
    super_resolution=NETWORK,
    clips=CLIPS,
    phase1=SuperResolutionPhase(steps=(3, 3), batch=(4,), fade=Fade(per_step=0.5)),
    phase2=JointPhase(steps=3, batch=4),
    phase3=ClassifierPhase(steps=3, batch=4),
    upkeep=UPKEEP,
)


def picture(colour: int, size_HW: tuple[int, int], frames: int, seed: int) -> np.ndarray:
    """A square of one class's colour that moves over a background of its own."""
    rng = np.random.default_rng(seed)
    height, width = size_HW
    coarse = rng.integers(40, 120, (1, height // 4 + 1, width // 4 + 1, 3), np.uint8)
    still_THWC = coarse.repeat(4, 1).repeat(4, 2)[:, :height, :width]
    frames_THWC = np.tile(still_THWC, (frames, 1, 1, 1))
    top, left = rng.integers(4, 14, 2)
    for t in range(frames):
        place = (
            t,
            slice(top + t // 2, top + t // 2 + 16),
            slice(left + t // 2, left + t // 2 + 16),
        )
        frames_THWC[place] = 30
        frames_THWC[(*place, 2 - colour)] = 230
    return frames_THWC


def write_clips(
    folder: Path,
    *,
    splits: dict[str, int] | None = None,
    sizes: Sequence[tuple[int, int]] = SIZES,
    labelled: bool = True,
    name: str = "clips.jsonl",
    seed: int = 0,
) -> Path:
    """Writes clips and their manifest; returns the manifest's path."""
    records = []
    for split, count in (splits or SPLITS).items():
        for number in range(count):
            colour, size = number % len(CLASSES), sizes[number % len(sizes)]
            clip = f"{split}{number}"
            key = seed * 1000 + 100 * len(records) + number
            frames = FRAMES + number % 3
            path = folder / name.split(".")[0] / f"{clip}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, picture(colour, size, frames, key), Fraction(25))
            record = ClipRecord(
                id=clip,
                path=str(path.relative_to(folder)),
                frames=frames,
                height=size[0],
                width=size[1],
                fps=Fraction(25),
                labels=(CLASSES[colour],) if labelled else (),
                split=split,
                source=clip,
            )
            records.append(record)
    manifest = folder / name
    write_manifest(manifest, records)
    return manifest


def without(recipe: Recipe, *phases: int) -> Recipe:
    """A recipe without some of its phases."""
    return replace(recipe, **{f"phase{number}": None for number in phases})
