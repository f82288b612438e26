"""Batch norms that several processes share are those of one process with the whole batch."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import PartialState
from torch import Tensor, nn

from tinyvirat.models.i3d import I3DConfig
from tinyvirat.training.norms import BATCH_NORMS, SharedBatchNorm3d, share_batch_norms

from .processes import together

SHARES = (slice(0, 3), slice(3, 4))  # uneven on purpose


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(3, 4, 3, padding=1),
        nn.BatchNorm3d(4, eps=1e-3, momentum=0.01),
        nn.ReLU(inplace=True),
        nn.Conv3d(4, 2, 1),
        nn.BatchNorm3d(2, affine=False),
    )


def clips() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    x_BCTHW = torch.randn(4, 3, 2, 5, 5, generator=draw) * 3 + 5
    return x_BCTHW, torch.randn(4, 2, 2, 5, 5, generator=draw)


def twice(net: nn.Module, x_BCTHW: Tensor, weights: Tensor, dtype: torch.dtype) -> dict[str, Any]:
    """Forward and backward, twice, and what came of it; bfloat16 is mixed, as in training."""
    if dtype == torch.float64:
        net, x_BCTHW, weights = net.double(), x_BCTHW.double(), weights.double()
    x_BCTHW.requires_grad_()
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            y_BCTHW = net(x_BCTHW)
        (y_BCTHW * weights).sum().backward()
    return {
        "y": y_BCTHW.detach(),
        "x": x_BCTHW.grad,
        "state": net.state_dict(),
        "gradients": {name: p.grad for name, p in net.named_parameters()},
    }


def share(out: Path, dtype: torch.dtype) -> None:
    """One of two processes, with its share of the batch."""
    process = PartialState(cpu=True)
    shared = network()
    share_batch_norms(shared, torch.device("cpu"))
    here = SHARES[process.process_index]
    x_BCTHW, weights = (t[here].clone() for t in clips())
    torch.save(twice(shared, x_BCTHW, weights, dtype), out / f"{process.process_index}.pt")


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-11), (torch.float32, 1e-4), (torch.bfloat16, 5e-2)],
    ids=str,
)
def test_two_processes_normalise_by_the_whole_batch(
    tmp_path: Path, dtype: torch.dtype, tolerance: float
) -> None:
    together(share, tmp_path, dtype)
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    whole = twice(network(), *clips(), dtype)

    def near(found: Tensor, wanted: Tensor) -> None:
        assert found.dtype == wanted.dtype
        assert (found - wanted).norm() <= tolerance * (1.0 + wanted.norm())

    near(torch.cat([part["y"] for part in parts]), whole["y"])
    if dtype == torch.bfloat16:
        return  # a bias before a norm has no gradient: what is there is rounding
    near(torch.cat([part["x"] for part in parts]), whole["x"])
    for name, wanted in whole["gradients"].items():
        near(parts[0]["gradients"][name] + parts[1]["gradients"][name], wanted)
    for name, wanted in whole["state"].items():
        for part in parts:
            near(part["state"][name].double(), wanted.double())


def test_alone_and_in_evaluation_it_is_an_ordinary_one() -> None:
    plain = network()
    shared = copy.deepcopy(plain)
    share_batch_norms(shared, torch.device("cpu"))
    x_BCTHW, _ = clips()
    assert torch.equal(shared(x_BCTHW), plain(x_BCTHW))
    assert torch.equal(shared.eval()(x_BCTHW), plain.eval()(x_BCTHW))
    assert list(shared.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize(
    ("device", "kind"), [("cpu", SharedBatchNorm3d), ("cuda", nn.SyncBatchNorm)]
)
def test_every_norm_of_a_network_is_shared(device: str, kind: type[nn.Module]) -> None:
    classifier = I3DConfig(num_classes=3, width=0.0625).build()
    before = list(classifier.state_dict())
    count = sum(type(m) is nn.BatchNorm3d for m in classifier.modules())
    share_batch_norms(classifier, torch.device(device))
    assert sum(type(m) is kind for m in classifier.modules()) == count > 0
    assert sum(isinstance(m, BATCH_NORMS) for m in classifier.modules()) == count
    assert list(classifier.state_dict()) == before
