"""What the classifier learns from: the paper's loss, and those for many labels with a long tail.

Every loss takes `logits_BK` of B clips and K classes and `targets_BK` (0 or 1; fractions where
clips are mixed) and gives a scalar: the mean over clips and classes, as binary cross-entropy has
it, where the papers sum over the classes (over clips alone where a clip has one label). With z a
logit, p its sigmoid and y its target, each is of the form y L+ + (1 - y) L-. All is worked out from
the logarithms of p and 1 - p, in float32 at least, so that large logits have a finite value and
gradient too.

In a recipe a loss is named with what differs from its paper: `loss: {name: focal, gamma: 1}`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.ranges import at_least, within
from tinyvirat.training.objectives import Labels, class_weights, classification_loss

LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""`logits_BK` and `targets_BK` to a scalar."""

LEAST = 1e-8
"""Below this a shifted probability counts as none; its powers would have no finite gradient."""

LEAST_LEFT = 1e-6
"""So far a shifted probability stays below 1; its loss would not be finite."""


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """How common each class is in training.

    Attributes:
        counts_K: clips that show each class.
        clips: clips in all.
    """

    counts_K: Tensor
    clips: int


@dataclass(frozen=True)
class CrossEntropy:
    """Eq. 4 of the paper, and the default: binary for several labels, over softmax for one.

    Attributes:
        class_weights: let rare classes count as much as frequent ones (`objectives.class_weights`).
    """

    tag_key: ClassVar[str] = "name"

    class_weights: bool = False

    def build(self, classes: ClassCounts, labels: Labels) -> LossFunction:
        """The loss for a training set."""
        weights_K = None
        if self.class_weights:
            weights_K = class_weights(classes.counts_K, classes.clips, labels)
        return partial(classification_loss, labels=labels, weights_K=weights_K)


@dataclass(frozen=True)
class Focal:
    """The focal loss, which turns away from what is answered well (Lin et al. 2017).

    Attributes:
        gamma: how much; 0 is weighted cross-entropy. Lin et al.: 2.
        alpha: weight of a positive answer, and 1 - alpha of a negative one; None weights neither.
            Lin et al.: 0.25, found together with gamma, for a thousand background boxes a picture.
    """

    tag_key: ClassVar[str] = "name"

    gamma: float = 2.0
    alpha: float | None = 0.25

    def __post_init__(self) -> None:
        at_least(0, gamma=self.gamma)
        if self.alpha is not None:
            within(ValueError, "alpha", self.alpha, 0.0, 1.0)

    def build(self, classes: ClassCounts, labels: Labels) -> LossFunction:
        """The loss for a training set."""
        return partial(focal_loss, gamma=self.gamma, alpha=self.alpha)


@dataclass(frozen=True)
class Asymmetric:
    """The asymmetric loss (ASL): well answered negatives count least (Ridnik et al. 2021).

    Attributes:
        gamma_positive: the focal exponent of positives. Ridnik et al.: 0.
        gamma_negative: of negatives. Ridnik et al.: 4.
        clip: the margin m: a negative below this probability no longer counts. Ridnik et al.: 0.05.
    """

    tag_key: ClassVar[str] = "name"

    gamma_positive: float = 0.0
    gamma_negative: float = 4.0
    clip: float = 0.05

    def __post_init__(self) -> None:
        at_least(0, gamma_positive=self.gamma_positive, gamma_negative=self.gamma_negative)
        within(ValueError, "clip", self.clip, 0.0, 0.99)

    def build(self, classes: ClassCounts, labels: Labels) -> LossFunction:
        """The loss for a training set."""
        return partial(
            asymmetric_loss,
            gamma_positive=self.gamma_positive,
            gamma_negative=self.gamma_negative,
            clip=self.clip,
        )


