"""Training steps of the paper's three phases: as published, and as this package trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tinyvirat.benchmark.children import Crew
from tinyvirat.benchmark.networks import clips
from tinyvirat.benchmark.records import AS_PUBLISHED, PUBLISHED, Timing
from tinyvirat.benchmark.speeds import MATRICES, MATRIX_SIDES, How, start_matrices
from tinyvirat.benchmark.turns import Found, Party
from tinyvirat.common.pixels import to_uint8
from tinyvirat.common.plain import from_plain, to_plain
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.inference import DTYPES, pick_device
from tinyvirat.training.guard import guard_short_convolutions
from tinyvirat.training.inputs import LabelledBatch
from tinyvirat.training.phases import Phase, Place, Setting, phases_of
from tinyvirat.training.recipe import (
    TAGS,
    ClassifierPhase,
    Clips,
    JointPhase,
    Recipe,
    SuperResolutionPhase,
)

RECIPE = Recipe(
    name="published x8",
    classifier=I3DConfig(num_classes=26, input_size=112),
    super_resolution=ProgressiveDVSRConfig(scale=8, attention=True),
    labels="single",
    clips=Clips(size=14),
    phase1=SuperResolutionPhase(steps=(1, 1, 1)),
    phase2=JointPhase(steps=1),
    phase3=ClassifierPhase(steps=1),
)
"""Prog. DVSR x8 with attention before I3D: the largest of the published networks."""

PHASES = (1, 2, 3)
MOST_CLIPS, MOST_TURNS = 2, 3
"""A step takes many seconds a clip as published, and several times its memory when answering."""

VARIANTS = (PUBLISHED, "float32", "bfloat16")
NAMES = {
    PUBLISHED: AS_PUBLISHED,
    "float32": "ours, float32",
    "bfloat16": "ours, bfloat16",
}


class TrainingWork:
    """Whole iterations of one phase: pairs, losses, gradients, weights; the size is the batch.

    Args:
        job: `recipe` (as plain data), `phase` (1, 2 or 3), `variant`, `seed`, `device`.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        recipe = from_plain(Recipe, job["recipe"], where="job", tags=TAGS)
        self.recipe, self.seed = recipe, int(job["seed"])
        self.device = pick_device(job["device"])
        self.variant = str(job["variant"])
        torch.manual_seed(self.seed)
        self.phase = self._phase(int(job["phase"]))
        self.facts: dict[str, Any] = {}

    def once(self, size: int) -> None:
        """See `Work`."""
        batch = self._batch(size)
        phase = self.phase
        segment = phase.segments[-1]
        place = Place(0, 0, segment.stage, 1.0, self.seed)
        phase.set_modes()
        phase.set_rates(0)
        dtype = DTYPES.get(self.variant, torch.float32)
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            losses = phase.losses({"data": batch, "sr_data": batch}, place)
        losses.total.backward()  # type: ignore[no-untyped-call]  # in PyTorch's own stubs
        for optimizer in phase.optimizers.values():
            optimizer.step()
            optimizer.zero_grad()
        losses.total.item()  # waits for any device

    def answer(self, path: Path) -> None:
        """There is nothing to compare."""
        raise NotImplementedError

    def _phase(self, number: int) -> Phase:
        from tinyvirat.models.recognizer import RecognizerConfig

        recipe = self.recipe
        config = RecognizerConfig(recipe.classifier, recipe.super_resolution, recipe.clips.full)
        network = config.build().to(self.device)
        if self.variant != PUBLISHED:
            if self.device.type == "cpu":
                guard_short_convolutions(network)
            # The stubs of Module.to know the memory format only together with a tensor.
            network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        ones_K = torch.ones(recipe.classifier.num_classes)
        many = 1 << 10
        setting = Setting(
            recipe,
            network,
            "single",
            {"data": many, "sr_data": many},
            {"data": ones_K, "sr_data": ones_K},
        )
        return next(p for p in phases_of(setting) if p.name.startswith(str(number)))

    def _batch(self, size: int) -> LabelledBatch:
        side, frames = self.recipe.clips.short_side, self.recipe.clips.frames
        x_BCTHW = to_uint8(clips(size, frames, side, self.seed))
        targets_BK = torch.zeros(size, self.recipe.classifier.num_classes)
        targets_BK[:, 0] = 1.0
        return LabelledBatch(
            [x_CTHW.movedim(0, -1).contiguous().to(self.device) for x_CTHW in x_BCTHW],
            targets_BK.to(self.device),
            range(size),
        )


def gmac_of_step(recipe: Recipe, phase: int) -> float:
    """10^9 multiplications with addition of one clip of a step, counted by doing one.

    Args:
        recipe: what is trained.
        phase: 1, 2 or 3.
    """
    job = {"recipe": to_plain(recipe, TAGS), "phase": phase, "variant": PUBLISHED}
    work = TrainingWork(job | {"seed": 0, "device": "cpu"})
    with FlopCounterMode(display=False) as counter:
        work.once(1)
    return float(counter.get_total_flops()) / 2e9


def measure_training(
    how: How, *, recipe: Recipe = RECIPE, progress: Callable[[str], None] | None = None
) -> tuple[list[Timing], list[dict[str, Found]]]:
    """Seconds of a training step, by phase and variant, for one clip of its batch.

    Args:
        how: precisions, threads and pace; a batch has no more clips than the pace, and two at most.
        recipe: what is trained.
        progress: is told what begins.

    Returns:
        The rows, and the turns of the matrices.
    """
    batch = min(MOST_CLIPS, max(how.pace.batches))
    pace = replace(how.pace, turns=min(MOST_TURNS, how.pace.turns), batches=(batch,))
    rows, matrices = [], []
    for phase in PHASES:
        if progress is not None:
            progress(f"training, phase {phase}")
        variants = [v for v in VARIANTS if v == PUBLISHED or v in how.precisions]
        with Crew(threads=how.threads, seconds=how.pace.limit) as crew:
            for variant in variants:
                crew.start(
                    variant,
                    {
                        "kind": "training",
                        "recipe": to_plain(recipe, TAGS),
                        "phase": phase,
                        "variant": variant,
                        "seed": how.seed,
                        "device": how.device,
                    },
                )
            start_matrices(how, crew)
            sides = {f"matrix {p}": MATRIX_SIDES for p in MATRICES}
            found = Party(crew.children, pace).play(sides)
        matrices.append({p: found[f"matrix {p}"] for p in MATRICES})
        gmac = gmac_of_step(recipe, phase)
        rows += [
            replace(_row(f"phase {phase}", v, found[v], found[PUBLISHED]), gmac=gmac)
            for v in variants
        ]
    return rows, matrices


def _row(what: str, variant: str, mine: Found, reference: Found) -> Timing:
    best, theirs = mine.best(), reference.best()
    if best is None:
        return Timing("training", what, NAMES[variant], reason=mine.reason)
    return Timing(
        "training",
        what,
        NAMES[variant],
        seconds=best[1],
        unit=f"clip of a step, {best[0]} at once",
        ratio=None if theirs is None else theirs[1] / best[1],
        memory_mb=mine.memory_mb,
    )
