"""Which tubes there are when nothing, or a word, is said; frames and tubes side by side."""

from __future__ import annotations

import numpy as np
import pytest

from tinyvirat.recognition.proposals import (
    MotionSettings,
    TubeFrame,
    WholeFrame,
    collect,
    open_tubes,
    with_tubes,
)
from tinyvirat.recognition.proposals.motion import MotionTubes
from tinyvirat.video import Frame

from .stages import FPS, HEIGHT, WIDTH, Walker, film, straight


@pytest.mark.parametrize(
    ("how", "size", "kind"),
    [
        (None, (128, 128), WholeFrame),
        (None, (70, 128), WholeFrame),
        (None, (129, 64), MotionTubes),
        (None, (640, 480), MotionTubes),
        ("whole", (640, 480), WholeFrame),
        ("motion", (64, 64), MotionTubes),
    ],
)
def test_small_videos_are_taken_whole(how: str | None, size: tuple[int, int], kind: type) -> None:
    assert isinstance(open_tubes(how, *size, 25.0), kind)


def test_the_whole_frame_is_one_tube() -> None:
    frames = [Frame(t, t / 10, np.zeros((40, 60, 3), np.uint8)) for t in range(5)]
    pairs = list(with_tubes(frames, open_tubes(None, 60, 40, 10.0)))
    assert [frame.index for frame, _ in pairs] == list(range(5))
    assert [tubes.born for _, tubes in pairs] == [(0,), (), (), (), ()]
    (tube,) = collect([tubes for _, tubes in pairs])
    assert tube.boxes_T4.tolist() == [[0, 0, 60, 40]] * 5


def test_frames_come_with_their_own_tubes() -> None:
    frames, _ = film([Walker(straight(30, 100, 2.0))], 60)
    source = open_tubes("motion", WIDTH, HEIGHT, FPS)
    for frame, tubes in with_tubes(frames, source):
        assert (tubes.index, tubes.time) == (frame.index, frame.time)
        for box in tubes.boxes:
            x1, y1, x2, y2 = (round(edge) for edge in box.box)
            inside = frame.frame_HWC[y1 + 3 : y2 - 3, x1 + 2 : x2 - 2]
            assert inside[..., 0].mean() > 180  # the walker's red


def test_no_frames_give_no_tubes() -> None:
    for how in ("whole", "motion"):
        assert list(with_tubes([], open_tubes(how, 64, 64, 10.0))) == []


def test_settings_reach_the_source() -> None:
    slow = open_tubes("motion", 320, 240, 10.0, motion=MotionSettings(warm_up=9.0))
    assert slow.delay == 89


def test_tubes_put_together_have_every_frame_once() -> None:
    assert collect([]) == ()
    assert collect([TubeFrame(0, 0.0)]) == ()
