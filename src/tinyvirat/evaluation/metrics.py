"""The scores of clips: accuracy where each has one label, F1 and mAP where it has many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvirat.evaluation.arrays import BoolArray, FloatArray, IntArray, checked
from tinyvirat.evaluation.counts import F1Average, average_f1, class_counts, ratio
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.precision import average_precisions
from tinyvirat.evaluation.thresholds import Thresholds, as_published, at_half

TOP = 5


@dataclass(frozen=True)
class ClassAccuracy:
    """One class of a single-label set; `accuracy` is None where it has no clips."""

    name: str
    clips: int
    correct: int
    accuracy: float | None


@dataclass(frozen=True)
class SingleLabel:
    """The scores of clips with one label each.

    Attributes:
        clips: how many were scored.
        classes: K names.
        top1: the share of clips whose true class has the highest score.
        top5: the share whose true class is among the five highest; None with five classes or fewer,
            where every answer would count as right.
        mean_class: the mean of the accuracies of the classes that have clips.
        per_class: one entry a class.
        confusion_KK: clips by true class (row) and predicted class (column).
    """

    clips: int
    classes: tuple[str, ...]
    top1: float
    top5: float | None
    mean_class: float
    per_class: tuple[ClassAccuracy, ...]
    confusion_KK: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClassF1:
    """One class of a multi-label set at one threshold; quotients of nothing are 0."""

    name: str
    positives: int
    predicted: int
    hits: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class F1Scores:
    """F1 at one choice of thresholds; the averages are defined in `counts.average_f1`.

    Attributes:
        thresholds: how tables call them.
        threshold_logits: one a class.
        macro: over all classes.
        macro_present: over the classes with positives; None where no class has any.
        micro: of the summed counts.
        samples: over clips.
        per_class: one entry a class.
    """

    thresholds: str
    threshold_logits: tuple[float, ...]
    macro: float
    macro_present: float | None
    micro: float
    samples: float
    per_class: tuple[ClassF1, ...]


@dataclass(frozen=True)
class MultiLabel:
    """The scores of clips with any number of labels each.

    Attributes:
        clips: how many were scored.
        classes: K names.
        without_positives: the classes that no clip has. They are left out of
            `mean_average_precision` and of `macro_present`, and count 0 in `macro`.
        without_labels: clips that have no label at all.
        f1: at p = 0.5 (the default).
        f1_published: at logit 0.5, as the published code has it.
        f1_tuned: with tuned thresholds, None where none were given.
        mean_average_precision: the mean of `average_precision` over the classes with positives;
            None where no class has any.
        average_precision: one a class, the sum over distinct scores of precision times the gain in
            recall (no interpolation); None for a class without positives.
    """

    clips: int
    classes: tuple[str, ...]
    without_positives: tuple[str, ...]
    without_labels: int
    f1: F1Scores
    f1_published: F1Scores
    f1_tuned: F1Scores | None
    mean_average_precision: float | None
    average_precision: tuple[float | None, ...]


def single_label(
    logits_NK: npt.ArrayLike, targets_NK: npt.ArrayLike, classes: Sequence[str]
) -> SingleLabel:
    """Accuracy of clips with exactly one label each.

    Equal scores are ranked by class order, so that `top1` is the first of the highest.

    Args:
        logits_NK: scores; anything that grows with belief, such as logits or probabilities.
        targets_NK: 0 or 1, one 1 a row.
        classes: K names.

    Raises:
        ValueError: shapes that do not match, targets other than 0 and 1.
        EvaluationError: no clips, a score that is not finite, a clip with no label or several.
    """
    scored = checked(logits_NK, targets_NK, classes)
    labels_N = single_labels(scored.targets_NK)
    ranks_N = true_ranks(scored.logits_NK, labels_N)
    count = len(scored.classes)
    answers_N = scored.logits_NK.argmax(axis=1)
    confusion_KK = np.bincount(labels_N * count + answers_N, minlength=count * count)
    confusion_KK = confusion_KK.reshape(count, count)
    per_class = []
    for name, row, correct in zip(
        scored.classes, confusion_KK.sum(axis=1), confusion_KK.diagonal(), strict=True
    ):
        accuracy = float(correct / row) if row else None
        per_class.append(ClassAccuracy(name, int(row), int(correct), accuracy))
    return SingleLabel(
        clips=len(labels_N),
        classes=scored.classes,
        top1=float((ranks_N == 0).mean()),
        top5=float((ranks_N < TOP).mean()) if count > TOP else None,
        mean_class=float(np.mean([c.accuracy for c in per_class if c.accuracy is not None])),
        per_class=tuple(per_class),
        confusion_KK=tuple(tuple(int(n) for n in row) for row in confusion_KK),
    )


def single_labels(targets_NK: BoolArray) -> IntArray:
    """The one class of each clip.

    Raises:
        EvaluationError: a clip has no label or several.
    """
    labels_N = targets_NK.sum(axis=1)
    wrong = np.flatnonzero(labels_N != 1)
    if len(wrong):
        raise EvaluationError(
            f"clip {wrong[0]} (counted from 0) has {labels_N[wrong[0]]} labels, and {len(wrong)} "
            "clips in all do not have exactly one: score them as multi-label"
        )
    return np.asarray(targets_NK.argmax(axis=1), dtype=np.int64)


def true_ranks(scores_NK: FloatArray, labels_N: IntArray) -> IntArray:
    """How many classes stand before the true one; the earlier class does among equal scores."""
    true_N1 = np.take_along_axis(scores_NK, labels_N[:, None], axis=1)
    earlier_NK = np.arange(scores_NK.shape[1]) < labels_N[:, None]
    before_NK = (scores_NK > true_N1) | ((scores_NK == true_N1) & earlier_NK)
    return np.asarray(before_NK.sum(axis=1), dtype=np.int64)


def multi_label(
    logits_NK: npt.ArrayLike,
    targets_NK: npt.ArrayLike,
    classes: Sequence[str],
    sources: Sequence[str],
    *,
    tuned: Thresholds | None = None,
) -> MultiLabel:
    """F1 at every threshold in use, and average precision.

    Args:
        logits_NK: logits, not probabilities: p = 0.5 is logit 0.
        targets_NK: 0 or 1.
        classes: K names.
        sources: the video or group of each clip.
        tuned: thresholds from `thresholds.tuned`, tuned on other sources.

    Raises:
        ValueError: shapes or classes that do not match, targets other than 0 and 1.
        EvaluationError: no clips, a logit that is not finite, or `tuned` was tuned on one of the
            sources to be scored.
    """
    scored = checked(logits_NK, targets_NK, classes)
    if len(sources) != len(scored.logits_NK):
        raise ValueError(f"{len(sources)} sources for {len(scored.logits_NK)} clips")
    if tuned is not None:
        tuned.refuse(sources)

    def at(thresholds: Thresholds) -> F1Scores:
        if thresholds.classes != scored.classes:
            raise ValueError(f"the thresholds are for the classes {', '.join(thresholds.classes)}")
        return f1_scores(thresholds.predict(scored.logits_NK), scored.targets_NK, thresholds)

    precisions = average_precisions(scored.logits_NK, scored.targets_NK)
    known = [value for value in precisions if value is not None]
    return MultiLabel(
        clips=len(scored.logits_NK),
        classes=scored.classes,
        without_positives=tuple(
            name for name, value in zip(scored.classes, precisions, strict=True) if value is None
        ),
        without_labels=int((~scored.targets_NK.any(axis=1)).sum()),
        f1=at(at_half(scored.classes)),
        f1_published=at(as_published(scored.classes)),
        f1_tuned=None if tuned is None else at(tuned),
        mean_average_precision=float(np.mean(known)) if known else None,
        average_precision=precisions,
    )


def f1_scores(predicted_NK: BoolArray, targets_NK: BoolArray, thresholds: Thresholds) -> F1Scores:
    """Every F1 of predictions already made with `thresholds`; N must be at least 1."""
    once_1N = np.ones((1, len(predicted_NK)))
    counts = class_counts(predicted_NK, targets_NK, once_1N)
    hits_K, predicted_K, positives_K = (values[0] for values in counts)
    per_class = tuple(
        ClassF1(name, int(positives), int(predicted), int(hits), *(float(q) for q in quotients))
        for name, positives, predicted, hits, *quotients in zip(
            thresholds.classes,
            positives_K,
            predicted_K,
            hits_K,
            ratio(hits_K, predicted_K),
            ratio(hits_K, positives_K),
            ratio(2.0 * hits_K, predicted_K + positives_K),
            strict=True,
        )
    )

    def average(how: F1Average) -> float:
        return float(average_f1(predicted_NK, targets_NK, how, once_1N)[0])

    return F1Scores(
        thresholds=thresholds.name,
        threshold_logits=thresholds.logits,
        macro=average("macro"),
        macro_present=average("macro_present") if targets_NK.any() else None,
        micro=average("micro"),
        samples=average("samples"),
        per_class=per_class,
    )
