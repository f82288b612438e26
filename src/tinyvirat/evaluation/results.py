"""RESULTS.md from the folders of runs: every number is read from a file that a run wrote."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tinyvirat.common.words import shown_command
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.seeds import Seeded, gains, means
from tinyvirat.evaluation.significance import Interval
from tinyvirat.evaluation.tables import Column, Table, as_markdown

EVALUATION = "evaluation"
SUMMARY, ENVIRONMENT = "summary.json", "environment.json"
METRICS, FACTS = "metrics.json", "evaluation.json"
HEAD = "# Measured results\n\nMade by `tinyvirat results`; do not edit."
NEEDED_SUMMARY = ("name", "seed", "parameters", "gmac", "precision", "phases")
NEEDED_INTERVAL = tuple(field.name for field in fields(Interval))
NEEDED_ENVIRONMENT = ("command", "time", "commit", "torch", "processor", "data")
SCORES = {
    "top1": "top 1, %",
    "mean_class": "mean over classes, %",
    "macro": "macro F1, %",
    "mean_average_precision": "mAP, %",
}


@dataclass(frozen=True)
class RunResult:
    """What one run folder says.

    Attributes:
        group: the folder that the run is in, relative to the root: one table a group.
        row: the recipe's name, the input where it is not what the run was trained on, and the run's
            folder where another has the same name and seed.
        name: the same, with its seed where the row has several.
        summary: `summary.json`.
        environment: the last entry of `environment.json`.
        metrics: `evaluation/metrics.json`.
        facts: `evaluation/evaluation.json`.
        folder: of the evaluation.
    """

    group: str
    row: str
    name: str
    summary: Mapping[str, Any]
    environment: Mapping[str, Any]
    metrics: Mapping[str, Any]
    facts: Mapping[str, Any]
    folder: Path


def find_results(root: Path) -> list[RunResult]:
    """All evaluated runs under a folder, in the order in which they were trained.

    A run can have several evaluations: in `evaluation`, and in `evaluation_at_14` and the like.

    Raises:
        EvaluationError: there are none, or a file of theirs cannot be read.
    """
    found = [_result(root, path) for path in sorted(root.rglob(f"{EVALUATION}*/{FACTS}"))]
    if not found:
        raise EvaluationError(f"{root}: no run in it has a folder {EVALUATION} with {FACTS}")
    return sorted(_told_apart(found), key=lambda one: (one.group, one.environment["time"]))


def _result(root: Path, path: Path) -> RunResult:
    """What the run says whose evaluation wrote `path`."""
    run = path.parent.parent
    history = _read(run / ENVIRONMENT)
    if not isinstance(history, list) or not history:
        raise EvaluationError(f"{run / ENVIRONMENT}: holds no list of what the run was made with")
    environment = _needed(history[-1], NEEDED_ENVIRONMENT, run / ENVIRONMENT)
    roles = _needed(environment["data"], ("data",), run / ENVIRONMENT)
    _needed(roles["data"], ("sha256", "train"), run / ENVIRONMENT)
    summary = _needed(_read(run / SUMMARY), NEEDED_SUMMARY, run / SUMMARY)
    for phase in _entries(summary["phases"]):
        _needed(phase, ("steps", "seconds"), run / SUMMARY)
    facts = _needed(_read(path), ("input_sizes",), path)
    quality = facts.get("quality")
    if quality is not None:
        for way in ("bicubic", "super-resolved"):
            _needed(_needed(quality, (way,), path)[way], ("psnr", "ssim", "videos"), path)
    metrics = _needed(_read(path.parent / METRICS), ("intervals", "split"), path.parent / METRICS)
    for interval in _entries(metrics["intervals"]):
        _needed(interval, NEEDED_INTERVAL, path.parent / METRICS)
    row = _row(summary, facts, path.parent.name)
    return RunResult(
        group=run.parent.relative_to(root).as_posix(),
        row=row,
        name=row,
        summary=summary,
        environment=environment,
        metrics=metrics,
        facts=facts,
        folder=path.parent,
    )


def _entries(data: Any) -> list[Any]:
    """The values of a JSON object; of anything else one that is none."""
    return list(data.values()) if isinstance(data, dict) else [None]


def _needed(data: Any, keys: Sequence[str], path: Path) -> Mapping[str, Any]:
    """A JSON object that has these keys."""
    found: Mapping[str, Any] = data if isinstance(data, dict) else {}
    missing = next((key for key in keys if key not in found), None)
    if missing is not None:
        raise EvaluationError(
            f"{path}: {missing!r} is missing; it is not what `tinyvirat train` or `tinyvirat "
            "evaluate` writes: train or evaluate again, or take the folder away"
        )
    return found


def _row(summary: Mapping[str, Any], facts: Mapping[str, Any], folder: str) -> str:
    """What an evaluation is called: its recipe, and what is other in the test than in training."""
    tested = str(facts.get("tested", ""))
    if folder != EVALUATION and not tested:
        tested = f"tested at {', '.join(map(str, facts['input_sizes']))} px"
    return ", ".join(filter(None, (str(summary["name"]), tested)))


def _told_apart(results: Sequence[RunResult]) -> list[RunResult]:
    """The results, those of one group that are called alike with their folders or their seeds."""
    twice = Counter((one.group, one.row, one.summary["seed"]) for one in results)
    known = [
        replace(one, row=f"{one.row} ({one.folder.parent.name})")
        if twice[one.group, one.row, one.summary["seed"]] > 1
        else one
        for one in results
    ]
    times = Counter((one.group, one.row) for one in known)
    return [
        replace(one, name=f"{one.row}, seed {one.summary['seed']}")
        if times[one.group, one.row] > 1
        else replace(one, name=one.row)
        for one in known
    ]


def results_page(root: Path, title: str, notes: str = "", against: Sequence[str] = ()) -> str:
    """The page of all runs under a folder, as Markdown.

    Args:
        root: the folder.
        title: of the page's section.
        notes: text under the title, such as the protocol and what the numbers mean.
        against: names of rows that the others of their group are compared with, and those on the
            same clips of groups that have none of these rows; one table each.

    Raises:
        EvaluationError: there is no run, none of a name in `against`, or a file of theirs cannot be
            read.
    """
    results = find_results(root)
    parts = [f"## {title}"]
    if notes:
        parts.append(notes.strip())
    for group in dict.fromkeys(result.group for result in results):
        own = [result for result in results if result.group == group]
        parts.append(f"### {group}")
        tables = [_scores(own), _costs(own)]
        seeded = _seeded(own)
        if any(len(row.folders) > 1 for row in seeded):
            tables.insert(1, means(seeded))
        known = {row.name for row in seeded}
        tables += [_gains(results, group, name, against) for name in against if name in known]
        parts += [as_markdown(table).strip() for table in tables]
    rows = dict.fromkeys(result.row for result in results)
    for name in against:
        if name not in rows:
            raise EvaluationError(f"no run is called {name!r}; there are {', '.join(rows)}")
    parts.append("### How each number was made")
    parts.append("\n".join(_provenance(result) for result in results))
    return "\n\n".join(parts) + "\n"


def with_section(page: str, section: str) -> str:
    """A page with a section in the place of that of the same title, or at the end.

    Args:
        page: as this function gave it before, or empty.
        section: as `results_page` gives it.
    """
    title = section.splitlines()[0]
    parts = [f"## {part}" for part in f"\n{page}".split("\n## ")[1:]]
    titles = [part.splitlines()[0] for part in parts]
    if title in titles:
        parts[titles.index(title)] = section
    else:
        parts.append(section)
    return "\n\n".join(part.strip() for part in (HEAD, *parts)) + "\n"


def _seeded(results: Sequence[RunResult]) -> list[Seeded]:
    """The rows of one group, each with the evaluations of all its seeds."""
    found: dict[str, dict[int, Path]] = {}
    for result in results:
        found.setdefault(result.row, {})[result.summary["seed"]] = result.folder
    return [Seeded(row, by_seed) for row, by_seed in found.items()]


def _gains(
    results: Sequence[RunResult], group: str, against: str, baselines: Sequence[str]
) -> Table:
    """A group's rows against one of them, and those of groups that have no baseline at all."""
    groups = dict.fromkeys(one.group for one in results)
    rows = {name: _seeded([one for one in results if one.group == name]) for name in groups}
    first = next(row for row in rows[group] if row.name == against)
    base = next(one for one in results if (one.group, one.row) == (group, against))
    others = [row for row in rows[group] if row is not first]
    for name in groups:
        if all(row.name not in baselines for row in rows[name]):
            others += _seeded([one for one in results if one.group == name and _serves(one, base)])
    return gains(first, others)


