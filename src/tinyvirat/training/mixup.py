"""Mixup: pairs of clips, and their labels, laid over each other (Zhang et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# Keeps the shares apart from what else is drawn from an iteration's and a clip's seed.
STREAM = 0x313C

PAIR = 2
"""Clips that are mixed with each other."""


def mixed(
    x_BCTHW: Tensor, targets_BK: Tensor, *, alpha: float, seed: int, seeds: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Each clip mixed with its neighbour: the first with the second, the third with the fourth, ...

    Batches are shuffled, so that neighbours are as good as any. They are in the same process as
    long as each has an even number of clips; then it makes no difference how many processes there
    are, nor into how many pieces a batch is cut. The last of an odd number stays as it is. Every
    clip draws its own share, so that the two of a pair are not each other's rest.

    Args:
        x_BCTHW: what the classifier is given.
        targets_BK: 0 or 1.
        alpha: shares are drawn from Beta(alpha, alpha); above 0.
        seed: of the iteration.
        seeds: of the clips; with `seed` they alone decide the shares.

    Returns:
        Mixed clips and targets, in the order of the clips.
    """
    clips = len(seeds)
    partners_B = torch.arange(clips, device=x_BCTHW.device) ^ 1
    partners_B[partners_B == clips] = clips - 1
    drawn = [np.random.default_rng([STREAM, seed, one]).beta(alpha, alpha) for one in seeds]
    shares_B = torch.tensor(drawn, dtype=torch.float32).to(x_BCTHW.device)
    share_B1111 = shares_B.to(x_BCTHW.dtype).view(-1, 1, 1, 1, 1)
    return (
        torch.lerp(x_BCTHW[partners_B], x_BCTHW, share_B1111),
        torch.lerp(targets_BK[partners_B], targets_BK, shares_B.view(-1, 1)),
    )
