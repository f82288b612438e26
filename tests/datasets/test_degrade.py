"""Pairs are what the published pipeline makes, and depend on nothing but the clip and its seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tinyvirat.common.pixels import to_uint8
from tinyvirat.datasets.degrade import Degrade, DegradeError, stage_target


def clip(seed: int, height: int, width: int, frames: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (frames, height, width, 3), dtype=torch.uint8, generator=generator)


CLIPS = [clip(0, 60, 80), clip(1, 60, 80), clip(2, 70, 50), clip(3, 36, 33)]
SEEDS = [3, 99, 2**62, 0]
SMALL = Degrade(short_side=40, crop=32, low=8)


@pytest.mark.parametrize("up_to", [None, 32])
def test_a_test_pair_is_what_pillow_makes(up_to: int | None) -> None:
    make = Degrade(short_side=128, crop=112, low=14, up_to=up_to).for_testing()
    frames_THWC = clip(5, 140, 180)
    pairs = make([frames_THWC], [1])
    picture = Image.fromarray(frames_THWC[1].numpy())
    left = (164 - 112) // 2
    high = picture.resize((164, 128), Image.Resampling.BILINEAR).crop((left, 8, left + 112, 120))
    low = high.resize((14, 14), Image.Resampling.BICUBIC)
    if up_to:
        low = low.resize((up_to, up_to), Image.Resampling.BICUBIC)
    for made_BCTHW, picture in ((pairs.high_BCTHW, high), (pairs.low_BCTHW, low)):
        levels_HWC = to_uint8(made_BCTHW[0, :, 1]).permute(1, 2, 0)
        assert torch.equal(levels_HWC, torch.from_numpy(np.array(picture)))


def test_shapes_types_and_range() -> None:
    pairs = Degrade(short_side=40, crop=32, low=8, value_range=(0.0, 1.0))(CLIPS, SEEDS)
    assert pairs.high_BCTHW.shape == (4, 3, 2, 32, 32)
    assert pairs.low_BCTHW.shape == (4, 3, 2, 8, 8)
    for x in (pairs.low_BCTHW, pairs.high_BCTHW):
        assert x.dtype == torch.float32
        assert float(x.min()) >= 0.0
        assert 0.5 < float(x.max()) <= 1.0


def test_a_pair_does_not_depend_on_its_batch() -> None:
    together = SMALL(CLIPS, SEEDS)
    for order in ([3, 1], [2], [0, 2, 1, 3]):
        again = SMALL([CLIPS[i] for i in order], [SEEDS[i] for i in order])
        for place, i in enumerate(order):
            assert torch.equal(again.low_BCTHW[place], together.low_BCTHW[i])
            assert torch.equal(again.high_BCTHW[place], together.high_BCTHW[i])


def test_chance_follows_the_seed_alone() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    first = SMALL(CLIPS, SEEDS).high_BCTHW
    assert torch.equal(SMALL(CLIPS, SEEDS).high_BCTHW, first)
    assert not torch.equal(SMALL(CLIPS, [s + 1 for s in SEEDS]).high_BCTHW, first)


def test_the_crop_reaches_every_column_and_row_and_mirrors_half() -> None:
    """Columns and rows carry their own number, so that a crop says where it is from."""
    grid = torch.zeros(1, 10, 14, 3, dtype=torch.uint8)
    grid[..., 0] = torch.arange(14)
    grid[..., 1] = torch.arange(10)[:, None]
    make = Degrade(short_side=10, crop=8, low=8, value_range=(0.0, 255.0))
    high_BCTHW = make([grid] * 600, range(600)).high_BCTHW.round()
    corner_BC = high_BCTHW[:, :2, 0, 0, 0]
    mirrored_B = high_BCTHW[:, 0, 0, 0, 0] > high_BCTHW[:, 0, 0, 0, 1]
    lefts = corner_BC[:, 0] - 7 * mirrored_B
    assert 250 < int(mirrored_B.sum()) < 350
    for places, room in ((lefts, 7), (corner_BC[:, 1], 3)):
        counts = torch.bincount(places.int(), minlength=room)
        assert len(counts) == room
        assert int(counts.min()) > 600 / room * 0.7


def test_no_chance_in_testing() -> None:
    make = SMALL.for_testing()
    assert torch.equal(make(CLIPS, SEEDS).high_BCTHW, make(CLIPS, [7, 8, 9, 10]).high_BCTHW)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0}, "low at least 1"),
        ({"low": 113}, "as large as the one before"),
        ({"crop": 129}, "as large as the one before"),
        ({"flip": 1.5}, "probability"),
        ({"place": "left"}, "random or centre"),
        ({"value_range": (1.0, 1.0)}, "smaller number"),
        ({"up_to": 27}, "up_to is 27"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(DegradeError, match=message):
        Degrade(**options)  # type: ignore[arg-type]


def test_clips_that_cannot_be() -> None:
    with pytest.raises(DegradeError, match="no clips"):
        SMALL([], [])
    with pytest.raises(DegradeError, match="as many seeds"):
        SMALL(CLIPS, [1])
    with pytest.raises(DegradeError, match=r"\[2, 3\] frames"):
        SMALL([CLIPS[0], clip(0, 60, 60, frames=3)], [1, 2])
    with pytest.raises(TypeError, match="uint8"):
        SMALL([CLIPS[0].float()], [1])


@pytest.mark.parametrize(("frames", "size"), [(4, 28), (8, 56), (16, 112)])
def test_a_stage_sees_every_nth_frame(frames: int, size: int) -> None:
    levels_BCTHW = torch.arange(16.0).div(16)[None, None, :, None, None]
    target = stage_target(levels_BCTHW.expand(2, 3, 16, 112, 112), frames, size)
    assert target.shape == (2, 3, frames, size, size)
    expected = torch.arange(0, 16, 16 // frames) / 16
    assert torch.allclose(target[1, 2, :, 5, 7], expected, atol=1e-6)


def test_a_stage_stays_in_range() -> None:
    edges = torch.where(torch.arange(64) % 16 < 8, -1.0, 1.0).expand(1, 3, 4, 64, 64)
    target = stage_target(edges, 2, 32)
    assert (float(target.min()), float(target.max())) == (-1.0, 1.0)
    with pytest.raises(DegradeError, match="3 frames cannot be taken evenly from 4"):
        stage_target(edges, 3, 32)
