"""The samplers: ranges, shapes, coverage, chance, short clips, and their saved form."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.video.errors import SamplingError
from tinyvirat.video.sampling import (
    AllWindows,
    AnySampler,
    CentreWindow,
    RandomWindow,
    SlidingWindows,
    sampler_from_dict,
    sampler_to_dict,
)

# A busy machine is no defect of a sampler.
unhurried = settings(deadline=None)

FRAMES = st.integers(1, 300)
LENGTHS = st.integers(1, 40)
STRIDES = st.integers(1, 5)
SHORTS = st.sampled_from(["loop", "edge"])


@st.composite
def samplers(draw: st.DrawFn) -> AnySampler:
    length, stride, short = draw(LENGTHS), draw(STRIDES), draw(SHORTS)
    strides = tuple(draw(st.lists(STRIDES, min_size=1, max_size=3)))
    hop = draw(st.integers(1, length * stride))
    remainder = draw(st.sampled_from(["drop", "keep"]))
    return draw(
        st.sampled_from(
            [
                RandomWindow(length, strides, short),
                CentreWindow(length, stride, short),
                AllWindows(length, stride, short, remainder),
                SlidingWindows(length, hop, stride, short),
            ]
        )
    )


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@unhurried
@given(samplers(), FRAMES, st.integers(0, 2**32 - 1))
def test_every_window_has_its_length_and_lies_in_the_clip(
    sampler: AnySampler, frames: int, seed: int
) -> None:
    indices_NT = sampler.windows(frames, rng(seed))
    assert indices_NT.dtype == np.int64
    assert indices_NT.ndim == 2 and indices_NT.shape[0] >= 1
    assert indices_NT.shape[1] == sampler.length
    assert indices_NT.min() >= 0 and indices_NT.max() < frames


@unhurried
@given(samplers(), FRAMES, st.integers(0, 2**32 - 1))
def test_the_same_chance_gives_the_same_window(sampler: AnySampler, frames: int, seed: int) -> None:
    np.testing.assert_array_equal(
        sampler.windows(frames, rng(seed)), sampler.windows(frames, rng(seed))
    )


@unhurried
@given(samplers(), FRAMES, st.integers(0, 2**32 - 1))
def test_frames_of_a_window_are_one_stride_apart_when_it_fits(
    sampler: AnySampler, frames: int, seed: int
) -> None:
    strides = sampler.strides if isinstance(sampler, RandomWindow) else (sampler.stride,)
    if (sampler.length - 1) * min(strides) + 1 > frames or sampler.length == 1:
        return
    steps = np.diff(sampler.windows(frames, rng(seed)))
    assert all(len(set(row)) == 1 and row[0] in strides for row in steps.tolist())


@unhurried
@given(st.integers(1, 15), SHORTS, st.integers(0, 99))
def test_a_short_clip_is_looped_or_held_never_invented(frames: int, short: str, seed: int) -> None:
    want = {
        "loop": [k % frames for k in range(16)],
        "edge": [min(k, frames - 1) for k in range(16)],
    }[short]
    for sampler in (
        RandomWindow(short=short),
        CentreWindow(short=short),
        AllWindows(short=short),
        AllWindows(short=short, remainder="keep"),
        SlidingWindows(short=short),
    ):
        assert sampler.windows(frames, rng(seed)).tolist() == [want]


@unhurried
@given(FRAMES, LENGTHS, st.integers(1, 40), SHORTS)
def test_sliding_windows_see_every_frame(frames: int, length: int, hop: int, short: str) -> None:
    sampler = SlidingWindows(length, min(hop, length), 1, short)
    seen = sampler.windows(frames)
    assert set(seen.ravel().tolist()) == set(range(frames))
    if frames > length:
        starts = seen[:, 0]
        assert np.all(np.diff(starts)[:-1] == sampler.hop)
        assert 1 <= np.diff(starts)[-1] <= sampler.hop


@unhurried
@given(FRAMES, LENGTHS, STRIDES)
def test_sliding_windows_end_on_the_last_frame_whatever_the_stride(
    frames: int, length: int, stride: int
) -> None:
    windows = SlidingWindows(length, 1, stride).windows(frames)
    if frames >= (length - 1) * stride + 1:
        assert windows[-1, -1] == frames - 1


@unhurried
@given(FRAMES, LENGTHS, STRIDES)
def test_all_windows_never_overlap_and_drop_less_than_one_window(
    frames: int, length: int, stride: int
) -> None:
    windows = AllWindows(length, stride).windows(frames)
    if frames < (length - 1) * stride + 1:
        assert len(windows) == 1
        return
    assert np.all(windows[1:, 0] > windows[:-1, -1])
    assert frames - 1 - windows[-1, -1] < length * stride


@unhurried
@given(FRAMES, LENGTHS)
def test_all_windows_keep_every_frame_when_asked(frames: int, length: int) -> None:
    dropped = AllWindows(length).windows(frames)
    kept = AllWindows(length, remainder="keep").windows(frames)
    assert set(kept.ravel().tolist()) == set(range(frames))
    assert len(kept) == -(-frames // length)
    np.testing.assert_array_equal(kept[: len(dropped)], dropped)


def test_all_windows_are_the_published_chunks() -> None:
    windows = AllWindows().windows(70)
    assert windows.tolist() == [list(range(s, s + 16)) for s in (0, 16, 32, 48)]
    kept = AllWindows(remainder="keep").windows(70)
    assert kept.tolist() == [list(range(s, s + 16)) for s in (0, 16, 32, 48, 54)]
    assert len(AllWindows(remainder="keep").windows(64)) == 4


def test_the_centre_window_is_in_the_middle() -> None:
    assert CentreWindow().windows(94)[0].tolist() == list(range(39, 55))
    assert CentreWindow(4, 2).windows(10)[0].tolist() == [1, 3, 5, 7]


def test_a_random_window_takes_both_strides_equally_and_every_start() -> None:
    generator = rng(3)
    drawn = np.concatenate([RandomWindow().windows(40, generator) for _ in range(4000)])
    strides, counts = np.unique(drawn[:, 1] - drawn[:, 0], return_counts=True)
    assert strides.tolist() == [1, 2]
    assert abs(counts[0] - 2000) < 150  # 4.7 standard deviations
    singles = drawn[drawn[:, 1] - drawn[:, 0] == 1]
    doubles = drawn[drawn[:, 1] - drawn[:, 0] == 2]
    assert set(singles[:, 0].tolist()) == set(range(25))
    assert set(doubles[:, 0].tolist()) == set(range(10))


@unhurried
@given(st.integers(16, 30), st.integers(0, 2**32 - 1))
def test_a_random_window_takes_stride_one_where_two_does_not_fit(frames: int, seed: int) -> None:
    assert set(np.diff(RandomWindow().windows(frames, rng(seed)))[0].tolist()) == {1}


def test_a_random_window_needs_chance() -> None:
    with pytest.raises(SamplingError, match="random generator"):
        RandomWindow().windows(40)


@unhurried
@given(samplers())
def test_a_saved_sampler_comes_back_equal(sampler: AnySampler) -> None:
    saved = sampler_to_dict(sampler)
    assert json.loads(json.dumps(saved)) == saved
    assert sampler_from_dict(json.loads(json.dumps(saved))) == sampler


def test_saved_form_is_plain_and_complete() -> None:
    assert sampler_to_dict(RandomWindow()) == {
        "kind": "random",
        "length": 16,
        "strides": [1, 2],
        "short": "loop",
    }
    assert sampler_from_dict({"kind": "sliding", "hop": 4}) == SlidingWindows(hop=4)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "kind"),
        ({"kind": "every"}, "'every'"),
        ({"kind": ["all"]}, r"\['all'\]"),
        ({"kind": "all", "hop": 3}, "'hop'"),
        ({"kind": "all", "length": 0}, "length"),
        ({"kind": "all", "length": 2.5}, "length"),
        ({"kind": "all", "length": True}, "length"),
        ({"kind": "all", "remainder": "pad"}, "'pad'"),
        ({"kind": "centre", "short": "black"}, "'black'"),
        ({"kind": "centre", "short": ["loop"]}, "short"),
        ({"kind": "random", "strides": []}, "strides"),
        ({"kind": "random", "strides": [1, 0]}, r"strides\[1\]"),
        ({"kind": "random", "strides": 2}, "strides"),
        ({"kind": "sliding", "length": 4, "hop": 5}, "hop"),
        ("all", "mapping"),
    ],
)
def test_a_wrong_saved_sampler_is_refused_by_name(data: object, named: str) -> None:
    with pytest.raises(SamplingError, match=named):
        sampler_from_dict(data)


def test_something_else_is_not_saved() -> None:
    with pytest.raises(SamplingError, match="random, centre, all, sliding"):
        sampler_to_dict(object())


@pytest.mark.parametrize("frames", [0, -1, 1.5, True])
@pytest.mark.parametrize(
    "sampler", [RandomWindow(), CentreWindow(), AllWindows(), SlidingWindows()]
)
def test_a_clip_without_frames_is_refused(sampler: AnySampler, frames: object) -> None:
    with pytest.raises(SamplingError, match="frames"):
        sampler.windows(frames, rng())


def test_importing_the_samplers_loads_neither_decoder_nor_torch() -> None:
    code = (
        "import sys, tinyvirat.video.sampling; "
        "print([m for m in ('av', 'torch', 'torchcodec') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
