"""What all action classifiers have in common: four stages, pooled features, a linear head.

Shapes: B clips, C channels, T frames, H x W pixels, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

STAGES = 4
"""Stages of every classifier; each has half the height and width of the one before it."""


class Seen(NamedTuple):
    """What a classifier makes of clips, on the way and at the end.

    Attributes:
        stages: the feature map `(B, C, T, H, W)` of each stage, the first first.
        features_BC: the pooled features, before dropout.
        logits_BK: the answer.
    """

    stages: tuple[Tensor, ...]
    features_BC: Tensor
    logits_BK: Tensor


class Classifier(nn.Module, ABC):
    """Clips to the logits of their actions.

    Attributes:
        head: the last layer.
        widths: channels of the feature map of each stage.
    """

    head: nn.Linear
    widths: tuple[int, ...]

    @abstractmethod
    def steps(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The layers up to the pooling by stage, in the order in which they are applied."""

    @abstractmethod
    def pooled(self, x_BCTHW: Tensor) -> Tensor:
        """The last feature map as features `(B, head.in_features)`, one row a clip."""

    def answer(self, features_BC: Tensor) -> Tensor:
        """`logits_BK` of pooled features."""
        logits_BK: Tensor = self.head(features_BC)
        return logits_BK

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Logits of clips.

        Args:
            x_BCTHW: RGB, in the range and of the length that the network was trained with.

        Returns:
            `logits_BK`.
        """
        return self.answer(self.features(x_BCTHW))

    def features(self, x_BCTHW: Tensor) -> Tensor:
        """Pooled features `(B, head.in_features)` of clips, before dropout and the linear head."""
        for stage in self.steps():
            for layer in stage:
                x_BCTHW = layer(x_BCTHW)
        return self.pooled(x_BCTHW)

    def stage_maps(self, x_BCTHW: Tensor, count: int = STAGES) -> tuple[Tensor, ...]:
        """The feature maps of the first `count` stages; the layers behind them are not run."""
        maps: list[Tensor] = []
        for stage in self.steps()[:count]:
            for layer in stage:
                x_BCTHW = layer(x_BCTHW)
            maps.append(x_BCTHW)
        return tuple(maps)

    def see(self, x_BCTHW: Tensor) -> Seen:
        """The same logits, with the features and the maps that they come from."""
        stages = self.stage_maps(x_BCTHW)
        features_BC = self.pooled(stages[-1])
        return Seen(stages, features_BC, self.answer(features_BC))


def initialise(module: nn.Module) -> None:
    """Gives a convolution fresh weights (He et al. 2015, by its outputs); leaves others alone."""
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
