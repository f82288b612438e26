"""Super-resolution and classifier together: what the classifier is shown, masks, gradients."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tinyvirat.common.pixels import resize
from tinyvirat.models.any_size import AnySizeDVSRConfig, PreUpsampledDVSRConfig
from tinyvirat.models.dvsr import DVSRConfig, ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.recognizer import RecognizerConfig, masked
from tinyvirat.models.resnet3d import ResNet3DConfig

from .network_checks import (
    clips,
    exports,
    gradient_reaches_everything,
    overfits,
    same_in_channels_last,
    seeded,
)
from .super_resolution_checks import fresh

I3D = I3DConfig(num_classes=3, width=0.0625)
RESNET = ResNet3DConfig(depth=10, num_classes=3, width=4)
X2 = ProgressiveDVSRConfig(scale=2, channels=4, growth=2, attention=True)
ANY = AnySizeDVSRConfig(channels=2, growth=1, attention=True)


class Spy(nn.Module):
    """A classifier that keeps what it was shown."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        self.shown = x_BCTHW
        return x_BCTHW.mean((1, 2, 3, 4))[:, None]


def spied(config: RecognizerConfig) -> tuple[Any, Spy]:
    recognizer, spy = fresh(config), Spy()
    recognizer.classifier = spy
    return recognizer, spy


def test_without_super_resolution_it_enlarges_bicubically() -> None:
    recognizer, spy = spied(RecognizerConfig(I3D, side=32))
    x = clips(2, 3, 4, 14, 20)
    assert torch.equal(recognizer(x), resize(x, (32, 32), "bicubic").mean((1, 2, 3, 4))[:, None])
    assert torch.equal(spy.shown, resize(x, (32, 32), "bicubic"))
    enlarged = recognizer.enlarge(x)
    assert torch.equal(enlarged.video_BCTHW, spy.shown)
    assert enlarged.attention_B1THW is None


@pytest.mark.parametrize(
    ("sr", "side"),
    [
        (X2, 16),
        (DVSRConfig(2, 4, 2, 1), 16),
        (PreUpsampledDVSRConfig(2, 32), 10),
        (ANY, 20),
    ],
)
def test_the_classifier_sees_the_whole_networks_answer(sr: Any, side: int) -> None:
    recognizer, spy = spied(RecognizerConfig(I3D, sr, side=32))
    x = clips(2, 3, 4, side, side)
    with torch.no_grad():
        recognizer(x)
        answer = recognizer.super_resolution(x)
        enlarged = recognizer.enlarge(x)
    assert torch.equal(spy.shown, resize(answer.video_BCTHW, (32, 32)))
    assert torch.equal(spy.shown, enlarged.video_BCTHW)
    assert (answer.attention_B1THW is None) == (enlarged.attention_B1THW is None)


def test_the_map_has_the_size_of_the_clip() -> None:
    """A network for 16 px that is given 10 answers with 20: clip and map both become 32."""
    recognizer, _ = spied(RecognizerConfig(I3D, X2, side=32, mask=True))
    x = clips(2, 3, 4, 10, 10)
    with torch.no_grad():
        enlarged = recognizer.enlarge(x)
        own = recognizer.super_resolution(x).attention_B1THW
        recognizer(x)
    assert enlarged.video_BCTHW.shape == (2, 3, 4, 32, 32)
    assert enlarged.attention_B1THW is not None
    assert enlarged.attention_B1THW.shape == (2, 1, 4, 32, 32)
    torch.testing.assert_close(enlarged.attention_B1THW, resize(own, (32, 32), "bilinear"))
    assert 0 <= enlarged.attention_B1THW.min() <= enlarged.attention_B1THW.max() <= 1


def test_zero_to_one() -> None:
    x = clips(1, 3, 2, 16, 16)
    shown = {}
    for zero_to_one in (False, True):
        recognizer, spy = spied(RecognizerConfig(RESNET, side=16, zero_to_one=zero_to_one))
        recognizer(x)
        shown[zero_to_one] = spy.shown
    assert torch.equal(shown[False], x)
    assert torch.equal(shown[True], (x + 1) / 2)
    assert shown[True].min() >= 0 and shown[True].max() <= 1


