"""What every super-resolution network must stand, whatever its configuration."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyvirat.models.blocks import RGBHead, SuperResolved


class Video(nn.Module):
    """A super-resolution network that answers the enlarged clip alone."""

    def __init__(self, network: nn.Module, **call: Any) -> None:
        super().__init__()
        self.network = network
        self.call = call

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        enlarged: SuperResolved = self.network(x_BCTHW, **self.call)
        return enlarged.video_BCTHW


def fresh(config: Any, seed: int = 0, *, bold: bool = True) -> Any:
    """The configuration's network with fixed weights, in evaluation mode.

    Bold: its output heads, which are drawn small, change the clip enough for a fault to be seen.
    """
    torch.manual_seed(seed)
    network = config.build().eval()
    for module in network.modules():
        if bold and isinstance(module, RGBHead):
            nn.init.normal_(module.rgb.weight, std=1.0)
            nn.init.normal_(module.rgb.bias, std=0.1)
    return network


def trilinear(x_BCTHW: Tensor, size_THW: tuple[int, ...]) -> Tensor:
    """PyTorch's own trilinear interpolation, the measure for what the networks do instead."""
    return F.interpolate(x_BCTHW, size=tuple(size_THW), mode="trilinear", align_corners=False)


def smooth(*shape: int, seed: int = 0) -> Tensor:
    """Clips without fine detail, in [-0.5, 0.5]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(*shape[:2], 2, 2, 2, generator=generator) - 0.5
    return trilinear(coarse, shape[2:])


def learns(network: nn.Module, x: Tensor, steps: int = 60, **call: Any) -> None:
    """A few steps on one batch (the clips' negative is the target) undo most of the loss."""
    torch.manual_seed(0)
    video = Video(network, **call).train()
    target = -trilinear(x, video(x).shape[2:])
    optimiser = torch.optim.Adam(network.parameters(), lr=4e-3)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = F.l1_loss(video(x), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 0.1, losses[0]
    assert losses[-1] < losses[0] / 3, (losses[0], losses[-1])


def parameters_reached(network: nn.Module, outputs: SuperResolved) -> set[str]:
    """Names of the parameters that get a gradient, finite and not zero, from all outputs."""
    network.zero_grad()
    total = sum(out.square().mean() for out in outputs if out is not None)
    assert isinstance(total, Tensor)
    total.backward()
    reached = set()
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name
            reached.add(name)
    return reached


def named(network: nn.Module, *prefixes: str) -> set[str]:
    """Names of the parameters that begin with one of `prefixes`, each of which there must be."""
    names = {name for name, _ in network.named_parameters()}
    chosen = {name for name in names if name.startswith(prefixes)}
    assert all(any(name.startswith(prefix) for name in names) for prefix in prefixes)
    return chosen
