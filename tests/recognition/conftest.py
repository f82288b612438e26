"""Small models and clips of many kinds, for recognition."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.datasets.manifest import ClipRecord, write_manifest
from tinyvirat.models.any_size import AnySizeDVSRConfig
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.video import write_video
from tinyvirat.video.sampling import AllWindows, AnySampler, CentreWindow, SlidingWindows

LABELS = ("carry", "pull", "walk")
CLASSIFIER = ResNet3DConfig(10, num_classes=3, width=4)
LARGE = Preprocess(8, full=32, short_side=36)
TINY = Preprocess(16, full=None, short_side=None, fit="pad")
ANY = Preprocess((14, 28, 56, 112), full=None, short_side=None, fit="pad")

# Frames, height, width and rate of each clip: shorter than a window, longer than many, not square.
CLIPS = (
    (3, 40, 40, Fraction(25)),
    (8, 36, 52, Fraction(10)),
    (21, 48, 36, Fraction(30000, 1001)),
    (70, 40, 44, Fraction(25)),
)


def config(network: object, side: int, *, mask: bool = False) -> RecognizerConfig:
    """A recogniser with a small classifier behind a super-resolution network, or behind none."""
    return RecognizerConfig(CLASSIFIER, network, side=side, zero_to_one=mask, mask=mask)  # type: ignore[arg-type]


MODELS: dict[str, tuple[RecognizerConfig, Preprocess, AnySampler, bool]] = {
    "large clips": (config(None, 32), LARGE, AllWindows(8), False),
    "super-resolved": (
        config(ProgressiveDVSRConfig(4, 4, 2), 32),
        LARGE,
        AllWindows(8, stride=2),
        False,
    ),
    "attention": (
        config(ProgressiveDVSRConfig(2, 4, 2, attention=True), 32, mask=True),
        TINY,
        SlidingWindows(8, hop=4),
        True,
    ),
    "any size": (
        RecognizerConfig(CLASSIFIER, AnySizeDVSRConfig(2, 1, attention=True)),
        ANY,
        CentreWindow(8),
        True,
    ),
}


def write_model(folder: Path, name: str) -> Path:
    """One of `MODELS` with weights that give no two clips the same answer."""
    network_config, preprocess, sampler, multi = MODELS[name]
    torch.manual_seed(0)
    network = network_config.build().eval()
    with torch.no_grad():
        network.classifier.head.weight.mul_(8)
    thresholds = (0.4, 0.5, 0.6) if multi else ()
    spec = ModelSpec(name, network_config, LABELS, multi, preprocess, sampler, thresholds)
    save_model(folder, Model(spec, network))
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of unlike clips. Do not change the files."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    records = []
    for number, (frames, height, width, fps) in enumerate(CLIPS):
        coarse = rng.integers(0, 255, (1, height // 4, width // 4, 3), np.uint8)
        still = coarse.repeat(4, 1).repeat(4, 2)
        frames_THWC = np.stack([np.roll(still[0], t, axis=1) for t in range(frames)])
        path = folder / f"{number}.mp4"
        write_video(path, frames_THWC, fps)
        records.append(
            ClipRecord(
                id=f"clip{number}",
                path=path.name,
                frames=frames,
                height=height,
                width=width,
                fps=fps,
                labels=(LABELS[number % 3],),
                split="test",
                source=f"clip{number}",
            )
        )
    write_manifest(folder / "manifest.jsonl", records)
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    return folder / "manifest.jsonl"
