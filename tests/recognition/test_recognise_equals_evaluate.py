"""Recognising a file gives the numbers that evaluating it gives: through Python, and by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tinyvirat.cli import main
from tinyvirat.datasets.manifest import read_manifest
from tinyvirat.evaluation.evaluate import predict
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.recognition.load import load

from .conftest import LABELS, MODELS, write_model


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_in_python(clips: Path, tmp_path: Path, name: str, precision: str) -> None:
    recognizer = load(write_model(tmp_path, name), device="cpu", precision=precision)
    manifest = read_manifest(clips)
    evaluated = predict(recognizer.inference, manifest, "test")
    logits_NK = torch.from_numpy(evaluated.logits_NK)
    probabilities_NK = recognizer.spec.probabilities(logits_NK).numpy()
    tolerance = 1e-5 if precision == "float32" else 2e-2
    answers = []
    for n, record in enumerate(manifest.records):
        (found,) = recognizer.recognize(manifest.file(record))
        wanted = probabilities_NK[n]
        assert evaluated.ids[n] == record.id
        assert [found.scores[label] for label in LABELS] == pytest.approx(wanted, abs=tolerance)
        assert (found.start, found.stop) == (0, record.frames)
        assert found.start_time == pytest.approx(0.0)
        assert found.stop_time == pytest.approx(float(record.frames / record.fps), abs=1e-3)
        answers.append(tuple(wanted))
    assert len(set(answers)) == len(answers)  # no two alike: equality says something


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("input_size", [None, 8])
def test_by_command(
    clips: Path, tmp_path: Path, name: str, input_size: int | None, capsys: pytest.CaptureFixture
) -> None:
    model = str(write_model(tmp_path / "model", name))
    smaller = [] if input_size is None or name == "any size" else ["--input-size", str(input_size)]
    common = ["--device", "cpu", "--precision", "float32", *smaller]
    out = tmp_path / "out"
    evaluating = ["evaluate", model, "--data", str(clips), "--out", str(out), "--no-quality"]
    assert main([*evaluating, *common]) == 0
    capsys.readouterr()
    assert main(["recognize", str(clips.parent), "--model", model, "--json", *common]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    evaluated = read_predictions(out / "predictions.jsonl")
    spec = load(model, device="cpu").spec
    probabilities_NK = spec.probabilities(torch.from_numpy(evaluated.logits_NK)).numpy()
    assert [Path(row["video"]).stem for row in rows] == [str(n) for n in range(len(rows))]
    for row, wanted in zip(rows, probabilities_NK, strict=True):
        # Rows are rounded to six decimals.
        assert list(row["scores"].values()) == pytest.approx(wanted, abs=1e-5)
