"""A guard against wrong gradients of short bfloat16 convolutions on the CPU.

PyTorch 2.13's CPU build gives garbage (infinite, NaN, or plausible but wrong) for the weight
gradient of a bfloat16 3 x 3 x 3 convolution over exactly 2 frames, on processors with AVX-512 BF16
and no AMX; I3D has such layers for 16-frame clips. The forward pass and the input's gradient are
right. Those layers are small: computing them in float32 costs little.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ShortSafeConv3d(nn.Conv3d):
    """A convolution that leaves autocast where it sees fewer frames than its kernel is long."""

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Conv3d`."""
        if x.shape[2] >= self.kernel_size[0] or not torch.is_autocast_enabled(x.device.type):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


def guard_short_convolutions(network: nn.Module) -> None:
    """Makes every plain 3D convolution of `network` a `ShortSafeConv3d`, in place.

    Names, weights and answers stay the same.
    """
    for module in network.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = ShortSafeConv3d
