"""What a table takes: by hand for a few rows, and as the command says it."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
import torch

from tinyvirat.cli import main
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.reproduce import estimate as module
from tinyvirat.reproduce.changes import Budget
from tinyvirat.reproduce.estimate import (
    Speed,
    Stretch,
    duration,
    estimate,
    measured_speed,
    row_cost,
)
from tinyvirat.reproduce.plan import make_plan

SPEED = Speed(1000.0, "as given")
GMAC = {"sr": {1: 1.0, 2: 3.0, None: 10.0}, "classifier": 5.0}


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round numbers instead of networks'."""
    monkeypatch.setattr(
        module, "_stage_gmac", lambda config, side, frames, stage: GMAC["sr"][stage]
    )
    monkeypatch.setattr(module, "_classifier_gmac", lambda config, side, frames: 5.0)
    monkeypatch.setattr(module, "row_cost", lambda row, classes: module.Cost(7_000_000, 15.0))


def rows_of(table: str, *names: str, changes: tuple[str, ...] = (), **kwargs: Any) -> Any:
    plan = make_plan(table, rows=names, changes=changes, **kwargs)
    return estimate(plan, SPEED, clips=240, sr_clips=240)


@pytest.mark.usefixtures("costs")
class TestByHand:
    def test_a_classifier(self) -> None:
        (row,) = rows_of("table4", "i3d_112").rows
        # 40 epochs of 240 clips in batches of 24; three passes of 5 GMAC for each clip.
        assert row.stretches == (Stretch("3-classifier", 400, 24, 400 * 24 * 15.0),)
        assert row.hours == pytest.approx(400 * 24 * 15.0 / 1000.0 / 3600.0)

    def test_growing_and_a_frozen_generator(self) -> None:
        (row,) = rows_of("table4", "prog_dvsr_14").rows
        assert row.stretches == (
            Stretch("1-super-resolution", 30, 128, 30 * 128 * 3.0),  # 240 // 128 iterations each
            Stretch("1-super-resolution", 90, 64, 90 * 64 * 9.0),
            Stretch("1-super-resolution", 4400, 24, 4400 * 24 * 30.0),
            Stretch("3-classifier", 400, 24, 400 * 24 * (10.0 + 15.0)),
        )

    def test_joint_training(self) -> None:
        changes = ("phase3.freeze_generator=false",)
        (row,) = rows_of("table4", "prog_dvsr_attention_14", changes=changes).rows
        assert row.stretches[3] == Stretch("2-joint", 340, 14, 340 * 14 * (30.0 + 15.0))
        assert row.stretches[4].gmac == 400 * 24 * (30.0 + 15.0)
        (row,) = rows_of("table5", "prog_dvsr_attention").rows  # pairs of other clips
        assert row.stretches[2].gmac == 340 * 14 * (60.0 + 15.0)
        (row,) = rows_of("table4", "prog_dvsr_attention_14", family="as_published_code").rows
        assert row.stretches[3].gmac == 340 * 14 * (30.0 + 30.0)  # a pass for the classifier

    def test_a_teacher_answers_and_its_own_training_is_not_counted(self) -> None:
        rows = rows_of("ucf101_12_beyond", "bicubic_28", "bicubic_distilled_28").rows
        assert rows[0].stretches == (Stretch("3-classifier", 240, 8, 240 * 8 * 15.0),)
        assert rows[1].stretches == (Stretch("3-classifier", 240, 8, 240 * 8 * 20.0),)
        both = rows_of("ucf101_12_beyond", "bicubic_distilled_28")
        assert both.trainings == 2 and both.hours > both.rows[0].hours

    def test_a_budget(self) -> None:
        (row,) = rows_of("table4", "i3d_112", budget=Budget(0.1)).rows
        assert row.stretches[0].steps == 40

    def test_batches_are_never_larger_than_the_data(self) -> None:
        plan = make_plan("table4", rows=["dvsr_14"])
        (row,) = estimate(plan, SPEED, clips=10, sr_clips=8).rows
        assert [(one.steps, one.batch) for one in row.stretches] == [(500, 8), (40, 10)]

    def test_shared_runs_count_once(self) -> None:
        both = rows_of("table4", "prog_dvsr_14", "prog_dvsr_attention_14")
        one, two = both.rows
        shared = sum(s.gmac for s in one.stretches[:3]) / 1000.0 / 3600.0
        assert both.hours == pytest.approx(one.hours + two.hours - shared)
        assert both.trainings == 4

    def test_seeds_take_their_time(self) -> None:
        one, three = rows_of("table4", "i3d_112"), rows_of("table4", "i3d_112", seeds=3)
        assert three.hours == pytest.approx(3 * one.hours)
        assert three.rows == one.rows

    def test_a_row_that_tests_another_in_another_way(self) -> None:
        rows = rows_of("table4", "i3d_112", "bicubic_14").rows
        assert [row.run_of for row in rows] == ["", "i3d_112"]
        assert "the run of i3d_112 tested in another way" in rows[1].line


