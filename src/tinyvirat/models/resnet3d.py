"""3D ResNets and Wide ResNets, in the form of the 2018 3D-ResNets-PyTorch release.

Shapes: B clips, C channels, T frames, H x W pixels, K classes. The paper's authors feed RGB in
[0, 1] without mean or deviation taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from tinyvirat.models.classifier import Classifier, initialise

BASIC_BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}
"""Blocks in each of the four layers, by depth (He et al., CVPR 2016, table 1)."""

BLOCKS = BASIC_BLOCKS | BOTTLENECK_BLOCKS
SHORTCUTS = ("A", "B")
MAX_CHANNELS = 1 << 16


@dataclass(frozen=True)
class ResNet3DConfig:
    """What a `ResNet3D` is built from.

    Attributes:
        depth: 10, 18 or 34 (two 3 x 3 x 3 convolutions a block); 50, 101, 152 or 200 (bottlenecks).
        num_classes: K, the number of logits.
        shortcut: where a block changes size or width, `B` is a 1 x 1 x 1 convolution with batch
            norm, `A` has no parameters: every second place, missing channels zero. Published: A
            for 18 and 34, B from 50 on.
        width: channels of the first convolution (published: 64).
        widen: k of a Wide ResNet: inner channels times k, block outputs twice the inner channels
            instead of four times (published: 50 with k = 2); 1 is the ordinary ResNet.
    """

    depth: int = 50
    num_classes: int = 400
    shortcut: str = "B"
    width: int = 64
    widen: int = 1

    def __post_init__(self) -> None:
        if self.depth not in BLOCKS:
            raise ValueError(f"depth {self.depth} is not one of {', '.join(map(str, BLOCKS))}")
        if self.shortcut not in SHORTCUTS:
            raise ValueError(f"shortcut {self.shortcut!r} is not one of {', '.join(SHORTCUTS)}")
        counts = (self.num_classes, self.width, self.widen)
        if not 1 <= min(counts) <= max(counts) <= MAX_CHANNELS:
            raise ValueError(f"num_classes, width and widen must be in 1 to {MAX_CHANNELS}")
        if self.widen > 1 and self.depth in BASIC_BLOCKS:
            raise ValueError(f"widen {self.widen} needs bottlenecks: a depth of 50 or more")

    @property
    def expansion(self) -> int:
        """Output channels of a block as a multiple of its inner ones."""
        if self.depth in BASIC_BLOCKS:
            return 1
        return 4 if self.widen == 1 else 2

    def build(self) -> ResNet3D:
        """The network, with fresh weights."""
        return ResNet3D(self)


class ResNet3D(Classifier):
    """3D ResNet (Hara, Kataoka and Satoh, CVPR 2018), one answer a clip of any size.

    The last pooling is global; published with RGB, 16 frames of 112 x 112, where it is over
    1 x 4 x 4.
    """

    def __init__(self, config: ResNet3DConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ResNet3DConfig()
        width = config.width
        self.conv1 = nn.Conv3d(3, width, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool3d(3, stride=2, padding=1)
        layers, widths = [], []
        channels = width
        for index, blocks in enumerate(BLOCKS[config.depth]):
            inner = width * config.widen * 2**index
            layers.append(_layer(config, channels, inner, blocks, stride=1 if index == 0 else 2))
            channels = inner * config.expansion
            widths.append(channels)
        self.widths = tuple(widths)
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.head = nn.Linear(channels, config.num_classes)
        self.apply(initialise)

    def steps(self) -> tuple[tuple[nn.Module, ...], ...]:
        """See `Classifier`."""
        first = (self.conv1, self.bn1, self.relu, self.pool, self.layer1)
        return (first, (self.layer2,), (self.layer3,), (self.layer4,))

    def pooled(self, x_BCTHW: Tensor) -> Tensor:
        """See `Classifier`."""
        return x_BCTHW.mean((2, 3, 4))


class BasicBlock(nn.Module):
    """Two 3 x 3 x 3 convolutions beside a shortcut."""

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, stride: int, shortcut: str
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(in_channels, inner, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(inner)
        self.conv2 = nn.Conv3d(inner, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(out_channels)
        self.downsample = _shortcut(in_channels, out_channels, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1 x 1 x 1, 3 x 3 x 3 (with the stride) and 1 x 1 x 1 convolutions beside a shortcut."""

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, stride: int, shortcut: str
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(inner)
        self.conv2 = nn.Conv3d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(inner)
        self.conv3 = nn.Conv3d(inner, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(out_channels)
        self.downsample = _shortcut(in_channels, out_channels, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + self.downsample(x), inplace=True)


class PadShortcut(nn.Module):
    """Shortcut A: every `stride`-th place of the input, and zeros for the channels it lacks."""

    def __init__(self, extra_channels: int, stride: int) -> None:
        super().__init__()
        self.extra_channels = extra_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        s = self.stride
        return F.pad(x[:, :, ::s, ::s, ::s], (0, 0, 0, 0, 0, 0, 0, self.extra_channels))


def _layer(
    config: ResNet3DConfig, in_channels: int, inner: int, blocks: int, stride: int
) -> nn.Sequential:
    block = BasicBlock if config.depth in BASIC_BLOCKS else Bottleneck
    out_channels = inner * config.expansion
    first = block(in_channels, inner, out_channels, stride, config.shortcut)
    rest = (block(out_channels, inner, out_channels, 1, config.shortcut) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


def _shortcut(in_channels: int, out_channels: int, stride: int, shortcut: str) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if shortcut == "A":
        return PadShortcut(out_channels - in_channels, stride)
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, 1, stride=stride, bias=False),
        nn.BatchNorm3d(out_channels),
    )
