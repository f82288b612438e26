"""Progressive and plain DVSR: stages, fade-in, learning, formats. Equality with the published
networks is in `test_import_dvsr.py`."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tinyvirat.models.blocks import SuperResolved, conv3
from tinyvirat.models.dvsr import (
    DVSR,
    DVSRConfig,
    ProgressiveDVSR,
    ProgressiveDVSRConfig,
    doublings_of,
)

from .network_checks import clips, exports, keeps_dtype, same_in_channels_last
from .super_resolution_checks import (
    Video,
    fresh,
    learns,
    named,
    parameters_reached,
    smooth,
    trilinear,
)

X8 = ProgressiveDVSRConfig(scale=8, channels=4, growth=2)
X8_ATTENTION = ProgressiveDVSRConfig(scale=8, channels=4, growth=2, attention=True)
PLAIN = DVSRConfig(scale=4, channels=4, growth=2, blocks=2)


@torch.no_grad()
def run(network: Any, x: Tensor, **call: Any) -> SuperResolved:
    answer: SuperResolved = network(x, **call)
    return answer


@pytest.mark.parametrize(
    ("scale", "stage", "expected"),
    [
        (8, 1, (4, 28, 28)),
        (8, 2, (8, 56, 56)),
        (8, 3, (16, 112, 112)),
        (8, None, (16, 112, 112)),
        (4, 1, (8, 56, 56)),
        (4, 2, (16, 112, 112)),
        (2, 1, (16, 112, 112)),
        (2, None, (16, 112, 112)),
    ],
)
def test_published_shapes(scale: int, stage: int | None, expected: tuple[int, int, int]) -> None:
    network = fresh(ProgressiveDVSRConfig(scale, channels=2, growth=1, attention=True))
    answer = run(network, clips(1, 3, 16, 112 // scale, 112 // scale), stage=stage)
    assert answer.video_BCTHW.shape == (1, 3, *expected)
    assert network.scale == scale
    if expected[0] == 16:
        assert answer.attention_B1THW is not None
        assert answer.attention_B1THW.shape == (1, 1, *expected)
        assert 0 <= answer.attention_B1THW.min() <= answer.attention_B1THW.max() <= 1
    else:
        assert answer.attention_B1THW is None


@pytest.mark.parametrize(
    ("frames", "height", "width"),
    [(8, 16, 20), (32, 5, 9), (11, 5, 9), (11, 1, 1), (1, 5, 9), (1, 1, 1)],
)
def test_other_sizes_and_lengths(frames: int, height: int, width: int) -> None:
    network = fresh(X8_ATTENTION)
    x = clips(2, 3, frames, height, width)
    left = frames
    for stage in (3, 2, 1):
        answer = run(network, x, stage=stage, alpha=0.5)
        side = (height << stage, width << stage)
        assert answer.video_BCTHW.shape == (2, 3, left, *side)
        left = -(-left // 2)
    whole = run(network, x)
    assert whole.attention_B1THW is not None
    assert whole.attention_B1THW.shape == (2, 1, frames, 8 * height, 8 * width)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_plain_network_shapes(scale: int) -> None:
    network = fresh(DVSRConfig(scale, channels=2, growth=1, blocks=1))
    answer = run(network, clips(1, 3, 5, 6, 7))
    assert answer.video_BCTHW.shape == (1, 3, 5, 6 * scale, 7 * scale)
    assert answer.attention_B1THW is None
    assert network.scale == scale
    assert torch.equal(answer.video_BCTHW, run(network, clips(1, 3, 5, 6, 7), stage=1)[0])


@pytest.mark.parametrize("stage", [2, 3])
def test_at_alpha_0_the_new_stage_answers_as_the_old_one(stage: int) -> None:
    """Exactly: the old head's image and the input, each enlarged to the new size."""
    network = fresh(X8).double()
    x = clips(2, 3, 8, 5, 6, dtype=torch.float64)
    old = run(network, x, stage=stage - 1).video_BCTHW
    head = old - trilinear(x, old.shape[2:])
    got = run(network, x, stage=stage, alpha=0.0).video_BCTHW
    size = got.shape[2:]
    assert size == (2 * old.shape[2], 2 * old.shape[3], 2 * old.shape[4])
    expected = trilinear(head, size) + trilinear(x, size)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-13)
    # The new path must not be in it at all, and must be in it at any other alpha.
    with torch.no_grad():
        for prefix in (f"encoder.{stage - 1}", f"decoder.{stage - 1}", f"heads.{stage - 1}"):
            for name, parameter in network.named_parameters():
                if name.startswith(prefix):
                    parameter.add_(0.1)
    assert torch.equal(run(network, x, stage=stage, alpha=0.0).video_BCTHW, got)
    assert not torch.equal(run(network, x, stage=stage, alpha=0.01).video_BCTHW, got)


