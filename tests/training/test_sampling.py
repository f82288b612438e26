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
from tinyvirat.training.recipe import Sampling
from tinyvirat.training.sampling import class_aware_shares, repeat_factors, repeats

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


def test_class_aware_shares_by_hand() -> None:
    # n = 3 and 1, and one clip without labels: three groups that are drawn alike.
    targets = np.array([[1, 1], [1, 0], [1, 0], [0, 0]], np.float32)
    wanted = np.array([1 / 3 + 1, 1 / 3, 1 / 3, 1]) * 4 / 3
    assert class_aware_shares(targets) == pytest.approx(wanted)
    assert class_aware_shares(np.eye(3, 4, dtype=np.float32)) == pytest.approx([1.0] * 3)
    assert class_aware_shares(np.zeros((2, 1), np.float32)) == pytest.approx([1.0] * 2)


def test_all_classes_are_drawn_alike() -> None:
    targets = np.zeros((100, 3), np.float32)
    targets[:90, 0] = targets[90:99, 1] = targets[99:, 2] = 1
    plan = BatchPlan(100, 1, repeats=repeats(Sampling(class_aware=True), targets))
    seen = sum(targets[plan.order(epoch)].sum(0) for epoch in range(200)) / 200
    assert seen == pytest.approx([100 / 3] * 3, rel=0.02)
    assert repeats(Sampling(), targets) is None


@pytest.mark.parametrize(
    ("sampling", "red"),
    [
        (Sampling(), {14}),
        (Sampling(repeat_factor=1.0), {16, 17}),
        (Sampling(class_aware=True), set(range(16, 25))),
    ],
)
def test_training_repeats_the_clips_of_rare_classes(
    clips: Path, sampling: Sampling, red: set[int]
) -> None:
    """Of eight clips two are red: sqrt(4) times as many of the 14 of an epoch with repeats, and a
    third of the 56 where classes are drawn."""
    phase: Any = SimpleNamespace(
        name="3-classifier",
        roles=("data",),
        segments=(Segment(steps=28, batch=2),),
        sampling=sampling,
    )
    data = open_data(RECIPE, ClipFiles(clips))
    accelerator = Accelerator(cpu=True)
    found = [batches["data"] for _, batches in data.batches(phase, 0, 28, accelerator)]
    assert int(sum(batch.targets_BK[:, 2].sum() for batch in found)) in red
    seeds = [seed for batch in found for seed in batch.seeds]
    assert len(set(seeds)) == len(seeds) == 56  # none is seen twice in the same way
    resumed = [batches["data"].seeds for _, batches in data.batches(phase, 19, 28, accelerator)]
    assert resumed == [batch.seeds for batch in found[19:]]