def test_a_map_at_test_costs_what_it_takes_to_make_it() -> None:
    plan = make_plan("table4", rows=["prog_dvsr_attention_14", "attention_at_test_14"])
    without, with_map = (row_cost(row, 101) for row in plan.rows)
    assert with_map.parameters == without.parameters
    assert 1.0 < with_map.gmac / without.gmac < 1.05


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.005, "18 s"), (0.5, "30 min"), (3.14159, "3.1 h"), (47.9, "47.9 h"), (60.0, "2.5 days")],
)
def test_a_duration_reads_well(hours: float, text: str) -> None:
    assert duration(hours) == text


def test_the_speed_of_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "I3DConfig", functools.partial(I3DConfig, width=0.125))
    speed = measured_speed(torch.device("cpu"))
    assert 0.1 < speed.gmac_per_second < 1e5
    assert "16 x 112 x 112" in speed.basis and "measured now" in speed.basis


@pytest.mark.usefixtures("costs")
class TestTheDryRun:
    ARGUMENTS = ("reproduce", "table4", "--dry-run", "--gmac-per-second", "1000", "--rows")

    def test_it_prints_a_line_a_row_and_needs_no_data(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*self.ARGUMENTS, "i3d_112", "bicubic_14"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines == [
            "table4/i3d_112 (I3D, 112x112): iterations 3-classifier 15,880 of 24; 15.0 GMAC a "
            "window, 7.0 M parameters; about 1.6 h",
            "table4/bicubic_14 (Bicubic - I3D, 14x14): no iterations of its own, it is the run of "
            "i3d_112 tested in another way; 15.0 GMAC a window, 7.0 M parameters; no time of its "
            "own",
            "1 run in all, those that rows share counted once: about 1.6 h of training on one "
            "device (1000 GMAC/s, as given). Counted with 9,537 training clips and 9,537 that give "
            "pairs; an iteration as three forward passes of what learns and one of what does not.",
        ]

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*self.ARGUMENTS, "i3d_112", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["rows"][0]["row"] == "table4/i3d_112"
        assert found["rows"][0]["stretches"][0]["steps"] == 15_880

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["reproduce", "table9", "--dry-run"], "'table9' is not one of"),
            (["reproduce", "table4", "--dry-run", "--rows", "x"], "no row 'x'"),
            (["reproduce", "table4", "--rows", "i3d_112"], "--data is needed"),
            (["reproduce", "table4", "--budget", "7", "--dry-run"], "a budget of 7 is not in"),
            (
                ["reproduce", "table4", "--dry-run", "--rows", "i3d_112", "--gmac-per-second", "0"],
                "0 is not a speed",
            ),
        ],
    )
    def test_mistakes_are_told_in_a_line(
        self, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(words) == 1
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1
