"""Names to builders: every network this package has, and its published configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tinyvirat.common.plain import tagged, to_plain
from tinyvirat.models.any_size import AnySizeDVSRConfig, PreUpsampledDVSRConfig
from tinyvirat.models.dvsr import DVSRConfig, ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.x3d import X3DConfig


class NetworkConfig(Protocol):
    """A frozen dataclass that builds its network."""

    def build(self) -> nn.Module:
        """The network, with fresh weights."""


NETWORKS: Mapping[str, type[Any]] = {
    "prog-dvsr": ProgressiveDVSRConfig,
    "dvsr": DVSRConfig,
    "any-size-dvsr": AnySizeDVSRConfig,
    "pre-upsampled-dvsr": PreUpsampledDVSRConfig,
    "i3d": I3DConfig,
    "resnet3d": ResNet3DConfig,
    "x3d": X3DConfig,
    "recognizer": RecognizerConfig,
}


def config_to_json(config: Any) -> dict[str, Any]:
    """A network's configuration as plain data: its name under `network`, and its fields."""
    if type(config) not in NETWORKS.values():
        raise TypeError(f"{type(config).__name__} is not the configuration of a network")
    data: dict[str, Any] = to_plain(config, NETWORKS)
    return data


def config_from_json(data: object, *, where: str) -> Any:
    """The configuration that `config_to_json` described.

    Args:
        data: as parsed from JSON; trusted for nothing.
        where: what an error names as the origin, such as the file.

    Raises:
        PlainDataError: unknown network or field, or a value of the wrong kind.
    """
    return tagged(data, where=where, tags=NETWORKS)


@dataclass(frozen=True)
class ZooEntry:
    """A configuration with a name.

    Attributes:
        config: builds the network.
        side: side in pixels of the input whose cost is quoted.
        what: one line for the list.
    """

    config: Any
    side: int
    what: str


@dataclass(frozen=True)
class Cost:
    """What one clip of 16 frames costs.

    Attributes:
        parameters: trainable values.
        gmac: multiplications with addition, in 10^9, of one forward pass.
    """

    parameters: int
    gmac: float


def _recognizer(classifier: Any, sr: Any = None, *, zero_to_one: bool = False) -> RecognizerConfig:
    return RecognizerConfig(classifier, sr, zero_to_one=zero_to_one)


_I3D = I3DConfig(num_classes=26, input_size=112)
_RESNET = ResNet3DConfig(depth=50, num_classes=26)
_WIDE = ResNet3DConfig(depth=50, widen=2, num_classes=26)
_X8 = ProgressiveDVSRConfig(scale=8, attention=True)
_X4 = ProgressiveDVSRConfig(scale=4, attention=True)
_FAST_X8 = ProgressiveDVSRConfig(8, channels=20, growth=20, factored=True)
_FAST_X4 = ProgressiveDVSRConfig(4, channels=20, growth=20, factored=True)
_SLIM_X8 = ProgressiveDVSRConfig(8, channels=16, growth=16, factored=True, last_channels=8)
_SLIM_X4 = ProgressiveDVSRConfig(4, channels=16, growth=16, factored=True, last_channels=8)

ZOO: Mapping[str, ZooEntry] = {
    "prog-dvsr-x8": ZooEntry(ProgressiveDVSRConfig(scale=8), 14, "Progressive DVSR, 14 to 112 px"),
    "prog-dvsr-x4": ZooEntry(ProgressiveDVSRConfig(scale=4), 28, "Progressive DVSR, 28 to 112 px"),
    "prog-dvsr-x2": ZooEntry(ProgressiveDVSRConfig(scale=2), 56, "Progressive DVSR, 56 to 112 px"),
    "prog-dvsr-att-x8": ZooEntry(_X8, 14, "with the foreground attention branch"),
    "prog-dvsr-att-x4": ZooEntry(_X4, 28, "with the foreground attention branch"),
    "dvsr-x8": ZooEntry(DVSRConfig(scale=8), 14, "DVSR, not progressive"),
    "dvsr-x4": ZooEntry(DVSRConfig(scale=4), 28, "DVSR, not progressive"),
    "prog-dvsr-x8-fast": ZooEntry(_FAST_X8, 14, "20 channels, (1+2)D, ours"),
    "prog-dvsr-x4-fast": ZooEntry(_FAST_X4, 28, "20 channels, (1+2)D, ours"),
    "prog-dvsr-x8-slim": ZooEntry(_SLIM_X8, 14, "16 channels, (1+2)D, last stage 8, ours"),
    "prog-dvsr-x4-slim": ZooEntry(_SLIM_X4, 28, "16 channels, (1+2)D, last stage 8, ours"),
    "any-size-dvsr": ZooEntry(AnySizeDVSRConfig(), 28, "10 to 128 px to 112 px, ours"),
    "pre-upsampled-dvsr": ZooEntry(PreUpsampledDVSRConfig(), 112, "any size, enlarged first"),
    "i3d": ZooEntry(I3DConfig(input_size=224), 224, "I3D, 400 classes"),
    "i3d-112": ZooEntry(_I3D, 112, "I3D without its first max-pool"),
    "resnet3d-18": ZooEntry(ResNet3DConfig(18, 26, "A"), 112, "3D ResNet, shortcut A"),
    "resnet3d-34": ZooEntry(ResNet3DConfig(34, 26, "A"), 112, "3D ResNet, shortcut A"),
    "resnet3d-50": ZooEntry(_RESNET, 112, "3D ResNet, shortcut B"),
    "resnet3d-101": ZooEntry(ResNet3DConfig(101, 26), 112, "3D ResNet, shortcut B"),
    "wide-resnet3d-50": ZooEntry(_WIDE, 112, "Wide 3D ResNet, k = 2"),
    "x3d-s": ZooEntry(X3DConfig(26), 112, "X3D-S, depthwise convolutions"),
    "i3d-bicubic": ZooEntry(_recognizer(_I3D), 28, "bicubic + I3D (Table II)"),
    "i3d-prog-dvsr-x8": ZooEntry(_recognizer(_I3D, _X8), 14, "Prog. DVSR + att. + I3D"),
    "i3d-prog-dvsr-x4": ZooEntry(_recognizer(_I3D, _X4), 28, "Prog. DVSR + att. + I3D"),
    "resnet3d-50-prog-dvsr-x4": ZooEntry(
        _recognizer(_RESNET, _X4, zero_to_one=True), 28, "Prog. DVSR + att. + 3D ResNet-50"
    ),
    "wide-resnet3d-50-prog-dvsr-x4": ZooEntry(
        _recognizer(_WIDE, _X4, zero_to_one=True), 28, "Prog. DVSR + att. + Wide ResNet-50"
    ),
}
"""Every configuration of the paper, and ours, by name. Classifiers are shown with TinyVIRAT's 26
classes, I3D for 224 px with the 400 of Kinetics."""


def cost_of(config: NetworkConfig, side: int, frames: int = 16) -> Cost:
    """Parameters and multiply-additions of a network, without computing anything.

    Args:
        config: the network.
        side: side in pixels of the square input.
        frames: length of the clip.
    """
    with torch.device("meta"):
        network = config.build().eval()
        x_BCTHW = torch.empty(1, 3, frames, side, side)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(x_BCTHW)
    parameters = sum(p.numel() for p in network.parameters())
    return Cost(parameters, counter.get_total_flops() / 2e9)
