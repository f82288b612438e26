"""What came of a plan, read back from the files that its runs wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyvirat.common.words import counted
from tinyvirat.evaluation.metrics import MultiLabel, multi_label
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.report import METRICS, PREDICTIONS
from tinyvirat.evaluation.resampled import F1, Accuracy, OverSeeds, ResampledMetric
from tinyvirat.evaluation.run_results import FACTS
from tinyvirat.evaluation.seeds import stacked
from tinyvirat.evaluation.significance import Difference, Interval, bootstrap, paired_difference
from tinyvirat.evaluation.thresholds import at_half
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.estimate import row_cost
from tinyvirat.reproduce.plan import Plan, Row
from tinyvirat.reproduce.trainings import Training
from tinyvirat.reproduce.work import Place, Task, is_done, summary_of


@dataclass(frozen=True)
class F1Detail:
    """F1 and mean average precision of a row, each the mean over its seeds.

    Attributes:
        macro: at p = 0.5, over all classes.
        macro_present: over the classes that test clips show.
        micro: of summed counts.
        samples: over clips.
        published_macro: at logit 0.5, as the published code has it.
        published_samples: likewise.
        mean_average_precision: over the classes that test clips show.
        tuned_macro: at thresholds tuned on held-out videos of the training split; None where a
            recipe holds none out.
    """

    macro: float
    macro_present: float | None
    micro: float
    samples: float
    published_macro: float
    published_samples: float
    mean_average_precision: float | None
    tuned_macro: float | None


@dataclass(frozen=True)
class Picture:
    """How well clips are enlarged, the mean over seeds, beside bicubic enlargement."""

    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float
    clips: int


@dataclass(frozen=True)
class RowOutcome:
    """One row.

    Attributes:
        row: its name.
        method: what the table calls it.
        input: the input's size, where the table has such a column.
        printed: whether the paper prints it.
        score: the mean over seeds, with its interval over source videos; None for a row not run.
        deviation: standard deviation over seeds; None for one seed.
        by_seed: the score of each seed, None where it was not run.
        f1: for clips with several labels.
        picture: where it enlarges clips whose truth is known.
        steps: iterations by phase, of all runs that the row needs.
        seconds: that they took, a seed.
        parameters: of the network.
        gmac: of one window.
        seconds_per_clip: to answer one clip, without decoding.
        runs: the folders of its runs.
        why_not: why it, or one of its seeds, was not run; empty where all were.
    """

    row: str
    method: str
    input: str | None
    printed: bool
    score: Interval | None
    deviation: float | None
    by_seed: tuple[float | None, ...]
    f1: F1Detail | None
    picture: Picture | None
    steps: tuple[tuple[str, int], ...]
    seconds: float
    parameters: int
    gmac: float
    seconds_per_clip: float | None
    runs: tuple[str, ...]
    why_not: str = ""


@dataclass(frozen=True)
class Compared:
    """A row against another on the same clips.

    Attributes:
        row: its name.
        against: that of the other.
        seeds: that both have; none: the mean over all of each is compared.
        difference: the first less the second.
    """

    row: str
    against: str
    seeds: tuple[int, ...]
    difference: Difference


@dataclass(frozen=True)
class Outcome:
    """A table.

    Attributes:
        table: its name.
        family: `paper`, or whose values the recipes have.
        rows: in the table's order.
        compared: rows against others.
        clips: of the test split.
        classes: how many.
        seeds: that each row was run with.
        device: where the evaluation was computed, and in which number format.
        data_sha256: of the manifest whose clips are tested.
        environments: of the evaluations, without repetitions: commit, versions, machine.
    """

    table: str
    family: str
    rows: tuple[RowOutcome, ...]
    compared: tuple[Compared, ...]
    clips: int
    classes: int
    seeds: tuple[int, ...]
    device: str
    data_sha256: str
    environments: tuple[str, ...]


@dataclass(frozen=True)
class _Tested:
    """A row's evaluation with one seed."""

    training: Training
    predictions: Predictions
    metrics: Mapping[str, Any]
    facts: Mapping[str, Any]


