"""A recipe: everything a training run does, as frozen dataclasses read from a small YAML file.

Defaults are the paper's where it says something; each docstring names the published code's value
where that differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.pixels import Policy
from tinyvirat.common.plain import LATER, PlainDataError, Tags, from_plain, to_plain
from tinyvirat.common.ranges import at_least
from tinyvirat.common.strict_yaml import YamlError, dump, parse
from tinyvirat.datasets.degrade import Degrade
from tinyvirat.models.any_size import AnySizeDVSRConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import ClassifierConfig, SuperResolutionConfig
from tinyvirat.models.zoo import NETWORKS
from tinyvirat.training.classification_losses import LOSSES
from tinyvirat.training.phase_settings import (
    ClassifierPhase,
    Distill,
    FeatureLoss,
    JointPhase,
    Optimizer,
    Role,
    Sampling,
    SuperResolutionPhase,
)
from tinyvirat.video.sampling import AllWindows, RandomWindow

__all__ = [
    "ClassifierPhase",
    "Clips",
    "Distill",
    "FeatureLoss",
    "JointPhase",
    "Optimizer",
    "Recipe",
    "RecipeError",
    "Role",
    "Sampling",
    "SuperResolutionPhase",
    "Tuning",
    "Upkeep",
    "load_recipe",
    "recipe_text",
    "with_overrides",
]

TAGS: Tags = {**NETWORKS, **LOSSES}
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
            what the classifier is given unless `seen` says otherwise.
        short_side: shorter side in pixels before the crop to `full`; `full` or more.
        tiny: the clips to recognise are tiny by nature: they go to `size` directly, and give no
            pairs.
        fit: `crop`, `pad` or `stretch`, for tiny clips that are not square; large ones are cropped.
        frames: length of a window.
        strides: distances between its frames in training, drawn with equal probability.
        test_stride: distance between its frames afterwards.
        flip: probability of mirroring a training clip.
        seen: side of what the classifier is given, in training and afterwards; None: `full`. A
            smaller one makes a cheaper classifier of the same clips.
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
    seen: int | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        if self.fit != "pad" and not self.tiny:
            raise ValueError(
                f"fit: {self.fit} is for clips with tiny: true; large ones are cropped"
            )
        if self.seen is not None and self.seen < 1:
            raise ValueError(f"seen is {self.seen}; a side is 1 px or more")
        if self.frames > LONGEST_WINDOW:
            raise ValueError(f"frames is {self.frames}; a window has {LONGEST_WINDOW} at most")
        # Each refuses what it cannot carry out.
        self.preprocess()
        self.degrade()
        RandomWindow(self.frames, self.strides)
        AllWindows(self.frames, self.test_stride)

    @property
    def classified(self) -> int:
        """Side of what the classifier is given."""
        return self.full if self.seen is None else self.seen

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
        on_error: a training clip that cannot be read: `raise`, or `skip` it: another clip stands in
            for it, always the same, and it is counted.
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
        at_least(1, checkpoint_every=self.checkpoint_every, accumulate=self.accumulate)
        at_least(0, validate_every=self.validate_every, picture_every=self.picture_every)
        at_least(0, workers=self.workers)
        if not 0.0 <= self.ema < 1.0:
            raise ValueError(f"ema is {self.ema}; a decay lies in [0, 1)")


@dataclass(frozen=True)
class Tuning:
    """What is set on the finished model by clips held out from its training.

    These are the clips of the manifest's `val` split. Where it has none, and clips can have several
    labels, a share of the training split's source videos is held out from all phases, the same for
    every recipe and seed, and is validated on too; unless that makes fewer clips than can be tuned
    on (20).

    Attributes:
        thresholds: set each label's threshold, for the best F1; several labels only.
        temperature: set the temperature of the probabilities.
        hold_out: the share; 0: hold nothing out, and tune only where there is a `val` split.
    """

    thresholds: bool = True
    temperature: bool = True
    hold_out: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.hold_out <= 0.5:
            raise ValueError(f"hold_out is {self.hold_out}; it is a share from 0 to 0.5")

    @property
    def wanted(self) -> bool:
        """Whether something is to be set at all."""
        return self.thresholds or self.temperature


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
        tuning: thresholds and temperature of the finished model.
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
    tuning: Tuning = field(default_factory=Tuning)
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
        if self.phase2 and self.clips.classified != self.clips.full:
            raise ValueError(
                "phase2 trains super-resolution and classifier on one clip: leave clips.seen out"
            )
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

    @property
    def learns_from_pairs(self) -> bool:
        """Whether a phase needs high-resolution truth, and not the labelled clips alone."""
        return self.phase1 is not None or self.phase2 is not None


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
        return from_plain(Recipe, data, where=str(path), tags=TAGS)
    except PlainDataError as error:
        raise RecipeError(str(error)) from error


def with_overrides(recipe: Recipe, overrides: tuple[str, ...]) -> Recipe:
    """A recipe with some values replaced: `key.key=value` each, as for `load_recipe`.

    Raises:
        RecipeError: as `load_recipe`.
    """
    data = to_plain(recipe, TAGS)
    for override in overrides:
        _override(data, override)
    try:
        return from_plain(Recipe, data, where=f"recipe {recipe.name!r}", tags=TAGS)
    except PlainDataError as error:
        raise RecipeError(str(error)) from error


def recipe_text(recipe: Recipe) -> str:
    """A recipe with every value spelled out, as YAML that `load_recipe` reads."""
    return dump(to_plain(recipe, TAGS))


def identity_text(recipe: Recipe) -> str:
    """As `recipe_text`, without what leaves the weights as they are: two recipes with the same are
    the same run, which one may go on with where the other stopped.
    """
    plain = Upkeep()
    upkeep = replace(
        recipe.upkeep,
        checkpoint_every=plain.checkpoint_every,
        validate_every=plain.validate_every,
        picture_every=plain.picture_every,
        workers=plain.workers,
        cache=plain.cache,
    )
    return recipe_text(replace(recipe, upkeep=upkeep))


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
