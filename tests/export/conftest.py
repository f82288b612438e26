"""One small model in a folder, exported for both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyvirat.export.run import export_model
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.saved import save_model

from .small import CLASSIFIER, SIDE, model

SIDES = (16, 24)
SMALLEST = RecognizerConfig(CLASSIFIER, None, side=SIDE)
BOTH = Preprocess(SIDES, full=None, short_side=None, fit="pad")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that takes clips of two sides. Do not change it."""
    folder = tmp_path_factory.mktemp("model")
    named = {"name": 'a "name" <&> ü', "thresholds": (0.1, 0.5, 0.9), "temperature": 1.5}
    save_model(folder, model(SMALLEST, BOTH, **named))
    return folder


@pytest.fixture(scope="session")
def exported(folder: Path) -> Path:
    """The same folder, with ONNX and OpenVINO files for both sides."""
    pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
    pytest.importorskip("openvino", reason="the extra `export` is not installed")
    export_model(folder, "onnx")
    export_model(folder, "openvino")
    return folder
