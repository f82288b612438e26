"""Which table shows which result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinyvirat.evaluation.breakdown import Breakdown, GroupF1
from tinyvirat.evaluation.metrics import MultiLabel, SingleLabel
from tinyvirat.evaluation.significance import Interval
from tinyvirat.evaluation.tables import Cell, Column, Table


def single_label_tables(
    result: SingleLabel, intervals: Mapping[str, Interval] | None = None
) -> tuple[Table, ...]:
    """The summary and the table by class.

    Args:
        result: what `metrics.single_label` gave.
        intervals: of `top1`, `top5` and `mean_class`, as far as known.
    """
    known = intervals or {}
    summary = Table(
        f"Accuracy of {result.clips} clips, {len(result.classes)} classes",
        (Column("score"), Column("%", "percent")),
        (
            ("top 1", known.get("top1", result.top1)),
            ("top 5", known.get("top5", result.top5)),
            ("mean over classes", known.get("mean_class", result.mean_class)),
        ),
        _interval_notes(known),
    )
    by_class = Table(
        "Accuracy by class",
        (
            Column("class"),
            Column("clips", "count"),
            Column("correct", "count"),
            Column("accuracy, %", "percent"),
        ),
        tuple((c.name, c.clips, c.correct, c.accuracy) for c in result.per_class),
    )
    return summary, by_class


def multi_label_tables(
    result: MultiLabel, intervals: Mapping[str, Interval] | None = None
) -> tuple[Table, ...]:
    """The summary at every threshold and the table by class.

    Args:
        result: what `metrics.multi_label` gave.
        intervals: of `mean_average_precision` and of the averages at p = 0.5 (`macro`,
            `macro_present`, `micro`, `samples`) and at tuned thresholds (the same with `_tuned`),
            as far as known.
    """
    known = intervals or {}
    every = [result.f1, result.f1_published]
    if result.f1_tuned is not None:
        every.append(result.f1_tuned)
    averages = (
        ("macro", "F1, macro"),
        ("macro_present", "F1, macro over classes present"),
        ("micro", "F1, micro"),
        ("samples", "F1, samples"),
    )
    mean_ap = known.get("mean_average_precision", result.mean_average_precision)
    rows: list[tuple[Cell, ...]] = []
    for f1 in every:
        spread: Mapping[str, Interval] = {} if f1 is result.f1_published else known
        which = "_tuned" if f1 is result.f1_tuned else ""
        scores = (spread.get(key + which, getattr(f1, key)) for key, _ in averages)
        rows.append((f1.thresholds, *scores, mean_ap))
    notes = list(_interval_notes(known))
    if result.without_positives:
        notes.append(
            f"No clip has {', '.join(result.without_positives)}: 0 in macro, left out of macro "
            "over classes present and of mAP."
        )
    if result.without_labels:
        notes.append(f"{result.without_labels} clips have no label; samples counts each as 0.")
    summary = Table(
        f"F1 of {result.clips} clips, {len(result.classes)} classes",
        (
            Column("threshold"),
            *(Column(f"{name}, %", "percent") for _, name in averages),
            Column("mAP, %, without threshold", "percent"),
        ),
        tuple(rows),
        tuple(notes),
    )
    return summary, _by_class(result)


def _by_class(result: MultiLabel) -> Table:
    rows: list[tuple[Cell, ...]] = []
    best = result.f1_tuned
    for k, (at_half, published, precision) in enumerate(
        zip(
            result.f1.per_class,
            result.f1_published.per_class,
            result.average_precision,
            strict=True,
        )
    ):
        tuned = None if best is None else best.per_class[k].f1
        rows.append(
            (
                at_half.name,
                at_half.positives,
                at_half.predicted,
                at_half.hits,
                at_half.precision,
                at_half.recall,
                at_half.f1,
                published.f1,
                tuned,
                precision,
            )
        )
    columns = (
        Column("class"),
        *(Column(name, "count") for name in ("positives", "predicted", "hits")),
        *(
            Column(f"{name}, %", "percent", 1)
            for name in ("precision", "recall", "F1", "F1 published", "F1 tuned", "AP")
        ),
    )
    return Table("By class; counts, precision, recall and F1 at p = 0.5", columns, tuple(rows))


def breakdown_tables(breakdown: Breakdown) -> tuple[Table, ...]:
    """F1 by clip size and, where it is known, by class frequency."""
    at = f"F1 at {breakdown.thresholds}"
    sizes = group_table(f"{at}, by the clip's longer side", breakdown.by_size)
    if not breakdown.by_frequency:
        return (sizes,)
    return sizes, group_table(f"{at}, by how common a class is", breakdown.by_frequency)


def group_table(title: str, groups: Sequence[GroupF1]) -> Table:
    """F1 by clip size or class frequency, as `breakdown` gives it."""
    columns = (
        Column("group"),
        *(Column(name, "count") for name in ("classes", "clips", "positives")),
        *(
            Column(f"F1, {name}, %", "percent")
            for name in ("macro", "macro over classes present", "micro", "samples")
        ),
    )
    rows = tuple(
        (g.name, g.classes, g.clips, g.positives, g.macro, g.macro_present, g.micro, g.samples)
        for g in groups
    )
    return Table(title, columns, rows)


def _interval_notes(intervals: Mapping[str, Interval]) -> tuple[str, ...]:
    """How the intervals of a table came about, said once for each way."""
    return tuple(
        dict.fromkeys(
            f"[low, high]: {100 * known.level:g} % of {known.resamples} bootstrap draws over "
            f"{known.sources} sources, seed {known.seed}."
            if known.low is not None
            else "All clips are of one source: nothing can be said about intervals."
            for known in intervals.values()
        )
    )