@pytest.mark.parametrize("stage", [2, 3])
def test_fading_in_is_continuous(stage: int) -> None:
    network = fresh(X8).double()
    x = clips(1, 3, 8, 4, 4, dtype=torch.float64)
    videos = {
        alpha: run(network, x, stage=stage, alpha=alpha).video_BCTHW
        for alpha in (0.0, 1e-9, 0.5, 0.5 + 1e-9, 1.0 - 1e-9, 1.0)
    }
    for near, there in ((1e-9, 0.0), (0.5 + 1e-9, 0.5), (1.0 - 1e-9, 1.0)):
        step = (videos[near] - videos[there]).abs().max()
        assert 0 < step < 1e-7, (near, step)
    assert (videos[1.0] - videos[0.0]).abs().max() > 1e-3


def test_fading_blends_encoder_and_output() -> None:
    """Half-way, by hand: the encoder's features first, then the images of both heads."""
    network = fresh(X8).double()
    x = clips(1, 3, 8, 4, 4, dtype=torch.float64)
    alpha = 0.25
    with torch.no_grad():
        shallow = network.first(x)
        old = network.encoder[0](shallow)
        encoded = (1 - alpha) * old + alpha * network.encoder[1](old) + shallow
        low = network.decoder[0](encoded)
        size = (8, *low.shape[-2:])
        feature = network.decoder[1](trilinear(low, size) + trilinear(encoded, size))
        new = network.heads[1](feature)
        rgb = (1 - alpha) * trilinear(network.heads[0](low), new.shape[2:]) + alpha * new
    expected = rgb + trilinear(x, rgb.shape[2:])
    got = run(network, x, stage=2, alpha=alpha).video_BCTHW
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-13)


def test_stage_1_has_nothing_to_fade() -> None:
    network = fresh(X8)
    x = clips(1, 3, 8, 4, 4)
    assert torch.equal(
        run(network, x, stage=1, alpha=0.0).video_BCTHW, run(network, x, stage=1).video_BCTHW
    )


def test_output_is_the_enlarged_input_and_a_change() -> None:
    network = fresh(X8)
    x = clips(1, 3, 16, 4, 4)
    with torch.no_grad():
        network.heads[2].rgb.weight.zero_()
        network.heads[2].rgb.bias.zero_()
    torch.testing.assert_close(run(network, x).video_BCTHW, trilinear(x, (16, 32, 32)))
    with torch.no_grad():
        network.heads[2].rgb.bias.fill_(20.0)
    torch.testing.assert_close(run(network, x).video_BCTHW, 1 + trilinear(x, (16, 32, 32)))


def test_an_untrained_network_enlarges_nearly_plainly() -> None:
    network, x = fresh(ProgressiveDVSRConfig(8), bold=False), clips(1, 3, 4, 4, 4)
    for stage in (1, 2, 3):
        video = run(network, x, stage=stage).video_BCTHW
        change = video - trilinear(x, video.shape[2:])
        assert 0 < change.abs().max() < 0.05


