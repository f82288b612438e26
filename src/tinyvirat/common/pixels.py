"""Pixels to other sizes and other ranges: the one resize of training, recognition and export.

On uint8 `resize` gives what Pillow gives, level for level and on every device, because the
published networks saw Pillow's pixels. On floats it is differentiable and rounds nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tinyvirat.common.errors import TinyviratError

Mode: TypeAlias = Literal["bicubic", "bilinear"]
Policy: TypeAlias = Literal["crop", "pad", "stretch"]
CENTRE = (0.5, 0.5)

# Half the width of a filter, in pixels of the larger of the two images.
SUPPORT: dict[str, float] = {"bicubic": 2.0, "bilinear": 1.0}
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
# Pillow works with one thread, and is then two to five times as fast as products of matrices.
PILLOW_THREADS = 4
# Pillow's weights are whole numbers over 2**22. Products with 8-bit levels and their sums then fit
# float64 without rounding, so that the order of summation, and with it the device, cannot matter.
SCALE = 1 << 22
# Outputs made by one matrix product. Most weights of a whole row would be zero; those of
# neighbouring outputs lie together.
BLOCK = 32
# Pixels worked on at once, so that the float64 copy of a long or large clip stays below 32 MiB.
PIXELS_AT_ONCE = 1 << 22


class PixelError(TinyviratError):
    """A size, a policy or a resampling mode that cannot be used."""


class LevelPass(NamedTuple):
    """One of the passes that `resize` makes over uint8 images, for who must do the same elsewhere.

    Attributes:
        axis: -1 (along the rows) or -2 (down the columns).
        weights_OI: float64 whole numbers: the output is `floor((weights @ levels) / SCALE + 1/2)`,
            clamped to 0..255.
    """

    axis: int
    weights_OI: Tensor


class _Weights(NamedTuple):
    """What every output pixel of one axis takes from the input: rows of `weights_OI`, zero outside
    `[first, last)`."""

    weights_OI: Tensor
    first: tuple[int, ...]
    last: tuple[int, ...]


def resize(x: Tensor, size_HW: tuple[int, int], mode: Mode = "bicubic") -> Tensor:
    """Resamples images with the filter widened when it shrinks them (antialiased).

    uint8 images equal Pillow's `Image.resize` with `BICUBIC` or `BILINEAR` exactly: one axis after
    the other, rounded and clamped to 0..255 after each. As in Pillow 13 the width goes first,
    unless the height falls by more than twice what the width falls by; older Pillow always begins
    with the width, which can differ where the two axes change by different factors.

    Floats are neither rounded nor clamped, so bicubic output can leave the range of the input; half
    precision is computed in float32. Gradients flow to float input.

    Args:
        x: images of shape (..., H, W), uint8 or floating point, on any device.
        size_HW: height and width of the output, pixels.
        mode: `bicubic` (a = -0.5) or `bilinear`.

    Returns:
        Shape (..., *size_HW), the dtype and device of `x`; `x` itself when it has that size.

    Raises:
        PixelError: an unknown mode, a size below 1 pixel, or images without pixels.
        TypeError: integers other than uint8, or fewer than two dimensions.
    """
    _check_resize(x, size_HW, mode)
    height, width = x.shape[-2:]
    if (height, width) == tuple(size_HW):
        return x
    if x.dtype != torch.uint8:
        resized_NHW = _resize_floats(x.reshape(-1, height, width), size_HW, mode)
    elif _is_frames(x) and _pillow_is_faster(x):
        # Frames as decoders give them: Pillow takes their colours together, and nothing is moved.
        frames_NHWC = x.movedim(-3, -1).reshape(-1, height, width, 3)
        resized_NHWC = _in_parts(frames_NHWC, size_HW, mode)
        return resized_NHWC.reshape(*x.shape[:-3], *size_HW, 3).movedim(-1, -3)
    else:
        resized_NHW = _in_parts(x.reshape(-1, height, width), size_HW, mode)
    return resized_NHW.reshape(*x.shape[:-2], *size_HW)


def level_passes(
    height: int, width: int, size_HW: tuple[int, int], mode: Mode = "bicubic"
) -> tuple[LevelPass, ...]:
    """The passes of `resize` over uint8 images of `height` x `width`, in their order; none where
    the size stays."""
    return tuple(
        LevelPass(axis, _weights((height, width)[axis], size_HW[axis], mode, "cpu").weights_OI)
        for axis in _axes(height, width, size_HW)
    )


def fit(
    frames_THWC: Tensor,
    policy: Policy,
    size: int,
    short_side: int | None = None,
    at: tuple[float, float] = CENTRE,
) -> Tensor:
    """Makes a clip of any shape a square of `size` pixels by a named policy.

    - `crop`: the short side to `short_side` (bilinear, the long side rounded down), then a crop of
      `size` x `size` (published code: 128, then 112).
    - `pad`: letterboxed to a square by repeating the edge pixels, evenly on both sides, then
      resized (bicubic). Nothing is cut off and nothing is stretched: for tubes.
    - `stretch`: resized (bicubic) whatever the shape.

    Args:
        frames_THWC: uint8 frames, H and W at least 1.
        policy: `crop`, `pad` or `stretch`.
        size: side of the output, pixels.
        short_side: for `crop` only: short side before the crop, pixels, `size` or more;
            `None` means `size`.
        at: for `crop` only: where the crop lies in the room it has, down and across, each from 0
            (top, left) to 1 (bottom, right); (0.5, 0.5) is the centre. A number drawn evenly from
            [0, 1) makes every place equally likely.

    Returns:
        `x_CTHW`, uint8, H = W = `size`, on the device of the frames.

    Raises:
        PixelError: an unknown policy, a bad size, or an option that the policy would ignore.
        TypeError: frames that are not uint8 of four dimensions.
    """
    _check_frames(frames_THWC)
    if policy not in get_args(Policy):
        raise PixelError(
            f"the policy {policy!r} is not one of {', '.join(get_args(Policy))}; choose one of them"
        )
    if policy != "crop" and (short_side is not None or at != CENTRE):
        raise PixelError(
            f"short_side and at belong to the policy 'crop'; leave them out with {policy!r}"
        )
    x_CTHW = frames_THWC.permute(3, 0, 1, 2)
    if policy == "crop":
        return crop_at(shorten(x_CTHW, size if short_side is None else short_side), size, at)
    if policy == "pad":
        x_CTHW = _letterbox(x_CTHW)
    return resize(x_CTHW, (size, size), "bicubic").contiguous()


def shorten(x: Tensor, short_side: int) -> Tensor:
    """Resizes images (..., H, W) bilinearly so that the short side is `short_side` pixels.

    The long side keeps the shape and is rounded down: 240 x 320 with 128 gives 128 x 170.

    Raises:
        PixelError: `short_side` below 1.
    """
    return resize(x, shortened_size(x.shape[-2], x.shape[-1], short_side), "bilinear")


def shortened_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width when the short side becomes `short_side`, the long one rounded down."""
    short = min(height, width)
    return height * short_side // short, width * short_side // short


