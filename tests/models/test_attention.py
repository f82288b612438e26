"""The foreground attention branch. Equality with the published one is in `test_import_dvsr.py`."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tinyvirat.models.attention import ForegroundAttention
from tinyvirat.models.blocks import SuperResolved

from .network_checks import clips
from .super_resolution_checks import parameters_reached, trilinear


@pytest.mark.parametrize(
    ("doublings", "widths"), [(3, (32, 16, 8, 1)), (2, (32, 8, 1)), (1, (32, 1))]
)
def test_widths_are_the_published_ones(doublings: int, widths: tuple[int, ...]) -> None:
    branch = ForegroundAttention(32, doublings)
    shapes = [tuple(conv.weight.shape[:2]) for conv in branch.convs]
    assert shapes == list(zip(widths[1:], widths[:-1], strict=True))
    norms = [type(norm) for norm in branch.norms]
    assert norms == [nn.BatchNorm3d] * (doublings - 1) + [nn.Identity]


@pytest.mark.parametrize("doublings", [1, 2, 3])
def test_the_map_is_importance(doublings: int) -> None:
    torch.manual_seed(0)
    branch = ForegroundAttention(4, doublings).eval()
    side = 6 << doublings
    importance = branch(5000 * clips(2, 4, 5, 6, 6), (side, side))
    assert importance.shape == (2, 1, 5, side, side)
    assert 0.0 <= importance.min() < 0.1
    assert 0.9 < importance.max() <= 1.0


def test_every_layer_doubles_then_convolves() -> None:
    torch.manual_seed(0)
    branch = ForegroundAttention(8, 3).train()
    encoded = clips(2, 8, 2, 3, 4)
    x = encoded
    for index, conv in enumerate(branch.convs):
        t, h, w = x.shape[2:]
        x = conv(trilinear(x, (t, 2 * h, 2 * w)))
        if index < 2:
            x = F.leaky_relu(F.batch_norm(x, None, None, training=True), 0.2)
    torch.testing.assert_close(branch(encoded, (24, 32)), x.sigmoid(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("entry", "sides"),
    [(14, [28, 56, 112]), (28, [28, 56, 112]), (56, [56, 56, 112])],
)
def test_large_features_skip_the_first_doublings(entry: int, sides: list[int]) -> None:
    branch = ForegroundAttention(2, 3).eval()
    seen: list[int] = []
    for conv in branch.convs:
        conv.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    assert branch(clips(1, 2, 1, entry, entry), (112, 112)).shape[-1] == 112
    assert seen == sides


def test_narrow_features_keep_one_channel() -> None:
    branch = ForegroundAttention(1, 3).eval()
    assert branch(clips(1, 1, 2, 2, 2), (16, 16)).shape == (1, 1, 2, 16, 16)


def test_gradient_reaches_everything() -> None:
    torch.manual_seed(0)
    # A bias before batch norm is taken off with the mean: in training its gradient is zero but for
    # rounding, so the branch is looked at with fixed statistics.
    branch = ForegroundAttention(8, 3).eval()
    encoded = clips(2, 8, 2, 3, 3).requires_grad_()
    answer = SuperResolved(branch(encoded, (24, 24)), None)
    assert parameters_reached(branch, answer) == {name for name, _ in branch.named_parameters()}
    assert encoded.grad is not None and encoded.grad.abs().max() > 0
