"""The weakly supervised foreground attention branch (section IV-A.3, Fig. 6)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from tinyvirat.models.blocks import conv3, enlarge_frames, leaky


class ForegroundAttention(nn.Module):
    """Predicts how important every pixel of the enlarged clip is, from the encoder's features.

    Each layer doubles height and width (linearly) and convolves; all but the last are normalised
    and activated; the last ends in a sigmoid. The widths fall to a half, then to a quarter: 32 ->
    16 -> 8 -> 1 for x8, 32 -> 8 -> 1 for x4 (published code), 32 -> 1 for x2.

    Args:
        channels: width of the encoder's features.
        doublings: how often height and width double (3 for x8).
    """

    def __init__(self, channels: int, doublings: int) -> None:
        super().__init__()
        parts = {1: (), 2: (4,), 3: (2, 4)}[doublings]
        widths = [channels, *(max(1, channels // part) for part in parts), 1]
        self.convs = nn.ModuleList(conv3(wide, narrow) for wide, narrow in pairwise(widths))
        self.norms = nn.ModuleList(
            [nn.BatchNorm3d(width) for width in widths[1:-1]] + [nn.Identity()]
        )

    def forward(self, encoded_BCTHW: Tensor, size_HW: tuple[int, int]) -> Tensor:
        """Maps features to importance (B, 1, T, *size_HW) in [0, 1].

        The last layer works at `size_HW`, each earlier one at half the side of the next, but never
        below that of the features: features that enter larger skip the first doublings.
        """
        x = encoded_BCTHW
        last = len(self.convs) - 1
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            height, width = (
                max(now, side >> (last - index))
                for now, side in zip(x.shape[-2:], size_HW, strict=True)
            )
            x = norm(conv(enlarge_frames(x, (height, width))))
            x = leaky(x) if index < last else torch.sigmoid(x)
        return x
