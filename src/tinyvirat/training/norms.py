"""Batch norms that see the whole batch when several processes share it.

Otherwise each process would normalise by its own clips, and training would depend on how many
processes there are. On accelerators this is PyTorch's `SyncBatchNorm`; it refuses the CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

BATCH_NORMS = (nn.BatchNorm3d, nn.SyncBatchNorm)
"""The layers whose statistics a phase can freeze."""


def share_batch_norms(network: nn.Module, device: torch.device) -> None:
    """Lets the batch norms inside `network` normalise by the batch of all processes, in place.

    Names and weights stay the same, and so do the answers in evaluation mode.
    """
    if device.type != "cpu":
        # torch gives its classmethod no types.
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if type(module) is nn.BatchNorm3d:
            module.__class__ = SharedBatchNorm3d


class SharedBatchNorm3d(nn.BatchNorm3d):
    """Batch norm over the clips of all processes; they may have different numbers of clips.

    In training every process must call it as often, in the same order, forward and backward.
    """

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.BatchNorm3d`; statistics in float32 at least, whatever the type of `x`."""
        if not (self.training and dist.is_initialized()):
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        count = wide.new_tensor([x.numel() / x.shape[1]])
        # Two sums, the second of squares about the mean: sums of squares alone cancel.
        sums_C1 = _sum_of_processes(torch.cat([_sum(wide), count]))
        places = sums_C1[-1].detach().item()
        mean_C = sums_C1[:-1] / places
        centred = wide - _along(mean_C)
        variance_C = _sum_of_processes(_sum(centred * centred)) / places
        self._remember(mean_C.detach(), variance_C.detach() * places / max(places - 1.0, 1.0))
        scale_C = torch.rsqrt(variance_C + self.eps)
        if self.affine:
            y = centred * _along(scale_C * self.weight) + _along(self.bias)
        else:
            y = centred * _along(scale_C)
        return y.to(x.dtype)

    def _remember(self, mean_C: Tensor, variance_C: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            return
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(variance_C, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


def _sum(x_BCTHW: Tensor) -> Tensor:
    return x_BCTHW.sum((0, 2, 3, 4))


def _along(x_C: Tensor) -> Tensor:
    return x_C.view(1, -1, 1, 1, 1)


def _sum_of_processes(x: Tensor) -> Tensor:
    # torch gives Function.apply no types.
    total: Tensor = _SumOfProcesses.apply(x)  # type: ignore[no-untyped-call]
    return total


class _SumOfProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total
