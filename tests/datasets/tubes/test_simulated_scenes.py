"""Rendered scenes, their truth written as annotations, read again and planned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.annotations import Annotations, Track, read_annotations
from tinyvirat.annotations.actev import write_actev
from tinyvirat.annotations.kpf import write_kpf
from tinyvirat.annotations.virat_text import write_virat
from tinyvirat.datasets.simulate import SceneConfig, build_world, tracks_of
from tinyvirat.datasets.tubes import BuildRules, PlannedClip, plan_video
from tinyvirat.datasets.tubes.rules import SizeRule
from tinyvirat.datasets.tubes.windows import windows_of

CAST = ("activity_walking", "activity_carrying", "vehicle_turning_left", "Talking")
EVENTS = {
    "activity_carrying": "carry",
    "activity_gesturing": "gesture",
    "activity_running": "run",
}
RULES = BuildRules(size=SizeRule(10, 400))
Key = tuple[tuple[int, ...], int, int, tuple[str, ...]]


def scene(seed: int, cast: tuple[str, ...] = CAST) -> Annotations:
    """What is true of a scene: two people, a vehicle and a pair who talk, each by themselves."""
    config = SceneConfig(seed=seed, width=640, height=480, frames=120, fps=Fraction(30), cast=cast)
    world = build_world(config)
    return Annotations("VIRAT_S_000001_00", tracks_of(world), world.activities)


def truth(annotations: Annotations) -> dict[Key, np.ndarray]:
    """Stretches of constant labels of each group of actors that act together, with their boxes.

    Worked out frame by frame from the scene alone: who talks with whom makes the groups.
    """
    group_of = {track.id: (track.id,) for track in annotations.tracks}
    for activity in annotations.activities:
        for actor in activity.actors:
            group_of[actor] = max(group_of[actor], tuple(sorted(activity.actors)), key=len)
    found: dict[Key, np.ndarray] = {}
    for group in set(group_of.values()):
        labels = [_labels(annotations, group, t) for t in range(120)]
        edges = [0, *(t for t in range(1, 120) if labels[t] != labels[t - 1]), 120]
        for start, stop in pairwise(edges):
            if labels[start] and stop - start >= RULES.cut.shortest:
                boxes = [_hull(annotations.track_of, group, t) for t in range(start, stop)]
                found[group, start, stop, labels[start]] = np.array(boxes)
    return found


def _labels(annotations: Annotations, group: tuple[int, ...], t: int) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                one.label
                for one in annotations.activities
                if one.start <= t < one.stop and set(one.actors) <= set(group)
            }
        )
    )


def _hull(track_of: Mapping[int, Track], group: tuple[int, ...], t: int) -> list[float]:
    boxes = [track_of[one].boxes_T4[track_of[one].frames_T == t][0] for one in group]
    return [*np.min(boxes, axis=0)[:2], *np.max(boxes, axis=0)[2:]]


def check(clips: tuple[PlannedClip, ...], expected: dict[Key, np.ndarray], margin: float) -> None:
    """Clips are the true stretches, and their windows the true boxes with their context."""
    keys = [(one.tube.tracks, one.tube.start, one.tube.stop, one.tube.labels) for one in clips]
    assert sorted(keys) == sorted(expected)
    for key, clip in zip(keys, clips, strict=True):
        boxes_T4 = expected[key]
        np.testing.assert_allclose(clip.tube.boxes_T4, boxes_T4, rtol=0, atol=margin)
        longest = float((boxes_T4[:, 2:] - boxes_T4[:, :2]).max())
        assert clip.side % 2 == 0
        assert longest * 1.1 <= clip.side < (longest + 2 * margin + 2) * 1.1 + 2
        assert (clip.windows_T4[:, :2] <= boxes_T4[:, :2]).all()
        assert (clip.windows_T4[:, 2:] >= boxes_T4[:, 2:]).all()
        centre_T2 = (clip.windows_T4[:, :2] + clip.windows_T4[:, 2:]) / 2
        true_T2 = (boxes_T4[:, :2] + boxes_T4[:, 2:]) / 2
        assert np.abs(centre_T2 - true_T2).max() <= math.ceil(clip.side - longest + margin)
        if not margin:
            assert np.array_equal(clip.windows_T4, windows_of(boxes_T4, RULES.crop))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("format_", ["kpf", "actev"])
def test_labels_and_windows_of_a_scene_are_its_truth(
    tmp_path: Path, seed: int, format_: str
) -> None:
    annotations = scene(seed)
    expected = truth(annotations)
    assert len(expected) >= 4
    if format_ == "kpf":
        write_kpf(tmp_path, annotations, fps=Fraction(30))
    else:
        write_actev(tmp_path / "all.json", [annotations])
    read = read_annotations(tmp_path)
    plan = plan_video(read, RULES, "train")
    assert plan.problems == ()
    # ActEV has the nearest whole pixels, and a side is the difference of two.
    check(plan.clips, expected, margin=0.0 if format_ == "kpf" else 1.0)


@pytest.mark.parametrize("seed", range(2))
def test_virat_s_text_keeps_its_own_names(tmp_path: Path, seed: int) -> None:
    whole = scene(seed, cast=tuple(EVENTS))
    kept = tuple(
        replace(one, label=EVENTS[one.label]) for one in whole.activities if one.label in EVENTS
    )
    annotations = Annotations(whole.clip, whole.tracks, kept)
    write_virat(tmp_path, annotations)
    plan = plan_video(read_annotations(tmp_path), RULES, "train")
    assert {label for one in plan.clips for label in one.tube.labels} == set(EVENTS.values())
    # Text annotations are in whole pixels.
    check(plan.clips, truth(annotations), margin=1.0)
