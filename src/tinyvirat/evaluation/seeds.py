"""What a row of a table scores with several seeds, and what it gains over another row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyvirat.evaluation.arrays import FloatArray
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.report import PREDICTIONS
from tinyvirat.evaluation.resampled import (
    Accuracy,
    MeanAveragePrecision,
    OverSeeds,
    ResampledMetric,
)
from tinyvirat.evaluation.significance import Difference, bootstrap, paired_difference
from tinyvirat.evaluation.tables import Column, Table


@dataclass(frozen=True)
class Seeded:
    """One row of a table, with each of its seeds.

    Attributes:
        name: of the row.
        folders: of its evaluations, by seed.
    """

    name: str
    folders: Mapping[int, Path]


def means(rows: Sequence[Seeded]) -> Table:
    """The mean over seeds of each row that has several, with its interval over source videos.

    Top 1 where clips have one label, mean average precision where they can have several.

    Args:
        rows: the rows; those of one seed are left out.

    Raises:
        EvaluationError: a row's evaluations are of different clips, or cannot be read.
    """
    several = [row for row in rows if len(row.folders) > 1]
    found, score = [], "score"
    for row in several:
        by_seed = _answers(row)
        one = next(iter(by_seed.values()))
        score = score_name(one)
        scores = [
            metric_of(each).resampled(
                each.logits_NK, each.known_targets(), np.ones((1, len(one.ids)))
            )
            for each in by_seed.values()
        ]
        interval = bootstrap(
            OverSeeds(metric_of(one), len(by_seed)),
            stacked(by_seed),
            one.known_targets(),
            one.sources,
        )
        found.append(
            (
                row.name,
                interval,
                float(np.std(scores, ddof=1)),
                ", ".join(map(str, sorted(by_seed))),
            )
        )
    columns = (
        Column("run"),
        Column(f"{score}, %", "percent", 1),
        Column("± over seeds, points", "percent", 1),
        Column("seeds"),
    )
    notes = (
        "[low, high]: 95 % bootstrap intervals over source videos, of these seeds; ±: standard "
        "deviation, which is not in them.",
    )
    return Table("Mean over seeds", columns, tuple(found), notes)


def gains(against: Seeded, others: Sequence[Seeded]) -> Table:
    """How much better each row is than one of them, clip by clip.

    Top 1 where clips have one label, mean average precision where they can have several, the mean
    over the seeds that both rows have. The draws of source videos are the same for both of a pair,
    so that what is hard for both takes nothing from the difference.

    Args:
        against: the row to compare with.
        others: the others, in the order of the table.

    Raises:
        EvaluationError: an evaluation is of other clips, or two rows have no seed in common.
    """
    first = _answers(against)
    one = next(iter(first.values()))
    rows = []
    for row in others:
        found, seeds = _difference(first, against.name, row)
        rows.append((row.name, found.interval, found.p_value, seeds))
    columns = (
        Column("run"),
        Column(f"{score_name(one)}, points", "percent", 1, signed=True),
        Column("p", "number", 3),
        Column("seeds"),
    )
    notes = (
        "[low, high]: 95 % paired bootstrap intervals over source videos; p: of no difference, "
        "two-sided, not corrected for the number of rows. Both say of these runs; what other seeds "
        "would give is not in them.",
    )
    return Table(f"Gained over {against.name}", columns, tuple(rows), notes)


def _difference(
    first: Mapping[int, Predictions], against: str, row: Seeded
) -> tuple[Difference, str]:
    """The row less the first, over the seeds that both have, and which these are."""
    both = sorted(set(first) & set(row.folders))
    if not both:
        raise EvaluationError(
            f"{row.name} and {against} have no seed in common: {sorted(row.folders)} and "
            f"{sorted(first)}; train one of them with a seed of the other"
        )
    one = {seed: first[seed] for seed in both}
    template = one[both[0]]
    other = {seed: _aligned(_read(row.folders[seed]), template, row.folders[seed]) for seed in both}
    found = paired_difference(
        OverSeeds(metric_of(template), len(both)),
        stacked(one),
        stacked(other),
        template.known_targets(),
        template.sources,
    )
    return found, ", ".join(map(str, both))


def stacked(by_seed: Mapping[int, Predictions]) -> FloatArray:
    """The logits of all seeds side by side, a row a clip, as `OverSeeds` takes them.

    Args:
        by_seed: answers for the same clips in the same order.
    """
    return np.concatenate([one.logits_NK for one in by_seed.values()], axis=1)


def _read(folder: Path) -> Predictions:
    return read_predictions(folder / PREDICTIONS)


def _answers(row: Seeded) -> dict[int, Predictions]:
    """A row's answers by seed, all in the order of the first."""
    found = {seed: _read(folder) for seed, folder in sorted(row.folders.items())}
    template = next(iter(found.values()))
    return {seed: _aligned(one, template, row.folders[seed]) for seed, one in found.items()}


def _aligned(one: Predictions, template: Predictions, folder: Path) -> Predictions:
    """Answers with their clips in another's order."""
    places = {clip: place for place, clip in enumerate(one.ids)}
    if set(places) != set(template.ids) or one.classes != template.classes:
        raise EvaluationError(
            f"{folder / PREDICTIONS}: of other clips or classes than the run to compare with"
        )
    order = [places[clip] for clip in template.ids]
    unlike = (one.known_targets()[order] != template.known_targets()).any()
    if unlike or tuple(one.sources[place] for place in order) != template.sources:
        raise EvaluationError(
            f"{folder / PREDICTIONS}: of the same clips with other labels or sources than the run "
            "to compare with; evaluate both on one manifest"
        )
    return replace(template, logits_NK=one.logits_NK[order], model=one.model)


def metric_of(one: Predictions) -> ResampledMetric:
    """Top 1 where clips have one label, mean average precision where they can have several."""
    return MeanAveragePrecision() if one.multi_label else Accuracy()


def score_name(one: Predictions) -> str:
    """What `metric_of` is called."""
    return "mAP" if one.multi_label else "top 1"
