"""Cars, vans and pick-ups: painted boxes on wheels with windows and lamps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate.camera import Array
from tinyvirat.datasets.simulate.plan import Motion
from tinyvirat.datasets.simulate.shapes import Shapes, joined
from tinyvirat.datasets.simulate.solids import Block, Pose, box, patches, solid, wheels

Colour = tuple[float, float, float]
GLASS = np.array([46.0, 54.0, 62.0])
TYRE = np.array([26.0, 26.0, 28.0])
HUB = np.array([120.0, 122.0, 126.0])
LAMP = np.array([238.0, 236.0, 214.0])
REAR_LAMP = np.array([120.0, 22.0, 22.0])
BRAKE_LAMP = np.array([255.0, 60.0, 40.0])
TYRE_RADIUS = 0.33


@dataclass(frozen=True)
class Build:
    """Form of a vehicle in metres, forward from its middle.

    Attributes:
        length: of the body.
        width: of the body.
        low: underside of the body.
        waist: height where the windows begin.
        roof: height of the roof.
        cabin: back and front of the cabin at the waist, then at the roof.
    """

    length: float
    width: float
    low: float
    waist: float
    roof: float
    cabin: tuple[float, float, float, float]


BUILDS: Mapping[str, Build] = MappingProxyType(
    {
        "saloon": Build(4.4, 1.78, 0.24, 0.86, 1.44, (-1.75, 1.05, -1.05, 0.3)),
        "hatchback": Build(3.9, 1.72, 0.24, 0.88, 1.48, (-1.9, 0.95, -1.6, 0.25)),
        "van": Build(4.9, 1.95, 0.28, 1.05, 2.05, (-2.42, 1.95, -2.38, 1.2)),
        "pickup": Build(5.1, 1.88, 0.32, 0.95, 1.68, (-0.5, 1.3, -0.35, 0.65)),
    }
)


@dataclass(frozen=True, eq=False)
class Vehicle:
    """One vehicle of a scene.

    Attributes:
        id: number of the track.
        motion: where it goes, and how.
        build: its form.
        paint: its colour, 0 to 255.
    """

    id: int
    motion: Motion
    build: Build
    paint: Colour
    type = "vehicle"

    def shapes(self, start: int, stop: int, fps: float, sun: tuple[float, float]) -> Shapes:
        """The vehicle in the frames `[start, stop)`; `fps` is not needed."""
        span = slice(start, stop)
        pose = Pose(self.motion.place_T2[span], self.motion.heading_T[span], sun)
        build, paint = self.build, np.array(self.paint)
        turns = 5 * np.ones(stop - start)  # painted from 5, the body, to 1, the windows
        body = box(build.length, build.width, build.low, build.waist)
        parts = [
            _at(solid(pose, body, paint), turns),
            _at(solid(pose, self._cabin(), paint), turns - 1),
            self._wheels(pose, turns - 2),
            self._lamps(pose, self.motion.braking_T[span], turns - 3),
            self._windows(pose, turns - 4),
        ]
        return joined(parts)

    def _cabin(self) -> Block:
        build = self.build
        back, front, roof_back, roof_front = build.cabin
        half, narrow = build.width / 2 - 0.02, build.width / 2 - 0.2
        below = (back, front, -half, half)
        above = (roof_back, roof_front, -narrow, narrow)
        return Block(below, above, build.waist, build.roof)

    def _windows(self, pose: Pose, depth_T: Array) -> Shapes:
        """Glass on the four walls of the cabin, inset from its edges."""
        walls = self._cabin().faces_543()[:4]
        middle = walls.mean(axis=1, keepdims=True)
        low, high = walls[:, :2], walls[:, 2:][:, ::-1]
        inset = np.concatenate(
            (low + (high - low) * 0.12, (low + (high - low) * 0.86)[:, ::-1]), axis=1
        )
        inset = middle + (inset - middle) * np.array([0.9, 0.9, 1.0])
        glass = np.array([GLASS, GLASS * 1.25, GLASS, GLASS * 1.1])
        # A little outside the wall, so that it is shown exactly when the wall is.
        return patches(pose, inset[None], glass[None], depth_T)

    def _wheels(self, pose: Pose, depth_T: Array) -> Shapes:
        build = self.build
        along, side = build.length * 0.31, build.width / 2 + 0.01
        centres = np.array([(along, side), (-along, side), (along, -side), (-along, -side)])
        tyres = wheels(pose, centres, TYRE_RADIUS, TYRE, 0.0, depth_T)
        lift = TYRE_RADIUS * 0.45
        hubs = wheels(pose, centres, TYRE_RADIUS * 0.55, HUB, lift, depth_T)
        return joined([tyres, hubs])

    def _lamps(self, pose: Pose, braking_T: npt.NDArray[np.bool_], depth_T: Array) -> Shapes:
        build = self.build
        front, edge = build.length / 2 + 0.005, build.width / 2 - 0.05
        low, high, inner = build.waist - 0.26, build.waist - 0.08, edge - 0.42
        lamps = []
        for sign in (1.0, -1.0):
            x = sign * front
            for left, right in ((edge, inner), (-inner, -edge)):
                first, second = (right, left) if sign > 0 else (left, right)
                lamps.append(
                    [(x, first, low), (x, second, low), (x, second, high), (x, first, high)]
                )
        rear = np.where(braking_T[:, None], BRAKE_LAMP, REAR_LAMP)
        ahead = np.broadcast_to(LAMP, rear.shape)
        rgb = np.stack((ahead, ahead, rear, rear), axis=1)
        return patches(pose, np.array(lamps)[None], rgb, depth_T)


def _at(shapes: Shapes, depth_T: Array) -> Shapes:
    """The same faces, painted at the given turn."""
    turn = np.broadcast_to(depth_T[:, None], shapes.depth_TN.shape)
    return Shapes(shapes.ends_TC23, shapes.radii_C2, shapes.faces, shapes.rgb_TN3, turn)
