"""Which clips make which batch, on which process: a pure function of seed, epoch and size.

The order of an epoch, its cutting into global batches and their sharing among processes depend on
nothing else, so that training resumes at any batch and two processes see exactly what one would,
split in two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinyvirat.common.errors import TinyviratError

Key: TypeAlias = tuple[int, int]
"""An epoch and the index of a clip: what a `ClipDataset` is asked for."""

# Keeps the order of an epoch apart from what else is drawn from the same seed.
STREAM = 0x0DE2


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
        weights: how likely each clip is, for classes out of balance: an epoch is then `size` draws
            with replacement. `None` takes every clip once.

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
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch_size < 1:
            raise BatchError(
                f"{self.size} clips in batches of {self.batch_size}; both must be 1 or more"
            )
        if self.seed < 0:
            raise BatchError(f"the seed is {self.seed}; it must be 0 or more")
        if not 0 <= self.rank < self.ranks:
            raise BatchError(f"process {self.rank} of {self.ranks}; they are counted from 0")
        if self.drop_last and self.batch_size > self.size:
            raise BatchError(
                f"a batch of {self.batch_size} cannot be filled from {self.size} clips; "
                f"use a batch size of {self.size} or less"
            )
        if self.drop_last and self.batch_size % self.ranks:
            raise BatchError(
                f"a batch of {self.batch_size} cannot be shared evenly by {self.ranks} processes; "
                f"use a multiple of {self.ranks}"
            )
        if self.weights is not None:
            self._check_weights(self.weights)

    @property
    def batches(self) -> int:
        """Global batches in an epoch."""
        whole, rest = divmod(self.size, self.batch_size)
        return whole if self.drop_last else whole + (rest > 0)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The clips of an epoch in the order in which they are taken."""
        rng = np.random.default_rng([STREAM, self.seed, epoch])
        if self.weights is not None:
            weights = np.asarray(self.weights, dtype=np.float64)
            return rng.choice(self.size, self.size, p=weights / weights.sum())
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
        for batch in range(start, self.batches):
            whole = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            begin, end = (len(whole) * part // self.ranks for part in (self.rank, self.rank + 1))
            if begin < end:
                yield [(epoch, int(index)) for index in whole[begin:end]]

    def _check_weights(self, weights: tuple[float, ...]) -> None:
        if not self.shuffle or not self.drop_last:
            raise BatchError("weights draw clips by chance; they need shuffle and drop_last")
        if len(weights) != self.size:
            raise BatchError(f"{len(weights)} weights for {self.size} clips; give each clip one")
        array = np.asarray(weights, dtype=np.float64)
        if not np.isfinite(array).all() or array.min() < 0 or array.sum() <= 0:
            raise BatchError("weights must be finite, none below 0, and one at least above it")
