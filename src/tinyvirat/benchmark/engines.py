"""Exported networks: written once by a child, run by others, set up as `models.engines` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim

from tinyvirat.benchmark.records import BenchmarkError
from tinyvirat.models.blocks import SuperResolved
from tinyvirat.models.engines import INPUT, OUTPUT
from tinyvirat.models.recognizer import Recognizer

Run = Callable[[Tensor], Tensor]


class Plain(nn.Module):
    """A network that takes one tensor and gives one, without what that does not depend on."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.has_map = getattr(network, "attention", None) is not None

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Logits, or the enlarged clip."""
        answer: Tensor | SuperResolved = (
            self.network(x_BCTHW, with_map=False) if self.has_map else self.network(x_BCTHW)
        )
        return answer.video_BCTHW if isinstance(answer, SuperResolved) else answer


class ExportWork:
    """Writes a network as an ONNX file while it gets ready; there is nothing to time.

    Args:
        job: as for `NetworkWork`; `file` is what is written.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        from tinyvirat.benchmark.networks import built, clips
        from tinyvirat.export.onnx_file import to_onnx
        from tinyvirat.export.program import traced

        network = built(job)
        if isinstance(network, Recognizer) and not network.config.mask:
            drop_map(network)
        x_BCTHW = clips(2, job["frames"], job["side"], job["seed"])
        program = traced(Plain(network).eval(), x_BCTHW, {0: Dim("batch", min=1)})
        Path(job["file"]).write_bytes(to_onnx(program, "{}"))
        self.facts: dict[str, Any] = {}

    def once(self, size: int) -> None:
        """See `Work`."""

    def answer(self, path: Path) -> None:
        """There is nothing to compare."""
        raise NotImplementedError


def drop_map(network: Recognizer) -> None:
    """Takes the attention branch away, as it is not computed."""
    if getattr(network.super_resolution, "attention", None) is not None:
        network.super_resolution.attention = None  # type: ignore[union-attr]  # there is one


def open_onnx(path: Path, precision: str) -> Run:
    """An exported network in ONNX Runtime.

    Raises:
        BenchmarkError: a precision that it does not have on CPUs.
    """
    if precision != "float32":
        raise BenchmarkError(f"ONNX Runtime computes 3D convolutions in float32, not {precision}")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        path, sess_options=options, providers=["CPUExecutionProvider"], enable_fallback=False
    )

    def run(x_BCTHW: Tensor) -> Tensor:
        found: NDArray[np.float32] = session.run([OUTPUT], {INPUT: x_BCTHW.numpy()})[0]
        return torch.from_numpy(found)

    return run


def open_openvino(path: Path, precision: str) -> Run:
    """An exported network in OpenVINO.

    Raises:
        BenchmarkError: a precision that it is not asked for here.
    """
    hints = {"float32": "f32", "bfloat16": "bf16"}
    if precision not in hints:
        raise BenchmarkError(
            f"OpenVINO takes {precision} from a quantised network only, which is not made here"
        )
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": hints[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", settings)

    def run(x_BCTHW: Tensor) -> Tensor:
        return torch.from_numpy(np.array(compiled({INPUT: x_BCTHW.numpy()})[OUTPUT]))

    return run
