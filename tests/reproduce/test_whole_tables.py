"""Every row of every table, run for two steps a stage on stand-ins of its data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyvirat.cli import main
from tinyvirat.common.errors import TinyviratError
from tinyvirat.evaluation.paper import PAPER_TABLES
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.evaluation.run_results import find_results
from tinyvirat.reproduce import work
from tinyvirat.reproduce.changes import Budget
from tinyvirat.reproduce.estimate import Speed, estimate
from tinyvirat.reproduce.plan import make_plan
from tinyvirat.reproduce.run import Done, Order, reproduce
from tinyvirat.reproduce.sources import open_sources
from tinyvirat.reproduce.work import Place
from tinyvirat.training.data import ClipFiles
from tinyvirat.training.journal import read_metrics
from tinyvirat.training.run import Order as TrainingOrder
from tinyvirat.training.run import run as train

from .small import ON_LARGE, OURS, small_plan

Run = Callable[[str], Done]
pytestmark = pytest.mark.usefixtures("hurried")
TABLES = ("table2", "table3", "table4", "table5")
FEW = {"table3": ("i3d_112", "bicubic_14", "prog_dvsr_28")}
"""Table III has the recipes of Table IV; these rows show that its data are read."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def run(roots: dict[str, Path], out: Path, hurried: None) -> Run:
    """Runs a table once, into one folder for all."""
    done: dict[str, Done] = {}

    def run_once(table: str) -> Done:
        if table not in done:
            plan = small_plan(table, *FEW.get(table, ()))
            done[table] = reproduce(plan, order(roots, out, table), lambda text: None)
        return done[table]

    return run_once


def order(roots: dict[str, Path], out: Path, table: str) -> Order:
    tiny = table in ("table2", "table5")
    return Order(ClipFiles(roots[table], roots["large"] if tiny else None), out, cpu=True)


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_run_and_scored(run: Run, table: str) -> None:
    done = run(table)
    assert done.failures == ()
    printed = {row.key for row in PAPER_TABLES[table].rows if not row.cited}
    found = {row.row for row in done.outcome.rows if row.printed}
    assert found == (printed & set(FEW[table]) if table in FEW else printed)
    for row in done.outcome.rows:
        assert row.why_not == ""
        assert row.score is not None and 0.0 <= row.score.point <= 1.0
        assert row.seconds_per_clip is not None and row.seconds_per_clip > 0.0
        assert (row.f1 is not None) is (table in ("table2", "table5"))


@pytest.mark.parametrize("table", ["ucf101_12", "ut_interaction"])
def test_our_own_tables(roots: dict[str, Path], tmp_path: Path, table: str) -> None:
    rows = () if table == "ut_interaction" else ("high", "*_14")
    plan = make_plan(table, rows=rows, changes=OURS[table], budget=Budget(steps=2))
    files = open_sources(small_plan("table4", "i3d_112"), ClipFiles(roots["table4"])).files
    done = reproduce(plan, Order(files, tmp_path, cpu=True), lambda text: None)
    assert done.failures == ()
    assert len(done.outcome.rows) == len(plan.rows) == 6
    rows_by_name = {row.row: row for row in done.outcome.rows}
    named = [row for row in rows_by_name if "prog_dvsr" in row]
    assert len({rows_by_name[row].runs[0] for row in named}) == 1  # one network for both
    text = done.page.read_text(encoding="utf-8")
    assert text.startswith(f"# {table}: ") and "the paper's: accuracy" not in text


@pytest.mark.parametrize("table", TABLES)
def test_each_row_trains_as_long_as_was_foretold(run: Run, table: str) -> None:
    plan = small_plan(table, *FEW.get(table, ()))
    foretold = estimate(plan, Speed(1.0, ""), clips=4, sr_clips=4)
    for row, one in zip(run(table).outcome.rows, foretold.rows, strict=True):
        said: dict[str, int] = {}
        for stretch in one.stretches:
            said[stretch.phase] = said.get(stretch.phase, 0) + stretch.steps
        assert dict(row.steps) == said
        assert said["3-classifier"] == said.get("2-joint", 2) == 2
        assert said.get("1-super-resolution", 2) in (2, 4, 6)  # of one, two or three stages


