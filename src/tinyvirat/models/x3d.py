"""X3D: a small 3D network of depthwise convolutions, for many cameras on few cores.

Shapes: B clips, C channels, T frames, H x W pixels, K classes. After Feichtenhofer, "X3D: Expanding
Architectures for Efficient Video Recognition" (CVPR 2020), table 3 and its text: a stem that
separates space from time, four stages of inverted bottlenecks whose 3 x 3 x 3 convolutions are
depthwise, squeeze-and-excitation in every second block, and time at full length throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from tinyvirat.models.blocks import check_counts
from tinyvirat.models.classifier import Classifier, initialise

DEPTHS = (1, 2, 5, 3)
"""Blocks of the four stages, before the depth factor."""

WIDTHS = (1, 2, 4, 8)
"""Widths of the four stages as multiples of the stem's."""

EXPANSION = 2.25
"""Inner channels of a block as a multiple of its outer ones."""

SQUEEZE = 1 / 16
"""Channels inside squeeze-and-excitation as a share of those it weighs."""


@dataclass(frozen=True)
class X3DConfig:
    """What an `X3D` is built from.

    Attributes:
        num_classes: K, the number of logits.
        width: channels of the stem; published: 24.
        depth: factor of the number of blocks of each stage, rounded up; published: 2.2 for X3D-S
            and X3D-M (3, 5, 11 and 7 blocks), 1 for the smallest.
        features: width of the layer before the logits; published: 2048.
        dropout: probability of dropping a feature before the logits; published: 0.5.
    """

    num_classes: int = 400
    width: int = 24
    depth: float = 2.2
    features: int = 2048
    dropout: float = 0.5

    def __post_init__(self) -> None:
        check_counts(num_classes=self.num_classes, width=self.width, features=self.features)
        if not 0.0 < self.depth <= 8.0:
            raise ValueError(f"depth {self.depth} is not above 0 and at most 8")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        # Rounded up; the small amount takes back what binary fractions add.
        return tuple(max(1, -int(-(count * self.depth - 1e-9) // 1)) for count in DEPTHS)

    def build(self) -> X3D:
        """The network, with fresh weights."""
        return X3D(self)


class X3D(Classifier):
    """X3D, one answer a clip of any length, from 32 x 32 px on (published: 13 frames of 160 px)."""

    def __init__(self, config: X3DConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or X3DConfig()
        width = config.width
        self.stem = nn.Sequential(
            nn.Conv3d(3, width, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), bias=False),
            nn.Conv3d(width, width, (5, 1, 1), padding=(2, 0, 0), groups=width, bias=False),
            _norm(width),
            nn.ReLU(inplace=True),
        )
        stages = []
        channels = width
        for factor, count in zip(WIDTHS, config.blocks, strict=True):
            stages.append(_stage(channels, width * factor, count))
            channels = width * factor
        self.stages = nn.Sequential(*stages)
        self.widths = tuple(width * factor for factor in WIDTHS)
        inner = int(channels * EXPANSION)
        self.last = nn.Sequential(
            nn.Conv3d(channels, inner, 1, bias=False), _norm(inner), nn.ReLU(inplace=True)
        )
        self.hidden = nn.Linear(inner, config.features, bias=False)
        self.head = nn.Linear(config.features, config.num_classes)
        self.apply(initialise)

    def steps(self) -> tuple[tuple[nn.Module, ...], ...]:
        """See `Classifier`."""
        first, *rest = self.stages
        return ((self.stem, first), *((stage,) for stage in rest))

    def pooled(self, x_BCTHW: Tensor) -> Tensor:
        """See `Classifier`; the wide layers before and behind the pooling belong to it."""
        x: Tensor = self.last(x_BCTHW)
        return F.relu(self.hidden(x.mean((2, 3, 4))), inplace=True)

    def answer(self, features_BC: Tensor) -> Tensor:
        """See `Classifier`."""
        return super().answer(F.dropout(features_BC, self.config.dropout, self.training))


class Block(nn.Module):
    """An inverted bottleneck: 1 x 1 x 1, depthwise 3 x 3 x 3, 1 x 1 x 1, beside a shortcut.

    Args:
        in_channels: width of the input.
        out_channels: width of the output.
        stride: of height and width.
        excite: weigh the channels by what the whole clip holds.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, *, excite: bool) -> None:
        super().__init__()
        inner = max(1, int(out_channels * EXPANSION))
        self.expand = nn.Sequential(
            nn.Conv3d(in_channels, inner, 1, bias=False), _norm(inner), nn.ReLU(inplace=True)
        )
        self.depthwise = nn.Sequential(
            nn.Conv3d(
                inner, inner, 3, stride=(1, stride, stride), padding=1, groups=inner, bias=False
            ),
            _norm(inner),
        )
        self.excite = Excitation(inner) if excite else nn.Identity()
        self.project = nn.Sequential(
            nn.Conv3d(inner, out_channels, 1, bias=False), _norm(out_channels)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride=(1, stride, stride), bias=False),
                _norm(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.excite(self.depthwise(self.expand(x))))
        return F.relu(self.project(y) + self.shortcut(x), inplace=True)


class Excitation(nn.Module):
    """Squeeze-and-excitation: every channel times a weight from all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(8, -(-int(channels * SQUEEZE) // 8) * 8)
        self.squeeze = nn.Linear(channels, narrow)
        self.widen = nn.Linear(narrow, channels)

    def forward(self, x: Tensor) -> Tensor:
        weights_BC: Tensor = self.widen(F.relu(self.squeeze(x.mean((2, 3, 4)))))
        return x * weights_BC.sigmoid()[:, :, None, None, None]


def _stage(in_channels: int, out_channels: int, count: int) -> nn.Sequential:
    """Blocks of one width; the first halves height and width, every second one excites."""
    first = Block(in_channels, out_channels, 2, excite=True)
    rest = (Block(out_channels, out_channels, 1, excite=n % 2 == 0) for n in range(1, count))
    return nn.Sequential(first, *rest)


def _norm(channels: int) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(channels)
