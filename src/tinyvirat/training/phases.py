"""The paper's three phases: each owns what learns, its loss and its optimisers.

A phase knows nothing of devices, processes or files: `training.loop` gives it batches, and carries
out the gradient steps that its losses ask for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tinyvirat.datasets.degrade import stage_target
from tinyvirat.models.any_size import ENTRIES
from tinyvirat.models.classifier import Seen
from tinyvirat.models.recognizer import Recognizer, masked
from tinyvirat.training.classification_losses import ClassCounts
from tinyvirat.training.distillation import Distiller, Teacher, perceptual_loss
from tinyvirat.training.inputs import Inputs, LabelledBatch
from tinyvirat.training.mixup import PAIR, mixed
from tinyvirat.training.norms import BATCH_NORMS
from tinyvirat.training.objectives import (
    Labels,
    attention_loss,
    joint_loss,
    reconstruction_loss,
)
from tinyvirat.training.recipe import (
    ClassifierPhase,
    JointPhase,
    Optimizer,
    Recipe,
    Role,
    Sampling,
    SuperResolutionPhase,
)
from tinyvirat.training.seeds import seed_of

Batches = Mapping[Role, LabelledBatch]


@dataclass(frozen=True)
class Segment:
    """A stretch of a phase with one batch size.

    Attributes:
        steps: iterations.
        batch: clips an iteration, over all processes; no more than there are.
        stage: of the super-resolution network; None means all.
    """

    steps: int
    batch: int
    stage: int | None = None


@dataclass(frozen=True)
class Group:
    """Parameters of an optimiser that share a factor of its learning rate."""

    parameters: Sequence[nn.Parameter]
    factor: float = 1.0


@dataclass(frozen=True)
class Place:
    """Where an iteration stands.

    Attributes:
        step: iterations of the phase before it.
        segment_step: iterations of its segment before it.
        stage: of the super-resolution network; None means all.
        epoch_steps: iterations in an epoch.
        seed: of what is random in the iteration.
    """

    step: int
    segment_step: int
    stage: int | None
    epoch_steps: float
    seed: int


class Losses(NamedTuple):
    """What an iteration minimises, and what it reports."""

    total: Tensor
    parts: dict[str, Tensor]


@dataclass(frozen=True)
class Setting:
    """What all phases are built from.

    Attributes:
        recipe: the resolved recipe.
        network: the recogniser, which the phases train in place.
        labels: `single` or `multi`.
        clips: number of training clips by role.
        counts: training clips of each class, `counts_K`, by role.
        teacher: from whom the classifier learns, where the recipe distils.
        critic: whose features super-resolution learns from, where the recipe has a feature loss.
    """

    recipe: Recipe
    network: Recognizer
    labels: Labels
    clips: Mapping[Role, int]
    counts: Mapping[Role, Tensor]
    teacher: Teacher | None = None
    critic: Recognizer | None = None

    def classes(self, role: Role) -> ClassCounts:
        """How common the classes are among the training clips of a role."""
        return ClassCounts(self.counts[role], self.clips[role])


class Phase(ABC):
    """One of the three.

    Attributes:
        name: as in the run folder.
        segments: its stretches, in order.
        roles: whose clips every iteration needs.
        optimizers: by name.
        base: the settings of each optimiser.
        sampling: how often clips are seen.
        together: clips of a batch, side by side, that no cut into pieces may part.
        helpers: by name, what learns along and is no part of the network.
    """

    name: ClassVar[str]
    segments: tuple[Segment, ...]
    roles: tuple[Role, ...]
    optimizers: dict[str, torch.optim.Optimizer]
    base: dict[str, Optimizer]
    sampling: Sampling = Sampling()
    together: int = 1

    def __init__(self, setting: Setting) -> None:
        self.helpers: dict[str, nn.Module] = {}
        self.setting = setting
        self.network = setting.network
        self.inputs = Inputs(setting.recipe.clips)

    @property
    def steps(self) -> int:
        """Iterations in all."""
        return sum(segment.steps for segment in self.segments)

    @property
    def learning(self) -> list[nn.Parameter]:
        """Every parameter that the phase trains."""
        groups = (g for o in self.optimizers.values() for g in o.param_groups)
        return [parameter for group in groups for parameter in group["params"]]

    @abstractmethod
    def losses(self, batches: Batches, place: Place) -> Losses:
        """The losses of one iteration."""

    @abstractmethod
    def set_modes(self) -> None:
        """Puts every network into the mode it has in this phase."""

    def set_rates(self, step: int) -> None:
        """Sets the learning rates of an iteration; a pure function of it, so that it resumes."""
        for name, optimizer in self.optimizers.items():
            rate = self.base[name].rate(step / self.steps)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]

    def _optimize(self, optimizers: Mapping[str, tuple[Optimizer, Sequence[Group]]]) -> None:
        self.base = {name: base for name, (base, _) in optimizers.items()}
        self.optimizers = {
            name: torch.optim.Adam(
                [{"params": list(g.parameters), "factor": g.factor} for g in groups],
                lr=base.lr,
                betas=base.betas,
                weight_decay=base.weight_decay,
            )
            for name, (base, groups) in optimizers.items()
        }

    def _classifier_groups(self, head_lr: float) -> list[Group]:
        """The classifier's parameters, those of its last layer apart."""
        head: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in self.network.classifier.named_parameters():
            (head if name.startswith("head.") else rest).append(parameter)
        return [Group(rest), Group(head, head_lr)]

    def _super_resolution(self) -> nn.Module:
        network = self.network.super_resolution
        if network is None:
            raise ValueError(f"{self.name} needs a super-resolution network")
        return network


