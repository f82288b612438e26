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
from tinyvirat.evaluation.thresholds import tuned


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
    assert sum(group.clips for group in found.by_size) == 40


def test_single_label_intervals_belong_to_their_scores() -> None:
    found = report_on(predictions(multi_label=False), resamples=50)
    assert found.multi_label is None
    assert set(found.intervals) == {"top1", "top5", "mean_class"}
    for name, interval in found.intervals.items():
        assert interval.point == pytest.approx(getattr(found.single_label, name))


def test_thresholds_come_from_other_videos() -> None:
    held_out = predictions(multi_label=True, split="train", seed=1)
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
