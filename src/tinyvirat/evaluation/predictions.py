"""What a network answered for a set of clips, from which every metric can be computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tinyvirat.evaluation.arrays import BoolArray, FloatArray, IntArray
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.thresholds import TuningSet


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers for a set of clips, each exactly once.

    Attributes:
        ids: N distinct names.
        sources: the video or group of each clip.
        sizes_N2: height and width of each clip as cut from the video, in pixels.
        logits_NK: what the network answered, finite.
        targets_NK: whether the clip has the label; None where labels are not known.
        classes: K names.
        multi_label: whether a clip may have any number of labels, or has exactly one.
        split: `train`, `val` or `test`, as in the manifest.
        manifest_sha256: of the manifest file, 64 lower-case hexadecimal digits.
        model: which model answered, in words or as a checksum.
        quarantined: clips of the split that were left out, in quarantine.
    """

    ids: tuple[str, ...]
    sources: tuple[str, ...]
    sizes_N2: IntArray
    logits_NK: FloatArray
    targets_NK: BoolArray | None
    classes: tuple[str, ...]
    multi_label: bool
    split: str
    manifest_sha256: str
    model: str
    quarantined: int = 0

    def __post_init__(self) -> None:
        clips, shape = len(self.ids), (len(self.ids), len(self.classes))
        if len(self.sources) != clips or self.sizes_N2.shape != (clips, 2):
            raise ValueError(
                f"{clips} ids, {len(self.sources)} sources, sizes {self.sizes_N2.shape}"
            )
        if self.logits_NK.shape != shape:
            raise ValueError(f"logits of shape {self.logits_NK.shape}, {shape} is needed")
        if self.targets_NK is not None and self.targets_NK.shape != shape:
            raise ValueError(f"targets of shape {self.targets_NK.shape}, {shape} is needed")
        if not np.isfinite(self.logits_NK).all():
            raise EvaluationError("a logit is not a finite number: the network has diverged")
        twice = next((clip for clip, times in Counter(self.ids).items() if times > 1), None)
        if twice is not None:
            raise EvaluationError(
                f"the clip {twice!r} was answered twice; each counts exactly once"
            )

    def long_sides(self) -> IntArray:
        """The longer side of each clip in pixels, shape (N,): what `breakdown.f1_by_size` takes."""
        return np.asarray(self.sizes_N2.max(axis=1), dtype=np.int64)

    def known_targets(self) -> BoolArray:
        """The targets.

        Raises:
            EvaluationError: the labels of these clips are not known.
        """
        if self.targets_NK is None:
            raise EvaluationError(
                "these clips have no known labels, so there is nothing to score them by; use a "
                "labelled split"
            )
        return self.targets_NK

    def tuning_set(self) -> TuningSet:
        """These clips to tune thresholds or a temperature on.

        Raises:
            EvaluationError: they are not of the val split, or their labels are not known.
        """
        if self.split != "val":
            why = {"test": "would make its scores worthless"}
            raise EvaluationError(
                f"these predictions are of the {self.split} split: tuning on them "
                f"{why.get(self.split, 'tells what the model has learnt by heart')}; "
                "predict held-out videos, the val split"
            )
        return TuningSet(self.logits_NK, self.known_targets(), self.classes, self.sources)

    def refuse_other_clips(self, ids: Iterable[str]) -> None:
        """Makes sure that exactly the clips `ids` were answered.

        Raises:
            EvaluationError: a clip is missing or one too many.
        """
        asked, answered = set(ids), set(self.ids)
        for wrong, what in (
            (asked - answered, "not answered"),
            (answered - asked, "not asked for"),
        ):
            if wrong:
                raise EvaluationError(
                    f"{len(wrong)} clips were {what}, such as {min(wrong)!r}; every clip of the "
                    "manifest counts exactly once"
                )


def joined(parts: Iterable[Predictions]) -> Predictions:
    """The answers of several processes, or folds, in one, ordered by id.

    Raises:
        ValueError: there are none, or their classes, split, manifest or model differ.
        EvaluationError: a clip was answered twice.
    """
    every = list(parts)
    if not every:
        raise ValueError("there is nothing to join")
    first = every[0]
    for part in every[1:]:
        for name in ("classes", "multi_label", "split", "manifest_sha256", "model", "quarantined"):
            if getattr(part, name) != getattr(first, name):
                raise ValueError(f"parts differ in {name}: they are not one evaluation")
    ids = [clip for part in every for clip in part.ids]
    sources = [source for part in every for source in part.sources]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    known = [part.targets_NK for part in every if part.targets_NK is not None]
    if known and len(known) != len(every):
        raise ValueError("some parts have labels and some have none")
    return replace(
        first,
        ids=tuple(ids[n] for n in order),
        sources=tuple(sources[n] for n in order),
        sizes_N2=np.concatenate([part.sizes_N2 for part in every])[order],
        logits_NK=np.concatenate([part.logits_NK for part in every])[order],
        targets_NK=np.concatenate(known)[order] if known else None,
    )
