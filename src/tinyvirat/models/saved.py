"""A recogniser on disk: a folder with `weights.safetensors` and `model.json` beside it.

Everything that turns a file into labels is in the folder: the network's configuration, the labels,
the preprocessing, the sampler, the temperature and the thresholds. Nothing in it is code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import cache_folder, sha256_of, write_text, written_beside
from tinyvirat.common.plain import from_plain, to_plain
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import Recognizer, RecognizerConfig
from tinyvirat.models.unfilled import unfilled
from tinyvirat.models.zoo import config_from_json, config_to_json
from tinyvirat.video.sampling import AnySampler, sampler_from_dict, sampler_to_dict

FORMAT = 1
WEIGHTS = "weights.safetensors"
DESCRIPTION = "model.json"
SHIPPED = Path(__file__).parent.parent / "shipped"
"""Where the models are that come with the package."""
DEFAULT_MODEL = "interactions"
"""The one that is used where none is named."""
TEMPERATURES = (0.01, 100.0)
"""The lowest and the highest temperature a model may have."""
RATES = (0.01, 10_000.0)
"""The lowest and the highest frame rate that clips may have."""


class ModelError(TinyviratError):
    """A saved model that cannot be used."""


@dataclass(frozen=True)
class ModelSpec:
    """All of a recogniser but its weights.

    Attributes:
        name: what results call it.
        config: the network.
        labels: its classes, in the order of its logits.
        multi_label: several labels can hold at once (sigmoid); otherwise exactly one (softmax).
        preprocess: frames to network input.
        sampler: which frames of a clip are looked at.
        thresholds: the probability from which each label counts, in the order of `labels`; empty
            means 0.5 for all.
        origin: where the weights come from, in words.
        temperature: what logits are divided by before they become probabilities, so that these can
            be taken at their word.
        tuned_on: the source videos that thresholds and temperature were tuned on; they must not be
            used to score them.
        fps: frames a second of the clips that it learnt from. Where an actor is followed in a video
            of another rate, the frames of a window are taken as many seconds apart; whole clips are
            read frame by frame as they are. None where it is not known.
    """

    name: str
    config: RecognizerConfig
    labels: tuple[str, ...]
    multi_label: bool
    preprocess: Preprocess
    sampler: AnySampler
    thresholds: tuple[float, ...] = ()
    origin: str = ""
    temperature: float = 1.0
    tuned_on: tuple[str, ...] = ()
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and not RATES[0] <= self.fps <= RATES[1]:
            raise ValueError(
                f"model {self.name}: {str(self.fps)[:60]} frames a second are not between "
                f"{RATES[0]:g} and {RATES[1]:g}"
            )
        classes = self.config.classifier.num_classes
        if len(self.labels) != classes or len(set(self.labels)) != classes:
            raise ValueError(
                f"model {self.name}: {len(set(self.labels))} different labels for {classes} classes"
            )
        if self.thresholds and len(self.thresholds) != classes:
            raise ValueError(
                f"model {self.name}: {len(self.thresholds)} thresholds for {classes} classes"
            )
        wrong = next((t for t in self.thresholds if not 0.0 <= t <= 1.0), None)
        if wrong is not None:
            raise ValueError(f"model {self.name}: the threshold {wrong} is not between 0 and 1")
        if not TEMPERATURES[0] <= self.temperature <= TEMPERATURES[1]:
            raise ValueError(
                f"model {self.name}: the temperature {str(self.temperature)[:60]} is not between "
                f"{TEMPERATURES[0]:g} and {TEMPERATURES[1]:g}"
            )

    def probabilities(self, logits_NK: Tensor) -> Tensor:
        """Sigmoid of `logits / temperature` where several labels can hold, else softmax; in
        float32.
        """
        logits = logits_NK.float() / self.temperature
        return logits.sigmoid() if self.multi_label else logits.softmax(-1)


@dataclass(frozen=True)
class Model:
    """A recogniser that can be used: its description and its network, in evaluation mode."""

    spec: ModelSpec
    network: Recognizer


def model_folder(name: str) -> Path:
    """The folder of a model: a model's own, a run's, one that ships, or one of the fetched weights.

    Args:
        name: a folder with `model.json`, a run's folder, a model that ships (`interactions`,
            `interactions-light`), or a name from `tinyvirat weights`.

    Raises:
        ModelError: nothing of that name, with what there is.
    """
    fetched = cache_folder() / "weights"
    for folder in (Path(name), Path(name) / "model", SHIPPED / name, fetched / name):
        if (folder / DESCRIPTION).is_file():
            return folder
    there = sorted(path.parent.name for path in fetched.glob(f"*/{DESCRIPTION}"))
    raise ModelError(
        f"{name}: neither a folder with {DESCRIPTION}, nor a finished run, nor a model that ships "
        f"({', '.join(shipped_models())}), nor fetched weights "
        f"(fetched: {', '.join(there) or 'none'}); fetch I3D with "
        "`tinyvirat weights fetch i3d-kinetics400`, or train a model with `tinyvirat train`"
    )


def shipped_models() -> tuple[str, ...]:
    """The names of the models that come with the package."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{DESCRIPTION}")))


