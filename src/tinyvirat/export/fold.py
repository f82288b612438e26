"""The preprocessing of frames of one size, as matrices that any engine multiplies exactly.

`Preprocess` gives what Pillow gives, level for level, through whole numbers in float64. Engines do
not all have float64, so that here every weight is split into a high and a low part, whose sums are
whole numbers below 2**24: float32 holds them without rounding, whatever the order of summation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.pixels import SCALE, LevelPass, crop_at, level_passes, shortened_size
from tinyvirat.models.preprocess import Preprocess

SPLIT = 1 << 11
EXACT = 1 << 24
"""Up to here float32 holds every whole number."""


class FoldError(TinyviratError):
    """Frames whose preprocessing cannot be part of an exported file."""


def passes_for(preprocess: Preprocess, height: int, width: int) -> tuple[LevelPass, ...]:
    """What `preprocess` does to the levels of frames of one size: passes, one after another.

    Each pass multiplies one axis with its weights, rounds and clamps, as `LevelPass` says. Crops
    and letterboxes are in the weights: fewer rows, or columns added up.

    Args:
        preprocess: the model's.
        height: of the frames, pixels.
        width: of the frames, pixels.
    """
    side = preprocess.side_for(height, width)
    first = side if preprocess.full is None else preprocess.full
    if preprocess.fit == "crop":
        short = first if preprocess.short_side is None else preprocess.short_side
        passes = _cropped(height, width, shortened_size(height, width, short), first)
    elif preprocess.fit == "pad":
        passes = _letterboxed(height, width, first)
    else:
        passes = level_passes(height, width, (first, first))
    return (*passes, *level_passes(first, first, (side, side)))


class ExactPass(nn.Module):
    """One pass over levels 0..255 held as float32, exact.

    Raises:
        FoldError: the pass adds up so many pixels that float32 could round.
    """

    def __init__(self, one: LevelPass) -> None:
        super().__init__()
        self.axis = one.axis
        high_OI = torch.floor(one.weights_OI / SPLIT + 0.5)
        low_OI = one.weights_OI - high_OI * SPLIT
        largest = max(_most(high_OI) + EXACT // SPLIT, _most(low_OI) + SCALE // 2)
        if largest > EXACT:
            length, size = one.weights_OI.shape[::-1]
            raise FoldError(
                f"frames of {length} px are made {size} px small: too many pixels in one for an "
                "exact sum; give a smaller --frame-size, and cut or resize the frames to it first"
            )
        self.register_buffer("high_OI", high_OI.float(), persistent=False)
        self.register_buffer("low_OI", low_OI.float(), persistent=False)

    def forward(self, levels: Tensor) -> Tensor:
        """Whole levels of shape (..., H, W) to whole levels."""
        high, low = self._times(self.high_OI, levels), self._times(self.low_OI, levels)
        carry = torch.floor((low + SCALE // 2) / SPLIT)
        return torch.floor((high + carry) / (SCALE // SPLIT)).clamp(0.0, 255.0)

    def _times(self, weights_OI: Tensor | nn.Module, levels: Tensor) -> Tensor:
        assert isinstance(weights_OI, Tensor)
        return levels @ weights_OI.T if self.axis == -1 else weights_OI @ levels


def _most(weights_OI: Tensor) -> float:
    """The largest sum that levels can make with these weights, without regard to sign."""
    return float(weights_OI.abs().sum(1).max()) * 255.0


def _cropped(
    height: int, width: int, short_HW: tuple[int, int], size: int
) -> tuple[LevelPass, ...]:
    """Resized to `short_HW`, then the centre: of each axis only the rows that the crop keeps."""
    down = crop_at(torch.arange(short_HW[0])[:, None].expand(short_HW), size)[:, 0]
    across = crop_at(torch.arange(short_HW[1])[None].expand(short_HW), size)[0]
    kept = {-2: down, -1: across}
    passes = level_passes(height, width, short_HW, "bilinear")
    whole = {-2: height, -1: width}
    unchanged = [
        LevelPass(axis, _picking(rows, whole[axis]))
        for axis, rows in kept.items()
        if axis not in [one.axis for one in passes] and len(rows) != whole[axis]
    ]
    return (*(LevelPass(one.axis, one.weights_OI[kept[one.axis]]) for one in passes), *unchanged)


def _letterboxed(height: int, width: int, size: int) -> tuple[LevelPass, ...]:
    """Filled up to a square by repeating the edges, then resized: a repeated pixel has the sum of
    the weights of its repetitions."""
    side = max(height, width)
    whole = {-2: height, -1: width}
    repeats = {
        axis: _picking(
            (torch.arange(side) - (side - length) // 2).clamp(0, length - 1), length, weight=1
        )
        for axis, length in whole.items()
    }
    passes = level_passes(side, side, (size, size))
    if passes:
        return tuple(LevelPass(axis, weights_OI @ repeats[axis]) for axis, weights_OI in passes)
    return tuple(LevelPass(axis, repeats[axis] * SCALE) for axis in whole if whole[axis] != side)


def _picking(indices_O: Tensor, length: int, weight: int = SCALE) -> Tensor:
    """Weights that take the pixels at `indices_O` as they are."""
    weights_OI = torch.zeros(len(indices_O), length, dtype=torch.float64)
    weights_OI[torch.arange(len(indices_O)), indices_O] = weight
    return weights_OI
