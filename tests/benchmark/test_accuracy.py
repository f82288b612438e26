"""What number formats and engines cost a trained model in accuracy."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tinyvirat.benchmark import accuracy
from tinyvirat.benchmark.accuracy import measure_accuracy
from tinyvirat.benchmark.children import Child
from tinyvirat.benchmark.page import cost_cells, section
from tinyvirat.benchmark.records import Cost, Machine, Report
from tinyvirat.benchmark.run import Wanted, run
from tinyvirat.common.errors import TinyviratError
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.video.sampling import AllWindows

from ..noise_clips import write_noise_clips
from .here import HereChild
from .small import CONFIG, HOW, SUBJECT

LABELS = ("a", "b", "c")
TORCH = replace(HOW, engines=("torch",))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_noise_clips(tmp_path_factory.mktemp("clips"), LABELS, ["test"] * 6)


@pytest.fixture(scope="module", params=[False, True], ids=["single", "multi"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    preprocess = Preprocess(16, full=None, short_side=None, fit="pad")
    spec = ModelSpec("toy", CONFIG, LABELS, request.param, preprocess, AllWindows(8))
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, Model(spec, CONFIG.build()))
    return folder


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children work in this process: the same code, without their start."""
    monkeypatch.setattr(accuracy, "Child", HereChild)


@pytest.mark.usefixtures("here")
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


@pytest.mark.usefixtures("here")
def test_a_worse_network_is_seen(
    model: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is of answers: a format that turned every logit round would show."""
    real, calls = accuracy.predict, []

    def predict(*args: object, **options: object) -> object:
        found = real(*args, **options)  # type: ignore[arg-type]
        calls.append(found)
        return found if len(calls) == 1 else replace(found, logits_NK=-found.logits_NK - 1e-3)

    monkeypatch.setattr(accuracy, "predict", predict)
    _, turned = measure_accuracy(str(model), manifest, TORCH)
    assert turned.other == 6


class DyingChild(Child):
    """A real process, which is killed where it should answer in the wrong format."""

    dies = "bfloat16"

    def __init__(self, job: dict[str, Any], **options: Any) -> None:
        if job["precision"] == self.dies:
            kill = "import os; input(); os.kill(os.getpid(), 11)"
            options["command"] = (sys.executable, "-S", "-c", kill)
        super().__init__(job, **options)


def test_each_is_a_process_and_its_crash_is_a_line(
    model: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "Child", DyingChild)
    exact, killed = measure_accuracy(str(model), manifest, TORCH)
    assert exact.score is not None and exact.reason is None
    assert killed.score is None and killed.reason == "ended by SIGSEGV"
    monkeypatch.setattr(DyingChild, "dies", "float32")
    assert [row.reason for row in measure_accuracy(str(model), manifest, TORCH)] == [
        "ended by SIGSEGV",
        "PyTorch in float32 gave nothing to compare with",
    ]


def test_clips_without_labels_are_a_reason(
    model: Path, manifest: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = accuracy.predict
    monkeypatch.setattr(
        accuracy, "predict", lambda *a, **k: replace(real(*a, **k), targets_NK=None)
    )
    exact, _ = measure_accuracy(str(model), manifest, TORCH)
    assert exact.reason is not None and "no known labels" in exact.reason


def test_clips_of_other_classes_are_refused(model: Path, manifest: Path) -> None:
    other = manifest.with_name("other.jsonl")
    text = manifest.read_text(encoding="utf-8").replace('"labels": ["a"]', '"labels": ["other"]')
    other.write_text(text, encoding="utf-8")
    with pytest.raises(TinyviratError, match="'other' is not one of the model's"):
        measure_accuracy(str(model), other, HOW)
    wanted = Wanted((SUBJECT,), HOW, clips=other, models=[str(model)])
    said: list[str] = []
    with pytest.raises(TinyviratError, match="'other' is not one of the model's"):
        run(wanted, said.append)
    assert not said, "before anything is measured"


@pytest.mark.usefixtures("here")
def test_labels_are_those_from_their_thresholds_on(
    model: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.4 in one format and 0.45 in the other is the same from 0.5 on, and not from 0.42 on."""
    real, logits = accuracy.predict, iter([math.log(0.4 / 0.6), math.log(0.45 / 0.55)] * 2)
    monkeypatch.setattr(
        accuracy,
        "predict",
        lambda *a, **k: replace(
            found := real(*a, **k), logits_NK=found.logits_NK * 0 + next(logits)
        ),
    )
    spec, _ = accuracy.check_clips(str(model), manifest)
    for threshold, other in ((0.5, 0), (0.42, 6 if spec.multi_label else 0)):
        tuned = replace(spec, thresholds=(threshold,) * 3), 6
        monkeypatch.setattr(accuracy, "check_clips", lambda *_, tuned=tuned: tuned)
        _, second = measure_accuracy(str(model), manifest, TORCH)
        assert second.other == other


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
