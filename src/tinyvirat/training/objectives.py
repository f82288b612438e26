"""Equations 1 to 4 of the paper, each a small function.

Shapes: B clips, C channels, T frames, H x W pixels, K classes. Every function returns a scalar.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Labels = Literal["single", "multi"]


def reconstruction_loss(
    video_BCTHW: Tensor, truth_BCTHW: Tensor, attention_B1THW: Tensor | None = None
) -> Tensor:
    """Eq. 1: mean absolute difference, weighted pixel by pixel with the attention map.

    Args:
        video_BCTHW: the super-resolved clip.
        truth_BCTHW: the high-resolution clip, of the same shape.
        attention_B1THW: F_att; None stands for 1, as in the first phase. Detach it to use it as a
            weight only (published code): otherwise a map of zeros is the best map.

    Raises:
        ValueError: the shapes differ.
    """
    if video_BCTHW.shape != truth_BCTHW.shape:
        raise ValueError(
            f"super-resolved {tuple(video_BCTHW.shape)} and truth {tuple(truth_BCTHW.shape)} differ"
        )
    difference = (video_BCTHW - truth_BCTHW).abs()
    if attention_B1THW is not None:
        difference = difference * attention_B1THW
    return difference.mean()


def sparsity(attention_B1THW: Tensor) -> Tensor:
    """The L1 norm of the map in Eq. 2, as a mean over pixels.

    The paper does not say whether it sums or averages; a sum over 16 x 112 x 112 pixels times 0.5
    would leave nothing of the other terms, and the published code averages.
    """
    return attention_B1THW.abs().mean()


def classification_loss(
    logits_BK: Tensor,
    targets_BK: Tensor,
    labels: Labels,
    weights_K: Tensor | None = None,
) -> Tensor:
    """Eq. 4, and the first term of Eq. 2.

    Cross-entropy where a clip has exactly one label, binary cross-entropy where it can have
    several (section IV-A.4). The paper's equations sum over the classes; binary cross-entropy is
    the mean over clips and classes here, PyTorch's and the published code's convention.

    Args:
        logits_BK: of the classifier.
        targets_BK: 0 or 1 (fractions are allowed, as mixed clips have them).
        labels: `single` or `multi`.
        weights_K: weight of each class, or of its positives in the multi-label case; None means 1.

    Raises:
        ValueError: `labels` is neither.
    """
    if weights_K is not None:
        weights_K = weights_K.to(logits_BK.device)
    if labels == "single":
        return F.cross_entropy(logits_BK, targets_BK, weight=weights_K)
    if labels == "multi":
        return F.binary_cross_entropy_with_logits(logits_BK, targets_BK, pos_weight=weights_K)
    raise ValueError(f"labels {labels!r} is not one of {', '.join(get_args(Labels))}")


def attention_loss(
    classification: Tensor, attention_B1THW: Tensor, lambda_sparsity: float
) -> Tensor:
    """Eq. 2: the classification loss of the masked clip plus the sparsity of the map.

    Args:
        classification: `classification_loss` of A(V (x) F_att).
        attention_B1THW: F_att.
        lambda_sparsity: the paper's lambda_att in Eq. 2.
    """
    return classification + lambda_sparsity * sparsity(attention_B1THW)


def joint_loss(
    reconstruction: Tensor, attention: Tensor, lambda_rec: float, lambda_att: float
) -> Tensor:
    """Eq. 3: the weighted sum of Eq. 1 and Eq. 2."""
    return lambda_rec * reconstruction + lambda_att * attention


def class_weights(counts_K: Tensor, clips: int, labels: Labels) -> Tensor:
    """Weights that make rare classes count: inverse frequency (single), negatives a positive
    (multi).

    Args:
        counts_K: training clips of each class.
        clips: training clips in all.
        labels: `single` or `multi`.

    Returns:
        `weights_K`; a class without clips has weight 0 (single) or 1 (multi). One that every clip
        shows (multi) counts as if one clip did not: with 0 it would never be learnt.
    """
    present = counts_K > 0
    safe = counts_K.clamp(min=1).to(torch.float32)
    if labels == "single":
        return torch.where(present, clips / (present.sum() * safe), torch.zeros_like(safe))
    negatives_K = (clips - safe).clamp(min=1)
    return torch.where(present, negatives_K / safe, torch.ones_like(safe))
