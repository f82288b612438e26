"""Thresholds and temperature are tuned on clips that no phase has seen, and kept with the model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState, PartialState

from tinyvirat.cli import main
from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.manifest import ClipRecord, read_manifest, write_manifest
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.evaluation.tuning import thresholds_of
from tinyvirat.models.saved import ModelSpec, load_model
from tinyvirat.recognition.load import load
from tinyvirat.training.classification_losses import (
    Asymmetric,
    CrossEntropy,
    DistributionBalanced,
    Focal,
    Loss,
)
from tinyvirat.training.data import ClipFiles, open_data
from tinyvirat.training.held_out import held_out_sources
from tinyvirat.training.recipe import ClassifierPhase, JointPhase, Recipe, Sampling, Tuning
from tinyvirat.training.run import Order, run

from .processes import rows_of, together, train
from .small import CLASSIFIER, CLIPS, RECIPE, UPKEEP, without, write_clips

PLAIN = Recipe(
    name="plain",
    classifier=CLASSIFIER,
    labels="multi",
    clips=replace(CLIPS, size=32),
    phase3=ClassifierPhase(steps=2, batch=4),
    upkeep=UPKEEP,
)
assert RECIPE.phase3


@pytest.fixture(scope="module")
def with_val(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest with enough held-out clips to tune on."""
    splits = {"train": 6, "val": 21, "test": 5}
    return write_clips(tmp_path_factory.mktemp("with_val"), splits=splits, sizes=((36, 36),))


@pytest.fixture(scope="module")
def without_val(with_val: Path) -> Path:
    """54 training clips of as many sources: those of `train` and `val`, twice, begun elsewhere."""
    records = [
        replace(
            record,
            id=f"{record.id} {n}",
            source=f"{record.source} {n}",
            split="train",
            start=n,
            stop=record.frames,
        )
        for record in read_manifest(with_val).records
        if record.split != "test"
        for n in range(2)
    ]
    write_manifest(with_val.parent / "without_val.jsonl", records)
    return with_val.parent / "without_val.jsonl"


def order(manifest: Path, out: Path) -> Order:
    return Order(ClipFiles(manifest), out=out, cpu=True)


def spec_of(out: Path) -> ModelSpec:
    return load_model(out / "model").spec