def crop_at(x: Tensor, size: int, at: tuple[float, float] = CENTRE) -> Tensor:
    """Cuts a square of `size` pixels out of images (..., H, W).

    Args:
        x: the images.
        size: side of the square, pixels, the short side of the images or less.
        at: where it lies in the room it has, down and across, from 0 to 1; every one of the
            `room + 1` places takes an equal share of the numbers in [0, 1).

    Raises:
        PixelError: the square is larger than the images, or `at` leaves 0..1.
    """
    height, width = x.shape[-2:]
    if not 1 <= size <= min(height, width):
        raise PixelError(
            f"a crop of {size} pixels cannot be cut from {height} x {width}; "
            f"use a size from 1 to {min(height, width)}, or a larger short side"
        )
    if not all(0.0 <= place <= 1.0 for place in at):
        raise PixelError(f"the place of a crop is {at}; both numbers must lie between 0 and 1")
    top, left = (
        min(int(place * (room - size + 1)), room - size)
        for place, room in zip(at, (height, width), strict=True)
    )
    return x[..., top : top + size, left : left + size].contiguous()


def crop_windows(
    frames_THWC: Tensor, windows_N4: NDArray[np.int64], side: int | None = None
) -> Tensor:
    """Cuts square windows out of frames; where a window leaves the frame, the edge is repeated.

    Args:
        frames_THWC: frames of any dtype.
        windows_N4: `x1, y1, x2, y2` in pixels of the frames, x2 and y2 exclusive; one window for
            all frames (N = 1) or one a frame (N = T). They may leave the frame.
        side: side of the output, pixels; `None` is the largest of the windows.

    Returns:
        Shape (T, `side`, `side`, C); windows of another size are resized to it (bicubic).

    Raises:
        PixelError: another number of windows, or one that is not a square of 1 pixel or more.
    """
    frames, height, width, _ = frames_THWC.shape
    sides_N = windows_N4[:, 2:] - windows_N4[:, :2]
    if len(windows_N4) not in (1, frames):
        raise PixelError(
            f"{len(windows_N4)} windows for {frames} frames; give one for all, or one a frame"
        )
    if np.any(sides_N < 1) or np.any(sides_N[:, 0] != sides_N[:, 1]):
        bad = int(np.argmax((sides_N < 1).any(1) | (sides_N[:, 0] != sides_N[:, 1])))
        raise PixelError(
            f"window {bad} is {windows_N4[bad].tolist()} (x1, y1, x2, y2), which is not a square; "
            "windows must be as wide as high"
        )
    size = int(sides_N.max()) if side is None else side
    if len(windows_N4) == 1:
        return _sized(_cut(frames_THWC, windows_N4[0], height, width), size)
    cuts = [
        _sized(_cut(frame_HWC[None], window_4, height, width), size)
        for frame_HWC, window_4 in zip(frames_THWC, windows_N4, strict=True)
    ]
    return torch.cat(cuts)


