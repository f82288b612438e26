"""From decoded clips to network input: what is random, and that chances are apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tinyvirat.training.inputs import Inputs, LabelledBatch
from tinyvirat.training.recipe import Clips
from tinyvirat.video.sampling import RandomWindow

LARGE = Clips(size=8, full=32, short_side=36, frames=4)
TINY = replace(LARGE, tiny=True)


def batch(*sizes: tuple[int, int], seeds: range | None = None) -> LabelledBatch:
    draw = torch.Generator().manual_seed(0)
    clips = [torch.randint(0, 256, (4, *s, 3), generator=draw, dtype=torch.uint8) for s in sizes]
    return LabelledBatch(clips, torch.zeros(len(sizes), 2), seeds or range(len(sizes)))


def test_large_clips_are_made_small_from_what_is_their_truth() -> None:
    one = batch((40, 50), (36, 36))
    inputs = Inputs(LARGE)
    pairs = inputs.pairs(one)
    assert pairs.high_BCTHW.shape == (2, 3, 4, 32, 32)
    assert torch.equal(inputs.low(one), pairs.low_BCTHW)
    assert pairs.low_BCTHW.shape == (2, 3, 4, 8, 8)


def test_tiny_clips_go_to_the_input_side_as_at_test_time() -> None:
    one = batch((10, 14), (9, 9), (20, 12))
    low = Inputs(replace(TINY, flip=0.0)).low(one)
    assert torch.equal(low, TINY.preprocess()(one.clips))
    mirrored = Inputs(replace(TINY, flip=1.0)).low(one)
    assert torch.equal(mirrored, low.flip(-1))


def test_the_mirror_depends_on_the_seed_alone() -> None:
    def mirrored(seeds: range) -> list[bool]:
        one = batch(*[(9, 9)] * len(seeds), seeds=seeds)
        plain = TINY.preprocess()(one.clips)
        low = Inputs(TINY).low(one)
        return [not torch.equal(a, b) for a, b in zip(low, plain, strict=True)]

    first = mirrored(range(40))
    assert 8 < sum(first) < 32
    assert mirrored(range(20, 40)) == first[20:]
    assert not any(mirrored_never(range(5)))


def mirrored_never(seeds: range) -> list[bool]:
    one = batch(*[(9, 9)] * len(seeds), seeds=seeds)
    low = Inputs(replace(TINY, flip=0.0)).low(one)
    plain = TINY.preprocess()(one.clips)
    return [not torch.equal(a, b) for a, b in zip(low, plain, strict=True)]


def test_the_mirror_has_nothing_to_do_with_the_window() -> None:
    """Both are drawn from the clip's seed: from one stream they would go together."""
    sampler, inputs = RandomWindow(length=4), Inputs(TINY)
    plain = TINY.preprocess()(batch((9, 9)).clips)
    late, mirror = [], []
    for seed in range(400):
        window = sampler.windows(60, np.random.default_rng(seed))[0]
        late.append(window[0] > 28)
        low = inputs.low(batch((9, 9), seeds=range(seed, seed + 1)))
        mirror.append(not torch.equal(low, plain))
    together = np.mean([a == b for a, b in zip(late, mirror, strict=True)])
    assert 0.4 < together < 0.6
