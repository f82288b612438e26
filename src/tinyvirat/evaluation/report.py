"""All that is said about a set of predictions, from the predictions alone, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.evaluation import layouts, pictures
from tinyvirat.evaluation.breakdown import Breakdown, GroupF1, f1_by_frequency, f1_by_size
from tinyvirat.evaluation.calibration import Reliability, reliability
from tinyvirat.evaluation.counts import F1_AVERAGES
from tinyvirat.evaluation.metrics import TOP, MultiLabel, SingleLabel, multi_label, single_label
from tinyvirat.evaluation.prediction_file import write_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.resampled import (
    F1,
    Accuracy,
    MeanAveragePrecision,
    MeanClassAccuracy,
    Metric,
)
from tinyvirat.evaluation.significance import RESAMPLES, Interval, bootstrap
from tinyvirat.evaluation.tables import Table, as_markdown, to_json
from tinyvirat.evaluation.thresholds import Thresholds, at_half

PREDICTIONS = "predictions.jsonl"
METRICS = "metrics.json"
TABLES = "metrics.md"


@dataclass(frozen=True)
class Report:
    """The scores of one set of predictions.

    Attributes:
        model: which model answered.
        split: of the manifest.
        manifest_sha256: of the manifest file.
        single_label: the scores where each clip has one label, otherwise None.
        multi_label: the scores where it has any number, otherwise None.
        intervals: by the name of the score (`top1`, `top5`, `mean_class`; `macro`, `macro_present`,
            `micro`, `samples` at p = 0.5, the same with `_tuned` at tuned thresholds,
            `mean_average_precision`).
        breakdowns: F1 by clip size and class frequency, at p = 0.5 and at tuned thresholds; empty
            for single labels.
        temperature: what logits were divided by.
        calibration: how far probabilities can be taken at their word.
        uncalibrated: the same at temperature 1; None where that is the temperature.
        quarantined: clips of the split that were left out, in quarantine.
    """

    model: str
    split: str
    manifest_sha256: str
    single_label: SingleLabel | None
    multi_label: MultiLabel | None
    intervals: Mapping[str, Interval]
    breakdowns: tuple[Breakdown, ...]
    temperature: float
    calibration: Reliability
    uncalibrated: Reliability | None = None
    quarantined: int = 0

    def tables(self) -> tuple[Table, ...]:
        """The summary, the classes and, for many labels, clip sizes and class frequencies."""
        tables = self._tables()
        notes = [self._calibration_note()]
        if self.quarantined:
            notes.insert(0, f"Left out, in quarantine: {self.quarantined} clips of the split.")
        if tables:
            tables = (replace(tables[0], notes=(*notes, *tables[0].notes)), *tables[1:])
        return tables

    def _tables(self) -> tuple[Table, ...]:
        if self.single_label is not None:
            return layouts.single_label_tables(self.single_label, self.intervals)
        if self.multi_label is None:
            return ()
        groups = (table for one in self.breakdowns for table in layouts.breakdown_tables(one))
        return (*layouts.multi_label_tables(self.multi_label, self.intervals), *groups)

    def _calibration_note(self) -> str:
        note = f"Expected calibration error {100 * self.calibration.expected_error:.1f} %"
        if self.uncalibrated is not None:
            note += (
                f" at the temperature {self.temperature:.3g}, "
                f"{100 * self.uncalibrated.expected_error:.1f} % without it"
            )
        return f"{note}."


def report_on(
    predictions: Predictions,
    *,
    tuned: Thresholds | None = None,
    temperature: float = 1.0,
    training_clips: Mapping[str, int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Scores predictions; the same predictions and seed give the same report.

    Args:
        predictions: with known labels.
        tuned: thresholds tuned on other videos; multi-label only.
        temperature: the model's, for probabilities; F1 at p = 0.5 and every ranking of one class's
            clips are the same at any.
        training_clips: how many training clips have each class; None where that is not known.
        resamples: bootstrap draws an interval.
        seed: of the draws.

    Raises:
        EvaluationError: labels are not known, a clip of a single-label set does not have exactly
            one, or `tuned` was tuned on one of these videos.
    """
    targets_NK = predictions.known_targets()
    logits_NK, classes, sources = predictions.logits_NK, predictions.classes, predictions.sources
    single: SingleLabel | None = None
    many: MultiLabel | None = None
    breakdowns: tuple[Breakdown, ...] = ()
    if predictions.multi_label:
        many = multi_label(logits_NK, targets_NK, classes, sources, tuned=tuned)
        every = [at_half(classes)] if tuned is None else [at_half(classes), tuned]
        breakdowns = tuple(_breakdown(predictions, one, training_clips) for one in every)
    else:
        single = single_label(logits_NK, targets_NK, classes)
    intervals = {
        name: bootstrap(metric, logits_NK, targets_NK, sources, resamples=resamples, seed=seed)
        for name, metric in _metrics(single, many, tuned).items()
    }
    calibration, uncalibrated = _calibration(predictions, temperature)
    return Report(
        model=predictions.model,
        split=predictions.split,
        manifest_sha256=predictions.manifest_sha256,
        single_label=single,
        multi_label=many,
        intervals=intervals,
        breakdowns=breakdowns,
        temperature=temperature,
        calibration=calibration,
        uncalibrated=uncalibrated,
        quarantined=predictions.quarantined,
    )


