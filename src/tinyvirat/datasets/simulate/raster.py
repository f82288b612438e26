"""Antialiased drawing with numpy: how much of each pixel a shape covers, and layers over layers.

Only sums, products, quotients and square roots are used, all of which IEEE 754 rounds the same way
everywhere, and colours are summed as whole numbers: the same shapes give the same bytes on every
platform.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate.shapes import Pixels, area

Cover = npt.NDArray[np.float32]
FULL = 4096  # weights of layers in whole numbers; times 255 they stay exact in float32


def limbs_cover(
    ends_C22: Pixels, radii_C2: Pixels, xs_W: Pixels, ys_H: Pixels, soft: float
) -> Cover:
    """How much of each pixel every limb covers, 0 to 1.

    Args:
        ends_C22: both ends of C limbs in pixels.
        radii_C2: thickness at the ends in pixels.
        xs_W: columns of the pixels' centres.
        ys_H: rows of the pixels' centres.
        soft: how many pixels an edge is spread over, at least 1.

    Returns:
        float32 of shape (C, H, W).
    """
    start, along = ends_C22[:, 0], ends_C22[:, 1] - ends_C22[:, 0]
    squared = np.maximum(along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1], np.float32(1e-6))
    right = xs_W[None, :] - start[:, :1]
    down = ys_H[None, :] - start[:, 1:]
    at = (right * (along[:, :1] / squared[:, None]))[:, None, :] + (
        down * (along[:, 1:] / squared[:, None])
    )[:, :, None]
    np.clip(at, 0, 1, out=at)
    off_x = at * -along[:, :1, None]
    off_x += right[:, None, :]
    off_y = at * -along[:, 1:, None]
    off_y += down[:, :, None]
    off_x *= off_x
    off_y *= off_y
    off_x += off_y
    distance = np.sqrt(off_x, out=off_x)
    at *= (radii_C2[:, 1] - radii_C2[:, 0])[:, None, None]
    at += radii_C2[:, :1, None]
    at -= distance
    at *= np.float32(1 / soft)
    at += np.float32(0.5)
    # A limb thinner than the spread never fills a pixel.
    most = np.minimum(np.max(radii_C2, axis=1) * np.float32(2 / soft), np.float32(1))
    np.clip(at, 0, most[:, None, None], out=at)
    return np.asarray(at)


def faces_cover(corners_PK2: Pixels, xs_W: Pixels, ys_H: Pixels, soft: float) -> Cover:
    """How much of each pixel every convex face covers; corners run as `Shapes.faces` says.

    Returns:
        float32 of shape (P, H, W).
    """
    edges = np.roll(corners_PK2, -1, axis=1) - corners_PK2
    dx, dy = edges[..., 0], edges[..., 1]
    length = np.sqrt(dx * dx + dy * dy)
    real = length > 1e-6
    never = np.where(real, np.float32(0), np.float32(-1e6))
    length = np.where(real, length, np.float32(1))
    # Outward normals, with y down: (-dy, dx) turned away from a face whose corners turn left.
    nx, ny = dy / -length, dx / length
    worst = np.full((len(corners_PK2), len(ys_H), len(xs_W)), -1e6, dtype=np.float32)
    outside = np.empty_like(worst)
    for edge in range(corners_PK2.shape[1]):
        start = corners_PK2[:, edge]
        across = nx[:, edge, None] * (xs_W[None, :] - start[:, :1]) + never[:, edge, None]
        upright = ny[:, edge, None] * (ys_H[None, :] - start[:, 1:])
        np.add(across[:, None, :], upright[:, :, None], out=outside)
        np.maximum(worst, outside, out=worst)
    # A sliver's edges meet far away: its own bounds end it, and its thinness makes it faint.
    low, high = corners_PK2.min(axis=1), corners_PK2.max(axis=1)
    across = np.maximum(low[:, :1] - xs_W, xs_W - high[:, :1])
    upright = np.maximum(low[:, 1:] - ys_H, ys_H - high[:, 1:])
    np.maximum(worst, across[:, None, :], out=worst)
    np.maximum(worst, upright[:, :, None], out=worst)
    worst *= np.float32(-1 / soft)
    worst += np.float32(0.5)
    longest = np.max(np.where(real, length, 0), axis=1)
    most = np.minimum(area(corners_PK2) / np.maximum(longest, np.float32(1e-3)) / soft, 1)
    return np.clip(worst, 0, most[:, None, None].astype(np.float32), out=worst)


def hull(points_N2: Pixels) -> Pixels:
    """The convex hull, its corners running as `faces_cover` wants them."""
    points = sorted(set(map(tuple, points_N2.tolist())))
    if len(points) < 3:
        return np.asarray(points, dtype=np.float32)

    def chain(run: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        kept: list[tuple[float, ...]] = []
        for point in run:
            while len(kept) > 1 and not _turns_left(kept[-2], kept[-1], point):
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return np.asarray(chain(points) + chain(points[::-1]), dtype=np.float32)[::-1]


def _turns_left(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0


def weights(cover_NHW: Cover, order_N: npt.NDArray[np.int64]) -> Cover:
    """What each layer gives to a pixel when they lie over each other.

    Args:
        cover_NHW: how much of each pixel they cover.
        order_N: the layers from bottom to top.

    Returns:
        whole numbers, `FULL` being all of the pixel, as float32 of shape (N, H, W).
    """
    free = np.full(cover_NHW.shape[1:], FULL, dtype=np.float32)
    seen = np.empty_like(cover_NHW)
    for layer in order_N[::-1].tolist():
        np.multiply(cover_NHW[layer], free, out=seen[layer])
        free -= seen[layer]
    return np.rint(seen, out=seen)


def lay_over(
    frame_HW3: npt.NDArray[np.uint8], weights_NHW: Cover, rgb_N3: Pixels
) -> npt.NDArray[np.int32]:
    """Paints weighted layers over a piece of the frame in place.

    Returns:
        how much of each pixel they cover together, 0 to `FULL`, shape (H, W).
    """
    count, height, width = weights_NHW.shape
    flat = weights_NHW.reshape(count, -1)
    # Whole numbers below 2**24: exact in float32, in whatever order a BLAS adds them.
    colour = (rgb_N3.T @ flat).astype(np.int32)
    total = (np.ones((1, count), dtype=np.float32) @ flat)[0].astype(np.int32)
    total = np.minimum(total, FULL)
    mixed = frame_HW3.reshape(height * width, 3).T * (FULL - total) + colour + FULL // 2
    np.right_shift(mixed, 12, out=mixed)
    np.minimum(mixed, 255, out=mixed)
    frame_HW3[...] = mixed.T.reshape(height, width, 3)
    return np.asarray(total.reshape(height, width))


def darken(frame_HW3: npt.NDArray[np.uint8], cover_HW: Cover, strength: float) -> None:
    """Casts a shadow on a piece of the frame in place; `strength` 1 would be black."""
    light = 256 - np.rint(cover_HW * np.float32(256 * strength)).astype(np.uint16)
    frame_HW3[...] = (frame_HW3 * light[:, :, None]) >> 8
