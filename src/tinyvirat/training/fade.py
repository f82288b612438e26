"""How fast a new stage takes over from the one before it (section IV-A.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fade:
    """How alpha, the weight of the newest stage, grows from 0 to 1.

    Attributes:
        per_step: by how much an iteration; the paper: 5e-3, so 200 iterations.
        epochs: instead, over how many epochs of the super-resolution data; the published code: 2.
    """

    per_step: float = 5e-3
    epochs: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.per_step <= 1.0:
            raise ValueError(f"per_step is {self.per_step}, not in (0, 1]")
        if self.epochs is not None and self.epochs <= 0:
            raise ValueError(f"epochs is {self.epochs}, not positive")

    def alpha(self, step: int, steps_per_epoch: float) -> float:
        """The weight at a stage's step, counted from 0 when the stage begins.

        Args:
            step: iterations since the stage began.
            steps_per_epoch: iterations in an epoch; used only where `epochs` is set.
        """
        if self.epochs is None:
            return min(1.0, step * self.per_step)
        return min(1.0, step / (self.epochs * steps_per_epoch))
