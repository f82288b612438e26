"""A whole run: from a recipe and manifests to a run folder with a model in it.

The folder holds `recipe.yaml` (resolved), `environment.json`, `metrics.jsonl`, `tensorboard/`,
`checkpoints/`, `pictures/`, `curves.png`, `model/` and `summary.json`.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import locked, sha256_of, write_text
from tinyvirat.common.plain import to_plain
from tinyvirat.common.precision import fastest_dtype
from tinyvirat.common.processes import this_process
from tinyvirat.common.progress import say
from tinyvirat.evaluation.tuning import Tuned
from tinyvirat.models.recognizer import Recognizer, RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import (
    Model,
    ModelError,
    ModelSpec,
    load_model,
    model_folder,
    save_model,
)
from tinyvirat.models.zoo import cost_of
from tinyvirat.training.checkpoint import find_checkpoint, load_module
from tinyvirat.training.data import ClipFiles, TrainingData, open_data
from tinyvirat.training.distillation import frozen_digest, frozen_model, load_teacher
from tinyvirat.training.guard import guard_short_convolutions
from tinyvirat.training.journal import (
    ENVIRONMENT,
    METRICS,
    draw_curves,
    environment,
    read_metrics,
)
from tinyvirat.training.loop import Training, position_of, train
from tinyvirat.training.norms import share_batch_norms
from tinyvirat.training.observe import Observer
from tinyvirat.training.phases import Setting
from tinyvirat.training.recipe import Recipe, identity_text, recipe_text
from tinyvirat.video.sampling import AllWindows

MIXED = {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}
NAMED = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
LOCK = ".lock"
MODEL = "model"
RECIPE = "recipe.yaml"
SUMMARY = "summary.json"
UNLIKE_LOSSES = ("phase", "step", "seconds", "skipped")
"""What in a row of metrics is not a value of the network."""


@dataclass(frozen=True)
class Order:
    """What a run is asked to do beside its recipe.

    Attributes:
        files: where the clips are.
        out: the run folder.
        phases: numbers of the phases to carry out; empty means all of the recipe's.
        super_resolution: a run or model whose super-resolution network is taken over, so that runs
            can share one; its attention branch too, where both have one.
        teacher: a run or model from which the classifier learns, for a recipe that distils.
        cache: folder of decoded frames; None: the package's.
        until: leave off after so many iterations, to be resumed; None: go to the end.
        cpu: compute on the CPU even where there is a GPU.
    """

    files: ClipFiles
    out: Path
    phases: tuple[int, ...] = ()
    super_resolution: Path | None = None
    teacher: Path | None = None
    cache: Path | None = None
    until: int | None = None
    cpu: bool = False


def run(recipe: Recipe, order: Order) -> bool:
    """Trains as `recipe` says; where the folder holds a part of the run already, goes on from
    there.

    Returns:
        Whether everything asked for is done (`until` can stop it before).

    Raises:
        TinyviratError: manifests, weights or folder do not fit the recipe, or another process
            trains in that folder.
    """
    _check(recipe, order)
    data = open_data(recipe, order.files, cache=order.cache)
    parts = [identity_text(recipe), data.digest, *map(frozen_digest, _looked_at(recipe, order))]
    digest = hashlib.sha256("".join(parts).encode()).hexdigest()
    position_of(order.out, digest)
    training = _prepare(recipe, order, data, digest)
    with _held(order.out, training.accelerator):
        position_of(order.out, digest)  # whoever held the folder before may have begun another run
        return _carry_out(training, recipe, order)


def _prepare(recipe: Recipe, order: Order, data: TrainingData, digest: str) -> Training:
    """Everything a run takes, in memory; nothing is written yet."""
    accelerator = _accelerator(recipe, order)
    spec, network, classifier = _build(recipe, data)
    if order.super_resolution is not None:
        take_super_resolution(network, order.super_resolution)
    network = network.to(accelerator.device)
    if accelerator.device.type == "cpu":
        guard_short_convolutions(network)
    if accelerator.num_processes > 1:
        share_batch_norms(network, accelerator.device)
    # The stubs of Module.to know the memory format only together with a tensor.
    network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    if recipe.upkeep.compile:
        network.classifier.compile()
        if network.super_resolution is not None:
            network.super_resolution.compile()
    setting = Setting(recipe, network, data.kind, data.clips, data.class_counts)
    return Training(
        run=order.out,
        accelerator=accelerator,
        setting=_with_models(setting, order, data, accelerator.device),
        data=data,
        observer=Observer(order.out, spec, network, data, accelerator.device),
        classifier=classifier,
        recipe=digest,
    )


def _held(out: Path, accelerator: Accelerator) -> AbstractContextManager[None]:
    """Keeps other runs out of a folder; of the processes of one run, the first does."""
    if not accelerator.is_main_process:
        return nullcontext()
    busy = TinyviratError(
        f"{out}: another process trains there; wait for it, or name another folder"
    )
    return locked(out / LOCK, busy)


def _carry_out(training: Training, recipe: Recipe, order: Order) -> bool:
    """Trains, and writes what was found; returns whether all that was asked for is done."""
    accelerator, network = training.accelerator, training.setting.network
    if accelerator.is_main_process:
        _write_beginning(recipe, order, training.data)
    accelerator.wait_for_everyone()
    began = time.monotonic()
    complete = train(training, only=order.phases, until=order.until)
    seconds, tuned = time.monotonic() - began, None
    if complete and _holds(order.out / MODEL, network):
        # Nothing was left to do. What the folder says may be more, such as how the model was tuned.
        accelerator.wait_for_everyone()
        return True
    spec = training.observer.spec
    if complete and _recognizes(recipe, order):
        spec, tuned = training.observer.tuned()
    if accelerator.is_main_process:
        _write_end(training, spec, seconds, complete, tuned)
    accelerator.wait_for_everyone()
    return complete


def take_super_resolution(network: Recognizer, source: Path) -> None:
    """Gives `network` the super-resolution weights of another model.

    Args:
        network: the one that takes them over.
        source: a finished run, a model's folder, or a name, as `model_folder` takes it.

    Raises:
        TinyviratError: one of the two has no such network, or they differ.
    """
    folder = model_folder(str(source))
    theirs = load_model(folder).network.super_resolution
    mine = network.super_resolution
    if mine is None or theirs is None:
        raise TinyviratError(f"{folder}: there is no super-resolution network to take over")
    wanted, found = mine.state_dict(), theirs.state_dict()
    unlike = sorted(name for name in wanted.keys() ^ found.keys() if "attention." not in name)
    if unlike:
        raise TinyviratError(
            f"{folder}: another super-resolution network: only one of the two has {unlike[0]!r}"
        )
    tensors = {name: tensor for name, tensor in found.items() if name in wanted}
    load_module(mine, wanted | tensors, str(folder))


def _build(recipe: Recipe, data: TrainingData) -> tuple[ModelSpec, Recognizer, dict[str, Tensor]]:
    """The model's description, its network, and the weights that its classifier starts from."""
    torch.manual_seed(recipe.seed)
    classifier = replace(recipe.classifier, num_classes=len(data.labels))
    config = RecognizerConfig(
        classifier,
        recipe.super_resolution,
        side=recipe.clips.classified,
        zero_to_one=isinstance(classifier, ResNet3DConfig),
    )
    network = config.build()
    if recipe.weights is not None:
        _pretrain(network, recipe.weights)
    spec = ModelSpec(
        name=recipe.name,
        config=config,
        labels=data.labels,
        multi_label=data.kind == "multi",
        preprocess=recipe.clips.preprocess(),
        sampler=AllWindows(length=recipe.clips.frames, stride=recipe.clips.test_stride),
        origin=f"trained by tinyvirat with the recipe {recipe.name!r}, seed {recipe.seed}",
        fps=data.fps(),
    )
    start = {name: t.clone() for name, t in network.classifier.state_dict().items()}
    return spec, network, start


