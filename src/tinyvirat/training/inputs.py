"""From decoded training clips to network input, on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tinyvirat.datasets.degrade import Pairs
from tinyvirat.training.recipe import Clips

# Keeps the mirror apart from what else is drawn from a clip's seed, such as where its window lies.
STREAM = 0x71B0


@dataclass(frozen=True)
class LabelledBatch:
    """Training clips of one iteration, on the device.

    Attributes:
        clips: `frames_THWC` uint8 RGB each; their sizes may differ.
        targets_BK: 0 or 1.
        seeds: one a clip; what is random about it depends on nothing else.
        skipped: clips that belong here and could not be read.
    """

    clips: Sequence[Tensor]
    targets_BK: Tensor
    seeds: Sequence[int]
    skipped: int = 0


class Inputs:
    """Makes network input as a recipe's `clips` says, cropped and mirrored at random."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips
        self.degrade = clips.degrade()
        self.preprocess = clips.preprocess()

    def pairs(self, batch: LabelledBatch) -> Pairs:
        """Low- and high-resolution clips."""
        return self.degrade(batch.clips, batch.seeds)

    def low(self, batch: LabelledBatch) -> Tensor:
        """`x_BCTHW` of labelled clips: made small, or tiny as they are."""
        if not self.clips.tiny:
            return self.pairs(batch).low_BCTHW
        made = []
        for clip, seed in zip(batch.clips, batch.seeds, strict=True):
            x_CTHW = self.preprocess.one(clip)
            mirror = np.random.default_rng([STREAM, seed]).random() < self.clips.flip
            made.append(x_CTHW.flip(-1) if mirror else x_CTHW)
        return torch.stack(made)
