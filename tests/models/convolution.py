"""3 x 3 x 3 convolution in float64 fast enough to compare whole networks in it.

PyTorch has no quick float64 convolution on CPUs: its own takes minutes for the published networks.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

PLAIN = F.conv3d
COLUMNS = 4096
"""Outputs made by one matrix product, so that its parts stay in the cache."""


def conv3d(
    x: Tensor, weight: Tensor, bias: Tensor, stride: Any, padding: Any, *others: Any
) -> Tensor:
    """`F.conv3d`, as the sum of one matrix product for each of the 27 places of the kernel.

    On a frame padded and laid out flat, every place of the kernel is the same distance away from
    all outputs: each product reads a slice, and nothing is copied.
    """
    place = (tuple(weight.shape[2:]), tuple(padding), tuple(stride[1:]), *others)
    if x.dtype != torch.float64 or place != ((3, 3, 3), (1, 1, 1), (1, 1), (1, 1, 1), 1):
        return PLAIN(x, weight, bias, stride, padding, *others)
    frames, height, width = x.shape[2:]
    across = width + 2
    used = (height - 1) * across + width
    taps = weight.flatten(2).permute(2, 0, 1).contiguous()
    outputs = []
    for clip_CTN in F.pad(x, (1,) * 6).flatten(3):
        for t in range(0, frames, stride[0]):
            out = bias.new_empty(len(bias), height * across)
            for begin in range(0, used, COLUMNS):
                end = min(begin + COLUMNS, used)
                total = bias[:, None].expand(-1, end - begin).contiguous()
                for tap in range(27):
                    dt, dh, dw = tap // 9, tap // 3 % 3, tap % 3
                    offset = dh * across + dw
                    total.addmm_(taps[tap], clip_CTN[:, t + dt, begin + offset : end + offset])
                out[:, begin:end] = total
            outputs.append(out.unflatten(1, (height, across))[:, :, :width])
    return torch.stack(outputs).unflatten(0, (len(x), -1)).transpose(1, 2).contiguous()
