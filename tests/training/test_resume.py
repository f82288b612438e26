"""A run that is killed at any moment, and resumed, is the run that was never killed."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import locked
from tinyvirat.training.checkpoint import (
    FOLDER,
    SIDECAR,
    CheckpointError,
    Position,
    State,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from tinyvirat.training.data import ClipFiles
from tinyvirat.training.fade import Fade
from tinyvirat.training.recipe import Optimizer, Sampling, SuperResolutionPhase
from tinyvirat.training.run import LOCK, Order, run

from .processes import (
    CONTEXT,
    PATIENCE,
    exit_code,
    rows_of,
    train,
    train_until_killed,
)
from .small import RECIPE, UPKEEP, without

LOOP = "tinyvirat.training.loop"
assert RECIPE.phase1 and RECIPE.phase2 and RECIPE.phase3
WHOLE = replace(
    RECIPE,
    classifier=replace(RECIPE.classifier, dropout=0.5),
    phase1=SuperResolutionPhase(steps=(2, 3), batch=(4, 2), fade=Fade(per_step=0.5)),
    phase2=replace(RECIPE.phase2, classifier_optimizer=Optimizer(clip_norm=0.1, decay="cosine")),
    phase3=replace(RECIPE.phase3, mixup=0.4, sampling=Sampling(repeat_factor=0.5)),
    upkeep=replace(UPKEEP, ema=0.9, accumulate=2, validate_every=2),
)
STEPS = {"1-super-resolution": 5, "2-joint": 3, "3-classifier": 3}


@pytest.fixture(scope="module")
def uninterrupted(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from beginning to end."""
    out = tmp_path_factory.mktemp("uninterrupted")
    assert exit_code(train_until_killed, WHOLE, order(clips, out), LOOP, "_iterate", 0) == 0
    return out


def order(clips: Path, out: Path, **changes: Any) -> Order:
    return replace(Order(ClipFiles(clips), out=out, cpu=True), **changes)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "weights.safetensors")


def check_same(out: Path, whole: Path) -> None:
    """The same losses and the same weights, to the last bit; every row once."""
    rows = rows_of(out)
    assert rows == rows_of(whole)
    for phase, steps in STEPS.items():
        iterations = [row["step"] for row in rows if row["phase"] == phase and "loss" in row]
        assert iterations == list(range(1, steps + 1))
    mine, theirs = weights(out), weights(whole)
    assert mine.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(mine[name], tensor), name


