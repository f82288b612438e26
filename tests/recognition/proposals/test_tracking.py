"""Tubes of a detector's boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyvirat.recognition.proposals import (
    ActorTube,
    Detections,
    KeepingSettings,
    ProposalError,
    TrackingSettings,
)
from tinyvirat.recognition.proposals.boxes import matched
from tinyvirat.recognition.proposals.detected import DetectorTubes
from tinyvirat.video import Frame

from .stages import tubes_of

BLACK = np.zeros((200, 300, 3), np.uint8)


def detected(
    detector: Callable[[int], Detections], frames: int, **settings: float
) -> tuple[ActorTube, ...]:
    """The tubes of a detector that only knows the frame's number."""
    now = iter(range(frames))

    def call(frame_HWC: NDArray[np.uint8]) -> Detections:
        return detector(next(now))

    source = DetectorTubes(call, 300, 200, 10.0, TrackingSettings(**settings))  # type: ignore[arg-type]
    return tubes_of(source, (Frame(t, t / 10, BLACK) for t in range(frames)))


def detections(*rows: tuple[float, float, float, float, float, str]) -> Detections:
    return Detections(
        np.array([row[:4] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[4] for row in rows], np.float64),
        tuple(row[5] for row in rows),
    )


def test_two_who_pass_each_other_keep_their_tubes_whatever_the_order() -> None:
    def found(t: int) -> Detections:
        rows = [(20.0 + 6 * t, 50, 32.0 + 6 * t, 80, 0.9, "person")]
        rows.append((200.0 - 6 * t, 66, 214.0 - 6 * t, 100, 0.8, "person"))
        return detections(*(rows if t % 2 else rows[::-1]))

    first, second = sorted(detected(found, 30), key=lambda tube: tube.boxes_T4[0, 0])
    assert first.boxes_T4[-1, 0] > 150 > 80 > second.boxes_T4[-1, 0]
    assert len(first.frames_T) == len(second.frames_T) == 30


def test_ten_pixels_at_ten_frames_a_second_are_followed_though_no_box_overlaps_the_last() -> None:
    def found(t: int) -> Detections:
        return detections((20.0 + 5 * t, 50, 24.0 + 5 * t, 60, 0.9, "person"))

    (tube,) = detected(found, 30)
    assert len(tube.frames_T) == 30


def test_a_missed_detection_is_bridged() -> None:
    def found(t: int) -> Detections:
        row = (20.0 + 3 * t, 50, 40.0 + 3 * t, 90, 0.9, "person")
        return detections(*([] if 10 <= t < 16 else [row]))

    (tube,) = detected(found, 30)
    assert len(tube.frames_T) == 30
    assert tube.seen_T.tolist() == [not 10 <= t < 16 for t in range(30)]


def test_unsure_boxes_hold_a_tube_and_begin_none() -> None:
    def found(t: int) -> Detections:
        score = 0.9 if t < 10 else 0.3
        return detections(
            (20.0 + 3 * t, 50, 40.0 + 3 * t, 90, score, "person"),
            (200.0, 50, 220.0, 90, 0.3, "person"),
            (250.0, 50, 270.0, 90, 0.05, "person"),
        )

    (tube,) = detected(found, 30)
    assert len(tube.frames_T) == 30
    assert tube.boxes_T4[0, 0] < 30
    assert 0.3 < tube.score < 0.9


def test_a_tube_is_what_it_was_taken_for_most() -> None:
    def found(t: int) -> Detections:
        name = "lorry" if t % 5 == 0 else "car"
        return detections((20.0 + 3 * t, 50, 60.0 + 3 * t, 80, 0.9, name))

    (tube,) = detected(found, 31)
    assert tube.type == "car"


def test_what_is_seen_too_shortly_is_nobody() -> None:
    def found(t: int) -> Detections:
        row = (20.0, 50, 40.0, 90, 0.9, "person")
        return detections(*([row] if 10 <= t < 13 else []))

    assert detected(found, 30) == ()
    keeping = KeepingSettings(minimum_life=0.2)
    assert len(detected(found, 30, keeping=keeping)) == 1  # type: ignore[arg-type]


def test_boxes_are_cut_to_the_frame() -> None:
    def found(t: int) -> Detections:
        return detections(
            (-50.0, -50, 30.0, 90, 0.9, "person"), (400.0, 10, 500.0, 90, 0.9, "person")
        )

    (tube,) = detected(found, 20)
    np.testing.assert_allclose(tube.boxes_T4[10], [0, 0, 30, 90])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Detections(np.zeros((2, 4)), np.zeros(1), ("a", "b")), "shape"),
        (Detections(np.zeros((2, 3)), np.zeros(2), ("a", "b")), "shape"),
        (Detections(np.zeros((1, 4)), np.zeros(1), ()), "types_N"),
        (Detections(np.full((1, 4), np.nan), np.zeros(1), ("a",)), "not finite"),
        (Detections(np.zeros((1, 4)), np.array([1.5]), ("a",)), "1.5"),
        (Detections([["x"] * 4], np.zeros(1), ("a",)), "no array"),  # type: ignore[arg-type]
    ],
)
def test_an_answer_without_sense_is_refused(answer: Detections, message: str) -> None:
    with pytest.raises(ProposalError, match=message):
        detected(lambda _: answer, 1)


def test_an_empty_answer_of_any_shape_is_nothing() -> None:
    assert detected(lambda _: Detections(np.array([]), np.array([]), ()), 5) == ()


def test_pairs_have_the_greatest_sum() -> None:
    gain = np.array([[0.9, 0.8], [0.85, 0.0]])  # the greatest first would leave one without
    assert sorted(matched(gain, 0.1)) == [(0, 1), (1, 0)]
    assert matched(np.array([[0.9, 0.05], [0.0, 0.7]]), 0.1) == [(0, 0), (1, 1)]
    assert matched(np.zeros((0, 3)), 0.1) == []
    assert matched(np.array([[0.05]]), 0.1) == []
