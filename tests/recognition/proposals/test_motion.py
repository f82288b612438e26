"""Tubes of motion on little films: what must be found, and what must not."""

from __future__ import annotations

import tracemalloc
from itertools import cycle, islice

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings as run
from hypothesis import strategies as st

from tinyvirat.recognition.proposals import KeepingSettings, MotionSettings, ProposalError
from tinyvirat.recognition.proposals.motion import MotionTubes
from tinyvirat.video import Frame

from .stages import (
    FPS,
    HEIGHT,
    WIDTH,
    Picture,
    Walker,
    film,
    given,
    judged,
    straight,
    tubes_of,
)


def motion(**settings: object) -> MotionTubes:
    return MotionTubes(WIDTH, HEIGHT, FPS, MotionSettings(**settings))  # type: ignore[arg-type]


def test_somebody_who_walks_is_one_tube_from_the_first_frame_to_the_last() -> None:
    frames, tracks = film([Walker(straight(30, 100, 2.0))], 100)
    result, tubes = judged(motion(), frames, tracks)
    assert (result.found, result.tubes, result.right) == (1, 1, 1)
    assert tubes[0].frames_T[0] <= 2 and tubes[0].frames_T[-1] == 99
    assert result.boxes_found >= 0.95 * result.boxes


@pytest.mark.parametrize("size", [(4, 10), (5, 12), (40, 90)])
def test_actors_of_all_sizes_are_found(size: tuple[int, int]) -> None:
    frames, tracks = film([Walker(straight(30, 100, 0.05 * size[1] + 0.4), size)], 80)
    result, _ = judged(motion(), frames, tracks)
    assert (result.found, result.tubes) == (1, 1)


def test_an_actor_of_ten_pixels_survives_the_reduction() -> None:
    frames, tracks = film([Walker(straight(40, 100, 1.0), (4, 10))], 80)
    result, _ = judged(motion(scale=0.5), frames, tracks)
    assert result.found == 1


def test_two_who_cross_stay_two() -> None:
    left = Walker(straight(60, 100, 2.0), (12, 32), (230, 40, 40))
    right = Walker(straight(240, 96, -2.0), (14, 36), (30, 60, 220))
    frames, tracks = film([left, right], 90)
    result, _ = judged(motion(), frames, tracks)
    assert (result.found, result.tubes, result.right) == (2, 2, 2)


def test_a_short_disappearance_is_bridged_and_said_to_be() -> None:
    def post(picture: Picture) -> None:
        picture[:, 150:170] = 90

    frames, tracks = film([Walker(straight(90, 100, 2.0), (8, 30))], 80, front=post)
    result, tubes = judged(motion(), frames, tracks)
    assert (result.found, result.tubes) == (1, 1)
    hidden = [t for t in range(80) if 90 + 2 * t >= 152 and 98 + 2 * t <= 168]
    seen = dict(zip(tubes[0].frames_T.tolist(), tubes[0].seen_T.tolist(), strict=True))
    assert not any(seen[t] for t in hidden)
    assert all(seen[t] for t in range(5, 28))
    centre = tubes[0].boxes_T4[list(tubes[0].frames_T).index(hidden[2])][::2].mean()
    assert abs(centre - (94 + 2 * hidden[2])) < 5


def test_who_is_away_for_too_long_is_somebody_else() -> None:
    def wall(picture: Picture) -> None:
        picture[:, 140:200] = 90

    frames, _ = film([Walker(straight(90, 100, 2.0), (8, 30))], 110, front=wall)
    short = MotionSettings(keeping=KeepingSettings(longest_gap=0.3))
    tubes = tubes_of(MotionTubes(WIDTH, HEIGHT, FPS, short), frames)
    assert len(tubes) == 2
    assert tubes[0].frames_T[-1] < 30 and tubes[1].frames_T[0] > 50


def test_a_shaking_camera_moves_nobody_and_boxes_go_with_the_picture() -> None:
    frames, tracks = film([Walker(straight(30, 100, 2.0))], 90, shake=3.0)
    result, _ = judged(motion(), frames, tracks)
    assert (result.found, result.tubes) == (1, 1)
    assert result.boxes_found >= 0.95 * result.boxes
    loose, _ = judged(motion(steady=False), frames, tracks)
    assert loose.tube_boxes_right < result.tube_boxes_right or loose.tubes > 1


def test_a_changing_exposure_is_no_motion() -> None:
    def flicker(t: int, picture: Picture) -> Picture:
        return np.clip(picture * (1.0 + 0.15 * np.sin(t / 5)), 0, 255).astype(np.uint8)

    frames, tracks = film([Walker(straight(30, 100, 2.0))], 90, change=flicker)
    result, _ = judged(motion(), frames, tracks)
    assert (result.found, result.tubes) == (1, 1)


def test_nothing_is_said_while_the_lights_go_on_and_all_is_well_after() -> None:
    def lights(t: int, picture: Picture) -> Picture:
        return picture if t < 40 else picture // 3

    frames, tracks = film([Walker(straight(10, 100, 1.5))], 130, change=lights)
    result, tubes = judged(motion(), frames, tracks)
    assert result.right == result.tubes
    assert any(tube.frames_T[-1] == 129 for tube in tubes)


def test_noise_alone_is_nobody() -> None:
    frames, _ = film([], 60, noise=6.0)
    assert tubes_of(motion(), frames) == ()


def test_a_flag_is_nobody() -> None:
    rng = np.random.default_rng(5)

    def flag(t: int, picture: Picture) -> Picture:
        x, y = rng.integers(100, 106, 2)
        if rng.random() < 0.7:
            picture[y : y + rng.integers(8, 16), x : x + rng.integers(8, 16)] = (240, 240, 30)
        return picture

    frames, _ = film([], 100, change=flag)
    assert tubes_of(motion(), frames) == ()


