"""What is changed in the recipes of many rows at once, and how long they are to be.

A change is `[ROWS:]KEY=VALUE`: `KEY=VALUE` as for `tinyvirat train --set`, for the rows whose
names match the pattern ROWS (`*` stands for any text), or for all. A row that has no such part
stays as it is: `phase2.steps=10` is nothing to a row without phase 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import TypeVar

from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.training.recipe import (
    ClassifierPhase,
    JointPhase,
    Recipe,
    SuperResolutionPhase,
    with_overrides,
)

PARTS = tuple(field.name for field in fields(Recipe))
EVERY = "*"
"""The pattern of all rows."""

Later = TypeVar("Later", JointPhase, ClassifierPhase)


def changed(recipe: Recipe, row: str, changes: Sequence[str], *, every: bool = False) -> Recipe:
    """A recipe with the changes that concern it.

    Args:
        recipe: as the row has it.
        row: the row's name.
        changes: `[ROWS:]KEY=VALUE` each.
        every: all of them concern it, without pattern, and make a part that is not there.

    Raises:
        RecipeError: a change is not of that form, or does not fit the recipe.
    """
    if every:
        return with_overrides(recipe, tuple(changes)) if changes else recipe
    own = [text for pattern, text in map(_split, changes) if _concerns(recipe, row, pattern, text)]
    return with_overrides(recipe, tuple(own)) if own else recipe


def in_order(own: Sequence[str], changes: Sequence[str]) -> tuple[str, ...]:
    """A row's changes, the last of one key wins: what makes the row what it is stands above what is
    changed in all rows, and below what is changed in rows by their names.

    Args:
        own: of the row.
        changes: `[ROWS:]KEY=VALUE` each.
    """
    for_all = tuple(change for change in changes if _split(change)[0] == EVERY)
    return (*for_all, *own, *(change for change in changes if change not in for_all))


def refuse_idle(changes: Sequence[str], rows: Sequence[str]) -> None:
    """Refuses a change whose pattern matches none of a table's rows.

    Raises:
        ReproduceError: names the pattern, and the rows.
    """
    for change in changes:
        pattern, _ = _split(change)
        if not any(fnmatchcase(row, pattern) for row in rows):
            raise ReproduceError(
                f"--set {change!r}: no row is called {pattern!r}; there are {', '.join(rows)}"
            )


def _split(change: str) -> tuple[str, str]:
    """The pattern of rows, and `KEY=VALUE`."""
    pattern, colon, text = change.partition(":")
    if not colon or "=" in pattern:
        return EVERY, change
    return pattern, text


def _concerns(recipe: Recipe, row: str, pattern: str, text: str) -> bool:
    part, dot, _ = text.partition("=")[0].partition(".")
    if not fnmatchcase(row, pattern):
        return False
    # An unknown part concerns every row: reading it then says what there is.
    return not (dot and part in PARTS and getattr(recipe, part) is None)


@dataclass(frozen=True)
class Budget:
    """How long the phases of all rows are, beside their recipes' lengths.

    Attributes:
        share: of the recipes' iterations and of the fade-in; each stage has one iteration at least.
        steps: instead, how many iterations every stage of every phase has, with a fade-in of half
            of them at most; None: as recipes say.
    """

    share: float = 1.0
    steps: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ReproduceError(f"a budget of {self.share:g} is not in (0, 1]: 0.01 is 1 %")
        if self.steps is not None and self.steps < 1:
            raise ReproduceError(f"{self.steps} iterations are too few; a stage has 1 at least")
        if self.steps is not None and self.share != 1.0:
            raise ReproduceError("give a budget or a number of iterations, not both")

    @property
    def words(self) -> str:
        """What a reader has to know; empty where the recipes are followed."""
        if self.steps is not None:
            return (
                f"Every stage of every phase has {self.steps} iterations, on all rows alike. "
                "A fade-in takes half of them at most."
            )
        if self.share < 1.0:
            return (
                f"Every phase has {100 * self.share:g} % of its recipe's iterations and of its "
                "fade-in, on all rows alike."
            )
        return ""

    def of(self, recipe: Recipe) -> Recipe:
        """A recipe of this length."""
        if not self.words:
            return recipe
        phase1 = recipe.phase1 and self._first(recipe.phase1)
        phase2 = recipe.phase2 and self._one(recipe.phase2)
        phase3 = recipe.phase3 and self._one(recipe.phase3)
        return replace(recipe, phase1=phase1, phase2=phase2, phase3=phase3)

    def _first(self, phase: SuperResolutionPhase) -> SuperResolutionPhase:
        fade = phase.fade
        if self.steps is not None:
            stages = len(phase.steps or phase.epochs)
            quicker = max(fade.per_step, min(1.0, 2.0 / self.steps))
            return replace(
                phase,
                steps=(self.steps,) * stages,
                epochs=(),
                fade=replace(fade, per_step=quicker, epochs=None),
            )
        epochs = None if fade.epochs is None else fade.epochs * self.share
        return replace(
            phase,
            steps=tuple(self._share(steps) for steps in phase.steps),
            epochs=tuple(epochs * self.share for epochs in phase.epochs),
            fade=replace(fade, per_step=min(1.0, fade.per_step / self.share), epochs=epochs),
        )

    def _one(self, phase: Later) -> Later:
        if self.steps is not None:
            return replace(phase, steps=self.steps, epochs=0.0)
        steps = self._share(phase.steps) if phase.steps else 0
        return replace(phase, steps=steps, epochs=phase.epochs * self.share)

    def _share(self, steps: int) -> int:
        return max(1, round(steps * self.share))