def to_float(x_uint8: Tensor, value_range: tuple[float, float] = (-1.0, 1.0)) -> Tensor:
    """Levels 0..255 as float32 evenly spread over `value_range`.

    Raises:
        PixelError: a range whose low end is not below its high end.
        TypeError: other than uint8.
    """
    if x_uint8.dtype != torch.uint8:
        raise TypeError(f"levels must be uint8, not {x_uint8.dtype}")
    low, high = _checked_range(value_range)
    return x_uint8.to(torch.float32).mul_((high - low) / 255.0).add_(low)


def to_uint8(x: Tensor, value_range: tuple[float, float] = (-1.0, 1.0)) -> Tensor:
    """The nearest levels 0..255 of floats in `value_range`; what lies outside is clamped.

    Raises:
        PixelError: a range whose low end is not below its high end.
    """
    low, high = _checked_range(value_range)
    levels = (x.to(torch.float32) - low).mul_(255.0 / (high - low))
    return levels.round_().clamp_(0.0, 255.0).to(torch.uint8)


def _in_parts(images: Tensor, size_HW: tuple[int, int], mode: Mode) -> Tensor:
    """Resizes uint8 images (N, H, W) or (N, H, W, 3), some at a time."""
    height, width = images.shape[1:3]
    at_once = max(1, PIXELS_AT_ONCE // max(height * width, size_HW[0] * size_HW[1]))
    axes = _axes(height, width, size_HW)
    resize_part = _resize_by_pillow if _pillow_is_faster(images) else _resize_by_products
    parts = [resize_part(part, size_HW, mode, axes) for part in torch.split(images, at_once)]
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def _pillow_is_faster(x: Tensor) -> bool:
    return x.device.type == "cpu" and torch.get_num_threads() <= PILLOW_THREADS


def _is_frames(x: Tensor) -> bool:
    """Whether images (..., 3, H, W) lie in memory as (..., H, W, 3)."""
    return x.ndim >= 3 and x.shape[-3] == 3 and x.movedim(-3, -1).is_contiguous()


def _resize_by_pillow(
    images: Tensor, size_HW: tuple[int, int], mode: Mode, axes: tuple[int, ...]
) -> Tensor:
    """All images as one picture: one call an axis, in the order asked for."""
    levels: NDArray[np.uint8] = images.numpy()
    for axis in axes:
        count, height, width, *colours = levels.shape
        if axis == -1:  # one above the other
            picture = Image.fromarray(levels.reshape(count * height, width, *colours))
            made = np.array(picture.resize((size_HW[1], count * height), FILTERS[mode]))
            levels = made.reshape(count, height, size_HW[1], *colours)
        else:  # side by side
            beside = levels.swapaxes(0, 1).reshape(height, count * width, *colours)
            picture = Image.fromarray(beside)
            made = np.array(picture.resize((count * width, size_HW[0]), FILTERS[mode]))
            levels = made.reshape(size_HW[0], count, width, *colours).swapaxes(0, 1)
    return torch.from_numpy(np.ascontiguousarray(levels))


def _resize_by_products(
    planes_NHW: Tensor, size_HW: tuple[int, int], mode: Mode, axes: tuple[int, ...]
) -> Tensor:
    """The same on any device and with any number of threads: products of matrices."""
    levels_NHW = planes_NHW.to(torch.float64)
    for axis in axes:
        length = levels_NHW.shape[axis]
        weights = _weights(length, size_HW[axis], mode, str(planes_NHW.device))
        levels_NHW = _pass(levels_NHW, weights, axis)
    return levels_NHW.to(torch.uint8)


def _axes(height: int, width: int, size_HW: tuple[int, int]) -> tuple[int, ...]:
    """The axes that change, in Pillow's order."""
    height_first = height > size_HW[0] and height - size_HW[0] > 2 * (width - size_HW[1])
    order = (-2, -1) if height_first else (-1, -2)
    return tuple(axis for axis in order if (height, width)[axis] != size_HW[axis])


def _pass(levels_NHW: Tensor, weights: _Weights, axis: int) -> Tensor:
    """Resamples one axis of whole levels in float64, rounds halves up and clamps."""
    parts = []
    for begin in range(0, len(weights.first), BLOCK):
        end = min(begin + BLOCK, len(weights.first))
        first, last = weights.first[begin], weights.last[end - 1]
        block_OI = weights.weights_OI[begin:end, first:last]
        if axis == -1:
            parts.append(levels_NHW[..., first:last] @ block_OI.T)
        else:
            parts.append(block_OI @ levels_NHW[:, first:last, :])
    sums_NHW = torch.cat(parts, dim=axis) if len(parts) > 1 else parts[0]
    return sums_NHW.add_(SCALE // 2).div_(SCALE).floor_().clamp_(0.0, 255.0)


@lru_cache(maxsize=512)
def _weights(length: int, size: int, mode: Mode, device: str) -> _Weights:
    """The weights of one axis from `length` to `size` pixels, as Pillow quantises them."""
    step = length / size
    stretch = max(step, 1.0)
    support = SUPPORT[mode] * stretch
    centres_O = (np.arange(size) + 0.5) * step
    first_O = np.maximum((centres_O - support + 0.5).astype(np.int64), 0)
    last_O = np.minimum((centres_O + support + 0.5).astype(np.int64), length)
    pixels_I = np.arange(length)
    inside_OI = (pixels_I >= first_O[:, None]) & (pixels_I < last_O[:, None])
    distances_OI = np.abs(pixels_I - centres_O[:, None] + 0.5) * (1.0 / stretch)
    weights_OI = np.where(inside_OI, _filter(distances_OI, mode), 0.0)
    weights_OI /= weights_OI.sum(axis=1, keepdims=True)
    whole_OI = np.trunc(weights_OI * SCALE + np.copysign(0.5, weights_OI))
    return _Weights(
        torch.from_numpy(whole_OI).to(device), tuple(first_O.tolist()), tuple(last_O.tolist())
    )


def _filter(distance: NDArray[np.float64], mode: Mode) -> NDArray[np.float64]:
    """The filter's value at a distance of 0 or more: a tent, or Keys' cubic with a = -0.5."""
    if mode == "bilinear":
        return np.maximum(1.0 - distance, 0.0)
    near = (1.5 * distance - 2.5) * distance * distance + 1.0
    far = (((distance - 5.0) * distance + 8.0) * distance - 4.0) * -0.5
    return np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))