def collect(plan: Plan, place: Place, why_not: Mapping[str, str]) -> Outcome:
    """Reads what the runs of a plan wrote.

    Args:
        plan: the plan.
        place: where everything is.
        why_not: by row, why it could not be run.

    Raises:
        TinyviratError: a file is damaged, or evaluations are not of the same clips.
    """
    found = {row.key: _tested(row, plan, place) for row in plan.rows}
    _refuse_unlike(list(found.values()))
    rows = tuple(
        _row(row, plan, place, found[row.key], why_not.get(row.key, "")) for row in plan.rows
    )
    compared = tuple(
        _compared(row.key, other, found, plan)
        for row in plan.rows
        for other in row.against
        if found[row.key] and found.get(other)  # a row that was not run is compared with none
    )
    facts = [one.facts for by_seed in found.values() for one in by_seed.values()]
    return Outcome(
        table=plan.name,
        family=plan.family,
        rows=rows,
        compared=compared,
        clips=place.sources.tested,
        classes=place.sources.classes,
        seeds=plan.seeds,
        device=", ".join(dict.fromkeys(f"{one['device']}, {one['precision']}" for one in facts)),
        data_sha256=place.sources.sha256,
        environments=tuple(dict.fromkeys(_environment(one["environment"]) for one in facts)),
    )


def _tested(row: Row, plan: Plan, place: Place) -> dict[int, _Tested]:
    """A row's evaluations by seed, those that there are."""
    found = {}
    for seed in plan.seeds:
        training = plan.training(row, seed)
        if is_done(Task(training, row.variant), place):
            folder = place.folder(training) / row.variant.folder
            found[seed] = _Tested(
                training,
                read_predictions(folder / PREDICTIONS),
                _read(folder / METRICS),
                _read(folder / FACTS),
            )
    return found


def _refuse_unlike(found: Sequence[Mapping[int, _Tested]]) -> None:
    """Makes sure that all rows answered the same clips in the same order."""
    every = [one.predictions for by_seed in found for one in by_seed.values()]
    for one in every[1:]:
        if (one.ids, one.manifest_sha256) != (every[0].ids, every[0].manifest_sha256):
            raise ReproduceError(
                f"the evaluations of {every[0].model} and {one.model} are not of the same clips; "
                "delete the older folder `evaluation` and run again"
            )


def _metric(predictions: Predictions) -> ResampledMetric:
    """The score of the table."""
    if predictions.multi_label:
        return F1("macro", at_half(predictions.classes))
    return Accuracy()


def _predictions(by_seed: Mapping[int, _Tested]) -> dict[int, Predictions]:
    return {seed: one.predictions for seed, one in by_seed.items()}


def _interval(by_seed: Mapping[int, _Tested]) -> Interval:
    one = next(iter(by_seed.values())).predictions
    metric = OverSeeds(_metric(one), len(by_seed))
    return bootstrap(metric, stacked(_predictions(by_seed)), one.known_targets(), one.sources)


def _compared(
    row: str, against: str, found: Mapping[str, Mapping[int, _Tested]], plan: Plan
) -> Compared:
    """A row less another, over the seeds that both have, or else all of each."""
    first, second = found[against], found[row]
    both = tuple(seed for seed in plan.seeds if seed in first and seed in second)
    if both:
        first = {seed: first[seed] for seed in both}
        second = {seed: second[seed] for seed in both}
    one = next(iter(first.values())).predictions
    difference = paired_difference(
        OverSeeds(_metric(one), len(first)),
        stacked(_predictions(first)),
        stacked(_predictions(second)),
        one.known_targets(),
        one.sources,
        second_metric=OverSeeds(_metric(one), len(second)),
    )
    return Compared(row, against, both, difference)


