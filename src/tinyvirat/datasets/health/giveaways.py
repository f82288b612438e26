"""Labels that a clip's frame rate, length or size alone would tell, without a look at it.

Where one class was recorded by another camera, or cut by other hands, a network can score well on
it and know nothing of the action. For each label and each of four properties a predictor that sees
this property only is cross-validated: whether, among the training clips of about the same value,
the label is more frequent than among all. Clips of one source are never on both sides. Balanced
accuracy (the mean of the hits among clips with and without the label) is 0.5 by chance and for the
majority's answer, however rare a label is.

How good chance can be is told by permutations: the labels of whole sources change places, so that
clips of one source, which are alike anyway, do not count as independent. p values are adjusted for
the number of labels and properties looked at, by the permutations' largest standardised score
(Westfall and Young's single-step maxT).

A label is given away where that is no chance and the likelier answer for the property's value makes
at most half of the errors of the likelier answer of all. Less is found everywhere: a walk takes
longer than the opening of a door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
FEWEST_CLIPS = 5
FEWEST_SOURCES = 2
ERRORS_LEFT = 0.5
SURE = 0.05

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Giveaway:
    """How well one property tells one label.

    Attributes:
        label: the label.
        clips: clips with it.
        by: the property: `frame rate`, `frames`, `height` or `width`.
        balanced_accuracy: of the property alone, cross-validated; 0.5 is chance.
        accuracy: share of clips rightly answered by the likelier answer for the property's value.
        majority: share rightly answered without the property, by the likelier answer of all.
        p: probability that chance does as well for any label and property, adjusted.
        flagged: whether it is given away.
    """

    label: str
    clips: int
    by: str
    balanced_accuracy: float
    accuracy: float
    majority: float
    p: float
    flagged: bool


@dataclass(frozen=True)
class Giveaways:
    """What was found.

    Attributes:
        found: for each label that could be judged its most telling property, worst first.
        unjudged: labels with too few clips or sources, with or without them.
        constant: properties that are the same for all clips, and tell nothing.
        permutations: how many the p values are from.
    """

    found: tuple[Giveaway, ...]
    unjudged: tuple[str, ...]
    constant: tuple[str, ...]
    permutations: int


def giveaways(
    properties: Mapping[str, Sequence[float]],
    targets_NK: BoolArray,
    labels: Sequence[str],
    sources: Sequence[str],
    *,
    permutations: int,
    seed: int = 0,
) -> Giveaways:
    """Looks for labels that a single property gives away.

    Args:
        properties: by name, N values each.
        targets_NK: whether clip N has label K.
        labels: K names.
        sources: N names of the videos or groups that the clips are from.
        permutations: how many to draw; the smallest p is one over this number and one.
        seed: of folds and permutations.
    """
    _, source_N = np.unique(np.asarray(sources, dtype=object).astype(str), return_inverse=True)
    judged = [k for k in range(len(labels)) if _can_be_judged(targets_NK[:, k], source_N)]
    varied = {
        name: np.asarray(values, dtype=np.float64)
        for name, values in properties.items()
        if len(set(values)) > 1
    }
    found: list[Giveaway] = []
    if judged and varied:
        found = _found(varied, targets_NK, judged, labels, source_N, permutations, seed)
    return Giveaways(
        found=tuple(sorted(found, key=lambda g: (not g.flagged, -g.balanced_accuracy, g.label))),
        unjudged=tuple(label for k, label in enumerate(labels) if k not in judged),
        constant=tuple(name for name in properties if name not in varied),
        permutations=permutations,
    )


def _can_be_judged(target_N: BoolArray, source_N: IntArray) -> bool:
    return all(
        int(side_N.sum()) >= FEWEST_CLIPS and len(np.unique(source_N[side_N])) >= FEWEST_SOURCES
        for side_N in (target_N, ~target_N)
    )


def _found(
    varied: Mapping[str, FloatArray],
    targets_NK: BoolArray,
    judged: Sequence[int],
    labels: Sequence[str],
    source_N: IntArray,
    permutations: int,
    seed: int,
) -> list[Giveaway]:
    rng = np.random.default_rng(seed)
    targets_NJ = targets_NK[:, judged]
    fold_N = _folds(source_N, rng)
    predictors = [_Predictor(values_N, fold_N) for values_N in varied.values()]
    rates_PNJ = np.stack([predictor.rates(targets_NJ) for predictor in predictors])
    base_NJ = _base(targets_NJ, fold_N)
    scores_PJ = np.stack([_balanced(rates > base_NJ, targets_NJ) for rates in rates_PNJ])
    drawn_RPJ = np.empty((permutations, *scores_PJ.shape))
    for draw in range(permutations):
        permuted_NJ = _permuted(targets_NJ, source_N, rng)
        base_NJ = _base(permuted_NJ, fold_N)
        for place, predictor in enumerate(predictors):
            drawn_RPJ[draw, place] = _balanced(predictor.rates(permuted_NJ) > base_NJ, permuted_NJ)
    p_PJ = _adjusted(scores_PJ, drawn_RPJ)
    return [
        _best(labels[k], targets_NJ[:, j], list(varied), rates_PNJ[:, :, j], scores_PJ[:, j], p)
        for j, (k, p) in enumerate(zip(judged, p_PJ.T, strict=True))
    ]


def _best(
    label: str,
    target_N: BoolArray,
    names: Sequence[str],
    rates_PN: FloatArray,
    scores_P: FloatArray,
    p_P: FloatArray,
) -> Giveaway:
    """The property that tells a label best: one that gives it away, if there is any."""
    share = float(target_N.mean())
    majority = max(share, 1.0 - share)
    accuracy_P = ((rates_PN > 0.5) == target_N).mean(axis=1)
    flagged_P = (p_P <= SURE) & (1.0 - accuracy_P <= ERRORS_LEFT * (1.0 - majority))
    best = max(range(len(names)), key=lambda place: (flagged_P[place], scores_P[place]))
    return Giveaway(
        label=label,
        clips=int(target_N.sum()),
        by=names[best],
        balanced_accuracy=float(scores_P[best]),
        accuracy=float(accuracy_P[best]),
        majority=majority,
        p=float(p_P[best]),
        flagged=bool(flagged_P[best]),
    )


class _Predictor:
    """One property as a predictor; what does not depend on the labels is worked out once.

    A clip's neighbours are the training clips next to it in the order of the property, about the
    square root of their number, and all of exactly its value.
    """

    def __init__(self, values_N: FloatArray, fold_N: IntArray) -> None:
        self._parts: list[tuple[IntArray, IntArray, IntArray, IntArray]] = []
        for fold in np.unique(fold_N):
            test = np.flatnonzero(fold_N == fold)
            train = np.flatnonzero(fold_N != fold)
            train = train[np.argsort(values_N[train], kind="stable")]
            known = values_N[train]
            wanted = max(1, round(sqrt(len(train))))
            left = np.searchsorted(known, values_N[test], side="left")
            right = np.searchsorted(known, values_N[test], side="right")
            low = np.minimum(left, np.maximum(0, (left + right - wanted) // 2))
            high = np.maximum(right, np.minimum(len(train), low + wanted))
            low = np.minimum(low, np.maximum(0, high - wanted))
            self._parts.append((test, train, low, high))

    def rates(self, targets_NJ: BoolArray) -> FloatArray:
        """How frequent each label is among each clip's neighbours, shape (N, J)."""
        rates_NJ = np.empty(targets_NJ.shape)
        for test, train, low, high in self._parts:
            running = np.zeros((len(train) + 1, targets_NJ.shape[1]), np.int64)
            np.cumsum(targets_NJ[train], axis=0, out=running[1:])
            rates_NJ[test] = (running[high] - running[low]) / (high - low)[:, None]
        return rates_NJ


