"""A small model with super-resolution and attention, a short scene, and uploads of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.app.limits import AppLimits
from tinyvirat.app.upload import Upload, check_upload
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.recognition.load import ActionRecognizer, load
from tinyvirat.video import write_video
from tinyvirat.video.sampling import SlidingWindows

LABELS = ("carry", "pull", "walk")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model whose every label holds, so that there is something to see."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    config = RecognizerConfig(
        ResNet3DConfig(10, num_classes=3, width=2),
        ProgressiveDVSRConfig(2, 4, 2, attention=True),
        side=32,
        zero_to_one=True,
        mask=True,
    )
    network = config.build().eval()
    preprocess = Preprocess(16, full=None, short_side=None, fit="pad")
    sampler = SlidingWindows(8, hop=4)
    spec = ModelSpec("tiny", config, LABELS, True, preprocess, sampler, (0.1, 0.1, 0.1))
    save_model(folder, Model(spec, network))
    return folder


@pytest.fixture(scope="session")
def recognizer(model: Path) -> ActionRecognizer:
    """The same, loaded."""
    return load(model, device="cpu", precision="float32")


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of 160 x 120 px at 10 a second: a bright square walks over a grey ground."""
    ground = np.random.default_rng(0).integers(90, 110, (120, 160, 3), np.uint8)
    frames_THWC = np.repeat(ground[None], 60, axis=0)
    for t in range(60):
        x = 10 + 2 * t
        frames_THWC[t, 50:74, x : x + 16] = (220, 200, 60)
    path = tmp_path_factory.mktemp("video") / "yard.mp4"
    write_video(path, frames_THWC, Fraction(10), crf=8)
    return path


@pytest.fixture
def limits() -> AppLimits:
    """Limits that a test does not wait for long."""
    return AppLimits(megabytes=5, seconds=20, check_seconds=60, answer_seconds=120)


@pytest.fixture
def upload(video: Path, limits: AppLimits) -> Upload:
    """The video, checked."""
    return check_upload(video, "C:\\cameras\\yard.mp4", limits)
