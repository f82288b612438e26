"""A protocol's small clip is the one that training, evaluation and recognition are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from tinyvirat.cli import main
from tinyvirat.common.pixels import to_float
from tinyvirat.datasets.published.protocols import PROTOCOLS, low_resolution
from tinyvirat.training.recipe import Clips

CLIP_THWC = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 240, 320, 3), np.uint8))
SIZES = {
    "112x112": (112, 112),
    "28x28": (28, 28),
    "14x14": (14, 14),
    "12x16": (12, 16),
    "24x32": (24, 32),
    "80x60": (60, 80),
}


def test_height_and_width() -> None:
    assert {name: one.size_HW for name, one in PROTOCOLS.items()} == SIZES
    for name, (height, width) in SIZES.items():
        low_THWC = low_resolution(CLIP_THWC, PROTOCOLS[name])
        assert low_THWC.shape == (3, height, width, 3)
        assert low_THWC.dtype == torch.uint8
        assert low_THWC.is_contiguous()


@pytest.mark.parametrize("name", [name for name, one in PROTOCOLS.items() if one.recipe])
def test_the_recipe_does_exactly_this(name: str) -> None:
    clips = Clips(**yaml.safe_load(PROTOCOLS[name].recipe)["clips"])
    low_CTHW = to_float(low_resolution(CLIP_THWC, PROTOCOLS[name])).permute(3, 0, 1, 2)
    assert torch.equal(clips.preprocess().one(CLIP_THWC), low_CTHW)
    pair = clips.degrade().for_testing()([CLIP_THWC], [0])
    assert torch.equal(pair.low_BCTHW[0], low_CTHW)


@pytest.mark.parametrize("name", ["12x16", "24x32", "80x60"])
def test_the_whole_frame_as_pillow_makes_it_small(name: str) -> None:
    height, width = SIZES[name]
    low_THWC = low_resolution(CLIP_THWC, PROTOCOLS[name])
    for frame_HWC, low_HWC in zip(CLIP_THWC, low_THWC, strict=True):
        image = Image.fromarray(frame_HWC.numpy())
        expected = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
        assert np.abs(low_HWC.numpy().astype(int) - expected).max() <= 1
    assert not PROTOCOLS[name].recipe


def test_the_crop_is_where_it_is_asked_for() -> None:
    corner = low_resolution(CLIP_THWC, PROTOCOLS["14x14"], at=(0.0, 0.0))
    assert not torch.equal(corner, low_resolution(CLIP_THWC, PROTOCOLS["14x14"]))
    whole = low_resolution(CLIP_THWC, PROTOCOLS["12x16"], at=(0.0, 0.0))
    assert torch.equal(whole, low_resolution(CLIP_THWC, PROTOCOLS["12x16"]))


def test_the_nearest_have_about_as_many_pixels() -> None:
    for one in PROTOCOLS.values():
        if one.nearest:
            pixels = np.prod(one.size_HW) / np.prod(PROTOCOLS[one.nearest].size_HW)
            assert 0.95 < pixels < 1.05


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "protocols"]) == 0
    text = capsys.readouterr().out
    assert "clips: {size: 14, full: 112, short_side: 128}" in text
    assert "60 x 80" in text
    assert main(["data", "protocols", "--json"]) == 0
    assert '"size_HW": [\n   60,\n   80\n  ]' in capsys.readouterr().out
