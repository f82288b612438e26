"""An epoch is one fixed sequence of batches, whoever shares it and wherever it starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.datasets.batching import BatchError, BatchPlan, Key


def flat(batches: list[list[Key]]) -> list[Key]:
    return [key for batch in batches for key in batch]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.integers(1, 12), st.integers(1, 5), st.integers(0, 5))
def test_an_evaluation_takes_every_clip_once_whatever_the_ranks(
    size: int, batch_size: int, ranks: int, epoch: int
) -> None:
    plan = BatchPlan(size, batch_size, shuffle=False, drop_last=False)
    alone = list(plan.keys(epoch))
    assert flat(alone) == [(epoch, index) for index in range(size)]
    assert len(alone) == plan.batches
    parts = [replace(plan, rank=rank, ranks=ranks) for rank in range(ranks)]
    assert all(batch for part in parts for batch in part.keys(epoch))
    shared = [key for part in parts for key in flat(list(part.keys(epoch)))]
    assert sorted(shared) == flat(alone)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 30), st.integers(0, 9))
def test_ranks_see_what_one_process_sees_split_in_order(
    ranks: int, each: int, more: int, epoch: int
) -> None:
    plan = BatchPlan(ranks * each + more, ranks * each, seed=3)
    alone = list(plan.keys(epoch))
    parts = [list(replace(plan, rank=rank, ranks=ranks).keys(epoch)) for rank in range(ranks)]
    assert [flat(list(step)) for step in zip(*parts, strict=True)] == alone
    assert {len(batch) for part in parts for batch in part} == {each}
    indices = [index for _, index in flat(alone)]
    assert len(set(indices)) == len(indices) == plan.batches * plan.batch_size


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 8), st.booleans(), st.data())
def test_an_epoch_resumes_at_any_batch(
    size: int, batch_size: int, drop_last: bool, data: st.DataObject
) -> None:
    plan = BatchPlan(size, min(size, batch_size), seed=8, drop_last=drop_last)
    start = data.draw(st.integers(0, plan.batches))
    assert list(plan.keys(4, start)) == list(plan.keys(4))[start:]


def test_epochs_and_seeds_differ_and_repeat() -> None:
    plan = BatchPlan(50, 50, seed=1)
    order = plan.order(0).tolist()
    assert plan.order(0).tolist() == order
    assert sorted(order) == list(range(50))
    assert plan.order(1).tolist() != order
    assert replace(plan, seed=2).order(0).tolist() != order
    assert replace(plan, shuffle=False).order(7).tolist() == list(range(50))


def test_weights_draw_rare_clips_more_often() -> None:
    plan = BatchPlan(1000, 10, weights=(*([1.0] * 900), *([9.0] * 100)))
    rare = np.mean([np.mean(plan.order(epoch) >= 900) for epoch in range(5)])
    assert 0.45 < rare < 0.55
    assert plan.order(3).tolist() == plan.order(3).tolist()
    never = BatchPlan(4, 2, weights=(1.0, 0.0, 1.0, 0.0))
    assert set(never.order(0)) <= {0, 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "1 or more"),
        ({"batch_size": 0}, "1 or more"),
        ({"batch_size": 9}, "cannot be filled from 8"),
        ({"seed": -1}, "the seed is -1"),
        ({"rank": 2, "ranks": 2}, "process 2 of 2"),
        ({"batch_size": 4, "ranks": 3}, "multiple of 3"),
        ({"weights": (1.0,)}, "1 weights for 8 clips"),
        ({"weights": (1.0,) * 7 + (-1.0,)}, "none below 0"),
        ({"weights": (0.0,) * 8}, "one at least above"),
        ({"weights": (float("nan"),) * 8}, "finite"),
        ({"weights": (1.0,) * 8, "drop_last": False}, "need shuffle and drop_last"),
        ({"weights": (1.0,) * 8, "shuffle": False}, "need shuffle and drop_last"),
    ],
)
def test_plans_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(BatchError, match=message):
        BatchPlan(**({"size": 8, "batch_size": 2} | options))  # type: ignore[arg-type]


def test_an_epoch_does_not_start_behind_its_end() -> None:
    with pytest.raises(BatchError, match="has 4 batches"):
        list(BatchPlan(8, 2).keys(0, 5))
