"""The whole of it: a plan's runs and evaluations, then its table."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import write_text
from tinyvirat.evaluation.tables import to_json
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.named import rows_of, table_file
from tinyvirat.reproduce.outcome import Outcome, collect
from tinyvirat.reproduce.page import page
from tinyvirat.reproduce.plan import Plan, Row, make_plan
from tinyvirat.reproduce.pool import Failure, Say, carry_out, gpus
from tinyvirat.reproduce.sources import check_weights, open_sources
from tinyvirat.reproduce.work import Place, Task, is_done
from tinyvirat.training.data import ClipFiles

RUNS = "runs"


@dataclass(frozen=True)
class Order:
    """What is asked for beside the plan.

    Attributes:
        files: where the clips are; `data` may be the data set's folder.
        out: the folder of runs and tables; tables share the runs in it.
        cache: folder of decoded frames; None: the package's.
        cpu: compute on the CPU even where there is a GPU.
    """

    files: ClipFiles
    out: Path
    cache: Path | None = None
    cpu: bool = False


@dataclass(frozen=True)
class Done:
    """What a reproduction left.

    Attributes:
        plan: with the rows that the table shows.
        outcome: the table's rows.
        page: the Markdown page.
        failures: of rows that could not be run; empty when all is well.
    """

    plan: Plan
    outcome: Outcome
    page: Path
    failures: tuple[str, ...]


def reproduce(plan: Plan, order: Order, say: Say) -> Done:
    """Runs what is not there yet, and writes the table.

    Args:
        plan: the rows.
        order: data and folders.
        say: told in a line what begins.

    Returns:
        The outcome; `OUT/TABLE.md` and `OUT/TABLE.json` hold it.

    Raises:
        TinyviratError: data or weights are not there or do not fit. What keeps one row from being
            run is among the failures.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ReproduceError(
            "start it once, without accelerate launch: it takes one process for each GPU itself"
        )
    check_weights(plan)
    sources = open_sources(plan, order.files)
    place = Place(sources, order.out / RUNS, order.cache, order.cpu)
    failures = carry_out(tasks_of(plan), place, say, devices=gpus(order.cpu))
    shown = with_earlier(plan, place)
    outcome = collect(shown, place, _why_not(plan, failures))
    path = order.out / f"{plan.name}.md"
    if plan.family != "paper":
        path = order.out / f"{plan.name}-{plan.family}.md"
    write_text(path, page(shown, outcome))
    write_text(path.with_suffix(".json"), to_json(outcome))
    _raise_defects(failures)
    return Done(
        shown, outcome, path, tuple(f"{f.task.words}: {f.error}" for f in failures if f.error)
    )


def tasks_of(plan: Plan) -> tuple[Task, ...]:
    """Everything that a plan takes, each task after those that it needs, row by row."""
    tasks: list[Task] = []
    for row, _, training in plan.tested:
        tasks += [Task(one) for one in training.needed()]
        tasks.append(Task(training, row.variant))
    return tuple(dict.fromkeys(tasks))


def with_earlier(plan: Plan, place: Place) -> Plan:
    """The plan with the other rows of its table that were run before in the same way."""
    asked = {row.key: row for row in plan.rows}
    _, texts, _ = rows_of(table_file(plan.source))
    rows = (asked.get(one.row) or _earlier(plan, one.row, place) for one in texts)
    return replace(plan, rows=tuple(row for row in rows if row is not None))


def _earlier(plan: Plan, key: str, place: Place) -> Row | None:
    """A row that was not asked for, where it was run before with the same changes and budget."""
    try:
        other = make_plan(
            plan.source,
            rows=[key],
            seeds=len(plan.seeds),
            family=plan.family,
            changes=plan.changes,
            budget=plan.budget,
        )
    except TinyviratError:  # what was changed for the rows that were asked for need not fit others
        return None
    tasks = (Task(training, row.variant) for row, _, training in other.tested)
    return other.rows[0] if any(is_done(task, place) for task in tasks) else None


def _why_not(plan: Plan, failures: list[Failure]) -> dict[str, str]:
    """By row, what kept it from being run."""
    errors = {failure.task: failure.error for failure in failures}
    found: dict[str, str] = {}
    for row, seed, training in plan.tested:
        for task in (*map(Task, training.needed()), Task(training, row.variant)):
            error = errors.get(task)
            if error is not None:
                found.setdefault(row.key, f"not run: {task.words} (seed {seed}) failed: {error}")
    return found


def _raise_defects(failures: list[Failure]) -> None:
    """Lets through what is a mistake of this package, not of what it was given."""
    for failure in failures:
        if failure.error is not None and not isinstance(failure.error, TinyviratError):
            raise failure.error
