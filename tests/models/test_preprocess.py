"""Frames to network input: the protocols of the paper, tiny clips, sides, and travel as data."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from tinyvirat.common.pixels import Policy, resize
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain
from tinyvirat.models.preprocess import MAX_SIDE, Preprocess


def frames(t: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Random `frames_THWC`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (t, height, width, 3), dtype=torch.uint8, generator=generator)


def as_input(pictures: list[Image.Image]) -> Tensor:
    """Pillow's pictures as `x_CTHW` in [-1, 1]."""
    levels_THWC = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
    return levels_THWC.permute(3, 0, 1, 2).float() * (2 / 255) - 1


@pytest.mark.parametrize(("height", "width"), [(240, 320), (320, 240), (131, 128), (90, 100)])
@pytest.mark.parametrize("size", [14, 28, 56, 112])
def test_the_papers_protocol_is_pillows(height: int, width: int, size: int) -> None:
    """Short side to 128 bilinear, centre crop of 112, bicubic to the input's side."""
    frames_THWC = frames(2, height, width)
    pictures = []
    for frame in frames_THWC.numpy():
        picture = Image.fromarray(frame)
        short = min(picture.size)
        larger = (picture.width * 128 // short, picture.height * 128 // short)
        picture = picture.resize(larger, Image.Resampling.BILINEAR)
        left, top = (picture.width - 112 + 1) // 2, (picture.height - 112 + 1) // 2
        picture = picture.crop((left, top, left + 112, top + 112))
        pictures.append(picture.resize((size, size), Image.Resampling.BICUBIC))
    got = Preprocess(size).one(frames_THWC)
    assert got.shape == (3, 2, size, size) and got.dtype == torch.float32
    torch.testing.assert_close(got, as_input(pictures), rtol=0, atol=1e-6)


def test_defaults_are_the_papers_x4_protocol() -> None:
    assert Preprocess() == Preprocess(size=28, full=112, short_side=128, fit="crop")


@pytest.mark.parametrize(("height", "width"), [(10, 10), (20, 9), (13, 60), (128, 128)])
def test_tiny_clips_are_letterboxed_with_their_edges(height: int, width: int) -> None:
    frames_THWC = frames(2, height, width)
    side = max(height, width)
    above, before = (side - height) // 2, (side - width) // 2
    padding = ((0, 0), (above, side - height - above), (before, side - width - before), (0, 0))
    square = np.pad(frames_THWC.numpy(), padding, mode="edge")
    pictures = [Image.fromarray(one).resize((28, 28), Image.Resampling.BICUBIC) for one in square]
    got = Preprocess(28, full=None, short_side=None, fit="pad").one(frames_THWC)
    torch.testing.assert_close(got, as_input(pictures), rtol=0, atol=1e-6)


def test_stretching() -> None:
    frames_THWC = frames(2, 20, 11)
    pictures = [  # the height first, as Pillow 13 does it by itself
        Image.fromarray(one)
        .resize((11, 14), Image.Resampling.BICUBIC)
        .resize((14, 14), Image.Resampling.BICUBIC)
        for one in frames_THWC.numpy()
    ]
    got = Preprocess(14, full=None, short_side=None, fit="stretch").one(frames_THWC)
    torch.testing.assert_close(got, as_input(pictures), rtol=0, atol=1e-6)


def test_cropping_tiny_clips_takes_the_centre() -> None:
    frames_THWC = frames(2, 14, 20)
    got = Preprocess(14, full=None, short_side=None, fit="crop").one(frames_THWC)
    expected = frames_THWC[:, :, 3:17].permute(3, 0, 1, 2).float() * (2 / 255) - 1
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_large_clips_are_fitted_at_full_size_then_made_small(fit: Policy) -> None:
    frames_THWC = frames(2, 40, 64)
    full = Preprocess(112, full=None, short_side=None, fit=fit).one(frames_THWC)
    got = Preprocess(14, full=112, short_side=None, fit=fit).one(frames_THWC)
    levels = ((full + 1) * 127.5).round().to(torch.uint8)
    expected = resize(levels, (14, 14)).float() * (2 / 255) - 1
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
    direct = Preprocess(14, full=None, short_side=None, fit=fit).one(frames_THWC)
    assert not torch.equal(direct, got)


def test_a_crop_without_short_side_is_as_large_as_it_can_be() -> None:
    frames_THWC = frames(1, 150, 112)
    got = Preprocess(112, full=112, short_side=None).one(frames_THWC)
    expected = frames_THWC[:, 19:131].permute(3, 0, 1, 2).float() * (2 / 255) - 1
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 160),
    width=st.integers(1, 160),
    size=st.sampled_from([1, 14, 28, (14, 28), (14, 28, 56, 112)]),
    full=st.sampled_from([None, 112]),
    fit=st.sampled_from(["crop", "pad", "stretch"]),
)
def test_any_clip_becomes_a_square_in_range(
    height: int, width: int, size: Any, full: int | None, fit: Policy
) -> None:
    preprocess = Preprocess(size, full=full, short_side=None, fit=fit)
    x_CTHW = preprocess.one(frames(1, height, width))
    side = preprocess.side_for(height, width)
    assert x_CTHW.shape == (3, 1, side, side)
    assert side in preprocess.sizes
    assert -1 <= x_CTHW.min() <= x_CTHW.max() <= 1


