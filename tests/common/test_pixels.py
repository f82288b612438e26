"""The resize equals Pillow's, the fits keep what they promise, ranges go there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tinyvirat.common import pixels
from tinyvirat.common.pixels import (
    PixelError,
    crop_at,
    crop_windows,
    fit,
    resize,
    shorten,
    to_float,
    to_uint8,
)

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def random_image(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Noise, black and white noise (the hardest: it overshoots), or something smooth."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if seed % 3 == 1:
        return np.where(noise > 127, 255, 0).astype(np.uint8)
    if seed % 3 == 2:
        return np.array(Image.fromarray(noise[:4, :4]).resize((width, height)))
    return noise


def by_pillow(image_HWC: NDArray[np.uint8], size_HW: tuple[int, int], mode: str) -> Tensor:
    """As Pillow 13 does it; older ones, which always begin with the width, are told the order."""
    picture, (height, width) = Image.fromarray(image_HWC), image_HWC.shape[:2]
    if height > size_HW[0] and height - size_HW[0] > 2 * (width - size_HW[1]):
        picture = picture.resize((width, size_HW[0]), FILTERS[mode])
    picture = picture.resize(size_HW[::-1], FILTERS[mode])
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def ours(image_HWC: NDArray[np.uint8], size_HW: tuple[int, int], mode: str) -> Tensor:
    return resize(torch.from_numpy(image_HWC).permute(2, 0, 1), size_HW, mode)


@pytest.fixture(autouse=True, params=["by Pillow", "by products"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of the exact resize: Pillow's own, and that of devices and of many threads."""
    monkeypatch.setattr(pixels, "PILLOW_THREADS", 1000 if request.param == "by Pillow" else 0)


def furthest(a: Tensor, b: Tensor) -> int:
    return int((a.int() - b.int()).abs().max())


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    ("native_HW", "size_HW"),
    [
        ((112, 112), (14, 14)),
        ((112, 112), (28, 28)),
        ((112, 112), (56, 56)),
        ((14, 14), (112, 112)),
        ((128, 170), (112, 148)),
        ((240, 320), (128, 170)),
        ((37, 52), (28, 28)),
        ((10, 13), (28, 28)),
        ((10, 10), (112, 112)),
        ((1, 1), (5, 5)),
        ((7, 5), (3, 2)),
        ((200, 1), (14, 1)),
    ],
)
def test_resize_is_pillow_s(
    mode: str, native_HW: tuple[int, int], size_HW: tuple[int, int]
) -> None:
    for seed in range(6):
        image = random_image(*native_HW, seed)
        assert torch.equal(ours(image, size_HW, mode), by_pillow(image, size_HW, mode))


sizes = st.integers(1, 140)


@settings(max_examples=150, deadline=None)
@given(sizes, sizes, sizes, sizes, st.sampled_from(sorted(FILTERS)), st.integers(0, 10_000))
def test_resize_is_pillow_s_at_any_size(
    height: int, width: int, to_height: int, to_width: int, mode: str, seed: int
) -> None:
    image = random_image(height, width, seed)
    size_HW = (to_height, to_width)
    assert furthest(ours(image, size_HW, mode), by_pillow(image, size_HW, mode)) <= 1


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, sizes, sizes, st.sampled_from(sorted(FILTERS)), st.integers(0, 10_000))
def test_each_axis_is_pillow_s_whatever_its_version(
    height: int, width: int, to_height: int, to_width: int, mode: str, seed: int
) -> None:
    image = random_image(height, width, seed)
    for size_HW in ((to_height, width), (height, to_width)):
        assert torch.equal(ours(image, size_HW, mode), by_pillow(image, size_HW, mode))


def test_resize_takes_large_input_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randint(0, 256, (3, 5, 2, 40, 31), dtype=torch.uint8)
    whole = resize(x, (14, 17))
    monkeypatch.setattr(pixels, "PIXELS_AT_ONCE", 40 * 31 * 4)
    assert whole.shape == (3, 5, 2, 14, 17)
    assert torch.equal(resize(x, (14, 17)), whole)
    assert torch.equal(resize(x[1, 2, 0], (14, 17)), whole[1, 2, 0])


