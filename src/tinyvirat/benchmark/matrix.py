"""What the machine can do at most: products of large matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tinyvirat.models.inference import DTYPES, pick_device


class MatrixWork:
    """Multiplies two square matrices; `size` is their side.

    Args:
        job: `precision` and `device`.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self.dtype = DTYPES[job["precision"]]
        self.device = pick_device(job["device"])
        self.facts: dict[str, Any] = {}
        self._pairs: dict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}

    def once(self, size: int) -> None:
        """See `Work`."""
        if size not in self._pairs:
            generator = torch.Generator().manual_seed(0)
            left, right = (
                torch.randn(size, size, generator=generator).to(self.device, self.dtype)
                for _ in range(2)
            )
            self._pairs[size] = (left, right, torch.empty_like(left))
        left, right, out = self._pairs[size]
        torch.mm(left, right, out=out)
        out[0, 0].item()  # waits for any device

    def answer(self, path: Path) -> None:
        """There is nothing to compare."""
        raise NotImplementedError


def flop(size: int) -> float:
    """Operations of one product."""
    return 2.0 * size**3
