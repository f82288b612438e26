"""Repeat factors by hand, and what they make of a long tail."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from accelerate import Accelerator

from tinyvirat.datasets.batching import BatchPlan
from tinyvirat.training.data import ClipFiles, open_data
from tinyvirat.training.phases import Segment
from tinyvirat.training.sampling import repeat_factors

from .small import RECIPE


def test_factors_by_hand() -> None:
    # 8 clips: class 0 in all, class 1 in 2 (f = 1/4), class 2 in 1 (f = 1/8), class 3 in none.
    targets = np.zeros((8, 4), np.float32)
    targets[:, 0] = 1
    targets[:2, 1] = 1
    targets[0, 2] = 1
    found = repeat_factors(targets, 0.5)
    assert found == pytest.approx([2.0, 2**0.5] + [1.0] * 6)
    assert repeat_factors(targets, 0.125) == (1.0,) * 8
    assert repeat_factors(targets, 0.2) == pytest.approx([1.6**0.5] + [1.0] * 7)


def test_clips_without_labels_are_seen_once() -> None:
    targets = np.array([[0, 0], [1, 0], [0, 0], [0, 0]], np.float32)
    assert repeat_factors(targets, 1.0) == pytest.approx([1.0, 2.0, 1.0, 1.0])
    assert repeat_factors(np.zeros((2, 0), np.float32), 1.0) == (1.0, 1.0)


def test_a_rare_class_is_seen_as_often_as_its_factor_says() -> None:
    targets = np.zeros((100, 2), np.float32)
    targets[:96, 0] = 1
    targets[96:, 1] = 1  # f = 0.04
    plan = BatchPlan(100, 1, repeats=repeat_factors(targets, 0.25))
    seen = np.array([(plan.order(epoch) >= 96).sum() for epoch in range(200)])
    assert seen.mean() == pytest.approx(4 * (0.25 / 0.04) ** 0.5, rel=0.02)
    assert len(set(range(100)) - set(plan.order(0))) == 0


@pytest.mark.parametrize(("threshold", "red"), [(0.0, {14}), (1.0, {16, 17})])
def test_training_repeats_the_clips_of_rare_classes(
    clips: Path, threshold: float, red: set[int]
) -> None:
    """Of eight clips two are red: sqrt(4) times as many of the 14 of an epoch with repeats."""
    phase: Any = SimpleNamespace(
        name="3-classifier",
        roles=("data",),
        segments=(Segment(steps=28, batch=2),),
        repeat_factor=threshold,
    )
    data = open_data(RECIPE, ClipFiles(clips))
    accelerator = Accelerator(cpu=True)
    found = [batches["data"] for _, batches in data.batches(phase, 0, 28, accelerator)]
    assert int(sum(batch.targets_BK[:, 2].sum() for batch in found)) in red
    seeds = [seed for batch in found for seed in batch.seeds]
    assert len(set(seeds)) == len(seeds) == 56  # none is seen twice in the same way
    resumed = [batches["data"].seeds for _, batches in data.batches(phase, 19, 28, accelerator)]
    assert resumed == [batch.seeds for batch in found[19:]]