def _pretrain(network: Recognizer, weights: str) -> None:
    """Gives the classifier pretrained weights; its last layer stays fresh where classes differ."""
    theirs = load_model(model_folder(weights)).network.classifier.state_dict()
    mine = network.classifier.state_dict()
    taken = {k: t for k, t in theirs.items() if k in mine and mine[k].shape == t.shape}
    unlike = sorted(set(mine) - set(taken) | set(theirs) - set(mine))
    wrong = next((name for name in unlike if not name.startswith("head.")), None)
    if wrong is not None:
        raise TinyviratError(
            f"weights {weights!r} are another network's: {wrong!r} does not fit the classifier"
        )
    network.classifier.load_state_dict(mine | taken)


def _check(recipe: Recipe, order: Order) -> None:
    """Refuses what cannot be carried out.

    Raises:
        TinyviratError: the recipe has no such phase, `until` is negative, or there is a teacher
            and nothing to learn from it, or the other way round.
    """
    there = [n for n in (1, 2, 3) if getattr(recipe, f"phase{n}") is not None]
    wrong = next((n for n in order.phases if n not in there), None)
    if wrong is not None:
        numbers = ", ".join(map(str, there))
        raise TinyviratError(f"the recipe {recipe.name!r} has no phase {wrong}; it has {numbers}")
    if order.until is not None and order.until < 0:
        raise TinyviratError(f"until {order.until} is below 0")
    distils = recipe.phase3 is not None and recipe.phase3.distill is not None
    if distils and order.teacher is None:
        raise TinyviratError(
            f"the recipe {recipe.name!r} learns from a teacher (phase3.distill): name a finished "
            "run or a model's folder with --teacher"
        )
    if order.teacher is not None and not distils:
        raise TinyviratError(
            f"the recipe {recipe.name!r} learns from no teacher, and one is given; "
            "--set phase3.distill.logits=1 lets it"
        )


def _critic(recipe: Recipe) -> str | None:
    """The name of the model whose features super-resolution learns from."""
    feature = recipe.phase1 and recipe.phase1.feature_loss
    return feature.weights if feature else None


def _looked_at(recipe: Recipe, order: Order) -> list[str]:
    """The models that a run depends on and does not change; they are part of its checksum."""
    named = (_critic(recipe), order.teacher, order.super_resolution)
    return [str(name) for name in named if name is not None]


