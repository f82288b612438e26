"""What is made of runs' files: means over seeds, intervals, differences, costs, and their words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyvirat.evaluation.prediction_file import write_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.report import report_on
from tinyvirat.evaluation.resampled import Accuracy, OverSeeds
from tinyvirat.evaluation.significance import bootstrap, paired_difference
from tinyvirat.evaluation.tables import as_markdown, to_json
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.outcome import Outcome, collect
from tinyvirat.reproduce.page import main_table, page, protocol, tables
from tinyvirat.reproduce.plan import Plan
from tinyvirat.reproduce.trainings import Training
from tinyvirat.reproduce.variants import Variant
from tinyvirat.reproduce.work import Place

from .small import small_plan, sources_of

pytestmark = pytest.mark.usefixtures("hurried")
ENVIRONMENT = {"commit": "0123", "torch": "2.13", "cuda": [], "processor": "2 x Chip"}
QUALITY = {
    "super-resolved": {"psnr": 30.0, "ssim": 0.9, "videos": 8},
    "bicubic": {"psnr": 29.0, "ssim": 0.8, "videos": 8},
}
CLIPS = 8


def predictions(right: Sequence[int], *, multi: bool = False, ids: str = "c") -> Predictions:
    """Answers of which those in `right` are; clips 2n and 2n + 1 are of one video."""
    truth_N = np.arange(CLIPS) % 2
    answer_N = np.where(np.isin(np.arange(CLIPS), right), truth_N, 1 - truth_N)
    targets_NK = np.eye(2, dtype=bool)[truth_N]
    return Predictions(
        ids=tuple(f"{ids}{n}" for n in range(CLIPS)),
        sources=tuple(f"v{n // 2}" for n in range(CLIPS)),
        sizes_N2=np.full((CLIPS, 2), 20),
        logits_NK=np.where(np.eye(2)[answer_N] > 0, 2.0, -1.0),
        targets_NK=targets_NK,
        classes=("walk", "run"),
        multi_label=multi,
        split="test",
        manifest_sha256="ab" * 32,
        model="m",
    )


def write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def write_training(
    training: Training, place: Place, steps: dict[str, int], seconds: float = 3.0
) -> None:
    """What a finished run leaves, of what is read."""
    phases = {name: {"steps": count, "seconds": seconds} for name, count in steps.items()}
    write(place.folder(training) / "summary.json", {"complete": True, "phases": phases})


def write_test(
    training: Training,
    place: Place,
    answers: Predictions,
    *,
    variant: Variant | None = None,
    seconds: float = 0.25,
    quality: Any = None,
) -> None:
    """What an evaluation leaves, of what is read."""
    folder = place.folder(training) / (variant or Variant()).folder
    folder.mkdir(parents=True)
    write_predictions(folder / "predictions.jsonl", answers)
    (folder / "metrics.json").write_text(to_json(report_on(answers, resamples=10)), "utf-8")
    facts = {
        "seconds_per_clip": seconds,
        "device": "cpu",
        "precision": "float32",
        "quality": quality,
        "environment": ENVIRONMENT,
    }
    write(folder / "evaluation.json", facts)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(sources_of(tmp_path / "m.jsonl"), tmp_path / "runs")


HIGH = (range(8), range(6))
LOW = (range(4), range(2))
"""Right answers by seed."""


@pytest.fixture
def plan(place: Place) -> Plan:
    """Two rows with two seeds, as if they had been run; the second enlarges."""
    made = small_plan("table4", "i3d_112", "bicubic_14", "prog_dvsr_14", seeds=2)
    high, _, low = made.rows
    for seed in made.seeds:
        run = made.training(high, seed)
        write_training(run, place, {"3-classifier": 10})
        write_test(run, place, predictions(HIGH[seed]), seconds=0.5 + seed)
        run = made.training(low, seed)
        assert run.after is not None
        write_training(run.after, place, {"1-super-resolution": 6}, 4.0)
        write_training(run, place, {"3-classifier": 10})
        write_test(run, place, predictions(LOW[seed]), quality=QUALITY)
    return made


@pytest.fixture
def outcome(plan: Plan, place: Place) -> Outcome:
    return collect(plan, place, {"bicubic_14": "not run: it rained"})


def test_a_score_is_the_mean_over_seeds(outcome: Outcome) -> None:
    row = outcome.rows[0]
    assert row.by_seed == (1.0, 0.75)
    assert row.score is not None and row.score.point == pytest.approx(0.875)
    assert row.deviation == pytest.approx(np.std([1.0, 0.75], ddof=1))
    assert row.score.sources == 4


def test_its_interval_is_over_source_videos_with_all_seeds_together(outcome: Outcome) -> None:
    one, two = predictions(HIGH[0]), predictions(HIGH[1])

    def both(scores_NK: Any, targets_NK: Any) -> float:
        halves = np.split(scores_NK, 2, axis=1)
        right = [(half.argmax(1) == targets_NK.argmax(1)).mean() for half in halves]
        return float(np.mean(right))

    stacked_NK = np.concatenate([one.logits_NK, two.logits_NK], axis=1)
    expected = bootstrap(both, stacked_NK, one.known_targets(), one.sources)
    assert outcome.rows[0].score == expected


def test_of_one_seed_it_is_that_seeds(plan: Plan, place: Place) -> None:
    answers = predictions(HIGH[1])
    alone = OverSeeds(Accuracy(), 1)
    given = (answers.logits_NK, answers.known_targets(), answers.sources)
    assert bootstrap(alone, *given) == bootstrap(Accuracy(), *given)
    one = small_plan("table4", "i3d_112")
    found = collect(one, place, {}).rows[0]
    assert (found.by_seed, found.deviation) == ((1.0,), None)


def test_a_row_that_was_not_run_says_why(outcome: Outcome, plan: Plan) -> None:
    row = outcome.rows[1]
    assert (row.score, row.by_seed, row.runs) == (None, (None, None), ())
    assert row.why_not == "not run: it rained"
    assert "bicubic_14: not run: it rained" in main_table(plan, outcome).notes


def test_a_seed_that_is_missing_is_said(plan: Plan, place: Place) -> None:
    shutil.rmtree(place.folder(plan.training(plan.rows[0], 1)))
    found = collect(plan, place, {})
    row = found.rows[0]
    assert row.by_seed == (1.0, None)
    assert row.why_not == "not run with 1 seed: 1"
    notes = main_table(plan, found).notes
    assert "i3d_112: not run with 1 seed: 1" in notes
    assert any("mean over 2 seeds at most (*Each seed*)" in note for note in notes)
    why = {"i3d_112": "not run: train x (seed 1) failed: no memory"}
    assert collect(plan, place, why).rows[0].why_not == why["i3d_112"]


def test_a_run_whose_summary_is_gone_still_has_a_score(plan: Plan, place: Place) -> None:
    run = plan.training(plan.rows[2], 0)
    assert run.after is not None
    shutil.rmtree(place.folder(run.after))
    row = collect(plan, place, {}).rows[2]
    assert row.score is not None and row.steps == (("3-classifier", 10),)


def test_costs_are_those_of_all_runs_that_a_row_needs(outcome: Outcome) -> None:
    high, _, low = outcome.rows
    assert high.steps == (("3-classifier", 10),)
    assert low.steps == (("1-super-resolution", 6), ("3-classifier", 10))
    assert (high.seconds, low.seconds) == (3.0, 7.0)
    assert high.seconds_per_clip == pytest.approx(1.0)
    assert (len(high.runs), len(low.runs)) == (2, 4)


def test_pictures_are_beside_bicubic_ones(outcome: Outcome) -> None:
    high, _, low = outcome.rows
    assert high.picture is None
    assert low.picture is not None
    assert (low.picture.psnr, low.picture.bicubic_psnr, low.picture.clips) == (30.0, 29.0, 8)


def test_a_difference_is_on_the_same_clips(place: Place) -> None:
    made = small_plan("table4", "end_to_end_14", "prog_dvsr_14", seeds=2)
    better, worse = made.rows  # in the table's order
    assert (better.key, worse.key) == ("prog_dvsr_14", "end_to_end_14")
    for row, right in ((better, HIGH), (worse, LOW)):
        for seed in made.seeds:
            for one in made.training(row, seed).chain():
                write_training(one, place, {})
            write_test(made.training(row, seed), place, predictions(right[seed]))
    (compared,) = collect(made, place, {}).compared
    assert compared.seeds == (0, 1)
    assert (compared.row, compared.against) == ("prog_dvsr_14", "end_to_end_14")
    assert compared.difference.interval.point == pytest.approx(0.875 - 0.375)
    expected = paired_difference(
        OverSeeds(Accuracy(), 2),
        np.concatenate([predictions(right).logits_NK for right in LOW], axis=1),
        np.concatenate([predictions(right).logits_NK for right in HIGH], axis=1),
        predictions(()).known_targets(),
        predictions(()).sources,
    )
    assert compared.difference == expected


def test_many_labels_have_every_f1(place: Place) -> None:
    made = small_plan("table5", "without_dvsr")
    run = made.training(made.rows[0], 0)
    answers = predictions(range(6), multi=True)
    write_training(run, place, {"3-classifier": 10})
    write_test(run, place, answers)
    found = collect(made, place, {})
    detail, report = found.rows[0].f1, report_on(answers, resamples=10)
    assert detail is not None and report.multi_label is not None
    assert detail.macro == report.multi_label.f1.macro == found.rows[0].by_seed[0]
    assert detail.samples == report.multi_label.f1.samples
    assert detail.published_samples == report.multi_label.f1_published.samples
    assert detail.mean_average_precision == report.multi_label.mean_average_precision
    assert detail.tuned_macro is None
    shown = next(one for one in tables(made, found) if one.title.startswith("F1"))
    assert [column.name for column in shown.columns][:2] == ["row", "macro, %"]
    assert "macro, tuned thresholds, %" not in [column.name for column in shown.columns]
    notes = main_table(made, found).notes
    assert any("which average" in note for note in notes)
    assert any("Our F1 is the macro average" in note for note in notes)


def test_evaluations_of_other_clips_are_refused(plan: Plan, place: Place) -> None:
    made = small_plan("table4", "i3d_112", "bicubic_14")
    run = made.training(made.rows[1], 0)
    write_test(run, place, predictions((), ids="other"), variant=Variant(size=14))
    with pytest.raises(ReproduceError, match="not of the same clips"):
        collect(made, place, {})


@pytest.mark.parametrize("file", ["evaluation.json", "metrics.json"])
def test_a_damaged_evaluation_is_named(plan: Plan, place: Place, file: str) -> None:
    path = place.folder(plan.training(plan.rows[0], 0)) / "evaluation" / file
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ReproduceError, match=rf"{file}: cannot be read .*delete the folder"):
        collect(plan, place, {})


class TestThePage:
    def test_the_table(self, plan: Plan, outcome: Outcome) -> None:
        text = as_markdown(main_table(plan, outcome))
        assert text.startswith(
            "**Video action classification on UCF-101 (after Table IV)**\n"
            "\n"
            "| method | input | ours: accuracy, % | ± over seeds, points "
            "| the paper's: accuracy, % |\n"
            "| --- | --- | ---: | ---: | ---: |\n"
            "| I3D | 112x112 (ours: 32x32) | 87.50 [62.50, 100.00] | 17.68 | 84.72 |\n"
            "| SoSR [12] (cited) | 80x60 | - | - | 83.92 |\n"
            "| Bicubic - I3D | 14x14 | - | - | 14.14 |\n"
        )
        assert "mean over 2 seeds" in text
        assert "95 % of 2000 bootstrap draws over 4 source videos of 2 test clips" in text

    def test_every_table_that_has_something_to_say(self, plan: Plan, outcome: Outcome) -> None:
        titles = [table.title for table in tables(plan, outcome)]
        assert titles == [
            "Video action classification on UCF-101 (after Table IV)",
            "Each seed",
            "Costs",
            "Enlarged clips against their truth",
        ]

    def test_the_protocol_in_words(self, plan: Plan, outcome: Outcome) -> None:
        said = " ".join(protocol(plan, outcome))
        assert "the paper's values; where it is silent, the published code's" in said
        assert "2 iterations, on all rows alike" in said
        assert "Changed in all rows, or in those that a pattern names: weights=null; " in said
        assert "9537 training and 3783 test clips are published; tested here: 2 clips" in said
        assert "short side to 36 px" in said and "crop of 32 px" in said
        assert "then bicubic to 4 px" in said
        assert "Classifiers start from fresh weights." in said
        assert "nothing is chosen on it" in said

    def test_it_says_how_it_was_made(
        self, plan: Plan, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = ["/opt/bin/tinyvirat", "reproduce", "table4", "--data", "/home/me/ucf101"]
        monkeypatch.setattr("sys.argv", words)
        text = page(plan, outcome)
        assert text.startswith("# Table IV: Video action classification on UCF-101\n")
        assert "Made by `tinyvirat reproduce table4 --data ucf101`" in text
        assert "/home/me" not in text
        assert "- commit 0123, torch 2.13, 2 x Chip\n" in text
