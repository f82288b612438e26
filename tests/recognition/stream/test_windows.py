"""Windows of a growing tube are those of the sampler, and their answers cover it without a gap."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.recognition.stream.past import Past
from tinyvirat.recognition.stream.windows import WindowPlace, WindowPlan, sliding
from tinyvirat.video.sampling import AllWindows, CentreWindow, RandomWindow, SlidingWindows


@st.composite
def samplers(draw: st.DrawFn) -> SlidingWindows:
    length, stride = draw(st.integers(1, 20)), draw(st.integers(1, 4))
    hop = draw(st.integers(1, length * stride))
    return SlidingWindows(length, hop, stride, draw(st.sampled_from(["loop", "edge"])))


def grown(sampler: SlidingWindows, frames: int, shortest: int = 1) -> list[WindowPlace]:
    """All windows of a tube; frames that the plan does not need any more are forgotten."""
    plan, kept = WindowPlan(sampler, shortest), Past[int]()
    found = []
    for frame in range(frames):
        kept.add(frame)
        found.append(plan.grow())
        if found[-1] is not None:
            kept.between(int(found[-1].indices_T.min()), int(found[-1].indices_T.max()) + 1)
        kept.forget(plan.needed)
        assert len(kept) <= (sampler.length - 1) * sampler.stride + 1 + sampler.hop
    found.append(plan.finish())
    if found[-1] is not None:
        kept.between(int(found[-1].indices_T.min()), frames)
    return [one for one in found if one is not None]


@given(samplers(), st.integers(1, 150))
@settings(max_examples=150, deadline=None)
def test_frame_by_frame_is_as_all_at_once(sampler: SlidingWindows, frames: int) -> None:
    places = grown(sampler, frames)
    wanted_NT = sampler.windows(frames)
    assert np.array_equal(np.stack([one.indices_T for one in places]), wanted_NT)


@given(samplers(), st.integers(1, 150))
@settings(max_examples=150, deadline=None)
def test_answers_cover_the_tube_once(sampler: SlidingWindows, frames: int) -> None:
    places = grown(sampler, frames)
    begins = [one.begin for one in places]
    assert begins[0] == 0
    assert begins == sorted(set(begins))
    assert begins[-1] < frames
    for before, place in pairwise(places):
        assert before.indices_T[0] < place.begin <= place.indices_T[-1]


def test_an_answer_lies_around_the_middle_of_its_window() -> None:
    places = grown(SlidingWindows(16, 8), 41)
    assert [int(one.indices_T[0]) for one in places] == [0, 8, 16, 24, 25]
    assert [one.begin for one in places] == [0, 12, 20, 28, 32]


@pytest.mark.parametrize(("frames", "windows"), [(1, 0), (5, 0), (6, 1), (15, 1), (16, 1), (17, 2)])
def test_a_tube_that_is_too_short_has_no_window(frames: int, windows: int) -> None:
    assert len(grown(SlidingWindows(16, 8), frames, shortest=6)) == windows


@pytest.mark.parametrize(
    ("sampler", "wanted"),
    [
        (AllWindows(16, 2, "edge"), SlidingWindows(16, 16, 2, "edge")),
        (CentreWindow(8), SlidingWindows(8, 4, 1)),
        (RandomWindow(16, (2, 1)), SlidingWindows(16, 8, 1)),
        (SlidingWindows(10, 10, 3), SlidingWindows(10, 15, 3)),
    ],
)
def test_a_model_s_sampler_says_length_stride_and_filling(
    sampler: AllWindows, wanted: SlidingWindows
) -> None:
    assert sliding(sampler, 0.5) == wanted
    assert sliding(sampler, 0.0).hop == sampler.length * wanted.stride
