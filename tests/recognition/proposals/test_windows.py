"""The square windows: even, of one side, around every box, and those that training has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.datasets.tubes.rules import CropRule
from tinyvirat.datasets.tubes.windows import windows_of
from tinyvirat.recognition.proposals import ProposalError, square_windows

SIZE = (320, 240)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    length=st.integers(1, 20),
    context=st.sampled_from([0.0, 0.1, 1.0]),
    smooth=st.sampled_from([1, 5, 15]),
)
def test_windows_are_even_of_one_side_and_hold_every_box(
    seed: int, length: int, context: float, smooth: int
) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 150, (1, 2)) + np.cumsum(rng.normal(0, 3, (length, 2)), 0)
    boxes = np.concatenate([low, low + rng.uniform(1, 80, (length, 2))], 1)
    boxes = np.clip(boxes, 0, [320, 240, 320, 240])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 0.5)
    rule = CropRule(context=context, smooth=smooth)
    windows = square_windows(boxes, SIZE, rule)
    sides = windows[:, 2:] - windows[:, :2]
    assert len(np.unique(sides)) == 1 and sides[0, 0] % 2 == 0
    assert (windows[:, :2] <= boxes[:, :2]).all() and (windows[:, 2:] >= boxes[:, 2:]).all()
    np.testing.assert_array_equal(windows, windows_of(boxes, rule, SIZE))


def test_a_trembling_box_does_not_make_the_window_tremble() -> None:
    rng = np.random.default_rng(0)
    steady = np.tile([100.0, 80.0, 112.0, 110.0], (16, 1))
    windows = square_windows(steady + rng.uniform(-1, 1, (16, 4)), SIZE)
    assert np.ptp(windows, axis=0).max() <= 1


def test_the_rule_is_that_of_tinyvirat_where_none_is_given() -> None:
    boxes = [(10.0, 20.0, 20.0, 60.0)] * 3
    assert square_windows(boxes, SIZE)[0].tolist() == [0, 18, 44, 62]


@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), np.zeros((3, 2)), []])
def test_no_boxes_are_refused(boxes: object) -> None:
    with pytest.raises(ProposalError, match="shape"):
        square_windows(boxes, SIZE)  # type: ignore[arg-type]
