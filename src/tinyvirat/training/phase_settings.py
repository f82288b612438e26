"""What a recipe says of each of the paper's phases, as frozen dataclasses.

Defaults are the paper's where it says something; each docstring names the published code's value
where that differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from tinyvirat.common.plain import LATER
from tinyvirat.common.ranges import at_least
from tinyvirat.models.classifier import STAGES
from tinyvirat.training.classification_losses import CrossEntropy, Loss
from tinyvirat.training.fade import Fade

Role = Literal["data", "sr_data"]


@dataclass(frozen=True)
class Optimizer:
    """Adam as in the paper (section V-B).

    Attributes:
        lr: learning rate; 0.0002.
        betas: 0.5 and 0.9.
        weight_decay: 0; the published code has 5e-5 for the generator in the joint phase.
        clip_norm: largest norm of the gradient; 0 does not clip.
        decay: `constant` (paper), `cosine` to zero over the phase, or `late`: constant for two
            thirds of the phase, then a cosine to zero, so that short training learns at its full
            rate and still ends at rest.
    """

    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.9)
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    decay: Literal["constant", "cosine", "late"] = "constant"

    def __post_init__(self) -> None:
        at_least(0, lr=self.lr, weight_decay=self.weight_decay, clip_norm=self.clip_norm)
        if not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}; both must lie in [0, 1)")

    def rate(self, done: float) -> float:
        """The learning rate where `done` of the phase, in [0, 1], lies behind."""
        start = {"constant": 1.0, "cosine": 0.0, "late": 2 / 3}[self.decay]
        if done <= start:
            return self.lr
        return self.lr * 0.5 * (1.0 + math.cos(math.pi * (done - start) / (1.0 - start)))


@dataclass(frozen=True)
class FeatureLoss:
    """What super-resolution learns from the features of a frozen classifier, beside L_rec.

    A perceptual loss (Johnson, Alahi and Fei-Fei 2016): the enlarged clip is to look like its truth
    to a network that recognises actions, and not only pixel by pixel. Only where the network
    answers at full size: smaller stages learn from their pixels alone.

    Attributes:
        weights: the classifier: a name from `tinyvirat weights`, or a run's or a model's folder.
        weight: of the term, beside the weight of L_rec.
        stages: whose feature maps are compared, 1 to 4; early ones hold what is where, late ones
            what is shown.
    """

    weights: str
    weight: float = 0.1
    stages: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"weight is {self.weight}; it must be above 0")
        check_stages(stages=self.stages)
        if not self.stages:
            raise ValueError("stages are needed")


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
        feature_loss: what is learnt from a classifier's features; None: nothing (paper).
    """

    steps: tuple[int, ...] = ()
    batch: tuple[int, ...] = (24,)
    epochs: tuple[float, ...] = ()
    fade: Fade = field(default_factory=Fade)
    optimizer: Optimizer = field(default_factory=Optimizer)
    weight: float = 1.0
    random_entries: bool = False
    feature_loss: FeatureLoss | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        if bool(self.steps) == bool(self.epochs):
            raise ValueError("either steps or epochs are needed, and not both")
        stages = len(self.steps or self.epochs)
        if len(self.batch) not in (1, stages):
            raise ValueError(f"{len(self.batch)} batch sizes for {stages} stages")
        at_least(1, **{f"steps[{n}]": s for n, s in enumerate(self.steps)})
        at_least(1, **{f"batch[{n}]": b for n, b in enumerate(self.batch)})
        at_least(0, weight=self.weight, **{f"epochs[{n}]": e for n, e in enumerate(self.epochs)})


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
        loss: the classification loss inside L_att; the paper's.
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
    loss: Loss = field(default_factory=CrossEntropy)
    optimizer: Optimizer = field(default_factory=Optimizer)
    classifier_optimizer: Optimizer = field(default_factory=Optimizer)
    head_lr: float = 1.0

    def __post_init__(self) -> None:
        _check_length(self.steps, self.epochs, self.batch)
        at_least(0, lambda_rec=self.lambda_rec, lambda_att=self.lambda_att)
        at_least(0, lambda_sparsity=self.lambda_sparsity, head_lr=self.head_lr)