class SuperResolution(Phase):
    """Phase 1: pairs only, grown stage by stage or trained at once (Eq. 1 with F_att = 1)."""

    name = "1-super-resolution"

    def __init__(self, setting: Setting, settings: SuperResolutionPhase) -> None:
        super().__init__(setting)
        self.settings = settings
        self.roles = ("sr_data",)
        network = self._super_resolution()
        self.segments = self._segments(settings, getattr(network, "stages", 1))
        attention = getattr(network, "attention", None)
        branch = set() if attention is None else set(attention.parameters())
        self._optimize(
            {
                "generator": (
                    settings.optimizer,
                    [Group([p for p in network.parameters() if p not in branch])],
                )
            }
        )

    def _segments(self, settings: SuperResolutionPhase, stages: int) -> tuple[Segment, ...]:
        lengths = len(settings.steps or settings.epochs)
        if lengths not in (1, stages):
            raise ValueError(f"phase1: {lengths} lengths for a network of {stages} stages")
        batches = settings.batch * lengths if len(settings.batch) == 1 else settings.batch
        clips = self.setting.clips["sr_data"]
        steps = settings.steps or tuple(
            steps_for(epochs, clips, batch)
            for epochs, batch in zip(settings.epochs, batches, strict=True)
        )
        numbers = [None] if lengths == 1 else [*range(1, stages), None]
        return tuple(
            Segment(length, min(batch, clips), stage)
            for length, batch, stage in zip(steps, batches, numbers, strict=True)
        )

    def set_modes(self) -> None:
        self.network.eval()
        self._super_resolution().train()

    def losses(self, batches: Batches, place: Place) -> Losses:
        inputs = self.inputs
        if self.settings.random_entries:
            entry = int(np.random.default_rng(place.seed).integers(len(ENTRIES)))
            inputs = Inputs(replace(self.setting.recipe.clips, size=ENTRIES[entry]))
        pairs = inputs.pairs(batches["sr_data"])
        growing = len(self.segments) > 1 and place.stage != 1
        alpha = 1.0
        if growing:
            alpha = self.settings.fade.alpha(place.segment_step, place.epoch_steps)
        network = self._super_resolution()
        video_BCTHW = network(pairs.low_BCTHW, place.stage, alpha, with_map=False).video_BCTHW
        frames, side = video_BCTHW.shape[2], video_BCTHW.shape[-1]
        truth_BCTHW = stage_target(pairs.high_BCTHW, frames, side)
        rec = reconstruction_loss(video_BCTHW.float(), truth_BCTHW)
        total, parts = self.settings.weight * rec, {"rec": rec, "alpha": torch.tensor(alpha)}
        feature = self.settings.feature_loss
        if feature is not None and place.stage is None:
            critic = self.setting.critic
            if critic is None:
                raise ValueError(f"{self.name}: feature_loss needs a critic")
            parts["features"] = perceptual_loss(critic, video_BCTHW, truth_BCTHW, feature.stages)
            total = total + feature.weight * parts["features"]
        return Losses(total, parts)


