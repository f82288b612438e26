"""Draws the frames of one view: ground, shadows, then everybody from far to near."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate import raster, sensor
from tinyvirat.datasets.simulate.camera import Array, View
from tinyvirat.datasets.simulate.ground import background, brightness
from tinyvirat.datasets.simulate.shapes import Flat, Shadow, Shapes, flatten, shadow_of
from tinyvirat.datasets.simulate.world import World, shapes_of

MASKED = raster.FULL // 4
"""An actor's pixel: at least a quarter of it is covered. Limbs far off are thinner than a pixel;
at a half, tiny people would have no arms."""

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Item:
    """Something to paint over the frames of a chunk.

    Attributes:
        flat: in pixels.
        shadow: the same fallen on the ground.
        depth_T: the greater, the earlier it is painted.
        value: in the mask; 0 hides who is behind.
    """

    flat: Flat
    shadow: Shadow
    depth_T: Array
    value: int


class Painter:
    """Draws frames of one view of a world.

    Args:
        world: what to draw.
        view: which part, and how finely.
        noise: of the sensor, standard deviation in grey levels.
    """

    def __init__(self, world: World, view: View, noise: float) -> None:
        self.world, self.view, self.noise = world, view, noise
        config = world.config
        self.soft = 1.0 + config.blur
        self.margin = int(np.ceil(config.jitter * view.scale)) + 1 if config.jitter else 0
        around = View(
            view.x - self.margin / view.scale,
            view.y - self.margin / view.scale,
            view.width + 2 * self.margin,
            view.height + 2 * self.margin,
            view.scale,
        )
        still = background(world.place, world.camera, around)
        self.still = sensor.blurred(still, config.blur)
        self.columns = np.arange(view.width, dtype=np.float32) + np.float32(0.5)
        self.rows = np.arange(view.height, dtype=np.float32) + np.float32(0.5)

    def chunk(self, start: int, stop: int) -> Iterator[tuple[int, Image, Image]]:
        """Index, frame (H, W, 3) and mask (H, W) of the frames `[start, stop)`."""
        config = self.world.config
        shift = sensor.shake(config, start, stop)
        items = list(self._items(start, stop, shift))
        for number, index in enumerate(range(start, stop)):
            frame = sensor.shifted(self.still, shift[number] * self.view.scale, self.margin)
            mask = np.zeros(frame.shape[:2], dtype=np.uint8)
            for item in items:
                self._shade(frame, item.shadow, number)
            for item in sorted(items, key=lambda one: -one.depth_T[number]):
                self._paint(frame, mask, item, number)
            yield index, sensor.noisy(frame, self.noise, (config.seed, index)), mask

    def _items(self, start: int, stop: int, shift_T2: Array) -> Iterator[Item]:
        world = self.world
        for value, actor in enumerate(world.actors, start=1):
            depth = actor.motion.place_T2[start:stop, 1]
            yield self._item(shapes_of(world, actor, start, stop), depth, value, shift_T2)
        for fixture in world.fixtures:
            depth = np.full(stop - start, fixture.depth)
            yield self._item(fixture.shapes(stop - start), depth, 0, shift_T2)

    def _item(self, shapes: Shapes, depth_T: Array, value: int, shift_T2: Array) -> Item:
        world, view = self.world, self.view
        flat = flatten(shapes, world.camera, view, shift_T2)
        middle = (flat.boxes_T4[:, 0] + flat.boxes_T4[:, 2]) / 2 / view.scale + view.x
        light = brightness(world.place, middle, world.config.width)[:, None, None]
        rgb = np.clip(np.rint(flat.rgb_TN3 * light * np.array(world.place.tint)), 0, 255)
        return Item(
            flat=replace(flat, rgb_TN3=rgb.astype(np.float32)),
            shadow=shadow_of(shapes, world.place.sun, world.camera, view, shift_T2),
            depth_T=depth_T,
            value=value,
        )

    def _patch(self, box_4: Array) -> tuple[slice, slice] | None:
        """Rows and columns that something in a box can touch; None when that is outside."""
        edge = self.soft / 2 + 1
        x1, y1 = max(int(box_4[0] - edge), 0), max(int(box_4[1] - edge), 0)
        x2 = min(int(np.ceil(box_4[2] + edge)), self.view.width)
        y2 = min(int(np.ceil(box_4[3] + edge)), self.view.height)
        return None if x1 >= x2 or y1 >= y2 else (slice(y1, y2), slice(x1, x2))

    def _paint(self, frame: Image, mask: Image, item: Item, number: int) -> None:
        flat = item.flat
        patch = self._patch(flat.boxes_T4[number])
        if patch is None:
            return
        rows, columns = patch
        shown = flat.shown_TN[number]
        order = flat.order_TN[number]
        # Faces turned away have no layer: number those that are left.
        order = (np.cumsum(shown) - 1)[order[shown[order]]]
        layers = raster.weights(self._covers(flat, number, rows, columns), order)
        total = raster.lay_over(frame[rows, columns], layers, flat.rgb_TN3[number][shown])
        # What hides others must cover most of a pixel for them to lose it.
        least = MASKED if item.value else raster.FULL - MASKED
        mask[rows, columns][total >= least] = item.value

    def _covers(self, flat: Flat, number: int, rows: slice, columns: slice) -> raster.Cover:
        """How much every shape that is shown covers each pixel of a patch, shape (N, H, W)."""
        xs, ys = self.columns[columns], self.rows[rows]
        shown = flat.shown_TN[number]
        covers = np.zeros((int(shown.sum()), len(ys), len(xs)), dtype=np.float32)
        ends = flat.ends_TC22[number]
        done = first = len(ends)
        covers[:first] = raster.limbs_cover(ends, flat.radii_TC2[number], xs, ys, self.soft)
        for face in flat.faces:
            count = face.area.shape[1]
            which = np.flatnonzero(shown[first : first + count])
            first += count
            if not len(which):
                continue
            fronts = face.at(number, which)
            low, high = fronts.boxes_4[:, :2].min(axis=0), fronts.boxes_4[:, 2:].max(axis=0)
            patch = self._patch(np.concatenate((low, high)))
            if patch is not None:
                part = (slice(done, done + len(which)), *_within(patch, rows, columns))
                covers[part] = raster.faces_cover(
                    fronts, self.columns[patch[1]], self.rows[patch[0]], self.soft
                )
            done += len(which)
        return covers

    def _shade(self, frame: Image, shadow: Shadow, number: int) -> None:
        patch = self._patch(shadow.boxes_T4[number])
        if patch is None:
            return
        rows, columns = patch
        xs, ys = self.columns[columns], self.rows[rows]
        soft = self.soft + 0.5
        limbs = raster.limbs_cover(shadow.ends_TC22[number], shadow.radii_TC2[number], xs, ys, soft)
        cover = limbs.max(axis=0, initial=0)
        outline = raster.hull(shadow.corners_TM2[number])
        if len(outline) > 2:
            np.maximum(
                cover,
                raster.faces_cover(raster.faces_of(outline[None]), xs, ys, soft)[0],
                out=cover,
            )
        raster.darken(frame[rows, columns], cover, self.world.place.shade)


def _within(patch: tuple[slice, slice], rows: slice, columns: slice) -> tuple[slice, slice]:
    """A patch of the image as rows and columns of a larger one that holds it."""
    down, right = patch
    return (
        slice(down.start - rows.start, down.stop - rows.start),
        slice(right.start - columns.start, right.stop - columns.start),
    )
