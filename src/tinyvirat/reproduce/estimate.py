"""What a row is going to take: iterations, operations and, at a speed that is said, time.

An iteration is counted as three forward passes of what learns (one forward, two for the gradients)
and one of what is frozen, a teacher too. Decoding, evaluation, the optimiser and the network of a
feature loss are not counted.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from tinyvirat.common.precision import fastest_dtype
from tinyvirat.common.words import counted
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.recognizer import ClassifierConfig, RecognizerConfig, SuperResolutionConfig
from tinyvirat.models.zoo import Cost, cost_of
from tinyvirat.reproduce.plan import Plan, Row
from tinyvirat.reproduce.trainings import Training
from tinyvirat.training.phases import Classification, Joint, SuperResolution, steps_for
from tinyvirat.training.recipe import Recipe, Role

GPU_CLIPS = 8
"""Clips of the measured iteration on a GPU, which one clip would leave idle."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of training with one batch size.

    Attributes:
        phase: its name in run folders.
        steps: iterations.
        batch: clips an iteration.
        gmac: of all of it.
    """

    phase: str
    steps: int
    batch: int
    gmac: float


@dataclass(frozen=True)
class RowEstimate:
    """What a row takes.

    Attributes:
        row: its full name, `TABLE/ROW`.
        method: what the table calls it.
        input: the input's size, where the table has such a column.
        run_of: an earlier row whose run it tests in another way; empty where it has one of its own.
        stretches: of the whole training, also of runs that it shares with other rows.
        parameters: of the network.
        gmac: of one window of the network.
        hours: of the whole training at the plan's speed.
    """

    row: str
    method: str
    input: str | None
    run_of: str
    stretches: tuple[Stretch, ...]
    parameters: int
    gmac: float
    hours: float

    @property
    def line(self) -> str:
        """All of it in one line."""
        called = ", ".join(filter(None, (self.method, self.input)))
        cost = f"{self.gmac:.1f} GMAC a window, {self.parameters / 1e6:.1f} M parameters"
        if self.run_of:
            return (
                f"{self.row} ({called}): no iterations of its own, it is the run of {self.run_of} "
                f"tested in another way; {cost}; no time of its own"
            )
        phases: dict[str, list[str]] = {}
        for one in self.stretches:
            phases.setdefault(one.phase, []).append(f"{one.steps:,} of {one.batch}")
        steps = "; ".join(f"{name} {' + '.join(texts)}" for name, texts in phases.items())
        return f"{self.row} ({called}): iterations {steps}; {cost}; about {duration(self.hours)}"


@dataclass(frozen=True)
class Estimate:
    """What a table takes.

    Attributes:
        rows: one entry a row.
        trainings: how many runs there are, each counted once.
        hours: of all of them, for all seeds.
        clips: training clips that have labels, and that give pairs.
        gmac_per_second: the speed that the times are worked out with.
        basis: where that is from.
    """

    rows: tuple[RowEstimate, ...]
    trainings: int
    hours: float
    clips: tuple[int, int]
    gmac_per_second: float
    basis: str


@dataclass(frozen=True)
class Speed:
    """How fast training is, and how that is known."""

    gmac_per_second: float
    basis: str


def estimate(plan: Plan, speed: Speed, *, clips: int, sr_clips: int) -> Estimate:
    """What a plan takes.

    Args:
        plan: the plan.
        speed: of training.
        clips: training clips that have labels.
        sr_clips: training clips that give pairs.
    """
    classes = plan.text.classes
    counts: dict[Role, int] = {"data": clips, "sr_data": sr_clips}
    known = {one: _stretches(one, classes, counts) for one in plan.trainings()}

    def hours(trainings: Sequence[Training]) -> float:
        gmac = sum(stretch.gmac for one in trainings for stretch in known[one])
        return gmac / speed.gmac_per_second / 3600.0

    rows = []
    first: dict[Training, str] = {}
    for row in plan.rows:
        earlier = first.setdefault(plan.training(row, plan.seeds[0]), row.key)
        chain = tuple(plan.training(row, plan.seeds[0]).chain())
        cost = row_cost(row, classes)
        rows.append(
            RowEstimate(
                row=f"{plan.name}/{row.key}",
                method=row.method,
                input=row.input,
                run_of="" if earlier == row.key else earlier,
                stretches=tuple(stretch for one in chain for stretch in known[one]),
                parameters=cost.parameters,
                gmac=cost.gmac,
                hours=hours(chain),
            )
        )
    return Estimate(
        rows=tuple(rows),
        trainings=len(known),
        hours=hours(tuple(known)),
        clips=(clips, sr_clips),
        gmac_per_second=speed.gmac_per_second,
        basis=speed.basis,
    )


def row_cost(row: Row, classes: int) -> Cost:
    """Parameters and operations of a row's network for one window, as the row tests it."""
    recipe = row.recipe
    config = RecognizerConfig(
        replace(recipe.classifier, num_classes=classes),
        recipe.super_resolution,
        side=recipe.clips.classified,
        mask=row.variant.map != "none",
    )
    return _cost(config, recipe.clips.size, recipe.clips.frames)


