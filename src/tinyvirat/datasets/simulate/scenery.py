"""Posts and bushes that stand among the actors and hide them for a while."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyvirat.datasets.simulate.camera import Array, Camera
from tinyvirat.datasets.simulate.config import SceneConfig, stream
from tinyvirat.datasets.simulate.plan import Area
from tinyvirat.datasets.simulate.shapes import Shapes

SCENERY_STREAM = 9
LEAVES = 14
POST = np.array([96.0, 98.0, 102.0])
LEAF = np.array([58.0, 84.0, 44.0])


@dataclass(frozen=True, eq=False)
class Fixture:
    """Something that stands still, is nobody's track, and belongs to the background.

    Attributes:
        x: of its foot in metres.
        depth: Z of its foot in metres.
        ends_C23: both ends of its limbs in metres.
        radii_C2: their thickness.
        rgb_C3: their colours, 0 to 255.
    """

    x: float
    depth: float
    ends_C23: Array
    radii_C2: Array
    rgb_C3: Array

    def shapes(self, frames: int) -> Shapes:
        """The fixture over any number of frames."""
        return Shapes(
            ends_TC23=np.repeat(self.ends_C23[None], frames, axis=0),
            radii_C2=self.radii_C2,
            faces=(),
            rgb_TN3=self.rgb_C3[None],
            depth_TN=self.ends_C23[None, :, 0, 2],
        )


def fixtures_of(config: SceneConfig, camera: Camera) -> tuple[Fixture, ...]:
    """The posts and bushes of a scene."""
    area = Area(camera)
    fixtures = []
    for number in range(config.occluders):
        rng = stream(config.seed, SCENERY_STREAM, number)
        x, z = (float(value) for value in area.anywhere(rng))
        fixtures.append(_post(rng, x, z) if rng.uniform() < 0.5 else _bush(rng, x, z))
    return tuple(fixtures)


def _post(rng: np.random.Generator, x: float, z: float) -> Fixture:
    height = float(rng.uniform(2.6, 4.5))
    arm = float(rng.choice((-1, 1)) * rng.uniform(0.5, 0.9))
    top = (x, height, z)
    ends = np.array([[(x, 0, z), top], [top, (x + arm, height + 0.05, z)]])
    return Fixture(x, z, ends, np.array([[0.08, 0.06], [0.05, 0.09]]), np.stack((POST, POST * 0.9)))


def _bush(rng: np.random.Generator, x: float, z: float) -> Fixture:
    where = rng.uniform(-1, 1, (LEAVES, 3)) * np.array([0.55, 0.4, 0.4])
    middles = where + np.array([x, 0.5, z])
    radii = rng.uniform(0.16, 0.34, LEAVES)
    rgb = LEAF * rng.uniform(0.75, 1.2, (LEAVES, 1))
    return Fixture(
        x, z, np.stack((middles, middles), axis=1), np.stack((radii, radii), axis=1), rgb
    )
