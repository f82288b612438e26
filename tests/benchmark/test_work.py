"""What children do, done in this process: the same code, without their start."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tinyvirat.benchmark import data as data_module
from tinyvirat.benchmark import speeds as speeds_module
from tinyvirat.benchmark import training as training_module
from tinyvirat.benchmark.children import Child
from tinyvirat.benchmark.data import measure_data
from tinyvirat.benchmark.networks import clips
from tinyvirat.benchmark.records import BenchmarkError
from tinyvirat.benchmark.speeds import (
    COMPARED_WITH,
    difference,
    measure,
    network_job,
    peaks,
    subject,
    trained,
    with_share,
)
from tinyvirat.benchmark.training import measure_training
from tinyvirat.benchmark.worker import open_work, serve
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.models.zoo import ZOO, config_to_json, cost_of
from tinyvirat.video.sampling import AllWindows

from .here import HereCrew
from .small import CONFIG, HOW, RECIPE, SUBJECT


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Children work in this process; what jobs they got is kept."""
    HereCrew.jobs = []
    for module in (speeds_module, data_module, training_module):
        monkeypatch.setattr(module, "Crew", HereCrew)
    return HereCrew.jobs


def test_a_network_in_every_precision_beside_the_published_one(
    here: list[dict[str, Any]], tmp_path: Path
) -> None:
    how = replace(HOW, engines=("torch",), precisions=("float32", "bfloat16", "int8"))
    rows, matrices = measure(SUBJECT, how, tmp_path)
    published, exact, half, whole = rows
    assert [row.key for row in rows] == [
        ("toy", "published", "float32"),
        ("toy", "torch", "float32"),
        ("toy", "torch", "bfloat16"),
        ("toy", "torch", "int8"),
    ]
    assert published.error == 0.0 and published.psnr is None
    assert exact.error is not None and 0.0 < exact.error < 1e-5
    assert half.error is not None and 1e-4 < half.error < 0.1
    assert exact.psnr is not None and half.psnr is not None
    assert exact.psnr > 100 > half.psnr > 40
    assert whole.reason is not None and "int8" in whole.reason
    for row in (published, exact, half):
        assert row.reason is None and row.published == "other"
        assert row.seconds and row.seconds_batched and row.ratio and row.ratio_batched
        assert row.batch in (1, 2)
        assert row.memory_mb and row.memory_mb > 50
        assert row.gmac > 0 and row.parameters == published.parameters
    assert {job["kind"] for job in here} == {"network", "matrix"}
    found = {peak.precision: peak for peak in peaks([matrices])}
    assert found["float32"].best >= found["float32"].median > 0
    shared = with_share(half, found["bfloat16"])
    assert half.seconds_batched is not None
    assert shared.share == pytest.approx(
        2 * half.gmac / half.seconds_batched / found["bfloat16"].best
    )


def test_ratios_are_to_the_published_network(tmp_path: Path, here: list[dict[str, Any]]) -> None:
    """To that which it stands in for, not to itself: their seconds tell which one was taken."""
    rows, _ = measure(SUBJECT, replace(HOW, engines=("torch",), precisions=("float32",)), tmp_path)
    own = rows[0]
    assert own.engine == "published"
    assert own.ratio != pytest.approx(1.0, abs=1e-12), "another network takes another time"
    alone = replace(SUBJECT, published="toy", reference=None)
    rows, _ = measure(alone, replace(HOW, engines=("torch",), precisions=("float32",)), tmp_path)
    assert rows[0].ratio == rows[0].ratio_batched == 1.0


