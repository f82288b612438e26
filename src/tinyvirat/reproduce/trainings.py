"""A recipe cut into training runs, so that rows share what is the same.

Super-resolution, joint training and the classifier become runs of their own, each taking the
super-resolution network of the one before it over. Two rows with the same data, super-resolution
and seed have the same first run, whatever their classifiers are, and it is made once. Cut or in one
piece, a recipe gives the same weights.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinyvirat.models.any_size import AnySizeDVSRConfig
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.zoo import config_to_json
from tinyvirat.training.fade import Fade
from tinyvirat.training.recipe import Recipe, SuperResolutionPhase, identity_text

WITH_BRANCH = (ProgressiveDVSRConfig, AnySizeDVSRConfig)
UNUSED = ResNet3DConfig(depth=10, width=1)
"""The classifier of a run that trains super-resolution alone: the smallest there is."""


@dataclass(frozen=True)
class Training:
    """One run; equal ones are the same run.

    Attributes:
        recipe: what it does; its `name` and `seed` are part of it.
        after: the run whose super-resolution network it takes over.
        teacher: the run that its classifier learns from.
    """

    recipe: Recipe
    after: Training | None = None
    teacher: Training | None = None

    @property
    def before(self) -> tuple[Training, ...]:
        """The runs that it takes something of."""
        return tuple(one for one in (self.after, self.teacher) if one is not None)

    def chain(self) -> Iterator[Training]:
        """The runs of its own recipe, the first first, and itself; not what its teacher needs."""
        if self.after is not None:
            yield from self.after.chain()
        yield self

    def needed(self) -> Iterator[Training]:
        """All runs that it needs, each after those that it needs itself, and itself."""
        for one in self.before:
            yield from one.needed()
        yield self

    @property
    def sum(self) -> str:
        """A short checksum, by which runs of one name and seed are told apart."""
        return self.folder("").rpartition("-")[2][:6]

    def folder(self, labelled: str, pairs: str | None = None) -> str:
        """The name of its folder, another one for every recipe, seed and data that it looks at.

        Args:
            labelled: checksum of the labelled clips, all that a classifier alone learns from.
            pairs: checksum of these and of the clips that give pairs; None where they are the same.
        """
        return _folder(self, labelled, labelled if pairs is None else pairs)


@functools.cache
def _folder(training: Training, labelled: str, pairs: str) -> str:
    recipe = training.recipe
    before = "" if training.after is None else _folder(training.after, labelled, pairs)
    teacher = () if training.teacher is None else (_folder(training.teacher, labelled, pairs),)
    data = pairs if recipe.learns_from_pairs else labelled
    parts = (identity_text(recipe), before, data, *teacher)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{recipe.name}-seed{recipe.seed}-{digest[:10]}"


def trainings_of(
    recipe: Recipe,
    before: Recipe | None = None,
    *,
    teacher: Training | None = None,
    seed: int = 0,
) -> Training:
    """The last run of a recipe; `chain` gives all.

    Args:
        recipe: a whole recipe.
        before: the recipe whose super-resolution network it takes over, where it does not train one
            itself.
        teacher: the run that its classifier learns from.
        seed: of all of them.
    """
    first = recipe if recipe.phase1 is not None else before
    after = None if first is None else Training(_super_resolution(first, seed))
    if recipe.phase2 is None and recipe.phase3 is None:
        assert after is not None  # a recipe has a phase
        return after
    phase2 = recipe.phase2
    if phase2 is not None and recipe.phase3 is not None and recipe.phase3.restart:
        name = f"{recipe.name}-joint"
        after = Training(replace(recipe, name=name, phase1=None, phase3=None, seed=seed), after)
        phase2 = None
    return Training(replace(recipe, phase1=None, phase2=phase2, seed=seed), after, teacher)


def _super_resolution(recipe: Recipe, seed: int) -> Recipe:
    """Phase 1 alone, in the one form that all recipes with this phase 1 share."""
    config, phase = recipe.super_resolution, recipe.phase1
    assert config is not None and phase is not None
    if isinstance(config, WITH_BRANCH):
        config = replace(config, attention=False)  # phase 1 does not train the branch
    kind = config_to_json(config)["network"]
    if _at_once(phase):
        phase = replace(phase, fade=Fade())  # nothing is faded in where nothing is grown
    how = "-at-once" if _at_once(phase) else ""
    how += "-features" if phase.feature_loss else ""
    return replace(
        recipe,
        name=f"super-resolution-{kind}-{recipe.clips.size}{how}",
        classifier=UNUSED,
        super_resolution=config,
        weights=None,
        phase1=phase,
        phase2=None,
        phase3=None,
        seed=seed,
    )


def _at_once(phase: SuperResolutionPhase) -> bool:
    return len(phase.steps or phase.epochs) == 1