class Joint(Phase):
    """Phase 2: attention branch, super-resolution and classifier together (Eq. 1 to 3)."""

    name = "2-joint"

    def __init__(self, setting: Setting, settings: JointPhase) -> None:
        super().__init__(setting)
        self.settings = settings
        self.roles = tuple(dict.fromkeys((settings.rec_from, settings.att_from)))
        self.loss = settings.loss.build(setting.classes(settings.att_from), setting.labels)
        clips = min(setting.clips[role] for role in self.roles)
        self.segments = (_one_segment(settings, setting.clips[settings.att_from], clips),)
        self._optimize(
            {
                "generator": (
                    settings.optimizer,
                    [Group(self._taught())],
                ),
                "classifier": (
                    settings.classifier_optimizer,
                    self._classifier_groups(settings.head_lr),
                ),
            }
        )

    def _taught(self) -> list[nn.Parameter]:
        """What super-resolution learns with: a branch that no loss reaches is left as it is.

        Its gradients are zeros, and weight decay alone would change it.
        """
        s, network = self.settings, self._super_resolution()
        reached = s.lambda_att > 0.0 or (s.weighted and s.map_learns_from_rec)
        branch = getattr(network, "attention", None)
        left = set() if reached or branch is None else set(branch.parameters())
        return [one for one in network.parameters() if one not in left]

    def set_modes(self) -> None:
        self.network.train()

    def losses(self, batches: Batches, place: Place) -> Losses:
        s = self.settings
        network = self._super_resolution()
        pairs = self.inputs.pairs(batches[s.rec_from])
        answer = network(pairs.low_BCTHW)
        weight = answer.attention_B1THW if s.attention and s.weighted else None
        if weight is not None and not s.map_learns_from_rec:
            weight = weight.detach()
        rec = reconstruction_loss(answer.video_BCTHW.float(), pairs.high_BCTHW, weight)
        batch = batches[s.att_from]
        if batch is not batches[s.rec_from]:
            answer = network(self.inputs.low(batch))
        video = answer.video_BCTHW if s.video_learns_from_att else answer.video_BCTHW.detach()
        attention = answer.attention_B1THW
        seen = video
        if s.attention and attention is not None:
            seen = masked(video, attention, to_grey=s.mask_to_grey)
        classification = self._classification(seen, batch, learns=s.classifier_on == "masked")
        att = classification
        parts = {"rec": rec, "cls": classification}
        if s.attention and attention is not None:
            att = attention_loss(classification, attention.float(), s.lambda_sparsity)
            parts["map"] = attention.float().mean()
        total = joint_loss(rec, att, s.lambda_rec, s.lambda_att)
        if s.classifier_on == "plain":
            own = self._classification(answer.video_BCTHW.detach(), batch, learns=True)
            parts["cls_plain"] = own
            total = total + own
        return Losses(total, parts)

    def _classification(self, video_BCTHW: Tensor, batch: LabelledBatch, *, learns: bool) -> Tensor:
        """The classifier's loss; one that does not learn passes gradients to the clip only."""
        classifier = self.network.classifier
        for parameter in classifier.parameters():
            parameter.requires_grad_(learns)
        logits_BK = self.network.classify(video_BCTHW).float()
        for parameter in classifier.parameters():
            parameter.requires_grad_(True)
        return self.loss(logits_BK, batch.targets_BK)


