"""What goes beyond the paper: teachers, losses on features, other networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.saved import Model, ModelSpec, load_model, save_model
from tinyvirat.models.x3d import X3DConfig
from tinyvirat.reproduce.changes import Budget
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.plan import Plan, make_plan
from tinyvirat.reproduce.run import Done, Order, reproduce
from tinyvirat.reproduce.sources import check_weights, open_sources
from tinyvirat.reproduce.trainings import Training, trainings_of
from tinyvirat.training.data import ClipFiles
from tinyvirat.training.journal import read_metrics
from tinyvirat.training.recipe import Distill
from tinyvirat.video.sampling import AllWindows

from ..training.small import RECIPE, without
from .small import OURS, small_plan

TABLE = "ucf101_12_beyond"
OWN = (
    "high",
    "*distilled_28",
    "*features_28",
    "*factored_28",
    "*slim_28",
    "*published_14",
    "*fast_14",
    "*narrow_14",
    "any_size_28",
    "fresh_14",
    "x3d_28",
    "light_28",
)
"""Each network and loss of this table alone, at one size. The other rows are these at the other
size, or rows of `ucf101_12`, or with `_long` its recipes with other numbers of iterations."""


class TestThePlan:
    def test_what_both_tables_have_is_run_once(self) -> None:
        theirs = {row.key: row for row in make_plan("ucf101_12").rows}
        mine = {row.key: row for row in make_plan(TABLE).rows}
        shared = ["high", *(f"{name}_{n}" for name in ("bicubic", "prog_dvsr") for n in (14, 28))]
        shared.append("prog_dvsr_attention_14")
        for key in shared:
            assert mine[key].training(1) == theirs[key].training(1)
            assert mine[key].training(1).folder("d") == theirs[key].training(1).folder("d")

    def test_all_rows_train_as_long(self) -> None:
        for row in make_plan(TABLE).rows:
            phase3 = row.recipe.phase3
            assert phase3 is not None and (phase3.steps, phase3.batch) == (240, 8)
            phase1 = row.before and row.before.phase1
            steps = 900 if row.key == "prog_dvsr_long_14" else 300
            assert phase1 is None or (sum(phase1.steps), phase1.batch) == (steps, (4,))
            phase2 = row.recipe.phase2
            steps = 240 if row.key == "prog_dvsr_attention_long_14" else 80
            assert phase2 is None or (phase2.steps, phase2.batch) == (steps, 4)

    def test_a_row_and_its_distilled_form_differ_in_the_teacher_alone(self) -> None:
        rows = {row.key: row for row in make_plan(TABLE).rows}
        taught = [row for row in rows.values() if row.teacher is not None]
        assert len(taught) == 8
        for row in taught:
            plain = rows[row.key.replace("_distilled", "")]
            phase3 = row.recipe.phase3
            assert phase3 is not None and phase3.distill is not None
            untaught = replace(phase3, distill=None)
            assert replace(row.recipe, name=plain.recipe.name, phase3=untaught) == plain.recipe
            assert row.teacher is not None and row.teacher.key == "high"
            run = row.training(2)
            assert run.teacher == rows["high"].training(2)
            assert run.after == plain.training(2).after
            assert run.folder("d") != plain.training(2).folder("d")

    def test_networks_that_start_from_nothing_differ_in_the_network_alone(self) -> None:
        rows = {row.key: row.recipe for row in make_plan(TABLE).rows}
        fresh, x3d = rows["fresh_14"], rows["x3d_14"]
        assert replace(fresh, name=x3d.name, classifier=x3d.classifier) == x3d

    def test_networks_with_and_without_a_loss_on_features_have_names_of_their_own(self) -> None:
        rows = {row.key: row for row in make_plan(TABLE).rows}
        plain, features = (
            rows[f"prog_dvsr{how}_28"].training(0).after for how in ("", "_features")
        )
        assert plain is not None and features is not None
        assert plain.recipe.name == "super-resolution-prog-dvsr-28"
        assert features.recipe.name == "super-resolution-prog-dvsr-28-features"
        phase1 = features.recipe.phase1
        assert phase1 is not None and phase1.feature_loss is not None
        without_loss = replace(phase1, feature_loss=None)
        assert replace(features.recipe, name=plain.recipe.name, phase1=without_loss) == plain.recipe


class TestTeachers:
    def test_another_teacher_makes_another_run(self) -> None:
        assert RECIPE.phase3 is not None
        alone = replace(without(RECIPE, 1, 2), super_resolution=None)
        taught = replace(alone, phase3=replace(RECIPE.phase3, distill=Distill()))
        one, other = (trainings_of(alone, seed=seed) for seed in (0, 1))
        runs = [trainings_of(taught, teacher=one), trainings_of(taught, teacher=other)]
        assert runs[0].folder("d") != runs[1].folder("d")
        assert [*runs[0].chain()] == [runs[0]]
        assert [*runs[0].needed()] == [one, runs[0]]
        # Without one, folders are called what they were called before there were teachers.
        assert Training(alone).folder("d") == one.folder("d")

    def test_a_row_that_distils_and_its_teacher_belong_together(self) -> None:
        with pytest.raises(ReproduceError, match=r"row bicubic_14 distils .* has no teacher"):
            make_plan(TABLE, rows=["bicubic_14"], changes=["phase3.distill.logits=2"])
        with pytest.raises(ReproduceError, match=r"row x3d_distilled_28 has a teacher, and no"):
            make_plan(TABLE, rows=["x3d_d*28"], changes=["phase3.distill=null"])
        changes = ["*_distilled*:phase3.distill.logits=2"]
        rows = make_plan(TABLE, rows=["bicubic*14"], changes=changes).rows
        weights = [row.recipe.phase3 and row.recipe.phase3.distill for row in rows]
        assert weights == [None, Distill(logits=2.0, features=2.0, attention=2.0)]

    def test_changes_of_a_row_are_not_its_teachers(self) -> None:
        changes = ["bicubic_distilled_14:phase3.batch=3", "high:phase3.batch=5"]
        (row,) = make_plan(TABLE, rows=["bicubic_distilled_14"], changes=changes).rows
        assert row.recipe.phase3 is not None and row.recipe.phase3.batch == 3
        taught_by = row.training(0).teacher
        assert taught_by is not None and taught_by.recipe.phase3 is not None
        assert taught_by.recipe.phase3.batch == 5

    def test_weights_of_a_loss_on_features_have_to_be_there(self) -> None:
        changes = ["weights=null", "phase1.feature_loss.weights=nowhere"]
        plan = make_plan(TABLE, rows=["prog_dvsr_features_28"], changes=changes)
        with pytest.raises(ReproduceError, match="nowhere: rows prog_dvsr_features_28; ") as told:
            check_weights(plan)
        assert "weights=null" not in str(told.value)  # would not help


def write_critic(folder: Path) -> None:
    """A model whose features a loss can look at."""
    torch.manual_seed(0)
    config = RecognizerConfig(I3DConfig(2, 224, width=0.0625), side=32)
    preprocess, sampler = Preprocess(32, 32, 36), AllWindows(8, 1)
    spec = ModelSpec("critic", config, ("a", "b"), False, preprocess, sampler)
    save_model(folder, Model(spec, config.build().eval()))


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    critic = tmp_path_factory.mktemp("critic")
    write_critic(critic)
    changes = (*OURS[TABLE], f"prog_dvsr_features*:phase1.feature_loss.weights={critic}")
    return make_plan(TABLE, rows=OWN, changes=changes, budget=Budget(steps=2))


@pytest.fixture(scope="module")
def done(
    plan: Plan, roots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, hurried: None
) -> Done:
    """The table, run for two steps a stage."""
    files = open_sources(small_plan("table4", "i3d_112"), ClipFiles(roots["table4"])).files
    out = tmp_path_factory.mktemp("beyond")
    return reproduce(plan, Order(files, out, cpu=True), lambda text: None)


def test_every_recipe_runs(done: Done, plan: Plan) -> None:
    assert done.failures == ()
    assert len(done.outcome.rows) == len(plan.rows) == 15
    for row in done.outcome.rows:
        assert row.why_not == "" and row.score is not None
        assert dict(row.steps)["3-classifier"] == 2


def test_distilled_rows_learnt_from_the_run_of_high(done: Done) -> None:
    rows = {row.row: row for row in done.outcome.rows}
    runs = done.page.parent / "runs"
    for key, row in rows.items():
        losses = [r for r in read_metrics(runs / row.runs[-1] / "metrics.jsonl") if "cls" in r]
        assert len(losses) == 2
        assert all(("distill_logits" in r) == ("distilled" in key) for r in losses)
        assert rows["high"].runs[0] not in row.runs or key == "high"
    text = done.page.read_text(encoding="utf-8")
    assert "x3d_distilled_28 learns from the run of high of the same seed" in text
    assert "the classifier is given 16 px" in text


def test_each_has_its_own_network(done: Done) -> None:
    rows = {row.row: row for row in done.outcome.rows}
    runs = done.page.parent / "runs"

    def config(key: str) -> RecognizerConfig:
        return load_model(runs / rows[key].runs[-1] / "model").spec.config

    assert isinstance(config("x3d_distilled_28").classifier, X3DConfig)
    assert config("light_distilled_28").side == config("light_28").side == 16
    assert getattr(config("prog_dvsr_factored_28").super_resolution, "factored", False)
    assert getattr(config("prog_dvsr_slim_28").super_resolution, "last_channels", 0) == 2
    assert getattr(config("prog_dvsr_narrow_14").super_resolution, "last_channels", 0) == 2
    features = read_metrics(runs / rows["prog_dvsr_features_28"].runs[0] / "metrics.jsonl")
    assert [("features" in r) for r in features if "rec" in r] == [False, False, True, True]