def test_black_and_white_are_the_ends_of_the_range() -> None:
    preprocess = Preprocess(14, full=None, short_side=None)
    assert torch.equal(preprocess.one(torch.zeros(1, 9, 9, 3).byte()), -torch.ones(3, 1, 14, 14))
    white = preprocess.one(torch.full((1, 9, 9, 3), 255, dtype=torch.uint8))
    torch.testing.assert_close(white, torch.ones(3, 1, 14, 14), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "side"),
    [(1, 1, 14), (14, 14, 14), (14, 15, 28), (28, 3, 28), (29, 29, 56), (56, 1, 56), (57, 2, 56)],
)
def test_several_sides(height: int, width: int, side: int) -> None:
    preprocess = Preprocess((14, 28, 56), full=None, short_side=None, fit="pad")
    assert preprocess.side_for(height, width) == side
    assert preprocess.one(frames(1, height, width)).shape == (3, 1, side, side)


def test_buckets_hold_one_side_each_in_order() -> None:
    preprocess = Preprocess((14, 28, 56), full=None, short_side=None, fit="pad")
    sizes = [(50, 50), (10, 12), (28, 20), (13, 9), (90, 4), (15, 2)]
    clips = [frames(2, *size, seed=i) for i, size in enumerate(sizes)]
    buckets = preprocess.buckets(clips)
    assert [bucket.indices for bucket in buckets] == [(1, 3), (2, 5), (0, 4)]
    assert [bucket.x_BCTHW.shape[-1] for bucket in buckets] == [14, 28, 56]
    for bucket in buckets:
        for index, x_CTHW in zip(bucket.indices, bucket.x_BCTHW, strict=True):
            assert torch.equal(x_CTHW, preprocess.one(clips[index]))


def test_one_side_is_one_bucket_and_nothing_is_none() -> None:
    preprocess = Preprocess(14, full=None, short_side=None)
    clips = [frames(2, 9, 9), frames(2, 60, 80)]
    (bucket,) = preprocess.buckets(clips)
    assert bucket.indices == (0, 1)
    assert torch.equal(bucket.x_BCTHW, preprocess(clips))
    assert preprocess.buckets([]) == []


def test_the_frames_are_left_alone() -> None:
    frames_THWC = frames(2, 14, 14)
    before = frames_THWC.clone()
    Preprocess(14, full=None, short_side=None).one(frames_THWC).fill_(0)
    assert torch.equal(frames_THWC, before)


def test_at_another_side() -> None:
    preprocess = Preprocess(28, 112, 128)
    assert preprocess.at(14) == Preprocess(14, 112, 128)
    assert preprocess.size == 28


@st.composite
def preprocesses(draw: st.DrawFn) -> Preprocess:
    sides = st.integers(1, MAX_SIDE)
    size = draw(sides | st.sets(sides, min_size=1, max_size=5).map(lambda s: tuple(sorted(s))))
    fit = draw(st.sampled_from(["crop", "pad", "stretch"]))
    full = draw(st.none() | sides)
    short_side = None
    if fit == "crop" and full is not None:
        short_side = draw(st.none() | st.integers(full, MAX_SIDE))
    return Preprocess(size, full, short_side, fit)


@settings(deadline=None)
@given(preprocesses())
def test_travels_as_json(preprocess: Preprocess) -> None:
    text = json.dumps(to_plain(preprocess))
    assert from_plain(Preprocess, json.loads(text), where="model.json") == preprocess


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "size is 0; a side is 1 to 4096 px"),
        ({"size": MAX_SIDE + 1}, "size is 4097"),
        ({"size": ()}, "the sides must increase"),
        ({"size": (28, 14)}, "the sides must increase"),
        ({"size": (14, 14)}, "the sides must increase"),
        ({"size": (0, 14)}, "size is 0"),
        ({"full": 0, "short_side": None}, "full is 0"),
        ({"full": 1 << 40, "short_side": None}, "full is"),
        ({"short_side": -1}, "short_side is -1"),
        ({"short_side": 100}, "short_side 100 is below full 112"),
        ({"fit": "squeeze"}, "fit is 'squeeze', not one of crop, pad, stretch"),
        ({"fit": "pad"}, "short_side needs fit 'crop' and a full side"),
        ({"fit": "stretch"}, "short_side needs fit 'crop'"),
        ({"full": None}, "short_side needs fit 'crop' and a full side"),
    ],
)
def test_impossible_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocess(**values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "is not a mapping"),
        ([], "is not a mapping"),
        ({"side": 28}, "'side' is not one of size, full, short_side, fit"),
        ({"size": "28"}, "size: '28' is no"),
        ({"size": 28.0}, "size"),
        ({"size": True}, "size"),
        ({"size": [14, 28.5]}, "size"),
        ({"size": [[14]]}, "size"),
        ({"full": "112"}, "full"),
        ({"full": 1.5}, "full"),
        ({"fit": ["crop"]}, "fit"),
        ({"fit": None}, "fit"),
        ({"size": 0}, "a side is 1 to"),
        ({"size": []}, "the sides must increase"),
        ({"fit": "pad"}, "short_side needs"),
    ],
)
def test_wrong_data_is_an_error_with_its_place(data: object, message: str) -> None:
    with pytest.raises(PlainDataError, match=message) as caught:
        from_plain(Preprocess, data, where="model.json: preprocess")
    assert str(caught.value).startswith("model.json: preprocess")


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["size", "full", "short_side", "fit", "network", "x"]), json_values
    )
)
def test_whatever_the_data_it_is_read_or_refused(data: dict[str, Any]) -> None:
    try:
        preprocess = from_plain(Preprocess, data, where="model.json")
    except PlainDataError as error:
        assert str(error).startswith("model.json")
    else:
        assert from_plain(Preprocess, to_plain(preprocess), where="model.json") == preprocess
