"""The moving average against its definition."""

from __future__ import annotations

import torch
from torch import nn

from tinyvirat.training.average import MovingAverage


def test_it_is_what_it_says() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2))
    average = MovingAverage(network, decay=0.3)
    expected = [p.detach().clone() for p in network.parameters()]
    for n in range(1, 6):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        network(torch.randn(2, 1, 2, 2, 2))
        average.update(network)
        decay = min(0.3, (1 + n) / (10 + n))
        expected = [
            decay * old + (1 - decay) * new
            for old, new in zip(expected, network.parameters(), strict=True)
        ]
        for mine, wanted in zip(average.network.parameters(), expected, strict=True):
            torch.testing.assert_close(mine, wanted)
    # The first decays are below 0.3, the later ones are not: both were seen.
    assert (1 + 1) / (10 + 1) < 0.3 < (1 + 5) / (10 + 5)
    for mine, theirs in zip(average.network.buffers(), network.buffers(), strict=True):
        assert torch.equal(mine, theirs)


def test_without_decay_it_is_the_network() -> None:
    network = nn.Linear(2, 2)
    average = MovingAverage(network, decay=0.0)
    nn.init.ones_(network.weight)
    assert not torch.equal(average.network.weight, network.weight)
    average.update(network)
    assert torch.equal(average.network.weight, network.weight)


def test_it_is_another_network_that_learns_nothing() -> None:
    network = nn.Linear(2, 2)
    average = MovingAverage(network, 0.9)
    assert not average.network.training
    assert not any(p.requires_grad for p in average.parameters())
    assert average.network.weight.data_ptr() != network.weight.data_ptr()
    assert all(p.requires_grad for p in network.parameters())
    assert "count" in average.state_dict()
