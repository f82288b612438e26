"""A recipe: everything a training run does, as frozen dataclasses read from a small YAML file.

Defaults are the paper's where it says something; each docstring names the published code's value
where that differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import yaml

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.pixels import Policy
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain
from tinyvirat.common.strict_yaml import YamlError, parse
from tinyvirat.datasets.degrade import Degrade
from tinyvirat.models.any_size import AnySizeDVSRConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import ClassifierConfig, SuperResolutionConfig
from tinyvirat.models.zoo import NETWORKS
from tinyvirat.training.fade import Fade
from tinyvirat.video.sampling import AllWindows, RandomWindow

Role = Literal["data", "sr_data"]
LARGEST_RECIPE = 1 << 16
LONGEST_WINDOW = 1024


class RecipeError(TinyviratError):
    """A recipe that cannot be followed."""


@dataclass(frozen=True)
class Clips:
    """How clips become network input, in training and afterwards.

    Attributes:
        size: side in pixels of the network's input: 14, 28, or 112 for a network on high
            resolution.
        full: side of the high-resolution truth, of large clips before they are made small, and of
            what the classifier is given.
        short_side: shorter side in pixels before the crop to `full`; `full` or more.
        tiny: the clips to recognise are tiny by nature: they go to `size` directly, and give no
            pairs.
        fit: `crop`, `pad` or `stretch`, for tiny clips that are not square; large ones are cropped.
        frames: length of a window.
        strides: distances between its frames in training, drawn with equal probability.
        test_stride: distance between its frames afterwards.
        flip: probability of mirroring a training clip.
    """

    size: int = 28
    full: int = 112
    short_side: int = 128
    tiny: bool = False
    fit: Policy = "pad"
    frames: int = 16
    strides: tuple[int, ...] = (1, 2)
    test_stride: int = 1
    flip: float = 0.5

    def __post_init__(self) -> None:
        if self.fit != "pad" and not self.tiny:
            raise ValueError(
                f"fit: {self.fit} is for clips with tiny: true; large ones are cropped"
            )
        if self.frames > LONGEST_WINDOW:
            raise ValueError(f"frames is {self.frames}; a window has {LONGEST_WINDOW} at most")
        # Each refuses what it cannot carry out.
        self.preprocess()
        self.degrade()
        RandomWindow(self.frames, self.strides)
        AllWindows(self.frames, self.test_stride)

    def preprocess(self) -> Preprocess:
        """The deterministic form for the clips to recognise, saved with the model."""
        if self.tiny:
            return Preprocess(self.size, full=None, short_side=None, fit=self.fit)
        return self.preprocess_large()

    def preprocess_large(self) -> Preprocess:
        """The deterministic form for clips that give pairs."""
        return Preprocess(self.size, self.full, self.short_side, fit="crop")

    def degrade(self) -> Degrade:
        """The random form for clips that give pairs."""
        return Degrade(self.short_side, crop=self.full, low=self.size, flip=self.flip)


@dataclass(frozen=True)
class Optimizer:
    """Adam as in the paper (section V-B).

    Attributes:
        lr: learning rate; 0.0002.
        betas: 0.5 and 0.9.
        weight_decay: 0; the published code has 5e-5 for the generator in the joint phase.
        clip_norm: largest norm of the gradient; 0 does not clip.
        decay: `constant` (paper) or `cosine` to zero over the phase.
    """

    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.9)
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    decay: Literal["constant", "cosine"] = "constant"

    def __post_init__(self) -> None:
        _at_least(0, lr=self.lr, weight_decay=self.weight_decay, clip_norm=self.clip_norm)
        if not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}; both must lie in [0, 1)")


@dataclass(frozen=True)
class SuperResolutionPhase:
    """Phase 1: the super-resolution network alone, on pairs (section IV-A.2 and IV-A.4).

    Attributes:
        steps: iterations of each stage, in order; the last goes on at full size. One number trains
            the whole network end to end, without growing it.
        batch: clips an iteration, one number a stage or one for all. Published code: 128, 64, 24
            for x8, 64, 20 for x4.
        epochs: instead of `steps`, how often each stage sees the data; as the published code
            counts.
        fade: how a new stage takes over.
        optimizer: kept from stage to stage.
        weight: factor of the loss.
        random_entries: for the any-size network: every batch enters at a side drawn from 14, 28,
            56.
    """

    steps: tuple[int, ...] = ()
    batch: tuple[int, ...] = (24,)
    epochs: tuple[float, ...] = ()
    fade: Fade = field(default_factory=Fade)
    optimizer: Optimizer = field(default_factory=Optimizer)
    weight: float = 1.0
    random_entries: bool = False

    def __post_init__(self) -> None:
        if bool(self.steps) == bool(self.epochs):
            raise ValueError("either steps or epochs are needed, and not both")
        stages = len(self.steps or self.epochs)
        if len(self.batch) not in (1, stages):
            raise ValueError(f"{len(self.batch)} batch sizes for {stages} stages")
        _at_least(1, **{f"steps[{n}]": s for n, s in enumerate(self.steps)})
        _at_least(1, **{f"batch[{n}]": b for n, b in enumerate(self.batch)})
        _at_least(0, weight=self.weight, **{f"epochs[{n}]": e for n, e in enumerate(self.epochs)})


@dataclass(frozen=True)
class JointPhase:
    """Phase 2: attention branch, super-resolution and classifier together (Eq. 1 to 3).

    Attributes:
        steps: iterations.
        batch: clips an iteration; published code: 14 (13 to 18 without attention).
        epochs: instead of `steps`, how often the data is seen.
        attention: train with the map; False is the joint phase without it.
        rec_from: where L_rec takes its pairs: `sr_data` (default: tiny clips have no truth), or
            `data`.
        att_from: where L_att takes its labelled clips: `data` (default), or `sr_data` where that is
            labelled with the same classes. Both roles share one batch when they are the same clips.
        lambda_rec: of Eq. 3; 1. Published code: 100 in the joint phase without attention.
        lambda_att: of Eq. 3; 0.5.
        lambda_sparsity: of Eq. 2, where the paper writes lambda_att too; 0.5. Published code: 0.001
            (0.0005 after its factor of 0.5).
        weighted: L_rec is weighted by the map (Eq. 1, and the published code).
        map_learns_from_rec: let L_rec move the map. Read literally Eq. 3 does, and a map of zeros
            is then the best; default, and published code: the map is only a weight there.
        video_learns_from_att: let L_att move the super-resolution network (paper: classification
            is its auxiliary task). Published code: no.
        classifier_on: what the classifier learns from: `masked` clips, in the same backward pass
            (Eq. 2), or `plain` super-resolved clips in a pass of its own (published code).
        mask_to_grey: mask in [-1, 1] (published code) instead of [0, 1].
        optimizer: of generator and attention branch.
        classifier_optimizer: of the classifier.
        head_lr: factor of the learning rate of the classifier's last layer, which is fresh; 1.
    """

    steps: int = 0
    batch: int = 14
    epochs: float = 0.0
    attention: bool = True
    rec_from: Role = "sr_data"
    att_from: Role = "data"
    lambda_rec: float = 1.0
    lambda_att: float = 0.5
    lambda_sparsity: float = 0.5
    weighted: bool = True
    map_learns_from_rec: bool = False
    video_learns_from_att: bool = True
    classifier_on: Literal["masked", "plain"] = "masked"
    mask_to_grey: bool = False
    optimizer: Optimizer = field(default_factory=Optimizer)
    classifier_optimizer: Optimizer = field(default_factory=Optimizer)
    head_lr: float = 1.0

    def __post_init__(self) -> None:
        _check_length(self.steps, self.epochs, self.batch)
        _at_least(0, lambda_rec=self.lambda_rec, lambda_att=self.lambda_att)
        _at_least(0, lambda_sparsity=self.lambda_sparsity, head_lr=self.head_lr)


@dataclass(frozen=True)
class ClassifierPhase:
    """Phase 3: the classifier on enlarged clips, without the map (Eq. 4).

    Attributes:
        steps: iterations.
        batch: clips an iteration; published code: 24.
        epochs: instead of `steps`, how often the data is seen.
        freeze_generator: the super-resolution network learns no more (published code).
        restart: begin from the pretrained classifier again, not from the joint phase's (published
            code, and "initialized with the same pre-trained weights", section V-C).
        freeze_norm: keep the batch norms' statistics; for small batches.
        class_weights: weight the loss so that rare classes count.
        optimizer: of all that learns.
        head_lr: factor of the learning rate of the last layer, which is fresh beside pretrained
            ones; 1. A large factor lets a short training get off the ground.
    """

    steps: int = 0
    batch: int = 24
    epochs: float = 0.0
    freeze_generator: bool = True
    restart: bool = True
    freeze_norm: bool = False
    class_weights: bool = False
    optimizer: Optimizer = field(default_factory=Optimizer)
    head_lr: float = 1.0

    def __post_init__(self) -> None:
        _check_length(self.steps, self.epochs, self.batch)
        _at_least(0, head_lr=self.head_lr)


@dataclass(frozen=True)
class Upkeep:
    """What a run does beside learning.

    Attributes:
        checkpoint_every: iterations between checkpoints.
        validate_every: iterations between validations; 0 only at the end of each phase.
        picture_every: iterations between pictures; 0 only at the end of each phase.
        ema: decay of the moving average of the weights that is kept and used; 0 keeps none.
        accumulate: pieces into which each batch is cut, to save memory.
        precision: `auto`, `float32`, `bfloat16` or `float16`.
        compile: run the networks through torch.compile.
        workers: processes that decode; 0 decodes between the iterations.
        cache: keep decoded frames on disk, so that later epochs do not decode.
        on_error: a training clip that cannot be read: `raise`, or `skip` and count it.
    """

    checkpoint_every: int = 100
    validate_every: int = 0
    picture_every: int = 0
    ema: float = 0.0
    accumulate: int = 1
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    compile: bool = False
    workers: int = 0
    cache: bool = True
    on_error: Literal["raise", "skip"] = "raise"

    def __post_init__(self) -> None:
        _at_least(1, checkpoint_every=self.checkpoint_every, accumulate=self.accumulate)
        _at_least(0, validate_every=self.validate_every, picture_every=self.picture_every)
        _at_least(0, workers=self.workers)
        if not 0.0 <= self.ema < 1.0:
            raise ValueError(f"ema is {self.ema}; a decay lies in [0, 1)")


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Attributes:
        name: what tables and models call it.
        classifier: the network that recognises; its number of classes follows from the data.
        super_resolution: the network before it; None is the bicubic baseline.
        labels: `single`, `multi`, or `auto`: multi where any clip of the manifest has several.
        weights: what the classifier starts from: a name from `tinyvirat weights`, a model's folder,
            or None for fresh weights.
        clips: how clips become input.
        phase1: super-resolution; None skips it.
        phase2: joint; None skips it.
        phase3: classifier; None skips it.
        upkeep: checkpoints, precision, workers.
        seed: of everything random.
    """

    name: str
    classifier: ClassifierConfig
    super_resolution: SuperResolutionConfig | None = None
    labels: Literal["auto", "single", "multi"] = "auto"
    weights: str | None = None
    clips: Clips = field(default_factory=Clips)
    phase1: SuperResolutionPhase | None = None
    phase2: JointPhase | None = None
    phase3: ClassifierPhase | None = None
    upkeep: Upkeep = field(default_factory=Upkeep)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.super_resolution is None and (self.phase1 or self.phase2):
            raise ValueError("phase1 and phase2 need a super_resolution network")
        if not (self.phase1 or self.phase2 or self.phase3):
            raise ValueError("a recipe needs at least one of phase1, phase2 and phase3")
        if self.phase2 and self.phase2.attention and not _has_branch(self.super_resolution):
            raise ValueError("phase2 with attention needs a super_resolution with attention: true")
        if self.phase2 and self.phase2.rec_from == "data" and self.clips.tiny:
            raise ValueError("phase2: rec_from: data cannot be with tiny clips: they have no truth")
        if self.super_resolution is not None:
            self._check_network(self.super_resolution)

    def _check_network(self, config: SuperResolutionConfig) -> None:
        """Builds the network without its values, and looks at what it answers."""
        clips = self.clips
        try:
            with torch.device("meta"), torch.no_grad():
                network = config.build().eval()
                x_BCTHW = torch.empty(1, 3, clips.frames, clips.size, clips.size)
                side = network(x_BCTHW).video_BCTHW.shape[-1]
        except RuntimeError as error:
            raise ValueError(f"super_resolution cannot take these clips: {error}") from error
        if side != clips.full:
            raise ValueError(
                f"super_resolution makes {side} px of clips.size {clips.size}, and clips.full is "
                f"{clips.full}; they must be the same"
            )
        if self.phase1 is None:
            return
        lengths = len(self.phase1.steps or self.phase1.epochs)
        if lengths not in (1, network.stages):
            raise ValueError(
                f"phase1: {lengths} lengths for a network of {network.stages} stages; give one for "
                "each, or a single one to train it at once"
            )
        if self.phase1.random_entries and not isinstance(config, AnySizeDVSRConfig):
            raise ValueError("phase1: random_entries is for the network any-size-dvsr")


