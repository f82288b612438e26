"""What the folders of finished runs say of themselves, each file checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.significance import Interval

EVALUATION = "evaluation"
SUMMARY, ENVIRONMENT = "summary.json", "environment.json"
METRICS, FACTS = "metrics.json", "evaluation.json"
NEEDED_METRICS = ("intervals", "split", "manifest_sha256")
NEEDED_SUMMARY = ("name", "seed", "parameters", "gmac", "precision", "phases")
NEEDED_INTERVAL = tuple(field.name for field in fields(Interval))
NEEDED_ENVIRONMENT = ("command", "time", "commit", "torch", "processor", "data")
NEEDED_OF_A_TEST = ("command", "commit")


@dataclass(frozen=True)
class TrainedRun:
    """What a run's folder says of its training.

    Attributes:
        group: the folder that the run is in, relative to the root: one table a group.
        row: the recipe's name, and the run's folder where another has the same name and seed.
        name: the same, with its seed where the row has several.
        summary: `summary.json`.
        history: the entries of `environment.json`, one for each time that training was begun or
            gone on with.
        folder: the run's.
    """

    group: str
    row: str
    name: str
    summary: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    folder: Path

    @property
    def environment(self) -> Mapping[str, Any]:
        """What it was last trained with."""
        return self.history[-1]

    @property
    def seed(self) -> int:
        """Its seed."""
        seed: int = self.summary["seed"]
        return seed


@dataclass(frozen=True)
class RunResult(TrainedRun):
    """What it says of one test besides; in the row's name is what is other in it than in training.

    Attributes:
        metrics: `evaluation/metrics.json`.
        facts: `evaluation/evaluation.json`.
        evaluation: the folder that these are in.
    """

    metrics: Mapping[str, Any]
    facts: Mapping[str, Any]
    evaluation: Path


Run = TypeVar("Run", bound=TrainedRun)


def find_results(root: Path) -> list[RunResult]:
    """All tests of runs under a folder: rows in the order in which they were first trained, each by
    its seeds.

    A run can have several: in `evaluation`, and in `evaluation_at_14` and the like.

    Raises:
        EvaluationError: there are none, or a file of theirs cannot be read.
    """
    found = [_result(root, path) for path in sorted(root.rglob(f"{EVALUATION}*/{FACTS}"))]
    if not found:
        raise EvaluationError(f"{root}: no run in it has a folder {EVALUATION} with {FACTS}")
    return _in_order(_told_apart(found))


def find_untested(root: Path) -> list[TrainedRun]:
    """The finished runs under a folder that have no test: networks that other runs took over.

    Raises:
        EvaluationError: a file of theirs cannot be read.
    """
    folders = [path.parent for path in sorted(root.rglob(SUMMARY))]
    untested = [one for one in folders if not any(one.glob(f"{EVALUATION}*/{FACTS}"))]
    trained = [_trained(root, one) for one in untested if (one / ENVIRONMENT).is_file()]
    return _in_order(_told_apart([one for one in trained if one.summary.get("complete") is True]))


def _in_order(runs: Sequence[Run]) -> list[Run]:
    first: dict[tuple[str, str], str] = {}
    for one in runs:
        key, time = (one.group, one.row), one.environment["time"]
        first[key] = min(first.get(key, time), time)
    return sorted(
        runs,
        key=lambda one: (one.group, first[one.group, one.row], one.row, one.seed, one.name),
    )


def _trained(root: Path, run: Path) -> TrainedRun:
    history = _read(run / ENVIRONMENT)
    if not isinstance(history, list) or not history:
        raise EvaluationError(f"{run / ENVIRONMENT}: holds no list of what the run was made with")
    for entry in history:
        _needed(entry, ("commit",), run / ENVIRONMENT)
    environment = _needed(history[-1], NEEDED_ENVIRONMENT, run / ENVIRONMENT)
    roles = _needed(environment["data"], ("data",), run / ENVIRONMENT)
    _needed(roles["data"], ("sha256", "train"), run / ENVIRONMENT)
    summary = _needed(_read(run / SUMMARY), NEEDED_SUMMARY, run / SUMMARY)
    for phase in _entries(summary["phases"]):
        _needed(phase, ("steps", "seconds"), run / SUMMARY)
    name = str(summary["name"])
    return TrainedRun(run.parent.relative_to(root).as_posix(), name, name, summary, history, run)


def _result(root: Path, path: Path) -> RunResult:
    """What the run says whose test wrote `path`."""
    trained = _trained(root, path.parent.parent)
    facts = _needed(_read(path), ("input_sizes", "environment"), path)
    _needed(facts["environment"], NEEDED_OF_A_TEST, path)
    quality = facts.get("quality")
    if quality is not None:
        for way in ("bicubic", "super-resolved"):
            _needed(_needed(quality, (way,), path)[way], ("psnr", "ssim", "videos"), path)
    metrics = _needed(_read(path.parent / METRICS), NEEDED_METRICS, path.parent / METRICS)
    for interval in _entries(metrics["intervals"]):
        _needed(interval, NEEDED_INTERVAL, path.parent / METRICS)
    row = _row(trained.row, facts, path.parent.name)
    own = {field.name: getattr(trained, field.name) for field in fields(TrainedRun)}
    return RunResult(
        **own | {"row": row, "name": row}, metrics=metrics, facts=facts, evaluation=path.parent
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


def _row(name: str, facts: Mapping[str, Any], folder: str) -> str:
    """What a test is called: its recipe, and what is other in the test than in training."""
    tested = str(facts.get("tested", ""))
    if folder != EVALUATION and not tested:
        tested = f"tested at {', '.join(map(str, facts['input_sizes']))} px"
    return ", ".join(filter(None, (name, tested)))


def _told_apart(runs: Sequence[Run]) -> list[Run]:
    """The runs, those of one group that are called alike with their folders or their seeds."""
    twice = Counter((one.group, one.row, one.seed) for one in runs)
    known = [
        replace(one, row=f"{one.row} ({one.folder.name})")
        if twice[one.group, one.row, one.seed] > 1
        else one
        for one in runs
    ]
    times = Counter((one.group, one.row) for one in known)
    return [
        replace(one, name=f"{one.row}, seed {one.seed}")
        if times[one.group, one.row] > 1
        else replace(one, name=one.row)
        for one in known
    ]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be read: {error}") from error