def test_resize_is_not_touched_by_autocast_or_memory_format() -> None:
    x = torch.randint(0, 256, (2, 3, 50, 60), dtype=torch.uint8)
    plain = resize(x, (14, 14))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(resize(x, (14, 14)), plain)
    assert torch.equal(resize(x.to(memory_format=torch.channels_last), (14, 14)), plain)


def test_floats_follow_pillow_and_let_gradients_through() -> None:
    image = random_image(60, 44, 0) // 4 + 96  # overshoot stays in range: floats are not clamped
    x = torch.from_numpy(image).permute(2, 0, 1).to(torch.float32).requires_grad_()
    y = resize(x, (14, 14))
    assert furthest(y.detach().round(), by_pillow(image, (14, 14), "bicubic")) <= 1
    y.sum().backward()
    assert x.grad is not None
    assert torch.isclose(x.grad.sum(), torch.tensor(3.0 * 14 * 14), rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_resize_keeps_the_dtype(dtype: torch.dtype) -> None:
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    y = resize(x.to(dtype), (8, 8), "bilinear")
    assert y.dtype == dtype
    assert torch.allclose(y.double(), resize(x, (8, 8), "bilinear"), atol=1e-2)


def test_the_same_size_changes_nothing() -> None:
    x = torch.randint(0, 256, (2, 9, 7), dtype=torch.uint8)
    assert resize(x, (9, 7)) is x


@pytest.mark.parametrize(
    ("x", "size_HW", "mode", "error"),
    [
        (torch.zeros(4, 4), (0, 3), "bicubic", PixelError),
        (torch.zeros(0, 4), (3, 3), "bicubic", PixelError),
        (torch.zeros(4, 4), (3, 3), "nearest", PixelError),
        (torch.zeros(4), (3, 3), "bicubic", TypeError),
        (torch.zeros(4, 4, dtype=torch.int32), (3, 3), "bicubic", TypeError),
    ],
)
def test_what_cannot_be_resized_is_named(
    x: Tensor, size_HW: tuple[int, int], mode: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        resize(x, size_HW, mode)  # type: ignore[arg-type]


def frames_of(height: int, width: int, count: int = 2) -> Tensor:
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8)


def test_crop_is_short_side_then_centre() -> None:
    frames_THWC = frames_of(128, 170)
    x_CTHW = fit(frames_THWC, "crop", 112, 128)
    assert torch.equal(x_CTHW, frames_THWC[:, 8:120, 29:141].permute(3, 0, 1, 2))
    shrunk = fit(frames_of(60, 80), "crop", 28)
    assert shrunk.shape == (3, 2, 28, 28)
    assert shrunk.is_contiguous()


def test_short_side_is_bilinear_and_keeps_the_shape() -> None:
    image = random_image(240, 320, 0)
    x_CHW = torch.from_numpy(image).permute(2, 0, 1)
    assert torch.equal(shorten(x_CHW, 128), by_pillow(image, (128, 170), "bilinear"))
    assert shorten(x_CHW.transpose(1, 2), 128).shape == (3, 170, 128)


@settings(max_examples=50, deadline=None)
@given(st.integers(4, 40), st.integers(4, 40), st.floats(0, 1), st.floats(0, 1))
def test_a_crop_lies_inside_wherever_it_is(
    height: int, width: int, down: float, across: float
) -> None:
    x = torch.arange(height * width).reshape(1, height, width)
    cut = crop_at(x, 4, (down, across))
    top, left = divmod(int(cut[0, 0, 0]), width)
    assert torch.equal(cut, x[:, top : top + 4, left : left + 4])


def test_crops_reach_every_row_and_column_alike() -> None:
    x = torch.arange(7)[None, None, :].expand(1, 5, 7)
    lefts = [int(crop_at(x, 5, (0.5, (i + 0.5) / 300))[0, 0, 0]) for i in range(300)]
    assert [lefts.count(left) for left in range(3)] == [100, 100, 100]


def test_pad_repeats_the_edges_evenly() -> None:
    frames_THWC = frames_of(4, 8, 1)
    x_CTHW = fit(frames_THWC, "pad", 8)
    image_CHW = frames_THWC[0].permute(2, 0, 1)
    assert torch.equal(x_CTHW[:, 0, 2:6], image_CHW)
    assert torch.equal(x_CTHW[:, 0, :2], image_CHW[:, :1].expand(3, 2, 8))
    assert torch.equal(x_CTHW[:, 0, 6:], image_CHW[:, -1:].expand(3, 2, 8))
    tall = fit(frames_THWC.transpose(1, 2), "pad", 8)
    assert torch.equal(tall, x_CTHW.transpose(2, 3))


def test_stretch_is_a_plain_resize() -> None:
    image = random_image(37, 52, 1)
    x_CTHW = fit(torch.from_numpy(image)[None], "stretch", 28)
    assert torch.equal(x_CTHW[:, 0], by_pillow(image, (28, 28), "bicubic"))


def test_fit_refuses_what_it_would_ignore() -> None:
    frames_THWC = frames_of(20, 20)
    with pytest.raises(PixelError, match="belong to the policy 'crop'"):
        fit(frames_THWC, "pad", 8, short_side=16)
    with pytest.raises(PixelError, match="belong to the policy 'crop'"):
        fit(frames_THWC, "stretch", 8, at=(0.0, 0.0))
    with pytest.raises(PixelError, match="crop, pad, stretch"):
        fit(frames_THWC, "squeeze", 8)  # type: ignore[arg-type]
    with pytest.raises(PixelError, match="crop of 16 pixels"):
        fit(frames_THWC, "crop", 16, short_side=8)
    with pytest.raises(PixelError, match="between 0 and 1"):
        fit(frames_THWC, "crop", 8, 16, at=(0.5, 1.5))
    with pytest.raises(TypeError, match="uint8"):
        fit(frames_THWC.float(), "crop", 8)


def windows(*rows: tuple[int, int, int, int]) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64)


