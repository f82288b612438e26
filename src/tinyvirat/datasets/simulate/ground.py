"""The still background: asphalt, paving, grass, painted lines, a wall; drawn once for a view.

Everything is a function of metres on the ground, so that any view shows the same place. Only the
arithmetic that every platform rounds alike is used, as in `raster`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate.camera import Array, Camera, View
from tinyvirat.datasets.simulate.config import SceneConfig, stream

GROUND_STREAM, TEXTURE_STREAM = 2, 3
SAMPLES = 2  # across and down in a pixel
LATTICE = 256  # the noise repeats after so many cells
ROWS = 64  # drawn at once, to bound memory

Colours = npt.NDArray[np.float32]
Rgb = tuple[float, float, float]

ASPHALT = (92.0, 92.0, 95.0)
PAVING = (150.0, 146.0, 138.0)
GRASS = (88.0, 108.0, 62.0)
PAINT = (206.0, 204.0, 192.0)
BRICK = (142.0, 112.0, 96.0)
PLASTER = (176.0, 170.0, 158.0)
PANE = (74.0, 86.0, 98.0)


@dataclass(frozen=True)
class Band:
    """A strip of ground from side to side.

    Attributes:
        until: the depth it reaches to in metres.
        rgb: its colour, 0 to 255.
        grain: how strong its texture is, 0 to 1.
        slabs: side of its paving slabs in metres; 0 without.
    """

    until: float
    rgb: Rgb
    grain: float
    slabs: float = 0.0


@dataclass(frozen=True)
class Layout:
    """What the ground is made of.

    Attributes:
        bands: from the camera outwards; the last one has no end.
        lines: depths of painted lines along X, with the length of dashes in metres (0: unbroken).
        bays: nearest and farthest depth and width of parking bays, in metres; None without.
    """

    bands: tuple[Band, ...]
    lines: tuple[tuple[float, float], ...] = ()
    bays: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Place:
    """What the ground and the light of a scene are like.

    Attributes:
        seed: of the textures.
        layout: what the ground is made of.
        wall: depth of a wall behind everything, and its colour.
        light: brightness of the left and the right edge of the frame, 1 being usual.
        tint: what red, green and blue are multiplied by.
        sun: where a metre of height casts its shadow, in metres along X and Z.
        shade: how dark shadows are, 0 to 1.
    """

    seed: int
    layout: Layout
    wall: tuple[float, Rgb]
    light: tuple[float, float]
    tint: tuple[float, float, float]
    sun: tuple[float, float]
    shade: float


def place_of(config: SceneConfig, camera: Camera) -> Place:
    """Draws a street, a car park or (where nobody drives) a square, and its weather."""
    rng = stream(config.seed, GROUND_STREAM)
    kind = int(rng.integers(2 if config.drives else 3))
    grey = float(rng.uniform(0.75, 1.15))
    road = (ASPHALT[0] * grey, ASPHALT[1] * grey, ASPHALT[2] * grey)
    layout = (_street, _car_park, _square)[kind](rng, config, camera, road)
    angle = float(rng.uniform(0.15, 0.85) * np.pi * rng.choice((-1, 1)))
    length = float(rng.uniform(0.35, 1.0))
    warm = float(rng.uniform(-0.06, 0.06))
    return Place(
        seed=config.seed,
        layout=layout,
        wall=(camera.far * float(rng.uniform(1.25, 1.5)) + 3, BRICK if kind else PLASTER),
        light=(float(rng.uniform(0.75, 1.1)), float(rng.uniform(0.75, 1.1))),
        tint=(1 + warm, 1.0, 1 - warm),
        sun=(length * float(np.cos(angle)), length * float(np.sin(angle)) * 0.6),
        shade=float(rng.uniform(0.15, 0.45)),
    )


def _street(rng: np.random.Generator, config: SceneConfig, camera: Camera, road: Rgb) -> Layout:
    near, depth = camera.near, camera.far - camera.near
    low = near + depth * (0.08 if config.drives else 0.22)
    high = near + depth * float(rng.uniform(0.8, 1.0) if config.drives else rng.uniform(0.5, 0.68))
    bands = (
        Band(low, PAVING, 0.5, 0.6),
        Band(high, road, 0.8),
        Band(high + 1.6, PAVING, 0.5, 0.6),
        Band(np.inf, GRASS, 1.6),
    )
    return Layout(bands, (((low + high) / 2, 2.0), (low + 0.25, 0.0), (high - 0.25, 0.0)))


def _car_park(rng: np.random.Generator, config: SceneConfig, camera: Camera, road: Rgb) -> Layout:
    near, depth = camera.near, camera.far - camera.near
    back = near + depth * float(rng.uniform(0.75, 1.0))
    bands = (Band(back + 5.0, road, 0.8), Band(np.inf, GRASS, 1.6))
    bays = (back, back + 4.6, float(rng.uniform(2.4, 2.8)))
    return Layout(bands, ((back + 4.6, 0.0), (near + depth * 0.35, 3.0)), bays)


def _square(rng: np.random.Generator, config: SceneConfig, camera: Camera, road: Rgb) -> Layout:
    lawn = camera.near + (camera.far - camera.near) * float(rng.uniform(0.7, 1.0))
    slabs = Band(lawn, PAVING, 0.6, float(rng.uniform(0.5, 1.2)))
    return Layout((slabs, Band(np.inf, GRASS, 1.6)))


def brightness(place: Place, x: Array, width: int) -> Array:
    """How bright the light is at columns of the scene."""
    left, right = place.light
    return left + (right - left) * (np.clip(x, -width, 2 * width) / width)


def background(place: Place, camera: Camera, view: View) -> npt.NDArray[np.uint8]:
    """Draws the background of a view.

    Returns:
        uint8 RGB of shape (height, width, 3).
    """
    table = stream(place.seed, TEXTURE_STREAM).integers(0, 256, (LATTICE, LATTICE), dtype=np.uint8)
    pieces = [
        _rows(place, camera, view, first, min(first + ROWS, view.height), table.astype(np.float32))
        for first in range(0, view.height, ROWS)
    ]
    return np.concatenate(pieces)


def _rows(
    place: Place, camera: Camera, view: View, first: int, stop: int, table: Colours
) -> npt.NDArray[np.uint8]:
    """Rows `[first, stop)` of the background."""
    fine = 1 / (SAMPLES * view.scale)
    ys = np.float64(view.y) + (np.arange(first * SAMPLES, stop * SAMPLES) + 0.5) * fine
    xs = np.float64(view.x) + (np.arange(view.width * SAMPLES) + 0.5) * fine
    wall, brick = place.wall
    size = np.maximum(ys - camera.horizon, 1e-9) / camera.above
    depth = np.minimum(camera.focal / size, wall)
    metres = depth / camera.focal
    x = (xs[None, :] - camera.centre) * metres[:, None]
    # Below the foot of the wall is ground; the wall itself has one depth and a height instead.
    foot = camera.horizon + camera.above * camera.focal / wall
    on_wall = ys < foot
    up: Array = (foot - ys) * wall / camera.focal
    colour = np.empty((len(ys), len(xs), 3), dtype=np.float32)
    footprint = metres * fine * SAMPLES * 2
    if on_wall.any():
        colour[on_wall] = _wall(x[on_wall], up[on_wall], brick, footprint[on_wall], table)
    if not on_wall.all():
        z = np.broadcast_to(depth[~on_wall, None], x[~on_wall].shape)
        colour[~on_wall] = _floor(place, x[~on_wall], z, footprint[~on_wall], table)
    light = brightness(place, xs, camera.width)[None, :, None] * np.array(place.tint)
    colour *= light.astype(np.float32)
    return _averaged(colour)


def _averaged(colour_HW3: Colours) -> npt.NDArray[np.uint8]:
    """The mean of every pixel's samples, in whole numbers."""
    whole = np.clip(np.rint(colour_HW3 * 16), 0, 255 * 16).astype(np.int32)
    height, width, _ = whole.shape
    cells = whole.reshape(height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES, 3)
    count = SAMPLES * SAMPLES * 16
    means = (cells.sum(axis=(1, 3)) + count // 2) // count
    return np.asarray(means, dtype=np.uint8)


def _noise(x: Array, y: Array, cell: float, footprint: Array, table: Colours) -> Colours:
    """Smooth noise within +-1 with features of `cell` metres; fades where too fine to see."""
    fx, fy = (x / cell).astype(np.float32), (y / cell).astype(np.float32)
    left, low = np.floor(fx), np.floor(fy)
    fx, fy = fx - left, fy - low
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    i, j = left.astype(np.int64) % LATTICE, low.astype(np.int64) % LATTICE
    i1, j1 = (i + 1) % LATTICE, (j + 1) % LATTICE
    below = table[j, i] * (1 - fx) + table[j, i1] * fx
    above = table[j1, i] * (1 - fx) + table[j1, i1] * fx
    seen = np.clip(2 * cell / footprint - 1, 0, 1).astype(np.float32)
    value = (below * (1 - fy) + above * fy) * np.float32(1 / 127.5) - 1
    return np.asarray(value * seen[:, None], dtype=np.float32)


def _grain(x: Array, y: Array, footprint: Array, table: Colours) -> Colours:
    """Texture of several sizes, from patches of metres to grit."""
    total = 8 * _noise(x, y, 3.1, footprint, table)
    total += 7 * _noise(x + 40.5, y + 9.2, 0.7, footprint, table)
    total += 8 * _noise(x + 7.3, y + 77.1, 0.16, footprint, table)
    total += 8 * _noise(x + 19.9, y + 31.7, 0.04, footprint, table)
    return total


def _floor(place: Place, x: Array, z: Array, footprint: Array, table: Colours) -> Colours:
    """Colours of ground at X and Z in metres."""
    depth = z[:, 0]
    which = np.searchsorted([band.until for band in place.layout.bands[:-1]], depth)
    rgb = np.array([band.rgb for band in place.layout.bands], dtype=np.float32)[which]
    strength = np.array([band.grain for band in place.layout.bands], dtype=np.float32)[which]
    slabs = np.array([band.slabs for band in place.layout.bands])[which]
    change = _grain(x, z, footprint, table) * strength[:, None]
    for side in sorted({band.slabs for band in place.layout.bands} - {0.0}):
        rows = slabs == side
        change[rows] += _slabs(x[rows], z[rows], side, footprint[rows], table)
    colour = rgb[:, None, :] + change[..., None]
    painted = _painted(place, x, z)
    worn = np.float32(0.85) + change * np.float32(0.01)
    cover = np.where(painted, np.clip(worn, 0.3, 1), 0).astype(np.float32)[..., None]
    return np.asarray(colour + (np.array(PAINT, dtype=np.float32) - colour) * cover)


def _slabs(x: Array, z: Array, side: float, footprint: Array, table: Colours) -> Colours:
    """Paving: every slab of its own shade, with dark joints."""
    i, j = np.floor(x / side), np.floor(z / side)
    shade = table[j.astype(np.int64) % LATTICE, i.astype(np.int64) % LATTICE] / 255 - 0.5
    joint = np.minimum(x - i * side, z - j * side) < 0.02
    seen = np.clip(side / footprint - 0.5, 0, 1)[:, None]
    return ((shade * 14 - joint * 26.0) * seen).astype(np.float32)


def _painted(place: Place, x: Array, z: Array) -> npt.NDArray[np.bool_]:
    """Where the ground is painted: lines along X, and the sides of parking bays."""
    painted = np.zeros(x.shape, dtype=bool)
    for depth, dash in place.layout.lines:
        line = np.abs(z - depth) < 0.07
        if dash:
            line &= (x / (2 * dash) - np.floor(x / (2 * dash))) < 0.5
        painted |= line
    if place.layout.bays is not None:
        near, far, width = place.layout.bays
        side = np.abs(x - np.rint(x / width) * width) < 0.06
        painted |= side & (z > near) & (z < far)
    return painted


def _wall(x: Array, up: Array, rgb: Rgb, footprint: Array, table: Colours) -> Colours:
    """A wall with a plinth and rows of windows, at X and heights in metres."""
    high = np.broadcast_to(up[:, None], x.shape)
    change = _grain(x, high, footprint, table) * np.float32(0.6)
    colour = np.array(rgb, dtype=np.float32) + change[..., None]
    colour = np.where((high < 0.5)[..., None], colour * np.float32(0.7), colour)
    across, storey = x / 3.2 - np.floor(x / 3.2), high / 3.0 - np.floor(high / 3.0)
    pane = (np.abs(across - 0.5) < 0.22) & (np.abs(storey - 0.6) < 0.24)
    frame = (np.abs(across - 0.5) < 0.25) & (np.abs(storey - 0.6) < 0.275) & ~pane
    colour = np.where(pane[..., None], np.array(PANE, dtype=np.float32) + change[..., None], colour)
    return np.where(frame[..., None], colour * np.float32(1.2), colour).astype(np.float32)
