"""The measures of tubes against the truth, on cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tinyvirat.annotations import Track
from tinyvirat.recognition.proposals import ActorTube
from tinyvirat.recognition.proposals.agreement import agreement, moves


def track(number: int, frames: range, step: float = 3.0, y: float = 50.0) -> Track:
    boxes = [[10 + step * t, y, 20 + step * t, y + 20] for t in frames]
    return Track(number, "person", np.array(frames), np.array(boxes))


def tube(number: int, frames: range, step: float = 3.0, y: float = 50.0) -> ActorTube:
    like = track(number, frames, step, y)
    seen = np.ones(len(frames), bool)
    return ActorTube(number, "unknown", 1.0, like.frames_T, like.boxes_T4, seen, number)


def test_a_tube_on_a_track_finds_it_and_is_right() -> None:
    result = agreement([track(1, range(40))], [tube(0, range(40))], 10.0)
    assert (result.tracks, result.found, result.tubes, result.right) == (1, 1, 1, 1)
    assert (result.boxes, result.boxes_found, result.tube_boxes_right) == (40, 40, 40)
    assert result.missed == result.wrong == ()


@pytest.mark.parametrize(("length", "found"), [(20, 1), (19, 0)])
def test_half_of_a_tracks_frames_find_it(length: int, found: int) -> None:
    result = agreement([track(1, range(40))], [tube(0, range(length))], 10.0)
    assert (result.found, result.right, result.boxes_found) == (found, 1, length)


def test_two_tubes_of_a_quarter_each_do_not_find_a_track() -> None:
    parts = [tube(0, range(15)), tube(1, range(15, 30))]
    result = agreement([track(1, range(40))], parts, 10.0)
    assert (result.found, result.right, result.boxes_found) == (0, 2, 30)


def test_a_box_counts_once() -> None:
    twins = [tube(0, range(40)), tube(1, range(40))]
    result = agreement([track(1, range(40))], twins, 10.0)
    assert (result.boxes_found, result.tube_boxes, result.tube_boxes_right) == (40, 80, 40)


def test_a_tube_beside_everybody_is_wrong() -> None:
    result = agreement([track(1, range(40))], [tube(7, range(40), y=65.0)], 10.0)
    assert (result.found, result.missed, result.wrong) == (0, (1,), (7,))


def test_who_stands_need_not_be_found_but_may_be() -> None:
    result = agreement([track(1, range(40), step=0.0)], [tube(0, range(40), step=0.0)], 10.0)
    assert (result.tracks, result.boxes, result.right, result.tube_boxes_right) == (0, 0, 1, 40)


@pytest.mark.parametrize(("step", "moving"), [(0.0, False), (0.95, False), (1.05, True)])
def test_moving_is_getting_farther_than_ones_size_in_two_seconds(step: float, moving: bool) -> None:
    assert moves(track(1, range(60), step), 10.0) is moving  # 20 pixels in 20 frames


def test_a_pause_in_a_track_does_not_stretch_the_two_seconds() -> None:
    boxes = np.array([[0.0, 0, 10, 20], [1.0, 0, 11, 20], [500.0, 0, 510, 20]])
    assert not moves(Track(1, "person", np.array([0, 1, 1000]), boxes), 10.0)


def test_nothing_against_nothing() -> None:
    result = agreement([], [], 10.0)
    assert (result.tracks, result.tubes, result.boxes, result.tube_boxes) == (0, 0, 0, 0)