def _serves(one: RunResult, base: RunResult) -> bool:
    """Whether a row of another group tells something beside `base`: it was scored on the same
    clips, at the same size or at the one that it was trained for."""
    same_input = _sides(one) == _sides(base) or one.folder.name == EVALUATION
    return same_input and _clips(one) == _clips(base)


def _clips(result: RunResult) -> tuple[str, str]:
    """Which clips a run was scored on."""
    return result.environment["data"]["data"]["sha256"], result.metrics["split"]


def _scores(results: Sequence[RunResult]) -> Table:
    names = [n for n in SCORES if any(n in r.metrics["intervals"] for r in results)]
    columns = (
        Column("run"),
        *(Column(SCORES[n], "percent", 1) for n in names),
        Column("PSNR, dB", "number", 2),
        Column("SSIM", "number", 4),
    )
    rows = []
    for result in results:
        known = result.metrics["intervals"]
        intervals = [_interval(known[name]) if name in known else None for name in names]
        quality = (result.facts.get("quality") or {}).get("super-resolved", {})
        rows.append((result.name, *intervals, quality.get("psnr"), quality.get("ssim")))
    notes = ["[low, high]: 95 % bootstrap intervals over source videos."]
    plain = {_sides(r): r.facts["quality"]["bicubic"] for r in results if r.facts.get("quality")}
    notes += [
        f"Bicubic enlargement of {sides}: PSNR {one['psnr']:.2f} dB, SSIM {one['ssim']:.4f}, "
        f"{one['videos']} clips."
        for sides, one in plain.items()
    ]
    return Table("Scores", columns, tuple(rows), tuple(notes))


