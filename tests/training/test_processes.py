"""Two processes on one machine (gloo) do what one does, and nothing twice."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.processes import this_process, without_accelerator
from tinyvirat.datasets.manifest import read_manifest
from tinyvirat.evaluation.evaluate import predict, quality
from tinyvirat.evaluation.prediction_file import read_predictions, write_predictions
from tinyvirat.recognition.load import load
from tinyvirat.training.checkpoint import FOLDER
from tinyvirat.training.data import ClipFiles
from tinyvirat.training.recipe import ClassifierPhase, Recipe, Sampling
from tinyvirat.training.run import Order, run

from .processes import SLOW, exit_code, rows_of, together, train
from .small import RECIPE, UPKEEP, without, write_clips

assert RECIPE.phase1 and RECIPE.phase2 and RECIPE.phase3
WHOLE = replace(
    RECIPE,
    phase1=replace(RECIPE.phase1, optimizer=SLOW),
    phase2=replace(RECIPE.phase2, optimizer=SLOW, classifier_optimizer=SLOW),
    phase3=replace(RECIPE.phase3, optimizer=SLOW, freeze_generator=False),
    upkeep=replace(UPKEEP, ema=0.5, validate_every=2),
)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "weights.safetensors")


@pytest.fixture(scope="module")
def alone(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    assert exit_code(train, WHOLE, Order(ClipFiles(clips), out=out, cpu=True)) == 0
    return out


@pytest.fixture(scope="module")
def both(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("both")
    together(train, WHOLE, Order(ClipFiles(clips), out=out, cpu=True))
    return out


def test_two_processes_give_the_losses_of_one(alone: Path, both: Path) -> None:
    """All phases, with live batch norms in attention branch and classifier."""
    one, two = rows_of(alone), rows_of(both)
    assert len(one) == 12 + 4 + 3  # iterations, validations in between and at the ends
    for row, other in zip(one, two, strict=True):
        assert list(row) == list(other)
        assert (row.pop("phase"), row.pop("step")) == (other.pop("phase"), other.pop("step"))
        assert row == pytest.approx(other, rel=2e-3, abs=1e-6)


def test_two_processes_mix_and_repeat_as_one(clips: Path, tmp_path: Path) -> None:
    recipe = replace(
        without(WHOLE, 1, 2),
        phase3=ClassifierPhase(steps=2, batch=4, mixup=0.4, sampling=Sampling(repeat_factor=0.5)),
    )
    order = Order(ClipFiles(clips), out=tmp_path / "one", cpu=True)
    assert exit_code(train, recipe, order) == 0
    together(train, recipe, replace(order, out=tmp_path / "two"))
    losses = [
        [row["loss"] for row in rows_of(tmp_path / name) if "loss" in row]
        for name in ("one", "two")
    ]
    assert len(losses[0]) == 2
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_two_processes_give_the_gradients_of_one(clips: Path, tmp_path: Path, number: int) -> None:
    """By Adam's first moments after one iteration: the gradients, times a constant."""
    recipe = without(WHOLE, *({1, 2, 3} - {number}))
    if recipe.phase1:
        recipe = replace(recipe, phase1=replace(recipe.phase1, steps=(1,)))
    order = Order(ClipFiles(clips), out=tmp_path / "one", cpu=True, until=1)
    assert exit_code(train, recipe, order) == 0
    together(train, recipe, replace(order, out=tmp_path / "two"))
    one, two = (
        load_file(next((tmp_path / name / FOLDER).glob("*.safetensors"))) for name in ("one", "two")
    )
    assert one.keys() == two.keys()
    moments = [name for name in one if name.endswith("/exp_avg")]
    assert len(moments) > 20
    # A bias before a batch norm has no gradient: what stands there is rounding.
    rounding = 1e-5 * max(float(one[name].norm()) for name in moments)
    for name in moments:
        # Batch norm over few and nearly equal values makes much of rounding: `test_norms` is exact.
        assert (one[name] - two[name]).norm() <= 5e-2 * one[name].norm() + rounding, name
    for name in one:
        if "running_" in name:
            torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-5)


def test_the_summary_says_how_many_there_were(both: Path) -> None:
    summary = json.loads((both / "summary.json").read_text())
    assert summary["processes"] == 2
    assert summary["complete"]
    assert len(list((both / "tensorboard").iterdir())) == 3  # one a phase, by the first alone


