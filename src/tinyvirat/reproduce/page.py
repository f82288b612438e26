"""The tables of an outcome, beside the paper's and with what they cost, and the page of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tinyvirat.evaluation.paper import F1, OurRow, beside_paper
from tinyvirat.evaluation.tables import Column, Table, as_markdown
from tinyvirat.reproduce.estimate import duration
from tinyvirat.reproduce.outcome import Outcome, RowOutcome
from tinyvirat.reproduce.plan import Plan
from tinyvirat.training.recipe import Clips


def main_table(plan: Plan, outcome: Outcome) -> Table:
    """Our rows beside the paper's."""
    ours = {
        row.row: OurRow(row.score, row.method, row.input, row.deviation) for row in outcome.rows
    }
    seeds = len(outcome.seeds)
    all_there = all(None not in row.by_seed for row in outcome.rows if row.score is not None)
    notes = [
        f"Our score is the mean over {seeds} seeds{'' if all_there else ' at most (*Each seed*)'}; "
        "± is their standard deviation."
        if seeds > 1
        else "One seed: how much another one would change is not known.",
        *_interval_note(outcome),
        *([_F1_NOTE] if plan.paper.metric == F1 else []),
        *plan.notes,
        *_not_run(outcome),
    ]
    return beside_paper(plan.paper, ours, notes=tuple(notes))


_F1_NOTE = (
    "Our F1 is the macro average over all classes at p = 0.5; the other averages, and the "
    "published code's threshold (logit 0.5), stand in a table of their own."
)


def _interval_note(outcome: Outcome) -> list[str]:
    known = next((row.score for row in outcome.rows if row.score is not None), None)
    if known is None or known.low is None:
        return []
    return [
        f"[low, high]: {100 * known.level:g} % of {known.resamples} bootstrap draws over "
        f"{known.sources} source videos of {outcome.clips} test clips."
    ]


def _not_run(outcome: Outcome) -> list[str]:
    return [f"{row.row}: {row.why_not}" for row in outcome.rows if row.why_not]


def tables(plan: Plan, outcome: Outcome) -> tuple[Table, ...]:
    """All tables that say something."""
    made = [main_table(plan, outcome)]
    if outcome.compared:
        made.append(_compared_table(outcome))
    if len(outcome.seeds) > 1:
        made.append(_seed_table(outcome))
    if any(row.f1 for row in outcome.rows):
        made.append(_f1_table(outcome))
    made.append(_cost_table(outcome))
    if any(row.picture for row in outcome.rows):
        made.append(_picture_table(outcome))
    return tuple(made)


def _compared_table(outcome: Outcome) -> Table:
    columns = (
        Column("row"),
        Column("against"),
        Column("gain, points", "percent"),
        Column("p", "number", 3),
        Column("seeds"),
    )
    rows = tuple(
        (
            one.row,
            one.against,
            one.difference.interval,
            one.difference.p_value,
            ", ".join(map(str, one.seeds)) or "none in common",
        )
        for one in outcome.compared
    )
    notes = (
        "Both rows are scored on the same draws of source videos; p is two-sided, not corrected "
        "for the number of comparisons, and says nothing of other seeds.",
    )
    return Table("Rows against each other, on the same clips", columns, rows, notes)


def _seed_table(outcome: Outcome) -> Table:
    columns = (Column("row"), *(Column(f"seed {seed}", "percent") for seed in outcome.seeds))
    rows = tuple((row.row, *row.by_seed) for row in outcome.rows)
    return Table("Each seed", columns, rows)


def _f1_table(outcome: Outcome) -> Table:
    ways = {
        "macro": "macro",
        "macro_present": "macro, classes present",
        "micro": "micro",
        "samples": "samples",
        "published_macro": "macro, logit 0.5",
        "published_samples": "samples, logit 0.5",
        "tuned_macro": "macro, tuned thresholds",
        "mean_average_precision": "mAP",
    }
    known = [(row.row, row.f1) for row in outcome.rows if row.f1]
    shown = [way for way in ways if any(getattr(f1, way) is not None for _, f1 in known)]
    columns = (Column("row"), *(Column(f"{ways[way]}, %", "percent") for way in shown))
    rows = tuple((name, *(getattr(f1, way) for way in shown)) for name, f1 in known)
    return Table("F1 in every way it could be meant", columns, rows)


