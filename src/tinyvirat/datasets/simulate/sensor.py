"""What a camera does to an image: a soft lens, a shaking mast, a noisy sensor."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate.camera import Array
from tinyvirat.datasets.simulate.config import SceneConfig, stream

NOISE_STREAM, SHAKE_STREAM = 7, 8
SHAKES_S = 6.0  # independent pushes a second
DRAW_BITS = 12  # the largest noise is 3.7 standard deviations

Image = npt.NDArray[np.uint8]


def blurred(image_HWC: Image, blur: float) -> Image:
    """Softens as a lens that spreads an edge over `blur` pixels beside the pixel itself."""
    side = round(128 * ((1 + blur) ** 2 - 1) / 12)
    if not side:
        return image_HWC
    soft: npt.NDArray[np.uint32] = image_HWC.astype(np.uint32)
    for axis in (0, 1):
        wide = np.pad(soft, [(1, 1) if one == axis else (0, 0) for one in range(3)], mode="edge")
        count = soft.shape[axis]
        before, after = (np.take(wide, range(at, at + count), axis=axis) for at in (0, 2))
        mixed = soft * (256 - 2 * side) + (before + after) * side + 128
        soft = np.right_shift(mixed, 8).astype(np.uint32)
    return soft.astype(np.uint8)


def shake(config: SceneConfig, start: int, stop: int) -> Array:
    """How far the image is shifted in frames `[start, stop)`: pixels of the scene, (T, 2)."""
    if not config.jitter:
        return np.zeros((stop - start, 2))
    at = np.arange(start, stop) * (SHAKES_S / float(config.fps))
    first, last = int(at[0]), int(at[-1]) + 1
    pushes = np.array(
        [
            stream(config.seed, SHAKE_STREAM, one).uniform(-config.jitter, config.jitter, 2)
            for one in range(first, last + 1)
        ]
    )
    whole = at.astype(np.int64)
    part = (at - whole)[:, None]
    part = part * part * (3 - 2 * part)
    return np.asarray(pushes[whole - first] * (1 - part) + pushes[whole - first + 1] * part)


def shifted(image_HWC: Image, shift_2: Array, margin: int) -> Image:
    """The middle of an image drawn with a margin, moved by less than it, in 1/16 pixels."""
    if not margin:
        return image_HWC.copy()
    x, y = (round(margin * 16 - float(value) * 16) for value in shift_2)
    height, width = image_HWC.shape[0] - 2 * margin, image_HWC.shape[1] - 2 * margin
    right, down = x % 16, y % 16

    def piece(dy: int, dx: int) -> npt.NDArray[np.uint32]:
        top, left = y // 16 + dy, x // 16 + dx
        return image_HWC[top : top + height, left : left + width].astype(np.uint32)

    mixed = piece(0, 0) * ((16 - right) * (16 - down)) + 128
    if right:
        mixed += piece(0, 1) * (right * (16 - down))
    if down:
        mixed += piece(1, 0) * ((16 - right) * down)
    if right and down:
        mixed += piece(1, 1) * (right * down)
    return (mixed >> 8).astype(np.uint8)


def noisy(image_HWC: Image, noise: float, key: tuple[int, int]) -> Image:
    """Adds Gaussian noise of a standard deviation in grey levels, the same for the same key.

    Args:
        image_HWC: uint8.
        noise: standard deviation in grey levels of 255.
        key: seed of the scene and number of the frame.
    """
    if not noise:
        return image_HWC
    drawn = stream(key[0], NOISE_STREAM, key[1]).bytes(2 * image_HWC.size)
    draws = np.frombuffer(drawn, dtype="<u2") >> (16 - DRAW_BITS)
    grain = _bell(noise)[draws].reshape(image_HWC.shape)
    grain += image_HWC
    np.clip(grain, 0, 255, out=grain)
    return np.asarray(grain, dtype=np.uint8)


@lru_cache(maxsize=8)
def _bell(noise: float) -> npt.NDArray[np.int16]:
    """Noise in whole grey levels for each of the equally likely draws."""
    bell, count = NormalDist(0.0, noise), 1 << DRAW_BITS
    levels = [round(bell.inv_cdf((draw + 0.5) / count)) for draw in range(count)]
    return np.array(levels, dtype=np.int16)
