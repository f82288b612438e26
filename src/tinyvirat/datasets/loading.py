"""From records to batches of frames, the same on every run, in any process, from any batch on.

What a sample looks like depends on the seed, the epoch and the clip's index, and on nothing else:
neither the batch it is in, nor the worker that made it, nor what was loaded before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.batching import COPIES_APART, BatchPlan, Key
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.frames import ClipError, ClipReader, clip_size
from tinyvirat.datasets.manifest import Manifest
from tinyvirat.datasets.records import ClipRecord
from tinyvirat.video.sampling import Sampler

__all__ = [
    "Batch",
    "BatchPlan",
    "ClipDataset",
    "ClipLoader",
    "Failed",
    "Key",
    "LoadingError",
    "Sample",
    "collate",
    "sample_seed",
    "stand_ins",
]

OnError: TypeAlias = Literal["raise", "skip"]

STAND_IN_APART = 1 << 60
"""Added to the epoch in the key of a clip that stands in for another: it then gives another sample
than in its own place."""

MOST_STAND_INS = 16
"""So many clips in a row that cannot be read are no accident: a disk is gone, or a whole folder."""


class LoadingError(TinyviratError):
    """Clips that cannot be loaded, or a loader that cannot work as asked."""


@dataclass(frozen=True)
class Sample:
    """One clip as the network's preprocessing takes it.

    Attributes:
        frames_NTHWC: N windows of T frames, uint8 RGB, in the clip's own height and width.
        target_K: float32, 1 for each class that the clip shows.
        index: of the clip in its dataset.
        seed: for everything random that is still done to it.
    """

    frames_NTHWC: Tensor
    target_K: Tensor
    index: int
    seed: int


@dataclass(frozen=True)
class Failed:
    """A clip that could not be loaded.

    Attributes:
        index: of the clip in its dataset.
        reason: what the error said.
        skippable: whether the clip itself is to blame, and not the cache or an option.
    """

    index: int
    reason: str
    skippable: bool


@dataclass(frozen=True)
class Batch:
    """Some samples, B in number.

    Attributes:
        levels: the frames of all samples in one piece, uint8 of one dimension: one tensor to hand
            from process to process and to copy to the device. `frames` and `clips` look into it.
        shapes: N, T, H, W, C of each sample; T and C are the same for all.
        target_BK: float32.
        indices: of the clips in their dataset.
        seeds: for everything random that is still done to them.
        failed: clips that belong here and could not be loaded; others stand in for them.
    """

    levels: Tensor
    shapes: tuple[tuple[int, ...], ...]
    target_BK: Tensor
    indices: tuple[int, ...]
    seeds: tuple[int, ...]
    failed: tuple[Failed, ...] = ()

    @property
    def frames(self) -> list[Tensor]:
        """For each sample its windows `frames_NTHWC`, uint8."""
        parts = torch.split(self.levels, [math.prod(shape) for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    @property
    def clips(self) -> list[Tensor]:
        """All windows of all samples, one after another: `frames_THWC`, uint8."""
        return [window_THWC for frames_NTHWC in self.frames for window_THWC in frames_NTHWC]

    @property
    def windows(self) -> list[int]:
        """How many of `clips` each sample has."""
        return [shape[0] for shape in self.shapes]

    def __len__(self) -> int:
        return len(self.shapes)

    def to(self, device: torch.device | str) -> Batch:
        """The batch with its tensors on another device."""
        return replace(
            self,
            levels=self.levels.to(device, non_blocking=True),
            target_BK=self.target_BK.to(device, non_blocking=True),
        )

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory, from where it can be copied to a GPU while work goes on.

        `DataLoader` calls this by its name.
        """
        return replace(self, levels=self.levels.pin_memory(), target_BK=self.target_BK.pin_memory())


