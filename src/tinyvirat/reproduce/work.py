"""One piece of work in this process: a training run, or the evaluation of one."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tinyvirat.common.files import write_text
from tinyvirat.common.plain import to_plain
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.evaluation.evaluate import predict, quality
from tinyvirat.evaluation.report import report_on, write_report
from tinyvirat.evaluation.run_results import FACTS, SUMMARY
from tinyvirat.evaluation.tuning import thresholds_of
from tinyvirat.models.inference import Inference
from tinyvirat.models.saved import DESCRIPTION, load_model
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.sources import Sources
from tinyvirat.reproduce.trainings import Training
from tinyvirat.reproduce.variants import Variant
from tinyvirat.training.journal import environment
from tinyvirat.training.run import MODEL, Order
from tinyvirat.training.run import run as train


@dataclass(frozen=True)
class Place:
    """Where everything is, and where it is computed.

    Attributes:
        sources: the clips.
        runs: the folder of the runs.
        cache: folder of decoded frames; None: the package's.
        cpu: compute on the CPU even where there is a GPU.
    """

    sources: Sources
    runs: Path
    cache: Path | None = None
    cpu: bool = False

    def folder(self, training: Training) -> Path:
        """The folder of a run."""
        return self.runs / training.folder(self.sources.labelled, self.sources.digest)


@dataclass(frozen=True)
class Task:
    """Something to do once; equal ones are the same.

    Attributes:
        training: the run.
        variant: test it in this way; None: train it.
    """

    training: Training
    variant: Variant | None = None

    @property
    def needs(self) -> tuple[Task, ...]:
        """What has to be done before."""
        if self.variant is not None:
            return (Task(self.training),)
        return tuple(map(Task, self.training.before))

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        recipe = self.training.recipe
        what = f"{recipe.name} at {recipe.clips.size} px, seed {recipe.seed} ({self.training.sum})"
        if self.variant is None:
            return f"train {what}"
        return ", ".join(filter(None, (f"test {what}", self.variant.words)))


def is_done(task: Task, place: Place) -> bool:
    """Whether a task was done already, in this call or an earlier one."""
    folder = place.folder(task.training)
    if task.variant is not None:
        return (folder / task.variant.folder / FACTS).is_file()
    return (folder / MODEL / DESCRIPTION).is_file() and bool(summary_of(folder).get("complete"))


def do(task: Task, place: Place) -> None:
    """Does a task; a training run that was begun goes on.

    Raises:
        TinyviratError: the data or weights do not fit, or training diverged.
    """
    if task.variant is None:
        _train(task.training, place)
    else:
        _test(task.training, task.variant, place)


def summary_of(folder: Path) -> dict[str, Any]:
    """A run's own summary; empty before there is one.

    Raises:
        ReproduceError: it cannot be read.
    """
    path = folder / SUMMARY
    if not path.is_file():
        return {}
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReproduceError(
            f"{path}: damaged ({error}); delete the folder {folder} to train again"
        ) from error
    return facts


def _train(training: Training, place: Place) -> None:
    after, teacher = training.after, training.teacher
    order = Order(
        files=place.sources.files,
        out=place.folder(training),
        super_resolution=None if after is None else place.folder(after),
        teacher=None if teacher is None else place.folder(teacher),
        cache=place.cache,
        cpu=place.cpu,
    )
    train(training.recipe, order)


class TimedInference(Inference):
    """Counts the time that answering takes, without decoding.

    Attributes:
        seconds: of all calls so far.
    """

    seconds = 0.0

    def window_logits(self, windows: Sequence[Tensor]) -> Tensor:
        """See `Inference`; the answer is on the CPU, so that the device has finished."""
        began = time.perf_counter()
        logits_NK = super().window_logits(windows)
        self.seconds += time.perf_counter() - began
        return logits_NK


def _to_grey(training: Training) -> bool:
    """Whether its network learnt its map by multiplying in [-1, 1]."""
    joint = [one.recipe.phase2 for one in training.chain() if one.recipe.phase2 is not None]
    return any(phase.mask_to_grey for phase in joint)


def _test(training: Training, variant: Variant, place: Place) -> None:
    folder = place.folder(training)
    upkeep = training.recipe.upkeep
    inference = TimedInference(
        variant.of(load_model(folder / MODEL), to_grey=_to_grey(training)),
        device="cpu" if place.cpu else "auto",
        precision=upkeep.precision,
    )
    manifest = place.sources.files.labelled()
    frames = FrameCache(place.cache) if upkeep.cache else None
    predictions = predict(inference, manifest, "test", cache=frames, workers=upkeep.workers)
    found = None
    if variant == Variant():
        found = quality(inference, manifest, "test", cache=frames)
    out = folder / variant.folder
    spec = inference.spec
    report = report_on(
        predictions,
        tuned=thresholds_of(spec) if spec.multi_label else None,
        temperature=spec.temperature,
        training_clips=Counter(x for record in manifest.of("train") for x in record.labels),
    )
    write_report(out, report, predictions)
    facts = {
        "run": str(folder),
        "manifest": str(manifest.path),
        "input_sizes": inference.preprocess.sizes,
        "tested": variant.words,
        "seconds_per_clip": inference.seconds / len(predictions.ids),
        "device": str(inference.device),
        "precision": str(inference.dtype).removeprefix("torch."),
        "quality": found,
        "environment": environment(),
    }
    write_text(out / FACTS, json.dumps(to_plain(facts), indent=1) + "\n")
