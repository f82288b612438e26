"""Every row of every table, run for two steps a stage on stand-ins of its data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tinyvirat.evaluation.paper import PAPER_TABLES
from tinyvirat.reproduce.run import Done, Order, reproduce

from .small import small_plan

Run = Callable[[str], Done]
pytestmark = pytest.mark.usefixtures("hurried")
TABLES = ("table2", "table3", "table4", "table5")


@pytest.fixture(scope="module")
def run(roots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, hurried: None) -> Run:
    """Runs a table once, into one folder for all."""
    out = tmp_path_factory.mktemp("out")
    done: dict[str, Done] = {}

    def run_once(table: str) -> Done:
        if table not in done:
            tiny = table in ("table2", "table5")
            order = Order(
                roots[table],
                out,
                sr_data=roots["large"] if tiny else None,
                cpu=True,
            )
            done[table] = reproduce(small_plan(table), order, lambda text: None)
        return done[table]

    return run_once


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_a_table_is_run(run: Run, table: str) -> None:
    done = run(table)
    assert done.failures == ()
    printed = {row.key for row in PAPER_TABLES[table].rows if not row.cited}
    assert {row.row for row in done.outcome.rows if row.printed} == printed
    for row in done.outcome.rows:
        assert row.score is not None and 0.0 <= row.score.point <= 1.0
        assert row.why_not == ""
        assert row.seconds_per_clip is not None and row.seconds_per_clip > 0.0
        steps = dict(row.steps)
        assert steps["3-classifier"] == 2
        assert steps.get("2-joint", 2) == 2
        assert steps.get("1-super-resolution", 0) % 2 == 0
