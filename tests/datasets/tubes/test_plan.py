"""The whole construction of a video, and of a data set."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.annotations import Activity, Annotations
from tinyvirat.datasets.records import ManifestError
from tinyvirat.datasets.tubes import (
    BuildRules,
    LeftOut,
    PlannedClip,
    RulesError,
    VideoPlan,
    plan_video,
    select,
)
from tinyvirat.datasets.tubes.rules import CropRule, CutRule, LabelRule, SelectRule, SizeRule

from .scenes import SOME, annotated, scenes, still, track

ALL = BuildRules(labels=LabelRule("all"))
WALK = "activity_walking"


def summary(plan: VideoPlan) -> list[tuple[object, ...]]:
    """What tells clips apart."""
    return [
        (one.id, one.tube.start, one.tube.stop, one.tube.labels, one.tube.tracks, one.side)
        for one in plan.clips
    ]


def contents(plan: VideoPlan) -> list[object]:
    """Everything in its clips."""
    return [
        (summary(plan)[n], one.windows_T4.tolist(), one.tube.boxes_T4.tolist(), one.tube.activities)
        for n, one in enumerate(plan.clips)
    ]


def test_one_person_two_activities() -> None:
    scene = annotated(
        [still(3, 0, 400, (100, 100, 120, 140))],
        [Activity(1, WALK, 0, 400, (3,)), Activity(2, "Talking", 300, 340, (3,))],
    )
    plan = plan_video(scene, BuildRules(), "val")
    video = "VIRAT_S_000001_02"
    assert (plan.video, plan.split, plan.problems, plan.unlocated) == (video, "val", (), ())
    assert plan.left_out == LeftOut()
    assert summary(plan) == [
        (f"{video}/0", 0, 150, (WALK,), (3,), 44),
        (f"{video}/1", 150, 300, (WALK,), (3,), 44),
        (f"{video}/2", 300, 340, ("Talking", WALK), (3,), 44),
        (f"{video}/3", 340, 400, (WALK,), (3,), 44),
    ]
    assert {one.split for one in plan.clips} == {"val"}
    assert plan.clips[2].windows_T4.tolist() == [[88, 98, 132, 142]] * 40
    assert [one.tube.activities for one in plan.clips] == [(1,), (1,), (1, 2), (1,)]


def test_a_moving_window_keeps_its_size_through_all_pieces_of_a_tube() -> None:
    growing = track(1, 0, [[t, 0, t + 20 + t / 10, 40 + t / 10] for t in range(400)])
    scene = annotated([growing], [Activity(1, WALK, 0, 400, (1,))])
    plan = plan_video(scene, BuildRules(), "train")
    assert [(one.tube.start, one.tube.stop) for one in plan.clips] == [
        (0, 133),
        (133, 266),
        (266, 400),
    ]
    assert {one.side for one in plan.clips} == {88}
    # The path does not know of pieces: it goes on where the one before left off.
    whole = np.concatenate([one.windows_T4 for one in plan.clips])
    uncut = plan_video(scene, replace(BuildRules(), cut=CutRule(16, 400)), "train").clips[0]
    assert np.array_equal(whole, uncut.windows_T4)


def test_clips_are_numbered_in_the_order_of_time() -> None:
    scene = annotated(
        [still(1, 0, 300, (0, 0, 20, 40)), still(2, 50, 100, (200, 0, 220, 40))],
        [Activity(1, WALK, 0, 300, (1,)), Activity(2, WALK, 50, 100, (2,))],
    )
    plan = plan_video(scene, BuildRules(), "train")
    assert [(one.id[-2:], one.tube.start, one.tube.tracks) for one in plan.clips] == [
        ("/0", 0, (1,)),
        ("/1", 50, (2,)),
        ("/2", 150, (1,)),
    ]


def test_the_size_is_tested_before_pieces_are_cut_unless_windows_stand_still() -> None:
    approaching = track(1, 0, [[t, 0, t + 20 + t / 2, 40 + t / 2] for t in range(300)])
    scene = annotated([approaching], [Activity(1, WALK, 0, 300, (1,))])
    moving = plan_video(scene, BuildRules(), "train")
    assert (moving.clips, moving.left_out.large) == ((), 1)
    still_rules = replace(BuildRules(), crop=CropRule("fixed"), cut=CutRule(16, 40))
    fixed = plan_video(scene, still_rules, "train")
    assert [(one.tube.start, one.side) for one in fixed.clips] == [(0, 82), (37, 104), (75, 124)]
    assert fixed.left_out.large == 5
    assert all((one.windows_T4 == one.windows_T4[0]).all() for one in fixed.clips)


def test_what_is_left_out_is_counted() -> None:
    scene = annotated(
        [
            still(1, 0, 15, (0, 0, 30, 30)),
            still(2, 0, 50, (100, 0, 106, 6)),
            still(3, 0, 50, (200, 0, 350, 40)),
            still(4, 0, 50, (400, 0, 430, 40)),
        ],
        [
            *(Activity(number, WALK, 0, 50, (number,)) for number in (1, 2, 3, 4)),
            Activity(5, "Drop", 0, 50, (4,)),
        ],
    )
    plan = plan_video(scene, BuildRules(), "train")
    assert plan.left_out == LeftOut(short=1, small=1, large=1, labels=(("Drop", 1),))
    assert [one.tube.tracks for one in plan.clips] == [(4,)]
    large = plan_video(scene, replace(BuildRules(), size=SizeRule(larger_than=112)), "train")
    assert [(one.tube.tracks, one.side) for one in large.clips] == [((3,), 166)]
    assert large.left_out == LeftOut(short=1, small=2, large=0, labels=(("Drop", 1),))


def test_what_cannot_be_located_is_reported_and_not_fatal() -> None:
    scene = annotated(
        [still(1, 0, 40, (0, 0, 30, 30)), track(2, 0, []), still(3, 90, 99, (0, 0, 9, 9))],
        [
            Activity(1, WALK, 0, 60, (1, 2)),
            Activity(2, "Talking", 0, 60, (2,)),
            Activity(3, "Riding", 0, 60, (3,)),
            Activity(4, "Misc", 0, 400, ()),
            Activity(5, "Misc", 0, 15, ()),
        ],
    )
    plan = plan_video(scene, BuildRules(), "train")
    assert summary(plan) == [("VIRAT_S_000001_02/0", 0, 40, (WALK,), (1,), 34)]
    assert plan.problems == (
        "2 activities without actors, so that nothing says where: 4 (Misc), 5 (Misc)",
        "2 activities of actors without a box in its span: 2 (Talking), 3 (Riding)",
        "1 activity located in a part of its span only; the rest is left out: 1 (activity_walking)",
        "1 actor of other activities never located: 2",
    )
    assert [(one.start, one.stop, one.labels) for one in plan.unlocated] == [
        (0, 60, ("Talking",)),
        (0, 60, ("Riding",)),
        (0, 133, ("Misc",)),
        (133, 266, ("Misc",)),
        (266, 400, ("Misc",)),
    ]


def test_the_frame_and_the_end_of_the_video() -> None:
    scene = annotated(
        [track(1, 0, [[90.0 + t, -5, 120.0 + t, 30] for t in range(60)])],
        [Activity(1, WALK, 0, 60, (1,))],
    )
    plan = plan_video(scene, BuildRules(), "train", frame_size=(110, 100), frames=19)
    (clip,) = plan.clips
    assert (clip.tube.start, clip.tube.stop) == (0, 19)
    assert clip.tube.boxes_T4[0].tolist() == [90, 0, 110, 30]
    assert clip.windows_T4.tolist() == [[76, 0, 110, 34]] * 19


def test_a_split_that_is_none() -> None:
    with pytest.raises(ManifestError, match="did you mean 'train'"):
        plan_video(annotated([], []), BuildRules(), "trian")


RULES = st.builds(
    BuildRules,
    labels=st.just(LabelRule("all")),
    cut=st.sampled_from([CutRule(1, 25), CutRule(5, 9), CutRule(1, 1)]),
    crop=st.sampled_from([CropRule(), CropRule("fixed"), CropRule(context=0, smooth=3)]),
    size=st.sampled_from([SizeRule(2, 10_000), SizeRule(10, 60), SizeRule(larger_than=60)]),
)
FRAME = st.sampled_from([None, (160, 120), (30, 300)])


@SOME
@given(scenes(), RULES, FRAME, st.randoms())
def test_the_same_plan_again_from_annotations_in_any_order(
    scene: Annotations, rules: BuildRules, frame: tuple[int, int] | None, rng: random.Random
) -> None:
    tracks, activities = list(scene.tracks), list(scene.activities)
    rng.shuffle(tracks)
    rng.shuffle(activities)
    one = plan_video(scene, rules, "train", frame)
    two = plan_video(
        Annotations(scene.clip, tuple(tracks), tuple(activities)), rules, "train", frame
    )
    assert contents(one) == contents(two)
    assert [clip.id for clip in one.clips] == [f"{scene.clip}/{n}" for n in range(len(one.clips))]
    starts = [clip.tube.start for clip in one.clips]
    assert starts == sorted(starts)


@SOME
@given(scenes(), RULES, FRAME)
def test_every_clip_is_as_the_rules_say(
    scene: Annotations, rules: BuildRules, frame: tuple[int, int] | None
) -> None:
    for clip in plan_video(scene, rules, "train", frame).clips:
        assert clip.tube.boxes_T4.shape == clip.windows_T4.shape
        assert rules.cut.shortest <= len(clip.windows_T4) <= rules.cut.longest
        assert (clip.windows_T4[:, :2] <= clip.tube.boxes_T4[:, :2]).all()
        assert (clip.windows_T4[:, 2:] >= clip.tube.boxes_T4[:, 2:]).all()
        assert (clip.windows_T4[:, 2:] - clip.windows_T4[:, :2] == clip.side).all()
        if rules.size.larger_than is None:
            assert rules.size.smallest <= clip.side <= rules.size.largest
        else:
            assert clip.side > rules.size.larger_than
        # The annotated box of each activity, where the annotation itself has one, is in the window.
        for activity in scene.activities:
            if activity.id not in clip.tube.activities:
                continue
            assert activity.label in clip.tube.labels
    if rules.size == SizeRule(2, 10_000) and rules.cut.shortest == 1 and frame is None:
        _check_all_shown(scene, rules)


def _check_all_shown(scene: Annotations, rules: BuildRules) -> None:
    """Every frame of every activity with a box is in a clip with its label and its box."""
    clips = plan_video(scene, rules, "train").clips
    for activity in scene.activities:
        for actor in activity.actors:
            one = scene.track_of[actor]
            for t, box in zip(one.frames_T.tolist(), one.boxes_T4, strict=True):
                if activity.start <= t < activity.stop:
                    assert any(_shows(clip, t, activity.label, box) for clip in clips)


def _shows(clip: PlannedClip, t: int, label: str, box: np.ndarray) -> bool:
    if not clip.tube.start <= t < clip.tube.stop or label not in clip.tube.labels:
        return False
    window = clip.windows_T4[t - clip.tube.start]
    return bool((window[:2] <= box[:2]).all() and (window[2:] >= box[2:]).all())


def planned(video: str, split: str, *labels: tuple[str, ...]) -> VideoPlan:
    """A plan of clips of these labels, one after the other."""
    acts = [
        Activity(10 * n + m, label, 20 * n, 20 * n + 20, (1,))
        for n, group in enumerate(labels)
        for m, label in enumerate(group)
    ]
    scene = Annotations(video, (still(1, 0, 20 * len(labels), (0, 0, 30, 30)),), tuple(acts))
    plan = plan_video(scene, ALL, split)
    assert [one.tube.labels for one in plan.clips] == list(labels)
    return plan


def at_least(number: int) -> BuildRules:
    """Rules that ask for so many clips of a class."""
    return BuildRules(select=SelectRule(number))


def test_rare_classes_are_dropped_and_clips_that_show_nothing_else() -> None:
    plans = [
        planned("v1", "train", ("a",), ("a", "b"), ("c",), ("a",)),
        planned("v2", "val", ("b",), ("a", "c"), ("d",)),
    ]
    found = select(plans, at_least(2))
    assert [(one.id, one.split, one.tube.labels) for one in found] == [
        ("v1/0", "train", ("a",)),
        ("v1/1", "train", ("a", "b")),
        ("v1/2", "train", ("c",)),
        ("v1/3", "train", ("a",)),
        ("v2/0", "val", ("b",)),
        ("v2/1", "val", ("a", "c")),
    ]
    found = select(plans, at_least(3))
    assert [(one.id, one.tube.labels) for one in found] == [
        *[(f"v1/{n}", ("a",)) for n in (0, 1, 3)],
        ("v2/1", ("a",)),
    ]
    assert found[1].windows_T4 is plans[0].clips[1].windows_T4
    assert select(plans, at_least(1)) == tuple(one for plan in plans for one in plan.clips)


def test_when_everything_is_dropped_the_message_has_the_remedy() -> None:
    plans = [planned("v1", "train", ("a",), ("b",), ("a",))]
    with pytest.raises(RulesError) as error:
        select(plans, at_least(10))
    assert str(error.value) == (
        "none of the 2 classes of the 3 clips has min_samples = 10 clips; the most has 'a', 2. "
        "Set --min-samples to 2 or less, or add videos"
    )


def test_when_nothing_was_planned_the_message_says_why() -> None:
    scene = annotated([still(1, 0, 9, (0, 0, 9, 9))], [Activity(1, WALK, 0, 9, (1,))])
    dropped = annotated([still(1, 0, 9, (0, 0, 9, 9))], [Activity(1, "Drop", 0, 9, (1,))])
    plans = [
        plan_video(scene, BuildRules(), "train"),
        replace(plan_video(dropped, BuildRules(), "train"), video="other"),
    ]
    with pytest.raises(RulesError) as error:
        select(plans, BuildRules())
    assert str(error.value) == (
        "no clip can be made of the annotations of 2 videos (tubes shorter than cut.shortest = 16 "
        "frames: 1; smaller than size allows: 0; larger: 0; spans without boxes: 0; activities "
        "that labels.select = tinyvirat26 leaves out: 1). Change these rules with --set, or give "
        "other annotations"
    )
    with pytest.raises(RulesError, match="annotations of 0 videos"):
        select([], BuildRules())


def test_a_source_video_is_planned_once_and_on_one_side() -> None:
    with pytest.raises(RulesError, match="v1: planned for train and for val"):
        select([planned("v1", "train", ("a",)), planned("v1", "val", ("a",))], at_least(1))
    with pytest.raises(RulesError, match="v1: planned twice"):
        select([planned("v1", "train", ("a",)), planned("v1", "train", ("a",))], at_least(1))


@given(
    st.lists(
        st.lists(st.sets(st.sampled_from("abcd"), min_size=1, max_size=3), max_size=5),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 4),
)
def test_what_remains_is_common_enough(groups: list[list[set[str]]], least: int) -> None:
    box = np.array([[0.0, 0, 9, 9]] * 16)
    plans = []
    for number, group in enumerate(groups):
        one = planned(f"v{number}", "train", ("a",))
        clips = tuple(
            replace(
                one.clips[0],
                id=f"v{number}/{n}",
                tube=replace(one.clips[0].tube, labels=tuple(sorted(labels)), boxes_T4=box),
            )
            for n, labels in enumerate(group)
        )
        plans.append(replace(one, clips=clips))
    counts = Counter(label for group in groups for labels in group for label in labels)
    kept = {label for label, count in counts.items() if count >= least}
    if not kept:
        with pytest.raises(RulesError):
            select(plans, at_least(least))
        return
    found = select(plans, at_least(least))
    assert Counter(label for one in found for label in one.tube.labels) == {
        label: counts[label] for label in kept
    }
    assert all(one.tube.labels for one in found)
