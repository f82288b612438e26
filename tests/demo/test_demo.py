"""A very small demonstration, from the first rendered clip to the page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.demo.outcome import NOTE, Outcome, chance_of
from tinyvirat.demo.run import run_demo
from tinyvirat.demo.settings import BICUBIC, METHOD, DemoError, Settings, iterations
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.training.recipe import RecipeError

SMALL = ("classifier.width=4", "clips.frames=4", "clips.strides=[2]", "phase3.batch=2")
SETTINGS = Settings(
    seed=3,
    clips_per_action=3,
    frames=12,
    large_side=56,
    splits=(0.4, 0.2, 0.4),
    method=(
        *SMALL,
        "super_resolution.channels=4",
        "super_resolution.growth=4",
        "clips.short_side=56",
        "phase1.steps=[1, 1]",
        "phase1.batch=[2]",
        "phase1.fade.per_step=1",
        "phase2.steps=1",
        "phase2.batch=2",
        "phase3.steps=2",
    ),
    bicubic=(*SMALL, "clips.short_side=56", "phase3.steps=5"),
)


def run(out: Path) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    return run_demo(out, SETTINGS, said.append, cpu=True), said


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, run(out)[0]


def test_both_learn_for_as_many_iterations() -> None:
    whole = Settings()
    assert iterations(whole.recipe(METHOD)) == iterations(whole.recipe(BICUBIC)) > 0


def test_both_have_the_same_classifier_on_the_same_clips() -> None:
    method, bicubic = Settings().recipe(METHOD), Settings().recipe(BICUBIC)
    assert (method.classifier, method.clips, method.labels) == (
        bicubic.classifier,
        bicubic.clips,
        bicubic.labels,
    )
    assert method.phase3 is not None and bicubic.phase3 is not None
    assert method.phase3.batch == bicubic.phase3.batch
    assert method.phase3.optimizer == bicubic.phase3.optimizer


def test_the_page_needs_nothing_from_outside(done: tuple[Path, Outcome]) -> None:
    page = (done[0] / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:)|url\(|@import|<script", page)
    assert page.count("data:image/png;base64,") == 4  # strip, recognised clip, two curves


def test_every_table_says_what_it_is_not(done: tuple[Path, Outcome]) -> None:
    out, outcome = done
    assert all(NOTE in table.notes for table in outcome.tables())
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.count(f"<li>{NOTE}</li>") == page.count("<table>") == 5
    assert (out / "summary.md").read_text(encoding="utf-8").count(NOTE) == 4


def test_the_summary_agrees_with_the_evaluations(done: tuple[Path, Outcome]) -> None:
    out, outcome = done
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    for name in (METHOD, BICUBIC):
        metrics = json.loads((out / "evaluation" / name / "metrics.json").read_text("utf-8"))
        many = metrics["multi_label"]
        found = [summary[name][score]["point"] for score in ("f1_macro", "mean_average_precision")]
        assert found == pytest.approx([many["f1"]["macro"], many["mean_average_precision"]])
        assert summary[name]["iterations"] == 5
    gain = (
        outcome.method.mean_average_precision.point - outcome.bicubic.mean_average_precision.point
    )
    assert outcome.gain.point == pytest.approx(gain)


def test_the_recognised_clip_is_the_evaluated_one(done: tuple[Path, Outcome]) -> None:
    out, outcome = done
    predictions = read_predictions(out / "evaluation" / METHOD / "predictions.jsonl")
    number = predictions.ids.index(Path(outcome.recognised.clip).stem)
    probabilities_K = 1 / (1 + np.exp(-predictions.logits_NK[number]))
    found = [outcome.recognised.scores[name] for name in predictions.classes]
    assert found == pytest.approx(probabilities_K, abs=1e-4)
    assert (out / outcome.recognised.clip).is_file()


def test_run_again_it_trains_only_what_is_missing(done: tuple[Path, Outcome]) -> None:
    out, first = done
    weights = (out / METHOD / "model" / "weights.safetensors").read_bytes()
    shutil.rmtree(out / BICUBIC)
    second, said = run(out)
    assert [line for line in said if "training" in line] == ["training bicubic: 5 iterations"]
    assert (out / METHOD / "model" / "weights.safetensors").read_bytes() == weights
    assert second.method == first.method
    assert second.attention == first.attention
    assert second.bicubic.per_class == first.bicubic.per_class


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(DemoError, match="holds other things"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_other_settings_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DemoError, match="other settings"):
        run(tmp_path)


def test_a_wrong_change_is_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="stepz"):
        run_demo(tmp_path / "out", Settings(method=("phase2.stepz=1",)), lambda text: None)
    assert not (tmp_path / "out").exists()


def test_chance_is_what_knowing_nothing_gives() -> None:
    targets_NK = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]], bool)
    found = chance_of(targets_NK)
    assert found.mean_average_precision == pytest.approx((0.5 + 0.25) / 2)
    assert found.f1_macro == pytest.approx((2 / 3 + 0.4 + 0) / 3)