def test_the_textures_of_a_new_key_frame_are_nobody() -> None:
    rng = np.random.default_rng(7)
    jump = rng.normal(0, 4, (HEIGHT, WIDTH, 1))

    def coded(t: int, picture: Picture) -> Picture:
        return np.clip(picture + (jump if t >= 40 else 0), 0, 255).astype(np.uint8)

    frames, _ = film([], 80, noise=0.7, change=coded)
    assert tubes_of(motion(), frames) == ()


def test_who_stops_stays_in_the_tube() -> None:
    def stops(t: int) -> tuple[float, float]:
        return 40 + 2.0 * min(t, 40) + 2.0 * max(0, t - 110), 100

    frames, tracks = film([Walker(stops)], 140)
    result, tubes = judged(motion(), frames, tracks)
    assert (result.found, result.tubes) == (1, 1)
    assert len(tubes[0].frames_T) >= 135
    restless, _ = judged(motion(stay=0.5), frames, tracks)
    assert restless.boxes_found < result.boxes_found


def test_where_somebody_stood_when_the_video_began_is_nobody() -> None:
    def leaves(t: int) -> tuple[float, float]:
        return 100 + 2.0 * max(0, t - 30), 100

    frames, tracks = film([Walker(leaves, (14, 36))], 95)
    result, tubes = judged(motion(), frames, tracks)
    assert (result.tubes, result.right) == (1, 1)
    assert tubes[0].boxes_T4[-1, 0] > 180


def test_a_person_in_pieces_is_one() -> None:
    frames, tracks = film([Walker(straight(30, 100, 2.0), (12, 36), belt=True)], 90)
    result, _ = judged(motion(), frames, tracks)
    assert (result.found, result.tubes) == (1, 1)


def test_two_who_came_as_one_are_two_when_they_part() -> None:
    one = Walker(lambda t: (30 + 2.0 * t, 100.0), (12, 34))
    two = Walker(lambda t: (43 + 2.0 * t + max(0.0, 1.2 * (t - 40)), 100.0), (12, 34))
    frames, tracks = film([one, two], 100)
    tubes = tubes_of(motion(), frames)
    last = [tube for tube in tubes if tube.frames_T[-1] == 99]
    assert len(last) == 2
    ends = sorted(tube.boxes_T4[-1, 0] for tube in last)
    assert abs(ends[0] - tracks[0].boxes_T4[-1, 0]) < 6
    assert abs(ends[1] - tracks[1].boxes_T4[-1, 0]) < 6


def test_a_shadow_is_nobody_of_its_own() -> None:
    def shadowed(t: int, picture: Picture) -> Picture:
        x = 30 + 2 * t
        picture[126:132, max(0, x - 34) : max(0, x - 4)] = (
            picture[126:132, max(0, x - 34) : max(0, x - 4)] * 0.6
        ).astype(np.uint8)
        return picture

    frames, tracks = film([Walker(straight(30, 100, 2.0))], 90, change=shadowed)
    result, _ = judged(motion(), frames, tracks)
    assert (result.found, result.tubes, result.right) == (1, 1, 1)


def test_the_same_frames_give_the_same_tubes() -> None:
    walkers = [Walker(straight(30, 60 + 40 * n, 1.0 + n)) for n in range(3)]
    frames, _ = film(walkers, 50, noise=5.0, shake=1.0)
    assert given(motion(), frames) == given(motion(), frames)


@run(max_examples=8, deadline=None)
@drawn(
    count=st.integers(0, 45),
    gap=st.sampled_from([0.0, 0.2, 1.0, 1.7]),
    warm_up=st.sampled_from([0.0, 0.3, 2.0]),
)
def test_every_frame_comes_out_once_in_order_and_not_later_than_said(
    count: int, gap: float, warm_up: float
) -> None:
    frames, _ = film([Walker(straight(30, 100, 2.0))], count)
    source = motion(warm_up=warm_up, keeping=KeepingSettings(longest_gap=gap))
    out: list[int] = []
    most = 0
    for frame in frames:
        out += [ready.index for ready in source.update(frame)]
        most = max(most, frame.index + 1 - len(out))
    out += [ready.index for ready in source.finish()]
    assert out == list(range(count))
    assert most <= source.delay


def test_memory_does_not_grow_with_the_video() -> None:
    walkers = [
        Walker(lambda t, n=n: (-20 + (6.0 * t + 40 * n) % 360, 20.0 + 25 * n)) for n in range(5)
    ]
    frames, _ = film(walkers, 60)
    source = motion()
    film_ = (Frame(n, n / FPS, frame.frame_HWC) for n, frame in enumerate(cycle(frames)))
    tracemalloc.start()
    try:
        for frame in islice(film_, 200):
            source.update(frame)
        before = tracemalloc.get_traced_memory()[0]
        for frame in islice(film_, 300):
            source.update(frame)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000


def test_a_frame_of_another_size_is_refused() -> None:
    source = motion()
    with pytest.raises(ProposalError, match="320x240"):
        source.update(Frame(0, 0.0, np.zeros((240, 330, 3), np.uint8)))


@pytest.mark.parametrize("fps", [0.0, -5.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(ProposalError, match="fps"):
        MotionTubes(WIDTH, HEIGHT, fps)


def test_a_rate_that_only_a_stream_claims_does_not_hold_frames_for_ever() -> None:
    assert MotionTubes(WIDTH, HEIGHT, 90_000.0).delay <= 120


@pytest.mark.parametrize(
    ("name", "value"), [("contrast", 0.0), ("memory", -1.0), ("scale", 2.0), ("travel", np.nan)]
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ProposalError, match=name):
        MotionSettings(**{name: value})