def kill_both_after(recipe: Recipe, order: Order, iterations: int) -> None:
    """Trains; the process dies, and the other with it, as a launcher would see to."""
    import tinyvirat.training.loop as home

    original, calls = home._average_gradients, 0

    def counted(*args: Any) -> None:
        nonlocal calls
        original(*args)
        calls += 1
        if calls == iterations:
            os.kill(os.getpid(), signal.SIGKILL)

    home._average_gradients = counted
    train(recipe, order)


def test_two_processes_resume_to_the_same_bits(clips: Path, tmp_path: Path, both: Path) -> None:
    order = Order(ClipFiles(clips), out=tmp_path, cpu=True)
    with pytest.raises(AssertionError, match="-9, -9"):
        together(kill_both_after, WHOLE, order, 8)
    together(train, WHOLE, order)
    assert rows_of(tmp_path) == rows_of(both)
    theirs = weights(both)
    for name, tensor in weights(tmp_path).items():
        assert torch.equal(tensor, theirs[name]), name


def expect(recipe: Recipe, order: Order, message: str) -> None:
    """Trains, and wants to be refused."""
    rank = this_process(order.cpu).process_index
    if "{rank}" in str(order.out):
        order = replace(order, out=Path(str(order.out).format(rank=rank)))
    with pytest.raises(TinyviratError, match=message):
        run(recipe, order)


def test_a_batch_that_cannot_be_shared_evenly_is_told(clips: Path, tmp_path: Path) -> None:
    odd = replace(without(RECIPE, 1, 2), phase3=replace(RECIPE.phase3, batch=3))  # type: ignore[type-var]
    together(
        expect, odd, Order(ClipFiles(clips), out=tmp_path, cpu=True), "shared evenly by 2 processes"
    )


def test_processes_with_folders_of_their_own_are_told(
    clips: Path, tmp_path: Path, alone: Path
) -> None:
    (tmp_path / "0").symlink_to(alone)
    (tmp_path / "1").mkdir()
    order = Order(ClipFiles(clips), out=tmp_path / "{rank}", cpu=True)
    together(expect, WHOLE, order, "not the same folder for all processes")


def answer(model: Path, manifest: Path, split: str, out: Path) -> None:
    """Answers a split; the first process writes it down."""
    process = this_process()
    inference = load(model, device="cpu", precision="float32").inference
    data = read_manifest(manifest)
    predictions = predict(inference, data, split)
    found = quality(inference, data, split)
    if process.is_main_process:
        write_predictions(out / "p.jsonl", predictions)
        assert found is not None
        values = {name: [one.videos, one.psnr, one.ssim] for name, one in found.items()}
        (out / "q.json").write_text(json.dumps([process.num_processes, values]))


@pytest.mark.parametrize("test_clips", [5, 1])
def test_every_clip_is_answered_exactly_once(both: Path, tmp_path: Path, test_clips: int) -> None:
    """Also where one of the two processes has nothing to do."""
    manifest = write_clips(tmp_path, splits={"train": 3, "test": test_clips})
    single, several = tmp_path / "one", tmp_path / "two"
    single.mkdir()
    several.mkdir()
    assert exit_code(answer, both, manifest, "test", single) == 0
    together(answer, both, manifest, "test", several)
    one, two = (read_predictions(folder / "p.jsonl") for folder in (single, several))
    assert two.ids == one.ids == tuple(f"test{n}" for n in range(test_clips))
    assert (two.targets_NK == one.targets_NK).all()  # type: ignore[union-attr]
    assert two.logits_NK == pytest.approx(one.logits_NK, abs=1e-5)
    processes, values = json.loads((several / "q.json").read_text())
    assert processes == 2
    for name, found in json.loads((single / "q.json").read_text())[1].items():
        assert values[name] == pytest.approx(found)
        assert found[0] == test_clips


def test_a_machine_without_accelerator_computes_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for there in (True, False):
        monkeypatch.setattr(torch.accelerator, "is_available", lambda there=there: there)
        assert without_accelerator() is not there
        assert without_accelerator(cpu=True)


def unlike(out: Path) -> None:
    """Notes how many processes there are, without being told of the CPU."""
    process = this_process()
    (out / f"{process.process_index}").write_text(str(process.num_processes))
    process.wait_for_everyone()  # one that ends while the other still connects makes that one fail


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator")
def test_processes_without_accelerator_find_each_other(tmp_path: Path) -> None:
    together(unlike, tmp_path)
    assert [(tmp_path / str(rank)).read_text() for rank in (0, 1)] == ["2", "2"]