def test_plain_output_is_bounded_and_nothing_is_added() -> None:
    network = fresh(PLAIN)
    with torch.no_grad():
        network.rgb.weight.zero_()
        network.rgb.bias.fill_(0.5)
    video = run(network, clips(1, 3, 2, 4, 4)).video_BCTHW
    torch.testing.assert_close(video, torch.full_like(video, 0.5).tanh())


@pytest.mark.parametrize("stage", [0, 4, -1, 16])
def test_unknown_stage(stage: int) -> None:
    with pytest.raises(ValueError, match=f"stage {stage} is not one of 1 to 3"):
        fresh(X8)(clips(1, 3, 2, 2, 2), stage=stage)


@pytest.mark.parametrize("config", [X8, PLAIN])
def test_unknown_alpha(config: Any) -> None:
    with pytest.raises(ValueError, match=r"alpha 1\.5 is not between 0 and 1"):
        fresh(config)(clips(1, 3, 2, 2, 2), stage=1, alpha=1.5)


def test_the_plain_network_has_one_stage() -> None:
    with pytest.raises(ValueError, match="stage 2 is not one of 1 to 1"):
        fresh(PLAIN)(clips(1, 3, 2, 2, 2), stage=2)


@pytest.mark.parametrize(
    ("stage", "alpha", "heads"),
    [(1, 1.0, (0,)), (2, 1.0, (1,)), (2, 0.5, (0, 1)), (3, 0.5, (1, 2))],
)
def test_gradient_reaches_what_the_stage_uses_and_nothing_else(
    stage: int, alpha: float, heads: tuple[int, ...]
) -> None:
    network = fresh(X8_ATTENTION)
    reached = parameters_reached(network, network(clips(2, 3, 8, 4, 4), stage, alpha))
    used = [f"{part}.{index}." for part in ("encoder", "decoder") for index in range(stage)]
    used += ["first.", *(f"heads.{index}." for index in heads)]
    used += ["attention."] if stage == 3 else []
    assert reached == named(network, *used)


def test_gradient_reaches_the_plain_network() -> None:
    network = fresh(PLAIN)
    x = clips(2, 3, 4, 4, 4).requires_grad_()
    assert parameters_reached(network, network(x)) == {n for n, _ in network.named_parameters()}
    assert x.grad is not None and x.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("config", "side", "call"),
    [
        (ProgressiveDVSRConfig(8, 8, 4), 2, {}),
        (ProgressiveDVSRConfig(8, 8, 4), 3, {"stage": 2, "alpha": 0.5}),
        (DVSRConfig(4, 8, 4, 1), 3, {}),
    ],
)
def test_overfits_one_batch(config: Any, side: int, call: dict[str, Any]) -> None:
    learns(fresh(config, bold=False), smooth(2, 3, 4, side, side), **call)


@pytest.mark.parametrize("config", [X8_ATTENTION, PLAIN])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-4), (torch.bfloat16, 0.05), (torch.float16, 0.01)],
)
def test_weights_give_their_dtype(config: Any, dtype: torch.dtype, tolerance: float) -> None:
    x = clips(1, 3, 8, 4, 4)
    keeps_dtype(Video(fresh(config), alpha=0.5), x, dtype, tolerance)
    attention = run(fresh(config).to(dtype), x.to(dtype)).attention_B1THW
    assert attention is None or attention.dtype == dtype


@pytest.mark.parametrize("config", [X8_ATTENTION, PLAIN])
def test_same_in_channels_last(config: Any) -> None:
    same_in_channels_last(Video(fresh(config)), clips(2, 3, 8, 4, 5))


