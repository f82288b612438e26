"""Dense video super-resolution: the network grown in stages and the one trained at once.

Shapes: B clips, C channels, T frames, H x W pixels. Input and output are RGB in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinyvirat.models.attention import ForegroundAttention
from tinyvirat.models.blocks import (
    MAX_BLOCKS,
    RRDB,
    ConvBlock,
    DecoderStage,
    RGBHead,
    SuperResolved,
    check_counts,
    checked_stage,
    conv3,
    resize_video,
    size_of,
)

SCALES = (2, 4, 8)


def doublings_of(scale: int) -> int:
    """How often `scale` doubles the side.

    Raises:
        ValueError: `scale` is not 2, 4 or 8.
    """
    if scale not in SCALES:
        raise ValueError(f"scale {scale} is not one of {', '.join(map(str, SCALES))}")
    return scale.bit_length() - 1


@dataclass(frozen=True)
class ProgressiveDVSRConfig:
    """What a `ProgressiveDVSR` is built from.

    Attributes:
        scale: 8 (14 to 112 px), 4 (28 to 112) or 2 (56 to 112).
        channels: width of all features; published: 32.
        growth: growth of the dense blocks; published code: 32.
        attention: with the foreground attention branch.
        factored: (1+2)D convolutions instead of 3 x 3 x 3, but for the first and the attention
            branch; published: no.
        last_channels: width of the last decoder stage and its head, where most of the cost is;
            None is `channels`, as published.
    """

    scale: int = 8
    channels: int = 32
    growth: int = 32
    attention: bool = False
    factored: bool = False
    last_channels: int | None = None

    def __post_init__(self) -> None:
        doublings_of(self.scale)
        check_counts(channels=self.channels, growth=self.growth, last_channels=self.widths[-1])

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of what each decoder stage gives."""
        last = self.channels if self.last_channels is None else self.last_channels
        return (*[self.channels] * (doublings_of(self.scale) - 1), last)

    def build(self) -> ProgressiveDVSR:
        """The network, with fresh weights."""
        return ProgressiveDVSR(self)