def save_model(folder: Path, model: Model, *, dtype: torch.dtype | None = None) -> None:
    """Writes a model so that `load_model` gives it back.

    Args:
        folder: created where it is not there.
        model: what to write.
        dtype: floating-point type of the stored weights; None keeps the network's own.

    Raises:
        ModelError: a value is too large for `dtype`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = model.network.state_dict()
    tensors = {name: _stored(name, tensor, dtype) for name, tensor in state.items()}
    weights = folder / WEIGHTS
    with written_beside(weights) as temporary:
        save_file(tensors, temporary)
    _write_description(folder, model.spec, sha256_of(weights))


def replace_description(folder: Path, spec: ModelSpec) -> None:
    """Gives a model on disk another description; its weights stay.

    Args:
        folder: where `model.json` is.
        spec: of the same network, with other thresholds, say.

    Raises:
        ModelError: there is no model, or `spec` is of another network.
    """
    old, digest = read_description(folder / DESCRIPTION)
    if (old.config, old.labels) != (spec.config, spec.labels):
        raise ModelError(f"{folder / DESCRIPTION}: describes another network or other labels")
    _write_description(folder, spec, digest)


def load_model(folder: Path, *, dtype: torch.dtype = torch.float32) -> Model:
    """Reads a model that `save_model` wrote.

    Args:
        folder: where `model.json` is.
        dtype: floating-point type of the network.

    Raises:
        ModelError: something is missing, damaged or not a model; names the file and the remedy.
    """
    description = folder / DESCRIPTION
    spec, digest = read_description(description)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ModelError(f"{weights}: missing beside {DESCRIPTION}; copy the whole folder")
    try:
        if digest != sha256_of(weights):
            raise ModelError(
                f"{weights}: not the weights that {DESCRIPTION} was written for, or damaged; "
                "copy the whole folder again"
            )
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{weights}: not a readable safetensors file: {error}") from error
    with unfilled():
        network = spec.config.build()
    misfit = _misfit(network.state_dict(), tensors)
    if misfit:
        raise ModelError(f"{weights}: {misfit}, unlike the network in {DESCRIPTION}")
    network.load_state_dict(tensors, assign=True)
    return Model(spec, network.to(dtype).eval())


def describe(spec: ModelSpec) -> dict[str, Any]:
    """A description as plain data."""
    return {
        "format": FORMAT,
        "name": spec.name,
        "network": config_to_json(spec.config),
        "labels": list(spec.labels),
        "multi_label": spec.multi_label,
        "preprocess": to_plain(spec.preprocess),
        "sampler": sampler_to_dict(spec.sampler),
        "thresholds": list(spec.thresholds),
        "origin": spec.origin,
        "temperature": spec.temperature,
        "tuned_on": list(spec.tuned_on),
        "fps": spec.fps,
    }


def read_description(path: Path) -> tuple[ModelSpec, str]:
    """The description in a `model.json`, and the SHA-256 of the weights it was written for.

    Raises:
        ModelError: not there, not JSON, or not a description.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path}: missing; a model is a folder with {DESCRIPTION}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a model description: {error}") from error
    return spec_from_json(data, path)


