"""Checkpoints: safetensors with a JSON sidecar, switched by one rename, exact to the last bit.

A checkpoint holds all networks, their moving average and all optimiser state. Random numbers need
no state: everything random in a step is seeded from the run's seed and the step (`training.loop`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import sha256_of, write_text, written_beside
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain

FOLDER = "checkpoints"
SIDECAR = "latest.json"


class CheckpointError(TinyviratError):
    """A checkpoint that cannot be resumed from."""


@dataclass(frozen=True)
class Position:
    """How far a run has come.

    Attributes:
        phase: the phase in progress, or the last one finished.
        step: iterations of that phase that are done.
        finished: the names of the phases that are over.
        recipe: digest of the resolved recipe, so that a changed one is noticed.
    """

    phase: str
    step: int
    finished: tuple[str, ...]
    recipe: str

    def __post_init__(self) -> None:
        if self.step < 0:
            raise ValueError(f"step is {self.step}")


@dataclass(frozen=True)
class _Sidecar:
    """What `latest.json` says: which file, its SHA-256, and what it holds."""

    file: str
    sha256: str
    position: Position


@dataclass(frozen=True)
class State:
    """What a checkpoint saves and restores, in place.

    Attributes:
        modules: networks by name.
        optimizers: optimisers by name.
        scaler: of float16's gradients; None in every other precision.
    """

    modules: Mapping[str, nn.Module]
    optimizers: Mapping[str, torch.optim.Optimizer]
    scaler: torch.amp.GradScaler | None = None


def save_checkpoint(run: Path, position: Position, state: State) -> None:
    """Writes a checkpoint; the one before stays valid until this one is whole.

    Args:
        run: the run folder.
        position: how far the run has come.
        state: what to save.
    """
    tensors = {
        f"module/{name}/{key}": tensor.detach().cpu().contiguous().clone()
        for name, module in state.modules.items()
        for key, tensor in module.state_dict().items()
    }
    for name, optimizer in state.optimizers.items():
        for (index, key), tensor in _moments(optimizer).items():
            tensors[f"optimizer/{name}/{index}/{key}"] = tensor.detach().cpu().contiguous()
    if state.scaler is not None:
        for name, value in state.scaler.state_dict().items():
            tensors[f"scaler/{name}"] = torch.tensor(value, dtype=torch.float64)
    folder = run / FOLDER
    file = folder / f"{position.phase}-{position.step:07d}.safetensors"
    with written_beside(file) as temporary:
        save_file(tensors, temporary)
    sidecar = _Sidecar(file.name, sha256_of(file), position)
    write_text(folder / SIDECAR, json.dumps(to_plain(sidecar), indent=1) + "\n")
    for old in folder.glob("*.safetensors"):
        if old.name != file.name:
            old.unlink(missing_ok=True)


def find_checkpoint(run: Path) -> Position | None:
    """How far the run in `run` has come, or None where it has no checkpoint.

    Raises:
        CheckpointError: the sidecar is damaged.
    """
    sidecar = _read_sidecar(run)
    return None if sidecar is None else sidecar.position


def load_checkpoint(run: Path, state: State) -> None:
    """Restores `state` from the latest checkpoint of `run`.

    Raises:
        CheckpointError: there is none, it is damaged, or it is of other networks.
    """
    sidecar = _read_sidecar(run)
    if sidecar is None:
        raise CheckpointError(f"{run}: no checkpoint to resume from")
    file = run / FOLDER / Path(sidecar.file).name
    tensors = read_tensors(file)
    if sha256_of(file) != sidecar.sha256:
        raise CheckpointError(
            f"{file}: damaged, not what was written; delete the folder {file.parent} to start anew"
        )
    for name, module in state.modules.items():
        load_module(module, _below(tensors, f"module/{name}/"), str(file))
    for name, optimizer in state.optimizers.items():
        _load_moments(optimizer, _below(tensors, f"optimizer/{name}/"), str(file))
    if state.scaler is not None:
        _load_scaler(state.scaler, _below(tensors, "scaler/"), str(file))


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        CheckpointError: missing or damaged.
    """
    try:
        tensors: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file}: not a readable checkpoint ({error}); delete the folder {file.parent} to "
            "start anew"
        ) from error
    return tensors


def load_module(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Gives a network its tensors, copying them in.

    Raises:
        CheckpointError: they are another network's.
    """
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise CheckpointError(f"{where}: of another network: {' '.join(lines[:3])}") from error


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def _read_sidecar(run: Path) -> _Sidecar | None:
    path = run / FOLDER / SIDECAR
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return from_plain(_Sidecar, data, where=str(path))
    except (OSError, ValueError, RecursionError, PlainDataError) as error:
        raise CheckpointError(
            f"{path}: damaged ({error}); delete the folder {path.parent} to start anew"
        ) from error


def _moments(optimizer: torch.optim.Optimizer) -> dict[tuple[int, str], Tensor]:
    """The optimiser's state as tensors, by parameter number and name."""
    moments: dict[tuple[int, str], Tensor] = {}
    for index, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            moments[index, key] = value if isinstance(value, Tensor) else torch.tensor(value)
    return moments


def _load_moments(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], where: str
) -> None:
    state = optimizer.state_dict()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    restored: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition("/")
        if not index.isdigit() or int(index) >= len(parameters):
            raise CheckpointError(f"{where}: optimiser state of an unknown parameter {name!r}")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # In the parameter's own memory format: another one takes other instructions, which
            # can round otherwise.
            tensor = torch.empty_like(parameter).copy_(tensor)
        restored.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": restored, "param_groups": state["param_groups"]})


def _load_scaler(scaler: torch.amp.GradScaler, tensors: Mapping[str, Tensor], where: str) -> None:
    values = scaler.state_dict()
    if tensors.keys() != values.keys():
        raise CheckpointError(
            f"{where}: of a run in another precision than float16; resume in the one it began in"
        )
    # The counts are whole numbers: what is there says which.
    scaler.load_state_dict({name: type(values[name])(t.item()) for name, t in tensors.items()})
