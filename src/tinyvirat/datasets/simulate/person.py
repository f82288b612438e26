"""A person as an articulated figure, with what he carries, pushes or pulls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyvirat.datasets.simulate import gait
from tinyvirat.datasets.simulate.camera import Array
from tinyvirat.datasets.simulate.gait import Angles, Habit
from tinyvirat.datasets.simulate.plan import Motion
from tinyvirat.datasets.simulate.shapes import Shapes, joined
from tinyvirat.datasets.simulate.solids import Pose, box, patches, solid

# Lengths in heights of the body.
THIGH, SHIN, ANKLE = 0.245, 0.235, 0.045
TRUNK, NECK, HEAD = 0.285, 0.06, 0.07
UPPER_ARM, FOREARM, HAND = 0.17, 0.15, 0.045
SHOULDER, HIP = 0.105, 0.052
FOOT = 0.13
CART = (0.9, 0.58, 0.72)  # metres long, wide and high
STEEL = (150.0, 152.0, 156.0)
RUBBER = (40.0, 40.0, 42.0)
LEG = THIGH + SHIN

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """What a person looks like; colours are 0 to 255."""

    height: float
    width: float
    skin: Colour
    hair: Colour
    top: Colour
    sleeves: Colour
    trousers: Colour
    shoes: Colour
    prop: Colour
    hat: bool


@dataclass(frozen=True, eq=False)
class Person:
    """One person of a scene.

    Attributes:
        id: number of the track.
        motion: where he goes, and how.
        look: what he looks like.
        habit: how he moves.
        prop: `parcel`, `pushed` or `pulled`; None without.
    """

    id: int
    motion: Motion
    look: Look
    habit: Habit
    prop: str | None = None
    type = "person"

    def shapes(self, start: int, stop: int, fps: float, sun: tuple[float, float]) -> Shapes:
        """The figure in the frames `[start, stop)`, with what belongs to it."""
        span = slice(start, stop)
        motion = self.motion
        pose = Pose(motion.place_T2[span], motion.heading_T[span], sun)
        moves = self._angles(span, np.arange(start, stop) / fps)
        joints = _joints(moves, self.look)
        parts = [_body(joints, pose, self.look)]
        if self.prop == "parcel":
            parts.append(_parcel(joints, pose, self.look))
        elif self.prop is not None:
            parts.append(_cart(self.prop, joints, pose, self.look, self.habit))
        return joined(parts)

    def _angles(self, span: slice, time_T: Array) -> Angles:
        motion = self.motion
        parts = []
        for column, mode in enumerate(gait.MODES):
            weight = motion.modes_TM[span, column]
            if not weight.any():
                continue
            stride = gait.strides(mode) * LEG * self.look.height
            phase = 2 * np.pi * (motion.travelled_T[span] / stride + self.habit.phase)
            parts.append((weight, gait.angles(mode, phase, time_T, self.habit)))
        return gait.blend(parts)


def _reach(forward_T2: Array, out_T2: Array, length: float) -> Array:
    """The vector of an arm or leg (T, 2, 3) as forward, left, up; out is left for the left one."""
    side = np.array([1.0, -1.0])
    flat = np.cos(out_T2)
    return length * np.stack(
        (np.sin(forward_T2) * flat, side * np.sin(out_T2), -np.cos(forward_T2) * flat), axis=-1
    )


def _joints(moves: Angles, look: Look) -> dict[str, Array]:
    """Joints as forward, left, up in metres; (T, 2, 3) where there is a left and a right."""
    tall, side = look.height, np.array([1.0, -1.0])
    zero = np.zeros_like(moves.hip_T2)
    knee = _reach(moves.hip_T2, zero, THIGH * tall)
    ankle = knee + _reach(moves.hip_T2 - moves.knee_T2, zero, SHIN * tall)
    # The lower foot stands on the ground: the height of the hips follows from the legs.
    hips_up = (ANKLE + LEG * moves.lift_T) * tall - ankle[..., 2].min(axis=1)
    hips = np.stack((zero[:, 0], zero[:, 0], hips_up), axis=-1)
    hip = hips[:, None] + np.array([0.0, 1.0, 0.0]) * (side[:, None] * HIP * tall)
    upright = np.stack((np.sin(moves.lean_T), zero[:, 0], np.cos(moves.lean_T)), axis=-1)
    neck = hips + upright * TRUNK * tall
    across = np.stack((-np.sin(moves.twist_T), np.cos(moves.twist_T), zero[:, 0]), axis=-1)
    shoulder = neck[:, None] + across[:, None] * (side[:, None] * SHOULDER * look.width * tall)
    elbow = shoulder + _reach(moves.arm_T2 + moves.lean_T[:, None], moves.out_T2, UPPER_ARM * tall)
    fore = moves.fore_T2 + moves.lean_T[:, None]
    hand = elbow + _reach(fore, moves.fore_out_T2, FOREARM * tall)
    tip = hand + _reach(fore, moves.fore_out_T2, HAND * tall)
    tilt = moves.lean_T * 0.6 + moves.nod_T
    above = np.stack((np.sin(tilt), zero[:, 0], np.cos(tilt)), axis=-1)
    chin = neck + above * NECK * tall
    sole = moves.hip_T2 - moves.knee_T2
    toe = hip + ankle + _reach(np.pi / 2 + sole * 0.7 - 0.15, zero, FOOT * tall)
    return {
        "hips": hips, "hip": hip, "knee": hip + knee, "ankle": hip + ankle, "toe": toe,
        "neck": neck, "shoulder": shoulder, "elbow": elbow, "hand": hand, "tip": tip,
        "chin": chin, "crown": chin + above * HEAD * tall, "above": above,
    }  # fmt: skip


def _body(joints: dict[str, Array], pose: Pose, look: Look) -> Shapes:
    tall, wide = look.height, look.width
    limbs: list[tuple[Array, Array, float, float, Colour]] = []

    def limb(a: Array, b: Array, thick: float, thin: float, colour: Colour) -> None:
        limbs.append((a, b, thick * tall, thin * tall, colour))

    for side in (0, 1):
        j = {name: value[:, side] for name, value in joints.items() if value.ndim == 3}
        limb(j["hip"], j["knee"], 0.052 * wide, 0.037, look.trousers)
        limb(j["knee"], j["ankle"], 0.036, 0.025, look.trousers)
        limb(j["ankle"], j["toe"], 0.026, 0.018, look.shoes)
        limb(j["shoulder"], j["elbow"], 0.034 * wide, 0.026, look.top)
        limb(j["elbow"], j["hand"], 0.026, 0.019, look.sleeves)
        limb(j["hand"], j["tip"], 0.021, 0.017, look.skin)
        hem = j["hip"] + (j["shoulder"] - j["hip"]) * 0.12
        limb(j["shoulder"], hem, 0.042 * wide, 0.045 * wide, look.top)
    neck, chin, crown = joints["neck"], joints["chin"], joints["crown"]
    waist = joints["hips"] + (neck - joints["hips"]) * 0.2
    limb(joints["hip"][:, 0], joints["hip"][:, 1], 0.052 * wide, 0.052 * wide, look.trousers)
    limb(waist, neck - (neck - waist) * 0.12, 0.068 * wide, 0.066 * wide, look.top)
    limb(joints["shoulder"][:, 0], joints["shoulder"][:, 1], 0.036, 0.036, look.top)
    limb(neck, chin, 0.026, 0.026, look.skin)
    limb(chin, crown, 0.037, 0.045, look.skin)
    back = np.array([-0.018, 0.0, 0.012]) * tall
    limb(crown + back * np.array([1.2, 0.0, -1.5]), crown + back, 0.038, 0.044, look.hair)
    if look.hat:
        front = np.array([0.055, 0.0, 0.01]) * tall
        limb(crown + back * -0.2, crown + front, 0.03, 0.012, look.hair)
    ends = np.stack([np.stack((a, b), axis=1) for a, b, *_ in limbs], axis=1)
    world = pose.world(ends)
    return Shapes(
        ends_TC23=world,
        radii_C2=np.array([[thick, thin] for _, _, thick, thin, _ in limbs]),
        faces=(),
        rgb_TN3=_lit(np.array([colour for *_, colour in limbs]), pose, ends),
        depth_TN=(world[:, :, 0, 2] + world[:, :, 1, 2]) / 2,
    )


def _lit(rgb_C3: Array, pose: Pose, ends_TC23: Array) -> Array:
    """Limbs towards the sun are brighter: left and right legs can be told apart."""
    left = ends_TC23[..., 1].mean(axis=2)
    towards = pose.light(np.pi / 2) - pose.light(-np.pi / 2)
    light = 0.95 + np.clip(left * 4.5, -0.6, 0.6) * towards[:, None]
    return np.asarray(rgb_C3 * light[..., None])


def _parcel(joints: dict[str, Array], pose: Pose, look: Look) -> Shapes:
    """A box between the hands, with a strip of tape."""
    shift = joints["tip"].mean(axis=1) + np.array([0.06, 0.0, 0.0])
    rgb = np.array(look.prop)
    whole = solid(pose, box(0.30, 0.42, -0.08, 0.26), rgb, shift)
    front, wide = 0.152, 0.04
    tape = np.array(
        [
            [
                (front, -wide, -0.08),
                (front, wide, -0.08),
                (front, wide, 0.26),
                (front, -wide, 0.26),
            ],
            [
                (-0.15, -wide, 0.262),
                (front, -wide, 0.262),
                (front, wide, 0.262),
                (-0.15, wide, 0.262),
            ],
        ]
    )
    pale = np.broadcast_to(rgb * 0.5 + 100, (1, 2, 3))
    strip = patches(pose, tape + shift[:, None, None], pale, whole.depth_TN[:, 0])
    return joined([whole, strip])


def _cart(prop: str, joints: dict[str, Array], pose: Pose, look: Look, habit: Habit) -> Shapes:
    """A hand cart before the hands, or behind the hand that pulls it."""
    tip, rgb = joints["tip"], np.array(look.prop)
    if prop == "pushed":
        middle, grips = CART[0] / 2 + 0.12, [(tip[:, 0], 0.25), (tip[:, 1], -0.25)]
        grip = tip.mean(axis=1)
        shift = grip * np.array([1.0, 0.0, 0.0]) + np.array([middle, 0.0, 0.0])
        edge = -CART[0] / 2
    else:
        hand = tip[:, 0] if habit.left else tip[:, 1]
        middle, grips = -CART[0] / 2 - 0.45, [(hand, 0.12), (hand, -0.12)]
        shift = hand * np.array([1.0, 1.0, 0.0]) + np.array([middle, 0.0, 0.0])
        edge = CART[0] / 2
    load = solid(pose, box(CART[0], CART[1], 0.22, CART[2]), rgb, shift)
    limbs = []
    for hand, side in grips:
        foot = shift + np.array([edge, side, CART[2] - 0.05 if prop == "pushed" else 0.3])
        limbs.append((hand, foot, 0.018, STEEL))
    for ahead in (-0.32, 0.32):
        for side in (-0.24, 0.24):
            wheel = shift + np.array([ahead, side, 0.08])
            limbs.append((wheel, wheel, 0.08, RUBBER))
    ends = pose.world(np.stack([np.stack((a, b), axis=1) for a, b, _, _ in limbs], axis=1))
    frame = Shapes(
        ends_TC23=ends,
        radii_C2=np.array([[thick, thick] for _, _, thick, _ in limbs]),
        faces=(),
        rgb_TN3=np.array([[colour for *_, colour in limbs]]),
        depth_TN=(ends[:, :, 0, 2] + ends[:, :, 1, 2]) / 2,
    )
    return joined([load, frame])
