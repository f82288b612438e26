"""What one run gains over another on the same clips: a table for the page of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.resampled import Accuracy, MeanAveragePrecision
from tinyvirat.evaluation.significance import Difference, paired_difference
from tinyvirat.evaluation.tables import Column, Table

PREDICTIONS = "predictions.jsonl"


def gains(against: tuple[str, Path], others: Sequence[tuple[str, Path]]) -> Table:
    """How much better each evaluation is than one of them, clip by clip.

    Top 1 where clips have one label, mean average precision where they can have several. The
    draws of source videos are the same for both of a pair, so that what is hard for both takes
    nothing from the difference.

    Args:
        against: name of the run to compare with, and the folder of its evaluation.
        others: the same of the others, in the order of the rows.

    Raises:
        EvaluationError: an evaluation is of other clips.
    """
    first = read_predictions(against[1] / PREDICTIONS)
    rows = []
    for name, folder in others:
        found = _difference(first, read_predictions(folder / PREDICTIONS), folder)
        one = found.interval
        spread = "" if one.low is None else f" [{100 * one.low:+.1f}, {100 * (one.high or 0):+.1f}]"
        p_value = None if found.p_value is None else f"{found.p_value:.3f}"
        rows.append((name, f"{100 * one.point:+.1f}{spread}", p_value))
    score = "mAP" if first.multi_label else "top 1"
    columns = (Column("run"), Column(f"{score}, points"), Column("p"))
    notes = (
        "[low, high]: 95 % paired bootstrap intervals over source videos; p: of no difference, "
        "two-sided, not corrected for the number of rows.",
    )
    return Table(f"Gained over {against[0]}", columns, tuple(rows), notes)


def _difference(first: Predictions, second: Predictions, folder: Path) -> Difference:
    """The second's gain, with its clips in the first's order."""
    places = {clip: place for place, clip in enumerate(second.ids)}
    if set(places) != set(first.ids) or second.classes != first.classes:
        raise EvaluationError(
            f"{folder / PREDICTIONS}: of other clips or classes than the run to compare with"
        )
    order = [places[clip] for clip in first.ids]
    metric = MeanAveragePrecision() if first.multi_label else Accuracy()
    return paired_difference(
        metric, first.logits_NK, second.logits_NK[order], first.known_targets(), first.sources
    )
