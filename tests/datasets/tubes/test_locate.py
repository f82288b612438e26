"""Where activities are: interpolation, clipping, actors that come and go."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.annotations import Activity, Annotations
from tinyvirat.datasets.tubes.locate import located, seen

from .scenes import SOME, scenes, still, track


def test_a_small_gap_is_crossed_in_a_straight_line() -> None:
    gappy = track(1, 0, [[0, 0, 10, 20], [40, 8, 58, 28]], frames=[3, 7])
    filled = seen(gappy, longest_gap=3)
    assert filled.frames_T.tolist() == [3, 4, 5, 6, 7]
    assert filled.boxes_T4[1].tolist() == [10, 2, 22, 22]
    assert filled.boxes_T4[2].tolist() == [20, 4, 34, 24]


@pytest.mark.parametrize(("longest", "frames"), [(2, [3, 7]), (3, [3, 4, 5, 6, 7])])
def test_a_gap_is_counted_in_missing_frames(longest: int, frames: list[int]) -> None:
    gappy = track(1, 0, [[0, 0, 10, 20], [40, 8, 58, 28]], frames=[3, 7])
    assert seen(gappy, longest).frames_T.tolist() == frames


def test_small_and_large_gaps_of_one_track() -> None:
    gappy = track(1, 0, [[t, 0, t + 8, 8] for t in (0, 2, 3, 9, 11)], frames=[0, 2, 3, 9, 11])
    filled = seen(gappy, longest_gap=2)
    assert filled.frames_T.tolist() == [0, 1, 2, 3, 9, 10, 11]
    assert filled.boxes_T4[:, 0].tolist() == [0, 1, 2, 3, 9, 10, 11]


def test_boxes_are_clipped_to_the_frame_and_end_at_its_edge() -> None:
    leaving = track(1, 0, [[x, 5, x + 10, 25] for x in (85, 95, 99, 99.5, 120)])
    clipped = seen(leaving, 0, frame_size=(100, 20))
    assert clipped.frames_T.tolist() == [0, 1, 2]
    assert clipped.boxes_T4.tolist() == [[85, 5, 95, 20], [95, 5, 100, 20], [99, 5, 100, 20]]


def test_gaps_are_crossed_before_boxes_are_clipped() -> None:
    gappy = track(1, 0, [[80, 0, 90, 10], [120, 0, 130, 10]], frames=[0, 4])
    assert seen(gappy, 3, frame_size=(100, 100)).boxes_T4.tolist() == [
        [80, 0, 90, 10],
        [90, 0, 100, 10],
    ]


def test_nothing_lies_beyond_the_video() -> None:
    assert seen(still(1, 5, 20, (0, 0, 9, 9)), 0, frames=12).frames_T.tolist() == [*range(5, 12)]


def test_an_activity_lasts_while_any_actor_is_seen() -> None:
    person, car = still(1, 0, 8, (0, 0, 10, 20)), still(2, 4, 12, (5, 5, 45, 25))
    activity = Activity(7, "get into vehicle", 2, 11, (2, 1))
    (stretch,) = located(activity, {1: seen(person, 0), 2: seen(car, 0)})
    assert (stretch.start, stretch.stop, stretch.actors) == (2, 11, (1, 2))
    assert stretch.boxes_T4[:2].tolist() == [[0, 0, 10, 20]] * 2
    assert stretch.boxes_T4[2:6].tolist() == [[0, 0, 45, 25]] * 4
    assert stretch.boxes_T4[6:].tolist() == [[5, 5, 45, 25]] * 3


def test_a_gap_of_all_actors_parts_an_activity() -> None:
    early, late = still(1, 0, 5, (0, 0, 9, 9)), still(2, 7, 9, (0, 0, 9, 9))
    activity = Activity(7, "Talking", 0, 20, (1, 2))
    parts = located(activity, {1: seen(early, 0), 2: seen(late, 0)})
    assert [(one.start, one.stop, one.actors) for one in parts] == [(0, 5, (1,)), (7, 9, (2,))]


def test_a_single_frame_without_a_box_parts_an_activity_too() -> None:
    gappy = track(1, 0, [[0, 0, 9, 9]] * 4, frames=[3, 4, 6, 7])
    parts = located(Activity(7, "Misc", 0, 20, (1,)), {1: seen(gappy, 0)})
    assert [(one.start, one.stop) for one in parts] == [(3, 5), (6, 8)]


@pytest.mark.parametrize("frame", [4, 6, 8])
def test_an_actor_of_a_single_frame_counts(frame: int) -> None:
    brief, long = track(1, 0, [[0, 0, 9, 9]], frames=[frame]), still(2, 4, 9, (0, 0, 20, 20))
    (part,) = located(Activity(7, "Misc", 0, 20, (1, 2)), {1: seen(brief, 0), 2: seen(long, 0)})
    assert part.actors == (1, 2)


@pytest.mark.parametrize("actors", [(), (3,)])
def test_an_activity_of_nobody_is_nowhere(actors: tuple[int, ...]) -> None:
    assert located(Activity(7, "Misc", 0, 20, actors), {3: seen(track(3, 0, []), 30)}) == ()


@SOME
@given(scenes(), st.integers(0, 3))
def test_it_is_what_looking_at_each_frame_gives(scene: Annotations, longest_gap: int) -> None:
    seen_of = {one.id: seen(one, longest_gap) for one in scene.tracks}
    for activity in scene.activities:
        expected = {}
        for t in range(activity.start, activity.stop):
            here = [
                seen_of[actor].boxes_T4[seen_of[actor].frames_T == t][0]
                for actor in activity.actors
                if t in seen_of[actor].frames_T
            ]
            if here:
                low, high = np.min(here, axis=0)[:2], np.max(here, axis=0)[2:]
                expected[t] = [*low.tolist(), *high.tolist()]
        parts = located(activity, seen_of)
        found = {
            part.start + t: box for part in parts for t, box in enumerate(part.boxes_T4.tolist())
        }
        assert found == expected
        assert sum(len(part.boxes_T4) for part in parts) == len(found)
        assert all(one.stop < two.start for one, two in pairwise(parts))
