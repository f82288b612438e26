"""How vehicles drive: straight on, left, right, to a stop and away from one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate.camera import Array
from tinyvirat.datasets.simulate.config import SceneConfig
from tinyvirat.datasets.simulate.plan import TRIES, Area, Deed, Motion, Taken, merged, room

RADIUS = 2.4  # metres of ground about the middle of a car
OUT_OF_SIGHT = 1e4  # metres along X
PARKED = ""  # a vehicle that stopped and is never told to start
PACE = (4.0, 7.5)  # metres a second
TURNING_PACE = (3.2, 4.8)
TURN_RATE = (0.55, 0.85)  # radians a second
TURN_ANGLE = (1.3, 1.8)  # radians, then straight on
HARDEST_BRAKE = 4.5  # metres a second squared
PICK_UP = (1.6, 2.6)  # metres a second squared


@dataclass(frozen=True, eq=False)
class Manoeuvre:
    """One thing a vehicle does, over n frames.

    Attributes:
        speed_N: metres a second.
        rate_N: radians a second to the left.
        active_N: where the manoeuvre's own label is true.
        label: of the manoeuvre.
    """

    speed_N: Array
    rate_N: Array
    active_N: npt.NDArray[np.bool_]
    label: str


@dataclass(frozen=True, eq=False)
class Way:
    """Places (n, 2) in metres and headings (n,) in radians."""

    path_N2: Array
    angle_N: Array


def manoeuvre(
    rng: np.random.Generator, label: str, pace: float | None, length: int, fps: float
) -> Manoeuvre:
    """Draws speed and steering of one manoeuvre.

    Args:
        rng: draws every choice.
        label: of `VEHICLE_ACTIONS`, or `PARKED`.
        pace: the speed it begins with in metres a second; None draws one.
        length: in frames.
        fps: frames a second.
    """
    time = np.arange(length) / fps
    span = length / fps
    turning = label.startswith("vehicle_turning")
    drawn = float(rng.uniform(*(TURNING_PACE if turning else PACE)))
    afresh, pace = pace is None, drawn if pace is None else pace
    speed, rate = np.full(length, pace), np.zeros(length)
    active = np.ones(length, dtype=bool)
    if turning:
        turn = float(rng.uniform(*TURN_RATE))
        active = time < float(rng.uniform(*TURN_ANGLE)) / turn
        rate = np.where(active, turn if label.endswith("left") else -turn, 0.0)
    elif label == "vehicle_stopping":
        taken = min(span * 0.9, max(float(rng.uniform(1.4, 2.6)), pace / HARDEST_BRAKE))
        pace = min(pace, HARDEST_BRAKE * taken) if afresh else pace
        speed = np.maximum(pace * (1 - time / taken), 0.0)
        active = speed > 0
    elif label == "vehicle_starting":
        wait = min(span * 0.2, float(rng.uniform(0.1, 0.5)))
        gain, top = float(rng.uniform(*PICK_UP)), float(rng.uniform(*PACE))
        speed = np.clip(gain * (time - wait), 0.0, top)
        active = (speed > 0) & (speed < top)
    elif label == PARKED:
        speed, active = np.zeros(length), np.zeros(length, dtype=bool)
    return Manoeuvre(speed, rate, active, label)


class _Log:
    """What a vehicle did so far, frame by frame."""

    def __init__(self, config: SceneConfig, far: float) -> None:
        frames = config.frames
        self.fps = float(config.fps)
        self.frames = frames
        self.now = 0
        self.place_T2 = np.tile(np.array([OUT_OF_SIGHT, far]), (frames, 1))
        self.heading_T, self.speed_T = np.zeros(frames), np.zeros(frames)
        self.braking_T = np.zeros(frames, dtype=bool)
        self.deeds: list[Deed] = []

    def add(self, moves: Manoeuvre, way: Way, gap: int) -> Way:
        """Appends a manoeuvre as far as there are frames, then `gap` frames out of sight."""
        count = min(len(way.path_N2), self.frames - self.now)
        stop = self.now + count
        self.place_T2[self.now : stop] = way.path_N2[:count]
        self.heading_T[self.now : stop] = way.angle_N[:count]
        self.speed_T[self.now : stop] = moves.speed_N[:count]
        self.braking_T[self.now : stop] = moves.label in ("vehicle_stopping", PARKED)
        self.deeds += _deeds(moves, self.now, stop)
        self.now = stop + gap
        return way

    def motion(self) -> Motion:
        travelled = np.cumsum(self.speed_T) / self.fps
        no_modes = np.zeros((self.frames, 0))
        return Motion(self.place_T2, self.heading_T, travelled, no_modes, self.braking_T)


def plan_vehicle(
    rng: np.random.Generator,
    actions: Sequence[str],
    area: Area,
    config: SceneConfig,
    taken: Sequence[Taken],
) -> tuple[Motion, list[Deed]]:
    """A vehicle's way: some of `actions` until it leaves the scene, then it drives in again.

    Args:
        rng: draws every choice.
        actions: of `VEHICLE_ACTIONS`; a single one is done once, for as long as it lasts.
        area: the ground the camera sees.
        config: of the scene.
        taken: everybody already planned.
    """
    log = _Log(config, area.camera.far)
    fps, last, speed = log.fps, None, 0.0
    while log.now < log.frames:
        length = round(rng.uniform(2.0, 3.5) * fps) if len(actions) > 1 else log.frames
        if last is None and log.now:
            moves, way = _arrival(rng, log.now, area, fps, taken)
        elif last is None:
            first = [one for one in actions if one != "vehicle_starting"] or list(actions)
            moves = manoeuvre(rng, first[int(rng.integers(len(first)))], None, length, fps)
            way = _begin(rng, moves, log.now, area, fps, taken)
        else:
            moves = manoeuvre(rng, _next(rng, actions, speed == 0), speed, length, fps)
            way = _steer(moves, last, float(log.heading_T[log.now - 1]), fps)
        speed = float(moves.speed_N[-1])
        kept = _in_sight(way, area)
        last = way.path_N2[-1] if len(kept.path_N2) == len(way.path_N2) else None
        log.add(moves, kept, 0 if last is not None else round(rng.uniform(0.3, 1.5) * fps))
    return log.motion(), merged(log.deeds)


def _next(rng: np.random.Generator, actions: Sequence[str], standing: bool) -> str:
    """What a vehicle in sight does next: only one that stands can start."""
    fitting = [one for one in actions if (one == "vehicle_starting") == standing]
    if not fitting:
        return PARKED if standing else "vehicle_moving"
    return fitting[int(rng.integers(len(fitting)))]


def _steer(moves: Manoeuvre, here: Array, heading: float, fps: float) -> Way:
    """Where a manoeuvre leads from a place and a heading."""
    angles = heading + np.cumsum(moves.rate_N) / fps
    step = (moves.speed_N / fps)[:, None] * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    return Way(here + np.cumsum(step, axis=0), angles)


def _heading(rng: np.random.Generator, along: float) -> float:
    """Mostly across the image, where motion is seen best."""
    street = float(rng.uniform(-0.35, 0.35) + np.pi * rng.integers(2))
    other = float(rng.uniform(-np.pi, np.pi))
    return street if rng.uniform() < along else other


def _begin(
    rng: np.random.Generator,
    moves: Manoeuvre,
    now: int,
    area: Area,
    fps: float,
    taken: Sequence[Taken],
) -> Way:
    """A manoeuvre put where it is seen for long and keeps clear of others."""

    def draw() -> Way:
        way = _steer(moves, np.zeros(2), _heading(rng, 0.75), fps)
        offset = area.anywhere(rng) - way.path_N2[len(way.path_N2) // 2]
        return Way(way.path_N2 + offset, way.angle_N)

    return max((draw() for _ in range(TRIES)), key=lambda way: _score(way, now, area, taken))


def _score(way: Way, now: int, area: Area, taken: Sequence[Taken]) -> float:
    seen = int(area.contains(way.path_N2).sum()) / len(way.path_N2)
    return seen + 2 * min(room(way.path_N2, now, RADIUS, taken), 1.0)


def _arrival(
    rng: np.random.Generator, now: int, area: Area, fps: float, taken: Sequence[Taken]
) -> tuple[Manoeuvre, Way]:
    """Driving in from outside the image as far as a place within."""

    def draw() -> tuple[Manoeuvre, Way]:
        heading, pace, goal = _heading(rng, 1.0), float(rng.uniform(*PACE)), area.anywhere(rng)
        way_in = np.array([np.cos(heading), np.sin(heading)])
        back = goal - np.arange(400)[:, None] * (pace / fps) * way_in
        length = max(int(np.argmax(_out(back, area))), 1)
        still = np.zeros(length)
        moves = Manoeuvre(still + pace, still, still == 0, "vehicle_moving")
        return moves, Way(back[:length][::-1], np.full(length, heading))

    return max((draw() for _ in range(TRIES)), key=lambda one: _score(one[1], now, area, taken))


def _out(path_N2: Array, area: Area) -> npt.NDArray[np.bool_]:
    camera = area.camera
    x, z = path_N2[:, 0], path_N2[:, 1]
    far_off = (z > 1.25 * camera.far) | (z < 0.8 * camera.near)
    return np.asarray((np.abs(x) > camera.reach(z) + 3) | far_off)


def _in_sight(way: Way, area: Area) -> Way:
    """The way up to where a vehicle leaves sight, or comes too near to the camera."""
    out = _out(way.path_N2, area)
    gone = out & np.maximum.accumulate(~out) | (way.path_N2[:, 1] < 0.6 * area.camera.near)
    keep = max(int(np.argmax(gone)), 1) if gone.any() else len(gone)
    return Way(way.path_N2[:keep], way.angle_N[:keep])


def _deeds(moves: Manoeuvre, start: int, stop: int) -> list[Deed]:
    """The labels of a manoeuvre; `vehicle_moving` wherever it moves."""
    deeds = []
    count = stop - start
    for label, where in (("vehicle_moving", moves.speed_N > 0), (moves.label, moves.active_N)):
        frames = np.flatnonzero(where[:count])
        if len(frames) and label:
            deeds.append(Deed(label, start + int(frames[0]), start + int(frames[-1]) + 1))
    if moves.label == "vehicle_moving":
        return deeds[:1]
    return deeds
