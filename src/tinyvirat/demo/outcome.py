"""What a demonstration found, as plain data and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvirat.demo.attention import AttentionResult
from tinyvirat.evaluation.quality import Quality
from tinyvirat.evaluation.significance import Interval
from tinyvirat.evaluation.tables import Column, Table

NOTE = "Rendered scenes: a demonstration, not a result on real video."
TITLES = {"method": "three phases (Prog. DVSR, attention)", "bicubic": "bicubic baseline"}


@dataclass(frozen=True)
class ClassScore:
    """One class of the test clips; `average_precision` is None where no clip shows it."""

    name: str
    positives: int
    f1: float
    average_precision: float | None


@dataclass(frozen=True)
class Scores:
    """How one network recognises the unseen clips.

    Attributes:
        iterations: of all its phases.
        seconds: that they took, validation and pictures aside.
        parameters: of the whole network.
        gmac: multiply-adds for one window, in billions.
        f1_macro: over all classes, at p = 0.5.
        mean_average_precision: over the classes that are seen.
        per_class: one entry a class.
    """

    iterations: int
    seconds: float
    parameters: int
    gmac: float
    f1_macro: Interval
    mean_average_precision: Interval
    per_class: tuple[ClassScore, ...]


@dataclass(frozen=True)
class Chance:
    """What knowing nothing gives: F1 of naming every class always, mAP of a random order."""

    f1_macro: float
    mean_average_precision: float


def chance_of(targets_NK: NDArray[np.bool_]) -> Chance:
    """What knowing nothing gives on these targets."""
    share_K = targets_NK.mean(axis=0)
    seen_K = share_K[share_K > 0]
    return Chance(float((2 * share_K / (1 + share_K)).mean()), float(seen_K.mean()))


@dataclass(frozen=True)
class Recognised:
    """One unseen clip through the ordinary recogniser.

    Attributes:
        clip: its file, from the demonstration's folder.
        truth: the labels it was rendered for.
        labels: those that were named.
        scores: the probability of every label.
    """

    clip: str
    truth: tuple[str, ...]
    labels: tuple[str, ...]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """All of it; `summary.json` holds this.

    Attributes:
        about: that these are drawings.
        seed: of the demonstration.
        clips: how many by split.
        sides: of the networks' input and of what they make of it, pixels.
        method: the network of the three phases.
        bicubic: the baseline.
        chance: knowing nothing.
        gain: mAP of the method less the baseline's, with its interval.
        quality: PSNR and SSIM of unseen large clips by how they were enlarged.
        attention: the map against the true masks.
        recognised: one clip.
        precision: the number format of the training.
        seconds: of this call; what an earlier one had done already does not count.
    """

    about: str
    seed: int
    clips: Mapping[str, int]
    sides: tuple[int, int]
    method: Scores
    bicubic: Scores
    chance: Chance
    gain: Interval
    quality: Mapping[str, Quality]
    attention: AttentionResult
    recognised: Recognised
    precision: str
    seconds: float

    def tables(self) -> tuple[Table, ...]:
        """Recognition, classes, attention, picture quality."""
        return (
            self.recognition_table(),
            self._class_table(),
            self._attention_table(),
            self._quality_table(),
        )

    def recognition_table(self) -> Table:
        """The baseline, the method and chance."""
        test = self.clips["test"]
        known = self.gain
        rows = [
            (
                TITLES[name],
                one.iterations,
                one.seconds,
                one.parameters,
                one.gmac,
                one.f1_macro,
                one.mean_average_precision,
            )
            for name, one in (("bicubic", self.bicubic), ("method", self.method))
        ]
        chance = (self.chance.f1_macro, self.chance.mean_average_precision)
        nothing = ("knowing nothing", None, None, None, None, *chance)
        columns = (
            Column("network"),
            Column("iterations", "count"),
            Column("training, s", "number", 0),
            Column("parameters", "count"),
            Column("GMAC a window", "number", 2),
            Column("F1 macro, %", "percent", 1),
            Column("mAP, %", "percent", 1),
        )
        gain = f"The method's mAP less the baseline's: {100 * known.point:+.1f} points"
        if known.low is not None and known.high is not None:
            gain += f" [{100 * known.low:+.1f}, {100 * known.high:+.1f}]"
        return Table(
            f"Recognition of {test} unseen tiny clips",
            columns,
            (*rows, nothing),
            (
                NOTE,
                f"{gain}. [low, high]: 95 % of {known.resamples} bootstrap draws over "
                f"{known.sources} scenes.",
                "Both classifiers are alike and see the same clips; the baseline learns for as "
                "many iterations as the method's three phases together. F1 at p = 0.5; knowing "
                "nothing: every class named for every clip (F1), a random order (mAP).",
            ),
        )

    def _class_table(self) -> Table:
        rows = tuple(
            (
                low.name,
                low.positives,
                low.average_precision,
                high.average_precision,
                low.f1,
                high.f1,
            )
            for low, high in zip(self.bicubic.per_class, self.method.per_class, strict=True)
        )
        columns = (
            Column("class"),
            Column("clips", "count"),
            Column("AP bicubic, %", "percent", 1),
            Column("AP three phases, %", "percent", 1),
            Column("F1 bicubic, %", "percent", 1),
            Column("F1 three phases, %", "percent", 1),
        )
        return Table("By class", columns, rows, (NOTE,))

    def _attention_table(self) -> Table:
        found = self.attention
        rows = tuple(
            (name, one.pointing, one.iou)
            for name, one in (
                ("learnt map", found.learnt),
                ("Gaussian in the middle of the frame", found.centre),
                ("the same everywhere (chance: the actors' area)", found.chance),
            )
        )
        columns = (
            Column("map"),
            Column("pointing accuracy, %", "percent", 1),
            Column("soft IoU, %", "percent", 1),
        )
        return Table(
            f"The attention map against the true masks, {found.frames} frames",
            columns,
            rows,
            (
                NOTE,
                "Pointing: frames whose largest value lies on an actor. IoU: each map divided by "
                "its largest value. A clip is a window around its actor, so the middle is a good "
                "guess. No mask was seen in training.",
            ),
        )

    def _quality_table(self) -> Table:
        rows = tuple((name, one.psnr, one.ssim) for name, one in self.quality.items())
        videos = next(iter(self.quality.values())).videos
        columns = (
            Column("enlarged by"),
            Column("PSNR, dB", "number", 2),
            Column("SSIM", "number", 4),
        )
        return Table(
            f"Enlarging {videos} unseen large clips, {self.sides[0]} to {self.sides[1]} px",
            columns,
            rows,
            (NOTE, "Large clips made small bicubically, as in phase 1, against themselves."),
        )
