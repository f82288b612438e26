"""What a rendered scene is made from, and the random streams that make it repeatable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import partial
from types import MappingProxyType

import numpy as np

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.ranges import within

PERSON_ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "activity_standing": ("activity_standing",),
        "activity_walking": ("activity_walking",),
        "activity_running": ("activity_running",),
        "activity_gesturing": ("activity_standing", "activity_gesturing"),
        "activity_carrying": ("activity_walking", "activity_carrying"),
        "Talking": ("activity_standing", "Talking"),
        "Push": ("activity_walking", "Push"),
        "Pull": ("activity_walking", "Pull"),
    }
)
"""What a person can be told to do, and every label that is then true of them."""

VEHICLE_ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "vehicle_moving": ("vehicle_moving",),
        "vehicle_turning_left": ("vehicle_moving", "vehicle_turning_left"),
        "vehicle_turning_right": ("vehicle_moving", "vehicle_turning_right"),
        "vehicle_stopping": ("vehicle_moving", "vehicle_stopping"),
        "vehicle_starting": ("vehicle_moving", "vehicle_starting"),
    }
)
"""The same for a vehicle: a vehicle that turns, stops or starts is moving while it does."""

LABELS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType({**PERSON_ACTIONS, **VEHICLE_ACTIONS})
"""Both."""

ACTIONS: tuple[str, ...] = (*PERSON_ACTIONS, *VEHICLE_ACTIONS)
"""Every action that can be rendered, in TinyVIRAT's spelling."""

MOST_ACTORS = 255  # a mask is uint8 and 0 is the background
SPREAD = 1.3  # the tallest over the smallest: a camera needs depth to look into
TALLEST_PART = 0.7  # of the frame's height


class SimulationError(TinyviratError):
    """A scene that cannot be rendered as asked."""


_between = partial(within, SimulationError)


@dataclass(frozen=True)
class SceneConfig:
    """A surveillance scene to draw: the same values always give the same frames.

    Rendered scenes are for tests and demonstrations. They are drawings, and nothing measured on
    them says how well real footage is recognised.

    Attributes:
        seed: chooses everything that is not said below.
        width: of a frame in pixels, even.
        height: of a frame in pixels, even.
        fps: frames a second.
        frames: how many.
        people: how many at once (`cast` empty).
        vehicles: how many at once (`cast` empty).
        actor_height: the smallest and the greatest height of a standing person in pixels, far off
            and near by; the greatest must be at least 1.3 times the smallest.
        actions: what the people and vehicles may do; each of `ACTIONS`.
        cast: when given, one entry a performer (two people for `Talking`), who does that all along;
            `people`, `vehicles` and `actions` are then not used.
        blur: how many pixels the lens spreads an edge over, beside the pixel itself; 0 to 2.
        noise: standard deviation of the sensor's noise in grey levels of 255; 0 to 30.
        jitter: the greatest shift of a shaking camera in pixels; 0 to 8.
        occluders: how many posts and bushes stand among the actors.
        crf: the quality of a written video (x264: 0 lossless, 23 usual, 51 worst).

    Raises:
        SimulationError: a value is out of range.
    """

    seed: int = 0
    width: int = 320
    height: int = 240
    fps: Fraction = Fraction(30)
    frames: int = 90
    people: int = 4
    vehicles: int = 2
    actor_height: tuple[float, float] = (16.0, 64.0)
    actions: tuple[str, ...] = ACTIONS
    cast: tuple[str, ...] = ()
    blur: float = 1.0
    noise: float = 4.0
    jitter: float = 0.0
    occluders: int = 0
    crf: int = 23

    def __post_init__(self) -> None:
        _between("seed", self.seed, 0, 2**63 - 1)
        for name in ("width", "height"):
            _between(name, getattr(self, name), 16, 8192)
            if getattr(self, name) % 2:
                raise SimulationError(f"{name}={getattr(self, name)}: it must be even")
        _between("fps", self.fps, 1, 240)
        _between("frames", self.frames, 1, 10_000_000)
        _between("people", self.people, 0, MOST_ACTORS)
        _between("vehicles", self.vehicles, 0, MOST_ACTORS)
        _between("blur", self.blur, 0, 2)
        _between("noise", self.noise, 0, 30)
        _between("jitter", self.jitter, 0, 8)
        _between("occluders", self.occluders, 0, 100)
        _between("crf", self.crf, 0, 51)
        self._check_heights()
        self._check_actions()

    def _check_heights(self) -> None:
        low, high = self.actor_height
        _between("actor_height", low, 4, self.height)
        if high < SPREAD * low or high > TALLEST_PART * self.height:
            raise SimulationError(
                f"actor_height={self.actor_height}: the greatest must be from {SPREAD} times "
                f"the smallest ({SPREAD * low:g}) to {TALLEST_PART} times the frame's height "
                f"({TALLEST_PART * self.height:g})"
            )

    def _check_actions(self) -> None:
        for name in ("actions", "cast"):
            unknown = sorted(set(getattr(self, name)) - set(ACTIONS))
            if unknown:
                raise SimulationError(
                    f"{name}: {', '.join(unknown)} cannot be rendered; choose from "
                    + ", ".join(ACTIONS)
                )
        if self.actors > MOST_ACTORS:
            raise SimulationError(f"{self.actors} actors: a mask can tell {MOST_ACTORS} apart")
        if self.cast:
            return
        for wanted, kind, table in (
            (self.people, "people", PERSON_ACTIONS),
            (self.vehicles, "vehicles", VEHICLE_ACTIONS),
        ):
            if wanted and not set(self.actions) & set(table):
                raise SimulationError(
                    f"{kind}={wanted}, but none of the actions is for them; add one of "
                    f"{', '.join(table)} to actions, or ask for none"
                )

    @property
    def drives(self) -> bool:
        """Whether there are vehicles."""
        if self.cast:
            return any(one in VEHICLE_ACTIONS for one in self.cast)
        return self.vehicles > 0

    @property
    def actors(self) -> int:
        """How many tracks the scene has."""
        if self.cast:
            return len(self.cast) + self.cast.count("Talking")
        return self.people + self.vehicles


def as_plain(config: SceneConfig) -> dict[str, object]:
    """The configuration as JSON can hold it; the rate is text such as `30` or `30000/1001`."""
    plain: dict[str, object] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        plain[field.name] = list(value) if isinstance(value, tuple) else value
    return plain | {"fps": str(config.fps)}


def stream(seed: int, *key: int) -> np.random.Generator:
    """The random numbers of one purpose: `key` names it, so that no draw disturbs another."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, *key))))