def _resize_floats(planes_NHW: Tensor, size_HW: tuple[int, int], mode: Mode) -> Tensor:
    wide = planes_NHW.dtype in (torch.float32, torch.float64)
    planes_N1HW = (planes_NHW if wide else planes_NHW.to(torch.float32))[:, None]
    resized_N1HW = F.interpolate(planes_N1HW, size=tuple(size_HW), mode=mode, antialias=True)
    return resized_N1HW[:, 0].to(planes_NHW.dtype)


def _letterbox(x_CTHW: Tensor) -> Tensor:
    """A square clip, the short side filled evenly by repeating the edge pixels."""
    height, width = x_CTHW.shape[-2:]
    side = max(height, width)
    down = torch.arange(side, device=x_CTHW.device) - (side - height) // 2
    across = torch.arange(side, device=x_CTHW.device) - (side - width) // 2
    return x_CTHW[..., down.clamp(0, height - 1), :][..., across.clamp(0, width - 1)]


def _cut(frames_THWC: Tensor, window_4: NDArray[np.int64], height: int, width: int) -> Tensor:
    x1, y1, x2, y2 = (int(edge) for edge in window_4)
    if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
        return frames_THWC[:, y1:y2, x1:x2]
    device = frames_THWC.device
    down = torch.arange(y1, y2, device=device).clamp_(0, height - 1)
    across = torch.arange(x1, x2, device=device).clamp_(0, width - 1)
    return frames_THWC[:, down][:, :, across]


