"""Pixels and truth of a scene: frames, masks, tracks and activities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.annotations import Activity, Track
from tinyvirat.datasets.simulate.camera import Array, View, whole
from tinyvirat.datasets.simulate.config import SceneConfig
from tinyvirat.datasets.simulate.paint import Painter
from tinyvirat.datasets.simulate.sensor import shake
from tinyvirat.datasets.simulate.shapes import flatten
from tinyvirat.datasets.simulate.world import Actor, World, build_world, shapes_of

CHUNK = 64  # frames whose joints are computed at once
VISIBLE = 0.25  # of a box must lie inside the frame for its track to have it


@dataclass(frozen=True, eq=False)
class SceneFrame:
    """One rendered frame.

    Attributes:
        index: from 0.
        frame_HWC: uint8 RGB.
        mask_HW: uint8; 0 is background, k the k-th track, counting from 1.
    """

    index: int
    frame_HWC: npt.NDArray[np.uint8]
    mask_HW: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Scene:
    """A rendered scene with its truth; a drawing for tests and demonstrations, not evidence.

    Attributes:
        config: it was rendered from.
        view: the part of it that was drawn.
        frames_THWC: uint8 RGB.
        masks_THW: uint8; 0 is background, k is `tracks[k - 1]`, the nearest actor winning.
        tracks: one an actor, boxes in pixels of the view, with what a person carries or pushes.
            A box encloses the actor as if nothing stood before it, cut at the frame's edge.
        activities: what the actors do.
    """

    config: SceneConfig
    view: View
    frames_THWC: npt.NDArray[np.uint8]
    masks_THW: npt.NDArray[np.uint8]
    tracks: tuple[Track, ...]
    activities: tuple[Activity, ...]


def render_scene(config: SceneConfig, *, scale: float = 1.0, view: View | None = None) -> Scene:
    """Draws a whole scene into memory; `iter_frames` draws long ones frame by frame.

    Args:
        config: what to draw.
        scale: pixels drawn for one pixel of the scene; the same moments at any resolution.
        view: draws this part only; `scale` is then the view's own.
    """
    world = build_world(config)
    view = view or whole(config, scale)
    shape = (config.frames, view.height, view.width)
    frames, masks = np.empty((*shape, 3), dtype=np.uint8), np.empty(shape, dtype=np.uint8)
    for one in iter_frames(world, view=view):
        frames[one.index], masks[one.index] = one.frame_HWC, one.mask_HW
    return Scene(config, view, frames, masks, tracks_of(world, view), world.activities)


def iter_frames(
    scene: SceneConfig | World,
    *,
    view: View | None = None,
    start: int = 0,
    stop: int | None = None,
    noise: float | None = None,
) -> Iterator[SceneFrame]:
    """Draws frames `[start, stop)` one by one; memory does not grow with their number.

    Args:
        scene: what to draw.
        view: the part to draw and its scale; the whole frame by default.
        start: first frame.
        stop: the frame after the last; the end of the scene by default.
        noise: of the sensor, in place of the configuration's.
    """
    world = scene if isinstance(scene, World) else build_world(scene)
    config = world.config
    view = view or whole(config)
    stop = config.frames if stop is None else min(stop, config.frames)
    painter = Painter(world, view, config.noise if noise is None else noise)
    for first in range(start, stop, CHUNK):
        for drawn in painter.chunk(first, min(first + CHUNK, stop)):
            yield SceneFrame(*drawn)


def boxes_of(world: World, actor: Actor, view: View | None = None) -> Array:
    """What encloses an actor in every frame, in sight or not; pixels of the view, (T, 4)."""
    frames = world.config.frames
    view = view or whole(world.config)
    pieces = []
    for start in range(0, frames, CHUNK):
        stop = min(start + CHUNK, frames)
        shapes = shapes_of(world, actor, start, stop)
        shift = shake(world.config, start, stop)
        pieces.append(flatten(shapes, world.camera, view, shift).boxes_T4)
    return np.concatenate(pieces)


def tracks_of(world: World, view: View | None = None) -> tuple[Track, ...]:
    """Where every actor is seen, without drawing anything; boxes in pixels of the view."""
    view = view or whole(world.config)
    edge = np.array([view.width, view.height] * 2, dtype=np.float64)
    tracks = []
    for actor in world.actors:
        boxes = boxes_of(world, actor, view)
        inside = np.clip(boxes, 0, edge)
        seen = np.flatnonzero(_area(inside) >= VISIBLE * _area(boxes))
        tracks.append(Track(actor.id, actor.type, seen.astype(np.int64), inside[seen]))
    return tuple(tracks)


def _area(boxes_N4: Array) -> Array:
    sides = boxes_N4[:, 2:] - boxes_N4[:, :2]
    return np.asarray(sides[:, 0] * sides[:, 1])