@dataclass(frozen=True)
class DistributionBalanced:
    """The distribution-balanced loss (Wu et al. 2020).

    Attributes:
        alpha: the least weight. Wu et al.: 0.1.
        beta: how steeply weights rise with the share of a class in its clip. Wu et al.: 10.
        mu: the share in the middle of that rise. Wu et al.: 0.2 for COCO, 0.3 for VOC.
        lambda_negative: how early negatives stop to push, 1 or more; 1: as positives do. Wu et al.:
            2 for COCO, 5 for VOC.
        kappa: how far thresholds are moved by how common a class is; 0: not. Wu et al.: 0.05.
        gamma: focal exponent; 0: none. Wu et al. have 2 in their DB-focal loss (and their code
            doubles that loss).
    """

    tag_key: ClassVar[str] = "name"

    alpha: float = 0.1
    beta: float = 10.0
    mu: float = 0.2
    lambda_negative: float = 2.0
    kappa: float = 0.05
    gamma: float = 0.0

    def __post_init__(self) -> None:
        at_least(0, alpha=self.alpha, beta=self.beta, kappa=self.kappa, gamma=self.gamma)
        within(ValueError, "mu", self.mu, 0.0, 1.0)
        at_least(1, lambda_negative=self.lambda_negative)

    def build(self, classes: ClassCounts, labels: Labels) -> LossFunction:
        """The loss for a training set."""
        return partial(distribution_balanced_loss, classes=classes, settings=self)


Loss: TypeAlias = CrossEntropy | Focal | Asymmetric | DistributionBalanced

LOSSES: dict[str, type[Any]] = {
    "cross-entropy": CrossEntropy,
    "focal": Focal,
    "asymmetric": Asymmetric,
    "distribution-balanced": DistributionBalanced,
}
"""Names of losses in recipes."""


def check_loss(loss: Loss, labels: Labels, where: str) -> None:
    """Makes sure that a loss is for clips with that number of labels.

    Raises:
        TinyviratError: one label a clip, and a loss that judges each class by itself.
    """
    if labels == "single" and not isinstance(loss, CrossEntropy):
        name = next(name for name, kind in LOSSES.items() if kind is type(loss))
        raise TinyviratError(
            f"{where}: the loss {name!r} judges each class by itself, and these clips have exactly "
            "one label each; use cross-entropy (with class_weights), or labels: multi"
        )


def focal_loss(
    logits_BK: Tensor, targets_BK: Tensor, gamma: float, alpha: float | None = None
) -> Tensor:
    """Lin et al. 2017, Eq. 5: L+ = -alpha (1 - p)^gamma log p, L- the same of 1 - p and 1 - alpha.

    Args:
        logits_BK: of the classifier.
        targets_BK: 0 or 1, or a fraction.
        gamma: 0 or more.
        alpha: from 0 to 1; None means 1 for both.
    """
    hit_BK, miss_BK = _log_probabilities(logits_BK)
    weights = (1.0, 1.0) if alpha is None else (alpha, 1.0 - alpha)
    positive_BK = weights[0] * torch.exp(gamma * miss_BK) * -hit_BK
    negative_BK = weights[1] * torch.exp(gamma * hit_BK) * -miss_BK
    return _joined(positive_BK, negative_BK, targets_BK)


def asymmetric_loss(
    logits_BK: Tensor,
    targets_BK: Tensor,
    gamma_positive: float,
    gamma_negative: float,
    clip: float,
) -> Tensor:
    """Ridnik et al. 2021: L+ = -(1 - p)^gamma_positive log p, and with q = max(p - clip, 0)
    L- = -q^gamma_negative log(1 - q).

    The weights take part in the gradient, as in the paper; its published code holds them still.

    Args:
        logits_BK: of the classifier.
        targets_BK: 0 or 1, or a fraction.
        gamma_positive: 0 or more.
        gamma_negative: 0 or more.
        clip: 0 or more, below 1.
    """
    hit_BK, miss_BK = _log_probabilities(logits_BK)
    positive_BK = torch.exp(gamma_positive * miss_BK) * -hit_BK
    if clip == 0.0:
        negative_BK = torch.exp(gamma_negative * hit_BK) * -miss_BK
    else:
        shifted_BK = (hit_BK.exp() - clip).clamp(LEAST, 1.0 - LEAST_LEFT)
        negative_BK = shifted_BK.pow(gamma_negative) * -torch.log1p(-shifted_BK)
    return _joined(positive_BK, negative_BK, targets_BK)