def test_mask_darkens_what_the_classifier_sees() -> None:
    x = clips(1, 3, 2, 16, 16)
    recognizer, spy = spied(RecognizerConfig(I3D, X2, side=32, mask=True))
    with torch.no_grad():
        video, attention = recognizer.enlarge(x)
        recognizer(x)
    assert attention is not None
    torch.testing.assert_close(spy.shown, masked(video, attention))
    assert not torch.allclose(spy.shown, video)


def test_a_clip_without_a_map_is_classified_whole() -> None:
    recognizer, spy = spied(RecognizerConfig(I3D, ANY, mask=True))
    x = clips(1, 3, 2, 60, 60)
    recognizer(x)
    assert torch.equal(spy.shown, resize(x, (112, 112)))


@pytest.mark.parametrize("sr", [None, DVSRConfig(2), ProgressiveDVSRConfig(2)])
def test_a_mask_needs_a_map(sr: Any) -> None:
    with pytest.raises(ValueError, match="mask needs a super_resolution with attention: true"):
        RecognizerConfig(I3D, sr, mask=True)


def test_impossible_side() -> None:
    with pytest.raises(ValueError, match="side 0 is not in 1 to"):
        RecognizerConfig(I3D, side=0)


def test_masked_pixels_turn_black_or_grey() -> None:
    video = clips(1, 3, 2, 4, 4)
    nothing, all_of_it = torch.zeros(1, 1, 2, 4, 4), torch.ones(1, 1, 2, 4, 4)
    assert torch.equal(masked(video, nothing), torch.full_like(video, -1.0))
    assert torch.equal(masked(video, nothing, to_grey=True), torch.zeros_like(video))
    for to_grey in (False, True):
        torch.testing.assert_close(masked(video, all_of_it, to_grey=to_grey), video)
    half = masked(torch.ones_like(video), 0.5 * all_of_it)
    assert torch.equal(half, torch.zeros_like(video)), "white at half its weight is mid-grey"


def test_each_pixel_has_its_own_weight() -> None:
    video = torch.ones(1, 3, 1, 1, 2)
    weight = torch.tensor([0.0, 1.0]).view(1, 1, 1, 1, 2)
    assert masked(video, weight)[0, :, 0, 0].tolist() == [[-1.0, 1.0]] * 3


@pytest.mark.parametrize(
    "config",
    [
        RecognizerConfig(I3D, side=32),
        RecognizerConfig(I3D, X2, side=32, mask=True),
        RecognizerConfig(RESNET, X2, side=32, zero_to_one=True, mask=True),
    ],
)
def test_gradient_reaches_everything(config: RecognizerConfig) -> None:
    network = seeded(config)
    gradient_reaches_everything(network, clips(3, 3, 16, 16, 16))


def test_without_a_mask_the_branch_is_not_in_the_answer() -> None:
    recognizer = seeded(RecognizerConfig(I3D, X2, side=32))
    recognizer(clips(1, 3, 16, 16, 16)).sum().backward()
    reached = {n for n, p in recognizer.named_parameters() if p.grad is not None}
    branch = {n for n, _ in recognizer.named_parameters() if ".attention." in n}
    assert branch and reached.isdisjoint(branch)
    assert reached | branch == {n for n, _ in recognizer.named_parameters()}


@pytest.mark.parametrize("sr", [None, X2])
def test_overfits_one_batch(sr: Any) -> None:
    config = RecognizerConfig(
        ResNet3DConfig(10, num_classes=2, width=8), sr, side=16, zero_to_one=True
    )
    overfits(
        fresh(config, seed=1, bold=False),
        clips(4, 3, 4, 8, 8),
        torch.tensor([0, 1, 0, 1]),
        12,
        1e-2,
    )


def test_same_in_channels_last() -> None:
    config = RecognizerConfig(I3D, X2, side=32, mask=True)
    same_in_channels_last(seeded(config), clips(2, 3, 16, 16, 16))


@pytest.mark.parametrize("sr", [None, X2])
def test_exports(sr: Any) -> None:
    config = RecognizerConfig(RESNET, sr, side=32, mask=sr is not None)
    exports(seeded(config), clips(1, 3, 4, 16, 16))


def test_weights_travel() -> None:
    config = RecognizerConfig(I3D, X2, side=32, mask=True)
    network, x = seeded(config), clips(1, 3, 16, 16, 16)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    torch.manual_seed(5)
    other = config.build().eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        assert torch.equal(other(x), network(x))
