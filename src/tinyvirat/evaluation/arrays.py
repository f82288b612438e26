"""The arrays that every metric takes, checked once, and what turns logits into probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyvirat.evaluation.errors import EvaluationError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scored:
    """Logits and labels of the same clips, known to fit each other.

    Attributes:
        logits_NK: what the network answered, finite.
        targets_NK: whether the clip has the label.
        classes: K distinct names.
    """

    logits_NK: FloatArray
    targets_NK: BoolArray
    classes: tuple[str, ...]


def checked(logits_NK: npt.ArrayLike, targets_NK: npt.ArrayLike, classes: Sequence[str]) -> Scored:
    """Logits as float64 and targets as bool, after making sure that they belong together.

    Args:
        logits_NK: real numbers, one row a clip, one column a class.
        targets_NK: 0 or 1 (or bool), the same shape.
        classes: K distinct names.

    Raises:
        ValueError: shapes that do not match, targets other than 0 and 1, a name given twice.
        EvaluationError: no clips, or a logit that is not a finite number.
    """
    names = tuple(classes)
    targets_NK = checked_targets(targets_NK, names)
    logits_NK = np.asarray(logits_NK, dtype=np.float64)
    if logits_NK.shape != targets_NK.shape:
        raise ValueError(
            f"logits of shape {logits_NK.shape} against targets of shape {targets_NK.shape}"
        )
    bad = np.argwhere(~np.isfinite(logits_NK))
    if len(bad):
        row, column = (int(index) for index in bad[0])
        raise EvaluationError(
            f"clip {row} (counted from 0) has the score {logits_NK[row, column]} for "
            f"{names[column]!r}, and {len(bad)} scores in all are not finite numbers: the network "
            "has diverged; use an earlier checkpoint or a lower learning rate"
        )
    return Scored(logits_NK, targets_NK, names)


def checked_targets(targets_NK: npt.ArrayLike, classes: Sequence[str]) -> BoolArray:
    """Targets as bool of shape (N, K), after the checks that `checked` describes."""
    values: npt.NDArray[Any] = np.asarray(targets_NK)
    if values.ndim != 2 or values.shape[1] != len(classes) or not len(classes):
        raise ValueError(f"targets of shape {values.shape} for {len(classes)} classes")
    if len(set(classes)) != len(classes):
        raise ValueError(f"a class is named twice: {', '.join(sorted(classes))}")
    if not len(values):
        raise EvaluationError("there are no clips to score")
    if values.dtype != np.bool_ and not bool(np.isin(values, (0, 1)).all()):
        raise ValueError("targets must be 0 or 1")
    return values.astype(np.bool_)


def sigmoid(logits: npt.ArrayLike) -> FloatArray:
    """1 / (1 + exp(-x)) in float64, for any finite x without overflow."""
    values = np.asarray(logits, dtype=np.float64)
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1.0, small) / (1.0 + small)


def softmax(logits_NK: npt.ArrayLike) -> FloatArray:
    """exp(x) over its sum along the last axis, in float64, without overflow."""
    values = np.asarray(logits_NK, dtype=np.float64)
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def logit(probability: float) -> float:
    """The logit of a probability strictly between 0 and 1; exactly 0 for one half."""
    if not 0.0 < probability < 1.0:
        raise ValueError(f"a probability strictly between 0 and 1 is needed, got {probability}")
    return float(np.log(probability) - np.log1p(-probability))


def source_indices(sources: Sequence[str], clips: int) -> tuple[IntArray, tuple[str, ...]]:
    """For every clip the index of its source, and the sources in order of first appearance.

    Raises:
        ValueError: there are not as many sources as clips.
    """
    if len(sources) != clips:
        raise ValueError(f"{len(sources)} sources for {clips} clips")
    index_of: dict[str, int] = {}
    indices = [index_of.setdefault(source, len(index_of)) for source in sources]
    return np.array(indices, dtype=np.int64), tuple(index_of)
