"""The pieces of the super-resolution networks. Equality with the published ones is in
`test_import_dvsr.py`."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tinyvirat.models.blocks import (
    RRDB,
    ConvBlock,
    DecoderStage,
    ResidualDenseBlock,
    RGBHead,
    check_counts,
    checked_stage,
    conv3,
    double,
    enlarge_frames,
    resize_video,
    size_of,
)

from .network_checks import clips
from .super_resolution_checks import trilinear

LAST = torch.channels_last_3d


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(
        st.integers(1, 3),
        st.integers(1, 4),
        st.integers(1, 5),
        st.integers(1, 9),
        st.integers(1, 9),
    ),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    last=st.booleans(),
)
def test_enlarging_frames_is_trilinear(
    shape: tuple[int, ...], size: tuple[int, int], last: bool
) -> None:
    x = clips(*shape, dtype=torch.float64)
    expected = trilinear(x, (shape[2], *size))
    got = enlarge_frames(x.contiguous(memory_format=LAST) if last else x, size)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-14)


def test_enlarging_frames_keeps_the_memory_format() -> None:
    x = clips(2, 4, 3, 5, 6)
    assert enlarge_frames(x, (10, 12)).is_contiguous()
    last = enlarge_frames(x.contiguous(memory_format=LAST), (10, 12))
    assert last.is_contiguous(memory_format=LAST) and not last.is_contiguous()


def test_enlarging_a_view_is_right_too() -> None:
    whole = clips(2, 6, 8, 5, 6, dtype=torch.float64)
    for view in (whole[:, ::2], whole[:, :, ::4], whole[..., 1:4], whole.transpose(3, 4)):
        expected = trilinear(view, (view.shape[2], 11, 7))
        torch.testing.assert_close(enlarge_frames(view, (11, 7)), expected, rtol=0, atol=1e-14)


def test_same_size_is_the_same_tensor() -> None:
    x = clips(1, 3, 4, 5, 6)
    assert enlarge_frames(x, (5, 6)) is x
    assert resize_video(x, size_of(x)) is x


def test_resizing_changes_time_too() -> None:
    x = clips(1, 3, 4, 5, 6)
    torch.testing.assert_close(resize_video(x, (16, 10, 9)), trilinear(x, (16, 10, 9)))
    torch.testing.assert_close(double(x), trilinear(x, (4, 10, 12)))


def test_enlarging_halves_on_the_cpu() -> None:
    x = clips(1, 3, 2, 4, 4).bfloat16()
    assert enlarge_frames(x, (8, 8)).dtype == torch.bfloat16


def test_dense_block_is_dense() -> None:
    torch.manual_seed(0)
    block = ResidualDenseBlock(6, 4).double()
    x = clips(1, 6, 3, 4, 4, dtype=torch.float64)
    seen = [x]
    for conv in list(block.convs)[:4]:
        seen.append(F.leaky_relu(conv(torch.cat(seen, 1)), 0.2))
        assert seen[-1].shape[1] == 4
    expected = x + 0.2 * block.convs[4](torch.cat(seen, 1))
    before = x.clone()
    torch.testing.assert_close(block(x), expected)
    assert torch.equal(x, before), "the input was changed in place"


def test_rrdb_is_three_blocks_in_one_residual() -> None:
    torch.manual_seed(0)
    rrdb = RRDB(4, 2)
    x = clips(1, 4, 3, 4, 4)
    own = x
    assert len(rrdb.blocks) == 3
    for block in rrdb.blocks:
        own = block(own)
    torch.testing.assert_close(rrdb(x), x + 0.2 * own)


@pytest.mark.parametrize("enlarge", [False, True])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 1, 1), (1, 2, 2)])
def test_conv_block(enlarge: bool, norm: bool, stride: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    block = ConvBlock(3, 5, stride=stride, enlarge=enlarge, norm=norm).train()
    assert isinstance(block.norm, nn.BatchNorm3d) == norm
    x = clips(2, 3, 5, 6, 7)
    larger = trilinear(x, (5, 12, 14)) if enlarge else x
    hidden = F.conv3d(larger, block.conv.weight, block.conv.bias, stride=stride, padding=1)
    if norm:
        hidden = F.batch_norm(hidden, None, None, training=True)
    torch.testing.assert_close(block(x), F.leaky_relu(hidden, 0.2), rtol=1e-4, atol=1e-5)


def test_head_gives_rgb_within_its_range() -> None:
    torch.manual_seed(0)
    head = RGBHead(4)
    nn.init.normal_(head.rgb.weight)
    rgb = head(100 * clips(1, 4, 2, 3, 3))
    assert rgb.shape == (1, 3, 2, 3, 3)
    assert 0.9 < rgb.abs().max() <= 1.0
    assert head.hidden.kernel_size == (3, 3, 3) and head.rgb.kernel_size == (1, 1, 1)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(("halvings", "frames", "left"), [(0, 5, 5), (1, 16, 8), (2, 16, 4)])
@pytest.mark.parametrize("last", [False, True])
def test_decoder_stage_shapes(
    halvings: int, frames: int, left: int, norm: bool, last: bool
) -> None:
    stage = DecoderStage(4, 6, halvings, norm=norm)
    x = clips(1, 4, frames, 3, 5)
    out = stage(x.contiguous(memory_format=LAST) if last else x)
    assert out.shape == (1, 6, left, 6, 10)
    norms = sum(isinstance(module, nn.BatchNorm3d) for module in stage.modules())
    assert norms == (halvings + 3 if norm else 0)


def test_convolution_keeps_the_size_and_has_a_bias() -> None:
    conv = conv3(3, 5)
    assert conv(clips(1, 3, 2, 3, 4)).shape == (1, 5, 2, 3, 4)
    assert conv.bias is not None


@pytest.mark.parametrize(("stage", "expected"), [(None, 3), (1, 1), (3, 3)])
def test_stages_count_from_one(stage: int | None, expected: int) -> None:
    assert checked_stage(stage, 3, 1.0) == expected


@pytest.mark.parametrize("stage", [0, 4, -1])
def test_unknown_stages_are_named(stage: int) -> None:
    with pytest.raises(ValueError, match=f"stage {stage} is not one of 1 to 3"):
        checked_stage(stage, 3, 1.0)


@pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan"), float("inf")])
def test_alpha_is_a_weight(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"alpha .* is not between 0 and 1"):
        checked_stage(1, 3, alpha)


def test_counts_are_bounded() -> None:
    check_counts(channels=1, growth=1 << 16)
    with pytest.raises(ValueError, match="growth 0 is not in 1 to 65536"):
        check_counts(channels=1, growth=0)
    with pytest.raises(ValueError, match="blocks 65 is not in 1 to 64"):
        check_counts(64, blocks=65)