class Classification(Phase):
    """Phase 3: the classifier on enlarged clips, the attention branch unused (Eq. 4)."""

    name = "3-classifier"

    def __init__(self, setting: Setting, settings: ClassifierPhase) -> None:
        super().__init__(setting)
        self.settings = settings
        self.roles = ("data",)
        clips = setting.clips["data"]
        self.segments = (_one_segment(settings, clips, clips),)
        groups = self._classifier_groups(settings.head_lr)
        if self.network.super_resolution is not None and not settings.freeze_generator:
            groups.append(Group(list(self.network.super_resolution.parameters())))
        self.distiller = self._distiller()
        if self.distiller is not None and list(self.distiller.parameters()):
            self.helpers["distiller"] = self.distiller
            groups.append(Group(list(self.distiller.parameters()), settings.head_lr))
        self._optimize({"classifier": (settings.optimizer, groups)})
        self.loss = settings.loss.build(setting.classes("data"), setting.labels)
        self.sampling = settings.sampling
        if settings.mixup:
            self.together = PAIR

    @property
    def frozen(self) -> bool:
        """Whether only the classifier learns."""
        return self.settings.freeze_generator or self.network.super_resolution is None

    def set_modes(self) -> None:
        self.network.train()
        if self.frozen and self.network.super_resolution is not None:
            self.network.super_resolution.eval()
        if self.settings.freeze_norm:
            for module in self.network.classifier.modules():
                if isinstance(module, BATCH_NORMS):
                    module.eval()

    def losses(self, batches: Batches, place: Place) -> Losses:
        batch = batches["data"]
        x_BCTHW = self.inputs.low(batch)
        with torch.set_grad_enabled(not self.frozen):
            video_BCTHW = self.network.enlarge(x_BCTHW, with_map=False).video_BCTHW
        # After super-resolution, which is for clips as they are.
        video_BCTHW, targets_BK = self._mixed(video_BCTHW, batch, place)
        if self.distiller is None:
            loss = self.loss(self.network.classify(video_BCTHW).float(), targets_BK)
            return Losses(loss, {"cls": loss})
        seen = self.network.see(video_BCTHW)
        loss = self.loss(seen.logits_BK.float(), targets_BK)
        terms = self.distiller(seen, self._teacher_sees(batch, place))
        parts = {f"distill_{name}": term for name, term in terms.items()}
        return Losses(self.distiller.total(loss, terms), {"cls": loss} | parts)

    def _mixed(
        self, video_BCTHW: Tensor, batch: LabelledBatch, place: Place
    ) -> tuple[Tensor, Tensor]:
        """Clips and targets, mixed where the recipe says so."""
        alpha = self.settings.mixup
        if not alpha:
            return video_BCTHW, batch.targets_BK
        return mixed(video_BCTHW, batch.targets_BK, alpha=alpha, seed=place.seed, seeds=batch.seeds)

    @torch.no_grad()
    def _teacher_sees(self, batch: LabelledBatch, place: Place) -> Seen:
        """The same clips, cropped, mirrored and mixed alike, in the teacher's own resolution."""
        teacher = self.setting.teacher
        assert teacher is not None
        inputs = Inputs(replace(self.setting.recipe.clips, size=teacher.side))
        video_BCTHW = teacher.network.enlarge(inputs.low(batch), with_map=False).video_BCTHW
        return teacher.network.see(self._mixed(video_BCTHW, batch, place)[0])

    def _distiller(self) -> Distiller | None:
        """What compares the classifier with its teacher; its weights follow from the seed alone."""
        settings, teacher = self.settings.distill, self.setting.teacher
        if settings is None:
            return None
        if teacher is None:
            raise ValueError(f"{self.name}: distill needs a teacher")
        student, recipe = self.network.classifier, self.setting.recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(recipe.seed, "distill", 0))
            distiller = Distiller(
                settings, student, teacher.network.classifier, self.setting.labels
            )
        return distiller.to(student.head.weight.device)


def steps_for(epochs: float, clips: int, batch: int) -> int:
    """Iterations in which every clip is seen `epochs` times."""
    return max(1, round(epochs * max(1, clips // batch)))


def _one_segment(settings: JointPhase | ClassifierPhase, clips: int, fewest: int) -> Segment:
    """A phase of one stretch over `clips`; `fewest` is the size of its smallest role."""
    batch = min(settings.batch, fewest)
    return Segment(settings.steps or steps_for(settings.epochs, clips, batch), batch)


def phases_of(setting: Setting) -> list[Phase]:
    """The phases of a recipe, in order."""
    recipe = setting.recipe
    phases: list[Phase] = []
    if recipe.phase1:
        phases.append(SuperResolution(setting, recipe.phase1))
    if recipe.phase2:
        phases.append(Joint(setting, recipe.phase2))
    if recipe.phase3:
        phases.append(Classification(setting, recipe.phase3))
    return phases
