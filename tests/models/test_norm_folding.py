"""Norms folded into convolutions: the right ones, all of them, and the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tinyvirat.models.any_size import PreUpsampledDVSRConfig
from tinyvirat.models.attention import ForegroundAttention
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.norm_folding import fold_norms, norm_pairs
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.x3d import X3DConfig
from tinyvirat.models.zoo import ZOO

from .network_checks import clips, seeded

CONFIGS = [
    I3DConfig(3, width=0.0625),
    ResNet3DConfig(10, 3, "A", width=4),
    ResNet3DConfig(50, 3, width=4),
    X3DConfig(3),
    ProgressiveDVSRConfig(4, 4, 2, attention=True),
    PreUpsampledDVSRConfig(2, 32),
    RecognizerConfig(
        I3DConfig(3, width=0.0625), ProgressiveDVSRConfig(2, 4, 2, attention=True), 64, mask=True
    ),
]


ONE_OF_EACH = ("prog-dvsr-att-x4", "pre-upsampled-dvsr", "i3d-112", "resnet3d-18", "x3d-s")


def seen_pairs(network: nn.Module, x_BCTHW: Tensor) -> set[tuple[str | None, str]]:
    """Which convolution's very output each norm is given, watched while the network runs."""
    made: list[tuple[Tensor, str]] = []
    pairs = set()
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv3d):
            module.register_forward_hook(lambda _, __, y, name=name: made.append((y, name)))
        elif isinstance(module, nn.BatchNorm3d):
            module.register_forward_pre_hook(
                lambda _, given, name=name: pairs.add(
                    (next((conv for y, conv in made if y is given[0]), None), name)
                )
            )
    with torch.no_grad():
        network(x_BCTHW)
    return pairs


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_pairs_are_those_that_run_one_after_the_other(name: str) -> None:
    """In every family of the zoo, all norms; nothing is computed to see it."""
    entry = ZOO[name]
    with torch.device("meta"):
        network = entry.config.build().eval()
        found = list(norm_pairs(network))
        assert set(found) == seen_pairs(network, torch.empty(1, 3, 16, entry.side, entry.side))
    norms = [n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm3d)]
    assert norms
    assert sorted(norm for _, norm in found) == sorted(norms)


def outputs(answer: Any) -> Iterator[Tensor]:
    yield from (answer,) if isinstance(answer, Tensor) else (t for t in answer if t is not None)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_answers_are_the_same_without_norms(config: Any) -> None:
    network = seeded(config).double()
    x_BCTHW = clips(1, 3, 8, 32, 32, seed=5, dtype=torch.float64)
    with torch.no_grad():
        before = [t.clone() for t in outputs(network(x_BCTHW))]
        norms = [n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm3d)]
        assert norms, "a network without norms would show nothing"
        assert sorted(fold_norms(network)) == sorted(norms)
        assert not any(isinstance(m, nn.BatchNorm3d) for m in network.modules())
        after = list(outputs(network(x_BCTHW)))
    assert len(after) == len(before)
    for one, other in zip(after, before, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)
    assert fold_norms(network) == ()


def test_the_attention_branch_alone() -> None:
    """Its widths can be alike, so that order alone would take the wrong convolution."""
    torch.manual_seed(0)
    branch = ForegroundAttention(4, 3).eval()
    assert list(norm_pairs(branch)) == [("convs.0", "norms.0"), ("convs.1", "norms.1")]
