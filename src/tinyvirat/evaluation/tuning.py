"""What is set on a finished model by clips held out from its training: thresholds, temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyvirat.evaluation.arrays import logit, sigmoid
from tinyvirat.evaluation.calibration import TEMPERATURES, fit_temperature
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.thresholds import Thresholds, TuningSet, tuned
from tinyvirat.models.saved import ModelSpec

OWN = "the model's own thresholds"
FEWEST_CLIPS = 20
"""With fewer clips nothing is tuned: what is best on them says little about others."""

AT_BOUND = 1.01
"""A temperature within this factor of a bound was not found but stopped there."""

ALWAYS, NEVER = -1e9, 1e9
"""Logits that stand for thresholds of 0 and 1."""

CERTAIN = 1e-6
"""Tuned thresholds keep this distance from 0 and 1."""


@dataclass(frozen=True)
class Tuned:
    """What tuning did, for a run's summary.

    Attributes:
        split: of the manifest.
        clips: how many clips it looked at.
        sources: of how many videos.
        temperature: the model's temperature now.
        thresholds: the probability from which each label counts, by label; empty means 0.5 for all.
        untuned: labels that stay at 0.5, because too few of the clips show them.
    """

    split: str
    clips: int
    sources: int
    temperature: float
    thresholds: dict[str, float]
    untuned: tuple[str, ...]


def tune(
    spec: ModelSpec, predictions: Predictions, *, thresholds: bool = True, temperature: bool = True
) -> tuple[ModelSpec, Tuned]:
    """Sets a model's thresholds and temperature by what it answered for held-out clips.

    A threshold is the one with the best F1 (`thresholds.tuned`); labels that fewer than five clips
    show keep 0.5. The temperature is the likeliest (`calibration.fit_temperature`), unless that is
    a bound of the search: then the clips were answered without an error, or no better than by
    chance, and say nothing about how sure to be. What is named at p = 0.5, and which label comes
    first, no temperature changes. With fewer than 20 clips the model stays as it is.

    Args:
        spec: the model.
        predictions: of clips held out from its training.
        thresholds: set them; several labels only.
        temperature: set it.

    Returns:
        The model with what was found, and what was found.

    Raises:
        EvaluationError: the clips are not of the val split, or their labels are not known.
    """
    tuning = predictions.tuning_set()
    sources = tuple(dict.fromkeys(predictions.sources))
    limits, heat = thresholds_of(spec), spec.temperature
    enough = len(predictions.ids) >= FEWEST_CLIPS
    if enough and thresholds and spec.multi_label:
        limits = tuned(tuning)
    if enough and temperature:
        heat = _temperature(tuning, multi_label=spec.multi_label)
    if enough and (limits is not None or heat != spec.temperature):
        kept = () if thresholds and temperature else spec.tuned_on
        spec = replace(
            spec,
            thresholds=() if limits is None else _probabilities(limits, heat),
            temperature=heat,
            tuned_on=tuple(dict.fromkeys((*kept, *sources))),
        )
    return spec, Tuned(
        split=predictions.split,
        clips=len(predictions.ids),
        sources=len(sources),
        temperature=spec.temperature,
        thresholds=dict(zip(spec.labels, spec.thresholds, strict=False)),
        untuned=() if limits is None else limits.untuned,
    )


def tuned_on_file(path: Path, predictions: Predictions) -> Thresholds:
    """Thresholds for what a model answers here, by what it answered for held-out clips.

    Args:
        path: a file of predictions.
        predictions: what the thresholds are for.

    Raises:
        EvaluationError: the file is damaged, of clips that were not held out or of another model,
            or the model knows one label a clip only.
    """
    held_out = read_predictions(path)
    ours, theirs = ((one.model, one.classes) for one in (predictions, held_out))
    if ours != theirs or not predictions.multi_label:
        raise EvaluationError(
            f"{path}: is not of the model that answers here ({predictions.model!r}), or that model "
            "knows one label a clip only, which needs no thresholds; leave --tune-on out"
        )
    return tuned(held_out.tuning_set())


def thresholds_of(spec: ModelSpec) -> Thresholds | None:
    """A model's own thresholds, on its logits; None where it has none."""
    if not spec.thresholds:
        return None
    logits = []
    for probability in spec.thresholds:
        if 0.0 < probability < 1.0:
            logits.append(spec.temperature * logit(probability))
        else:
            logits.append(NEVER if probability else ALWAYS)
    return Thresholds(OWN, spec.labels, tuple(logits), spec.tuned_on)


def _probabilities(thresholds: Thresholds, temperature: float) -> tuple[float, ...]:
    """Thresholds on logits as probabilities that float32 can still tell from 0 and 1."""
    found = sigmoid(np.array(thresholds.logits) / temperature)
    return tuple(np.clip(found, CERTAIN, 1.0 - CERTAIN).tolist())


def _temperature(tuning: TuningSet, *, multi_label: bool) -> float:
    """The likeliest temperature, and 1 where the search stopped at a bound."""
    found = fit_temperature(tuning, multi_label=multi_label)
    low, high = TEMPERATURES
    return found if low * AT_BOUND < found < high / AT_BOUND else 1.0
