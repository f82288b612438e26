"""The report of a run's predictions, and that the file alone gives it again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.report import report_on, write_report
from tinyvirat.evaluation.tables import to_json
from tinyvirat.evaluation.thresholds import Thresholds, tuned


def predictions(*, multi_label: bool, split: str = "test", seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    targets = rng.random((40, 6)) < 0.3 if multi_label else np.eye(6)[rng.integers(0, 6, 40)] > 0
    return Predictions(
        ids=tuple(f"{split} {n}" for n in range(40)),
        sources=tuple(f"{split} video {n % 8}" for n in range(40)),
        sizes_N2=rng.integers(10, 129, (40, 2)),
        logits_NK=rng.normal(size=(40, 6)).astype(np.float32).astype(np.float64) + targets,
        targets_NK=targets,
        classes=tuple("abcdef"),
        multi_label=multi_label,
        split=split,
        manifest_sha256="ab" * 32,
        model="test",
    )


@pytest.mark.parametrize("multi_label", [True, False])
def test_the_file_alone_gives_the_same_report(tmp_path: Path, multi_label: bool) -> None:
    answered = predictions(multi_label=multi_label)
    found = report_on(answered, resamples=50)
    files = write_report(tmp_path, found, answered)
    assert all(file.is_file() for file in files)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in files}
    again = report_on(read_predictions(tmp_path / "predictions.jsonl"), resamples=50)
    assert again == found
    assert (tmp_path / "metrics.json").read_text(encoding="utf-8") == to_json(again)
    told = (tmp_path / "metrics.md").read_text(encoding="utf-8")
    assert told.count("**") == 2 * len(found.tables())


def test_multi_label_intervals_belong_to_their_scores() -> None:
    found = report_on(predictions(multi_label=True), resamples=50)
    assert found.single_label is None
    assert found.multi_label is not None
    for name, interval in found.intervals.items():
        of = found.multi_label if name == "mean_average_precision" else found.multi_label.f1
        assert interval.point == pytest.approx(getattr(of, name), abs=1e-6)
    assert len(found.intervals) == 5
    (breakdown,) = found.breakdowns
    assert breakdown.thresholds == "p = 0.5"
    assert sum(group.clips for group in breakdown.by_size) == 40
    assert breakdown.by_frequency == ()


def test_breakdowns_are_at_both_thresholds_and_by_the_training_split() -> None:
    answered = predictions(multi_label=True)
    limits = Thresholds("mine", answered.classes, (0.7,) * 6)
    clips = dict(zip("abcdef", (500, 100, 99, 20, 19, 0), strict=True)) | {"other": 7}
    found = report_on(answered, tuned=limits, training_clips=clips, resamples=5)
    assert [one.thresholds for one in found.breakdowns] == ["p = 0.5", "mine"]
    for one, scores in zip(
        found.breakdowns, (found.multi_label.f1, found.multi_label.f1_tuned), strict=True
    ):
        assert [group.classes for group in one.by_frequency] == [2, 2, 2]
        per_class = [entry.f1 for entry in scores.per_class]
        assert [group.macro for group in one.by_frequency] == pytest.approx(
            [np.mean(per_class[k : k + 2]) for k in (0, 2, 4)]
        )
    titles = [table.title for table in found.tables()]
    assert titles[2:] == [
        "F1 at p = 0.5, by the clip's longer side",
        "F1 at p = 0.5, by how common a class is",
        "F1 at mine, by the clip's longer side",
        "F1 at mine, by how common a class is",
    ]
    assert found.intervals["macro_tuned"].point == pytest.approx(found.multi_label.f1_tuned.macro)


@pytest.mark.parametrize("multi_label", [True, False])
def test_the_temperature_changes_calibration_alone(tmp_path: Path, multi_label: bool) -> None:
    answered = predictions(multi_label=multi_label)
    plain = report_on(answered, resamples=5)
    warm = report_on(answered, temperature=3.0, resamples=5)
    assert (plain.temperature, plain.uncalibrated) == (1.0, None)
    assert warm.uncalibrated == plain.calibration != warm.calibration
    assert replace(warm, temperature=1.0, calibration=plain.calibration, uncalibrated=None) == plain
    note = warm.tables()[0].notes[0]
    assert note.startswith("Expected calibration error ") and " at the temperature 3, " in note
    drawn = [
        next(f for f in write_report(tmp_path / name, one, answered) if f.stem == "reliability")
        for name, one in (("plain", plain), ("warm", warm))
    ]
    assert drawn[0].read_bytes() != drawn[1].read_bytes()


def test_single_label_intervals_belong_to_their_scores() -> None:
    found = report_on(predictions(multi_label=False), resamples=50)
    assert found.multi_label is None
    assert set(found.intervals) == {"top1", "top5", "mean_class"}
    for name, interval in found.intervals.items():
        assert interval.point == pytest.approx(getattr(found.single_label, name))


def test_thresholds_come_from_other_videos() -> None:
    held_out = predictions(multi_label=True, split="val", seed=1)
    thresholds = tuned(held_out.tuning_set())
    scored = predictions(multi_label=True)
    found = report_on(scored, tuned=thresholds, resamples=5)
    assert found.multi_label is not None
    assert found.multi_label.f1_tuned is not None
    assert found.multi_label.f1_tuned.threshold_logits == thresholds.logits
    with pytest.raises(EvaluationError, match="were tuned on 8 of the videos"):
        report_on(held_out, tuned=thresholds, resamples=5)


def test_clips_without_known_labels_have_no_report() -> None:
    with pytest.raises(EvaluationError, match="no known labels"):
        report_on(replace(predictions(multi_label=True), targets_NK=None))


def test_the_report_is_json_even_where_scores_do_not_exist() -> None:
    empty = replace(predictions(multi_label=True), targets_NK=np.zeros((40, 6), dtype=np.bool_))
    data = json.loads(to_json(report_on(empty, resamples=5)))
    assert data["multi_label"]["mean_average_precision"] is None
    assert set(data["intervals"]) == {"macro", "micro", "samples"}
