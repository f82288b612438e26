"""A whole scene before any pixel: the camera, the place, who is there, and what is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinyvirat.annotations import Activity
from tinyvirat.datasets.simulate.camera import SHORTEST, TALLEST, Camera, camera_of
from tinyvirat.datasets.simulate.config import (
    PERSON_ACTIONS,
    VEHICLE_ACTIONS,
    SceneConfig,
    stream,
)
from tinyvirat.datasets.simulate.drive import RADIUS, plan_vehicle
from tinyvirat.datasets.simulate.gait import MODES, Habit
from tinyvirat.datasets.simulate.ground import Place, place_of
from tinyvirat.datasets.simulate.person import Colour, Look, Person
from tinyvirat.datasets.simulate.plan import (
    Area,
    Deed,
    Taken,
    person_motion,
    plan_person,
    room,
)
from tinyvirat.datasets.simulate.scenery import Fixture, fixtures_of
from tinyvirat.datasets.simulate.shapes import Shapes
from tinyvirat.datasets.simulate.vehicle import BUILDS, Vehicle

CAST_STREAM, PLAN_STREAM, LOOK_STREAM = 4, 5, 6
PERSON_ROOM = 0.45  # metres of ground about a person
CART_ROOM = 1.1
FIXTURE_ROOM = 0.4

Actor = Person | Vehicle

SKINS: tuple[Colour, ...] = ((236, 196, 168), (205, 152, 116), (150, 103, 74), (98, 66, 48))
HAIRS: tuple[Colour, ...] = ((38, 30, 26), (86, 58, 36), (150, 118, 72), (128, 126, 124))
CLOTHES: tuple[Colour, ...] = (
    (178, 48, 44), (42, 74, 138), (232, 230, 222), (38, 40, 46), (66, 108, 74),
    (214, 170, 58), (120, 70, 120), (96, 132, 158), (196, 108, 54), (110, 108, 104),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = (
    (44, 50, 72),
    (34, 34, 38),
    (104, 92, 74),
    (74, 86, 106),
    (58, 56, 52),
)
PROPS: tuple[Colour, ...] = ((176, 136, 88), (60, 96, 150), (170, 60, 52), (196, 196, 190))
PAINTS: tuple[Colour, ...] = (
    (206, 208, 210), (40, 42, 46), (150, 34, 36), (44, 72, 122), (120, 124, 128),
    (232, 232, 228), (70, 92, 74), (176, 158, 118),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class World:
    """Everything that is fixed before a scene is drawn.

    Attributes:
        config: of the scene.
        camera: that looks at it.
        place: the ground and the light.
        actors: in the order of their tracks.
        activities: what they do.
        fixtures: what stands among them.
    """

    config: SceneConfig
    camera: Camera
    place: Place
    actors: tuple[Actor, ...]
    activities: tuple[Activity, ...]
    fixtures: tuple[Fixture, ...]


@dataclass(frozen=True)
class Part:
    """One performer's part: what he may do, and what he has with him."""

    actions: tuple[str, ...]
    prop: str | None = None


def build_world(config: SceneConfig) -> World:
    """Casts and plans a scene."""
    camera = camera_of(config)
    fixtures = fixtures_of(config, camera)
    casting = _Casting(config, camera, fixtures)
    # Vehicles first: they need the most room, and people can step aside.
    for number, part in enumerate(_parts(config)):
        casting.add(part, stream(config.seed, PLAN_STREAM, number), number)
    return World(
        config=config,
        camera=camera,
        place=place_of(config, camera),
        actors=tuple(casting.actors),
        activities=tuple(casting.activities),
        fixtures=fixtures,
    )


@lru_cache(maxsize=32)  # several views of one scene are drawn one after another
def shapes_of(world: World, actor: Actor, start: int, stop: int) -> Shapes:
    """An actor in the frames `[start, stop)`, lit by the sun of its world."""
    x, z = world.place.sun
    length = max(float(np.sqrt(x * x + z * z)), 1e-6)
    return actor.shapes(start, stop, float(world.config.fps), (-x / length, -z / length))


def _parts(config: SceneConfig) -> list[Part]:
    if config.cast:
        parts = [Part((action,), _prop(action)) for action in config.cast]
    else:
        rng = stream(config.seed, CAST_STREAM)
        driving = tuple(one for one in config.actions if one in VEHICLE_ACTIONS)
        parts = [Part(driving)] * config.vehicles + _people(rng, config)
    return sorted(parts, key=lambda part: part.actions[0] in PERSON_ACTIONS)


def _people(rng: np.random.Generator, config: SceneConfig) -> list[Part]:
    """Parts for the people: what needs a thing or a partner is somebody's part for good."""
    able = [one for one in config.actions if one in PERSON_ACTIONS]
    free = tuple(one for one in able if _prop(one) is None and one != "Talking")
    special = [one for one in able if one not in free]
    parts: list[Part] = []
    left = config.people
    while left:
        fits = [one for one in special if one != "Talking" or left > 1]
        if fits and (not free or rng.uniform() < 0.5):
            action = fits[int(rng.integers(len(fits)))]
            parts.append(Part((action,), _prop(action)))
            left -= 2 if action == "Talking" else 1
        else:
            # One person left over from pairs, and nothing he could do alone: he stands there.
            parts.append(Part(free or ("activity_standing",)))
            left -= 1
    return parts


