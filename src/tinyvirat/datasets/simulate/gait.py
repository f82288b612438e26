"""How a body moves: joint angles of people who stand, walk, run, wave, talk, carry, push and pull.

The angles are round numbers that look right, not measurements of people. Legs follow the distance
travelled, so that feet do not slide; everything else follows time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyvirat.datasets.simulate.camera import Array

MODES = ("stand", "walk", "run", "wave", "talk", "carry", "hold", "push", "pull")
"""Ways to move; `hold` is standing with a parcel."""

# Stride (two steps) in leg lengths: twice the chord of the swing, more in flight.
WALK_SWING = 0.44
RUN_SWING = 0.72
EVEN = 0.985
STRIDE = {"run": 4 * np.sin(RUN_SWING) * 1.12}
WALK_STRIDE = 4 * np.sin(WALK_SWING)


@dataclass(frozen=True)
class Habit:
    """How one person differs from the next; fractions are of a full turn.

    Attributes:
        phase: where in the cycle of steps the person starts, 0 to 1.
        rate: of waving, in turns a second.
        both: waves with both arms.
        left: waves, or pulls, with the left arm when with one.
        swing: how widely the arms swing, 1 being usual.
        bend: how far the body leans forward beyond the usual, in radians.
        sway: of a standing person, in turns a second.
    """

    phase: float = 0.0
    rate: float = 1.6
    both: bool = False
    left: bool = False
    swing: float = 1.0
    bend: float = 0.0
    sway: float = 0.3


@dataclass(frozen=True, eq=False)
class Angles:
    """Joint angles over T frames in radians; two columns are left and right.

    Attributes:
        hip_T2: thigh, forward of straight down.
        knee_T2: how far the shin is bent back from the thigh.
        arm_T2: upper arm, forward of straight down.
        out_T2: upper arm, away from the body.
        fore_T2: forearm, forward of straight down.
        fore_out_T2: forearm, away from the body.
        lean_T: trunk, forward of upright.
        twist_T: shoulders against hips, to the left.
        nod_T: head, forward of the trunk.
        lift_T: how high the lower foot is off the ground, in leg lengths.
    """

    hip_T2: Array
    knee_T2: Array
    arm_T2: Array
    out_T2: Array
    fore_T2: Array
    fore_out_T2: Array
    lean_T: Array
    twist_T: Array
    nod_T: Array
    lift_T: Array


def strides(mode: str) -> float:
    """Length of a full cycle of two steps, in leg lengths."""
    return float(STRIDE.get(mode, WALK_STRIDE))


def angles(mode: str, phase_T: Array, time_T: Array, habit: Habit) -> Angles:
    """The angles of one way to move.

    Args:
        mode: one of `MODES`.
        phase_T: of the steps, in radians; 2 pi is a left and a right step.
        time_T: in seconds.
        habit: of the person.
    """
    if mode == "run":
        return _run(phase_T, habit)
    if mode in ("walk", "carry", "push", "pull"):
        return _walk(mode, phase_T, habit)
    return _stand(mode, time_T, habit)


def _pair(left: Array, right: Array) -> Array:
    return np.stack((left, right), axis=1)


def _both(value: float, like_T: Array) -> Array:
    return np.full((len(like_T), 2), value)


def _sweep(phase_T: Array) -> Array:
    """From 1 to -1 and back at a nearly even pace: a foot on the ground stays where it is."""
    return np.asarray(np.arcsin(EVEN * np.sin(phase_T)) / np.arcsin(EVEN))


def _swing_knee(phase_T: Array) -> Array:
    """0 while the leg carries the body, rising to 1 while it swings forward."""
    return np.maximum(np.cos(phase_T + 0.35), 0.0) ** 2


def _walk(mode: str, phase_T: Array, habit: Habit) -> Angles:
    wave, sweep = np.sin(phase_T), _sweep(phase_T)
    zero = np.zeros_like(phase_T)
    arm = _pair(-wave, wave) * 0.46 * habit.swing
    out, fore, fore_out = _both(0.1, phase_T), arm + 0.3, _both(0.04, phase_T)
    lean, twist = 0.05 + habit.bend + zero, 0.12 * wave
    bob = 0.02 * np.cos(2 * phase_T)
    if mode == "carry":
        arm, out = _both(0.42, phase_T) + bob[:, None], _both(0.2, phase_T)
        fore, fore_out = _both(1.62, phase_T) + bob[:, None], _both(-0.02, phase_T)
        lean, twist = lean - 0.12, 0.03 * wave
    elif mode == "push":
        arm, out = _both(0.72, phase_T) + bob[:, None], _both(0.12, phase_T)
        fore, fore_out = _both(1.42, phase_T) + bob[:, None], _both(0.0, phase_T)
        lean, twist = lean + 0.24, 0.03 * wave
    elif mode == "pull":
        behind = np.array([1.0, 0.0] if habit.left else [0.0, 1.0])
        arm = arm * (1 - behind) - 0.72 * behind
        fore = fore * (1 - behind) - 0.62 * behind
        lean, twist = lean + 0.16, 0.05 * wave + (0.22 if habit.left else -0.22)
    return Angles(
        hip_T2=_pair(sweep, -sweep) * WALK_SWING,
        knee_T2=0.1 + 0.95 * _pair(_swing_knee(phase_T), _swing_knee(phase_T + np.pi)),
        arm_T2=arm,
        out_T2=out,
        fore_T2=fore,
        fore_out_T2=fore_out,
        lean_T=lean,
        twist_T=twist,
        nod_T=zero + 0.04,
        lift_T=zero,
    )


def _run(phase_T: Array, habit: Habit) -> Angles:
    wave = np.sin(phase_T)
    arm = _pair(-wave, wave) * 0.78 * habit.swing - 0.12
    return Angles(
        hip_T2=_pair(wave, -wave) * RUN_SWING + 0.18,
        knee_T2=0.32 + 1.55 * _pair(_swing_knee(phase_T), _swing_knee(phase_T + np.pi)),
        arm_T2=arm,
        out_T2=_both(0.16, phase_T),
        fore_T2=arm + 1.5,
        fore_out_T2=_both(-0.12, phase_T),
        lean_T=np.full_like(phase_T, 0.2 + habit.bend),
        twist_T=0.22 * wave,
        nod_T=np.full_like(phase_T, -0.05),
        lift_T=0.055 * (1 + np.cos(2 * phase_T)),
    )


def _stand(mode: str, time_T: Array, habit: Habit) -> Angles:
    turn = 2 * np.pi * habit.sway * time_T + 2 * np.pi * habit.phase
    sway, zero = np.sin(turn), np.zeros_like(time_T)
    arm, out = _pair(sway, -sway) * 0.03 + 0.02, _both(0.1, time_T)
    fore, fore_out = arm + 0.16, _both(0.03, time_T)
    nod, twist = 0.05 * np.sin(turn * 1.7), 0.06 * np.sin(turn * 0.6)
    if mode == "wave":
        arm, out, fore, fore_out = _waving(arm, out, fore, fore_out, time_T, habit)
    elif mode == "talk":
        fore, fore_out, nod = _talking(arm, fore_out, time_T, habit)
    elif mode == "hold":
        arm, out = _both(0.42, time_T), _both(0.2, time_T)
        fore, fore_out = _both(1.62, time_T), _both(-0.02, time_T)
    apart = 0.05 + 0.02 * sway
    return Angles(
        hip_T2=_pair(apart, -apart),
        knee_T2=_pair(0.06 + 0.05 * np.maximum(sway, 0), 0.06 + 0.05 * np.maximum(-sway, 0)),
        arm_T2=arm,
        out_T2=out,
        fore_T2=fore,
        fore_out_T2=fore_out,
        lean_T=0.015 * sway + habit.bend * 0.3,
        twist_T=twist,
        nod_T=nod + zero,
        lift_T=zero,
    )


def _waving(
    arm: Array, out: Array, fore: Array, fore_out: Array, time_T: Array, habit: Habit
) -> tuple[Array, Array, Array, Array]:
    """One or both arms over the head, swinging from side to side."""
    turn = 2 * np.pi * (habit.rate * time_T + habit.phase)
    up = np.array([1.0, 1.0] if habit.both else [1.0, 0.0] if habit.left else [0.0, 1.0])
    side = np.sin(turn)[:, None]
    arm = arm * (1 - up) + 2.7 * up
    out = out * (1 - up) + (0.45 + 0.3 * side) * up
    fore = fore * (1 - up) + 3.05 * up
    fore_out = fore_out * (1 - up) + (0.2 + 0.7 * np.sin(turn - 0.4)[:, None]) * up
    return arm, out, fore, fore_out


def _talking(
    arm: Array, fore_out: Array, time_T: Array, habit: Habit
) -> tuple[Array, Array, Array]:
    """Small movements of the forearms below the chest while it is this person's turn to speak."""
    slow = np.sin(2 * np.pi * (0.28 * time_T + habit.phase))
    speaks = np.clip(0.5 + 2.5 * slow, 0, 1)[:, None]
    beat = np.sin(2 * np.pi * habit.rate * 0.8 * time_T)[:, None]
    hand = np.array([1.0, 0.45] if habit.left else [0.45, 1.0])
    fore = arm + 0.2 + speaks * hand * (0.95 + 0.4 * beat)
    nod = 0.06 + 0.08 * np.sin(2 * np.pi * 0.9 * time_T + 2 * np.pi * habit.phase)
    return fore, fore_out + 0.12 * speaks * hand * beat, nod


def blend(parts: list[tuple[Array, Angles]]) -> Angles:
    """Several ways to move weighted by arrays over T that add up to 1."""

    def mix(name: str) -> Array:
        total = 0.0
        for weight_T, part in parts:
            values = getattr(part, name)
            total = total + values * weight_T.reshape(-1, *(1,) * (values.ndim - 1))
        return np.asarray(total)

    return Angles(**{name: mix(name) for name in Angles.__dataclass_fields__})
