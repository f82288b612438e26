"""Every network of the zoo, exported, answers like PyTorch in every engine and batch."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch

from tinyvirat.export.program import Deployed, trace
from tinyvirat.export.run import TOLERANCE
from tinyvirat.models.engines import FrameInput, openvino_core
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.zoo import ZOO

from .small import FRAMES, cases, input_side, parts, settled, shrunk

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("openvino", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")

CASES = cases()


def test_every_network_of_the_zoo_is_in_a_case() -> None:
    held = {part for config in CASES.values() for part in (*parts(config), None)}
    missing = [
        name for name, entry in ZOO.items() if not held.issuperset(parts(shrunk(entry.config)))
    ]
    assert not missing
    assert any(config.mask for config in CASES.values())


def answers(program: torch.export.ExportedProgram, frames: list[np.ndarray]) -> dict[str, Any]:
    """Each engine's logits of each batch, from files in memory."""
    from tinyvirat.export.onnx_file import to_onnx

    file = to_onnx(program, "{}")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    core = openvino_core()
    compiled = core.compile_model(core.read_model(file, b""), "CPU", exact)
    saved = io.BytesIO()
    torch.export.save(program, saved)
    saved.seek(0)
    loaded = torch.export.load(saved).module()
    return {
        "onnx": [session.run(["logits"], {"frames": one})[0] for one in frames],
        "openvino": [compiled({"frames": one})["logits"].copy() for one in frames],
        "pt2": [loaded(torch.from_numpy(one)).detach().numpy() for one in frames],
    }


@pytest.mark.parametrize("name", CASES)
def test_all_engines_answer_alike(name: str) -> None:
    config: RecognizerConfig = CASES[name]
    side = input_side(config)
    takes = FrameInput(FRAMES, side, side, prepared=True)
    network = settled(config)
    deployed = Deployed(network, Preprocess(side, full=None, short_side=None, fit="pad"), takes)
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 256, (b, FRAMES, side, side, 3), dtype=np.uint8) for b in (1, 3)]
    with torch.inference_mode():
        wanted = [
            network(torch.from_numpy(f).permute(0, 4, 1, 2, 3) / 127.5 - 1).numpy() for f in frames
        ]
    across = np.ptp(np.concatenate(wanted))
    assert across > 1e-3, "the answers must differ for their likeness to be seen"
    with torch.no_grad():
        found = answers(trace(deployed, takes), frames)
    for engine, batches in found.items():
        for got, want in zip(batches, wanted, strict=True):
            assert got.shape == want.shape and got.dtype == np.float32
            assert np.abs(got - want).max() <= TOLERANCE * across, engine