def spec_from_json(data: object, path: Path) -> tuple[ModelSpec, str]:
    """What `describe` gave, with the hash of the weights beside it.

    Args:
        data: as parsed from JSON; trusted for nothing.
        path: the file it was found in, for errors.

    Raises:
        ModelError: not a description, or of another version.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = repr(data.get("format") if isinstance(data, dict) else data)[:60]
        raise ModelError(f"{path}: format {found} is not {FORMAT}, the one this version reads")
    # Models from before there were tuning and rates do not have these.
    data = {"temperature": 1.0, "tuned_on": [], "fps": None} | data
    digest = _take(data, "weights_sha256", str, path)
    where = str(path)
    try:
        config = config_from_json(data.get("network"), where=f"{where}: network")
        if not isinstance(config, RecognizerConfig):
            raise ModelError(f"{path}: the network is no recogniser but {type(config).__name__}")
        spec = ModelSpec(
            name=_take(data, "name", str, path),
            config=config,
            labels=tuple(_strings(_take(data, "labels", list, path), f"{path}: the label")),
            multi_label=_take(data, "multi_label", bool, path),
            preprocess=from_plain(Preprocess, data.get("preprocess"), where=f"{where}: preprocess"),
            sampler=sampler_from_dict(_take(data, "sampler", dict, path)),
            thresholds=tuple(_numbers(_take(data, "thresholds", list, path), path)),
            origin=_take(data, "origin", str, path),
            temperature=_number(data, "temperature", path),
            tuned_on=tuple(
                _strings(_take(data, "tuned_on", list, path), f"{path}: the tuning source")
            ),
            fps=None if data["fps"] is None else _number(data, "fps", path),
        )
    except ModelError:
        raise
    except (TypeError, ValueError, TinyviratError) as error:
        named = str(error) if str(error).startswith(where) else f"{path}: {error}"
        raise ModelError(named) from error
    return spec, digest


def _take(data: dict[str, Any], key: str, kind: type, path: Path) -> Any:
    if not isinstance(data.get(key), kind):
        raise ModelError(f"{path}: {key!r} is {str(data.get(key))[:60]}, not a {kind.__name__}")
    return data[key]


def _number(data: dict[str, Any], key: str, path: Path) -> float:
    value: float = data[key]
    if type(value) not in (int, float):
        raise ModelError(f"{path}: {key!r} is {str(value)[:60]}, not a number")
    return value


def _numbers(values: list[Any], path: Path) -> list[float]:
    for value in values:
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise ModelError(f"{path}: the threshold {str(value)[:60]} is not a number from 0 to 1")
    return [float(value) for value in values]


def _strings(values: list[Any], where: str) -> list[str]:
    for value in values:
        if not isinstance(value, str):
            raise ModelError(f"{where} {str(value)[:60]} is not text")
    return values


def _write_description(folder: Path, spec: ModelSpec, digest: str) -> None:
    text = json.dumps(describe(spec) | {"weights_sha256": digest}, indent=1)
    write_text(folder / DESCRIPTION, text + "\n")


def _stored(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if dtype is None or not tensor.is_floating_point():
        return tensor
    stored = tensor.to(dtype)
    if not torch.equal(stored.isfinite(), tensor.isfinite()):
        raise ModelError(
            f"{name} has values too large for {dtype}; store it as bfloat16 or float32"
        )
    return stored


def _misfit(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """What does not fit, in words; empty when all does."""
    for name, tensor in wanted.items():
        if name not in found:
            return f"no tensor {name!r}"
        if found[name].shape != tensor.shape:
            return f"{name} is {tuple(found[name].shape)}, not {tuple(tensor.shape)}"
        if found[name].is_floating_point() != tensor.is_floating_point():
            return f"{name} is {found[name].dtype}, not {tensor.dtype}"
    extra = sorted(set(found) - set(wanted))
    return f"an unknown tensor {extra[0]!r}" if extra else ""