def _costs(results: Sequence[RunResult]) -> Table:
    columns = (
        Column("run"),
        Column("input"),
        Column("parameters, M"),
        Column("GMAC a window"),
        Column("iterations by phase"),
        Column("training, s"),
        Column("seed"),
    )
    rows = []
    for result in results:
        phases = result.summary["phases"]
        steps = ", ".join(f"{name}: {phase['steps']}" for name, phase in phases.items())
        seconds = sum(phase["seconds"] for phase in phases.values())
        rows.append(
            (
                result.name,
                _sides(result),
                f"{result.summary['parameters'] / 1e6:.2f}",
                f"{result.summary['gmac']:.1f}",
                steps,
                f"{seconds:.0f}",
                str(result.summary["seed"]),
            )
        )
    return Table("Costs", columns, tuple(rows), ())


def _sides(result: RunResult) -> str:
    return ", ".join(f"{side} px" for side in result.facts["input_sizes"])


def _interval(known: Mapping[str, Any]) -> Interval:
    return Interval(**{name: known[name] for name in NEEDED_INTERVAL})


def _provenance(result: RunResult) -> str:
    e = result.environment
    data, command = e["data"]["data"], shown_command(e["command"].split(" "))
    return (
        f"- **{result.group}, {result.name}**: `{command}`; commit {e['commit']}, "
        f"torch {e['torch']}, {e['processor']}, {result.summary['precision']}, {e['time']}; data "
        f"SHA-256 {data['sha256'][:12]}, {data['train']} training clips; split "
        f"{result.metrics['split']}"
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be read: {error}") from error