class ClipDataset(Dataset[Sample]):
    """The clips of some records; asked by key, `dataset[(epoch, index)]`.

    Args:
        manifest: where the records are from.
        records: which of its clips; `None` is all of them. The split `manifest.of("train")`, say.
        sampler: which frames of a clip make its windows.
        seed: of everything random, 0 or more.
        short_side: larger frames are reduced to this short side, pixels (bilinear); `None` keeps
            them as they are.
        cache: where decoded clips are kept; `None` decodes each time.

    Raises:
        LoadingError: a seed below 0.
    """

    def __init__(
        self,
        manifest: Manifest,
        records: Sequence[ClipRecord] | None,
        sampler: Sampler,
        *,
        seed: int = 0,
        short_side: int | None = None,
        cache: FrameCache | None = None,
    ) -> None:
        if seed < 0:
            raise LoadingError(f"the seed is {seed}; it must be 0 or more")
        self.manifest = manifest
        self.records = manifest.records if records is None else tuple(records)
        self.sampler = sampler
        self.seed = seed
        self.short_side = short_side
        self.cache = cache
        self._targets_NK = torch.from_numpy(manifest.targets(self.records))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: Key | int) -> Sample:
        """One sample; an index alone means epoch 0.

        Raises:
            ClipError: the clip cannot be read as its record says.
            CacheError: the cache cannot be used.
        """
        return self._sample(self._draw((0, key) if isinstance(key, int) else key))

    def __getitems__(self, keys: Sequence[Key]) -> list[Sample | Failed]:
        """Samples of several clips; those that cannot be loaded are told as data.

        An exception would lose its type on its way out of a worker process. What a cache has is
        read to where `collate` needs it, one sample behind the other.
        """
        draws = [self._draw(key) for key in keys]
        if self.cache is None:
            return [self._attempt(draw) for draw in draws]
        sizes = [
            3 * draw.indices_NT.size * math.prod(clip_size(draw.record, self.short_side))
            for draw in draws
        ]
        rooms = torch.split(torch.empty(sum(sizes), dtype=torch.uint8), sizes)
        return [self._attempt(draw, room) for draw, room in zip(draws, rooms, strict=True)]

    def attempt(self, key: Key) -> Sample | Failed:
        """The sample of a key, or why it cannot be had."""
        return self._attempt(self._draw(key))

    def _draw(self, key: Key) -> _Draw:
        epoch, index = key
        if not 0 <= index < len(self.records):
            raise IndexError(f"there are {len(self.records)} clips, and none has index {index}")
        record = self.records[index]
        seed = sample_seed(self.seed, epoch, index)
        indices_NT = self.sampler.windows(record.length, np.random.default_rng(seed))
        return _Draw(record, index, seed, indices_NT)

    def _attempt(self, draw: _Draw, room: Tensor | None = None) -> Sample | Failed:
        try:
            return self._sample(draw, room)
        except TinyviratError as error:
            return Failed(draw.index, str(error), isinstance(error, ClipError))

    def _sample(self, draw: _Draw, room: Tensor | None = None) -> Sample:
        wanted = draw.indices_NT.reshape(-1)
        if (np.diff(wanted) > 0).all():
            frames_THWC = self._frames(draw.record, wanted, room)
        else:
            needed, where = np.unique(wanted, return_inverse=True)
            frames_THWC = self._frames(draw.record, needed)
            frames_THWC = frames_THWC.index_select(0, torch.from_numpy(where))
        frames_NTHWC = frames_THWC.view(*draw.indices_NT.shape, *frames_THWC.shape[1:])
        return Sample(frames_NTHWC, self._targets_NK[draw.index], draw.index, draw.seed)

    def _frames(
        self, record: ClipRecord, indices_T: NDArray[np.int64], room: Tensor | None = None
    ) -> Tensor:
        file = self.manifest.file(record)
        threads = None if get_worker_info() is None else 1
        if self.cache is not None:
            return self.cache.read(
                file, record, indices_T, short_side=self.short_side, threads=threads, room=room
            )
        with ClipReader(file, record, short_side=self.short_side, threads=threads) as reader:
            return reader.read(indices_T)


