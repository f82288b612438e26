"""What actors are made of: round limbs and flat faces in metres over time; their projection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.datasets.simulate.camera import Array, Camera, View
from tinyvirat.datasets.simulate.raster import Faces, Pixels, faces_of

GRID = 64.0  # pixels are rounded to 1/64, which hides the last digits of a platform's sine
CLOSEST = 0.25  # metres: nothing is drawn nearer to the camera


@dataclass(frozen=True, eq=False)
class Shapes:
    """An actor over T frames: C limbs, then the faces of its solids; N shapes in all.

    Attributes:
        ends_TC23: both ends of every limb in metres.
        radii_C2: thickness of a limb at its ends in metres.
        faces: arrays (T, P, K, 3) of flat convex faces of K corners, counter-clockwise seen from
            outside: a face that shows its back is not drawn.
        rgb_TN3: colours, 0 to 255; the first axis may be 1.
        depth_TN: the greater, the earlier it is painted; the first axis may be 1.
    """

    ends_TC23: Array
    radii_C2: Array
    faces: tuple[Array, ...]
    rgb_TN3: Array
    depth_TN: Array


def joined(parts: Sequence[Shapes]) -> Shapes:
    """Several shapes of the same frames as one actor."""
    frames = max(len(part.ends_TC23) for part in parts)

    def split(name: str) -> Array:
        limbs, faces = [], []
        for part in parts:
            values = getattr(part, name)
            values = np.broadcast_to(values, (frames, *values.shape[1:]))
            count = len(part.radii_C2)
            limbs.append(values[:, :count])
            faces.append(values[:, count:])
        return np.concatenate(limbs + faces, axis=1)

    return Shapes(
        ends_TC23=np.concatenate([part.ends_TC23 for part in parts], axis=1),
        radii_C2=np.concatenate([part.radii_C2 for part in parts]),
        faces=tuple(face for part in parts for face in part.faces),
        rgb_TN3=split("rgb_TN3"),
        depth_TN=split("depth_TN"),
    )


@dataclass(frozen=True, eq=False)
class Flat:
    """Shapes in pixels of a view.

    Attributes:
        ends_TC22, radii_TC2: the limbs.
        faces: of the solids, leading axes T and P.
        shown_TN: which shapes turn their front to the camera.
        rgb_TN3: colours, 0 to 255; the first axis may be 1.
        order_TN: the shapes from back to front.
        boxes_T4: what encloses everything, `x1, y1, x2, y2`.
    """

    ends_TC22: Pixels
    radii_TC2: Pixels
    faces: tuple[Faces, ...]
    shown_TN: npt.NDArray[np.bool_]
    rgb_TN3: npt.NDArray[np.float32]
    order_TN: npt.NDArray[np.int64]
    boxes_T4: Array


def _to_view(points: Array, camera: Camera, view: View, shift_T2: Array) -> tuple[Pixels, Array]:
    """World points (T, ..., 3) as pixels of the view (T, ..., 2), and pixels a metre there."""
    safe = np.concatenate((points[..., :2], np.maximum(points[..., 2:], CLOSEST)), axis=-1)
    pixels, size = camera.project(safe)
    shift = shift_T2.reshape(len(shift_T2), *(1,) * (points.ndim - 2), 2)
    pixels = (pixels + shift - np.array([view.x, view.y])) * view.scale
    return (np.rint(pixels * GRID) / GRID).astype(np.float32), size * view.scale


def flatten(shapes: Shapes, camera: Camera, view: View, shift_T2: Array) -> Flat:
    """Projects an actor; `shift_T2` is the shake of the camera in pixels of the scene."""
    frames = len(shapes.ends_TC23)
    ends, size = _to_view(shapes.ends_TC23, camera, view, shift_T2)
    radii = (np.rint(shapes.radii_C2 * size * GRID) / GRID).astype(np.float32)
    corners = [_to_view(face, camera, view, shift_T2)[0] for face in shapes.faces]
    faces = tuple(map(faces_of, corners))
    shown = np.ones((frames, shapes.rgb_TN3.shape[1]), dtype=bool)
    first = ends.shape[1]
    for face in faces:
        shown[:, first : first + face.area.shape[1]] = face.area > 0
        first += face.area.shape[1]
    order = np.argsort(-np.rint(shapes.depth_TN * 1e6), axis=1, kind="stable")
    return Flat(
        ends_TC22=ends,
        radii_TC2=radii,
        faces=faces,
        shown_TN=shown,
        rgb_TN3=np.clip(np.rint(shapes.rgb_TN3), 0, 255).astype(np.float32),
        order_TN=np.broadcast_to(order, shown.shape),
        boxes_T4=_boxes(ends, radii, corners),
    )


def _boxes(ends: Pixels, radii: Pixels, faces: Sequence[Pixels]) -> Array:
    frames = len(ends)
    low = [(ends - radii[..., None]).reshape(frames, -1, 2)]
    high = [(ends + radii[..., None]).reshape(frames, -1, 2)]
    for face in faces:
        low.append(face.reshape(frames, -1, 2))
        high.append(face.reshape(frames, -1, 2))
    least = np.concatenate(low, axis=1).min(axis=1)
    most = np.concatenate(high, axis=1).max(axis=1)
    return np.concatenate((least, most), axis=1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Shadow:
    """Shapes fallen flat on the ground, in pixels of a view.

    Attributes:
        ends_TC22, radii_TC2: of limbs, as in `Flat`.
        corners_TM2: of the solids; their shadow fills the convex hull.
        boxes_T4: what encloses everything.
    """

    ends_TC22: Pixels
    radii_TC2: Pixels
    corners_TM2: Pixels
    boxes_T4: Array


def shadow_of(
    shapes: Shapes, sun: tuple[float, float], camera: Camera, view: View, shift_T2: Array
) -> Shadow:
    """Projects the shadow of an actor.

    Args:
        shapes: the actor.
        sun: how far a metre of height casts its shadow, in metres along X and Z.
        camera: that sees it.
        view: that is drawn.
        shift_T2: the shake of the camera in pixels of the scene.
    """

    def fall(points: Array) -> Array:
        x, height, z = points[..., 0], points[..., 1], points[..., 2]
        level = np.zeros_like(height)
        return np.stack((x + sun[0] * height, level, z + sun[1] * height), axis=-1)

    frames = len(shapes.ends_TC23)
    # Round plates add nothing to the outline of what they are fixed to.
    corners = [face.reshape(frames, -1, 3) for face in shapes.faces if face.shape[2] == 4]
    solids = np.concatenate([*corners, np.zeros((frames, 0, 3))], axis=1)
    ends, size = _to_view(fall(shapes.ends_TC23), camera, view, shift_T2)
    radii = (np.rint(shapes.radii_C2 * size * GRID) / GRID).astype(np.float32)
    fallen = _to_view(fall(solids), camera, view, shift_T2)[0]
    return Shadow(ends, radii, fallen, _boxes(ends, radii, [fallen]))