def _with_models(
    setting: Setting, order: Order, data: TrainingData, device: torch.device
) -> Setting:
    """The setting with the models that phases look at."""
    recipe, critic = setting.recipe, _critic(setting.recipe)
    if critic is not None:
        setting = replace(setting, critic=frozen_model(critic, device).network)
    if order.teacher is not None:
        teacher = load_teacher(order.teacher, recipe, data.labels, data.kind, device)
        setting = replace(setting, teacher=teacher)
    return setting


def _holds(folder: Path, network: Recognizer) -> bool:
    """Whether a model's folder has these very weights, so that no iteration came after it."""
    try:
        theirs = load_model(folder).network.state_dict()
    except ModelError:
        return False
    mine = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    return mine.keys() == theirs.keys() and all(torch.equal(mine[n], theirs[n]) for n in mine)


def _recognizes(recipe: Recipe, order: Order) -> bool:
    """Whether a phase that was carried out trains the classifier."""
    there = {n for n in (2, 3) if getattr(recipe, f"phase{n}") is not None}
    return bool(there & set(order.phases) if order.phases else there)


def _accelerator(recipe: Recipe, order: Order) -> Accelerator:
    """Device, precision and processes.

    Raises:
        TinyviratError: the device has not that precision, or this process has begun in another.
    """
    process = this_process(order.cpu)
    precision = NAMED.get(recipe.upkeep.precision) or MIXED[fastest_dtype(process.device)]
    if process.num_processes > 1:
        precision = gather_object([precision])[0]  # a measurement may not come out alike everywhere
    if precision == "fp16" and process.device.type == "cpu":
        raise TinyviratError("upkeep.precision: float16 needs a GPU; use bfloat16, float32 or auto")
    try:
        return Accelerator(mixed_precision=precision, cpu=process.device.type == "cpu")
    except ValueError as error:
        raise TinyviratError(
            f"this process cannot train in {precision!r} on {process.device}; start another one: "
            f"{error}"
        ) from error


def _write_beginning(recipe: Recipe, order: Order, data: TrainingData) -> None:
    out = order.out
    notes = [one.quarantine_note() for one in data.manifests.values()]
    for note in filter(None, dict.fromkeys((*notes, data.held_out_note()))):
        say(note)
    write_text(out / RECIPE, recipe_text(recipe))
    started = environment() | {
        "seed": recipe.seed,
        "data": {role: _about(data, role) for role in data.manifests},
        "held_out": sorted(data.sources),
        "super_resolution": None if order.super_resolution is None else str(order.super_resolution),
        "teacher": None if order.teacher is None else str(order.teacher),
    }
    earlier = []
    path = out / ENVIRONMENT
    if path.is_file() and find_checkpoint(out) is not None:
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TinyviratError(f"{path}: damaged ({error}); delete it to go on") from error
    write_text(path, json.dumps([*earlier, started], indent=1) + "\n")


def _about(data: TrainingData, role: Any) -> dict[str, Any]:
    manifest = data.manifests[role]
    return {
        "manifest": str(manifest.path),
        "sha256": sha256_of(manifest.path),
        "train": len(data.train(role)),
        "val": len(data.held_out(role)),
        "quarantined": len(manifest.quarantined),
    }


def _write_end(
    training: Training, spec: ModelSpec, seconds: float, complete: bool, tuned: Tuned | None
) -> None:
    run_folder, recipe = training.run, training.setting.recipe
    draw_curves(run_folder)
    rows = read_metrics(run_folder / METRICS)
    phases = {}
    for name in dict.fromkeys(row["phase"] for row in rows):
        own = [row for row in rows if row["phase"] == name]
        last: dict[str, float] = {}
        for row in own:
            last |= {k: v for k, v in row.items() if k not in UNLIKE_LOSSES}
        phases[name] = {
            "steps": max(row["step"] for row in own),
            "seconds": round(sum(row.get("seconds", 0.0) for row in own), 1),
            "skipped": round(sum(row.get("skipped", 0.0) for row in own)),
            "last": last,
        }
    cost = cost_of(spec.config, recipe.clips.size, recipe.clips.frames)
    summary = {
        "name": recipe.name,
        "seed": recipe.seed,
        "complete": complete,
        "seconds_this_time": round(seconds, 1),
        "parameters": cost.parameters,
        "gmac": round(cost.gmac, 3),
        "labels": list(spec.labels),
        "precision": training.accelerator.mixed_precision,
        "processes": training.accelerator.num_processes,
        "quarantined": {
            role: len(manifest.quarantined) for role, manifest in training.data.manifests.items()
        },
        "phases": phases,
        "tuning": to_plain(tuned),
    }
    write_text(run_folder / SUMMARY, json.dumps(summary, indent=1) + "\n")
    if skipped := sum(phase["skipped"] for phase in phases.values()):
        say(
            f"{run_folder}: {skipped} times a clip could not be read and another stood in for it; "
            "'tinyvirat data check' finds such clips"
        )
    if complete:
        network = training.setting.network.eval()
        save_model(run_folder / MODEL, Model(spec, network))