@pytest.mark.parametrize("table", TABLES)
def test_the_page_holds_the_papers_rows_and_ours(run: Run, out: Path, table: str) -> None:
    done = run(table)
    page = done.page.read_text(encoding="utf-8")
    assert done.page == out / f"{table}.md"
    for printed in PAPER_TABLES[table].rows:
        assert f"| {printed.method.replace('*', chr(92) + '*')}" in page
        assert f"{printed.percent:.2f} |" in page
        assert ("(cited)" in page) is any(row.cited for row in PAPER_TABLES[table].rows)
    for row in done.outcome.rows:
        assert row.score is not None
        assert f"{100 * row.score.point:.2f}" in page
        assert row.row in page
    assert "Every stage of every phase has 2 iterations, on all rows alike." in page
    assert "weights=null" in page
    assert "it was not measured here" in page
    data = json.loads(done.page.with_suffix(".json").read_text(encoding="utf-8"))
    assert [row["row"] for row in data["rows"]] == [row.row for row in done.outcome.rows]


def test_runs_that_rows_share_are_made_once(run: Run) -> None:
    rows = {row.row: row for row in run("table4").outcome.rows}
    assert rows["bicubic_14"].runs == rows["i3d_112"].runs
    assert rows["attention_at_test_14"].runs == rows["prog_dvsr_attention_14"].runs
    assert rows["prog_dvsr_14"].runs[0] == rows["prog_dvsr_attention_14"].runs[0]
    assert rows["prog_dvsr_14"].runs[0] != rows["end_to_end_14"].runs[0]
    assert rows["prog_dvsr_14"].runs[1:] != rows["prog_dvsr_attention_14"].runs[1:]


def test_a_row_is_tested_in_its_own_way(run: Run, out: Path) -> None:
    rows = {row.row: row for row in run("table4").outcome.rows}

    def logits(row: str, folder: str) -> bytes:
        path = out / "runs" / rows[row].runs[-1] / folder / "predictions.jsonl"
        return read_predictions(path).logits_NK.tobytes()

    ways = ("evaluation", "evaluation_map_learnt", "evaluation_map_random")
    assert len({logits("prog_dvsr_attention_28", way) for way in ways}) == 3
    folder = out / "runs" / rows["i3d_112"].runs[-1]
    assert logits("i3d_112", "evaluation") != logits("i3d_112", "evaluation_at_14")
    sizes = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))["input_sizes"]
        for path in folder.glob("*/evaluation.json")
    }
    assert sizes == {"evaluation": [32], "evaluation_at_14": [14], "evaluation_at_28": [28]}
    assert rows["prog_dvsr_attention_14"].picture is not None
    assert rows["attention_at_test_14"].picture is None  # the same pictures


def test_tables_in_one_folder_share_their_runs(run: Run) -> None:
    two = {row.row: row.runs for row in run("table2").outcome.rows}
    five = {row.row: row.runs for row in run("table5").outcome.rows}
    assert five["without_dvsr"] == two["i3d"]
    assert five["prog_dvsr"] == two["i3d_prog_dvsr"]
    assert five["prog_dvsr_attention"] == two["i3d_prog_dvsr_attention"]
    first = {runs[0] for row, runs in two.items() if row.endswith("prog_dvsr")}
    assert len(first) == 1  # three classifiers, one super-resolution network


def test_a_table_that_is_done_is_only_written_again(
    run: Run, roots: dict[str, Path], out: Path
) -> None:
    before = run("table4")
    said: list[str] = []
    again = reproduce(small_plan("table4"), order(roots, out, "table4"), said.append)
    assert said == []
    assert again.outcome == before.outcome


def test_the_page_of_results_reads_the_same_runs(run: Run, out: Path) -> None:
    row = next(row for row in run("table4").outcome.rows if row.row == "attention_at_test_14")
    assert row.score is not None
    named = {one.name: one.metrics["intervals"] for one in find_results(out)}
    found = named["i3d-prog-dvsr-attention-14, the map applied"]
    assert found["top1"]["point"] == row.score.point


def test_seeds_and_a_row_that_fails(
    roots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(recipe: object, given: object) -> bool:
        if getattr(recipe, "name", "") == "i3d-dvsr-14":
            raise TinyviratError("the loss is no longer finite")
        return train(recipe, given)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "train", failing)
    plan = small_plan("table4", "i3d_112", "dvsr_14", seeds=2)
    done = reproduce(plan, order(roots, tmp_path, "table4"), lambda text: None)
    rows = {row.row: row for row in done.outcome.rows}
    assert len(done.failures) == 2 and "i3d-dvsr-14 at 4 px, seed 0" in done.failures[0]
    assert rows["dvsr_14"].score is None
    assert "no longer finite" in rows["dvsr_14"].why_not
    both = rows["i3d_112"].by_seed
    assert None not in both and len(set(rows["i3d_112"].runs)) == 2
    point = rows["i3d_112"].score
    assert point is not None and point.point == pytest.approx(sum(map(float, both)) / 2)
    page = done.page.read_text(encoding="utf-8")
    assert "mean over 2 seeds" in page and "| row | seed 0 | seed 1 |" in page
    assert "| DVSR | 14x14 | - | - | 68.17 |" in page.replace("14x14 (ours: 4x4)", "14x14")
    assert "dvsr_14: not run: train i3d-dvsr-14" in page
    # Run again, only what failed is tried again.
    monkeypatch.setattr(work, "train", train)
    said: list[str] = []
    done = reproduce(plan, order(roots, tmp_path, "table4"), said.append)
    assert done.failures == ()
    assert all("i3d-dvsr-14" in text for text in said) and len(said) == 4


