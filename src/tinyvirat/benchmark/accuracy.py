"""What an engine and a number format cost in accuracy: a trained model's answers for real clips."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from tinyvirat.benchmark.records import Cost
from tinyvirat.benchmark.speeds import EXPORTED, How, impossible
from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.manifest import Manifest, read_manifest
from tinyvirat.evaluation.arrays import BoolArray
from tinyvirat.evaluation.evaluate import predict
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.seeds import metric_of, score_name
from tinyvirat.evaluation.significance import paired_difference
from tinyvirat.export.run import export_model
from tinyvirat.models.inference import Inference, open_inference

SPLIT = "test"
EXACT = ("torch", "float32")


def measure_accuracy(model: str, path: Path, how: How) -> list[Cost]:
    """Scores a model in every engine and precision on the test clips of a manifest.

    Args:
        model: a model's or a run's folder, or the name of one that ships or was fetched.
        path: the manifest; its labels must be the model's.
        how: engines and precisions. What is compiled computes as PyTorch does and is left out.

    Returns:
        A row for each, float32 in PyTorch first, which the others are compared with.

    Raises:
        TinyviratError: the model or the manifest cannot be read, or do not fit each other.
    """
    manifest = read_manifest(path)
    engines = [engine for engine in how.engines if engine != "compiled"]
    cases = [(e, p) for e in engines for p in how.precisions if (e, p) != EXACT]
    with tempfile.TemporaryDirectory() as folder:
        cache = FrameCache(Path(folder) / "frames")
        first = open_inference(model, device=how.device, precision=EXACT[1])
        exact = _answers(first, manifest, cache)
        name = exact.model
        rows = [_cost(name, *EXACT, exact, exact)]
        files: dict[str, Path] = {}
        for engine, precision in cases:
            try:
                if reason := impossible(engine, precision):
                    raise TinyviratError(reason)
                if engine in EXPORTED and engine not in files:
                    files[engine] = _exported(model, engine, Path(folder) / engine)
                inference = open_inference(
                    files.get(engine, model),
                    device=how.device if engine == "torch" else "cpu",
                    precision=precision,
                )
                rows.append(
                    _cost(name, engine, precision, _answers(inference, manifest, cache), exact)
                )
            except TinyviratError as error:
                rows.append(Cost(name, engine, precision, reason=str(error)))
    return rows


def _answers(inference: Inference, manifest: Manifest, cache: FrameCache) -> Predictions:
    return predict(inference, manifest, SPLIT, cache=cache)


def _exported(model: str, engine: str, folder: Path) -> Path:
    """The model as the one file that it needs."""
    folder.mkdir()
    written = export_model(model, engine, out=folder)  # type: ignore[arg-type]  # of EXPORTED
    if len(written) > 1:
        raise TinyviratError(f"{model} takes clips of several sides, and is a file for each")
    return written[0].path


def _cost(name: str, engine: str, precision: str, found: Predictions, exact: Predictions) -> Cost:
    targets_NK = exact.known_targets()
    gained = paired_difference(
        metric_of(exact), exact.logits_NK, found.logits_NK, targets_NK, exact.sources
    )
    other_N = (_said(found) != _said(exact)).any(axis=1)
    return Cost(
        name,
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


def _said(one: Predictions) -> BoolArray:
    """The labels that are given to each clip: the likeliest, or all above one half."""
    if one.multi_label:
        return np.asarray(one.logits_NK > 0)
    return np.asarray(one.logits_NK.argmax(axis=1)[:, None] == np.arange(len(one.classes)))