@pytest.fixture(scope="module")
def tuned(with_val: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model was tuned."""
    out = tmp_path_factory.mktemp("tuned")
    run(PLAIN, order(with_val, out))
    AcceleratorState._reset_state()
    PartialState._reset_state()
    return out


@pytest.mark.parametrize(
    "loss",
    [CrossEntropy(class_weights=True), Focal(), Asymmetric(), DistributionBalanced(gamma=2.0)],
    ids=lambda loss: type(loss).__name__,
)
@pytest.mark.usefixtures("hurried")
def test_each_loss_trains_both_phases(few: Path, tmp_path: Path, loss: Loss) -> None:
    recipe = replace(
        without(RECIPE, 1),
        labels="multi",
        phase2=JointPhase(steps=1, batch=4, loss=loss),
        phase3=ClassifierPhase(
            steps=2, batch=4, loss=loss, mixup=0.4, sampling=Sampling(repeat_factor=0.5)
        ),
    )
    assert run(recipe, order(few, tmp_path))
    rows = [row for row in rows_of(tmp_path) if "loss" in row]
    assert [row["phase"] for row in rows] == ["2-joint", "3-classifier", "3-classifier"]
    assert all(row["cls"] > 0 for row in rows)
    spec = spec_of(tmp_path)
    assert (spec.thresholds, spec.temperature, spec.tuned_on) == ((), 1.0, ())  # no clips for it


def test_one_label_a_clip_takes_no_loss_of_single_classes(few: Path) -> None:
    recipe = replace(without(RECIPE, 1, 2), phase3=replace(RECIPE.phase3, loss=Focal()))
    with pytest.raises(TinyviratError, match="recipe 'small': phase3: the loss 'focal' judges"):
        open_data(recipe, ClipFiles(few))
    open_data(replace(recipe, labels="multi"), ClipFiles(few))


def test_a_finished_model_is_tuned_on_the_val_split(tuned: Path) -> None:
    spec = spec_of(tuned)
    assert len(spec.thresholds) == 3 and set(spec.thresholds) != {0.5}
    assert spec.tuned_on == tuple(sorted(f"val{n}" for n in range(21)))
    told = json.loads((tuned / "summary.json").read_text())["tuning"]
    assert (told["split"], told["clips"], told["sources"]) == ("val", 21, 21)
    assert told["temperature"] == spec.temperature
    assert list(told["thresholds"].values()) == list(spec.thresholds)
    assert json.loads((tuned / "environment.json").read_text())[-1]["held_out"] == []


def test_recognition_and_evaluation_name_the_same(
    tuned: Path, with_val: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """By the thresholds in the model's folder, at its temperature."""
    common = ["--device", "cpu", "--precision", "float32"]
    out = tmp_path / "out"
    assert main(["evaluate", str(tuned), "--data", str(with_val), "--out", str(out), *common]) == 0
    assert "the model's own thresholds" in capsys.readouterr().out
    own = thresholds_of(spec_of(tuned))
    assert own is not None
    answers = read_predictions(out / "predictions.jsonl")
    predicted_NK = own.predict(answers.logits_NK)
    manifest = read_manifest(with_val)
    model = load(tuned, device="cpu", precision="float32")
    for record, predicted_K in zip(manifest.of("test"), predicted_NK, strict=True):
        (found,) = model.recognize(manifest.file(record))
        names = {name for name, yes in zip(answers.classes, predicted_K, strict=True) if yes}
        assert set(found.labels) == names
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["temperature"] == spec_of(tuned).temperature
    assert metrics["multi_label"]["f1_tuned"]["threshold_logits"] == list(own.logits)
    by_frequency = metrics["breakdowns"][1]["by_frequency"]
    assert [group["classes"] for group in by_frequency] == [0, 0, 3]  # two training clips each


def test_a_finished_model_is_tuned_by_command(
    tuned: Path, with_val: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tuned / "model", model)
    wanted = spec_of(tuned)
    description = json.loads((model / "model.json").read_text())
    description |= {"thresholds": [], "temperature": 1.0, "tuned_on": []}
    (model / "model.json").write_text(json.dumps(description))
    before = sorted(path.name for path in model.iterdir())
    command = ["evaluate", str(model), "--data", str(with_val), "--device", "cpu"]
    command += ["--precision", "float32", "--tune"]
    assert main([*command, "--split", "val"]) == 0
    said = capsys.readouterr()
    assert "tuned on 21 val clips of 21 videos" in said.err
    assert "was tuned on 21 of these videos" in said.err
    assert "the model's own thresholds" not in said.out
    found = load_model(model).spec
    assert found.thresholds == pytest.approx(wanted.thresholds, rel=1e-5)
    assert found.tuned_on == wanted.tuned_on
    assert sorted(path.name for path in model.iterdir()) == before
    for refused in (["--split", "test"], ["--split", "train"], []):
        assert main([*command, *refused]) == 1
        assert "use --split val" in capsys.readouterr().err
    assert main([*command, "--split", "val", "--input-size", "16"]) == 1
    assert "leave out --input-size" in capsys.readouterr().err
    assert load_model(model).spec == found


@pytest.mark.usefixtures("hurried")
def test_without_a_val_split_source_videos_are_held_out(
    without_val: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    recipe = replace(PLAIN, tuning=Tuning(hold_out=0.5))
    data = open_data(recipe, ClipFiles(without_val))
    held_out = {record.source for record in data.held_out("data")}
    assert held_out == data.sources
    assert len(held_out) == 27
    assert not held_out & {record.source for record in data.train("data")}
    assert data.clips["data"] == 54 - 27
    assert data.class_counts["data"].sum() == 54 - 27
    labels = [record.labels[0] for record in data.held_out("data")]
    assert {labels.count(name) for name in data.labels} == {9}
    assert data.manifests["data"] is data.manifests["sr_data"]
    for changed in (replace(recipe, seed=5), replace(recipe, phase3=ClassifierPhase(epochs=1))):
        assert open_data(changed, ClipFiles(without_val)).sources == data.sources
    run(recipe, order(without_val, tmp_path))
    assert "27 source videos of the training split with 27 clips" in capsys.readouterr().err
    about = json.loads((tmp_path / "environment.json").read_text())[-1]
    assert about["held_out"] == sorted(held_out)
    assert (about["data"]["data"]["train"], about["data"]["data"]["val"]) == (27, 27)
    assert any("val_map" in row for row in rows_of(tmp_path))
    spec = spec_of(tmp_path)
    assert set(spec.tuned_on) == held_out and len(spec.thresholds) == 3


def test_nothing_is_held_out_where_nothing_is_tuned(with_val: Path, without_val: Path) -> None:
    half = replace(PLAIN, tuning=Tuning(hold_out=0.5))
    for recipe, manifest in (
        (replace(PLAIN, tuning=Tuning(hold_out=0.0)), without_val),
        (replace(PLAIN, tuning=Tuning(False, False, 0.5)), without_val),
        (replace(half, labels="single"), without_val),
        (replace(half, tuning=Tuning(hold_out=0.3)), without_val),  # not 20 clips
        (half, with_val),
    ):
        data = open_data(recipe, ClipFiles(manifest))
        assert data.sources == frozenset() and data.held_out_note() == ""
        assert data.clips["data"] == (54 if manifest == without_val else 6)
    assert open_data(half, ClipFiles(without_val)).held_out_note()


def test_super_resolution_alone_leaves_the_same_videos_out(without_val: Path) -> None:
    """A classifier that takes its network over is tuned on them."""
    whole = replace(RECIPE, labels="multi", tuning=Tuning(hold_out=0.5))
    alone = without(whole, 2, 3)
    assert (
        open_data(alone, ClipFiles(without_val)).sources
        == open_data(whole, ClipFiles(without_val)).sources
    )
    assert open_data(alone, ClipFiles(without_val)).sources


def test_both_roles_hold_out_the_same_videos(without_val: Path) -> None:
    large = without_val.with_name("large.jsonl")
    shutil.copy(without_val, large)
    recipe = replace(without(RECIPE, 1), labels="multi", tuning=Tuning(hold_out=0.5))
    data = open_data(recipe, ClipFiles(without_val, large))
    for role in data.manifests:
        assert {record.source for record in data.held_out(role)} == data.sources


def test_a_source_is_held_out_whole_and_rare_classes_keep_theirs() -> None:
    def record(number: int, source: str, label: str) -> ClipRecord:
        fps = Fraction(25)
        return ClipRecord(str(number), "a.mp4", 9, 9, 9, fps, (label,), "train", source)

    records = [record(n, f"video {n // 4}", "common") for n in range(160)]
    records += [record(200 + n, f"rare {n}", "rare") for n in range(2)]  # none to spare
    found = held_out_sources(records, 0.1)
    assert len(found) == 4 and all(source.startswith("video") for source in found)
    assert held_out_sources(records[::-1], 0.1) == found
    assert held_out_sources(records, 0.0) == frozenset()


def test_a_rare_class_inside_videos_of_a_common_one_is_not_given_away() -> None:
    def record(number: int, source: int, label: str) -> ClipRecord:
        one = ClipRecord(str(number), "a.mp4", 9, 9, 9, Fraction(25), (label,), "train", "x")
        return replace(one, source=f"video {source}")

    records = [record(n, n // 10, "common") for n in range(400)]
    records += [record(400 + n, n, f"rare {n}") for n in range(40)]  # each in one video alone
    assert held_out_sources(records, 0.1) == frozenset()
    records = records[:400] + [record(400 + n, n, f"rare {n % 4}") for n in range(40)]
    held = held_out_sources(records, 0.1)
    assert len(held) == 4
    for rare in range(4):  # of ten videos with each, five at least are trained on
        assert sum(one.source in held for one in records if one.labels == (f"rare {rare}",)) <= 5


def test_a_finished_run_that_is_asked_for_again_keeps_its_tuning(
    tuned: Path, with_val: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(tuned, folder)
    before = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    described = folder / "model" / "model.json"
    described.write_bytes(before["model.json"].replace(b'"origin": "', b'"origin": "tuned again, '))
    told = (folder / "summary.json").read_text()
    assert run(PLAIN, order(with_val, folder))
    assert spec_of(folder).origin.startswith("tuned again, ")
    assert (folder / "summary.json").read_text() == told
    described.unlink()  # cut off before the model was written: it is written now
    assert run(PLAIN, order(with_val, folder))
    assert {p.name: p.read_bytes() for p in (folder / "model").iterdir()} == before


@pytest.mark.usefixtures("hurried")
def test_tuning_can_be_switched_off(with_val: Path, tmp_path: Path) -> None:
    run(replace(PLAIN, tuning=Tuning(False, False)), order(with_val, tmp_path))
    assert spec_of(tmp_path).thresholds == ()
    assert json.loads((tmp_path / "summary.json").read_text())["tuning"] is None


@pytest.mark.usefixtures("hurried")
def test_a_classifier_that_was_not_trained_is_not_tuned(with_val: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, labels="multi", phase1=replace(RECIPE.phase1, steps=(1, 1)))  # type: ignore[type-var]
    run(recipe, replace(order(with_val, tmp_path), phases=(1,)))
    assert spec_of(tmp_path).tuned_on == ()


def test_two_processes_tune_as_one(tuned: Path, with_val: Path, tmp_path: Path) -> None:
    together(train, PLAIN, order(with_val, tmp_path))
    one, two = spec_of(tuned), spec_of(tmp_path)
    assert two.tuned_on == one.tuned_on
    assert two.thresholds == pytest.approx(one.thresholds, abs=1e-3)
    assert two.temperature == pytest.approx(one.temperature, rel=1e-2)