def test_clips_of_a_batch_do_not_meet() -> None:
    network = fresh(X8_ATTENTION)
    x = clips(3, 3, 8, 4, 4)
    together = run(network, x)
    alone = run(network, x[1:2])
    for both, one in zip(together, alone, strict=True):
        assert both is not None and one is not None
        torch.testing.assert_close(both[1:2], one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", [X8_ATTENTION, PLAIN])
def test_repeats_itself(config: Any) -> None:
    network, x = fresh(config), clips(1, 3, 8, 4, 4)
    before = x.clone()
    first, second = run(network, x), run(network, x)
    assert torch.equal(first.video_BCTHW, second.video_BCTHW)
    assert torch.equal(x, before), "the input was changed in place"


@pytest.mark.parametrize("config", [ProgressiveDVSRConfig(4, 2, 1, attention=True), PLAIN])
def test_exports(config: Any) -> None:
    exports(Video(fresh(config)), clips(1, 3, 4, 4, 4))


@pytest.mark.parametrize("config", [X8_ATTENTION, PLAIN])
def test_weights_travel(config: Any) -> None:
    network, x = fresh(config), clips(1, 3, 8, 4, 4)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other = fresh(config, seed=1)
    assert not torch.equal(run(other, x).video_BCTHW, run(network, x).video_BCTHW)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(run(other, x).video_BCTHW, run(network, x).video_BCTHW)


def test_published_widths_are_the_defaults() -> None:
    with torch.device("meta"):
        progressive_network, plain = ProgressiveDVSR(), DVSR()
    assert progressive_network.config == ProgressiveDVSRConfig(8, 32, 32, attention=False)
    assert plain.config == DVSRConfig(8, 32, 16, 4)
    assert [progressive_network.stages, plain.stages] == [3, 1]


@pytest.mark.parametrize("scale", [0, 1, 3, 16, -2])
def test_unknown_scale(scale: int) -> None:
    for build in (ProgressiveDVSRConfig, DVSRConfig):
        with pytest.raises(ValueError, match=f"scale {scale} is not one of 2, 4, 8"):
            build(scale=scale)


@pytest.mark.parametrize(("scale", "doublings"), [(2, 1), (4, 2), (8, 3)])
def test_doublings(scale: int, doublings: int) -> None:
    assert doublings_of(scale) == doublings


@pytest.mark.parametrize(
    ("build", "values"),
    [
        (ProgressiveDVSRConfig, {"channels": 0}),
        (ProgressiveDVSRConfig, {"growth": 1 << 40}),
        (DVSRConfig, {"channels": -1}),
        (DVSRConfig, {"growth": 0}),
        (DVSRConfig, {"blocks": 1_000_000}),
        (DVSRConfig, {"blocks": 0}),
    ],
)
def test_impossible_configurations(build: Any, values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(values))} .* is not in 1 to"):
        build(**values)


SLIM = ProgressiveDVSRConfig(8, channels=4, growth=2, factored=True, last_channels=2)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_slim_network_has_the_published_shapes(stage: int) -> None:
    x = smooth(1, 3, 8, 6, 6)
    slim, wide = (run(fresh(config), x, stage=stage, alpha=0.5) for config in (SLIM, X8))
    assert slim.video_BCTHW.shape == wide.video_BCTHW.shape


def test_factored_network_overfits_one_batch() -> None:
    config = replace(SLIM, scale=2, channels=8, growth=4, last_channels=None)
    learns(fresh(config, bold=False), smooth(2, 3, 4, 6, 6), steps=120)


def test_slim_network_has_only_factored_convolutions_after_the_first() -> None:
    network = fresh(SLIM)
    kernels = {
        tuple(module.kernel_size)
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv3d) and not name.startswith("first")
    }
    assert kernels == {(3, 1, 1), (1, 3, 3), (1, 1, 1)}
    assert network.heads[-1].rgb.in_channels == 2
    assert network.heads[0].rgb.in_channels == 4


def test_factored_convolutions_reach_as_far_as_whole_ones() -> None:
    for factored in (False, True):
        torch.manual_seed(0)
        layer = conv3(1, 1, factored=factored)
        x = torch.zeros(1, 1, 7, 7, 7, requires_grad=True)
        layer(x)[0, 0, 3, 3, 3].backward()
        assert x.grad is not None
        assert (x.grad[0, 0, 2:5, 2:5, 2:5] != 0).all()
        assert (x.grad != 0).sum() == 27


def test_a_width_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="last_channels 0"):
        ProgressiveDVSRConfig(last_channels=0)
