"""What becomes one tube, and where a tube is split."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.annotations import Activity, Annotations, Track
from tinyvirat.datasets.tubes.merge import merge, merge_unlocated, overlap_of
from tinyvirat.datasets.tubes.records import Tube
from tinyvirat.datasets.tubes.rules import MergeRule

from .scenes import SOME, annotated, scenes, still, stretches_of, track

A, B, C = (100.0, 50.0, 130.0, 110.0), (125.0, 50.0, 155.0, 110.0), (300.0, 50.0, 330.0, 110.0)
MEASURES = ("smaller", "iou", "actors")


def tubes_of(
    tracks: list[Track], activities: list[Activity], rule: MergeRule | None = None
) -> list[tuple[int, int, tuple[str, ...], tuple[int, ...]]]:
    """Start, stop, labels and tracks of each tube."""
    found = merge("v", stretches_of(annotated(tracks, activities)), rule or MergeRule())
    return [(one.start, one.stop, one.labels, one.tracks) for one in found]


def test_a_tube_is_split_where_labels_change() -> None:
    walking = Activity(1, "walking", 0, 60, (1,))
    carrying = Activity(2, "carrying", 20, 40, (1,))
    assert tubes_of([still(1, 0, 60, A)], [carrying, walking]) == [
        (0, 20, ("walking",), (1,)),
        (20, 40, ("carrying", "walking"), (1,)),
        (40, 60, ("walking",), (1,)),
    ]


def test_a_label_that_goes_on_in_another_activity_does_not_split() -> None:
    acts = [
        Activity(1, "walking", 0, 30, (1,)),
        Activity(2, "walking", 25, 60, (1,)),
        Activity(3, "walking", 60, 70, (1,)),
    ]
    (tube,) = merge("v", stretches_of(annotated([still(1, 0, 90, A)], acts)), MergeRule())
    assert (tube.start, tube.stop, tube.activities) == (0, 70, (1, 2, 3))


def test_a_tube_is_split_where_somebody_joins() -> None:
    acts = [Activity(1, "Talking", 0, 50, (1,)), Activity(2, "Talking", 30, 50, (1, 2))]
    assert tubes_of([still(1, 0, 50, A), still(2, 0, 50, B)], acts) == [
        (0, 30, ("Talking",), (1,)),
        (30, 50, ("Talking",), (1, 2)),
    ]


def test_what_two_do_together_gathers_what_each_does() -> None:
    acts = [
        Activity(1, "standing", 0, 50, (1,)),
        Activity(2, "walking", 0, 50, (2,)),
        Activity(3, "Talking", 0, 50, (1, 2)),
        Activity(4, "walking", 0, 50, (3,)),
    ]
    tracks = [still(1, 0, 50, A), still(2, 0, 50, B), still(3, 0, 50, C)]
    assert tubes_of(tracks, acts) == [
        (0, 50, ("Talking", "standing", "walking"), (1, 2)),
        (0, 50, ("walking",), (3,)),
    ]
    (tube, _) = merge("v", stretches_of(annotated(tracks, acts)), MergeRule())
    assert tube.boxes_T4.tolist() == [[100, 50, 155, 110]] * 50


def test_a_chain_does_not_glue_the_scene_together() -> None:
    # Eight people in a queue; each covers three fifths of the next.
    tracks = [still(n, 0, 40, (12.0 * n, 0, 12.0 * n + 30, 60)) for n in range(8)]
    acts = [Activity(n, "standing", 0, 40, (n,)) for n in range(8)]
    found = merge("v", stretches_of(annotated(tracks, acts)), MergeRule())
    assert len(found) >= 3
    widths = [float(one.boxes_T4[0, 2] - one.boxes_T4[0, 0]) for one in found]
    assert max(widths) <= 30 + 2 * 12  # the leader, and one that is half inside on either side
    assert sorted(track for one in found for track in one.tracks) == list(range(8))


def test_a_small_one_that_was_there_first_does_not_lead() -> None:
    tracks = [
        still(1, 0, 60, (40, 0, 60, 20)),
        still(2, 20, 60, (0, 0, 51, 60)),
        still(3, 20, 60, (49, 0, 99, 60)),
    ]
    acts = [Activity(n, f"a{n}", 0, 60, (n,)) for n in (1, 2, 3)]
    assert [one[3] for one in tubes_of(tracks, acts)] == [(1,), (1, 2), (3,)]


def test_who_could_join_two_joins_the_one_it_overlaps_more() -> None:
    tracks = [
        still(1, 0, 20, (0, 0, 100, 100)),
        still(2, 0, 20, (90, 0, 180, 100)),
        still(3, 0, 20, (85, 0, 115, 30)),
    ]
    acts = [Activity(n, f"a{n}", 0, 20, (n,)) for n in (1, 2, 3)]
    assert [one[3] for one in tubes_of(tracks, acts)] == [(1,), (2, 3)]


def test_somebody_who_passes_in_front_does_not_join() -> None:
    passing = track(2, 0, [[50 + 2 * t, 60, 70 + 2 * t, 110] for t in range(50)])
    acts = [Activity(1, "standing", 0, 50, (1,)), Activity(2, "walking", 0, 50, (2,))]
    assert len(tubes_of([still(1, 0, 50, A), passing], acts)) == 2


@pytest.mark.parametrize(
    ("measure", "value"), [("smaller", 0.75), ("iou", 300 / 1300), ("actors", 0.5)]
)
def test_measures(measure: str, value: float) -> None:
    tracks = [
        still(1, 0, 10, (0, 0, 40, 30)),
        still(2, 4, 20, (25, 10, 45, 30)),
        still(3, 9, 10, A),
    ]
    acts = [Activity(1, "a", 0, 9, (1, 3)), Activity(2, "b", 4, 20, (2,))]
    one, two = stretches_of(annotated(tracks, acts))
    if measure == "actors":
        acts = [Activity(1, "a", 0, 9, (1, 2)), Activity(2, "b", 4, 20, (2, 3))]
        one, two = stretches_of(annotated(tracks, acts))
    assert overlap_of(one, two, measure) == pytest.approx(value)
    assert overlap_of(two, one, measure) == pytest.approx(value)


def test_an_overlap_is_the_mean_of_the_frames_in_common() -> None:
    leaving = track(2, 5, [A] * 3 + [C] * 2 + [A] * 10)
    acts = [Activity(1, "a", 0, 10, (1,)), Activity(2, "b", 0, 20, (2,))]
    one, two = stretches_of(annotated([still(1, 0, 10, A), leaving], acts))
    assert overlap_of(one, two, "iou") == pytest.approx(3 / 5)
    tracks = [still(1, 0, 10, A), leaving]
    assert len(tubes_of(tracks, acts, MergeRule(threshold=0.6))) == 3
    assert {one[2] for one in tubes_of(tracks, acts, MergeRule(threshold=0.61))} == {("a",), ("b",)}


@SOME
@given(scenes())
def test_overlaps_are_what_looking_at_each_frame_gives(scene: Annotations) -> None:
    stretches = stretches_of(scene)
    for one, two in itertools.pairwise(stretches):
        smaller, iou = [], []
        for t in range(max(one.start, two.start), min(one.stop, two.stop)):
            a, b = one.boxes_T4[t - one.start], two.boxes_T4[t - two.start]
            width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
            common = float(max(width, 0) * max(height, 0))
            areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (a, b)]
            smaller.append(common / min(areas))
            iou.append(common / (sum(areas) - common))
        expected = (np.mean(smaller), np.mean(iou)) if iou else (0.0, 0.0)
        assert overlap_of(one, two, "smaller") == pytest.approx(expected[0])
        assert overlap_of(one, two, "iou") == pytest.approx(expected[1])


def test_measure_actors_does_not_look_at_boxes() -> None:
    acts = [Activity(1, "a", 0, 10, (1,)), Activity(2, "b", 0, 10, (2,))]
    tracks = [still(1, 0, 10, A), still(2, 0, 10, A)]
    assert len(tubes_of(tracks, acts, MergeRule("actors"))) == 2
    assert len(tubes_of(tracks, acts, MergeRule("iou"))) == 1


def test_an_actor_without_a_box_is_in_no_tube() -> None:
    acts = [Activity(1, "carry", 0, 10, (1, 5))]
    assert tubes_of([still(1, 0, 10, A), track(5, 0, [])], acts) == [(0, 10, ("carry",), (1,))]


def test_activities_without_boxes_are_merged_by_who_takes_part() -> None:
    acts = [
        Activity(1, "walking", 0, 30, (1,)),
        Activity(2, "Talking", 10, 40, (1, 2)),
        Activity(3, "walking", 0, 40, (3,)),
        Activity(4, "Misc", 35, 50, ()),
    ]
    assert [
        (one.start, one.stop, one.labels, one.tracks, one.activities)
        for one in merge_unlocated("v", acts, MergeRule())
    ] == [
        (0, 10, ("walking",), (1,), (1,)),
        (0, 40, ("walking",), (3,), (3,)),
        (10, 30, ("Talking", "walking"), (1, 2), (1, 2)),
        (30, 40, ("Talking",), (1, 2), (2,)),
        (35, 50, ("Misc",), (), (4,)),
    ]


def test_without_boxes_the_largest_cast_leads() -> None:
    acts = [
        Activity(1, "walking", 0, 30, (1,)),
        Activity(2, "standing", 0, 30, (2,)),
        Activity(3, "Talking", 0, 30, (1, 2)),
    ]
    (span,) = merge_unlocated("v", acts, MergeRule())
    assert span.labels == ("Talking", "standing", "walking")


RULES = st.builds(MergeRule, st.sampled_from(MEASURES), st.sampled_from([1e-9, 0.2, 0.5, 0.8, 1.0]))


def plain(tubes: tuple[Tube, ...]) -> list[object]:
    """Everything in them."""
    return [
        (one.start, one.labels, one.tracks, one.activities, one.boxes_T4.tolist()) for one in tubes
    ]


@SOME
@given(scenes(), RULES, st.randoms())
def test_the_order_of_annotations_does_not_matter(
    scene: Annotations, rule: MergeRule, rng: random.Random
) -> None:
    stretches = stretches_of(scene)
    shuffled = list(stretches)
    rng.shuffle(shuffled)
    assert plain(merge("v", stretches, rule)) == plain(merge("v", shuffled, rule))


@SOME
@given(scenes(), RULES)
def test_no_frame_is_lost_and_labels_hold_all_the_while(
    scene: Annotations, rule: MergeRule
) -> None:
    stretches = stretches_of(scene)
    tubes = merge("v", stretches, rule)
    for tube in tubes:
        for t in range(tube.start, tube.stop):
            here = [
                one
                for one in stretches
                if one.start <= t < one.stop and one.activity.id in tube.activities
            ]
            box = tube.boxes_T4[t - tube.start]
            inside = [one for one in here if holds(box, one.boxes_T4[t - one.start])]
            # Whatever a label says is done in every frame, by something that the box holds.
            assert set(tube.labels) <= {one.activity.label for one in inside}
            hull = np.array([one.boxes_T4[t - one.start] for one in inside])
            assert box.tolist() == [*hull[:, :2].min(0), *hull[:, 2:].max(0)]
    for one in stretches:
        for t in range(one.start, one.stop):
            holding = [
                tube
                for tube in tubes
                if tube.start <= t < tube.stop
                and one.activity.id in tube.activities
                and one.activity.label in tube.labels
                and holds(tube.boxes_T4[t - tube.start], one.boxes_T4[t - one.start])
            ]
            assert holding
    assert sum(len(one.boxes_T4) for one in tubes) <= sum(len(one.boxes_T4) for one in stretches)


@SOME
@given(scenes(), RULES)
def test_tubes_are_as_long_as_they_can_be(scene: Annotations, rule: MergeRule) -> None:
    tubes = merge("v", stretches_of(scene), rule)
    ends = {(one.stop, one.labels, one.tracks) for one in tubes}
    assert not [one for one in tubes if (one.start, one.labels, one.tracks) in ends]
    for one in tubes:
        assert one.labels == tuple(sorted(set(one.labels)))
        assert one.tracks == tuple(sorted(set(one.tracks)))


@SOME
@given(scenes())
def test_a_threshold_of_everything_merges_only_what_lies_inside(scene: Annotations) -> None:
    stretches = stretches_of(scene)
    for tube in merge("v", stretches, MergeRule("smaller", 1.0)):
        for t in range(tube.start, tube.stop):
            boxes = [
                one.boxes_T4[t - one.start]
                for one in stretches
                if one.start <= t < one.stop and one.activity.id in tube.activities
            ]
            areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in boxes]
            box = tube.boxes_T4[t - tube.start]
            # A star: the hull is one of its members.
            assert float((box[2] - box[0]) * (box[3] - box[1])) <= max(areas) + 1e-6


def holds(outer: np.ndarray, inner: np.ndarray) -> bool:
    """Whether a box lies in another."""
    return bool((outer[:2] <= inner[:2]).all() and (outer[2:] >= inner[2:]).all())
