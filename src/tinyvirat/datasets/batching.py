"""Which clips make which batch, on which process: a pure function of seed, epoch and size.

The order of an epoch, its cutting into global batches and their sharing among processes depend on
nothing else, so that training resumes at any batch and two processes see exactly what one would,
split in two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinyvirat.common.errors import TinyviratError

Key: TypeAlias = tuple[int, int]
"""An epoch (see also `COPIES_APART`) and the index of a clip: what a `ClipDataset` is asked for."""

# Keeps the order of an epoch apart from what else is drawn from the same seed.
STREAM = 0x0DE2

COPIES_APART = 1 << 40
"""Added to the epoch in the key of a clip's second time in it, twice for the third, and so on: the
same clip then gives another sample."""


class BatchError(TinyviratError):
    """A plan of batches that cannot be carried out."""


@dataclass(frozen=True)
class BatchPlan:
    """The batches of every epoch.

    Args:
        size: number of clips.
        batch_size: clips in a global batch, over all processes together.
        seed: of the order, 0 or more.
        shuffle: a new order every epoch; else that of the records.
        drop_last: leaves out the clips that do not fill a whole batch (other ones every epoch).
            False takes every clip exactly once, for evaluation: no clip is repeated to fill a
            batch, so that in the last one a process may have fewer clips than others, or no batch.
        rank: which of the processes this is, from 0.
        ranks: how many processes there are. Each global batch is shared among them in unbroken
            runs.
        repeats: how often each clip is in an epoch on average, for classes out of balance; `None`
            is once each. Every epoch has `length` clips, and each clip as often as the whole number
            below or above its share: what is left of 2.3 is drawn anew every epoch.

    Raises:
        BatchError: a value that cannot be.
    """

    size: int
    batch_size: int
    seed: int = 0
    shuffle: bool = True
    drop_last: bool = True
    rank: int = 0
    ranks: int = 1
    repeats: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch_size < 1:
            raise BatchError(
                f"{self.size} clips in batches of {self.batch_size}; both must be 1 or more"
            )
        if self.seed < 0:
            raise BatchError(f"the seed is {self.seed}; it must be 0 or more")
        if not 0 <= self.rank < self.ranks:
            raise BatchError(f"process {self.rank} of {self.ranks}; they are counted from 0")
        if self.repeats is not None:
            self._check_repeats(self.repeats)
        if self.drop_last and self.batch_size > self.length:
            raise BatchError(
                f"a batch of {self.batch_size} cannot be filled from {self.length} clips; "
                f"use a batch size of {self.length} or less"
            )
        if self.drop_last and self.batch_size % self.ranks:
            raise BatchError(
                f"a batch of {self.batch_size} cannot be shared evenly by {self.ranks} processes; "
                f"use a multiple of {self.ranks}"
            )

    @property
    def length(self) -> int:
        """Clips in an epoch, the last batch's among them even where it is left out."""
        # Rounded up, so that no clip that is to be there once or more can be missing.
        return self.size if self.repeats is None else math.ceil(math.fsum(self.repeats))

    @property
    def batches(self) -> int:
        """Global batches in an epoch."""
        whole, rest = divmod(self.length, self.batch_size)
        return whole if self.drop_last else whole + (rest > 0)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The clips of an epoch in the order in which they are taken."""
        rng = np.random.default_rng([STREAM, self.seed, epoch])
        if self.repeats is not None:
            return self._repeated(self.repeats, rng)
        return rng.permutation(self.size) if self.shuffle else np.arange(self.size)

    def keys(self, epoch: int, start: int = 0) -> Iterator[list[Key]]:
        """This process's part of every global batch, from batch `start` on.

        Raises:
            BatchError: `start` lies behind the last batch.
        """
        if not 0 <= start <= self.batches:
            raise BatchError(
                f"an epoch has {self.batches} batches; it cannot start at batch {start}"
            )
        order = self.order(epoch)
        epochs = epoch + COPIES_APART * _times_before(order)
        for batch in range(start, self.batches):
            first, stop = batch * self.batch_size, min((batch + 1) * self.batch_size, len(order))
            begin, end = (
                first + (stop - first) * part // self.ranks for part in (self.rank, self.rank + 1)
            )
            if begin < end:
                part = slice(begin, end)
                yield list(zip(epochs[part].tolist(), order[part].tolist(), strict=True))

    def _repeated(self, repeats: tuple[float, ...], rng: np.random.Generator) -> NDArray[np.int64]:
        """An epoch in which clips are repeated.

        Systematic sampling: the clips in random order lie side by side, each as long as its share,
        and every whole number from a random beginning takes the clip that it falls on.
        """
        clips = rng.permutation(self.size)
        shares = np.asarray(repeats, dtype=np.float64)[clips]
        offset = rng.random()
        ends = np.cumsum(shares * (self.length / shares.sum())) + offset
        ends[-1] = self.length + offset
        marks = np.floor(np.minimum(ends, ends[-1])).astype(np.int64)
        return rng.permutation(np.repeat(clips, np.diff(marks, prepend=0)))

    def _check_repeats(self, repeats: tuple[float, ...]) -> None:
        if not self.shuffle or not self.drop_last:
            raise BatchError("repeats draw clips by chance; they need shuffle and drop_last")
        if len(repeats) != self.size:
            raise BatchError(f"{len(repeats)} repeats for {self.size} clips; give each clip one")
        array = np.asarray(repeats, dtype=np.float64)
        if not np.isfinite(array).all() or array.min() < 0 or array.sum() <= 0:
            raise BatchError("repeats must be finite, none below 0, and one at least above it")


def _times_before(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often the clip at each place has been there before."""
    by_clip = np.argsort(order, kind="stable")
    places = np.arange(len(order))
    firsts = np.flatnonzero(np.diff(order[by_clip], prepend=-1))
    times = np.empty_like(places)
    times[by_clip] = places - np.repeat(firsts, np.diff(firsts, append=len(order)))
    return times
