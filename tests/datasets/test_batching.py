"""An epoch is one fixed sequence of batches, whoever shares it and wherever it starts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.datasets.batching import COPIES_APART, BatchError, BatchPlan, Key


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


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.0, 5.0), min_size=1, max_size=40).filter(lambda r: sum(r) >= 1),
    st.integers(0, 9),
)
def test_each_clip_is_repeated_as_often_as_the_whole_number_below_or_above(
    repeats: list[float], epoch: int
) -> None:
    plan = BatchPlan(len(repeats), 1, seed=5, repeats=tuple(repeats))
    times = np.bincount(plan.order(epoch), minlength=len(repeats))
    assert times.sum() == plan.length == math.ceil(math.fsum(repeats))
    shares = np.array(repeats) * (plan.length / math.fsum(repeats))
    assert (times >= np.floor(shares - 1e-9)).all() and (times <= np.ceil(shares + 1e-9)).all()
    # Who is to be there once is there in every epoch.
    assert (times[np.array(repeats) >= 1] >= 1).all()


def test_what_is_left_of_a_repeat_is_drawn_anew_every_epoch() -> None:
    plan = BatchPlan(8, 2, repeats=(1.0, 1.0, 1.0, 1.0, 2.5, 2.5, 1.25, 0.75))
    assert (plan.length, plan.batches) == (11, 5)
    times = np.array([np.bincount(plan.order(epoch), minlength=8) for epoch in range(2000)])
    assert {2, 3} == set(times[:, 4])
    assert times.mean(0) == pytest.approx(plan.repeats, abs=0.05)
    # Repeats of a clip are not drawn side by side.
    assert np.mean([plan.order(e)[0] == plan.order(e)[1] for e in range(200)]) < 0.3


def test_repeats_of_one_are_a_plain_epoch() -> None:
    plan = BatchPlan(50, 5, repeats=(1.0,) * 50)
    assert sorted(plan.order(0)) == list(range(50))
    assert plan.order(1).tolist() != plan.order(0).tolist()


def test_a_clips_second_time_in_an_epoch_is_another_sample() -> None:
    plan = BatchPlan(3, 1, seed=1, repeats=(1.0, 4.0, 2.0))
    keys = flat(list(plan.keys(6)))
    assert len(set(keys)) == len(keys) == 7
    assert sorted(epoch for epoch, index in keys if index == 1) == [
        6 + copy * COPIES_APART for copy in range(4)
    ]
    assert [epoch for epoch, index in keys if index == 0] == [6]
    assert not set(keys) & set(flat(list(plan.keys(7))))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(0, 9), st.data())
def test_repeated_clips_are_shared_and_resumed_as_all_are(
    ranks: int, epoch: int, data: st.DataObject
) -> None:
    repeats = (1.0, 3.3, 1.0, 2.4, 1.0, 1.0, 1.7)
    plan = BatchPlan(7, 2 * ranks, seed=2, repeats=repeats)
    alone = list(plan.keys(epoch))
    assert len(alone) == plan.batches
    start = data.draw(st.integers(0, plan.batches))
    assert list(plan.keys(epoch, start)) == alone[start:]
    parts = [list(replace(plan, rank=rank, ranks=ranks).keys(epoch)) for rank in range(ranks)]
    assert [flat(list(step)) for step in zip(*parts, strict=True)] == alone


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "1 or more"),
        ({"batch_size": 0}, "1 or more"),
        ({"batch_size": 9}, "cannot be filled from 8"),
        ({"seed": -1}, "the seed is -1"),
        ({"rank": 2, "ranks": 2}, "process 2 of 2"),
        ({"batch_size": 4, "ranks": 3}, "multiple of 3"),
        ({"repeats": (1.0,)}, "1 repeats for 8 clips"),
        ({"repeats": (1.0,) * 7 + (-1.0,)}, "none below 0"),
        ({"repeats": (0.0,) * 8}, "one at least above"),
        ({"repeats": (float("nan"),) * 8}, "finite"),
        ({"repeats": (1.0,) * 8, "drop_last": False}, "need shuffle and drop_last"),
        ({"repeats": (1.0,) * 8, "shuffle": False}, "need shuffle and drop_last"),
    ],
)
def test_plans_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(BatchError, match=message):
        BatchPlan(**({"size": 8, "batch_size": 2} | options))  # type: ignore[arg-type]


def test_an_epoch_does_not_start_behind_its_end() -> None:
    with pytest.raises(BatchError, match="has 4 batches"):
        list(BatchPlan(8, 2).keys(0, 5))