def test_rows_that_were_run_before_stay_in_the_table(
    roots: dict[str, Path], tmp_path: Path
) -> None:
    given = order(roots, tmp_path, "table4")
    for rows, shown in (
        (["bicubic_trained_14"], ["bicubic_trained_14"]),
        (["i3d_112"], ["i3d_112", "bicubic_trained_14"]),
    ):
        done = reproduce(small_plan("table4", *rows), given, lambda text: None)
        assert [row.row for row in done.outcome.rows] == shown
    # Another way of running them has a table of its own.
    plan = make_plan(
        "table4", rows=["i3d_112"], changes=(*ON_LARGE, "clips.flip=0"), budget=Budget(steps=2)
    )
    done = reproduce(plan, given, lambda text: None)
    assert [row.row for row in done.outcome.rows] == ["i3d_112"]


def test_a_run_that_was_begun_goes_on(roots: dict[str, Path], tmp_path: Path) -> None:
    plan = small_plan("table4", "i3d_112")
    given = order(roots, tmp_path, "table4")
    place = Place(open_sources(plan, given.files), tmp_path / "runs", cpu=True)
    (run_of,) = plan.trainings()
    folder = place.folder(run_of)
    begun = TrainingOrder(place.sources.files, out=folder, until=1, cpu=True)
    assert not train(run_of.recipe, begun)
    done = reproduce(plan, given, lambda text: None)
    assert done.failures == ()
    steps = [row["step"] for row in read_metrics(folder / "metrics.jsonl") if "cls" in row]
    assert steps == [1, 2]
    assert len(json.loads((folder / "environment.json").read_text(encoding="utf-8"))) == 2


def test_a_defect_is_not_hidden(
    roots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(recipe: object, given: object) -> bool:
        raise KeyError("a defect")

    monkeypatch.setattr("tinyvirat.reproduce.work.train", broken)
    with pytest.raises(KeyError, match="a defect"):
        reproduce(
            small_plan("table4", "i3d_112"), order(roots, tmp_path, "table4"), lambda text: None
        )


def test_the_published_codes_family_has_a_page_of_its_own(
    run: Run, roots: dict[str, Path], out: Path
) -> None:
    run("table4")
    plan = small_plan("table4", "prog_dvsr_attention_28", family="as_published_code")
    said: list[str] = []
    done = reproduce(plan, order(roots, out, "table4"), said.append)
    assert done.page.name == "table4-as_published_code.md"
    assert done.failures == ()
    assert "the published code's values" in done.page.read_text(encoding="utf-8")
    # In so few iterations the families fade in alike, so that super-resolution is the other's.
    assert len(said) == 3
    assert said[0].startswith("[1 of 3] train i3d-prog-dvsr-attention-28-joint")


def test_the_command(
    run: Run,
    roots: dict[str, Path],
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("table4")
    words = ["reproduce", "table4", "--data", str(roots["table4"]), "--out", str(out), "--cpu"]
    words += ["--steps", "2", "--set", *ON_LARGE, "--rows", "i3d_112", "prog_dvsr_14"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert shown.err == ""  # all of it was done before
    assert shown.out.startswith("Video action classification on UCF-101 (after Table IV)\n")
    assert shown.out.endswith(f"{out / 'table4.md'}\n")
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["rows"]) == 21  # all were run before, in the same way

    def failing(recipe: object, given: object) -> bool:
        raise TinyviratError("the loss is no longer finite")

    monkeypatch.setattr("tinyvirat.reproduce.work.train", failing)
    assert main([*words, "--seeds", "2"]) == 1
    shown = capsys.readouterr()
    failed = (
        r"reproduce: failed: train i3d-112 at 32 px, seed 1 \(\w+\): the loss is no longer finite"
    )
    assert re.search(failed, shown.err)
