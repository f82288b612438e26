"""`tinyvirat evaluate`: how well a model recognises the clips of a manifest."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Literal


def evaluate(
    run: str,
    *,
    data: Path,
    split: Literal["train", "val", "test"] = "test",
    out: Path | None = None,
    tune_on: Path | None = None,
    input_size: int | None = None,
    quality: bool = True,
    workers: int = 0,
    cache: Path | None = None,
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    json: bool = False,
) -> int:
    """Scores a model on every clip of a manifest's split, each exactly once.

    Accuracy where clips have one label; F1 (macro, micro, samples; at probability 0.5, at logit 0.5
    as the published code does, and at tuned thresholds) and average precision where they have
    several; intervals by bootstrap over source videos; PSNR and SSIM of enlarged clips where the
    clips are larger than the network's input.

    Args:
        run: a run's or a model's folder, or the name of fetched weights.
        data: the manifest.
        split: which of its clips.
        out: folder for every prediction, the scores and the pictures.
        tune_on: predictions of held-out training videos (the predictions.jsonl of another
            evaluation) on which each label's threshold is tuned; several labels only.
        input_size: make clips this many pixels small, instead of the model's own input size.
        quality: measure PSNR and SSIM too.
        workers: processes that decode.
        cache: folder of decoded frames; without it every clip is decoded.
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
    from tinyvirat.evaluation.prediction_file import read_predictions
    from tinyvirat.evaluation.report import report_on, write_report
    from tinyvirat.evaluation.tables import as_text
    from tinyvirat.evaluation.thresholds import tuned
    from tinyvirat.recognition.load import load

    manifest = read_manifest(data)
    process = this_process()  # before the model: it says which GPU is this one's
    if process.is_main_process and (note := manifest.quarantine_note(split)):
        sys.stderr.write(f"{note}\n")
    inference = load(run, device=device, precision=precision, input_size=input_size).inference
    frames = None if cache is None else FrameCache(cache)
    predictions = predict(inference, manifest, split, cache=frames, workers=workers)
    found = measure_quality(inference, manifest, split, cache=frames) if quality else None
    if not process.is_main_process:
        return 0
    thresholds = None
    if tune_on is not None:
        thresholds = tuned(read_predictions(tune_on).tuning_set())
    report = report_on(predictions, tuned=thresholds)
    if out is not None:
        write_report(out, report, predictions)
        write_facts(out, run, manifest.path, inference.preprocess.sizes, found)
    if json:
        print(json_module.dumps(to_plain({"report": report, "quality": found}), indent=1))
    else:
        print("\n\n".join(as_text(table) for table in report.tables()))
        for name, one in (found or {}).items():
            print(f"{name}: PSNR {one.psnr:.2f} dB, SSIM {one.ssim:.4f} over {one.videos} clips")
    return 0


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