class ProgressiveDVSR(nn.Module):
    """Super-resolution that learns one doubling at a time (section IV-A.2).

    Stages count from 1. Stage k of n uses k RRDBs and k decoder stages and gives T / 2^(n-k) frames
    of 2^k times the input's side: 4 x 28 x 28, 8 x 56 x 56 and 16 x 112 x 112 for x8 from 16 x 14 x
    14. Trained at its last stage from the start (`stage=None` throughout) it is the end-to-end
    network on the same trunk. There is no normalisation outside the attention branch.
    """

    def __init__(self, config: ProgressiveDVSRConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ProgressiveDVSRConfig()
        self.stages = doublings_of(config.scale)
        self.first = conv3(3, config.channels)
        self.encoder = nn.ModuleList(
            RRDB(config.channels, config.growth, factored=config.factored)
            for _ in range(self.stages)
        )
        self.decoder = nn.ModuleList(
            DecoderStage(config.channels, width, self.stages - stage, factored=config.factored)
            for stage, width in enumerate(config.widths, start=1)
        )
        self.heads = nn.ModuleList(
            RGBHead(width, factored=config.factored) for width in config.widths
        )
        self.attention = (
            ForegroundAttention(config.channels, self.stages) if config.attention else None
        )

    @property
    def scale(self) -> int:
        """By how much the side grows."""
        return self.config.scale

    def forward(
        self,
        x_BCTHW: Tensor,
        stage: int | None = None,
        alpha: float = 1.0,
        *,
        with_map: bool = True,
    ) -> SuperResolved:
        """Enlarges clips.

        Args:
            x_BCTHW: RGB in [-1, 1]; published with 16 frames of 14 x 14 (x8) or 28 x 28 (x4).
            stage: how far to go, from 1; None means all stages.
            alpha: weight of the newest stage's path in [0, 1] against the one before it, in the
                encoder and in the output (fade-in; the published code's `fadein` is 1 - alpha).
                Stage 1 has nothing before it and ignores it.
            with_map: compute the attention map too, where there is the branch.

        Returns:
            The clip at that stage and, from the last stage of a network with the branch, the map.

        Raises:
            ValueError: no such stage, or alpha outside [0, 1].
        """
        stage = checked_stage(stage, self.stages, alpha)
        shallow = self.first(x_BCTHW)
        encoded = self._encode(shallow, stage, alpha)
        rgb = self._decode(encoded + shallow, stage, alpha)
        video = rgb + resize_video(x_BCTHW, size_of(rgb))
        attention = None
        if with_map and self.attention is not None and stage == self.stages:
            attention = self.attention(encoded, (video.shape[-2], video.shape[-1]))
        return SuperResolved(video, attention)

    def _encode(self, shallow: Tensor, stage: int, alpha: float) -> Tensor:
        old = new = shallow
        for rrdb in self.encoder[:stage]:
            old, new = new, rrdb(new)
        return new if stage == 1 or alpha == 1.0 else torch.lerp(old, new, alpha)

    def _decode(self, encoded: Tensor, stage: int, alpha: float) -> Tensor:
        """The tanh image of `stage`, blended with that of the stage before it."""
        frames = encoded.shape[2]
        feature = old = encoded
        for index, decode in enumerate(self.decoder[:stage]):
            old = feature
            if index:
                size = (frames, *feature.shape[-2:])
                feature = resize_video(feature, size) + resize_video(encoded, size)
            feature = decode(feature)
        rgb: Tensor = self.heads[stage - 1](feature)
        if stage == 1 or alpha == 1.0:
            return rgb
        return torch.lerp(resize_video(self.heads[stage - 2](old), size_of(rgb)), rgb, alpha)


@dataclass(frozen=True)
class DVSRConfig:
    """What a `DVSR` is built from.

    Attributes:
        scale: 8, 4 or 2.
        channels: width of all features; published code: 32.
        growth: growth of the dense blocks; published code: 16.
        blocks: number of RRDBs; published code: 4.
    """

    scale: int = 8
    channels: int = 32
    growth: int = 16
    blocks: int = 4

    def __post_init__(self) -> None:
        doublings_of(self.scale)
        check_counts(channels=self.channels, growth=self.growth)
        check_counts(MAX_BLOCKS, blocks=self.blocks)

    def build(self) -> DVSR:
        """The network, with fresh weights."""
        return DVSR(self)


class DVSR(nn.Module):
    """The published non-progressive network (section IV-A.1; `G6` of the published code).

    It is another network than the progressive one, not merely trained otherwise: the end-to-end
    training of the same trunk is `ProgressiveDVSR` at `stage=None`.
    """

    def __init__(self, config: DVSRConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DVSRConfig()
        self.stages = 1
        self.first = conv3(3, config.channels)
        self.encoder = nn.Sequential(
            *(RRDB(config.channels, config.growth) for _ in range(config.blocks))
        )
        self.trunk = conv3(config.channels, config.channels)
        self.enlarge = nn.Sequential(
            *(
                ConvBlock(config.channels, config.channels, enlarge=True)
                for _ in range(doublings_of(config.scale))
            )
        )
        self.hidden = ConvBlock(config.channels, config.channels)
        self.rgb = conv3(config.channels, 3)

    @property
    def scale(self) -> int:
        """By how much the side grows."""
        return self.config.scale

    def forward(
        self,
        x_BCTHW: Tensor,
        stage: int | None = None,
        alpha: float = 1.0,
        *,
        with_map: bool = True,
    ) -> SuperResolved:
        """Enlarges clips; the only stage is 1, and alpha has nothing to fade.

        Args:
            x_BCTHW: RGB in [-1, 1].
            stage: None or 1.
            alpha: in [0, 1], without effect; every super-resolution network is called alike.
            with_map: without effect, likewise.

        Raises:
            ValueError: another stage than 1, or alpha outside [0, 1].
        """
        checked_stage(stage, self.stages, alpha)
        shallow = self.first(x_BCTHW)
        feature = shallow + self.trunk(self.encoder(shallow))
        video = torch.tanh(self.rgb(self.hidden(self.enlarge(feature))))
        return SuperResolved(video, None)
