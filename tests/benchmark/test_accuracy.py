"""What number formats and engines cost a trained model in accuracy."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.benchmark.accuracy import measure_accuracy
from tinyvirat.benchmark.page import cost_cells, section
from tinyvirat.benchmark.records import Cost, Machine, Report
from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.manifest import ClipRecord, write_manifest
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.video import write_video
from tinyvirat.video.sampling import AllWindows

from .small import CONFIG, HOW

LABELS = ("a", "b", "c")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    records = []
    for number in range(6):
        path = folder / f"{number}.mp4"
        write_video(path, rng.integers(0, 255, (8, 32, 32, 3), np.uint8), Fraction(25))
        records.append(
            ClipRecord(
                id=path.stem,
                path=path.name,
                frames=8,
                height=32,
                width=32,
                fps=Fraction(25),
                labels=(LABELS[number % 3],),
                split="test",
                source=path.stem,
            )
        )
    write_manifest(folder / "manifest.jsonl", records)
    return folder / "manifest.jsonl"


@pytest.fixture(scope="module", params=[False, True], ids=["single", "multi"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    preprocess = Preprocess(16, full=None, short_side=None, fit="pad")
    spec = ModelSpec("toy", CONFIG, LABELS, request.param, preprocess, AllWindows(8))
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, Model(spec, CONFIG.build()))
    return folder


def test_every_engine_and_format_is_scored_beside_float32(model: Path, manifest: Path) -> None:
    exact, bfloat16, onnx, refused = measure_accuracy(str(model), manifest, HOW)
    assert (exact.engine, exact.precision) == ("torch", "float32")
    assert exact.gained == 0.0 and exact.other == 0 and exact.clips == 6
    assert exact.metric in ("top 1", "mAP") and exact.score is not None
    assert (bfloat16.engine, bfloat16.precision) == ("torch", "bfloat16")
    assert bfloat16.score is not None and bfloat16.gained is not None
    assert abs(bfloat16.score - exact.score - bfloat16.gained) < 1e-9
    assert (onnx.engine, onnx.other, onnx.gained) == ("onnx", 0, 0.0)
    assert refused.reason is not None and "float32 only" in refused.reason


def test_a_worse_network_is_seen(
    model: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is of answers: a format that turned every logit round would show."""
    from tinyvirat.benchmark import accuracy

    real, calls = accuracy.predict, []

    def predict(*args: object, **options: object) -> object:
        found = real(*args, **options)  # type: ignore[arg-type]
        calls.append(found)
        return found if len(calls) == 1 else replace(found, logits_NK=-found.logits_NK - 1e-3)

    monkeypatch.setattr(accuracy, "predict", predict)
    how = replace(HOW, engines=("torch",))
    _, turned = measure_accuracy(str(model), manifest, how)
    assert turned.other == 6


def test_clips_of_other_classes_are_refused(model: Path, manifest: Path) -> None:
    other = manifest.with_name("other.jsonl")
    text = manifest.read_text(encoding="utf-8").replace('"labels": ["a"]', '"labels": ["other"]')
    other.write_text(text, encoding="utf-8")
    with pytest.raises(TinyviratError, match="'other' is not one of the model's"):
        measure_accuracy(str(model), other, HOW)


def test_the_table() -> None:
    costs = (
        Cost("toy", "torch", "float32", "top 1", 6, 0.5, 0.0, 0.0, 0.0, 0),
        Cost("toy", "torch", "bfloat16", "top 1", 6, 0.475, -0.025, -0.05, 0.01, 2),
        Cost("toy", "onnx", "bfloat16", reason="there is none"),
    )
    _, rows = cost_cells(costs)
    assert rows[1] == (
        "toy", "torch", "bfloat16", "top 1", "47.50", "-2.50 [-5.00, +1.00]", "2 of 6",
    )  # fmt: skip
    machine = Machine("c", "", "t", "p", "l", "3", "0", (), 1, 0, 0.0)
    page = section(Report(machine, costs=costs))
    assert "### What it costs in accuracy" in page
    assert "- toy onnx bfloat16 accuracy: there is none" in page