@dataclass(frozen=True)
class Sampling:
    """How often each training clip is seen.

    Attributes:
        repeat_factor: the threshold t of repeat-factor sampling (Gupta et al. 2019, LVIS): a class
            that fewer than this share of the clips show has its clips repeated, by the square root
            of how much fewer; 0 repeats nothing (paper). LVIS: 0.001, with 1,203 classes.
        class_aware: class-aware sampling (Shen et al. 2016) instead: a class is drawn, all alike,
            and then one of its clips; clips without labels are a class of their own. What the
            distribution-balanced loss is made for.
    """

    repeat_factor: float = 0.0
    class_aware: bool = False

    def __post_init__(self) -> None:
        if self.class_aware and self.repeat_factor:
            raise ValueError(
                f"class_aware is true and repeat_factor {self.repeat_factor}; give one of them"
            )
        if not 0.0 <= self.repeat_factor <= 1.0:
            raise ValueError(
                f"repeat_factor is {self.repeat_factor}; it is a share of the clips, from 0 to 1"
            )


@dataclass(frozen=True)
class Distill:
    """What the classifier learns from a teacher (`tinyvirat.training.distillation`).

    The teacher is a finished model, named when the run is begun. It is frozen, and sees each clip
    as it was trained to see it: one of high resolution sees what the student's input was made of.

    Attributes:
        labels: weight of the labels' own loss; 0 learns from the teacher alone.
        logits: weight of the teacher's answers; 0 leaves the term out, here and below.
        temperature: of the answers; Hinton et al. 2015 have 2.5 to 20, low ones for small students.
        features: weight of the teacher's normalised features.
        feature_stages: whose feature maps are compared, 1 to 4; empty: the pooled features.
        attention: weight of where the teacher looks.
        attention_stages: whose attention is compared, 1 to 4.
    """

    labels: float = 1.0
    logits: float = 1.0
    temperature: float = 4.0
    features: float = 0.0
    feature_stages: tuple[int, ...] = ()
    attention: float = 0.0
    attention_stages: tuple[int, ...] = (2, 3, 4)

    def __post_init__(self) -> None:
        at_least(0, labels=self.labels, logits=self.logits)
        at_least(0, features=self.features, attention=self.attention)
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")
        if not (self.logits or self.features or self.attention):
            raise ValueError("logits, features and attention are all 0: nothing is distilled")
        check_stages(feature_stages=self.feature_stages, attention_stages=self.attention_stages)
        if self.attention and not self.attention_stages:
            raise ValueError("attention needs attention_stages")


@dataclass(frozen=True)
class ClassifierPhase:
    """Phase 3: the classifier on enlarged clips, without the map (Eq. 4).

    Attributes:
        steps: iterations.
        batch: clips an iteration; published code: 24.
        epochs: instead of `steps`, how often the data is seen, counted without repeats: clips that
            are repeated make no run longer.
        freeze_generator: the super-resolution network learns no more (published code).
        restart: begin from the pretrained classifier again, not from the joint phase's (published
            code, and "initialized with the same pre-trained weights", section V-C).
        freeze_norm: keep the batch norms' statistics; for small batches.
        loss: what the classifier learns from; the paper's.
        sampling: how often each clip is seen.
        mixup: alpha of Beta(alpha, alpha), by which pairs of clips and their labels are mixed
            (Zhang et al. 2018, who have 0.1 to 0.4); 0 mixes nothing (paper).
        optimizer: of all that learns.
        head_lr: factor of the learning rate of the last layer, which is fresh beside pretrained
            ones; 1. A large factor lets a short training get off the ground.
        distill: what it learns from a teacher; None: nothing (paper).
    """

    steps: int = 0
    batch: int = 24
    epochs: float = 0.0
    freeze_generator: bool = True
    restart: bool = True
    freeze_norm: bool = False
    loss: Loss = field(default_factory=CrossEntropy)
    sampling: Sampling = field(default_factory=Sampling)
    mixup: float = 0.0
    optimizer: Optimizer = field(default_factory=Optimizer)
    head_lr: float = 1.0
    distill: Distill | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        _check_length(self.steps, self.epochs, self.batch)
        at_least(0, head_lr=self.head_lr, mixup=self.mixup)


def check_stages(**stages: tuple[int, ...]) -> None:
    """Raises ValueError where the stages of a classifier are not there, or named twice."""
    for name, numbers in stages.items():
        if list(numbers) != sorted({n for n in numbers if 1 <= n <= STAGES}):
            raise ValueError(f"{name} is {list(numbers)}; stages are 1 to {STAGES}, in order")


def _check_length(steps: int, epochs: float, batch: int) -> None:
    """What phases of one stretch have in common."""
    at_least(0, steps=steps, epochs=epochs)
    at_least(1, batch=batch)
    if bool(steps) == bool(epochs):
        raise ValueError("either steps or epochs are needed, and not both")
