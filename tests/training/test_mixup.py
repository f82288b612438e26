"""Neighbours are mixed by shares that only seeds decide, clips and labels alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tinyvirat.training.mixup import mixed


def case(clips: int = 4) -> tuple[Tensor, Tensor, list[int]]:
    x_BCTHW = torch.arange(clips, dtype=torch.float32).view(-1, 1, 1, 1, 1) * torch.ones(
        1, 3, 2, 4, 4
    )
    return x_BCTHW, torch.eye(clips), [11 * n + 5 for n in range(clips)]


def test_clips_and_labels_have_the_same_shares() -> None:
    x, targets, seeds = case()
    video, labels = mixed(x, targets, alpha=0.4, seed=3, seeds=seeds)
    shares = labels.diagonal()
    assert ((shares > 0) & (shares < 1)).all()
    for n, partner in ((0, 1), (1, 0), (2, 3), (3, 2)):
        assert labels[n, partner] == pytest.approx(1 - float(shares[n]))
        assert labels[n].sum() == pytest.approx(1.0)
        expected = shares[n] * n + (1 - shares[n]) * partner
        torch.testing.assert_close(video[n], torch.full_like(video[n], float(expected)))


def test_the_last_of_an_odd_number_stays() -> None:
    x, targets, seeds = case(3)
    video, labels = mixed(x, targets, alpha=0.4, seed=3, seeds=seeds)
    assert torch.equal(video[2], x[2]) and torch.equal(labels[2], targets[2])
    assert not torch.equal(video[0], x[0])


def test_processes_that_share_a_batch_mix_as_one_does() -> None:
    x, targets, seeds = case()
    whole = mixed(x, targets, alpha=1.0, seed=3, seeds=seeds)
    for part in (slice(0, 2), slice(2, 4)):
        own = mixed(x[part], targets[part], alpha=1.0, seed=3, seeds=seeds[part])
        assert torch.equal(own[0], whole[0][part]) and torch.equal(own[1], whole[1][part])


def test_another_iteration_or_clip_draws_another_share() -> None:
    x, targets, seeds = case()
    first = mixed(x, targets, alpha=1.0, seed=3, seeds=seeds)[1]
    assert torch.equal(mixed(x, targets, alpha=1.0, seed=3, seeds=seeds)[1], first)
    assert not torch.equal(mixed(x, targets, alpha=1.0, seed=4, seeds=seeds)[1], first)
    other = mixed(x, targets, alpha=1.0, seed=3, seeds=[99, *seeds[1:]])[1]
    assert not torch.equal(other[0], first[0]) and torch.equal(other[1:], first[1:])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    x = torch.zeros(2, 1, 1, 1, 1)
    shares = np.array(
        [
            mixed(x, torch.eye(2), alpha=alpha, seed=seed, seeds=[1, 2])[1][0, 0].item()
            for seed in range(3000)
        ]
    )
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)


def test_half_precision_stays() -> None:
    x, targets, seeds = case()
    video, labels = mixed(x.bfloat16(), targets, alpha=0.4, seed=3, seeds=seeds)
    assert video.dtype == torch.bfloat16 and labels.dtype == torch.float32
