"""bfloat16 on the CPU: gradients that are right where torch's own are not."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from tinyvirat.models.i3d import I3DConfig
from tinyvirat.training.guard import ShortSafeConv3d, guard_short_convolutions


def weight_gradient(conv: nn.Conv3d, x_BCTHW: Tensor, dtype: torch.dtype | None) -> Tensor:
    conv.zero_grad()
    with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
        y_BCTHW = conv(x_BCTHW)
    weights = torch.randn(y_BCTHW.shape, generator=torch.Generator().manual_seed(1))
    (y_BCTHW.float() * weights).sum().backward()
    assert conv.weight.grad is not None
    return conv.weight.grad.clone()


@pytest.mark.parametrize("channels", [(16, 16), (24, 64)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d], ids=str)
@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_gradients_are_those_of_float32(
    frames: int, channels: tuple[int, int], layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv3d(*channels, 3, padding=1).to(memory_format=layout)
    guard_short_convolutions(conv)
    x_BCTHW = torch.randn(2, channels[0], frames, 7, 7).contiguous(memory_format=layout)
    exact = weight_gradient(conv, x_BCTHW, None)
    found = weight_gradient(conv, x_BCTHW, torch.bfloat16)
    assert (found - exact).norm() <= 0.02 * exact.norm()


@pytest.mark.parametrize(
    ("kernel", "frames", "dtype"),
    [(3, 2, torch.float32), (3, 3, torch.bfloat16), (1, 1, torch.bfloat16), (7, 4, torch.float32)],
)
def test_only_short_clips_leave_bfloat16(kernel: int, frames: int, dtype: torch.dtype) -> None:
    conv = nn.Conv3d(4, 4, kernel, padding=kernel // 2)
    guard_short_convolutions(conv)
    x_BCTHW = torch.randn(1, 4, frames, 7, 7)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv(x_BCTHW).dtype == dtype
        assert conv(x_BCTHW.bfloat16()).dtype == dtype
    assert conv(x_BCTHW).dtype == torch.float32


def test_names_weights_and_answers_stay() -> None:
    torch.manual_seed(0)
    network = I3DConfig(num_classes=3, width=0.0625).build().eval()
    plain = copy.deepcopy(network)
    guard_short_convolutions(network)
    changed = [m for m in network.modules() if isinstance(m, ShortSafeConv3d)]
    assert len(changed) == len([m for m in plain.modules() if isinstance(m, nn.Conv3d)]) > 0
    assert list(network.state_dict()) == list(plain.state_dict())
    x_BCTHW = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(x_BCTHW), plain(x_BCTHW))


def test_a_convolution_of_another_kind_is_left_alone() -> None:
    class Own(nn.Conv3d):
        pass

    network = nn.Sequential(Own(1, 1, 3), nn.ConvTranspose3d(1, 1, 3))
    guard_short_convolutions(network)
    assert [type(m) for m in network] == [Own, nn.ConvTranspose3d]
