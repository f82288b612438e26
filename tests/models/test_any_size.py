"""The networks for input of any size: entries, sizes, stages, learning, formats."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tinyvirat.common.pixels import resize
from tinyvirat.models.any_size import (
    ENTRIES,
    FULL_SIDE,
    AnySizeDVSRConfig,
    PreUpsampledDVSRConfig,
    entry_side,
)
from tinyvirat.models.blocks import SuperResolved
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.zoo import cost_of

from .network_checks import clips, exports, keeps_dtype, same_in_channels_last, seeded
from .super_resolution_checks import (
    Video,
    fresh,
    learns,
    named,
    parameters_reached,
    smooth,
    trilinear,
)

ANY = AnySizeDVSRConfig(channels=2, growth=1)
ANY_ATTENTION = AnySizeDVSRConfig(channels=2, growth=1, attention=True)
PRE = PreUpsampledDVSRConfig(channels=2, side=32)


@torch.no_grad()
def run(network: Any, x: Tensor, **call: Any) -> SuperResolved:
    answer: SuperResolved = network(x, **call)
    return answer


def test_a_clip_enters_at_the_next_larger_side() -> None:
    for side in range(1, 129):
        entry = entry_side(side)
        larger = [e for e in (*ENTRIES, FULL_SIDE) if e >= side]
        assert entry == (larger[0] if larger else FULL_SIDE)


def test_preprocessing_to_the_entries_buckets_as_the_network_enters() -> None:
    preprocess = Preprocess((*ENTRIES, FULL_SIDE), full=None, short_side=None, fit="pad")
    for side in range(1, 129):
        assert preprocess.side_for(side, side) == entry_side(side)
        assert preprocess.side_for(1, side) == preprocess.side_for(side, 1) == entry_side(side)


@pytest.mark.parametrize("side", [10, 14, 15, 28, 29, 56, 57, 112, 128])
def test_every_size_leaves_at_full_size(side: int) -> None:
    answer = run(fresh(ANY_ATTENTION), clips(1, 3, 3, side, side))
    assert answer.video_BCTHW.shape == (1, 3, 3, 112, 112)
    if side <= 56:
        assert answer.attention_B1THW is not None
        assert answer.attention_B1THW.shape == (1, 1, 3, 112, 112)
        assert 0 <= answer.attention_B1THW.min() <= answer.attention_B1THW.max() <= 1
    else:
        assert answer.attention_B1THW is None
    assert run(fresh(ANY), clips(1, 3, 3, side, side)).attention_B1THW is None


@pytest.mark.parametrize("side", [57, 100, 112, 128])
def test_large_clips_are_only_resized(side: int) -> None:
    x = clips(1, 3, 2, side, side)
    assert torch.equal(run(fresh(ANY), x).video_BCTHW, resize(x, (112, 112)))


def test_from_14_px_it_is_the_progressive_network() -> None:
    """The same parts in the same order: only the heads of the stages before are not there."""
    eight = fresh(ProgressiveDVSRConfig(8, channels=2, growth=1, attention=True)).double()
    network = fresh(ANY_ATTENTION, seed=1).double()
    weights = {
        name.replace("heads.2.", "head."): tensor for name, tensor in eight.state_dict().items()
    }
    network.load_state_dict({n: t for n, t in weights.items() if not n.startswith("heads.")})
    x = clips(1, 3, 8, 14, 14, dtype=torch.float64)
    for got, expected in zip(run(network, x), run(eight, x), strict=True):
        assert got is not None and expected is not None
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("side", "scale"), [(14, 8), (28, 4), (56, 2)])
def test_an_entry_costs_what_the_network_of_its_scale_costs(side: int, scale: int) -> None:
    alone = cost_of(ProgressiveDVSRConfig(scale, channels=2, growth=1), side, frames=4)
    assert cost_of(ANY, side, frames=4).gmac == alone.gmac


def test_a_small_clip_is_first_enlarged_to_its_entry() -> None:
    network, x = fresh(ANY), clips(1, 3, 2, 20, 20)
    at_entry = run(network, resize(x, (28, 28))).video_BCTHW
    assert torch.equal(run(network, x).video_BCTHW, at_entry)


def test_output_is_the_enlarged_input_and_a_change() -> None:
    network, x = fresh(ANY), clips(1, 3, 2, 28, 28)
    with torch.no_grad():
        network.head.rgb.weight.zero_()
        network.head.rgb.bias.fill_(20.0)
    torch.testing.assert_close(run(network, x).video_BCTHW, 1 + trilinear(x, (2, 112, 112)))


@pytest.mark.parametrize(("side", "entry"), [(12, 1), (28, 2), (40, 3)])
def test_gradient_reaches_what_the_entry_uses_and_nothing_else(side: int, entry: int) -> None:
    network = fresh(ANY_ATTENTION)
    x = clips(1, 3, 4, side, side).requires_grad_()
    reached = parameters_reached(network, network(x))
    used = [f"encoder.{index}." for index in range(4 - entry)]
    used += [f"decoder.{index}." for index in range(entry - 1, 3)]
    assert reached == named(network, "first.", "head.", "attention.", *used)
    assert x.grad is not None and x.grad.abs().max() > 0


def test_oblong_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="clips of 20 x 14 px are not square: fit them first"):
        fresh(ANY)(clips(1, 3, 2, 14, 20))


def test_unknown_stage_and_alpha() -> None:
    x = clips(1, 3, 2, 8, 8)
    with pytest.raises(ValueError, match="stage 2 is not one of 1 to 1"):
        fresh(ANY)(x, stage=2)
    for config in (ANY, PRE):
        with pytest.raises(ValueError, match=r"alpha 2\.0 is not between 0 and 1"):
            fresh(config)(x, alpha=2.0)
    with pytest.raises(ValueError, match="stage 4 is not one of 1 to 3"):
        fresh(PRE)(x, stage=4)


@pytest.mark.parametrize(
    ("stage", "expected"),
    [(1, (4, 28, 28)), (2, (8, 56, 56)), (3, (16, 112, 112)), (None, (16, 112, 112))],
)
def test_pre_upsampled_shapes(stage: int | None, expected: tuple[int, int, int]) -> None:
    network = fresh(PreUpsampledDVSRConfig(channels=2))
    answer = run(network, clips(1, 3, 16, 9, 13), stage=stage)
    assert answer.video_BCTHW.shape == (1, 3, *expected)
    assert answer.attention_B1THW is None


@pytest.mark.parametrize("side", [8, 24, 40])
@pytest.mark.parametrize("frames", [1, 5, 32])
def test_pre_upsampled_other_sides_and_lengths(side: int, frames: int) -> None:
    network = fresh(PreUpsampledDVSRConfig(channels=1, side=side))
    video = run(network, clips(1, 3, frames, 10, 7)).video_BCTHW
    assert video.shape == (1, 3, frames, side, side)


def test_pre_upsampled_input_is_enlarged_bicubically_first() -> None:
    network, x = fresh(PRE), clips(1, 3, 4, 10, 14)
    enlarged = run(network, resize(x, (32, 32))).video_BCTHW
    assert torch.equal(run(network, x).video_BCTHW, enlarged)
    with torch.no_grad():
        network.heads[2].rgb.weight.zero_()
        network.heads[2].rgb.bias.fill_(20.0)
    torch.testing.assert_close(run(network, x).video_BCTHW, 1 + resize(x, (32, 32)))


def test_pre_upsampled_adds_the_encoders_features_of_the_same_side() -> None:
    network, x = seeded(PRE).double(), clips(1, 3, 8, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        at_32 = network.first(x)
        at_16 = network.down[0](at_32)
        at_8 = network.down[1](at_16)
        at_4 = network.middle(network.down[2](at_8))
        up = network.decoder[0](at_4)
        up = network.decoder[1](trilinear(up, (8, 8, 8)) + at_8)
        up = network.decoder[2](trilinear(up, (8, 16, 16)) + at_16)
        expected = network.heads[2](up) + x
    got = run(network, x).video_BCTHW
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


def test_pre_upsampled_narrows_by_eight_and_is_normalised() -> None:
    network = fresh(PreUpsampledDVSRConfig(channels=2, side=32))
    seen: list[tuple[int, ...]] = []
    network.middle.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    run(network, clips(1, 3, 4, 32, 32))
    assert seen == [(1, 16, 4, 4, 4)]
    outside = [n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm3d)]
    assert {name.split(".")[0] for name in outside} == {"first", "down", "decoder"}


@pytest.mark.parametrize("stage", [2, 3])
def test_pre_upsampled_fades_in_the_output(stage: int) -> None:
    network = seeded(PRE).double()
    x = clips(1, 3, 8, 32, 32, dtype=torch.float64)
    old = run(network, x, stage=stage - 1).video_BCTHW
    new = run(network, x, stage=stage).video_BCTHW
    size = new.shape[2:]
    head = trilinear(old - trilinear(x, old.shape[2:]), size)
    enlarged = trilinear(x, size)
    for alpha in (0.0, 0.25, 1.0):
        expected = (1 - alpha) * head + alpha * (new - enlarged) + enlarged
        got = run(network, x, stage=stage, alpha=alpha).video_BCTHW
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("stage", "alpha", "heads"), [(1, 1.0, (0,)), (2, 0.5, (0, 1)), (3, 1.0, (2,))]
)
def test_gradient_reaches_what_the_pre_upsampled_stage_uses(
    stage: int, alpha: float, heads: tuple[int, ...]
) -> None:
    network = seeded(PRE)
    reached = parameters_reached(network, network(clips(2, 3, 8, 12, 12), stage, alpha))
    used = [f"decoder.{index}." for index in range(stage)]
    used += [f"heads.{index}." for index in heads]
    assert reached == named(network, "first.", "down.", "middle.", *used)


def test_overfits_one_batch() -> None:
    """The other network is too large at 112 px for this; it is the one of `test_dvsr.py`."""
    learns(fresh(PreUpsampledDVSRConfig(4, 16), bold=False), smooth(1, 3, 2, 8, 8))


@pytest.mark.parametrize(("config", "side"), [(ANY_ATTENTION, 10), (PRE, 12)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-4), (torch.bfloat16, 0.1)])
def test_weights_give_their_dtype(
    config: Any, side: int, dtype: torch.dtype, tolerance: float
) -> None:
    keeps_dtype(Video(seeded(config)), clips(1, 3, 4, side, side), dtype, tolerance)


@pytest.mark.parametrize(("config", "side"), [(ANY_ATTENTION, 30), (PRE, 12)])
def test_same_in_channels_last(config: Any, side: int) -> None:
    same_in_channels_last(Video(fresh(config)), clips(2, 3, 4, side, side))


@pytest.mark.parametrize(("config", "side"), [(ANY, 30), (PRE, 12)])
def test_exports(config: Any, side: int) -> None:
    exports(Video(fresh(config)), clips(1, 3, 2, side, side))


def test_published_widths_are_the_defaults() -> None:
    assert AnySizeDVSRConfig() == AnySizeDVSRConfig(32, 32, attention=False)
    assert PreUpsampledDVSRConfig() == PreUpsampledDVSRConfig(14, 112)
    with torch.device("meta"):
        network = PreUpsampledDVSRConfig().build()
    widths = [block.conv.out_channels for block in (network.first, *network.down)]
    assert widths == [14, 28, 56, 112]
    assert [head.rgb.in_channels for head in network.heads] == [56, 28, 14]


@pytest.mark.parametrize(
    ("build", "values", "message"),
    [
        (AnySizeDVSRConfig, {"channels": 0}, "channels 0 is not in 1 to"),
        (AnySizeDVSRConfig, {"growth": 1 << 30}, "growth .* is not in 1 to"),
        (PreUpsampledDVSRConfig, {"channels": 1 << 16}, "channels .* is not in 1 to"),
        (PreUpsampledDVSRConfig, {"side": 0}, "side 0 is not in 1 to"),
        (PreUpsampledDVSRConfig, {"side": 100}, "side 100 is not a multiple of 8"),
    ],
)
def test_impossible_configurations(build: Any, values: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**values)