def _cost_table(outcome: Outcome) -> Table:
    columns = (
        Column("row"),
        Column("parameters, M", "number", 1),
        Column("GMAC a window", "number", 1),
        Column("s a clip", "number", 3),
        Column("iterations by phase"),
        Column("training"),
    )
    rows = tuple(
        (
            row.row,
            row.parameters / 1e6,
            row.gmac,
            row.seconds_per_clip,
            _steps(row),
            duration(row.seconds / 3600.0) if row.steps else None,
        )
        for row in outcome.rows
    )
    notes = (
        f"s a clip: all windows of a test clip, without decoding ({outcome.device or 'not run'}).",
        "Iterations and time are those of all runs that a row needs, a seed; runs that rows share "
        "were made once. Time is that of the iterations: without loading clips, validation and "
        "checkpoints.",
    )
    return Table("Costs", columns, rows, notes)


def _steps(row: RowOutcome) -> str | None:
    return ", ".join(f"{name}: {steps:,}" for name, steps in row.steps) or None


def _picture_table(outcome: Outcome) -> Table:
    columns = (
        Column("row"),
        Column("PSNR, dB", "number"),
        Column("SSIM", "number", 4),
        Column("bicubic PSNR, dB", "number"),
        Column("bicubic SSIM", "number", 4),
    )
    shown = [(row.row, row.picture) for row in outcome.rows if row.picture]
    rows = tuple((name, p.psnr, p.ssim, p.bicubic_psnr, p.bicubic_ssim) for name, p in shown)
    note = f"The first window of {shown[0][1].clips} test clips."
    return Table("Enlarged clips against their truth", columns, rows, (note,))


def protocol(plan: Plan, outcome: Outcome) -> list[str]:
    """What was done, in words."""
    return [
        f"Recipes: {_family(plan.family)}.",
        *([plan.budget.words] if plan.budget.words else []),
        *(
            [f"Changed in all rows, or in those that a pattern names: {'; '.join(plan.changes)}."]
            if plan.changes
            else []
        ),
        f"Data: {plan.text.train} training and {plan.text.test} test clips are published; tested "
        f"here: {outcome.clips} clips of {outcome.classes} classes."
        if plan.text.dataset
        else f"Tested: {outcome.clips} clips of {outcome.classes} classes.",
        *dict.fromkeys(_clips(row.recipe.clips) for row in plan.rows),
        *(
            f"{row.key} learns from the run of {row.teacher.key} of the same seed, whose training "
            "is not counted as its own."
            for row in plan.rows
            if row.teacher is not None
        ),
        *dict.fromkeys(
            f"Classifiers start from {row.recipe.weights or 'fresh weights'}." for row in plan.rows
        ),
        "The test split is looked at once, at the end: nothing is chosen on it (the published code "
        "chooses its models on it).",
    ]


def _family(family: str) -> str:
    ours = (
        "how long phases 2 and 3 are, which neither says, is ours, and so is the size at which "
        "clips that are tiny by nature enter super-resolution"
    )
    if family == "paper":
        return f"the paper's values; where it is silent, the published code's; {ours}"
    return (
        f"`{family}`: the published code's values, also where the paper has others, without its "
        "bugs (a crop that only saw the left columns, black frames after short clips, models "
        f"chosen on the test split); {ours}"
    )


def _clips(clips: Clips) -> str:
    strides = ", ".join(map(str, clips.strides))
    windows = (
        f"Windows of {clips.frames} frames, {strides} apart in training and {clips.test_stride} in "
        "the test, where a clip's answer is the mean of the logits of all windows."
    )
    if clips.tiny:
        return f"Clips go to {clips.size} px as they are (bicubic, fit: {clips.fit}). {windows}"
    small = "" if clips.size == clips.full else f", then bicubic to {clips.size} px"
    if clips.seen is not None:
        small += f"; the classifier is given {clips.seen} px"
    return (
        f"Clips: short side to {clips.short_side} px (bilinear), a crop of {clips.full} px (random "
        f"in training, centre in the test){small}. {windows}"
    )


def page(plan: Plan, outcome: Outcome) -> str:
    """The page as Markdown."""
    title = plan.paper.name or plan.name
    parts = [
        f"# {title}: {plan.paper.title}",
        f"Made by `{_command(sys.argv)}`; do not edit.",
        "\n".join(f"- {line}" for line in protocol(plan, outcome)),
        *(as_markdown(table).strip() for table in tables(plan, outcome)),
        "**Made with**",
        "\n".join(f"- {line}" for line in outcome.environments)
        + f"\n- data SHA-256 {outcome.data_sha256[:12]}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _command(words: Sequence[str]) -> str:
    """The command line, without the folders of absolute paths: they are of one machine."""
    return " ".join(Path(word).name if word.startswith("/") else word for word in words)
