"""The recipe of fine-tuning is made of the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.training.finetune import recipe_for
from tinyvirat.video.sampling import AllWindows, AnySampler, RandomWindow


@pytest.mark.parametrize(
    ("sampler", "strides", "test_stride"),
    [
        (AllWindows(8), (1, 2), 1),
        (AllWindows(8, stride=3), (2, 3, 4), 3),
        (RandomWindow(8, strides=(2, 5)), (1, 2, 3), 2),
    ],
)
def test_windows_span_as_much_as_the_models(
    tmp_path: Path, sampler: AnySampler, strides: tuple[int, ...], test_stride: int
) -> None:
    config = RecognizerConfig(I3DConfig(num_classes=2, width=0.0625), None, 32)
    spec = ModelSpec("toy", config, ("a", "b"), False, Preprocess(16, 32, 36), sampler)
    save_model(tmp_path, Model(spec, config.build()))
    recipe = recipe_for(str(tmp_path), "mine")
    assert (recipe.clips.strides, recipe.clips.test_stride) == (strides, test_stride)
    assert recipe.clips.frames == 8
    assert (recipe.clips.size, recipe.clips.full, recipe.clips.short_side) == (16, 32, 36)
