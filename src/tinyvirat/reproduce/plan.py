"""What `tinyvirat reproduce` is going to do: the rows of a table, resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from tinyvirat.evaluation.paper import PaperTable
from tinyvirat.reproduce.changes import Budget, refuse_idle
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.named import (
    RowText,
    TableText,
    family_changes,
    paper_table,
    read_table,
    recipe_before,
    row_recipe,
    rows_of,
    table_file,
)
from tinyvirat.reproduce.trainings import Training, trainings_of
from tinyvirat.reproduce.variants import Variant
from tinyvirat.training.recipe import Recipe


@dataclass(frozen=True)
class Row:
    """One row, ready to be run.

    Attributes:
        key: its name in the table.
        method: what the table calls it.
        recipe: all of it, but for the seed.
        before: the recipe whose super-resolution network it takes over, or None.
        teacher: the row whose run teaches it, or None.
        variant: how it is tested.
        against: the rows that it is compared with, where these were run too.
        printed: whether the paper prints it.
    """

    key: str
    method: str
    recipe: Recipe
    before: Recipe | None
    teacher: Row | None
    variant: Variant
    against: tuple[str, ...]
    printed: bool

    @property
    def input(self) -> str | None:
        """The input's size as the paper writes it; None for clips that are tiny by nature."""
        clips = self.recipe.clips
        side = self.variant.size or clips.size
        return None if clips.tiny else f"{side}x{side}"

    def training(self, seed: int) -> Training:
        """The run that is tested, after those that it needs."""
        teacher = None if self.teacher is None else self.teacher.training(seed)
        return trainings_of(self.recipe, self.before, teacher=teacher, seed=seed)


@dataclass(frozen=True)
class Plan:
    """A table that is to be reproduced.

    Attributes:
        name: of the table.
        source: the name or file that it was made from.
        paper: what the paper prints of it.
        text: the table as its file has it.
        rows: the rows to run.
        seeds: the seeds that each is run with.
        family: `paper`, or whose values the recipes have instead.
        changes: what was changed in all rows beside that.
        budget: how long the phases are.
        notes: what a reader has to know of the table.
    """

    name: str
    source: str
    paper: PaperTable
    text: TableText
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    family: str
    changes: tuple[str, ...]
    budget: Budget
    notes: tuple[str, ...]

    @cached_property
    def tested(self) -> tuple[tuple[Row, int, Training], ...]:
        """Every row with every seed and its run; all rows with the first seed first."""
        return tuple((row, seed, row.training(seed)) for seed in self.seeds for row in self.rows)

    def training(self, row: Row, seed: int) -> Training:
        """The run that a row tests with a seed."""
        return next(run for one, number, run in self.tested if one is row and number == seed)

    def trainings(self) -> tuple[Training, ...]:
        """Every run once, each after those that it needs."""
        chains = (training.needed() for _, _, training in self.tested)
        return tuple(dict.fromkeys(training for chain in chains for training in chain))


def make_plan(
    table: str,
    *,
    rows: Sequence[str] = (),
    seeds: int = 1,
    family: str = "paper",
    changes: Sequence[str] = (),
    budget: Budget | None = None,
) -> Plan:
    """The plan of a table.

    Args:
        table: its name, or a file of rows.
        rows: names of rows, or patterns (`*_14`); empty means all.
        seeds: how many; they are 0, 1, ...
        family: `paper` or `as_published_code`.
        changes: `[ROWS:]KEY=VALUE` each; they win over the family's.
        budget: how long the phases are; None: as the recipes say.

    Raises:
        TinyviratError: no such table, row or family; a recipe or a change that is not valid.
    """
    if seeds < 1:
        raise ReproduceError(f"{seeds} seeds are too few; 1 at least")
    path = table_file(table)
    text = read_table(path)
    home, texts, notes = rows_of(path)
    paper = paper_table(table, text)
    chosen = _chosen(table, texts, rows)
    refuse_idle(changes, [one.row for one in texts])
    budget = budget or Budget()
    every = (*family_changes(family), *changes)
    printed = {row.key: row.method for row in paper.rows}
    by_name = {one.row: one for one in texts}

    def resolved(one: RowText) -> Row:
        recipe = budget.of(row_recipe(one, home, every))
        if recipe.phase2 is None and recipe.phase3 is None:
            raise ReproduceError(
                f"{home}: row {one.row}: its recipe trains super-resolution alone, and a row is "
                "scored by what it recognises; give it a phase3"
            )
        _check_teacher(one, recipe, home)
        return Row(
            key=one.row,
            method=printed.get(one.row) or one.method or one.row,
            recipe=recipe,
            before=_of(budget, recipe_before(one, home, every)),
            teacher=resolved(by_name[one.teacher]) if one.teacher else None,
            variant=Variant(one.test_size, one.test_map),
            against=one.against,
            printed=one.row in printed,
        )

    return Plan(
        name=table if not table.endswith(".yml") else path.stem,
        source=table,
        paper=paper,
        text=text,
        rows=tuple(resolved(one) for one in chosen),
        seeds=tuple(range(seeds)),
        family=family,
        changes=tuple(changes),
        budget=budget,
        notes=notes,
    )


def _check_teacher(row: RowText, recipe: Recipe, home: Path) -> None:
    """Makes sure that a row that distils has a teacher, and no other has.

    Raises:
        ReproduceError: names the row.
    """
    distils = recipe.phase3 is not None and recipe.phase3.distill is not None
    if distils and not row.teacher:
        raise ReproduceError(
            f"{home}: row {row.row} distils (phase3.distill) and has no teacher; a change for some "
            "rows begins with their names, such as '*_distilled:phase3.distill.logits=2'"
        )
    if row.teacher and not distils:
        raise ReproduceError(f"{home}: row {row.row} has a teacher, and no phase3.distill")


def _chosen(table: str, rows: Sequence[RowText], patterns: Sequence[str]) -> list[RowText]:
    """The rows that a pattern matches, in the table's order.

    Raises:
        ReproduceError: a pattern matches none.
    """
    names = [row.row for row in rows]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ReproduceError(f"{table} has no row {pattern!r}; it has {', '.join(names)}")
    return [
        row
        for row in rows
        if not patterns or any(fnmatchcase(row.row, pattern) for pattern in patterns)
    ]


def _of(budget: Budget, recipe: Recipe | None) -> Recipe | None:
    return None if recipe is None else budget.of(recipe)
