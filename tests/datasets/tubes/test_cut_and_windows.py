"""Pieces and windows: nothing lost, nothing outside."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.datasets.tubes.cut import chunks, is_long_enough, pieces_of, span_chunks
from tinyvirat.datasets.tubes.records import Span, Tube
from tinyvirat.datasets.tubes.rules import CropRule, CutRule, SizeRule
from tinyvirat.datasets.tubes.windows import is_wanted, side_of, smoothed, windows_of

from .scenes import SOME, boxes


@given(st.integers(0, 3000), st.integers(1, 400))
def test_pieces_are_equal_few_and_without_a_gap(frames: int, longest: int) -> None:
    pieces = pieces_of(frames, longest)
    assert [t for start, stop in pieces for t in range(start, stop)] == list(range(frames))
    lengths = [stop - start for start, stop in pieces]
    assert not lengths or (max(lengths) <= longest and max(lengths) - min(lengths) <= 1)
    assert len(pieces) == (frames + longest - 1) // longest


@given(st.integers(1, 50), st.integers(1, 200), st.integers(1, 5000))
def test_no_piece_of_a_long_tube_is_too_short(shortest: int, longest: int, frames: int) -> None:
    try:
        rule = CutRule(shortest, longest)
    except ValueError as error:
        assert "longest must be" in str(error)
        assert any(stop - start < shortest for start, stop in pieces_of(longest + 1, longest))
        return
    if is_long_enough(frames, rule):
        assert all(is_long_enough(stop - start, rule) for start, stop in pieces_of(frames, longest))


def test_a_tube_and_a_span_in_pieces() -> None:
    boxes_T4 = np.arange(28.0).reshape(7, 4)
    tube = Tube("v", 100, ("a",), boxes_T4, (1,), (2,))
    first, second, third = chunks(tube, CutRule(1, 3))
    assert [(one.start, one.stop) for one in (first, second, third)] == [
        (100, 102),
        (102, 104),
        (104, 107),
    ]
    assert np.concatenate([first.boxes_T4, second.boxes_T4, third.boxes_T4]).tolist() == (
        boxes_T4.tolist()
    )
    assert (second.labels, second.tracks, second.activities) == (("a",), (1,), (2,))
    span = Span("v", 100, 107, ("a",), (1,), (2,))
    assert span_chunks(span, CutRule(1, 3))[2] == replace(span, start=104)


CROPS = st.builds(
    CropRule,
    st.sampled_from(["follow", "fixed"]),
    st.sampled_from([0.0, 0.1, 0.37, 1.0]),
    st.sampled_from([1, 2, 5, 15, 99]),
)


@st.composite
def in_frame(draw: Any) -> tuple[np.ndarray, tuple[int, int]]:
    """Boxes inside a frame, and its size."""
    width, height = draw(st.integers(8, 120)), draw(st.integers(8, 120))
    corners = draw(boxes(draw(st.integers(1, 40))))
    size = np.array([width, height, width, height], np.float64)
    corners = np.clip(corners, 0, size - 1)
    corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2] + 1)
    return corners, (width, height)


@SOME
@given(in_frame(), CROPS, st.booleans())
def test_windows_hold_their_boxes(
    given_: tuple[np.ndarray, tuple[int, int]], rule: CropRule, is_known: bool
) -> None:
    boxes_T4, size = given_
    windows_T4 = windows_of(boxes_T4, rule, size if is_known else None)
    assert windows_T4.dtype == np.int64
    assert windows_T4.shape == boxes_T4.shape
    sides = windows_T4[:, 2:] - windows_T4[:, :2]
    assert len(np.unique(sides)) == 1
    side = int(sides[0, 0])
    assert side % 2 == 0
    assert (windows_T4[:, :2] <= boxes_T4[:, :2]).all()
    assert (windows_T4[:, 2:] >= boxes_T4[:, 2:]).all()
    if rule.window == "fixed":
        assert (windows_T4 == windows_T4[0]).all()
    for axis in (0, 1) if is_known else ():
        low_T, high_T = windows_T4[:, axis], windows_T4[:, axis + 2]
        if side <= size[axis]:
            assert (low_T >= 0).all()
            assert (high_T <= size[axis]).all()
        else:
            assert (low_T <= 0).all()
            assert (high_T >= size[axis]).all()
    assert np.array_equal(windows_of(boxes_T4, rule, size if is_known else None), windows_T4)


@SOME
@given(in_frame(), st.sampled_from([0.0, 0.1, 0.5]))
def test_a_side_is_no_larger_than_it_must_be(
    given_: tuple[np.ndarray, tuple[int, int]], context: float
) -> None:
    boxes_T4, _ = given_
    longest = float((boxes_T4[:, 2:] - boxes_T4[:, :2]).max())
    side = side_of(boxes_T4, context)
    assert longest * (1 + context) <= side + 1e-6
    # At most two more pixels for whole edges, and one for an even number.
    assert side < max(longest * (1 + context), longest + 2) + 2


@pytest.mark.parametrize(
    ("box", "context", "side"),
    [
        ((10, 10, 40, 60), 0.0, 50),
        ((10, 10, 40, 60), 0.1, 56),
        ((10, 10, 110, 20), 0.1, 110),
        ((10.5, 10, 40, 60.5), 0.0, 52),
        ((10, 10, 11, 11), 0.0, 2),
        ((10.9, 10, 20.1, 11), 0.0, 12),
    ],
)
def test_sides(box: tuple[float, ...], context: float, side: int) -> None:
    assert side_of(np.array([box], np.float64), context) == side


def test_a_window_has_the_context_on_both_sides() -> None:
    windows_T4 = windows_of(np.array([[40.0, 30, 60, 70]] * 4), CropRule(context=0.5))
    assert windows_T4.tolist() == [[20, 20, 80, 80]] * 4


def test_a_window_larger_than_the_frame_stays_in_the_middle() -> None:
    windows_T4 = windows_of(np.array([[0.0, 10, 30, 20]]), CropRule(context=0.5), (30, 30))
    assert windows_T4.tolist() == [[-8, -8, 38, 38]]


def test_a_steady_motion_is_followed_exactly() -> None:
    boxes_T4 = np.array([[3.0 * t, 2 * t, 3 * t + 20, 2 * t + 40] for t in range(30)])
    windows_T4 = windows_of(boxes_T4, CropRule(context=0.0, smooth=15))
    assert windows_T4[:, 0].tolist() == [3 * t - 10 for t in range(30)]
    assert windows_T4[:, 1].tolist() == [2 * t for t in range(30)]


def test_smoothing_takes_out_a_tremble() -> None:
    rng = np.random.default_rng(0)
    still_T4 = np.array([[100.0, 100, 130, 160]]) + rng.normal(0, 2, (120, 1))
    rough = windows_of(still_T4, CropRule(context=0.3, smooth=1))
    calm = windows_of(still_T4, CropRule(context=0.3, smooth=15))
    assert np.abs(np.diff(calm[:, 0])).sum() < np.abs(np.diff(rough[:, 0])).sum() / 4


def test_a_sudden_box_is_held_although_the_path_is_smooth() -> None:
    boxes_T4 = np.array([[0.0, 0, 20, 20]] * 20 + [[60.0, 0, 80, 20]] + [[0.0, 0, 20, 20]] * 20)
    windows_T4 = windows_of(boxes_T4, CropRule(context=0.0, smooth=15))
    assert windows_T4[20].tolist() == [60, 0, 80, 20]


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=20).map(np.array),
    st.integers(1, 9),
)
def test_a_smoothed_path_is_the_mean_around_each_frame(path_T: np.ndarray, frames: int) -> None:
    expected = []
    for t in range(len(path_T)):
        reach = min(t, len(path_T) - 1 - t, (frames - 1) // 2)
        expected.append(path_T[t - reach : t + reach + 1].mean())
    np.testing.assert_allclose(smoothed(path_T, frames), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "tiny", "large"),
    [
        (8, False, False),
        (10, True, False),
        (112, True, False),
        (114, True, True),
        (128, True, True),
        (130, False, True),
        (900, False, True),
    ],
)
def test_sizes(side: int, tiny: bool, large: bool) -> None:
    assert is_wanted(side, SizeRule()) is tiny
    assert is_wanted(side, SizeRule(larger_than=112)) is large


def test_pairwise_windows_of_a_walk_move_by_little() -> None:
    boxes_T4 = np.array([[2.0 * t, 0, 2 * t + 20 + (t % 5), 50] for t in range(80)])
    windows_T4 = windows_of(boxes_T4, CropRule())
    assert all(0 <= two - one <= 4 for one, two in pairwise(windows_T4[:, 0].tolist()))