def rebalanced_weights(
    targets_BK: Tensor, counts_K: Tensor, settings: DistributionBalanced
) -> Tensor:
    """The re-balanced weighting of Wu et al. 2020: for clips drawn by their classes (`Sampling`'s
    `class_aware`), without what that does to the classes beside those that were drawn.

    For a clip, r_k = (1 / n_k) / (sum of 1 / n_i over the labels i of the clip), n being the
    training clips of a class: of a clip drawn by its classes, the share that was meant for k. The
    weight is alpha + sigmoid(beta (r - mu)). A clip without labels would never be drawn; its r is
    infinite, which is the weight of a clip with frequent labels only.

    Returns:
        `weights_BK`.
    """
    inverse_K = 1.0 / counts_K.clamp(min=1)
    drawn_B1 = (targets_BK * inverse_K).sum(1, keepdim=True)
    ratio_BK = inverse_K / drawn_B1.clamp(min=torch.finfo(drawn_B1.dtype).tiny)
    return settings.alpha + torch.sigmoid(settings.beta * (ratio_BK - settings.mu))


def distribution_balanced_loss(
    logits_BK: Tensor, targets_BK: Tensor, classes: ClassCounts, settings: DistributionBalanced
) -> Tensor:
    """Wu et al. 2020: re-balanced weighting of a negative-tolerant binary cross-entropy.

    L+ = w log(1 + exp(-(z - nu))), L- = w log(1 + exp(lambda (z - nu))) / lambda, w being
    `rebalanced_weights` and nu = kappa log(1 / s - 1), where s is the share of the training clips
    that show the class (kept half a clip away from 0 and 1). The published code divides nu by
    lambda too.

    Args:
        logits_BK: of the classifier.
        targets_BK: 0 or 1, or a fraction.
        classes: of the training set.
        settings: the paper's numbers.
    """
    wide = torch.promote_types(logits_BK.dtype, torch.float32)
    targets_BK = targets_BK.to(wide)
    counts_K = classes.counts_K.to(logits_BK.device, wide)
    half = 0.5 / classes.clips
    share_K = (counts_K / classes.clips).clamp(half, 1.0 - half)
    shifted_BK = logits_BK.to(wide) - settings.kappa * torch.log(1.0 / share_K - 1.0)
    hit_BK, miss_BK = _log_probabilities(shifted_BK)
    scale, gamma = settings.lambda_negative, settings.gamma
    scaled_hit_BK, scaled_miss_BK = _log_probabilities(scale * shifted_BK)
    positive_BK = torch.exp(gamma * miss_BK) * -hit_BK
    negative_BK = torch.exp(gamma * scaled_hit_BK) * -scaled_miss_BK / scale
    weights_BK = rebalanced_weights(targets_BK, counts_K, settings)
    return _joined(weights_BK * positive_BK, weights_BK * negative_BK, targets_BK)


def _log_probabilities(logits_BK: Tensor) -> tuple[Tensor, Tensor]:
    """log p and log(1 - p), both finite."""
    wide_BK = logits_BK.to(torch.promote_types(logits_BK.dtype, torch.float32))
    return F.logsigmoid(wide_BK), F.logsigmoid(-wide_BK)


def _joined(positive_BK: Tensor, negative_BK: Tensor, targets_BK: Tensor) -> Tensor:
    return (targets_BK * positive_BK + (1.0 - targets_BK) * negative_BK).mean()
