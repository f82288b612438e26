"""What an engine and a number format cost in accuracy: a trained model's answers for real clips."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tinyvirat.benchmark.children import Child, ChildError
from tinyvirat.benchmark.records import BenchmarkError, Cost
from tinyvirat.benchmark.speeds import EXPORTED, How, impossible
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import track
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.manifest import read_manifest
from tinyvirat.evaluation.arrays import BoolArray
from tinyvirat.evaluation.evaluate import predict, refuse_other_labels
from tinyvirat.evaluation.prediction_file import read_predictions, write_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.seeds import metric_of, score_name
from tinyvirat.evaluation.significance import paired_difference
from tinyvirat.evaluation.thresholds import at_half
from tinyvirat.evaluation.tuning import thresholds_of
from tinyvirat.export.run import export_model
from tinyvirat.models.inference import open_inference
from tinyvirat.models.saved import DESCRIPTION, ModelSpec, model_folder, read_description

SPLIT = "test"
EXACT = ("torch", "float32")
SECONDS_A_CLIP = 20.0
"""That a process may take for a clip, besides the pace's limit for all that is not a clip."""


class AccuracyWork:
    """A trained model in one engine and precision, and the clips that it is asked for.

    Args:
        job: `model`, a folder; `manifest`; `engine`, `precision` and `device`; `folder` for decoded
            frames, which processes that follow each other share, and the exported file.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        folder, engine, precision = Path(job["folder"]), job["engine"], job["precision"]
        self._manifest = read_manifest(Path(job["manifest"]))
        self._cache = FrameCache(folder / "frames")
        self._inference = open_inference(
            _exported(job["model"], engine, folder / f"{engine} {precision}")
            if engine in EXPORTED
            else job["model"],
            device="cpu" if engine in EXPORTED else job["device"],
            precision=precision,
        )
        self.facts: dict[str, Any] = {}

    def once(self, size: int) -> None:
        """There is nothing to time."""
        raise NotImplementedError

    def answer(self, path: Path) -> None:
        """Writes what it answers to every test clip."""
        write_predictions(path, predict(self._inference, self._manifest, SPLIT, cache=self._cache))


def check_clips(model: str, path: Path) -> tuple[ModelSpec, int]:
    """What a model is, and how many test clips it would be asked for.

    Raises:
        TinyviratError: the model or the manifest cannot be read, or do not fit each other.
    """
    spec, _ = read_description(model_folder(model) / DESCRIPTION)
    manifest = read_manifest(path)
    refuse_other_labels(manifest, SPLIT, spec)
    return spec, len(manifest.of(SPLIT))


def measure_accuracy(model: str, path: Path, how: How) -> list[Cost]:
    """Scores a model in every engine and precision on the test clips of a manifest.

    Args:
        model: a model's or a run's folder, or the name of one that ships or was fetched.
        path: the manifest; its labels must be the model's.
        how: engines and precisions. What is compiled computes as PyTorch does and is left out.

    Returns:
        A row for each, float32 in PyTorch first, which the others are compared with.

    Raises:
        TinyviratError: as `check_clips`.
    """
    spec, clips = check_clips(model, path)
    engines = [engine for engine in how.engines if engine != "compiled"]
    cases = [EXACT, *((e, p) for e in engines for p in how.precisions if (e, p) != EXACT)]
    rows: list[Cost] = []
    exact: Predictions | None = None
    with tempfile.TemporaryDirectory() as folder:
        for engine, precision in track(cases, f"accuracy of {spec.name}"):
            job = {
                "kind": "accuracy",
                "model": str(model_folder(model).resolve()),
                "manifest": str(path.resolve()),
                "engine": engine,
                "precision": precision,
                "device": how.device,
                "folder": folder,
            }
            try:
                if rows and exact is None:
                    raise ChildError("PyTorch in float32 gave nothing to compare with")
                if reason := impossible(engine, precision):
                    raise ChildError(reason)
                found = _answers(job, how, clips)
                rows.append(_cost(spec, engine, precision, found, exact or found))
                exact = exact or found
            except (ChildError, TinyviratError) as error:
                rows.append(Cost(spec.name, engine, precision, reason=str(error)))
    return rows


def _answers(job: dict[str, Any], how: How, clips: int) -> Predictions:
    """What a process of its own answers.

    Raises:
        ChildError: it did not.
    """
    file = Path(job["folder"]) / f"{job['engine']} {job['precision']}.jsonl"
    seconds = how.pace.limit + clips * SECONDS_A_CLIP
    with Child(job, threads=how.threads, seconds=seconds) as child:
        child.ready()
        child.work(answer=str(file))
    return read_predictions(file)


def _exported(model: str, engine: str, folder: Path) -> Path:
    """The model as the one file that it needs."""
    folder.mkdir()
    written = export_model(model, engine, out=folder)  # type: ignore[arg-type]  # of EXPORTED
    if len(written) > 1:
        raise BenchmarkError(f"{model} takes clips of several sides, and is a file for each")
    return written[0].path


def _cost(
    spec: ModelSpec, engine: str, precision: str, found: Predictions, exact: Predictions
) -> Cost:
    targets_NK = exact.known_targets()
    gained = paired_difference(
        metric_of(exact), exact.logits_NK, found.logits_NK, targets_NK, exact.sources
    )
    other_N = (_said(spec, found) != _said(spec, exact)).any(axis=1)
    return Cost(
        exact.model,
        engine,
        precision,
        metric=score_name(exact),
        clips=len(exact.ids),
        score=gained.second,
        gained=gained.interval.point,
        low=gained.interval.low,
        high=gained.interval.high,
        other=int(other_N.sum()),
    )


def _said(spec: ModelSpec, one: Predictions) -> BoolArray:
    """The labels that are given to each clip: the likeliest, or all above their thresholds."""
    if spec.multi_label:
        return (thresholds_of(spec) or at_half(spec.labels)).predict(one.logits_NK)
    return np.asarray(one.logits_NK.argmax(axis=1)[:, None] == np.arange(len(one.classes)))