def _base(targets_NJ: BoolArray, fold_N: IntArray) -> FloatArray:
    """How frequent each label is among the training clips of each clip's fold, shape (N, J)."""
    folds = int(fold_N.max()) + 1
    sizes_F = np.bincount(fold_N, minlength=folds)
    hits_FJ = np.stack([targets_NJ[fold_N == fold].sum(axis=0) for fold in range(folds)])
    rates_FJ = (hits_FJ.sum(axis=0) - hits_FJ) / (len(fold_N) - sizes_F)[:, None]
    return np.asarray(rates_FJ[fold_N])


def _balanced(answers_NJ: BoolArray, targets_NJ: BoolArray) -> FloatArray:
    with_J, without_J = targets_NJ.sum(axis=0), (~targets_NJ).sum(axis=0)
    hits_J = (answers_NJ & targets_NJ).sum(axis=0) / with_J
    passes_J = (~answers_NJ & ~targets_NJ).sum(axis=0) / without_J
    return np.asarray((hits_J + passes_J) / 2.0)


def _folds(source_N: IntArray, rng: np.random.Generator) -> IntArray:
    """Shares whole sources out to folds of about equal numbers of clips."""
    sizes_S = np.bincount(source_N)
    order = rng.permutation(len(sizes_S))
    order = order[np.argsort(-sizes_S[order], kind="stable")]
    filled = np.zeros(min(FOLDS, len(sizes_S)), np.int64)
    fold_S = np.empty(len(sizes_S), np.int64)
    for source in order:
        fold_S[source] = int(np.argmin(filled))
        filled[fold_S[source]] += sizes_S[source]
    return np.asarray(fold_S[source_N])


def _permuted(targets_NJ: BoolArray, source_N: IntArray, rng: np.random.Generator) -> BoolArray:
    """Labels that have changed places source by source: which source, and which clip of it."""
    clips = len(source_N)
    here = np.lexsort((rng.random(clips), source_N))
    there = np.lexsort((rng.random(clips), rng.random(int(source_N.max()) + 1)[source_N]))
    permuted_NJ = np.empty_like(targets_NJ)
    permuted_NJ[here] = targets_NJ[there]
    return permuted_NJ


def _adjusted(scores_PJ: FloatArray, drawn_RPJ: FloatArray) -> FloatArray:
    """p values adjusted for all tests made together."""
    if len(drawn_RPJ) == 0:
        return np.ones_like(scores_PJ)
    centre_PJ = drawn_RPJ.mean(axis=0)
    spread_PJ = np.maximum(drawn_RPJ.std(axis=0), 1e-6)
    largest_R = ((drawn_RPJ - centre_PJ) / spread_PJ).max(axis=(1, 2))
    standard_PJ = (scores_PJ - centre_PJ) / spread_PJ
    reached_PJ = (largest_R[:, None, None] >= standard_PJ).sum(axis=0)
    return np.asarray((1.0 + reached_PJ) / (1.0 + len(drawn_RPJ)))
