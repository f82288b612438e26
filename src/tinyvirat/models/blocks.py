"""The pieces every super-resolution network is made of: dense blocks and upsampling."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.2
"""Negative slope of every LeakyReLU (published code)."""

RESIDUAL_SCALE = 0.2
"""Weight of a dense block's and of an RRDB's own output beside its input (published code)."""

MAX_COUNT = 1 << 16
"""Largest width, or side in pixels, that a configuration may have: it can come from a file."""

MAX_BLOCKS = 64
"""Most blocks one after another that a configuration may have."""


def check_counts(most: int = MAX_COUNT, **counts: int) -> None:
    """Holds the numbers of a configuration to 1 to `most`.

    Raises:
        ValueError: names the first that is not.
    """
    for name, count in counts.items():
        if not 1 <= count <= most:
            raise ValueError(f"{name} {count} is not in 1 to {most}")


def checked_stage(stage: int | None, stages: int, alpha: float) -> int:
    """The stage to run, None being the last.

    Raises:
        ValueError: no such stage, or alpha outside [0, 1].
    """
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha {alpha} is not between 0 and 1")
    if stage is None:
        return stages
    if not 1 <= stage <= stages:
        raise ValueError(f"stage {stage} is not one of 1 to {stages} (or None for all)")
    return stage


class SuperResolved(NamedTuple):
    """What every super-resolution network answers.

    Attributes:
        video_BCTHW: the enlarged clip, in the input's range [-1, 1] but not clamped to it: most
            networks add to the enlarged input.
        attention_B1THW: the importance of every pixel in [0, 1], of the input's frames and the
            enlarged clip's size; None where the network has no attention branch, the stage is not
            its last, or the clip was only resized.
    """

    video_BCTHW: Tensor
    attention_B1THW: Tensor | None


def leaky(x: Tensor) -> Tensor:
    """LeakyReLU with the published slope, in place: the input is not needed afterwards."""
    return F.leaky_relu(x, LEAK, inplace=True)


def conv3(
    in_channels: int,
    out_channels: int,
    stride: tuple[int, int, int] = (1, 1, 1),
    *,
    factored: bool = False,
) -> nn.Module:
    """A 3 x 3 x 3 convolution with bias that keeps the size (but for its stride).

    Args:
        in_channels: width of the input.
        out_channels: width of the output.
        stride: (time, height, width).
        factored: (1+2)D instead: 3 x 1 x 1 from `in_channels` to `out_channels`, then 1 x 3 x 3
            among `out_channels`, with nothing in between. A convolution from 80 to 16 channels has
            a fifth of the multiplications then.
    """
    if not factored:
        return nn.Conv3d(in_channels, out_channels, 3, stride=stride, padding=1)
    along_time = nn.Conv3d(
        in_channels, out_channels, (3, 1, 1), (stride[0], 1, 1), (1, 0, 0), bias=False
    )
    # As large as it came: the two together then start as a whole convolution does.
    nn.init.kaiming_normal_(along_time.weight, nonlinearity="linear")
    in_frame = nn.Conv3d(out_channels, out_channels, (1, 3, 3), (1, *stride[1:]), (0, 1, 1))
    return nn.Sequential(along_time, in_frame)


def enlarge_frames(x_BCTHW: Tensor, size_HW: tuple[int, int]) -> Tensor:
    """Resizes every frame to `size_HW` linearly, leaving time alone.

    Equal to trilinear interpolation with an unchanged number of frames, at a third of its time.
    Works on views of either memory format, so that no copy is made.
    """
    if x_BCTHW.shape[-2:] == size_HW:
        return x_BCTHW
    b, c, t, h, w = x_BCTHW.shape
    if x_BCTHW.is_contiguous(memory_format=torch.channels_last_3d) and not x_BCTHW.is_contiguous():
        frames = x_BCTHW.transpose(1, 2).reshape(b * t, c, h, w)
        out = F.interpolate(frames, size=size_HW, mode="bilinear", align_corners=False)
        return out.reshape(b, t, c, *size_HW).transpose(1, 2)
    frames = x_BCTHW.reshape(b, c * t, h, w)
    out = F.interpolate(frames, size=size_HW, mode="bilinear", align_corners=False)
    return out.reshape(b, c, t, *size_HW)


def size_of(x_BCTHW: Tensor) -> tuple[int, int, int]:
    """Frames, height and width."""
    t, h, w = x_BCTHW.shape[-3:]
    return t, h, w


def resize_video(x_BCTHW: Tensor, size_THW: tuple[int, int, int]) -> Tensor:
    """Trilinear interpolation of a clip or of its features to `size_THW`."""
    if x_BCTHW.shape[2] == size_THW[0]:
        return enlarge_frames(x_BCTHW, size_THW[1:])
    return F.interpolate(x_BCTHW, size=size_THW, mode="trilinear", align_corners=False)


def double(x_BCTHW: Tensor) -> Tensor:
    """Twice the height and width, linearly; interpolation instead of transposed convolution
    prevents checkerboard artefacts (section IV-A.1)."""
    h, w = x_BCTHW.shape[-2:]
    return enlarge_frames(x_BCTHW, (2 * h, 2 * w))


class ConvBlock(nn.Module):
    """The shared block: [twice the side, linearly] -> convolution -> [batch norm] -> LeakyReLU.

    Args:
        in_channels: width of the input.
        out_channels: width of the output.
        stride: of the convolution, (time, height, width).
        enlarge: double height and width first.
        norm: normalise over the batch; published: only in the attention branch and in the family
            that works on enlarged input.
        factored: (1+2)D convolutions (`conv3`); published: no.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: tuple[int, int, int] = (1, 1, 1),
        enlarge: bool = False,
        norm: bool = False,
        factored: bool = False,
    ) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.conv = conv3(in_channels, out_channels, stride, factored=factored)
        self.norm = nn.BatchNorm3d(out_channels) if norm else nn.Identity()

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Maps features to features."""
        return leaky(self.norm(self.conv(double(x_BCTHW) if self.enlarge else x_BCTHW)))


class ResidualDenseBlock(nn.Module):
    """3D-RDB: five densely connected 3 x 3 x 3 convolutions and a scaled residual (section IV-A.1).

    Args:
        channels: width of input and output.
        growth: width that each of the first four convolutions adds.
        factored: (1+2)D convolutions (`conv3`); published: no.
    """

    def __init__(self, channels: int, growth: int, *, factored: bool = False) -> None:
        super().__init__()
        widths = [growth] * 4 + [channels]
        self.convs = nn.ModuleList(
            conv3(channels + i * growth, width, factored=factored) for i, width in enumerate(widths)
        )

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Maps features to features of the same shape."""
        dense = x_BCTHW
        for conv in self.convs[:-1]:
            dense = torch.cat((dense, leaky(conv(dense))), dim=1)
        own: Tensor = self.convs[-1](dense)
        return x_BCTHW + RESIDUAL_SCALE * own


