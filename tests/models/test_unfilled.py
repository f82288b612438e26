"""Networks built for weights that are there already: the same tensors, nothing drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tinyvirat.models.any_size import PreUpsampledDVSRConfig
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec, load_model, save_model
from tinyvirat.models.unfilled import unfilled
from tinyvirat.models.x3d import X3DConfig
from tinyvirat.video.sampling import AllWindows

CONFIGS = [
    I3DConfig(3, width=0.0625),
    ResNet3DConfig(10, 3, "A", width=4),
    X3DConfig(3),
    PreUpsampledDVSRConfig(2, 32),
    RecognizerConfig(
        I3DConfig(3, width=0.0625), ProgressiveDVSRConfig(2, 4, 2, attention=True, factored=True)
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_the_same_tensors_without_values(config: Any) -> None:
    with unfilled():
        network = config.build()
    found, wanted = network.state_dict(), config.build().state_dict()
    assert list(found) == list(wanted)
    for name, tensor in found.items():
        assert tensor.is_meta
        assert (tensor.shape, tensor.dtype) == (wanted[name].shape, wanted[name].dtype), name


def test_what_follows_is_filled_again() -> None:
    with unfilled():
        pass
    assert torch.nn.Conv3d(2, 2, 3).weight.std() > 0
    assert torch.zeros(2).normal_().std() > 0


def test_opening_a_model_loads_no_compiler(tmp_path: Path) -> None:
    """Half of the time from cold went there."""
    config = CONFIGS[-1]
    preprocess = Preprocess(16, full=None, short_side=None, fit="pad")
    spec = ModelSpec("tiny", config, ("a", "b", "c"), True, preprocess, AllWindows(8))
    torch.manual_seed(0)
    network = config.build()
    save_model(tmp_path, Model(spec, network))
    loaded = load_model(tmp_path).network.state_dict()
    assert all(torch.equal(loaded[name], t) for name, t in network.state_dict().items())
    text = (
        "import sys; from tinyvirat.models.inference import open_inference\n"
        f"open_inference({str(tmp_path)!r}, device='cpu', precision='float32')\n"
        "print(sorted({'sympy', 'torch._inductor', 'torch._dynamo'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
