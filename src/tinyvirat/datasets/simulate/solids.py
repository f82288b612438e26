"""Boxes and wheels that travel with an actor: parcels, carts and the bodies of vehicles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyvirat.datasets.simulate.camera import Array
from tinyvirat.datasets.simulate.shapes import Shapes

WHEEL_CORNERS = 10
TOP_LIGHT = 1.08
SIDE_LIGHT = 0.74
SUN_LIGHT = 0.2


@dataclass(frozen=True, eq=False)
class Pose:
    """Where something stands and which way it looks, over T frames.

    Attributes:
        place_T2: X and Z in metres.
        heading_T: radians from +X towards +Z: to the left as seen from above.
        sun: where the light comes from along X and Z, of length 1.
    """

    place_T2: Array
    heading_T: Array
    sun: tuple[float, float]

    def world(self, local_TN3: Array) -> Array:
        """Points (T or 1, ..., 3) given as forward, left, up in metres, in the world's X, Y, Z."""
        extra = (1,) * (local_TN3.ndim - 2)
        cos = np.cos(self.heading_T).reshape(-1, *extra)
        sin = np.sin(self.heading_T).reshape(-1, *extra)
        x0 = self.place_T2[:, 0].reshape(-1, *extra)
        z0 = self.place_T2[:, 1].reshape(-1, *extra)
        forward, left, up = local_TN3[..., 0], local_TN3[..., 1], local_TN3[..., 2]
        x = x0 + forward * cos - left * sin
        z = z0 + forward * sin + left * cos
        return np.stack((x, np.broadcast_to(up, x.shape), z), axis=-1)

    def light(self, turned: float) -> Array:
        """How bright a wall is over T that faces `turned` radians to the left of the heading."""
        angle = self.heading_T + turned
        return SIDE_LIGHT + SUN_LIGHT * (np.cos(angle) * self.sun[0] + np.sin(angle) * self.sun[1])


@dataclass(frozen=True)
class Block:
    """A solid with a level rectangle below and one above, in metres forward, left and up.

    Attributes:
        below: back, front, right, left of the lower rectangle.
        above: the same of the upper one.
        low, high: their heights.
    """

    below: tuple[float, float, float, float]
    above: tuple[float, float, float, float]
    low: float
    high: float

    def corners_83(self) -> Array:
        """The lower four corners, then the upper four, each left about as seen from above."""
        rows = []
        for (back, front, right, left), up in ((self.below, self.low), (self.above, self.high)):
            rows += [(back, right, up), (front, right, up), (front, left, up), (back, left, up)]
        return np.array(rows)

    def faces_543(self) -> Array:
        """Right, front, left and back walls, then the top; corners turn left seen from outside."""
        corners = self.corners_83()
        walls = [
            [corners[i], corners[(i + 1) % 4], corners[4 + (i + 1) % 4], corners[4 + i]]
            for i in range(4)
        ]
        return np.array([*walls, list(corners[4:])])


def box(length: float, width: float, low: float, high: float, forward: float = 0.0) -> Block:
    """A plain box, `forward` metres ahead of the place it travels with."""
    sides = (forward - length / 2, forward + length / 2, -width / 2, width / 2)
    return Block(sides, sides, low, high)


def wall_lights(pose: Pose) -> Array:
    """How bright the five faces of a block are, shape (T, 5)."""
    walls = [pose.light(turned) for turned in (-np.pi / 2, 0.0, np.pi / 2, np.pi)]
    return np.stack([*walls, np.full_like(walls[0], TOP_LIGHT)], axis=1)


def solid(pose: Pose, block: Block, rgb: Array, shift_T3: Array | None = None) -> Shapes:
    """A block of one colour, painted as a whole by the depth of its middle.

    Args:
        pose: where it stands.
        block: its form.
        rgb: its colour, 0 to 255.
        shift_T3: moves it forward, left and up in metres.
    """
    local = np.repeat(block.faces_543()[None], len(pose.heading_T), axis=0)
    if shift_T3 is not None:
        local = local + shift_T3[:, None, None]
    faces = pose.world(local)
    depth = faces[..., 2].reshape(len(faces), -1)
    middle = (depth.min(axis=1) + depth.max(axis=1)) / 2
    return _only_faces(faces, wall_lights(pose)[..., None] * rgb, middle)


def patches(pose: Pose, local_TPK3: Array, rgb_TP3: Array, depth_T: Array) -> Shapes:
    """Flat pieces on a solid (windows, lamps, tape), painted at the given depth.

    Args:
        pose: where the solid stands.
        local_TPK3: corners as forward, left, up in metres; the first axis may be 1.
        rgb_TP3: colours, 0 to 255; the first axis may be 1.
        depth_T: when to paint them.
    """
    frames = len(pose.heading_T)
    local = np.broadcast_to(local_TPK3, (frames, *local_TPK3.shape[1:]))
    return _only_faces(pose.world(local), rgb_TP3, depth_T)


def wheels(
    pose: Pose, centres_P2: Array, radius: float, rgb: Array, raised: float, depth_T: Array
) -> Shapes:
    """Round plates seen from the outer side of a vehicle.

    Args:
        pose: where the vehicle stands.
        centres_P2: forward and left of each middle in metres.
        radius: in metres.
        rgb: colour, 0 to 255.
        raised: how far the lowest point is off the ground.
        depth_T: when to paint them.
    """
    turn = np.arange(WHEEL_CORNERS) * (2 * np.pi / WHEEL_CORNERS)
    local = np.empty((1, len(centres_P2), WHEEL_CORNERS, 3))
    side = np.sign(centres_P2[:, 1])[:, None]
    local[..., 0] = centres_P2[:, :1] - side * radius * np.cos(turn)
    local[..., 1] = centres_P2[:, 1:]
    local[..., 2] = raised + radius + radius * np.sin(turn)
    return patches(pose, local, np.broadcast_to(rgb, (1, len(centres_P2), 3)), depth_T)


def _only_faces(faces_TPK3: Array, rgb_TP3: Array, depth_T: Array) -> Shapes:
    frames, count = faces_TPK3.shape[:2]
    return Shapes(
        ends_TC23=np.zeros((frames, 0, 2, 3)),
        radii_C2=np.zeros((0, 2)),
        faces=(faces_TPK3,),
        rgb_TN3=np.broadcast_to(rgb_TP3, (frames, count, 3)),
        depth_TN=np.broadcast_to(depth_T[:, None], (frames, count)),
    )
