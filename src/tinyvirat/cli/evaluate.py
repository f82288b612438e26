"""`tinyvirat evaluate`: how well a model recognises the clips of a manifest."""

from __future__ import annotations

import json as json_module
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinyvirat.common.progress import say
from tinyvirat.common.words import counted

if TYPE_CHECKING:
    from tinyvirat.datasets.manifest import Manifest
    from tinyvirat.evaluation.predictions import Predictions
    from tinyvirat.evaluation.thresholds import Thresholds
    from tinyvirat.models.saved import ModelSpec


def evaluate(
    run: str,
    *,
    data: Path,
    split: Literal["train", "val", "test"] = "test",
    out: Path | None = None,
    tune: bool = False,
    tune_on: Path | None = None,
    input_size: int | None = None,
    quality: bool = True,
    workers: int = 0,
    cache: Path | None = None,
    root: Path | None = None,
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    json: bool = False,
) -> int:
    """Scores a model on every clip of a manifest's split, each exactly once.

    Accuracy where clips have one label; F1 (macro, micro, samples; at probability 0.5, at logit 0.5
    as the published code does, and at the model's own thresholds; by clip size, and by how common
    a class is in the manifest's training split) and average precision where they have several;
    calibration; intervals by bootstrap over source videos; PSNR and SSIM of enlarged clips where
    the clips are larger than the network's input.

    Args:
        run: a run's or a model's folder, or the name of fetched weights.
        data: the manifest.
        split: which of its clips.
        out: folder for every prediction, the scores and the pictures.
        tune: set the model's thresholds and temperature by these clips, and write them into its
            folder. For the val split only, of videos that were held out from training.
        tune_on: the same model's predictions of held-out videos (the predictions.jsonl of an
            evaluation of the val split) on which each label's threshold is tuned, for this
            evaluation only.
        input_size: make clips this many pixels small, instead of the model's own input size.
        quality: measure PSNR and SSIM too.
        workers: processes that decode.
        cache: folder of decoded frames; without it every clip is decoded.
        root: the folder that the paths of DATA are relative to, where it is not the manifest's own.
        device: where to compute; auto takes a GPU where there is one.
        precision: number format; auto takes the fastest that is safe.
        json: print the scores as JSON instead of tables.
    """
    from tinyvirat.common.plain import to_plain
    from tinyvirat.common.processes import this_process
    from tinyvirat.datasets.cache import FrameCache
    from tinyvirat.datasets.manifest import read_manifest
    from tinyvirat.evaluation.evaluate import predict
    from tinyvirat.evaluation.evaluate import quality as measure_quality
    from tinyvirat.evaluation.report import report_on, write_report
    from tinyvirat.evaluation.tables import as_text
    from tinyvirat.recognition.load import load

    if tune:
        _refuse_tuning(split, input_size)
    manifest = read_manifest(data, root=root)
    process = this_process()  # before the model: it says which GPU is this one's
    if process.is_main_process and (note := manifest.quarantine_note(split)):
        say(note)
    inference = load(run, device=device, precision=precision, input_size=input_size).inference
    frames = None if cache is None else FrameCache(cache)
    predictions = predict(inference, manifest, split, cache=frames, workers=workers)
    found = measure_quality(inference, manifest, split, cache=frames) if quality else None
    if not process.is_main_process:
        return 0
    spec = _tuned(run, inference.spec, predictions) if tune else inference.spec
    report = report_on(
        predictions,
        tuned=_thresholds(spec, predictions, tune_on),
        temperature=spec.temperature,
        training_clips=_training_clips(manifest),
    )
    if out is not None:
        write_report(out, report, predictions)
        write_facts(out, run, manifest.path, inference.preprocess.sizes, found)
    if json:
        print(json_module.dumps(to_plain({"report": report, "quality": found}), indent=1))
    else:
        print("\n\n".join(as_text(table) for table in report.tables()))
        for name, one in (found or {}).items():
            clips = counted(one.videos, "clip")
            print(f"{name}: PSNR {one.psnr:.2f} dB, SSIM {one.ssim:.4f} over {clips}")
    return 0


def _refuse_tuning(split: str, input_size: int | None) -> None:
    """Says what cannot be tuned on before anything is computed."""
    from tinyvirat.common.errors import TinyviratError

    if split != "val":
        raise TinyviratError(
            f"--tune needs videos that are neither trained nor scored on, not the {split} split; "
            "use --split val"
        )
    if input_size is not None:
        raise TinyviratError("--tune is for clips as the model takes them; leave out --input-size")


def _tuned(run: str, spec: ModelSpec, predictions: Predictions) -> ModelSpec:
    """Tunes a model, writes what was found into its folder and says so."""
    from tinyvirat.evaluation.tuning import FEWEST_CLIPS
    from tinyvirat.evaluation.tuning import tune as tune_model
    from tinyvirat.models.saved import model_folder, replace_description

    spec, found = tune_model(spec, predictions)
    if found.clips < FEWEST_CLIPS:
        say(f"{counted(found.clips, 'clip')}: too few to tune on ({FEWEST_CLIPS} are needed)")
        return spec
    folder = model_folder(run)
    replace_description(folder, spec)
    labels = f"{counted(len(found.thresholds) - len(found.untuned), 'threshold')} and "
    say(
        f"{folder}: {labels if found.thresholds else ''}the temperature {found.temperature:.3g}, "
        f"tuned on {counted(found.clips, f'{found.split} clip')} of "
        f"{counted(found.sources, 'video')}"
    )
    if found.untuned:
        names = ", ".join(found.untuned)
        say(f"too few clips show these, they keep 0.5: {names}")
    return spec


def _thresholds(
    spec: ModelSpec, predictions: Predictions, tune_on: Path | None
) -> Thresholds | None:
    """Thresholds beside p = 0.5: those tuned on another file, or the model's own."""
    from tinyvirat.evaluation.tuning import thresholds_of, tuned_on_file

    if tune_on is not None:
        return tuned_on_file(tune_on, predictions)
    seen = set(spec.tuned_on) & set(predictions.sources)
    if seen:
        say(
            f"the model was tuned on {len(seen)} of these videos: F1 at its own thresholds is left "
            "out, and its probabilities look better calibrated here than they are"
        )
        return None
    return thresholds_of(spec) if spec.multi_label else None


def _training_clips(manifest: Manifest) -> dict[str, int] | None:
    """How many training clips have each class; None where the manifest has no training split."""
    counts = Counter(
        label for record in manifest.records if record.split == "train" for label in record.labels
    )
    return dict(counts) or None


def write_facts(
    out: Path, run: str, manifest: Path, sizes: tuple[int, ...], quality: object
) -> None:
    """Writes what the figures need beside them: command, commit, machine, and the quality."""
    from tinyvirat.common.files import write_text
    from tinyvirat.common.plain import to_plain
    from tinyvirat.training.journal import environment

    facts = {
        "run": run,
        "manifest": str(manifest),
        "input_sizes": sizes,
        "quality": quality,
        "environment": environment(),
    }
    write_text(out / "evaluation.json", json_module.dumps(to_plain(facts), indent=1) + "\n")
