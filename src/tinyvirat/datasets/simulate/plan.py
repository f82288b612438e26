"""Who goes where and when: paths over the ground, step by step, that keep clear of one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate.camera import Array, Camera
from tinyvirat.datasets.simulate.config import PERSON_ACTIONS, SceneConfig
from tinyvirat.datasets.simulate.gait import MODES

TRIES = 16
SMOOTH_S = 0.35  # how long a change of posture or direction takes
STEP_S = (2.0, 5.0)

MODE_OF = {
    "activity_standing": "stand",
    "activity_walking": "walk",
    "activity_running": "run",
    "activity_gesturing": "wave",
    "activity_carrying": "carry",
    "Talking": "talk",
    "Push": "push",
    "Pull": "pull",
}
SPEEDS = {
    "walk": (1.1, 1.6),
    "run": (2.6, 3.6),
    "carry": (0.9, 1.3),
    "push": (0.8, 1.2),
    "pull": (0.8, 1.2),
}
"""Metres a second; who is not here stands."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Where an actor is and how it moves, over the T frames of a scene.

    Attributes:
        place_T2: X and Z in metres.
        heading_T: radians from +X towards +Z.
        travelled_T: metres since the start.
        modes_TM: of a person, how much of each of `gait.MODES`; adds up to 1.
        braking_T: of a vehicle, whether its brake lamps are lit.
    """

    place_T2: Array
    heading_T: Array
    travelled_T: Array
    modes_TM: Array
    braking_T: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Deed:
    """A label that is true of an actor in the frames `[start, stop)`."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Taken:
    """Ground that somebody already planned needs: a disc of `radius` metres about `place_T2`."""

    place_T2: Array
    radius: float


@dataclass(frozen=True)
class Area:
    """The ground that actors keep to: what the camera sees, less a margin in metres."""

    camera: Camera
    margin: float = 0.9

    def contains(self, place_N2: Array) -> npt.NDArray[np.bool_]:
        x, z = place_N2[:, 0], place_N2[:, 1]
        inside = np.abs(x) <= np.maximum(self.camera.reach(z) - self.margin, 0.1)
        return np.asarray(inside & (z >= self.camera.near) & (z <= self.camera.far))

    def anywhere(self, rng: np.random.Generator) -> Array:
        """A place drawn evenly over the rows and columns of the image."""
        camera = self.camera
        z = 1 / rng.uniform(1 / camera.far, 1 / camera.near)
        reach = max(float(camera.reach(z)) - self.margin, 0.1)
        return np.array([rng.uniform(-reach, reach), z])


def room(path_N2: Array, start: int, radius: float, taken: Sequence[Taken]) -> float:
    """The least gap in metres between a path that begins at frame `start` and everybody else."""
    gap = 10.0
    for other in taken:
        there = other.place_T2[start : start + len(path_N2)]
        away = path_N2[: len(there)] - there
        distance = np.sqrt((away * away).sum(axis=1).min())
        gap = min(gap, float(distance) - other.radius - radius)
    return gap


def _first_outside(inside_N: npt.NDArray[np.bool_]) -> int:
    return len(inside_N) if inside_N.all() else int(np.argmin(inside_N))


def plan_person(
    rng: np.random.Generator,
    actions: Sequence[str],
    area: Area,
    config: SceneConfig,
    taken: Sequence[Taken],
    radius: float,
) -> tuple[Motion, list[Deed]]:
    """A person's way through the scene, one of `actions` after another.

    Args:
        rng: draws every choice.
        actions: of `PERSON_ACTIONS`, except `Talking`; a single one is done all along.
        area: the ground to keep to.
        config: of the scene.
        taken: everybody already planned.
        radius: of the ground this person needs, in metres.
    """
    frames, rate = config.frames, float(config.fps)
    place, heading = np.zeros((frames, 2)), np.zeros(frames)
    speed, mode = np.zeros(frames), np.zeros(frames, dtype=np.int64)
    deeds: list[Deed] = []
    now, action = 0, ""
    while now < frames:
        others = [one for one in actions if one != action] or list(actions)
        action = others[int(rng.integers(len(others)))]
        pace = float(rng.uniform(*SPEEDS.get(MODE_OF[action], (0.0, 0.0))))
        length = round(rng.uniform(*STEP_S) * rate) if len(actions) > 1 else frames
        length = max(min(length, frames - now), 1)
        here = place[now - 1] if now else None
        path, angle = _leg(rng, here, pace / rate, length, now, area, taken, radius)
        stop = now + len(path)
        place[now:stop], speed[now:stop] = path, pace
        before = heading[now - 1] if now else angle
        heading[now:stop] = before + (angle - before + np.pi) % (2 * np.pi) - np.pi
        mode[now:stop] = MODES.index(MODE_OF[action])
        deeds += [Deed(label, now, stop) for label in PERSON_ACTIONS[action]]
        now = stop
    return person_motion(place, heading, speed, mode, rate), merged(deeds)


def _leg(
    rng: np.random.Generator,
    here: Array | None,
    step: float,
    length: int,
    now: int,
    area: Area,
    taken: Sequence[Taken],
    radius: float,
) -> tuple[Array, float]:
    """The best of several straight ways on: long inside the area and clear of others."""
    best, found = -1e9, (np.zeros((1, 2)), 0.0)
    for _ in range(TRIES):
        angle = float(rng.uniform(-np.pi, np.pi))
        along = np.arange(1, length + 1)[:, None] * step * np.array([np.cos(angle), np.sin(angle)])
        begin = here if here is not None else area.anywhere(rng) - along[length // 2]
        path = begin + along
        usable = _first_outside(area.contains(path))
        score = usable / length + 2 * min(room(path, now, radius, taken), 0.5)
        if score > best:
            # Someone cornered turns round after a few steps rather than on the spot.
            keep = max(usable, min(length, 8))
            best, found = score, (path[:keep], angle)
    return found


def person_motion(
    place_T2: Array, heading_T: Array, speed_T: Array, mode_T: npt.NDArray[np.int64], fps: float
) -> Motion:
    """Joins steps smoothly: posture and direction change over a third of a second."""
    modes = (mode_T[:, None] == np.arange(len(MODES))).astype(np.float64)
    return Motion(
        place_T2=place_T2,
        heading_T=_smooth(heading_T[:, None], fps)[:, 0],
        travelled_T=np.cumsum(speed_T) / fps,
        modes_TM=_smooth(modes, fps),
        braking_T=np.zeros(len(place_T2), dtype=bool),
    )


def _smooth(values_TK: Array, fps: float) -> Array:
    """The mean over a window about each frame; the ends repeat."""
    half = round(SMOOTH_S * fps / 2)
    if not half:
        return values_TK
    padded = np.pad(values_TK, ((half + 1, half), (0, 0)), mode="edge")
    total = np.cumsum(padded, axis=0)
    return np.asarray((total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1))


def merged(deeds: Sequence[Deed]) -> list[Deed]:
    """The same deeds with spans of one label that touch joined, in order of their start."""
    open_: dict[str, Deed] = {}
    done: list[Deed] = []
    for deed in sorted(deeds, key=lambda one: one.start):
        last = open_.get(deed.label)
        if last is not None and last.stop == deed.start:
            open_[deed.label] = Deed(deed.label, last.start, deed.stop)
            continue
        if last is not None:
            done.append(last)
        open_[deed.label] = deed
    return sorted([*done, *open_.values()], key=lambda one: (one.start, one.label))
