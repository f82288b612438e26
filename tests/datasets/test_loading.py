"""A sample depends on seed, epoch and index alone; batches are the same however they are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.datasets import Manifest
from tinyvirat.datasets.cache import CacheError, FrameCache
from tinyvirat.datasets.degrade import Degrade
from tinyvirat.datasets.frames import ClipError, ClipReader
from tinyvirat.datasets.loading import (
    STAND_IN_APART,
    Batch,
    BatchPlan,
    ClipDataset,
    ClipLoader,
    LoadingError,
    collate,
    sample_seed,
    stand_ins,
)
from tinyvirat.video.sampling import AllWindows, RandomWindow

TRAIN = RandomWindow(length=4, strides=(1, 2))
SIZE = 7


def dataset(clips: Manifest, **options: object) -> ClipDataset:
    return ClipDataset(clips, None, TRAIN, seed=5, **options)  # type: ignore[arg-type]


def loader(clips: Manifest, plan: BatchPlan, workers: int = 0, **options: object) -> ClipLoader:
    return ClipLoader(dataset(clips, **options), plan, workers=workers)


def same(a: Batch, b: Batch) -> bool:
    return (
        (a.shapes, a.indices, a.seeds, a.failed) == (b.shapes, b.indices, b.seeds, b.failed)
        and torch.equal(a.levels, b.levels)
        and torch.equal(a.target_BK, b.target_BK)
    )


def assert_same(a: Iterator[Batch], b: Iterator[Batch]) -> None:
    pairs = list(zip(a, b, strict=True))
    assert pairs
    assert all(same(one, other) for one, other in pairs)


def test_a_sample_is_the_frames_that_the_sampler_names(clips: Manifest) -> None:
    sample = dataset(clips)[(3, 2)]
    assert (sample.index, sample.seed) == (2, sample_seed(5, 3, 2))
    record = clips.records[2]
    indices_NT = TRAIN.windows(record.length, np.random.default_rng(sample.seed))
    with ClipReader(clips.file(record), record) as reader:
        expected = reader.read(indices_NT[0])
    assert sample.frames_NTHWC.shape == (1, 4, 24, 32, 3)
    assert torch.equal(sample.frames_NTHWC[0], expected)
    assert sample.target_K.tolist() == [1.0, 0.0, 0.0]
    assert torch.equal(dataset(clips)[2].frames_NTHWC, dataset(clips)[(0, 2)].frames_NTHWC)


def test_every_window_of_an_evaluation_is_there(clips: Manifest) -> None:
    everything = ClipDataset(clips, None, AllWindows(length=8))
    sample = everything[(0, 2)]
    assert sample.frames_NTHWC.shape == (4, 8, 24, 32, 3)
    record = clips.records[2]
    with ClipReader(clips.file(record), record) as reader:
        assert torch.equal(sample.frames_NTHWC.flatten(0, 1), reader.read(range(32)))
    short = everything[(0, 1)].frames_NTHWC[0]  # 7 frames: the first comes again
    assert torch.equal(short[7], short[0])


def test_seed_and_epoch_change_a_sample_and_nothing_else_does(clips: Manifest) -> None:
    assert len({sample_seed(s, e, i) for s in range(4) for e in range(4) for i in range(4)}) == 64
    seeds = [dataset(clips)[(epoch, 2)].frames_NTHWC for epoch in range(8)]
    assert any(not torch.equal(seeds[0], other) for other in seeds)
    torch.manual_seed(3)
    np.random.seed(3)
    again = dataset(clips)
    _ = again[(0, 4)]
    assert torch.equal(again[(7, 2)].frames_NTHWC, seeds[7])


def test_workers_and_cache_change_nothing(clips: Manifest, tmp_path: Path) -> None:
    plan = BatchPlan(SIZE, 3, seed=2)
    expected = list(loader(clips, plan, short_side=12).epoch(1))
    assert [len(batch) for batch in expected] == [3, 3]
    cache = FrameCache(tmp_path)
    with_workers = loader(clips, plan, workers=2, short_side=12, cache=cache)
    for _ in range(2):
        assert_same(iter(expected), with_workers.epoch(1))
    assert_same(iter(expected), loader(clips, plan, short_side=12, cache=cache).epoch(1))
    assert cache.counts.hits == 6


def test_what_the_cache_has_is_read_to_where_the_batch_has_it(
    clips: Manifest, tmp_path: Path
) -> None:
    whole = AllWindows(length=4)
    cached = ClipDataset(clips, None, whole, cache=FrameCache(tmp_path))
    keys = [(0, index) for index in range(SIZE)]
    expected = collate(ClipDataset(clips, None, whole).__getitems__(keys))
    assert same(collate(cached.__getitems__(keys)), expected)  # decoded, and copied
    samples = cached.__getitems__(keys)
    batch = collate(samples)
    assert same(batch, expected)
    # Clip d has one frame, which comes four times: it is the only one that is copied.
    places = {
        sample.frames_NTHWC.untyped_storage().data_ptr()
        for sample in samples  # type: ignore[union-attr]
    }
    assert len(places) == 2
    without = [samples[0], samples[1], samples[2]]
    joined = collate(without)
    assert joined.levels.data_ptr() == without[0].frames_NTHWC.data_ptr()  # type: ignore[union-attr]
    assert torch.equal(joined.levels, expected.levels[: len(joined.levels)])
    reordered = collate([samples[1], samples[0]])
    assert torch.equal(reordered.frames[1], expected.frames[0])


def test_a_record_of_another_size_does_not_break_the_batch(clips: Manifest, tmp_path: Path) -> None:
    """What is cached is right, whatever a record says of its size."""
    cache = FrameCache(tmp_path)
    right = ClipDataset(clips, clips.records[:2], AllWindows(length=4), cache=cache)
    expected = collate(right.__getitems__([(0, 0), (0, 1)]))
    wrong = (replace(clips.records[0], width=99), clips.records[1])
    other = ClipDataset(clips, wrong, AllWindows(length=4), cache=cache)
    assert same(collate(other.__getitems__([(0, 0), (0, 1)])), expected)


def test_an_epoch_resumes_in_the_middle(clips: Manifest) -> None:
    loaded = loader(clips, BatchPlan(SIZE, 2, seed=2), workers=1)
    whole = list(loaded.epoch(4))
    stopped = loaded.epoch(4)
    next(stopped)  # an epoch that is left early must not leak into the next
    assert_same(iter(whole[1:]), loaded.epoch(4, start=1))


def test_two_processes_see_one_s_batches_split_in_two(clips: Manifest) -> None:
    plan = BatchPlan(SIZE, 4, seed=9)
    (whole,) = loader(clips, plan).epoch(2)
    halves = [next(loader(clips, replace(plan, rank=r, ranks=2)).epoch(2)) for r in range(2)]
    assert torch.equal(torch.cat([half.levels for half in halves]), whole.levels)
    assert torch.equal(torch.cat([half.target_BK for half in halves]), whole.target_BK)
    assert halves[0].seeds + halves[1].seeds == whole.seeds
    make = Degrade(short_side=20, crop=16, low=8)
    together = make(whole.clips, whole.seeds)
    apart = [make(half.clips, half.seeds) for half in halves]
    assert torch.equal(torch.cat([pairs.low_BCTHW for pairs in apart]), together.low_BCTHW)


def test_a_batch_looks_into_its_levels(clips: Manifest) -> None:
    plan = BatchPlan(SIZE, SIZE, shuffle=False, drop_last=False)
    everything = ClipDataset(clips, None, AllWindows(length=8))
    (batch,) = ClipLoader(everything, plan).epoch()
    assert batch.windows == [2, 1, 4, 1, 2, 3, 2]
    assert len(batch.clips) == sum(batch.windows)
    assert batch.frames[1].shape == (1, 8, 40, 36, 3)
    for index, frames_NTHWC in enumerate(batch.frames):
        assert torch.equal(frames_NTHWC, everything[(0, index)].frames_NTHWC)
    assert torch.equal(batch.target_BK, torch.from_numpy(clips.targets(clips.records)))
    assert batch.to("cpu").levels.device.type == "cpu"
    assert same(batch.to("cpu"), batch)


def test_loading_leaves_the_global_random_state_alone(clips: Manifest) -> None:
    torch.manual_seed(0)
    list(loader(clips, BatchPlan(SIZE, 2)).epoch())
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(1), after)


def broken(clips: Manifest, *which: int) -> Manifest:
    """The manifest with records that promise more frames than decode."""
    records = list(clips.records)
    for index in which:
        records[index] = replace(records[index], frames=99, start=90, stop=None, windows=None)
    return replace(clips, records=tuple(records))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_clip_that_fails_ends_the_work_and_the_remedy_is_told(
    clips: Manifest, workers: int
) -> None:
    manifest = broken(clips, 2, 4)
    with pytest.raises(ClipError, match=r"clip 'c': .*promises 99 frames"):
        _ = dataset(manifest)[(0, 2)]
    message = rf"^clip '[ce]': .*promises 99 frames.*; 'tinyvirat data check {clips.path}' finds"
    for plan in (BatchPlan(SIZE, SIZE, seed=1), BatchPlan(SIZE, 2, drop_last=False)):
        with pytest.raises(LoadingError, match=message):
            list(ClipLoader(dataset(manifest), plan, workers=workers).epoch())


@pytest.mark.parametrize("workers", [0, 1])
def test_told_to_skip_another_clip_stands_in(clips: Manifest, workers: int) -> None:
    manifest = broken(clips, 2, 4)
    plan = BatchPlan(SIZE, 2, seed=1)
    skipping = ClipLoader(dataset(manifest), plan, workers=workers, on_error="skip")
    batches = list(skipping.epoch(3))
    assert [len(batch) for batch in batches] == [2, 2, 2]
    failed = [one.index for batch in batches for one in batch.failed]
    planned = [index for keys in plan.keys(3) for _, index in keys]
    assert failed == [index for index in planned if index in (2, 4)]
    assert skipping.skipped == len(failed) > 0
    for keys, batch in zip(plan.keys(3), batches, strict=True):
        for key, index, seed, frames_NTHWC in zip(
            keys, batch.indices, batch.seeds, batch.frames, strict=True
        ):
            if key[1] in (2, 4):
                key = next(other for other in stand_ins(plan, key) if other[1] not in (2, 4))
            expected = dataset(clips)[key]
            assert (index, seed) == (key[1], expected.seed)
            assert torch.equal(frames_NTHWC, expected.frames_NTHWC)


def test_skipping_resumes_and_is_shared_as_without(clips: Manifest) -> None:
    manifest = broken(clips, 0, 3)

    def skipping(start: int = 0, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
        plan = BatchPlan(SIZE, 2, seed=4, rank=rank, ranks=ranks)
        return ClipLoader(dataset(manifest), plan, on_error="skip").epoch(5, start)

    whole = list(skipping())
    assert any(batch.failed for batch in whole)
    assert_same(iter(whole[1:]), skipping(start=1))
    halves = list(zip(skipping(rank=0, ranks=2), skipping(rank=1, ranks=2), strict=True))
    assert [first.seeds + second.seeds for first, second in halves] == [b.seeds for b in whole]
    for batch, (first, second) in zip(whole, halves, strict=True):
        assert torch.equal(torch.cat([first.levels, second.levels]), batch.levels)
        assert first.failed + second.failed == batch.failed


def test_a_stand_in_is_of_the_next_batch_and_another_sample() -> None:
    plan = BatchPlan(SIZE, 2, seed=1)
    order = plan.order(0).tolist()
    for place, index in enumerate(order):
        others = list(stand_ins(plan, (0, index)))
        assert [other for _, other in others] == [
            order[(place + 2 + step) % SIZE] for step in range(SIZE) if (2 + step) % SIZE
        ]
        assert {epoch for epoch, _ in others} == {STAND_IN_APART}
    assert sample_seed(5, STAND_IN_APART, 1) != sample_seed(5, 0, 1)


def test_a_repeated_clip_has_a_stand_in_for_each_time() -> None:
    plan = BatchPlan(3, 2, seed=1, repeats=(3.0, 1.0, 1.0))
    keys = [key for batch in plan.keys(0) for key in batch if key[1] == 0]
    assert len(keys) >= 2
    firsts = [next(stand_ins(plan, key)) for key in keys]
    assert len(set(firsts)) == len(keys)
    assert all(index != 0 for _, index in firsts)


def test_what_is_never_skipped(clips: Manifest, tmp_path: Path) -> None:
    none_left = ClipLoader(
        dataset(broken(clips, *range(SIZE))), BatchPlan(SIZE, 2), on_error="skip"
    )
    message = r"7 clips in a row cannot be loaded; one of them: clip '.*; 'tinyvirat data check"
    with pytest.raises(LoadingError, match=message):
        list(none_left.epoch())
    (tmp_path / "file").touch()
    cached = dataset(clips, cache=FrameCache(tmp_path / "file"))
    with pytest.raises(CacheError):
        _ = cached[(0, 0)]
    with pytest.raises(LoadingError, match=r"^\S*/file: the cache cannot be used"):
        list(ClipLoader(cached, BatchPlan(SIZE, 2), on_error="skip").epoch())
    with pytest.raises(LoadingError, match="must not skip"):
        ClipLoader(dataset(clips), BatchPlan(SIZE, 2, drop_last=False), on_error="skip")


def test_loaders_that_cannot_be(clips: Manifest) -> None:
    with pytest.raises(LoadingError, match="plan is for 6 clips, there are 7"):
        ClipLoader(dataset(clips), BatchPlan(6, 2))
    with pytest.raises(LoadingError, match="'raise' or 'skip'"):
        ClipLoader(dataset(clips), BatchPlan(SIZE, 2), on_error="pass")  # type: ignore[arg-type]
    with pytest.raises(LoadingError, match="-1 workers"):
        ClipLoader(dataset(clips), BatchPlan(SIZE, 2), workers=-1)
    with pytest.raises(LoadingError, match="seed is -1"):
        ClipDataset(clips, None, TRAIN, seed=-1)
    with pytest.raises(IndexError, match="none has index 7"):
        _ = dataset(clips)[(0, 7)]


class ThreadsAsFrame:
    """A sampler that tells, by the frame it names, how many threads its process uses."""

    length = 1

    def windows(self, frames: int, rng: np.random.Generator | None = None) -> np.ndarray:
        return np.array([[torch.get_num_threads()]])


def test_workers_use_one_thread(clips: Manifest) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        counting = ClipDataset(clips, clips.records[:1], ThreadsAsFrame())
        (batch,) = ClipLoader(counting, BatchPlan(1, 1), workers=1).epoch()
    finally:
        torch.set_num_threads(before)
    with ClipReader(clips.file(clips.records[0]), clips.records[0]) as reader:
        assert torch.equal(batch.clips[0], reader.read([1]))
        assert not torch.equal(batch.clips[0], reader.read([2]))