def _sized(cut_TSSC: Tensor, side: int) -> Tensor:
    if cut_TSSC.shape[1] == side:
        return cut_TSSC
    return resize(cut_TSSC.permute(0, 3, 1, 2), (side, side)).permute(0, 2, 3, 1)


def _check_resize(x: Tensor, size_HW: tuple[int, int], mode: str) -> None:
    if mode not in SUPPORT:
        raise PixelError(
            f"the mode {mode!r} is not one of {', '.join(SUPPORT)}; choose one of them"
        )
    if x.ndim < 2 or not (x.dtype == torch.uint8 or x.is_floating_point()):
        raise TypeError(
            f"images must be uint8 or floating point of shape (..., H, W), "
            f"not {x.dtype} of shape {tuple(x.shape)}"
        )
    if min(size_HW) < 1 or 0 in x.shape:
        raise PixelError(
            f"images of shape {tuple(x.shape)} cannot be resized to {tuple(size_HW)}; "
            "both need 1 pixel or more"
        )


def _check_frames(frames_THWC: Tensor) -> None:
    if frames_THWC.ndim != 4 or frames_THWC.dtype != torch.uint8:
        raise TypeError(
            f"frames must be uint8 of shape (T, H, W, C), not {frames_THWC.dtype} "
            f"of shape {tuple(frames_THWC.shape)}"
        )


def _checked_range(value_range: tuple[float, float]) -> tuple[float, float]:
    low, high = value_range
    if not low < high:
        raise PixelError(f"the value range is {value_range}; its first number must be the smaller")
    return low, high
