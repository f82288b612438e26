"""The whole recogniser as one traced program: uint8 frames in, logits out, any number of clips."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.fx.config
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tinyvirat.export.fold import ExactPass, passes_for
from tinyvirat.models.engines import FrameInput
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import Recognizer

OUT_OF_PLACE: dict[Any, Any] = {
    torch.ops.aten.leaky_relu_.default: torch.ops.aten.leaky_relu.default,
    torch.ops.aten.relu_.default: torch.ops.aten.relu.default,
}


class Deployed(nn.Module):
    """Preprocessing, super-resolution and classifier for frames of one size.

    Args:
        network: the recogniser, float32. An attention branch that its logits do not depend on is
            left out.
        preprocess: the model's.
        takes: the frames; prepared ones are only brought to the network's range.
    """

    def __init__(self, network: Recognizer, preprocess: Preprocess, takes: FrameInput) -> None:
        super().__init__()
        passes = () if takes.prepared else passes_for(preprocess, takes.height, takes.width)
        self.passes = nn.Sequential(*(ExactPass(one) for one in passes))
        self.network = _without_unused(network)
        self.eval()

    def forward(self, frames_BTHWC: Tensor) -> Tensor:
        """`logits_BK` of uint8 RGB frames."""
        levels_BCTHW = frames_BTHWC.permute(0, 4, 1, 2, 3).to(torch.float32)
        logits_BK: Tensor = self.network(self.passes(levels_BCTHW) * (2.0 / 255.0) - 1.0)
        return logits_BK


def trace(deployed: Deployed, takes: FrameInput) -> ExportedProgram:
    """The program of a `Deployed`, for any number of clips at once."""
    shape = (2, takes.frames, takes.height, takes.width, 3)  # 1 would be taken for a constant
    return traced(deployed, torch.zeros(shape, dtype=torch.uint8), {0: Dim("batch", min=1)})


def traced(network: nn.Module, example: Tensor, dynamic: dict[int, Any]) -> ExportedProgram:
    """The program of a network of one input and one output, ready to be written.

    Args:
        network: in evaluation mode.
        example: what it takes.
        dynamic: dimensions of that which may have another size, as for `torch.export.export`.
    """
    with without_stack_traces():
        program = torch.export.export(network, (example,), dynamic_shapes=(dynamic,))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
        # In place, an activation is no single operator for ONNX: it is taken apart, slowly.
        if node.target in OUT_OF_PLACE and len(node.args[0].users) == 1:
            node.target = OUT_OF_PLACE[node.target]
    program.graph_module.recompile()
    return program


@contextmanager
def without_stack_traces() -> Iterator[None]:
    """Lets PyTorch trace without noting where each operator was called: that takes a third of the
    time, and the paths of this machine do not belong into files."""
    name = "do_not_emit_stack_traces"
    before = getattr(torch.fx.config, name, None)
    if before is None:  # an older PyTorch
        yield
        return
    setattr(torch.fx.config, name, True)
    try:
        yield
    finally:
        setattr(torch.fx.config, name, before)


def _without_unused(network: Recognizer) -> Recognizer:
    sr = network.super_resolution
    if network.config.mask or getattr(sr, "attention", None) is None:
        return network
    network = copy.deepcopy(network)
    network.super_resolution.attention = None  # type: ignore[union-attr]  # there is one: see above
    return network