def _breakdown(
    predictions: Predictions, thresholds: Thresholds, training_clips: Mapping[str, int] | None
) -> Breakdown:
    targets_NK, classes = predictions.known_targets(), predictions.classes
    predicted_NK = thresholds.predict(predictions.logits_NK)
    by_frequency: tuple[GroupF1, ...] = ()
    if training_clips is not None:
        clips_K = [training_clips.get(name, 0) for name in classes]
        by_frequency = f1_by_frequency(predicted_NK, targets_NK, classes, clips_K)
    by_size = f1_by_size(predicted_NK, targets_NK, classes, predictions.long_sides())
    return Breakdown(thresholds.name, by_size, by_frequency)


def _calibration(
    predictions: Predictions, temperature: float
) -> tuple[Reliability, Reliability | None]:
    """At a temperature and, where that is not 1, without it."""

    def at(value: float) -> Reliability:
        return reliability(
            predictions.logits_NK,
            predictions.known_targets(),
            predictions.classes,
            multi_label=predictions.multi_label,
            temperature=value,
        )

    return at(temperature), None if temperature == 1.0 else at(1.0)


def _metrics(
    single: SingleLabel | None, many: MultiLabel | None, tuned: Thresholds | None
) -> dict[str, Metric]:
    """The metrics that have a value here, by name."""
    metrics: dict[str, Metric] = {}
    if single is not None:
        metrics["top1"] = Accuracy()
        if single.top5 is not None:
            metrics["top5"] = Accuracy(TOP)
        metrics["mean_class"] = MeanClassAccuracy()
    if many is not None:
        thresholds = at_half(many.classes)
        for average in F1_AVERAGES:
            if getattr(many.f1, average) is not None:
                metrics[average] = F1(average, thresholds)
                if tuned is not None:
                    metrics[f"{average}_tuned"] = F1(average, tuned)
        if many.mean_average_precision is not None:
            metrics["mean_average_precision"] = MeanAveragePrecision()
    return metrics


def write_report(folder: Path, report: Report, predictions: Predictions) -> tuple[Path, ...]:
    """Writes the predictions, the report as JSON and Markdown, and its pictures.

    Args:
        folder: made where it does not exist; files of the same names are replaced.
        report: what `report_on` gave for `predictions`.
        predictions: with known labels.

    Returns:
        The files.
    """
    written = [folder / PREDICTIONS, folder / METRICS, folder / TABLES]
    write_predictions(written[0], predictions)
    write_text(written[1], to_json(report))
    write_text(written[2], "\n".join(as_markdown(table) for table in report.tables()))
    drawn = folder / "reliability.png"
    written.append(
        pictures.reliability_picture(
            drawn, report.calibration, title=report.model, before=report.uncalibrated
        )
    )
    if report.single_label is not None:
        single = report.single_label
        written.append(pictures.confusion_picture(folder / "confusion.png", single))
        accuracies = [entry.accuracy for entry in single.per_class]
        clips = [entry.clips for entry in single.per_class]
        drawn = folder / "classes.png"
        written.append(
            pictures.class_bars_picture(drawn, single.classes, accuracies, clips, label="accuracy")
        )
    if report.multi_label is not None:
        many = report.multi_label
        f1 = [entry.f1 for entry in many.f1.per_class]
        positives = [entry.positives for entry in many.f1.per_class]
        drawn = folder / "classes.png"
        label = "F1 at p = 0.5"
        written.append(pictures.class_bars_picture(drawn, many.classes, f1, positives, label=label))
        drawn = folder / "precision_recall.png"
        targets_NK = predictions.known_targets()
        written.append(
            pictures.precision_recall_picture(
                drawn, predictions.logits_NK, targets_NK, many.classes
            )
        )
    return tuple(written)
