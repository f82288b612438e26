"""High- to low-resolution pairs, made in batches on the device.

Published code: short side to 128 (bilinear), a crop of 112, flipped half of the time, then Pillow's
bicubic down to 14 or 28. Its training crop only ever saw the left columns; here every place is
equally likely. Every random choice comes from the sample's own seed, so that a clip's pair does not
depend on the batch, the worker or the process that it is made in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.pixels import CENTRE, crop_at, resize, shorten, to_float

Place: TypeAlias = Literal["random", "centre"]
# Keeps these draws apart from others made from the same seed (such as which frames are sampled).
STREAM = 0x5EED


class DegradeError(TinyviratError):
    """A degradation that cannot be carried out, or clips that it cannot be carried out on."""


@dataclass(frozen=True)
class Pairs:
    """The same clips twice.

    Attributes:
        low_BCTHW: what the network is given, float32 in the value range.
        high_BCTHW: what it should give, float32 in the value range, T as in `low_BCTHW`.
    """

    low_BCTHW: Tensor
    high_BCTHW: Tensor


@dataclass(frozen=True)
class Degrade:
    """How pairs are made; call it with clips and their seeds.

    Args:
        short_side: the short side before the crop, pixels; `crop` or more.
        crop: side of the high-resolution clip, pixels.
        low: side of the low-resolution clip, pixels; `crop` leaves it as it is.
        flip: probability of a mirror image, left to right.
        place: where the crop lies: `random` (training) or `centre` (testing).
        value_range: what levels 0 and 255 become.
        up_to: side in pixels that the low-resolution clip is enlarged to again (bicubic), for a
            network that wants its input at full size; `None` leaves it at `low`.

    Raises:
        DegradeError: a value that cannot be.
    """

    short_side: int = 128
    crop: int = 112
    low: int = 28
    flip: float = 0.5
    place: Place = "random"
    value_range: tuple[float, float] = (-1.0, 1.0)
    up_to: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.crop <= self.short_side:
            raise DegradeError(
                f"low, crop and short_side are {self.low}, {self.crop} and {self.short_side}; "
                "each must be as large as the one before it, and low at least 1"
            )
        if not 0.0 <= self.flip <= 1.0:
            raise DegradeError(f"flip is {self.flip}; a probability lies between 0 and 1")
        if self.place not in get_args(Place):
            raise DegradeError(
                f"the place of the crop is {self.place!r}; use {' or '.join(get_args(Place))}"
            )
        if not self.value_range[0] < self.value_range[1]:
            raise DegradeError(f"value_range is {self.value_range}; the smaller number comes first")
        if self.up_to is not None and self.up_to < self.low:
            raise DegradeError(f"up_to is {self.up_to}; it must be low ({self.low}) or more")

    def for_testing(self) -> Degrade:
        """The same without chance: the centre, never mirrored."""
        return replace(self, place="centre", flip=0.0)

    def __call__(
        self,
        clips: Sequence[Tensor],
        seeds: Sequence[int],
        device: torch.device | str | None = None,
    ) -> Pairs:
        """Makes one pair of every clip.

        Args:
            clips: uint8 frames of shape (T, H, W, 3). T is the same for all; H and W may differ.
            seeds: one number, 0 or more, for every clip: the same clip and seed give the same pair.
            device: where the work is done; `None` is where each clip is.

        Returns:
            `Pairs` with B in the order of the clips.

        Raises:
            DegradeError: no clips, another number of seeds, or clips of different lengths.
        """
        _check_clips(clips, seeds)
        high_BCTHW = torch.stack(
            [
                self._high(clip_THWC.to(device, non_blocking=True), seed)
                for clip_THWC, seed in zip(clips, seeds, strict=True)
            ]
        )
        low_BCTHW = resize(high_BCTHW, (self.low, self.low), "bicubic")
        if self.up_to is not None:
            low_BCTHW = resize(low_BCTHW, (self.up_to, self.up_to), "bicubic")
        return Pairs(
            to_float(low_BCTHW, self.value_range),
            to_float(high_BCTHW, self.value_range),
        )

    def _high(self, frames_THWC: Tensor, seed: int) -> Tensor:
        """`x_CTHW`: the high-resolution clip as uint8."""
        down, across, mirror = np.random.default_rng([STREAM, seed]).random(3)
        at = CENTRE if self.place == "centre" else (float(down), float(across))
        x_CTHW = crop_at(shorten(frames_THWC.permute(3, 0, 1, 2), self.short_side), self.crop, at)
        return x_CTHW.flip(-1) if mirror < self.flip else x_CTHW


def stage_target(
    high_BCTHW: Tensor,
    frames: int,
    size: int,
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Tensor:
    """What an intermediate stage of a progressive network should give.

    Of 16 frames, 4 means every fourth and 8 every second, from the first on, each resized (bicubic,
    antialiased) to `size` (published code: x8 gives 4, 8, 16 frames at 28, 56, 112; x4 gives 8, 16
    at 56, 112).

    Args:
        high_BCTHW: the high-resolution clips, floats in `value_range`.
        frames: frames of the stage; they must divide T.
        size: side of the stage's frames, pixels.
        value_range: bicubic overshoot is clamped to it.

    Returns:
        Shape (B, C, `frames`, `size`, `size`), the dtype of `high_BCTHW`.

    Raises:
        DegradeError: `frames` does not divide T.
    """
    length = high_BCTHW.shape[2]
    if frames < 1 or length % frames:
        raise DegradeError(f"{frames} frames cannot be taken evenly from {length}")
    target_BCTHW = high_BCTHW[:, :, :: length // frames]
    if target_BCTHW.shape[-2:] == (size, size):
        return target_BCTHW
    return resize(target_BCTHW, (size, size), "bicubic").clamp(*value_range)


def _check_clips(clips: Sequence[Tensor], seeds: Sequence[int]) -> None:
    if not clips:
        raise DegradeError("there are no clips to make pairs of")
    if len(seeds) != len(clips):
        raise DegradeError(f"{len(clips)} clips need as many seeds, not {len(seeds)}")
    for clip_THWC in clips:
        if clip_THWC.dtype != torch.uint8 or clip_THWC.ndim != 4:
            raise TypeError(
                f"clips must be uint8 of shape (T, H, W, 3), not {clip_THWC.dtype} "
                f"of shape {tuple(clip_THWC.shape)}"
            )
    lengths = sorted({len(clip_THWC) for clip_THWC in clips})
    if len(lengths) > 1:
        raise DegradeError(f"clips of {lengths} frames cannot make one batch; sample them alike")
