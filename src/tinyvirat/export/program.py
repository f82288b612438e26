"""The whole recogniser as one traced program: uint8 frames in, logits out, any number of clips."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tinyvirat.export.fold import ExactPass, passes_for
from tinyvirat.models.engines import FrameInput
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import Recognizer


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
    example = torch.zeros(shape, dtype=torch.uint8)
    program = torch.export.export(deployed, (example,), dynamic_shapes=({0: Dim("batch", min=1)},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the paths of this machine are nobody's business
    return program


def _without_unused(network: Recognizer) -> Recognizer:
    sr = network.super_resolution
    if network.config.mask or getattr(sr, "attention", None) is None:
        return network
    network = copy.deepcopy(network)
    network.super_resolution.attention = None  # type: ignore[union-attr]  # there is one: see above
    return network