# Where it is looked up, what is called, and after which call of each attempt the process dies.
MOMENTS = {
    # Anywhere: also within the first iteration after it was resumed.
    "within iterations": (LOOP, "_average_gradients", (4, 1, 4)),
    # The row of an iteration is written and its checkpoint is not.
    "before a checkpoint": ("tinyvirat.training.observe", "Observer.after", (2, 3)),
    "right after a checkpoint": (LOOP, "save_checkpoint", (1, 2)),
    # The new weights are there, the sidecar still names the old ones.
    "between weights and sidecar": ("tinyvirat.training.checkpoint", "sha256_of", (4,)),
    # All of a phase is done and nothing of it is saved.
    "at the end of a phase": ("tinyvirat.training.observe", "Observer.end", (2,)),
    "before the model is written": ("tinyvirat.training.run", "draw_curves", (1,)),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_resumed_it_is_the_same_run(
    clips: Path, tmp_path: Path, uninterrupted: Path, moment: str
) -> None:
    module, name, calls = MOMENTS[moment]
    here = order(clips, tmp_path)
    for call in calls:
        assert exit_code(train_until_killed, WHOLE, here, module, name, call) == -signal.SIGKILL
    assert exit_code(train_until_killed, WHOLE, here, module, name, 0) == 0
    check_same(tmp_path, uninterrupted)


def test_killed_by_another_at_no_special_moment(
    clips: Path, tmp_path: Path, uninterrupted: Path
) -> None:
    here = order(clips, tmp_path)
    for rows in (2, 9):
        process = CONTEXT.Process(target=train, args=(WHOLE, here))
        process.start()
        deadline = time.monotonic() + PATIENCE
        while len(rows_of(tmp_path)) < rows and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert exit_code(train, WHOLE, here) == 0
    check_same(tmp_path, uninterrupted)


def test_left_off_and_continued_it_is_the_same_run(
    clips: Path, tmp_path: Path, uninterrupted: Path, hurried: None
) -> None:
    # Within a phase, at its very end, for nothing at all, and on into the next but one.
    for until, phase, step in [
        (3, "1-super-resolution", 3),
        (2, "2-joint", 0),
        (0, "2-joint", 0),
        (4, "3-classifier", 1),
    ]:
        assert not run(WHOLE, order(clips, tmp_path, until=until))
        position = find_checkpoint(tmp_path)
        assert position is not None
        assert (position.phase, position.step) == (phase, step)
        assert not (tmp_path / "model").exists()
        assert not json.loads((tmp_path / "summary.json").read_text())["complete"]
    assert run(WHOLE, order(clips, tmp_path, until=1000))
    check_same(tmp_path, uninterrupted)
    assert len(json.loads((tmp_path / "environment.json").read_text())) == 5


def test_a_finished_run_stays_what_it_is(
    clips: Path, tmp_path: Path, uninterrupted: Path, hurried: None
) -> None:
    shutil.copytree(uninterrupted, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")
    assert run(WHOLE, order(clips, tmp_path / "run"))
    check_same(tmp_path / "run", uninterrupted)


def test_a_folder_is_trained_in_by_one_at_a_time(clips: Path, tmp_path: Path) -> None:
    order = Order(ClipFiles(clips), tmp_path / "run", until=1, cpu=True)
    with locked(order.out / LOCK, TinyviratError("not this one")):
        with pytest.raises(TinyviratError, match=r"run: another process trains there; wait for it"):
            run(RECIPE, order)
        assert [one.name for one in order.out.iterdir()] == [LOCK]
    assert not run(RECIPE, order)
    assert find_checkpoint(order.out) is not None


def test_phases_can_be_carried_out_one_by_one(
    clips: Path, tmp_path: Path, uninterrupted: Path, hurried: None
) -> None:
    for number in (1, 2, 3):
        assert run(WHOLE, order(clips, tmp_path, phases=(number,)))
        position = find_checkpoint(tmp_path)
        assert position is not None
        assert len(position.finished) == number
    check_same(tmp_path, uninterrupted)


def test_a_phase_that_is_not_there_is_told(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(TinyviratError, match="has no phase 2; it has 1, 3"):
        run(without(WHOLE, 2), order(clips, tmp_path, phases=(1, 2)))
    with pytest.raises(TinyviratError, match="until -1 is below 0"):
        run(WHOLE, order(clips, tmp_path, until=-1))
    assert list(tmp_path.iterdir()) == []


def test_another_recipe_or_other_data_is_refused_and_changes_nothing(
    clips: Path, tmp_path: Path, few: Path, uninterrupted: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(uninterrupted, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for recipe, data in [(replace(WHOLE, seed=1), clips), (WHOLE, few)]:
        with pytest.raises(TinyviratError, match="holds a run of another recipe or other data"):
            run(recipe, order(data, out))
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def damage_sidecar(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((folder / SIDECAR).read_text())
    change(data)
    (folder / SIDECAR).write_text(json.dumps(data))


def weights_file(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def cut(folder: Path) -> None:
    file = weights_file(folder)
    file.write_bytes(file.read_bytes()[:-100])


def flip_a_bit(folder: Path) -> None:
    file = weights_file(folder)
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(bytes(data))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights gone": (lambda f: weights_file(f).unlink(), "not a readable checkpoint"),
    "weights cut": (cut, "not a readable checkpoint"),
    "weights a pickle": (
        lambda f: weights_file(f).write_bytes(b"\x80\x04" * 99),
        "not a readable checkpoint",
    ),
    "one bit": (flip_a_bit, "damaged, not what was written"),
    "sidecar cut": (lambda f: (f / SIDECAR).write_text('{"file": "a'), "damaged"),
    "sidecar no mapping": (lambda f: (f / SIDECAR).write_text("[1]"), "damaged"),
    "sidecar not text": (lambda f: (f / SIDECAR).write_bytes(b"\xff\xfe"), "damaged"),
    "sidecar deep": (lambda f: (f / SIDECAR).write_text("[" * 10**5), "damaged"),
    "step as text": (
        lambda f: damage_sidecar(f, lambda d: d["position"].update(step="3")),
        "step: '3' is no int",
    ),
    "step below 0": (
        lambda f: damage_sidecar(f, lambda d: d["position"].update(step=-3)),
        "step is -3",
    ),
    "step gone": (lambda f: damage_sidecar(f, lambda d: d["position"].pop("step")), "'step' is m"),
    "file elsewhere": (
        lambda f: damage_sidecar(f, lambda d: d.update(file="../../secret.safetensors")),
        "secret.safetensors: not a readable checkpoint",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_checkpoint_is_told_with_its_file(
    clips: Path, tmp_path: Path, uninterrupted: Path, name: str
) -> None:
    damage, message = DAMAGE[name]
    shutil.copytree(uninterrupted / FOLDER, tmp_path / FOLDER)
    damage(tmp_path / FOLDER)
    with pytest.raises(CheckpointError, match=f"^{tmp_path}/{FOLDER}/.*{message}.*start anew"):
        run(WHOLE, order(clips, tmp_path))


def test_a_damaged_environment_is_told(clips: Path, tmp_path: Path, uninterrupted: Path) -> None:
    shutil.copytree(uninterrupted / FOLDER, tmp_path / FOLDER)
    (tmp_path / "environment.json").write_text("[{")
    with pytest.raises(TinyviratError, match=r"environment\.json: damaged .*delete it to go on"):
        run(WHOLE, order(clips, tmp_path))


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    small, large = torch.nn.Linear(2, 2), torch.nn.Linear(3, 2)
    position = Position("p", 1, (), "")
    save_checkpoint(tmp_path, position, State({"network": small}, {}))
    with pytest.raises(CheckpointError, match=r"of another network: .*weight"):
        load_checkpoint(tmp_path, State({"network": large}, {}))
    with pytest.raises(CheckpointError, match=r"of another network: .*Missing key"):
        load_checkpoint(tmp_path, State({"other": small}, {}))
    with pytest.raises(CheckpointError, match="no checkpoint to resume from"):
        load_checkpoint(tmp_path / "other", State({}, {}))


def test_moments_come_back_in_the_parameters_memory_format(tmp_path: Path) -> None:
    def stepped() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        layer = torch.nn.Conv3d(4, 4, 3).to(memory_format=torch.channels_last_3d)
        adam = torch.optim.Adam(layer.parameters())
        layer(torch.ones(1, 4, 3, 3, 3)).sum().backward()
        adam.step()
        return layer, adam

    (layer, adam), (other, fresh) = stepped(), stepped()
    fresh.state.clear()
    save_checkpoint(tmp_path, Position("p", 1, (), ""), State({"n": layer}, {"a": adam}))
    load_checkpoint(tmp_path, State({"n": other}, {"a": fresh}))
    for mine, theirs in zip(other.parameters(), layer.parameters(), strict=True):
        for name, value in adam.state[theirs].items():
            assert torch.equal(fresh.state[mine][name], value)
            assert fresh.state[mine][name].stride() == value.stride()


def test_only_the_last_checkpoint_is_kept(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, Position("p", step, (), ""), State({"n": layer}, {}))
        (tmp_path / FOLDER / f".p-{step}-left-by-a-crash.safetensors").touch()
    save_checkpoint(tmp_path, Position("p", 4, (), ""), State({"n": layer}, {}))
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == [
        SIDECAR,
        "p-0000004.safetensors",
    ]


def test_the_scale_of_float16_gradients_is_remembered(tmp_path: Path) -> None:
    def after_overflow(scaler: torch.amp.GradScaler) -> torch.amp.GradScaler:
        layer = torch.nn.Linear(2, 1)
        adam = torch.optim.Adam(layer.parameters())
        for worth in (1.0, float("inf"), 1.0):
            scaler.scale(layer(torch.ones(1, 2)).sum() * worth).backward()
            scaler.step(adam)
            scaler.update()
            adam.zero_grad()
        return scaler

    layer = torch.nn.Linear(2, 1)
    old = after_overflow(torch.amp.GradScaler("cpu", init_scale=64.0))
    position = Position("p", 1, (), "")
    save_checkpoint(tmp_path, position, State({"n": layer}, {}, old))
    fresh = torch.amp.GradScaler("cpu")
    load_checkpoint(tmp_path, State({"n": layer}, {}, fresh))
    assert fresh.state_dict() == old.state_dict()
    assert fresh.get_scale() == 32.0
    after_overflow(fresh)  # goes on from it
    assert fresh.get_scale() == 16.0
    save_checkpoint(tmp_path, position, State({"n": layer}, {}))
    with pytest.raises(CheckpointError, match="float16"):
        load_checkpoint(tmp_path, State({"n": layer}, {}, fresh))