def _prop(action: str) -> str | None:
    return {"activity_carrying": "parcel", "Push": "pushed", "Pull": "pulled"}.get(action)


class _Casting:
    """Adds performers one after another; each keeps clear of those before."""

    def __init__(self, config: SceneConfig, camera: Camera, fixtures: Sequence[Fixture]) -> None:
        self.config, self.camera = config, camera
        self.actors: list[Actor] = []
        self.activities: list[Activity] = []
        self.taken: list[Taken] = [
            Taken(np.tile(np.array([one.x, one.depth]), (config.frames, 1)), FIXTURE_ROOM)
            for one in fixtures
        ]

    def add(self, part: Part, rng: np.random.Generator, number: int) -> None:
        looks = stream(self.config.seed, LOOK_STREAM, number)
        if part.actions[0] in VEHICLE_ACTIONS:
            motion, deeds = plan_vehicle(
                rng, part.actions, Area(self.camera), self.config, self.taken
            )
            build = tuple(BUILDS.values())[int(looks.integers(len(BUILDS)))]
            self._enter(Vehicle(len(self.actors), motion, build, _one(looks, PAINTS)), RADIUS)
            self._note(deeds, (len(self.actors) - 1,))
        elif part.actions == ("Talking",):
            self._pair(rng, looks)
        else:
            cart = part.prop in ("pushed", "pulled")
            radius = CART_ROOM if cart else PERSON_ROOM
            area = Area(self.camera, 1.6 if cart else 0.9)
            motion, deeds = plan_person(rng, part.actions, area, self.config, self.taken, radius)
            person = Person(len(self.actors), motion, _look(looks), _habit(looks), part.prop)
            self._enter(person, radius)
            self._note(deeds, (person.id,))

    def _enter(self, actor: Actor, radius: float) -> None:
        self.actors.append(actor)
        self.taken.append(Taken(actor.motion.place_T2, radius))

    def _note(self, deeds: Sequence[Deed], who: tuple[int, ...]) -> None:
        for deed in deeds:
            number = len(self.activities)
            self.activities.append(Activity(number, deed.label, deed.start, deed.stop, who))

    def _pair(self, rng: np.random.Generator, looks: np.random.Generator) -> None:
        """Two people who stand face to face and talk, taking turns."""
        frames, fps = self.config.frames, float(self.config.fps)
        area = Area(self.camera, 1.6)

        def draw() -> tuple[float, np.ndarray, float]:
            middle, angle = (
                area.anywhere(rng),
                float(rng.uniform(-0.9, 0.9) + np.pi * rng.integers(2)),
            )
            gap = room(np.tile(middle, (frames, 1)), 0, 1.0, self.taken)
            return min(gap, 0.5), middle, angle

        _, middle, angle = max((draw() for _ in range(16)), key=lambda one: one[0])
        apart = float(rng.uniform(0.42, 0.58))
        habit = _habit(looks)
        for side in (0, 1):
            heading = angle + np.pi * side
            place = middle - apart * np.array([np.cos(heading), np.sin(heading)])
            motion = person_motion(
                np.tile(place, (frames, 1)),
                np.full(frames, heading),
                np.zeros(frames),
                np.full(frames, MODES.index("talk")),
                fps,
            )
            turn = Habit(
                (habit.phase + 0.5 * side) % 1, 1.5 + 0.3 * side, False, bool(side),
                1.0, 0.0, 0.25 + 0.08 * side,
            )  # fmt: skip
            self._enter(Person(len(self.actors), motion, _look(looks), turn), PERSON_ROOM)
        both = (len(self.actors) - 2, len(self.actors) - 1)
        for one in both:
            self._note([Deed("activity_standing", 0, frames)], (one,))
        self._note([Deed("Talking", 0, frames)], both)


def _one(rng: np.random.Generator, colours: Sequence[Colour]) -> Colour:
    """One of the colours, a little changed."""
    chosen = colours[int(rng.integers(len(colours)))]
    change = rng.uniform(-12, 12, 3)
    return (
        float(chosen[0] + change[0]), float(chosen[1] + change[1]), float(chosen[2] + change[2])
    )  # fmt: skip


def _look(rng: np.random.Generator) -> Look:
    skin, top = _one(rng, SKINS), _one(rng, CLOTHES)
    return Look(
        height=float(rng.uniform(SHORTEST, TALLEST)),
        width=float(rng.uniform(0.9, 1.2)),
        skin=skin,
        hair=_one(rng, HAIRS),
        top=top,
        sleeves=top if rng.uniform() < 0.6 else skin,
        trousers=_one(rng, TROUSERS),
        shoes=_one(rng, ((36, 32, 30), (200, 198, 192))),
        prop=_one(rng, PROPS),
        hat=bool(rng.uniform() < 0.25),
    )


def _habit(rng: np.random.Generator) -> Habit:
    return Habit(
        phase=float(rng.uniform()),
        rate=float(rng.uniform(1.1, 1.9)),
        both=bool(rng.uniform() < 0.4),
        left=bool(rng.uniform() < 0.5),
        swing=float(rng.uniform(0.75, 1.25)),
        bend=float(rng.uniform(-0.03, 0.06)),
        sway=float(rng.uniform(0.2, 0.45)),
    )
