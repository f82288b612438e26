"""A small data set of rendered clips: tiny ones to recognise, and the same moments drawn large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinyvirat.common.files import write_text
from tinyvirat.common.progress import track
from tinyvirat.datasets.manifest import SPLITS, ClipRecord, write_manifest
from tinyvirat.datasets.simulate.camera import Array, View
from tinyvirat.datasets.simulate.config import (
    ACTIONS,
    LABELS_OF,
    PERSON_ACTIONS,
    VEHICLE_ACTIONS,
    SceneConfig,
    SimulationError,
    stream,
)
from tinyvirat.datasets.simulate.render import boxes_of, iter_frames
from tinyvirat.datasets.simulate.world import World, build_world
from tinyvirat.datasets.simulate.write import mask_writer
from tinyvirat.video import write_video

CLIP_ACTIONS = (
    "activity_standing",
    "activity_walking",
    "activity_running",
    "activity_gesturing",
    "activity_carrying",
    "Talking",
    "vehicle_moving",
)
"""The default actions: told apart by posture, by motion, or by both; a mirror image keeps each."""

MANIFEST_FILE, LARGE_FILE, LABELS_FILE = "manifest.jsonl", "large.jsonl", "labels.txt"
CAST = 4  # performers a scene, one clip each
SCENE = SceneConfig(width=1280, height=720, actor_height=(24, 44))
PRESENT = 0.5  # of a bystander's box inside the clip, on average, for his labels to count
LASTING = 0.5  # of the clip that an activity must last
LEAST_HEIGHT = 10  # pixels of the actor, where the allowed sides can give it
PERSON_SPAN, VEHICLE_SPAN = (1.3, 2.6), (1.3, 2.2)  # side of a window in heights, or lengths
LONGEST_S = 4
ROOMY = 1.12  # a window's side over everything that the leads reach in it
CLIP_STREAM, ORDER_STREAM = 20, 21
SEED_STEP = 1_000_003
LARGE_CRF = 12
PRESET = "veryfast"


@dataclass(frozen=True)
class ClipPlan:
    """One clip before it is drawn.

    Attributes:
        id: of the clip, unique in the set.
        action: it was made for.
        split: of its scene.
        source: its scene.
        world: the scene.
        window: left, top and side of the square in pixels of the scene.
        side: of the tiny clip in pixels.
        actors: those in it whose labels count.
        labels: of the clip.
    """

    id: str
    action: str
    split: str
    source: str
    world: World
    window: tuple[float, float, float]
    side: int
    actors: tuple[int, ...]
    labels: tuple[str, ...]

    def view(self, side: int) -> View:
        """The window drawn `side` pixels wide and high."""
        x, y, span = self.window
        return View(x, y, side, side, side / span)


def simulate_clips(
    folder: Path,
    *,
    actions: Sequence[str] = CLIP_ACTIONS,
    clips_per_action: int = 30,
    frames: int = 32,
    fps: Fraction = Fraction(30),
    sides: tuple[int, int] = (20, 64),
    large_side: int = 112,
    splits: tuple[float, float, float] = (0.6, 0.2, 0.2),
    noise: float = 4.0,
    blur: float = 1.0,
    crf: int = 23,
    seed: int = 0,
) -> Path:
    """Renders a data set of square clips with known truth, for tests and demonstrations only.

    Every clip is a still window around an actor of a scene. It is drawn twice, at `sides` and at
    `large_side` pixels: the same moments seen by a poor and by a good camera, so that the large
    clip is true high resolution rather than something enlarged. The tiny one has the sensor's
    noise and the codec's losses, the large one next to none. Actors are as wide a part of their
    window whatever they do, so that the size of a figure says little about its action.

    The folder then holds `manifest.jsonl` (tiny clips), `large.jsonl` (the same ids, large),
    `labels.txt`, and `small/`, `large/` and `masks/`. In a row, `extra.masks` is the clip's masks
    in large pixels for `read_masks` (k is the k-th of the row's `tracks`), `extra.small` and
    `extra.large` are both videos, `extra.action` the action it was made for. The same arguments
    give the same frames before compression.

    Args:
        folder: where to; it is made. The manifests are written last.
        actions: what is to be seen, of `ACTIONS`; each gets equally many clips.
        clips_per_action: how many.
        frames: of every clip, 4 seconds at most.
        fps: frames a second.
        sides: the smallest and largest side of a tiny clip in pixels, even.
        large_side: side of a large clip in pixels.
        splits: shares of the scenes for train, val and test.
        noise: of the poor camera, in grey levels.
        blur: of both lenses, in their own pixels.
        crf: of the tiny clips (x264's quality).
        seed: chooses everything else.

    Returns:
        the path of `manifest.jsonl`.

    Raises:
        SimulationError: an action that cannot be rendered, or a value out of range.
        tinyvirat.video.VideoError: a video cannot be written.
    """
    folder = Path(folder)
    _check(actions, clips_per_action, frames, fps, sides, large_side, splits)
    base = replace(SCENE, frames=frames, fps=fps, noise=noise, blur=blur, crf=crf)
    for name in (MANIFEST_FILE, LARGE_FILE):
        (folder / name).unlink(missing_ok=True)
    plans = _plans(base, tuple(actions), clips_per_action, sides, splits, seed)
    small, large = [], []
    for plan in track(plans, "rendering clips", total=len(actions) * clips_per_action):
        first, second = _write(folder, plan, large_side)
        small.append(first)
        large.append(second)
    known = {label for action in actions for label in LABELS_OF[action]}
    write_text(folder / LABELS_FILE, "".join(f"{label}\n" for label in sorted(known)))
    write_manifest(folder / LARGE_FILE, large)
    write_manifest(folder / MANIFEST_FILE, small)
    return folder / MANIFEST_FILE


def _check(
    actions: Sequence[str],
    clips_per_action: int,
    frames: int,
    fps: Fraction,
    sides: tuple[int, int],
    large_side: int,
    splits: tuple[float, float, float],
) -> None:
    if frames < 1 or fps <= 0 or frames > LONGEST_S * fps:
        raise SimulationError(
            f"frames={frames} at fps={fps}: from 1 frame to {LONGEST_S} seconds, for a clip is a "
            "still window about an actor who moves"
        )
    if not actions or len(set(actions)) < len(actions) or not set(actions) <= set(ACTIONS):
        raise SimulationError(
            f"actions={list(actions)}: name some, each once, of {', '.join(ACTIONS)}"
        )
    if clips_per_action < 1:
        raise SimulationError(f"clips_per_action={clips_per_action}: it must be 1 or more")
    if not 8 <= sides[0] <= sides[1] <= 1024 or sides[0] % 2 or sides[1] % 2:
        raise SimulationError(f"sides={sides}: two even numbers from 8 to 1024, the smaller first")
    if not 16 <= large_side <= 1024 or large_side % 2:
        raise SimulationError(f"large_side={large_side}: it must be even, from 16 to 1024")
    if len(splits) != len(SPLITS) or min(splits) < 0 or abs(sum(splits) - 1) > 1e-6:
        raise SimulationError(f"splits={splits}: three shares that add up to 1")


def _plans(
    base: SceneConfig,
    actions: tuple[str, ...],
    clips_per_action: int,
    sides: tuple[int, int],
    splits: tuple[float, float, float],
    seed: int,
) -> Iterator[ClipPlan]:
    """Every clip, scene by scene; the first scenes are the training split's."""
    order = stream(seed, ORDER_STREAM)
    parts = [actions[i] for _ in range(clips_per_action) for i in order.permutation(len(actions))]
    scenes = [parts[at : at + CAST] for at in range(0, len(parts), CAST)]
    for number, cast in enumerate(scenes):
        share = (number + 0.5) / len(scenes)
        split = SPLITS[min(int(np.searchsorted(np.cumsum(splits), share)), len(SPLITS) - 1)]
        config = replace(base, cast=tuple(cast), seed=seed * SEED_STEP + number)
        yield from _scene_plans(build_world(config), f"scene-{number:05d}", split, sides)


def _scene_plans(
    world: World, source: str, split: str, sides: tuple[int, int]
) -> Iterator[ClipPlan]:
    """A clip for each performer of a scene."""
    boxes_ATC = np.stack([boxes_of(world, actor) for actor in world.actors])
    for number, (action, leads) in enumerate(_performers(world)):
        rng = stream(world.config.seed, CLIP_STREAM, number)
        lead_boxes = boxes_ATC[list(leads)]
        window = _window(rng, lead_boxes, action in VEHICLE_ACTIONS)
        height = float((lead_boxes[..., 3] - lead_boxes[..., 1]).mean())
        least = min(max(LEAST_HEIGHT * window[2] / height, sides[0]), sides[1])
        side = 2 * round(float(rng.uniform(least, sides[1])) / 2)
        actors = _present(boxes_ATC, window, leads)
        labels = _labels(world, action, actors)
        clip = f"{source}-{number}"
        yield ClipPlan(clip, action, split, source, world, window, side, actors, labels)


def _performers(world: World) -> list[tuple[str, tuple[int, ...]]]:
    """Each part of the cast with the actors who play it, in the order of the actors."""
    cast = sorted(world.config.cast, key=lambda action: action in PERSON_ACTIONS)
    performers, first = [], 0
    for action in cast:
        count = 2 if action == "Talking" else 1
        performers.append((action, tuple(range(first, first + count))))
        first += count
    return performers


def _window(
    rng: np.random.Generator, boxes_ATC: Array, vehicle: bool
) -> tuple[float, float, float]:
    """A square about all boxes of the leads: left, top and side in pixels of the scene."""
    low, high = boxes_ATC[..., :2].min(axis=(0, 1)), boxes_ATC[..., 2:].max(axis=(0, 1))
    sizes = boxes_ATC[..., 2:] - boxes_ATC[..., :2]
    figure = float(sizes[..., 0 if vehicle else 1].max())
    span = figure * float(rng.uniform(*(VEHICLE_SPAN if vehicle else PERSON_SPAN)))
    side = max(span, float((high - low).max()) * ROOMY)
    slack = (side - (high - low)) * rng.uniform(0.25, 0.75, 2)
    return float(low[0] - slack[0]), float(low[1] - slack[1]), side


def _present(
    boxes_ATC: Array, window: tuple[float, float, float], leads: tuple[int, ...]
) -> tuple[int, ...]:
    """The leads, and every bystander who is mostly inside the window."""
    x, y, side = window
    inside = np.clip(boxes_ATC, [x, y, x, y], [x + side, y + side, x + side, y + side])
    part = _areas(inside) / _areas(boxes_ATC)
    there = [who for who in range(len(boxes_ATC)) if part[who].mean() >= PRESENT]
    return tuple(sorted({*leads, *there}))


def _areas(boxes_ATC: Array) -> Array:
    return np.asarray(np.prod(boxes_ATC[..., 2:] - boxes_ATC[..., :2], axis=-1))


def _labels(world: World, action: str, actors: tuple[int, ...]) -> tuple[str, ...]:
    """What the leads were told to do, and whatever else goes on for long enough."""
    least = LASTING * world.config.frames
    lasting = {
        activity.label
        for activity in world.activities
        if set(activity.actors) <= set(actors) and activity.stop - activity.start >= least
    }
    return tuple(sorted({*LABELS_OF[action], *lasting}))


def _write(folder: Path, plan: ClipPlan, large_side: int) -> tuple[ClipRecord, ClipRecord]:
    """Draws a clip twice; gives the rows of the tiny and of the large one."""
    config = plan.world.config
    names = {name: f"{name}/{plan.id}.mp4" for name in ("small", "large")}
    masks_file = f"masks/{plan.id}.npz"
    tiny = (frame.frame_HWC for frame in iter_frames(plan.world, view=plan.view(plan.side)))
    write_video(folder / names["small"], tiny, config.fps, crf=config.crf, preset=PRESET)
    numbers = np.zeros(256, dtype=np.uint8)
    numbers[[who + 1 for who in plan.actors]] = np.arange(1, len(plan.actors) + 1)
    drawn = list(iter_frames(plan.world, view=plan.view(large_side), noise=0.0))
    with mask_writer(folder / masks_file) as add:
        for frame in drawn:
            add(numbers[frame.mask_HW])
    write_video(
        folder / names["large"],
        [frame.frame_HWC for frame in drawn],
        config.fps,
        crf=LARGE_CRF,
        preset=PRESET,
    )
    x, y, span = plan.window
    extra = {
        **names,
        "masks": masks_file,
        "action": plan.action,
        "window": [round(x, 3), round(y, 3), round(span, 3)],
        "scene_seed": config.seed,
        "rendered": True,
    }
    small = ClipRecord(
        id=plan.id,
        path=names["small"],
        frames=config.frames,
        height=plan.side,
        width=plan.side,
        fps=config.fps,
        labels=plan.labels,
        split=plan.split,
        source=plan.source,
        tracks=plan.actors,
        extra=extra,
    )
    return small, replace(small, path=names["large"], height=large_side, width=large_side)