def _at_least(least: float, **values: float) -> None:
    for name, value in values.items():
        if value < least:
            raise ValueError(f"{name} is {value}; it must be {least} or more")


def _check_length(steps: int, epochs: float, batch: int) -> None:
    """What phases of one stretch have in common."""
    _at_least(0, steps=steps, epochs=epochs)
    _at_least(1, batch=batch)
    if bool(steps) == bool(epochs):
        raise ValueError("either steps or epochs are needed, and not both")


def _has_branch(config: object) -> bool:
    return bool(getattr(config, "attention", False))


def load_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Reads a recipe.

    Args:
        path: a YAML file.
        overrides: `key.key=value` each, with a YAML value; they win over the file.

    Raises:
        RecipeError: no such file, not YAML, an unknown key, a value of another type, or a recipe
            that contradicts itself.
    """
    try:
        if not path.is_file():
            raise RecipeError(f"{path}: there is no such file")
        if path.stat().st_size > LARGEST_RECIPE:
            raise RecipeError(f"{path}: larger than {LARGEST_RECIPE} bytes: not a recipe")
        data = _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: not a recipe: a mapping of keys to values is needed")
    for override in overrides:
        _override(data, override)
    try:
        return from_plain(Recipe, data, where=str(path), tags=NETWORKS)
    except PlainDataError as error:
        raise RecipeError(str(error)) from error


def with_overrides(recipe: Recipe, overrides: tuple[str, ...]) -> Recipe:
    """A recipe with some values replaced: `key.key=value` each, as for `load_recipe`.

    Raises:
        RecipeError: as `load_recipe`.
    """
    data = to_plain(recipe, NETWORKS)
    for override in overrides:
        _override(data, override)
    try:
        return from_plain(Recipe, data, where=f"recipe {recipe.name!r}", tags=NETWORKS)
    except PlainDataError as error:
        raise RecipeError(str(error)) from error


def recipe_text(recipe: Recipe) -> str:
    """A recipe with every value spelled out, as YAML that `load_recipe` reads."""
    text: str = yaml.safe_dump(to_plain(recipe, NETWORKS), sort_keys=False, width=100)
    return text


def _parse(text: str, where: str) -> Any:
    try:
        return parse(text, where=where)
    except YamlError as error:
        raise RecipeError(str(error)) from error


def _override(data: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {text!r}: write KEY=VALUE, such as phase3.optimizer.lr=0.0001")
    *path, last = key.split(".")
    for name in path:
        inner = data.get(name)
        if inner is None:
            inner = data[name] = {}
        if not isinstance(inner, dict):
            raise RecipeError(f"--set {text!r}: {name!r} holds {inner!r}, which has no keys")
        data = inner
    data[last] = _parse(value, f"--set {text!r}")
