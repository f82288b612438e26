"""Evaluation leaves out what is in quarantine, says how much that was, and skips nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.cli.evaluate import evaluate
from tinyvirat.datasets import read_manifest
from tinyvirat.datasets.health.quarantine import Quarantined, write_quarantine
from tinyvirat.datasets.loading import LoadingError
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.evaluate import predict
from tinyvirat.evaluation.prediction_file import read_predictions, write_predictions
from tinyvirat.evaluation.predictions import Predictions, joined
from tinyvirat.evaluation.report import report_on
from tinyvirat.evaluation.tables import as_text
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.inference import Inference
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.video.sampling import AllWindows

from ..noise_clips import write_noise_clips

LABELS = ("a", "b")
CLIPS = 6


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    config = RecognizerConfig(I3DConfig(width=0.0625, num_classes=2), None, side=32)
    spec = ModelSpec(
        name="small",
        config=config,
        labels=LABELS,
        multi_label=False,
        preprocess=Preprocess(32, full=None, short_side=None, fit="pad"),
        sampler=AllWindows(length=8),
        origin="a test",
    )
    return Model(spec, config.build().eval())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = ["train", *["test"] * (CLIPS - 1)]
    return write_noise_clips(tmp_path_factory.mktemp("made"), LABELS, splits)


@pytest.fixture
def manifest(made: Path, tmp_path: Path) -> Path:
    """Six clips, five of them to test on; the file of clip 2 is damaged."""
    shutil.copytree(made.parent, tmp_path / "clips")
    (tmp_path / "clips" / "2.mp4").write_bytes(b"no video")
    return tmp_path / "clips" / made.name


def quarantine(manifest: Path, *ids: str) -> None:
    rows = [Quarantined(name, f"{name}.mp4", "unreadable") for name in ids]
    write_quarantine(manifest.parent / "quarantine.jsonl", rows, about=[], reasons=[])


def test_a_clip_that_fails_ends_an_evaluation_and_the_remedy_is_told(
    model: Model, manifest: Path
) -> None:
    with pytest.raises(LoadingError, match=rf"clip '2': .*'tinyvirat data check {manifest}'"):
        predict(Inference(model), read_manifest(manifest), "test")


def test_what_is_in_quarantine_is_left_out_and_counted(model: Model, manifest: Path) -> None:
    quarantine(manifest, "0", "2", "3")
    found = predict(Inference(model), read_manifest(manifest), "test")
    assert found.ids == ("1", "4", "5")
    assert found.quarantined == 2  # the third is of another split
    report = report_on(found, resamples=5)
    assert report.quarantined == 2
    first, *others = (as_text(table) for table in report.tables())
    assert "Left out, in quarantine: 2 clips of the split." in first
    assert not any("quarantine" in text for text in others)


def test_nothing_in_quarantine_is_not_spoken_of(model: Model, made: Path) -> None:
    report = report_on(predict(Inference(model), read_manifest(made), "test"), resamples=5)
    assert report.quarantined == 0
    assert not any("quarantine" in as_text(table) for table in report.tables())


def test_the_command_says_and_writes_it(
    model: Model, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine(manifest, "2")
    save_model(tmp_path / "model", model)
    out = tmp_path / "out"
    assert evaluate(str(tmp_path / "model"), data=manifest, out=out, device="cpu") == 0
    note = f"{manifest}: 1 of 5 test clips are left out, in quarantine: 1 unreadable"
    assert note in capsys.readouterr().err
    assert json.loads((out / "metrics.json").read_text())["quarantined"] == 1
    assert "in quarantine: 1 clips" in (out / "metrics.md").read_text()
    assert read_predictions(out / "predictions.jsonl").quarantined == 1


def some(**changes: object) -> Predictions:
    plain = Predictions(
        ids=("a",),
        sources=("s",),
        sizes_N2=np.array([[10, 12]]),
        logits_NK=np.array([[0.1, 2.0]]),
        targets_NK=None,
        classes=LABELS,
        multi_label=False,
        split="test",
        manifest_sha256="0a" * 32,
        model="m",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_file_of_predictions_keeps_the_number(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    for number in (0, 3):
        write_predictions(path, some(quarantined=number))
        assert ('"quarantined"' in path.read_text()) == (number > 0)
        assert read_predictions(path).quarantined == number


@pytest.mark.parametrize("value", ['"3"', "-1", "true", "null", "1.0"])
def test_a_wrong_number_is_told(tmp_path: Path, value: str) -> None:
    path = tmp_path / "p.jsonl"
    write_predictions(path, some(quarantined=3))
    path.write_text(path.read_text().replace('"quarantined": 3', f'"quarantined": {value}'))
    with pytest.raises(EvaluationError, match="line 1: quarantined must be a number of clips"):
        read_predictions(path)


def test_parts_of_one_evaluation_have_one_quarantine() -> None:
    join: Callable[..., Predictions] = joined
    assert join([some(quarantined=2), some(ids=("b",), quarantined=2)]).quarantined == 2
    with pytest.raises(ValueError, match="parts differ in quarantined"):
        join([some(quarantined=2), some(ids=("b",))])
