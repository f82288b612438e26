"""I3D: Inception-v1 inflated to three dimensions, for 224 px and for 112 px input.

Shapes: B clips, C channels, T frames, H x W pixels, K classes. Input is RGB in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyvirat.models.classifier import Classifier, initialise

STEM = (64, 64, 192)
"""Output channels of the three convolutions before the first mixed block (published code)."""

MIXED_NAMES = ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c")
"""The mixed blocks in order; a max-pool stands before 3b, 4b and 5b."""

MIXED = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""Output channels of each mixed block's b0, b1a, b1b, b2a, b2b and b3b (published code)."""

INPUT_SIZES = (112, 224)
MAX_CHANNELS = 1 << 16
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class I3DConfig:
    """What an `I3D` is built from.

    Attributes:
        num_classes: K, the number of logits.
        input_size: 224: the network as first published. 112: the paper authors' form for 112 px,
            which leaves out the first max-pool (2a), so that the last features are 7 x 7 in both.
            The weights are the same tensors, and either takes clips of any size.
        width: factor on all channel counts but the input's; small ones make tests and demos quick.
        dropout: probability of dropping a pooled feature in training (published: 0.5).
        stem: output channels of the three first convolutions, before `width`.
        mixed: output channels of each mixed block's six convolutions, before `width`.
    """

    num_classes: int = 400
    input_size: int = 112
    width: float = 1.0
    dropout: float = 0.5
    stem: tuple[int, ...] = STEM
    mixed: tuple[tuple[int, ...], ...] = MIXED

    def __post_init__(self) -> None:
        # Lists come from JSON and YAML; tuples keep the dataclass hashable and comparable.
        object.__setattr__(self, "stem", tuple(self.stem))
        object.__setattr__(self, "mixed", tuple(tuple(row) for row in self.mixed))
        if self.input_size not in INPUT_SIZES:
            raise ValueError(f"input_size {self.input_size} is not one of {INPUT_SIZES}")
        if not 1 <= self.num_classes <= MAX_CHANNELS:
            raise ValueError(f"num_classes {self.num_classes} is not in 1 to {MAX_CHANNELS}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        if len(self.stem) != len(STEM) or [len(row) for row in self.mixed] != [6] * len(MIXED):
            raise ValueError("stem must have 3 widths and mixed 9 rows of 6")
        channels = [*self.stem, *(c for row in self.mixed for c in row)]
        if not 0 < self.width <= 16 or not 1 <= min(channels) <= max(channels) <= MAX_CHANNELS:
            raise ValueError(f"width must be in (0, 16], channel counts in 1 to {MAX_CHANNELS}")

    def build(self) -> I3D:
        """The network, with fresh weights."""
        return I3D(self)


class I3D(Classifier):
    """Two-stream inflated 3D ConvNet, RGB stream (Carreira and Zisserman, CVPR 2017).

    All padding is TensorFlow's "SAME", computed from the size that comes in. Spatial pooling at the
    end is global, which is the published 7 x 7 window at the published sizes; other sizes work and
    give one answer a clip. In time the published window of 2 slides with stride 1 and the logits
    are averaged: 16 frames give one window; fewer than 9 leave a single feature, used as it is.
    """

    def __init__(self, config: I3DConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or I3DConfig()
        stem = [_scaled(c, config.width) for c in config.stem]
        rows = [[_scaled(c, config.width) for c in row] for row in config.mixed]
        self.conv_1a = Unit(3, stem[0], 7, stride=2)
        self.pool_2a = SamePool((1, 3, 3), (1, 2, 2)) if config.input_size == 224 else None
        self.conv_2b = Unit(stem[0], stem[1], 1)
        self.conv_2c = Unit(stem[1], stem[2], 3)
        self.pool_3a = SamePool((1, 3, 3), (1, 2, 2))
        channels, outputs = stem[2], {}
        self.mixed = nn.ModuleDict()
        for name, row in zip(MIXED_NAMES, rows, strict=True):
            self.mixed[name] = block = Mixed(channels, row)
            outputs[name] = channels = block.out_channels
        self.widths = (stem[2], *(outputs[name] for name in ("3c", "4f", "5c")))
        self.pool_4a = SamePool((3, 3, 3), (2, 2, 2))
        self.pool_5a = SamePool((2, 2, 2), (2, 2, 2))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(channels, config.num_classes)
        self.apply(_initialise)

    def steps(self) -> tuple[tuple[nn.Module, ...], ...]:
        """See `Classifier`."""
        first = [self.conv_1a, self.pool_2a, self.conv_2b, self.conv_2c]
        mixed = self.mixed
        return (
            tuple(layer for layer in first if layer is not None),
            (self.pool_3a, *(mixed[name] for name in ("3b", "3c"))),
            (self.pool_4a, *(mixed[name] for name in ("4b", "4c", "4d", "4e", "4f"))),
            (self.pool_5a, *(mixed[name] for name in ("5b", "5c"))),
        )

    def pooled(self, x_BCTHW: Tensor) -> Tensor:
        """See `Classifier`; the mean over the clip's temporal windows."""
        return _window_mean(x_BCTHW.mean((3, 4)))

    def answer(self, features_BC: Tensor) -> Tensor:
        """See `Classifier`."""
        return super().answer(self.dropout(features_BC))


class Unit(nn.Module):
    """Convolution with "SAME" padding, batch normalisation, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> None:
        super().__init__()
        # With stride 1 and an odd kernel "SAME" is symmetrical whatever the size: the convolution
        # does it itself. With a stride it depends on the size and may be more behind than before.
        self.symmetrical = stride == 1
        padding = kernel // 2 if self.symmetrical else 0
        self.conv = nn.Conv3d(
            in_channels, out_channels, kernel, stride=stride, padding=padding, bias=False
        )
        self.norm = nn.BatchNorm3d(out_channels, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        if not self.symmetrical:
            pads: list[int] = []
            for size, kernel, stride in zip(
                reversed(x.shape[2:]), self.conv.kernel_size, self.conv.stride, strict=True
            ):
                pads += same_padding(size, kernel, stride)
            x = F.pad(x, pads)
        return F.relu(self.norm(self.conv(x)), inplace=True)


class SamePool(nn.Module):
    """Max-pooling with "SAME" padding, without a padded copy.

    "SAME" puts at most one place more behind than before: `ceil_mode` lets the last window hang
    over by exactly that, and what lies outside never wins the maximum.
    """

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        if (self.kernel, self.stride) == ((3, 3, 3), (1, 1, 1)) and _answers_on_cpu(x):
            return largest_neighbour(x)
        front = [
            same_padding(size, kernel, stride)[0]
            for size, kernel, stride in zip(x.shape[2:], self.kernel, self.stride, strict=True)
        ]
        return F.max_pool3d(x, self.kernel, self.stride, padding=front, ceil_mode=True)


class Mixed(nn.Module):
    """Inception block: 1 x 1 x 1; two of 1 then 3; a pool then 1; joined along the channels."""

    def __init__(self, in_channels: int, row: list[int]) -> None:
        super().__init__()
        self.b0 = Unit(in_channels, row[0], 1)
        self.b1a = Unit(in_channels, row[1], 1)
        self.b1b = Unit(row[1], row[2], 3)
        self.b2a = Unit(in_channels, row[3], 1)
        self.b2b = Unit(row[3], row[4], 3)
        self.pool = SamePool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit(in_channels, row[5], 1)
        self.out_channels = row[0] + row[2] + row[4] + row[5]

    def forward(self, x: Tensor) -> Tensor:
        branches = (
            self.b0(x),
            self.b1b(self.b1a(x)),
            self.b2b(self.b2a(x)),
            self.b3b(self.pool(x)),
        )
        return torch.cat(branches, 1)


def largest_neighbour(x_BCTHW: Tensor) -> Tensor:
    """Max-pooling of 3 x 3 x 3 with stride 1, one axis after the other: the same values from six
    comparisons a place instead of 26, and each of them over whole rows."""
    out = x_BCTHW.clone()
    for axis in (2, 3, 4):
        before, rest = out.clone(), out.shape[axis] - 1
        for mine, neighbour in ((1, 0), (0, 1)):
            place = out.narrow(axis, mine, rest)
            torch.maximum(place, before.narrow(axis, neighbour, rest), out=place)
    return out


def _answers_on_cpu(x: Tensor) -> bool:
    """Whether nothing learns, on a processor whose own pooling is slow."""
    learns = torch.is_grad_enabled() or torch.compiler.is_compiling()
    return x.device.type == "cpu" and not learns


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Places that TensorFlow's "SAME" adds before and behind: ceil(size / stride) come out."""
    steps = (size + stride - 1) // stride
    total = max((steps - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _window_mean(x_BCT: Tensor) -> Tensor:
    """Mean over all windows of two neighbours, `(B, C)`; a single place is its own mean."""
    if x_BCT.shape[2] == 1:
        return x_BCT[:, :, 0]
    return (x_BCT[:, :, :-1] + x_BCT[:, :, 1:]).mean(2) / 2


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _initialise(module: nn.Module) -> None:
    initialise(module)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