def _row(
    row: Row, plan: Plan, place: Place, by_seed: Mapping[int, _Tested], why_not: str
) -> RowOutcome:
    scores = {seed: _score(one.predictions) for seed, one in by_seed.items()}
    seconds = [one.facts["seconds_per_clip"] for one in by_seed.values()]
    cost = row_cost(row, place.sources.classes)
    trained = [_trained(one.training, place) for one in by_seed.values()]
    return RowOutcome(
        row=row.key,
        method=row.method,
        input=row.input,
        printed=row.printed,
        score=_interval(by_seed) if by_seed else None,
        deviation=float(np.std(list(scores.values()), ddof=1)) if len(scores) > 1 else None,
        by_seed=tuple(scores.get(seed) for seed in plan.seeds),
        f1=_f1(by_seed),
        picture=_picture(by_seed),
        steps=trained[0][0] if trained else (),
        seconds=float(np.mean([took for _, took in trained])) if trained else 0.0,
        parameters=cost.parameters,
        gmac=cost.gmac,
        seconds_per_clip=float(np.mean(seconds)) if seconds else None,
        runs=tuple(
            place.folder(part).name for one in by_seed.values() for part in one.training.chain()
        ),
        why_not=_why_not(by_seed, plan, why_not),
    )


def _why_not(by_seed: Mapping[int, _Tested], plan: Plan, why_not: str) -> str:
    missing = [seed for seed in plan.seeds if seed not in by_seed]
    if not missing:
        return ""
    if why_not or not by_seed:
        return why_not or "not run"
    return f"not run with {counted(len(missing), 'seed')}: {', '.join(map(str, missing))}"


def _score(predictions: Predictions) -> float:
    once_1N = np.ones((1, len(predictions.ids)))
    targets_NK = predictions.known_targets()
    return float(_metric(predictions).resampled(predictions.logits_NK, targets_NK, once_1N)[0])


def _trained(training: Training, place: Place) -> tuple[tuple[tuple[str, int], ...], float]:
    """Iterations by phase, and seconds, of a run and of those that it needs."""
    steps: list[tuple[str, int]] = []
    seconds = 0.0
    for one in training.chain():
        for name, phase in summary_of(place.folder(one)).get("phases", {}).items():
            steps.append((name, phase["steps"]))
            seconds += phase["seconds"]
    return tuple(steps), seconds


def _f1(by_seed: Mapping[int, _Tested]) -> F1Detail | None:
    scored: list[MultiLabel] = [
        multi_label(p.logits_NK, p.known_targets(), p.classes, p.sources)
        for p in (one.predictions for one in by_seed.values())
        if p.multi_label
    ]
    if not scored:
        return None
    tuned = [one.metrics["multi_label"]["f1_tuned"] for one in by_seed.values()]
    return F1Detail(
        macro=_mean([one.f1.macro for one in scored]) or 0.0,
        macro_present=_mean([one.f1.macro_present for one in scored]),
        micro=_mean([one.f1.micro for one in scored]) or 0.0,
        samples=_mean([one.f1.samples for one in scored]) or 0.0,
        published_macro=_mean([one.f1_published.macro for one in scored]) or 0.0,
        published_samples=_mean([one.f1_published.samples for one in scored]) or 0.0,
        mean_average_precision=_mean([one.mean_average_precision for one in scored]),
        tuned_macro=_mean([None if one is None else one["macro"] for one in tuned]),
    )


def _picture(by_seed: Mapping[int, _Tested]) -> Picture | None:
    found = [one.facts["quality"] for one in by_seed.values() if one.facts["quality"]]
    if not found:
        return None
    return Picture(
        psnr=float(np.mean([one["super-resolved"]["psnr"] for one in found])),
        ssim=float(np.mean([one["super-resolved"]["ssim"] for one in found])),
        bicubic_psnr=found[0]["bicubic"]["psnr"],
        bicubic_ssim=found[0]["bicubic"]["ssim"],
        clips=found[0]["bicubic"]["videos"],
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _environment(one: Mapping[str, Any]) -> str:
    where = ", ".join(one["cuda"]) or one["processor"]
    return f"commit {one['commit'] or 'unknown'}, torch {one['torch']}, {where}"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        facts: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReproduceError(
            f"{path}: cannot be read ({error}); delete the folder {path.parent} to test again"
        ) from error
    return facts
