"""The preprocessing inside a file gives the levels that the preprocessing outside gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from tinyvirat.common.pixels import SCALE, LevelPass, level_passes, resize
from tinyvirat.export.fold import EXACT, ExactPass, FoldError, passes_for
from tinyvirat.models.preprocess import Preprocess

PREPROCESSES = (
    Preprocess(14),
    Preprocess(28, full=112, short_side=None),
    Preprocess(14, full=112, short_side=None, fit="pad"),
    Preprocess(28, full=None, short_side=None, fit="pad"),
    Preprocess(28, full=None, short_side=None, fit="crop"),
    Preprocess(28, full=None, short_side=None, fit="stretch"),
    Preprocess((14, 28, 56, 112), full=None, short_side=None, fit="pad"),
)
SIZES = (
    *((240, 320), (320, 240), (128, 170), (20, 11), (11, 20), (28, 28), (28, 40), (112, 112)),
    *((37, 129), (1, 1), (1, 5), (300, 50)),
)


def levels(frames: int, height: int, width: int) -> torch.Tensor:
    """Noise, black against white (where sums are largest), and a flat picture."""
    generator = torch.Generator().manual_seed(height * 1000 + width)
    noise = torch.randint(0, 256, (frames, height, width, 3), generator=generator)
    noise[0] = torch.randint(0, 2, (height, width, 3), generator=generator) * 255
    noise[-1] = 255
    return noise.to(torch.uint8)


def folded(preprocess: Preprocess, frames_THWC: torch.Tensor) -> torch.Tensor:
    """What the passes give, in float32."""
    x_CTHW = frames_THWC.permute(3, 0, 1, 2).float()
    for one in passes_for(preprocess, *frames_THWC.shape[1:3]):
        x_CTHW = ExactPass(one)(x_CTHW)
    return x_CTHW * (2.0 / 255.0) - 1.0


@pytest.mark.parametrize("preprocess", PREPROCESSES, ids=str)
def test_nothing_differs_in_any_level(preprocess: Preprocess) -> None:
    for height, width in SIZES:
        frames_THWC = levels(3, height, width)
        assert torch.equal(folded(preprocess, frames_THWC), preprocess.one(frames_THWC))


def test_one_pass_is_pillows() -> None:
    picture_HW = levels(1, 90, 64)[0, ..., 0]
    small = np.asarray(
        Image.fromarray(picture_HW.numpy()).resize((20, 30), Image.Resampling.BICUBIC)
    )
    x = picture_HW.float()
    for one in level_passes(90, 64, (30, 20)):
        x = ExactPass(one)(x)
    assert np.array_equal(x.numpy(), small)


def test_prepared_clips_have_no_pass() -> None:
    assert passes_for(Preprocess(28, full=None, short_side=None, fit="pad"), 28, 28) == ()


def test_sums_that_float32_would_round_are_refused() -> None:
    preprocess = Preprocess(14, full=None, short_side=None, fit="stretch")
    with pytest.raises(FoldError, match="frames of 2160 px are made 14 px small"):
        [ExactPass(one) for one in passes_for(preprocess, 2160, 2160)]


def test_the_largest_sums_that_are_accepted_are_exact() -> None:
    """Just below the bound, with the levels that reach it, against whole-number arithmetic."""
    rng = np.random.default_rng(0)
    accepted = []
    for length in (256, 512, 640, 700, 768):
        try:
            accepted.append((length, ExactPass(level_passes(length, length, (length, 14))[0])))
        except FoldError:
            break
    length, one = accepted[-1]
    weights_OI = level_passes(length, length, (length, 14))[0].weights_OI.numpy().astype(np.int64)
    rows = [np.where((weights_OI[o] & 1024) > 0, 255, 0) for o in range(14)]
    x = np.stack(
        [
            *rows,
            *(np.where(weights_OI[o] > 0, 255, 0) for o in range(14)),
            rng.integers(0, 256, length),
        ]
    )
    wanted = np.clip((x @ weights_OI.T + SCALE // 2) // SCALE, 0, 255)
    assert np.array_equal(one(torch.from_numpy(x).float()).numpy(), wanted)
    assert float(one.low_OI.abs().sum(1).max()) * 255 > EXACT / 4, "not near the bound"


def test_an_uneven_split_of_weights_is_put_together_again() -> None:
    weights_OI = torch.tensor([[SCALE // 3, SCALE - SCALE // 3], [-5000, SCALE + 5000]])
    one = ExactPass(LevelPass(-1, weights_OI.double()))
    for pair in ((0, 255), (255, 0), (1, 2), (254, 255)):
        exact = [
            min(
                max(
                    (sum(int(w) * p for w, p in zip(row, pair, strict=True)) + SCALE // 2) // SCALE,
                    0,
                ),
                255,
            )
            for row in weights_OI
        ]
        assert one(torch.tensor([pair], dtype=torch.float32))[0].tolist() == exact


def test_the_passes_are_what_resize_does() -> None:
    frames = levels(2, 50, 300).permute(0, 3, 1, 2)
    x = frames.double()
    for axis, weights_OI in level_passes(50, 300, (20, 31), "bilinear"):
        sums = x @ weights_OI.T if axis == -1 else weights_OI @ x
        x = torch.floor(sums / SCALE + 0.5).clamp(0, 255)
    assert torch.equal(x.to(torch.uint8), resize(frames, (20, 31), "bilinear"))
    assert level_passes(20, 31, (20, 31)) == ()
