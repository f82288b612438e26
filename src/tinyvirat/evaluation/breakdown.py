"""F1 by how common a class is and by how large a clip is: where a score comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tinyvirat.evaluation.arrays import BoolArray, FloatArray, checked_targets
from tinyvirat.evaluation.counts import F1Average, average_f1

SIZE_EDGES = (10, 20, 40, 80, 128)
FREQUENCY_EDGES = (20, 100)
"""Training clips from which a class is no longer in the tail, and from which it is in the head
(Liu et al. 2019; Wu et al. 2020)."""


@dataclass(frozen=True)
class GroupF1:
    """F1 of some of the classes or some of the clips; None where there is nothing to average.

    Attributes:
        name: the group in words.
        classes: how many classes are in it.
        clips: how many clips are scored.
        positives: how many labels these clips have among these classes.
        macro: the mean F1 over the group's classes.
        macro_present: over those of them with positives among the clips.
        micro: F1 of the summed counts.
        samples: the mean F1 over clips; None in groups of classes, where most clips have no label.
    """

    name: str
    classes: int
    clips: int
    positives: int
    macro: float | None
    macro_present: float | None
    micro: float | None
    samples: float | None


@dataclass(frozen=True)
class Breakdown:
    """Where F1 comes from at one choice of thresholds.

    Attributes:
        thresholds: how tables call them.
        by_size: by the longer side of the clips.
        by_frequency: by how common the classes are in training; empty where that is not known.
    """

    thresholds: str
    by_size: tuple[GroupF1, ...]
    by_frequency: tuple[GroupF1, ...]


def f1_by_size(
    predicted_NK: BoolArray,
    targets_NK: npt.ArrayLike,
    classes: Sequence[str],
    sizes_N: npt.ArrayLike,
    *,
    edges: Sequence[int] = SIZE_EDGES,
) -> tuple[GroupF1, ...]:
    """F1 of the clips of each size.

    Args:
        predicted_NK: which classes are predicted, as `Thresholds.predict` gives.
        targets_NK: 0 or 1.
        classes: K names.
        sizes_N: the longer side of each clip as it was cut from the video, in pixels.
        edges: rising; a group holds its lower edge and not its upper one, save the last, which
            holds both. Clips outside stand in groups of their own, where there are any.

    Raises:
        ValueError: shapes that do not match, edges that do not rise.
    """
    targets = _matching(predicted_NK, targets_NK, classes)
    sizes = np.asarray(sizes_N)
    if sizes.shape != (len(targets),):
        raise ValueError(f"sizes of shape {sizes.shape} for {len(targets)} clips")
    _rising(edges, at_least=2)
    groups = []
    if (sizes < edges[0]).any():
        groups.append((f"below {edges[0]} px", sizes < edges[0]))
    for low, high in pairwise(edges):
        last = high == edges[-1]
        inside_N = (sizes >= low) & ((sizes <= high) if last else (sizes < high))
        groups.append((f"{low}-{high} px", inside_N))
    if (sizes > edges[-1]).any():
        groups.append((f"above {edges[-1]} px", sizes > edges[-1]))
    return tuple(
        _group(name, predicted_NK[clips_N], targets[clips_N], samples=True)
        for name, clips_N in groups
    )


def f1_by_frequency(
    predicted_NK: BoolArray,
    targets_NK: npt.ArrayLike,
    classes: Sequence[str],
    training_clips_K: npt.ArrayLike,
    *,
    edges: tuple[int, int] = FREQUENCY_EDGES,
) -> tuple[GroupF1, GroupF1, GroupF1]:
    """F1 of the classes in the head, in the middle and in the tail of the training set.

    Args:
        predicted_NK: which classes are predicted, as `Thresholds.predict` gives.
        targets_NK: 0 or 1.
        classes: K names.
        training_clips_K: how many training clips have each class.
        edges: training clips from which a class belongs to the middle, and from which to the head.

    Raises:
        ValueError: shapes that do not match, edges that do not rise.
    """
    targets = _matching(predicted_NK, targets_NK, classes)
    common_K = np.asarray(training_clips_K)
    if common_K.shape != (len(classes),):
        raise ValueError(f"training counts of shape {common_K.shape} for {len(classes)} classes")
    _rising(edges, at_least=2)
    low, high = edges
    groups = (
        (f"head: {high} training clips or more", common_K >= high),
        (f"medium: {low}-{high - 1} training clips", (common_K >= low) & (common_K < high)),
        (f"tail: below {low} training clips", common_K < low),
    )
    head, medium, tail = (
        _group(name, predicted_NK[:, group_K], targets[:, group_K], samples=False)
        for name, group_K in groups
    )
    return head, medium, tail


def _matching(
    predicted_NK: BoolArray, targets_NK: npt.ArrayLike, classes: Sequence[str]
) -> BoolArray:
    targets = checked_targets(targets_NK, classes)
    if predicted_NK.shape != targets.shape or predicted_NK.dtype != np.bool_:
        raise ValueError(
            f"predictions must be bool of shape {targets.shape}, got {predicted_NK.dtype} of shape "
            f"{predicted_NK.shape}"
        )
    return targets


def _rising(edges: Sequence[int], *, at_least: int) -> None:
    if len(edges) < at_least or any(b <= a for a, b in pairwise(edges)):
        raise ValueError(f"at least {at_least} rising edges are needed, got {tuple(edges)}")


def _group(name: str, predicted_NK: BoolArray, targets_NK: BoolArray, *, samples: bool) -> GroupF1:
    clips, classes = targets_NK.shape
    positives = int(targets_NK.sum())
    if not clips or not classes:
        return GroupF1(name, classes, clips, positives, None, None, None, None)
    once_1N: FloatArray = np.ones((1, clips))

    def average(how: F1Average) -> float:
        return float(average_f1(predicted_NK, targets_NK, how, once_1N)[0])

    return GroupF1(
        name=name,
        classes=classes,
        clips=clips,
        positives=positives,
        macro=average("macro"),
        macro_present=average("macro_present") if positives else None,
        micro=average("micro"),
        samples=average("samples") if samples else None,
    )