class RRDB(nn.Module):
    """3D-RRDB: three dense blocks inside one more scaled residual (section IV-A.1, Fig. 5)."""

    def __init__(self, channels: int, growth: int, *, factored: bool = False) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(ResidualDenseBlock(channels, growth, factored=factored) for _ in range(3))
        )

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Maps features to features of the same shape."""
        own: Tensor = self.blocks(x_BCTHW)
        return x_BCTHW + RESIDUAL_SCALE * own


class RGBHead(nn.Module):
    """The projection module: 3 x 3 x 3 then 1 x 1 x 1 convolution to RGB, through tanh.

    What it gives is added to the enlarged input, so fresh weights are drawn small, without bias: an
    untrained network is close to plain enlargement instead of a tint over it.
    """

    def __init__(self, channels: int, *, factored: bool = False) -> None:
        super().__init__()
        self.hidden = conv3(channels, channels, factored=factored)
        self.rgb = nn.Conv3d(channels, 3, 1)
        nn.init.normal_(self.rgb.weight, std=0.01)
        if self.rgb.bias is not None:
            nn.init.zeros_(self.rgb.bias)

    def forward(self, feature_BCTHW: Tensor) -> Tensor:
        """Maps features to RGB in [-1, 1] of the same frames and size."""
        return torch.tanh(self.rgb(leaky(self.hidden(feature_BCTHW))))


class DecoderStage(nn.Sequential):
    """One step of a progressive decoder: (B, C, T, H, W) to (B, C', T / 2^halvings, 2H, 2W).

    Args:
        in_channels: width of the input.
        out_channels: width of the output.
        halvings: how many convolutions of stride (2, 1, 1) come first; each halves the frames.
        norm: normalise over the batch.
        factored: (1+2)D convolutions (`conv3`); published: no.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        halvings: int,
        *,
        norm: bool = False,
        factored: bool = False,
    ) -> None:
        block = partial(ConvBlock, norm=norm, factored=factored)
        super().__init__(
            *(block(in_channels, in_channels, stride=(2, 1, 1)) for _ in range(halvings)),
            block(in_channels, out_channels),
            block(out_channels, out_channels, enlarge=True),
            block(out_channels, out_channels),
        )
