"""A small model, clips, and the service around it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tinyvirat.models.inference import open_inference
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.service.limits import Limits
from tinyvirat.video import write_video
from tinyvirat.video.sampling import AllWindows

CONFIG = RecognizerConfig(ResNet3DConfig(10, num_classes=3, width=2), None, side=32)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    network = CONFIG.build().eval()
    with torch.no_grad():
        network.classifier.head.weight.mul_(8)
    preprocess = Preprocess(16, full=None, short_side=None, fit="pad")
    labels = ("carry", "pull", "walk")
    spec = ModelSpec("tiny", CONFIG, labels, True, preprocess, AllWindows(8), tuned_on=("secret",))
    save_model(folder, Model(spec, network))
    return folder


@pytest.fixture(scope="session")
def recognizer(model: Path) -> ActionRecognizer:
    """The same, loaded."""
    return ActionRecognizer(open_inference(model, device="cpu", precision="float32"))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """21 frames of 48 x 36 px at 10 a second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    frames = np.random.default_rng(0).integers(0, 256, (21, 36, 48, 3), dtype=np.uint8)
    write_video(path, frames, Fraction(10))
    return path


@pytest.fixture
def client(recognizer: ActionRecognizer) -> Callable[..., Any]:
    """Makes a client of the service with the limits given."""
    testclient = pytest.importorskip(
        "starlette.testclient", reason="the extra `service` is not installed"
    )
    pytest.importorskip("fastapi", reason="the extra `service` is not installed")
    pytest.importorskip("python_multipart", reason="the extra `service` is not installed")
    from tinyvirat.service.app import create_app

    def make(of: Any = recognizer, **limits: Any) -> Any:
        app = create_app(of, Limits(**limits))
        return testclient.TestClient(app, raise_server_exceptions=False)

    return make
