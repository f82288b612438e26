"""RESULTS.md from the folders of runs: every number is read from a file that a run wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyvirat.common.words import shown_command
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.run_results import (
    EVALUATION,
    NEEDED_INTERVAL,
    RunResult,
    TrainedRun,
    find_results,
    find_untested,
)
from tinyvirat.evaluation.seeds import Seeded, gains, means
from tinyvirat.evaluation.significance import Interval
from tinyvirat.evaluation.tables import Column, Table, as_markdown

HEAD = "# Measured results\n\nMade by `tinyvirat results`; do not edit."
SCORES = {
    "top1": "top 1, %",
    "mean_class": "mean over classes, %",
    "macro": "macro F1 at p = 0.5, %",
    "mean_average_precision": "mAP, %",
}


def results_page(root: Path, title: str, notes: str = "", against: Sequence[str] = ()) -> str:
    """The page of all tested runs under a folder, as Markdown.

    Finished runs without a test, whose networks others may have taken over, are in the table of
    costs and among the commands.

    Args:
        root: the folder.
        title: of the page's section.
        notes: text under the title, such as the protocol and what the numbers mean.
        against: names of rows that the others of their group are compared with, and those on the
            same clips of groups that have none of these rows; one table each.

    Raises:
        EvaluationError: there is no run, none of a name in `against`, a file of theirs cannot be
            read, or the notes have sections of their own.
    """
    heading = next((line for line in notes.splitlines() if line.startswith(("# ", "## "))), None)
    if heading is not None:
        raise EvaluationError(
            f"the notes have the heading {heading!r}, which would begin another section; use ###"
        )
    results, untested = find_results(root), find_untested(root)
    parts = [f"## {title}"]
    if notes:
        parts.append(notes.strip())
    for group in dict.fromkeys(result.group for result in results):
        own = [result for result in results if result.group == group]
        parts.append(f"### {group}")
        taken_over = [run for run in untested if run.group == group]
        tables = [_scores(own), _costs(own, taken_over)]
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
    parts.append("\n".join(_provenance(results, untested)))
    return "\n\n".join(parts) + "\n"


def with_section(page: str, section: str) -> str:
    """A page with a section in the place of that of the same title, or at the end.

    Args:
        page: as this function gave it before, or empty.
        section: as `results_page` gives it.

    Raises:
        EvaluationError: the page has another beginning: it is not one of these.
    """
    if page.strip() and not page.startswith(HEAD):
        raise EvaluationError(
            f"the page does not begin with {HEAD.splitlines()[0]!r} and the line under it, so it "
            "was not made by this; name another"
        )
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
        found.setdefault(result.row, {})[result.seed] = result.evaluation
    return [Seeded(row, by_seed) for row, by_seed in found.items()]


def _gains(
    results: Sequence[RunResult], group: str, against: str, baselines: Sequence[str]
) -> Table:
    """A group's rows against one of them, and those of groups that have no baseline at all."""
    groups = dict.fromkeys(one.group for one in results)
    rows = {name: _seeded([one for one in results if one.group == name]) for name in groups}
    first = next(row for row in rows[group] if row.name == against)
    base = next(one for one in results if (one.group, one.row) == (group, against))
    others = _seeded(
        [
            one
            for one in results
            if one.group == group and one.row != against and _clips(one) == _clips(base)
        ]
    )
    for name in groups:
        if all(row.name not in baselines for row in rows[name]):
            others += _seeded([one for one in results if one.group == name and _serves(one, base)])
    return gains(first, others)


def _serves(one: RunResult, base: RunResult) -> bool:
    """Whether a row of another group tells something beside `base`: it was scored on the same
    clips, at the same size or at the one that it was trained for."""
    same_input = _sides(one) == _sides(base) or one.evaluation.name == EVALUATION
    return same_input and _clips(one) == _clips(base)


def _clips(result: RunResult) -> tuple[str, str]:
    """Which clips a run was scored on, whatever it learnt from."""
    return result.metrics["manifest_sha256"], result.metrics["split"]


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


def _costs(results: Sequence[RunResult], untested: Sequence[TrainedRun]) -> Table:
    columns = (
        Column("run"),
        Column("input"),
        Column("parameters, M", "number", 2),
        Column("GMAC a window", "number", 1),
        Column("iterations by phase"),
        Column("training, s", "number", 0),
        Column("seed"),
    )
    trained: list[tuple[TrainedRun, str | None]] = [(run, None) for run in untested]
    rows = []
    for run, sides in [*trained, *((result, _sides(result)) for result in results)]:
        phases = run.summary["phases"]
        rows.append(
            (
                run.name,
                sides,
                run.summary["parameters"] / 1e6,
                run.summary["gmac"],
                ", ".join(f"{name}: {phase['steps']}" for name, phase in phases.items()),
                sum(phase["seconds"] for phase in phases.values()),
                str(run.seed),
            )
        )
    notes = [
        "Training is the time of its iterations: without loading clips, validation and checkpoints."
    ]
    if untested:
        notes.append(
            "Without an input: runs that were not tested, such as super-resolution networks that "
            "others took over."
        )
    return Table("Costs", columns, tuple(rows), tuple(notes))


def _sides(result: RunResult) -> str:
    return ", ".join(f"{side} px" for side in result.facts["input_sizes"])


def _interval(known: Mapping[str, Any]) -> Interval:
    return Interval(**{name: known[name] for name in NEEDED_INTERVAL})


def _provenance(results: Sequence[RunResult], untested: Sequence[TrainedRun]) -> list[str]:
    """A line for each training, and under it one for each of its tests."""
    runs: dict[Path, TrainedRun] = {run.folder: run for run in (*untested, *results)}
    lines = []
    for run in sorted(runs.values(), key=lambda one: (one.group, one.environment["time"])):
        lines.append(f"- **{run.group}/{run.folder.name}** ({_called(run)}): {_training(run)}")
        lines += [f"  - {_test(one)}" for one in results if one.folder == run.folder]
    return lines


def _called(run: TrainedRun) -> str:
    return f"{run.summary['name']}, seed {run.seed}"


def _training(run: TrainedRun) -> str:
    e = run.environment
    commits = dict.fromkeys(str(one.get("commit", "unknown")) for one in run.history)
    return (
        f"{_command(e)}; commit {', then '.join(commits)}, torch {e['torch']}, {e['processor']}, "
        f"{run.summary['precision']}, {e['time']}; data SHA-256 "
        f"{e['data']['data']['sha256'][:12]}, {e['data']['data']['train']} training clips"
    )


def _test(result: RunResult) -> str:
    e = result.facts["environment"]
    return f"{_command(e)}; commit {e['commit']}; split {result.metrics['split']}"


def _command(environment: Mapping[str, Any]) -> str:
    return f"`{shown_command(environment['command'].split(' '))}`"