@functools.cache
def _cost(config: RecognizerConfig, side: int, frames: int) -> Cost:
    return cost_of(config, side, frames)


@functools.cache
def _classifier_gmac(config: ClassifierConfig, side: int, frames: int) -> float:
    return cost_of(config, side, frames).gmac


@functools.cache
def _stage_gmac(config: SuperResolutionConfig, side: int, frames: int, stage: int | None) -> float:
    with torch.device("meta"):
        network = config.build().eval()
        x_BCTHW = torch.empty(1, 3, frames, side, side)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(x_BCTHW, stage)
    return counter.get_total_flops() / 2e9


def _stretches(run: Training, classes: int, clips: Mapping[Role, int]) -> tuple[Stretch, ...]:
    """The stretches of one run, as `training.phases` has them."""
    recipe = _with_classes(run.recipe, classes)
    found = _growing(recipe, clips["sr_data"])
    if recipe.phase2 is not None:
        one = recipe.phase2
        fewest = min(clips[one.rec_from], clips[one.att_from])
        batch = min(one.batch, fewest)
        steps = one.steps or steps_for(one.epochs, clips[one.att_from], batch)
        found.append(Stretch(Joint.name, steps, batch, steps * batch * _joint_gmac(recipe)))
    if recipe.phase3 is not None:
        last = recipe.phase3
        batch = min(last.batch, clips["data"])
        steps = last.steps or steps_for(last.epochs, clips["data"], batch)
        enlarging = (1.0 if last.freeze_generator else 3.0) * _enlarging(recipe)
        gmac = enlarging + 3.0 * _classifying(recipe)
        if run.teacher is not None:
            teacher = _with_classes(run.teacher.recipe, classes)
            gmac += _enlarging(teacher) + _classifying(teacher)
        found.append(Stretch(Classification.name, steps, batch, steps * batch * gmac))
    return tuple(found)


def _with_classes(recipe: Recipe, classes: int) -> Recipe:
    return replace(recipe, classifier=replace(recipe.classifier, num_classes=classes))


def _growing(recipe: Recipe, clips: int) -> list[Stretch]:
    """The stages of phase 1."""
    phase = recipe.phase1
    if phase is None:
        return []
    count = len(phase.steps or phase.epochs)
    batches = [min(batch, clips) for batch in phase.batch * (count if len(phase.batch) == 1 else 1)]
    steps = phase.steps or [
        steps_for(epochs, clips, batch) for epochs, batch in zip(phase.epochs, batches, strict=True)
    ]
    stages = [*range(1, count), None]
    return [
        Stretch(SuperResolution.name, n, batch, n * batch * 3.0 * _enlarging(recipe, stage))
        for n, batch, stage in zip(steps, batches, stages, strict=True)
    ]


def _joint_gmac(recipe: Recipe) -> float:
    """What an iteration of phase 2 takes for each clip of its batch."""
    assert recipe.phase2 is not None
    batches = 2 if recipe.clips.tiny else 1  # pairs and labelled clips are not the same
    passes = 2 if recipe.phase2.classifier_on == "plain" else 1
    return 3.0 * (batches * _enlarging(recipe) + passes * _classifying(recipe))


def _enlarging(recipe: Recipe, stage: int | None = None) -> float:
    """A forward pass of super-resolution for one clip."""
    if recipe.super_resolution is None:
        return 0.0
    clips = recipe.clips
    return _stage_gmac(recipe.super_resolution, clips.size, clips.frames, stage)


def _classifying(recipe: Recipe) -> float:
    """A forward pass of the classifier for one clip."""
    return _classifier_gmac(recipe.classifier, recipe.clips.classified, recipe.clips.frames)


def measured_speed(device: torch.device) -> Speed:
    """The speed of training on `device`: an iteration of I3D, timed now (a few seconds)."""
    config = I3DConfig(num_classes=10)
    clips = 1 if device.type == "cpu" else GPU_CLIPS
    dtype = fastest_dtype(device)
    network = config.build().to(device).train()
    x_BCTHW = torch.randn(clips, 3, 16, 112, 112, device=device)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            logits_BK = network(x_BCTHW)
        logits_BK.float().square().mean().backward()
        gradient = network.get_parameter("head.bias").grad
        assert gradient is not None
        gradient.sum().item()  # waits for the device
        network.zero_grad()
        seconds.append(time.perf_counter() - began)
    gmac = 3.0 * clips * _classifier_gmac(config, 112, 16)
    best = min(seconds)
    name = str(dtype).removeprefix("torch.")
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"this {device.type}"
    return Speed(
        gmac / best,
        f"an iteration of I3D on {counted(clips, 'clip')} of 16 x 112 x 112 takes "
        f"{best:.2f} s on {where} in {name}, measured now: {gmac / best:.0f} GMAC/s",
    )


def duration(hours: float) -> str:
    """A length of time to read."""
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    if hours < 1:
        return f"{60 * hours:.0f} min"
    if hours < 48:
        return f"{hours:.1f} h"
    return f"{hours / 24:.1f} days"
