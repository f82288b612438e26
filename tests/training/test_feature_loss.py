"""Super-resolution that learns what a classifier sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.degrade import stage_target
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.recognizer import Recognizer, RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import load_model
from tinyvirat.training.data import ClipFiles
from tinyvirat.training.distillation import feature_loss, perceptual_loss
from tinyvirat.training.fade import Fade
from tinyvirat.training.inputs import Inputs
from tinyvirat.training.objectives import reconstruction_loss
from tinyvirat.training.phases import SuperResolution
from tinyvirat.training.recipe import FeatureLoss, SuperResolutionPhase, recipe_text
from tinyvirat.training.run import Order, run

from .processes import rows_of
from .small import CLIPS, RECIPE, without
from .test_phases import PLACE, batch, learners, setting

SETTINGS = FeatureLoss("somewhere", weight=0.3, stages=(1, 3))
TEACHER = replace(
    without(RECIPE, 1, 2), name="critic", super_resolution=None, clips=replace(CLIPS, size=32)
)


def critic(config: Any = None) -> Recognizer:
    torch.manual_seed(3)
    config = config or I3DConfig(3, 224, width=0.0625)
    network = RecognizerConfig(config, side=32, zero_to_one=isinstance(config, ResNet3DConfig))
    return network.build().eval().requires_grad_(False)


def clips(seed: int) -> Tensor:
    return torch.rand((2, 3, 8, 32, 32), generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("config", [None, ResNet3DConfig(10, 3, width=4)])
def test_it_is_the_distance_of_what_is_seen(config: Any) -> None:
    network, video, truth = critic(config), clips(0), clips(1)
    mine, theirs = network.see(video).stages, network.see(truth).stages
    expected = (feature_loss(mine[0], theirs[0]) + feature_loss(mine[2], theirs[2])) / 2
    torch.testing.assert_close(perceptual_loss(network, video, truth, (1, 3)), expected)
    assert perceptual_loss(network, truth, truth, (1, 3)) == 0.0


def test_its_gradient_is_that_of_its_value_and_reaches_the_clip_alone() -> None:
    network, truth = critic().double(), clips(1).double()[:1, :, :4, :8, :8]
    video = clips(0).double()[:1, :, :4, :8, :8].requires_grad_()
    loss = perceptual_loss(network, video, truth, (1, 2))
    loss.backward()
    assert video.grad is not None
    towards = torch.randn_like(video)
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (
            perceptual_loss(network, video + way * step * towards, truth, (1, 2)) for way in (1, -1)
        )
    slope = (video.grad * towards).sum()
    torch.testing.assert_close((ahead - behind) / (2 * step), slope, rtol=1e-4, atol=1e-9)
    assert all(p.grad is None for p in network.parameters())


def test_following_it_brings_a_clip_to_look_like_its_truth() -> None:
    network, truth = critic(), clips(1)[:1, :, :4]
    video = clips(0)[:1, :, :4].clone().requires_grad_()
    optimizer = torch.optim.Adam([video], lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = perceptual_loss(network, video, truth, (1, 2))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def phase1(**changes: Any) -> SuperResolution:
    settings = SuperResolutionPhase(
        steps=(3, 5), batch=(2,), weight=2.0, fade=Fade(per_step=0.25), feature_loss=SETTINGS
    )
    whole = setting(**({"critic": critic()} | changes))
    phase = SuperResolution(whole, settings)
    phase.set_modes()
    return phase


def test_at_full_size_it_stands_beside_the_pixels() -> None:
    phase, one = phase1(), batch()
    place = replace(PLACE, stage=None, segment_step=2)
    total, parts = phase.losses({"sr_data": one}, place)
    pairs = Inputs(CLIPS).pairs(one)
    with torch.no_grad():
        video = phase._super_resolution()(pairs.low_BCTHW, None, 0.5).video_BCTHW
        truth = stage_target(pairs.high_BCTHW, 8, 32)
        rec = reconstruction_loss(video, truth)
        assert phase.setting.critic is not None
        features = perceptual_loss(phase.setting.critic, video, truth, (1, 3))
    torch.testing.assert_close(parts["features"], features)
    torch.testing.assert_close(total, 2.0 * rec + 0.3 * features)
    assert features > 1e-3


def test_smaller_stages_learn_from_their_pixels_alone() -> None:
    phase, one = phase1(), batch()
    total, parts = phase.losses({"sr_data": one}, replace(PLACE, stage=1))
    assert set(parts) == {"rec", "alpha"}
    torch.testing.assert_close(total, 2.0 * parts["rec"])


def test_super_resolution_learns_and_nothing_else() -> None:
    phase = phase1()
    assert learners(phase, phase.losses({"sr_data": batch()}, PLACE)) == {"encoder", "decoder"}
    network = phase.setting.critic
    assert network is not None
    assert not any(module.training for module in network.modules())
    assert {id(p) for p in phase.learning} <= {id(p) for p in phase.network.parameters()}


def test_without_a_critic_it_is_told() -> None:
    with pytest.raises(ValueError, match="feature_loss needs a critic"):
        phase1(critic=None).losses({"sr_data": batch()}, PLACE)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weight": 0.0}, "weight is 0.0"),
        ({"stages": (2, 1)}, r"stages is \[2, 1\]; stages are 1 to 4"),
        ({"stages": ()}, "stages are needed"),
    ],
)
def test_senseless_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureLoss(**({"weights": "a"} | wrong))


def test_left_off_and_continued_it_is_the_same_run(
    clips: Path, tmp_path: Path, hurried: None
) -> None:
    watching = tmp_path / "critic"
    assert run(TEACHER, Order(ClipFiles(clips), out=watching, cpu=True))
    feature = FeatureLoss(str(watching), stages=(1,))
    first = SuperResolutionPhase(
        steps=(2, 3), batch=(2,), fade=Fade(per_step=0.5), feature_loss=feature
    )
    recipe = replace(without(RECIPE, 2, 3), phase1=first)
    whole, parts = (Order(ClipFiles(clips), out=tmp_path / name, cpu=True) for name in ("a", "b"))
    assert run(recipe, whole)
    assert not run(recipe, replace(parts, until=4))
    assert run(recipe, parts)
    rows = [row for row in rows_of(whole.out) if "loss" in row]
    assert rows_of(parts.out) == rows_of(whole.out)
    assert [row["step"] for row in rows if "features" in row] == [3, 4, 5]
    mine, theirs = (load_model(one.out / "model").network.state_dict() for one in (parts, whole))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    plain = replace(recipe, phase1=replace(first, feature_loss=None))
    assert "feature_loss" in recipe_text(recipe) and "feature_loss" not in recipe_text(plain)
    # The critic's weights are part of the run: another one under its name does not go on.
    assert run(replace(TEACHER, seed=1), Order(ClipFiles(clips), out=tmp_path / "other", cpu=True))
    watching.rename(tmp_path / "before")
    (tmp_path / "other").rename(watching)
    with pytest.raises(TinyviratError, match="holds a run of another recipe or other data"):
        run(recipe, parts)