def test_a_network_that_cannot_be_built_is_a_reason(
    here: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinyvirat.benchmark import networks
    from tinyvirat.models import inference

    real = inference.placed

    def broken(network: Any, device: Any, dtype: Any) -> Any:
        if str(dtype) == "torch.bfloat16":
            raise MemoryError("too large")
        return real(network, device, dtype)

    monkeypatch.setattr(networks, "placed", broken)
    rows, _ = measure(SUBJECT, replace(HOW, engines=("torch",)), tmp_path)
    assert [row.reason for row in rows] == [None, None, "too large"]
    assert rows[2].seconds is None


def test_engines_answer_like_pytorch(tmp_path: Path) -> None:
    """Exported once, run by both; what is asked of them in vain is a sentence."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    config = RecognizerConfig(ResNet3DConfig(10, num_classes=3, width=4), None, 32)
    one = replace(SUBJECT, config=config, reference=None)
    base = network_job(one, HOW) | {"file": str(tmp_path / "network.onnx")}
    open_work(base | {"kind": "export"})
    outputs = {}
    for engine in ("published", "onnx", "openvino"):
        work = open_work(base | {"engine": engine, "precision": "float32"})
        work.once(3)
        work.answer(tmp_path / f"{engine}.npz")
        outputs[engine] = tmp_path / f"{engine}.npz"
    for engine in ("onnx", "openvino"):
        error, psnr = difference(outputs[engine], outputs["published"])
        assert error is not None and error < 1e-4
        assert psnr is None
    with pytest.raises(BenchmarkError, match="float32"):
        open_work(base | {"engine": "onnx", "precision": "bfloat16"})


def test_compiling_is_asked_for_with_the_weights_held_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler itself takes a minute; what it is given is what `torch` runs."""
    asked: list[dict[str, Any]] = []

    def compiler(network: Any, **options: Any) -> Any:
        asked.append(options)
        return network

    monkeypatch.setattr(torch, "compile", compiler)
    job = network_job(replace(SUBJECT, reference=None), HOW) | {"precision": "float32"}
    for engine in ("compiled", "torch"):
        work = open_work(job | {"engine": engine})
        work.answer(tmp_path / f"{engine}.npz")
    assert asked == [{"options": {"freezing": True}}]
    assert difference(tmp_path / "compiled.npz", tmp_path / "torch.npz") == (0.0, None)


def test_training_steps_of_all_phases(here: list[dict[str, Any]]) -> None:
    how = replace(HOW, pace=replace(HOW.pace, turns=1, batches=(2,)))
    rows, matrices = measure_training(how, recipe=RECIPE)
    assert len(matrices) == 3
    assert [(row.what, row.variant) for row in rows] == [
        (f"phase {phase}", variant)
        for phase in (1, 2, 3)
        for variant in ("as published", "ours, float32", "ours, bfloat16")
    ]
    for row in rows:
        assert row.reason is None and row.seconds and row.ratio, row
    assert all(row.ratio == 1.0 for row in rows if row.variant == "as published")
    first, joint, last = (row.gmac or 0.0 for row in rows[::3])
    forward = cost_of(CONFIG, 16, 8).gmac
    assert joint > max(first, last) and 2.0 * forward < joint < 6.0 * forward


def test_a_training_step_moves_the_weights(here: list[dict[str, Any]]) -> None:
    measure_training(
        replace(HOW, precisions=(), pace=replace(HOW.pace, turns=1, batches=(2,))), recipe=RECIPE
    )
    job = next(job for job in here if job["kind"] == "training" and job["phase"] == 2)
    work: Any = open_work(job)
    before = [p.detach().clone() for p in work.phase.learning]
    work.once(2)
    moved = [not a.equal(b) for a, b in zip(before, work.phase.learning, strict=True)]
    assert all(moved)


def test_a_trained_model_is_measured_with_its_own_weights(
    here: list[dict[str, Any]], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    network = CONFIG.build()
    preprocess = Preprocess(16, full=None, short_side=None, fit="pad")
    spec = ModelSpec("mine", CONFIG, ("a", "b", "c"), True, preprocess, AllWindows(8))
    save_model(tmp_path / "mine", Model(spec, network))
    one = trained(tmp_path / "mine")
    assert (one.name, one.side, one.frames) == ("mine", 16, 8)
    rows, _ = measure(one, replace(HOW, engines=("torch",), precisions=("float32",)), tmp_path)
    assert rows[1].error is not None and rows[1].error < 1e-5
    with np.load(tmp_path / "0.npz") as found, torch.no_grad():
        wanted = network.eval()(clips(1, 8, 16, HOW.seed)).numpy()
        np.testing.assert_allclose(found["output"], wanted, rtol=1e-4, atol=1e-5)


def test_clips_on_their_way(here: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_module, "MADE", (144, 160, 20))
    monkeypatch.setattr(data_module, "CLIPS", 2)
    rows = measure_data(HOW, None)
    assert [row.what for row in rows] == [*data_module.MODES.values()]
    assert all(row.seconds and row.reason is None for row in rows)
    assert not Path(here[0]["manifest"]).exists(), "what was made is gone"


def test_the_worker_answers_in_lines() -> None:
    said: list[dict[str, Any]] = []
    job = {"kind": "matrix", "precision": "float32", "device": "cpu", "threads": 1}
    orders = [job, {"size": 32, "warm": True}, {"size": 32}, {"answer": "x"}, {"size": 32}]
    serve(io.StringIO("".join(json.dumps(order) + "\n" for order in orders)), said.append)
    assert [sorted(one) for one in said] == [
        ["prepare_seconds"],
        ["memory_mb", "seconds"],
        ["memory_mb", "seconds"],
        ["error"],
    ]
    said.clear()
    serve(io.StringIO(json.dumps(job | {"kind": "nothing"}) + "\n"), said.append)
    assert said == [{"error": "ValueError: no work is called 'nothing'"}]


def test_the_real_process() -> None:
    with Child(
        {"kind": "matrix", "precision": "bfloat16", "device": "cpu"}, threads=1, seconds=120
    ) as child:
        assert child.ready()["prepare_seconds"] > 0
        answer = child.work(size=64)
    assert 0 < answer["seconds"] < 10
    assert 20 < answer["memory_mb"] < 5000


def test_errors_are_relative_and_psnr_is_of_the_range(tmp_path: Path) -> None:
    exact, near = np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]])
    video = np.zeros((1, 3, 2, 4, 4))
    np.savez(tmp_path / "exact.npz", output=exact, video=video)
    np.savez(tmp_path / "near.npz", output=near, video=video + 0.02)
    error, psnr = difference(tmp_path / "near.npz", tmp_path / "exact.npz")
    assert error == pytest.approx(0.1)
    assert psnr == pytest.approx(40.0), "a hundredth of the range of 2"
    assert difference(tmp_path / "exact.npz", tmp_path / "exact.npz") == (0.0, None)


def test_every_network_of_ours_stands_in_for_one_of_the_zoo() -> None:
    assert set(COMPARED_WITH) | set(COMPARED_WITH.values()) <= set(ZOO)
    slim = subject("prog-dvsr-x8-slim")
    assert slim.published == "prog-dvsr-x8" and slim.reference is not None
    assert config_to_json(slim.reference[0]) == config_to_json(ZOO["prog-dvsr-x8"].config)
    assert subject("i3d-112").reference is None
    with pytest.raises(BenchmarkError, match="choose from prog-dvsr-x8"):
        subject("i4d")
