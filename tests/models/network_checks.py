"""What every classifier must stand, whatever its configuration."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def clips(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random clips `x_BCTHW` in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1).to(dtype)


def seeded(config: Any, *, settled: bool = True) -> Any:
    """The configuration's network with fixed weights, in evaluation mode.

    Settled: batch norm has the statistics of some clips and its scales are not one, so that an
    answer depends on every tensor and not, as in a fresh network, on the convolutions alone.
    """
    torch.manual_seed(0)
    network = config.build()
    if settled:
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
        momenta = [norm.momentum for norm in norms]
        with torch.no_grad():
            for norm in norms:
                norm.weight.uniform_(0.5, 1.5)
                norm.bias.uniform_(-0.2, 0.2)
                norm.momentum = 1.0
            network.train()(clips(4, 3, 16, 32, 32, seed=1))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    return network.eval()


def gradient_reaches_everything(network: nn.Module, x: Tensor) -> None:
    """Every parameter, and the input, gets a gradient that is finite and not zero."""
    x = x.clone().requires_grad_()
    network.train()
    network(x).square().sum().backward()
    for name, tensor in [("input", x), *network.named_parameters()]:
        assert tensor.grad is not None, name
        assert torch.isfinite(tensor.grad).all(), name
        assert tensor.grad.abs().max() > 0, name


def overfits(network: nn.Module, x: Tensor, labels: Tensor, steps: int, lr: float) -> None:
    """A few steps on one batch bring the loss from chance to nearly nothing."""
    torch.manual_seed(0)
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = F.cross_entropy(network(x), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 0.5, losses[0]
    assert losses[-1] < 0.05, losses[-1]


def keeps_dtype(network: nn.Module, x: Tensor, dtype: torch.dtype, tolerance: float) -> None:
    """In another type the weights stay of it, so does the answer, and it is nearly the same."""
    with torch.no_grad():
        expected = network(x)
        got = network.to(dtype)(x.to(dtype))
    assert got.dtype == dtype
    assert all(p.dtype == dtype for p in network.parameters())
    assert (got.double() - expected.double()).abs().max() <= tolerance * expected.std()


def same_in_channels_last(network: nn.Module, x: Tensor) -> None:
    """The other memory format changes the speed and nothing else."""
    with torch.no_grad():
        expected = network(x)
        last: Any = torch.channels_last_3d
        got = network.to(memory_format=last)(x.contiguous(memory_format=last))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def exports(network: nn.Module, x: Tensor) -> None:
    """`torch.export` takes it with any batch size, in plain operators that give the same."""
    batch = torch.export.Dim("batch", min=1, max=16)
    program = torch.export.export(network, (torch.cat([x, x]),), dynamic_shapes=({0: batch},))
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert all(target.startswith("aten.") for target in targets), targets
    with torch.no_grad():
        torch.testing.assert_close(program.module()(x), network(x))
