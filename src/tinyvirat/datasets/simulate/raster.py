"""Antialiased drawing with numpy: how much of each pixel a shape covers, and layers over layers.

Only sums, products, quotients and square roots are used, all of which IEEE 754 rounds the same way
everywhere, and colours are summed as whole numbers: the same shapes give the same bytes on every
platform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
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


@dataclass(frozen=True, eq=False)
class Faces:
    """Convex polygons ready to be drawn; the leading axes are free, K edges each.

    Attributes:
        lines_K3: of each edge the outward normal and the offset: `x nx + y ny + c` is how far a
            point lies outside.
        boxes_4: what encloses each polygon, `x1, y1, x2, y2`.
        most: the most of a pixel that a sliver can cover when edges are spread over one pixel.
        area: positive where the corners turn left to the eye: a face shows its front.
    """

    lines_K3: Pixels
    boxes_4: Pixels
    most: Pixels
    area: Pixels

    def at(self, frame: int, which_P: npt.NDArray[np.int64]) -> Faces:
        """Some faces of one frame, where the leading axes are frames and faces."""
        lines, boxes = self.lines_K3[frame, which_P], self.boxes_4[frame, which_P]
        return Faces(lines, boxes, self.most[frame, which_P], self.area[frame, which_P])


def faces_of(corners_K2: Pixels) -> Faces:
    """Prepares convex polygons (..., K, 2) with y down whose corners turn left to the eye."""
    following = np.roll(corners_K2, -1, axis=-2)
    edges = following - corners_K2
    length = np.sqrt(edges[..., 0] * edges[..., 0] + edges[..., 1] * edges[..., 1])
    real = length > 1e-6
    safe = np.where(real, length, np.float32(1))
    nx, ny = -edges[..., 1] / safe, edges[..., 0] / safe
    offset = -(nx * corners_K2[..., 0] + ny * corners_K2[..., 1])
    offset = np.where(real, offset, np.float32(-1e6))  # a corner given twice bounds nothing
    turns = following[..., 0] * corners_K2[..., 1] - corners_K2[..., 0] * following[..., 1]
    # Summed edge by edge, in the same order on every platform.
    area = np.asarray(np.cumsum(turns, axis=-1)[..., -1] / 2, dtype=np.float32)
    longest = np.maximum(length.max(axis=-1), np.float32(1e-3))
    boxes = np.concatenate((corners_K2.min(axis=-2), corners_K2.max(axis=-2)), axis=-1)
    return Faces(np.stack((nx, ny, offset), axis=-1), boxes, area / longest, area)


def faces_cover(faces: Faces, xs_W: Pixels, ys_H: Pixels, soft: float) -> Cover:
    """How much of each pixel every one of P faces covers, 0 to 1.

    Args:
        faces: with one leading axis.
        xs_W, ys_H, soft: as for `limbs_cover`.

    Returns:
        float32 of shape (P, H, W).
    """
    lines, boxes = faces.lines_K3, faces.boxes_4
    across = lines[..., :1] * xs_W + lines[..., 2:]
    upright = (lines[..., 1:2] * ys_H)[..., None]
    # The edges of a sliver meet far away: its bounds end it.
    side = np.maximum(boxes[:, :1] - xs_W, xs_W - boxes[:, 2:3])
    end = np.maximum(boxes[:, 1:2] - ys_H, ys_H - boxes[:, 3:])
    worst = np.maximum(side[:, None, :], end[:, :, None])
    outside = np.empty_like(worst)
    for edge in range(lines.shape[1]):
        np.add(across[:, edge, None], upright[:, edge], out=outside)
        np.maximum(worst, outside, out=worst)
    worst *= np.float32(-1 / soft)
    worst += np.float32(0.5)
    most = np.minimum(faces.most / np.float32(soft), np.float32(1))
    np.clip(worst, 0, most[:, None, None], out=worst)
    return np.asarray(worst)


def hull(points_N2: Pixels) -> Pixels:
    """The convex hull, its corners running as `faces_of` wants them."""
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