def test_a_window_inside_is_a_cut_and_outside_repeats_the_edge() -> None:
    frames_THWC = frames_of(10, 12)
    inside = crop_windows(frames_THWC, windows((2, 3, 8, 9)))
    assert torch.equal(inside, frames_THWC[:, 3:9, 2:8])
    outside = crop_windows(frames_THWC, windows((-2, 7, 4, 13)))
    padded = np.pad(frames_THWC.numpy(), ((0, 0), (0, 3), (2, 0), (0, 0)), mode="edge")
    assert torch.equal(outside, torch.from_numpy(padded)[:, 7:13, 0:6])


def test_windows_move_and_grow_with_the_frames() -> None:
    frames_THWC = frames_of(10, 12)
    moved = crop_windows(frames_THWC, windows((0, 0, 4, 4), (5, 5, 9, 9)))
    assert torch.equal(moved[1], frames_THWC[1, 5:9, 5:9])
    grown = crop_windows(frames_THWC, windows((0, 0, 4, 4), (2, 2, 10, 10)))
    assert torch.equal(grown[1], frames_THWC[1, 2:10, 2:10])
    small_CHW = frames_THWC[0, :4, :4].permute(2, 0, 1)
    assert torch.equal(grown[0], resize(small_CHW, (8, 8)).permute(1, 2, 0))
    alone = crop_windows(frames_THWC[:1], windows((0, 0, 4, 4)), side=8)
    assert torch.equal(alone[0], grown[0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 0, 4, 5)], "window 0"),
        ([(0, 0, 4, 4), (4, 4, 4, 4)], "window 1"),
        ([(0, 0, 4, 4)] * 3, "3 windows for 2 frames"),
    ],
)
def test_windows_that_cannot_be_cut(rows: list[tuple[int, int, int, int]], message: str) -> None:
    with pytest.raises(PixelError, match=message):
        crop_windows(frames_of(10, 12), windows(*rows))


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)])
def test_ranges_there_and_back(value_range: tuple[float, float]) -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    x = to_float(levels, value_range)
    assert (float(x[0]), float(x[255])) == pytest.approx(value_range, abs=1e-6)
    assert torch.equal(to_uint8(x, value_range), levels)
    far = torch.tensor([value_range[0] - 9.0, value_range[1] + 9.0])
    assert to_uint8(far, value_range).tolist() == [0, 255]


def test_ranges_that_are_none() -> None:
    with pytest.raises(PixelError, match="smaller"):
        to_float(torch.zeros(1, dtype=torch.uint8), (1.0, -1.0))
    with pytest.raises(TypeError, match="uint8"):
        to_float(torch.zeros(1))