@dataclass(frozen=True, eq=False)
class _Draw:
    """What chance gives a key: `indices_NT` are frames of the record's clip."""

    record: ClipRecord
    index: int
    seed: int
    indices_NT: NDArray[np.int64]


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """The seed of one clip in one epoch, from 0 to 2**63 - 1."""
    state = np.random.SeedSequence([seed, epoch, index]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def collate(samples: Sequence[Sample | Failed]) -> Batch:
    """One batch of samples, in their order; those that failed are listed apart."""
    loaded = [sample for sample in samples if isinstance(sample, Sample)]
    pieces = [sample.frames_NTHWC.reshape(-1) for sample in loaded]
    targets = [sample.target_K for sample in loaded]
    return Batch(
        levels=_joined(pieces),
        shapes=tuple(tuple(sample.frames_NTHWC.shape) for sample in loaded),
        target_BK=torch.stack(targets) if targets else torch.empty(0, 0),
        indices=tuple(sample.index for sample in loaded),
        seeds=tuple(sample.seed for sample in loaded),
        failed=tuple(sample for sample in samples if isinstance(sample, Failed)),
    )


def _joined(pieces: Sequence[Tensor]) -> Tensor:
    """Tensors of one dimension behind each other; those that lie so are not copied."""
    if not pieces:
        return torch.empty(0, dtype=torch.uint8)
    storage, begin = pieces[0].untyped_storage(), pieces[0].storage_offset()
    end = begin
    for piece in pieces:
        apart = piece.untyped_storage().data_ptr() != storage.data_ptr()
        if apart or piece.storage_offset() != end:
            return torch.cat(list(pieces))
        end += len(piece)
    return torch.empty(0, dtype=torch.uint8).set_(storage, begin, (end - begin,), (1,))


class ClipLoader:
    """Batches of a dataset by a plan, made ahead of time in worker processes.

    The loader shares batches among processes itself, by its plan: it must not be given to
    `Accelerator.prepare`, which would share them a second time.

    Args:
        dataset: the clips.
        plan: which of them make which batch; `plan.size` is `len(dataset)`.
        workers: processes that load; 0 loads in this one. Each uses one thread (`DataLoader`
            sees to that).
        on_error: what a clip that cannot be loaded does: `raise` ends the work; `skip` lets another
            stand in for it (see `stand_ins`), counts it in `skipped` and tells of it in
            `Batch.failed`. Batches stay whole, and the same on every run and in every process. Only
            for training: a plan that takes every clip (`drop_last=False`) always raises, and so
            does what is not the clip's fault, such as a full disk.
        pin_memory: puts batches where a GPU can copy them from in the background.
        ahead: batches that each worker makes in advance.

    Attributes:
        skipped: how often a clip could not be loaded so far.

    Raises:
        LoadingError: the plan is for another number of clips, `skip` for a plan that takes all, or
            a number out of its range.
    """

    def __init__(
        self,
        dataset: ClipDataset,
        plan: BatchPlan,
        *,
        workers: int = 0,
        on_error: OnError = "raise",
        pin_memory: bool = False,
        ahead: int = 2,
    ) -> None:
        if plan.size != len(dataset):
            raise LoadingError(f"the plan is for {plan.size} clips, there are {len(dataset)}")
        if on_error not in ("raise", "skip"):
            raise LoadingError(f"on_error is {on_error!r}; use 'raise' or 'skip'")
        if workers < 0 or ahead < 1:
            raise LoadingError(
                f"{workers} workers that make {ahead} batches ahead; use 0 or more, and 1 or more"
            )
        if on_error == "skip" and not plan.drop_last:
            raise LoadingError("an evaluation must not skip clips; use on_error='raise'")
        self.dataset = dataset
        self.plan = plan
        self.on_error = on_error
        self.skipped = 0
        self._keys = _Keys()
        self._loader: DataLoader[Sample] = DataLoader(
            dataset if on_error == "raise" else _WithStandIns(dataset, plan),
            batch_sampler=self._keys,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=ahead if workers > 0 else None,
            pin_memory=pin_memory,
            # Its own generator: drawing from the global one would change what comes after.
            generator=torch.Generator(),
        )

    def epoch(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from batch `start` on; one epoch at a time.

        Raises:
            LoadingError: a clip cannot be loaded and `on_error` is `raise`, or too many in a row
                cannot.
        """
        self._keys.batches = self.plan.keys(epoch, start)
        batch: Batch
        for batch in self._loader:
            self._judge(batch)
            yield batch

    def _judge(self, batch: Batch) -> None:
        if not batch.failed:
            return
        for failed in batch.failed:
            if not failed.skippable:
                raise LoadingError(failed.reason)
        remedy = (
            f"'tinyvirat data check {self.dataset.manifest.path}' finds such clips and puts them "
            "in quarantine"
        )
        if self.on_error == "raise":
            raise LoadingError(f"{batch.failed[0].reason}; {remedy}")
        if len(batch) < self.plan.batch_size // self.plan.ranks:
            raise LoadingError(
                f"{min(MOST_STAND_INS, len(self.dataset) - 1) + 1} clips in a row cannot be "
                f"loaded; one of them: {batch.failed[-1].reason}; {remedy}"
            )
        self.skipped += len(batch.failed)


def stand_ins(plan: BatchPlan, key: Key) -> Iterator[Key]:
    """The clips that stand in for one that cannot be loaded, in the order in which they are tried.

    First the clip that has the same place in the next global batch, then those after it, and so
    on around the epoch: a pure function of plan and key, and never of the same batch while there
    are others.
    """
    times, epoch = divmod(key[0], COPIES_APART)
    order = plan.order(epoch)
    place = int(np.flatnonzero(order == key[1])[times])
    for step in range(len(order)):
        other = int(order[(place + plan.batch_size + step) % len(order)])
        if other != key[1]:
            yield key[0] + STAND_IN_APART, other


class _WithStandIns(Dataset[Sample]):
    """A dataset that answers for each clip that cannot be loaded with what failed and a stand-in.

    This is done where clips are decoded, in a worker: the process that trains does not wait.
    """

    def __init__(self, dataset: ClipDataset, plan: BatchPlan) -> None:
        self._dataset = dataset
        self._plan = plan

    def __getitems__(self, keys: Sequence[Key]) -> list[Sample | Failed]:
        answers: list[Sample | Failed] = []
        for key, answer in zip(keys, self._dataset.__getitems__(keys), strict=True):
            answers.append(answer)
            if isinstance(answer, Failed) and answer.skippable:
                answers += self._stand_in(key)
        return answers

    def _stand_in(self, key: Key) -> list[Sample | Failed]:
        """One sample; or nothing where too many fail, or what ends the work."""
        for other in islice(stand_ins(self._plan, key), MOST_STAND_INS):
            answer = self._dataset.attempt(other)
            if isinstance(answer, Sample) or not answer.skippable:
                return [answer]
        return []


class _Keys:
    """What `DataLoader` iterates over: the keys of the epoch that was asked for last."""

    def __init__(self) -> None:
        self.batches: Iterator[list[Key]] = iter(())

    def __iter__(self) -> Iterator[list[Key]]:
        return self.batches
