"""From sightings to tubes: late, bridged, smooth, and each by the rules of a tube."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.recognition.proposals import TubeFrame, collect
from tinyvirat.recognition.proposals.keeping import Sighting, TubeKeeper

SIZE = (200, 100)


def told(
    sightings: dict[int, dict[int, tuple[float, float, float, float]]],
    frames: int,
    *,
    lag: int = 10,
    reach: int = 0,
    confirmed: int = 0,
) -> list[TubeFrame]:
    """What a keeper makes of the boxes of actors by frame; confirmed from a frame on."""
    keeper = TubeKeeper(SIZE, lag, reach)
    out: list[TubeFrame] = []
    for t in range(frames):
        seen = [
            Sighting(actor, boxes[t], t >= confirmed)
            for actor, boxes in sightings.items()
            if t in boxes
        ]
        out += keeper.add(t, t / 10, seen)
    return out + list(keeper.finish())


def moving(t: int) -> tuple[float, float, float, float]:
    return 10.0 + t, 20.0, 20.0 + t, 45.0


def test_boxes_come_lag_frames_late() -> None:
    keeper = TubeKeeper(SIZE, 5, 0)
    given_at = {}
    for t in range(12):
        for ready in keeper.add(t, t / 10, []):
            given_at[ready.index] = t
    assert given_at == {t: t + 5 for t in range(7)}
    assert [ready.index for ready in keeper.finish()] == [7, 8, 9, 10, 11]


def test_a_gap_is_interpolated_and_said_not_to_be_seen() -> None:
    boxes = {t: moving(t) for t in range(30) if not 10 <= t < 18}
    (tube,) = collect(told({7: boxes}, 30))
    assert tube.frames_T.tolist() == list(range(30))
    np.testing.assert_allclose(tube.boxes_T4[12], moving(12))
    assert tube.seen_T.tolist() == [not 10 <= t < 18 for t in range(30)]


def test_a_tube_ends_when_its_actor_was_last_seen() -> None:
    frames = told({7: {t: moving(t) for t in range(12)}}, 40)
    assert [f.index for f in frames if f.boxes] == list(range(12))
    assert [f.ended for f in frames if f.ended] == [(0,)]
    assert frames[12].ended == (0,)


def test_a_steady_motion_is_not_changed_by_smoothing() -> None:
    (tube,) = collect(told({0: {t: moving(t) for t in range(30)}}, 30, reach=4))
    np.testing.assert_allclose(tube.boxes_T4, [moving(t) for t in range(30)])


def test_a_box_that_is_far_off_once_does_not_count() -> None:
    boxes = {t: moving(t) for t in range(30)} | {15: (60.0, 50.0, 150.0, 99.0)}
    (tube,) = collect(told({0: boxes}, 30, reach=3))
    np.testing.assert_allclose(tube.boxes_T4[15], moving(15), atol=1.0)


def test_who_is_never_confirmed_is_nobody() -> None:
    assert collect(told({0: {t: moving(t) for t in range(30)}}, 30, confirmed=99)) == ()


@pytest.mark.parametrize(("confirmed", "first"), [(6, 0), (10, 0), (14, 4)])
def test_who_is_confirmed_within_the_lag_is_there_from_the_start(
    confirmed: int, first: int
) -> None:
    (tube,) = collect(told({0: {t: moving(t) for t in range(30)}}, 30, confirmed=confirmed))
    assert tube.frames_T[0] == first


def test_boxes_are_cut_to_the_frame_and_end_with_it() -> None:
    def leaving(t: int) -> tuple[float, float, float, float]:
        return 150.0 + 5 * t, 10.0, 170.0 + 5 * t, 50.0

    (tube,) = collect(told({0: {t: leaving(t) for t in range(20)}}, 20))
    assert tube.boxes_T4[:, 2].max() == 200.0
    assert tube.frames_T[-1] == 9  # 195 to 200; in the next frame nothing is left


def test_boxes_go_with_a_shaking_camera() -> None:
    keeper = TubeKeeper(SIZE, 2, 1)
    out: list[TubeFrame] = []
    for t in range(8):
        shift = (float(t % 3), -float(t % 2))
        out += keeper.add(t, 0.0, [Sighting(0, (10.0, 20.0, 20.0, 40.0), True)], shift)
    for frame in [*out, *keeper.finish()]:
        x, y = frame.index % 3, -(frame.index % 2)
        assert frame.boxes[0].box == (10.0 + x, 20.0 + y, 20.0 + x, 40.0 + y)


@st.composite
def sightings(draw: st.DrawFn) -> dict[int, dict[int, tuple[float, float, float, float]]]:
    """Actors that come and go at random, but are never away for longer than the lag."""
    found = {}
    for actor in range(draw(st.integers(0, 4))):
        rng = np.random.default_rng(draw(st.integers(0, 10**6)))
        place, boxes = int(rng.integers(0, 20)), {}
        while place < 50 and rng.random() < 0.95:
            low = rng.uniform(-20, 190, 2)
            x1, y1 = low.tolist()
            x2, y2 = (low + rng.uniform(0.1, 60, 2)).tolist()
            boxes[place] = (x1, y1, x2, y2)
            place += int(rng.integers(1, 7))
        found[actor] = boxes
    return found


@settings(max_examples=60, deadline=None)
@given(sightings(), st.integers(0, 5))
def test_every_tube_keeps_the_rules(
    actors: dict[int, dict[int, tuple[float, float, float, float]]], reach: int
) -> None:
    frames = told(actors, 50, lag=6, reach=reach)
    assert [frame.index for frame in frames] == list(range(50))
    live: set[int] = set()
    ever: set[int] = set()
    for frame in frames:
        numbers = [box.tube for box in frame.boxes]
        assert numbers == sorted(set(numbers))
        assert set(frame.born) == set(numbers) - live
        assert not set(frame.born) & ever
        assert set(frame.ended) == live - set(numbers)
        live, ever = set(numbers), ever | set(numbers)
        for box in frame.boxes:
            x1, y1, x2, y2 = box.box
            assert x1 >= 0 and x1 + 1 <= x2 <= SIZE[0] and y1 >= 0 and y1 + 1 <= y2 <= SIZE[1]
    assert ever == set(range(len(ever)))
