"""How the ground and those on it become pixels: a still camera that looks down on flat ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate.config import SceneConfig, stream

Array = npt.NDArray[np.float64]

TALLEST = 1.86  # metres, of people
SHORTEST = 1.62
CAMERA_STREAM = 1


@dataclass(frozen=True)
class View:
    """The part of a scene to draw, and how finely.

    The world has no resolution of its own: the same scene drawn at another scale shows the same
    moment with more or fewer pixels, which makes true pairs of low and high resolution.

    Attributes:
        x: left edge in pixels of the scene.
        y: top edge in pixels of the scene.
        width: in pixels drawn.
        height: in pixels drawn.
        scale: pixels drawn for one pixel of the scene.
    """

    x: float
    y: float
    width: int
    height: int
    scale: float = 1.0

    def boxes(self, boxes_N4: Array) -> Array:
        """Boxes in pixels of the scene, as pixels of this view."""
        moved = boxes_N4 - np.array([self.x, self.y, self.x, self.y])
        return np.asarray(moved * self.scale)


def whole(config: SceneConfig, scale: float = 1.0) -> View:
    """The view of the whole frame, `scale` times as large."""
    return View(0.0, 0.0, round(config.width * scale), round(config.height * scale), scale)


@dataclass(frozen=True)
class Camera:
    """A camera with a shifted lens: verticals stay vertical, and size falls with depth.

    The world is in metres: X to the right, Y up from the ground, Z away from the camera.

    Attributes:
        focal: pixels a metre at one metre of depth.
        centre: the column that X = 0 is seen in.
        horizon: the row that infinite depth is seen in; it may lie outside the frame.
        above: height of the camera over the ground in metres.
        near: depth at which people are as tall as they may be.
        far: depth at which they are as small as they may be.
        width: of the frame in pixels.
    """

    focal: float
    centre: float
    horizon: float
    above: float
    near: float
    far: float
    width: int

    def project(self, points_N3: Array) -> tuple[Array, Array]:
        """World points of shape (..., 3) as pixels (..., 2), and pixels a metre there (...)."""
        size = self.focal / points_N3[..., 2]
        x = self.centre + points_N3[..., 0] * size
        y = self.horizon + (self.above - points_N3[..., 1]) * size
        return np.stack((x, y), axis=-1), size

    def reach(self, depth: Array | float, margin: float = 0.0) -> Array:
        """How far to either side X is seen at a depth, less `margin` in pixels."""
        return np.asarray(depth) * ((self.width / 2 - margin) / self.focal)


def camera_of(config: SceneConfig) -> Camera:
    """The camera that shows people exactly as small and as tall as the configuration says."""
    low, high = config.actor_height
    near_size, far_size = high / TALLEST, low / SHORTEST
    top = max(0.36 * config.height, 1.4 * low)
    bottom = max(0.94 * config.height, 1.05 * high)
    # Feet are seen at horizon + above * size: two rows and two sizes give both.
    above = (bottom - top) / (near_size - far_size)
    steepness = float(stream(config.seed, CAMERA_STREAM).uniform(0.38, 0.6))
    middle = above / steepness
    focal = (near_size + far_size) / 2 * middle
    return Camera(
        focal=focal,
        centre=config.width / 2,
        horizon=top - above * far_size,
        above=above,
        near=focal / near_size,
        far=focal / far_size,
        width=config.width,
    )
