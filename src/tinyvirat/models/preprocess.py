"""The one object that turns decoded frames into network input; it is saved with the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import Tensor

from tinyvirat.common.pixels import Policy, fit, resize, to_float

MAX_SIDE = 4096
"""Largest side in pixels: memory grows with its square, and a description may come from anyone."""


@dataclass(frozen=True)
class Bucket:
    """Clips of one input side, ready for the network.

    Attributes:
        indices: where they stood in what was given.
        x_BCTHW: float32 in [-1, 1].
    """

    indices: tuple[int, ...]
    x_BCTHW: Tensor


@dataclass(frozen=True)
class Preprocess:
    """From decoded frames of any size to square network input.

    There are two protocols. Clips that are large (UCF-101, HMDB-51) are fitted at `full` px first
    and then made small, as in Tables III and IV: `Preprocess(size=14, full=112, short_side=128)`.
    Clips that are tiny by nature (tubes, TinyVIRAT) go straight to the input side:
    `Preprocess(size=28, full=None, short_side=None, fit="pad")`.

    Attributes:
        size: side in pixels of the network's input. Several sides mean that each clip takes the
            smallest that is not below its own longer side (the largest, if none is): the any-size
            network.
        full: side at which clips are fitted before they are made small; None: they are fitted at
            `size` directly.
        short_side: length in pixels of the shorter side before the crop to `full`, bilinear, `full`
            or more; None: `full`.
        fit: `crop` (centre), `pad` (letterbox) or `stretch`, for clips that are not square.
    """

    size: int | tuple[int, ...] = 28
    full: int | None = 112
    short_side: int | None = 128
    fit: Policy = "crop"

    def __post_init__(self) -> None:
        sides = [("full", self.full), ("short_side", self.short_side)]
        for name, side in [*sides, *(("size", side) for side in self.sizes)]:
            if side is not None and not 1 <= side <= MAX_SIDE:
                raise ValueError(f"preprocess: {name} is {side}; a side is 1 to {MAX_SIDE} px")
        if not self.sizes or list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError(f"preprocess: size is {self.size}; the sides must increase")
        if self.fit not in get_args(Policy):
            allowed = ", ".join(get_args(Policy))
            raise ValueError(f"preprocess: fit is {self.fit!r}, not one of {allowed}")
        if self.short_side is not None and (self.fit != "crop" or self.full is None):
            raise ValueError("preprocess: short_side needs fit 'crop' and a full side")
        if self.short_side is not None and self.short_side < (self.full or 0):
            raise ValueError(f"preprocess: short_side {self.short_side} is below full {self.full}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The input sides, smallest first."""
        return (self.size,) if isinstance(self.size, int) else tuple(self.size)

    def at(self, size: int) -> Preprocess:
        """The same with another input side: how the network answers to smaller clips."""
        return replace(self, size=size)

    def side_for(self, height: int, width: int) -> int:
        """The input side for a clip of that size."""
        longer = max(height, width) if self.full is None else self.full
        return next((side for side in self.sizes if longer <= side), self.sizes[-1])

    def one(self, frames_THWC: Tensor) -> Tensor:
        """One clip (uint8 RGB, any size) as `x_CTHW`, float32 in [-1, 1], square."""
        height, width = frames_THWC.shape[1:3]
        side = self.side_for(height, width)
        if self.full is None:
            x_CTHW = fit(frames_THWC, policy=self.fit, size=side, short_side=self.short_side)
        else:
            x_CTHW = fit(frames_THWC, policy=self.fit, size=self.full, short_side=self.short_side)
            x_CTHW = resize(x_CTHW, (side, side), mode="bicubic")
        return to_float(x_CTHW)

    def __call__(self, clips: Sequence[Tensor]) -> Tensor:
        """Clips that share one input side and length, as `x_BCTHW`.

        Args:
            clips: `frames_THWC` uint8 RGB; their sizes may differ.
        """
        return torch.stack([self.one(clip) for clip in clips])

    def buckets(self, clips: Sequence[Tensor]) -> list[Bucket]:
        """Clips of mixed sizes as batches of one input side each, smallest side first."""
        by_side: dict[int, list[int]] = {}
        for index, clip in enumerate(clips):
            height, width = clip.shape[1:3]
            by_side.setdefault(self.side_for(height, width), []).append(index)
        return [
            Bucket(tuple(indices), self([clips[i] for i in indices]))
            for _, indices in sorted(by_side.items())
        ]
