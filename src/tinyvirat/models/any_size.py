"""Super-resolution for input of any size: the pre-upsampled family, and one network of our own.

Shapes: B clips, C channels, T frames, H x W pixels. Input and output are RGB in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from tinyvirat.common.pixels import resize
from tinyvirat.models.attention import ForegroundAttention
from tinyvirat.models.blocks import (
    MAX_COUNT,
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

STAGES = 3
ENTRIES = (14, 28, 56)
FULL_SIDE = 112
"""Sides at which a clip can enter `AnySizeDVSR`, and the side it leaves with."""


def entry_side(side: int) -> int:
    """The side at which a clip of `side` px enters `AnySizeDVSR`: the smallest not below it.

    A clip is only ever enlarged on its way in, never squeezed. Above 56 px that leaves 112: such a
    clip has more detail than the 56 px entry could hold, and is only resized.
    """
    return next((entry for entry in ENTRIES if side <= entry), FULL_SIDE)


@dataclass(frozen=True)
class AnySizeDVSRConfig:
    """What an `AnySizeDVSR` is built from.

    Attributes:
        channels: width of all features.
        growth: growth of the dense blocks.
        attention: with the foreground attention branch.
    """

    channels: int = 32
    growth: int = 32
    attention: bool = False

    def __post_init__(self) -> None:
        check_counts(channels=self.channels, growth=self.growth)

    def build(self) -> AnySizeDVSR:
        """The network, with fresh weights."""
        return AnySizeDVSR(self)


class AnySizeDVSR(nn.Module):
    """One network for every clip from 10 to 128 px (our own; shares the x8 network's parts).

    There is one RRDB and one decoder stage per doubling, as in the x8 `ProgressiveDVSR`. A clip is
    enlarged to the next entry side (14, 28 or 56 px), uses as many RRDBs as it has doublings to go
    (three, two or one), skips the decoder stages below its entry, and leaves at 112 px: at each
    entry it is what the x8, x4 or x2 network would be with these weights. A clip above 56 px is
    only resized to 112 px. It is trained with random entries; batches hold clips of one entry
    (`Preprocess.buckets`).
    """

    def __init__(self, config: AnySizeDVSRConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or AnySizeDVSRConfig()
        self.stages = 1
        self.first = conv3(3, config.channels)
        self.encoder = nn.ModuleList(RRDB(config.channels, config.growth) for _ in range(STAGES))
        self.decoder = nn.ModuleList(
            DecoderStage(config.channels, config.channels, STAGES - stage)
            for stage in range(1, STAGES + 1)
        )
        self.head = RGBHead(config.channels)
        self.attention = ForegroundAttention(config.channels, STAGES) if config.attention else None

    def forward(
        self,
        x_BCTHW: Tensor,
        stage: int | None = None,
        alpha: float = 1.0,
        *,
        with_map: bool = True,
    ) -> SuperResolved:
        """Enlarges square clips of any one side to 112 px.

        Args:
            x_BCTHW: RGB in [-1, 1], H equal to W.
            stage: None or 1; the entry follows from the clip's side.
            alpha: in [0, 1], without effect; every super-resolution network is called alike.
            with_map: compute the attention map too, where there is the branch.

        Returns:
            The clip at 112 px. Clips that are only resized have no attention map.

        Raises:
            ValueError: another stage, alpha outside [0, 1], or clips that are not square.
        """
        checked_stage(stage, self.stages, alpha)
        height, width = x_BCTHW.shape[-2:]
        if height != width:
            raise ValueError(f"clips of {width} x {height} px are not square: fit them first")
        side = entry_side(height)
        x = resize(x_BCTHW, (side, side))
        if side == FULL_SIDE:
            return SuperResolved(x, None)
        entry = ENTRIES.index(side) + 1
        shallow = self.first(x)
        encoded = shallow
        for rrdb in self.encoder[: STAGES - entry + 1]:
            encoded = rrdb(encoded)
        rgb = self._decode(encoded + shallow, entry)
        attention = None
        if with_map and self.attention is not None:
            attention = self.attention(encoded, (FULL_SIDE, FULL_SIDE))
        return SuperResolved(rgb + resize_video(x, size_of(rgb)), attention)

    def _decode(self, encoded: Tensor, entry: int) -> Tensor:
        frames = encoded.shape[2]
        feature = encoded
        for index, decode in enumerate(self.decoder[entry - 1 :]):
            if index:
                size = (frames, *feature.shape[-2:])
                feature = resize_video(feature, size) + resize_video(encoded, size)
            feature = decode(feature)
        rgb: Tensor = self.head(feature)
        return rgb


@dataclass(frozen=True)
class PreUpsampledDVSRConfig:
    """What a `PreUpsampledDVSR` is built from.

    Attributes:
        channels: width at full size; doubles with every halving of the side. Published code: 14.
        side: the side in pixels at which it works and answers, a multiple of 8. Published code:
            112.
    """

    channels: int = 14
    side: int = 112

    def __post_init__(self) -> None:
        # The widest layer has eight times the channels.
        check_counts(MAX_COUNT >> STAGES, channels=self.channels)
        check_counts(side=self.side)
        if self.side % (1 << STAGES):
            raise ValueError(f"side {self.side} is not a multiple of {1 << STAGES}")

    def build(self) -> PreUpsampledDVSR:
        """The network, with fresh weights."""
        return PreUpsampledDVSR(self)


class PreUpsampledDVSR(nn.Module):
    """The second family of the published code: input of any size, first enlarged to the full side.

    A strided encoder goes down to an eighth of the side, a progressive decoder comes back up with
    the encoder's features of the same side added, with batch norm throughout. The published code
    fixes the outline only; the widths (doubled at each halving) and the additions are ours.
    Stage k of 3 gives T / 2^(3-k) frames at 28, 56 and 112 px. Fade-in is in the output only: the
    encoder is whole from the first stage on.
    """

    def __init__(self, config: PreUpsampledDVSRConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PreUpsampledDVSRConfig()
        self.stages = STAGES
        widths = [config.channels << halving for halving in range(STAGES + 1)]
        self.first = ConvBlock(3, widths[0], norm=True)
        self.down = nn.ModuleList(
            ConvBlock(wide, wider, stride=(1, 2, 2), norm=True) for wide, wider in pairwise(widths)
        )
        self.middle = RRDB(widths[-1], config.channels)
        self.decoder = nn.ModuleList(
            DecoderStage(widths[-stage], widths[-stage - 1], STAGES - stage, norm=True)
            for stage in range(1, STAGES + 1)
        )
        self.heads = nn.ModuleList(RGBHead(width) for width in widths[-2::-1])

    def forward(
        self,
        x_BCTHW: Tensor,
        stage: int | None = None,
        alpha: float = 1.0,
        *,
        with_map: bool = True,
    ) -> SuperResolved:
        """Improves clips of any size.

        Args:
            x_BCTHW: RGB in [-1, 1]; enlarged bicubically to the full side unless it has it.
            stage: how far to go, from 1 to 3; None means all.
            alpha: weight of the newest stage's output against the one before it.
            with_map: without effect; every super-resolution network is called alike.

        Returns:
            The clip at that stage; this family has no attention branch.

        Raises:
            ValueError: no such stage, or alpha outside [0, 1].
        """
        stage = checked_stage(stage, self.stages, alpha)
        x = resize(x_BCTHW, (self.config.side, self.config.side))
        levels = [self.first(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        feature = old = self.middle(levels[-1])
        for index, decode in enumerate(self.decoder[:stage]):
            old = feature
            if index:
                beside = levels[STAGES - index]
                feature = resize_video(feature, size_of(beside)) + beside
            feature = decode(feature)
        rgb = self.heads[stage - 1](feature)
        if stage > 1 and alpha < 1.0:
            rgb = torch.lerp(resize_video(self.heads[stage - 2](old), size_of(rgb)), rgb, alpha)
        return SuperResolved(rgb + resize_video(x, size_of(rgb)), None)
