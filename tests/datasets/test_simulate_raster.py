"""Coverage is area: shapes cover what geometry says, and layers add up to whole pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.datasets.simulate.raster import (
    FULL,
    darken,
    faces_cover,
    faces_of,
    hull,
    lay_over,
    limbs_cover,
    weights,
)

SIDE = 24
CENTRES = np.arange(SIDE, dtype=np.float32) + np.float32(0.5)
inner = st.floats(7, 17, width=32)


def limb(ax: float, ay: float, bx: float, by: float, ra: float, rb: float) -> np.ndarray:
    ends = np.array([[[ax, ay], [bx, by]]], dtype=np.float32)
    return limbs_cover(ends, np.array([[ra, rb]], dtype=np.float32), CENTRES, CENTRES, 1.0)[0]


def face(corners: list[tuple[float, float]], soft: float = 1.0) -> np.ndarray:
    return faces_cover(faces_of(np.array([corners], dtype=np.float32)), CENTRES, CENTRES, soft)[0]


@settings(max_examples=40, deadline=None)
@given(inner, inner, inner, inner, st.floats(1.0, 4.0))
def test_a_limb_covers_its_area(ax: float, ay: float, bx: float, by: float, r: float) -> None:
    length = float(np.hypot(bx - ax, by - ay))
    area = np.pi * r * r + 2 * r * length
    # The ramp across an edge stands for the true area of each pixel: right but for round ends.
    assert limb(ax, ay, bx, by, r, r).sum() == pytest.approx(area, rel=0.08, abs=0.8)


@settings(max_examples=40, deadline=None)
@given(inner, inner, inner, inner, st.floats(0.05, 0.4))
def test_a_limb_thinner_than_a_pixel_is_faint(
    ax: float, ay: float, bx: float, by: float, r: float
) -> None:
    cover = limb(ax, ay, bx, by, r, r)
    assert cover.max() <= 2 * r + 1e-6


def test_a_limb_tapers() -> None:
    cover = limb(4, 12, 20, 12, 4, 1)
    assert cover[:, 5].sum() == pytest.approx(8, abs=0.6)
    assert cover[:, 19].sum() == pytest.approx(2, abs=0.6)


@settings(max_examples=40, deadline=None)
@given(inner, inner, st.floats(3, 7), st.floats(3, 7), st.floats(0, 3.1))
def test_a_face_covers_its_area(x: float, y: float, w: float, h: float, turn: float) -> None:
    local = np.array([(-w, -h), (-w, h), (w, h), (w, -h)]) / 2
    cos, sin = np.cos(turn), np.sin(turn)
    corners = local @ np.array([[cos, sin], [-sin, cos]]) + np.array([x, y])
    prepared = faces_of(corners[None].astype(np.float32))
    assert prepared.area[0] == pytest.approx(w * h, rel=1e-3)
    cover = faces_cover(prepared, CENTRES, CENTRES, 1.0)[0]
    # Ramps are sampled at the pixels' centres: each edge may lie an eighth of a pixel off.
    assert cover.sum() == pytest.approx(w * h, abs=2 * (w + h) / 8)


def test_a_face_seen_from_behind_has_negative_area() -> None:
    front = np.array([[(2, 2), (2, 9), (9, 9), (9, 2)]], dtype=np.float32)
    assert faces_of(front).area[0] == pytest.approx(49)
    assert faces_of(front[:, ::-1]).area[0] == pytest.approx(-49)


def test_a_corner_given_twice_changes_nothing() -> None:
    square = [(4.0, 4.0), (4.0, 14.0), (14.0, 14.0), (14.0, 4.0)]
    assert np.array_equal(face(square), face([*square, square[-1], square[-1]]))


def test_a_sliver_stays_within_its_bounds_and_faint() -> None:
    cover = face([(4.0, 4.0), (12.0, 12.02), (12.0, 11.98), (4.01, 3.99)])
    assert cover.max() < 0.05
    assert not cover[:, 14:].any()
    assert not cover[14:].any()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(inner, inner), min_size=3, max_size=12, unique=True))
def test_a_hull_holds_its_points(points: list[tuple[float, float]]) -> None:
    outline = hull(np.array(points, dtype=np.float32))
    if len(outline) < 3:
        return
    prepared = faces_of(outline[None])
    assert prepared.area[0] >= 0
    nx, ny, c = prepared.lines_K3[0].T
    assert max((x * nx + y * ny + c).max() for x, y in points) < 1e-2
    assert {tuple(corner) for corner in outline.tolist()} <= set(points)


def test_layers_on_top_hide_those_below() -> None:
    cover = np.array([[[1.0]], [[0.25]], [[0.5]]], dtype=np.float32)
    shares = weights(cover, np.array([0, 1, 2]))[:, 0, 0] / FULL
    assert shares.tolist() == [0.375, 0.125, 0.5]
    turned = weights(cover, np.array([2, 1, 0]))[:, 0, 0] / FULL
    assert turned.tolist() == [1.0, 0.0, 0.0]


def test_paint_goes_over_what_was_there() -> None:
    frame = np.full((1, 2, 3), 100, dtype=np.uint8)
    layers = np.array([[[FULL / 2, 0]], [[FULL / 4, 0]]], dtype=np.float32)
    colours = np.array([[200, 0, 40], [0, 80, 40]], dtype=np.float32)
    total = lay_over(frame, layers, colours)
    assert total.tolist() == [[FULL * 3 // 4, 0]]
    assert frame.tolist() == [[[125, 45, 55], [100, 100, 100]]]


def test_shadows_darken_by_their_strength() -> None:
    frame = np.full((1, 3, 3), 200, dtype=np.uint8)
    darken(frame, np.array([[0.0, 0.5, 1.0]], dtype=np.float32), 0.5)
    assert frame[0, :, 0].tolist() == [200, 150, 100]
