"""An exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage(nn.Module):
    """Keeps `average = decay * average + (1 - decay) * network` after every iteration.

    Buffers (batch-norm statistics) are copied, not averaged: they are averages already. The decay
    starts lower, as (1 + n) / (10 + n), so that early weights are soon forgotten.

    Args:
        network: what is averaged; copied.
        decay: in [0, 1); 0 keeps the copy equal to the network.
    """

    count: torch.Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Takes one iteration's weights in."""
        self.count += 1
        n = int(self.count)
        weight = 1.0 - min(self.decay, (1 + n) / (10 + n))
        for mine, new in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.lerp_(new, weight)
        for held, latest in zip(self.network.buffers(), network.buffers(), strict=True):
            held.copy_(latest)
