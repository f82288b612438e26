"""`tinyvirat data submit`: the TinyAction challenge's answer file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinyvirat.common.progress import say
from tinyvirat.common.words import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tinyvirat.datasets.manifest import Manifest
    from tinyvirat.evaluation.predictions import Predictions
    from tinyvirat.models.saved import ModelSpec


def submit(
    run: str,
    *,
    data: Path,
    out: Path = Path("answer.txt"),
    tune_on: Path | None = None,
    clips: int = 6097,
    workers: int = 0,
    cache: Path | None = None,
    root: Path | None = None,
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
) -> int:
    """Writes the answer file of the TinyAction challenge for TinyVIRAT-v2's test split.

    One line for every test clip, in order: its number and 26 zeros or ones. A label counts from the
    model's own threshold on, p = 0.5 where it has none or a file of predictions speaks for it; a
    model that was trained for exactly one label a clip gives its best. Clips shorter than the
    model's window are repeated, as everywhere; clips that do not decode are answered with zeros,
    and named. The file is checked before it is written.

    Args:
        run: a run's or a model's folder, the name of fetched weights, or the predictions.jsonl that
            `tinyvirat evaluate --split test --out` wrote.
        data: the manifest, from `tinyvirat data prepare tinyvirat-v2`.
        out: the file to write; one that ends in .zip holds answer.txt, as the server takes it.
        tune_on: predictions of held-out videos (the predictions.jsonl of an evaluation of another
            split) on which each label's threshold is tuned, instead of the model's.
        clips: number of the challenge's test clips.
        workers: processes that decode.
        cache: folder of decoded frames; without it every clip is decoded.
        root: the folder that the paths of DATA are relative to, where it is not the manifest's own.
        device: where to compute; auto takes a GPU where there is one.
        precision: number format; auto takes the fastest that is safe.
    """
    from tinyvirat.common.processes import this_process
    from tinyvirat.datasets.manifest import read_manifest
    from tinyvirat.datasets.published.challenge import (
        answer_text,
        class_columns,
        clip_number,
        write_answer,
    )

    manifest = read_manifest(data, root=root)
    expected = _expected(manifest, clips)
    process = this_process()
    spec: ModelSpec | None = None
    if Path(run).is_file():
        predictions = _from_file(Path(run), manifest)
    else:
        predictions, spec = _predicted(run, manifest, cache, workers, device, precision)
    if not process.is_main_process:
        return 0
    columns = class_columns(predictions.classes, where=run)
    shown_NK = _decided(predictions, spec, tune_on)[:, columns]
    numbers = [clip_number(clip, where=run) for clip in predictions.ids]
    silent = [f"{number:05d}" for number in sorted(expected - set(numbers))]
    if silent:
        some = ", ".join(silent[:10]) + (", ..." if len(silent) > 10 else "")
        say(
            "answered with zeros, because they cannot be read or are in quarantine: "
            f"{counted(len(silent), 'clip')} ({some})"
        )
    write_answer(out, answer_text(dict(zip(numbers, shown_NK.tolist(), strict=True)), clips))
    print(f"{out}: {counted(clips, 'clip')}, {counted(int(shown_NK.sum()), 'label')}")
    return 0


def _expected(manifest: Manifest, clips: int) -> set[int]:
    """The numbers of the clips to answer: those of the manifest, and those left out of it."""
    from tinyvirat.datasets.published import read_report, report_path
    from tinyvirat.datasets.published.challenge import AnswerError, clip_number

    ids = [record.id for record in manifest.of("test")]
    ids += [left.record.id for left in manifest.left_out("test")]
    beside = report_path(manifest.path)
    if beside.is_file():
        report = read_report(beside)
        left_out = (*report.missing, *report.unreadable)
        ids += [clip.id for clip in left_out if clip.split == "test"]
    numbers = {clip_number(clip, where=str(manifest.path)) for clip in ids}
    absent = sorted(set(range(clips)) - numbers)
    more = sorted(numbers - set(range(clips)))
    if absent or more:
        what = f"lacks clip {absent[0]:05d}" if absent else f"has clip {more[0]:05d}"
        raise AnswerError(
            f"{manifest.path}: its test split {what}, and the challenge has the clips 00000 to "
            f"{clips - 1:05d}; prepare the whole test split, or say with --clips how many there are"
        )
    return numbers


def _predicted(
    run: str,
    manifest: Manifest,
    cache: Path | None,
    workers: int,
    device: str,
    precision: str,
) -> tuple[Predictions, ModelSpec]:
    """A model's answers to the test split, and what it is."""
    from tinyvirat.datasets.cache import FrameCache
    from tinyvirat.datasets.published.challenge import class_columns
    from tinyvirat.evaluation.evaluate import predict
    from tinyvirat.recognition.load import load

    inference = load(run, device=device, precision=precision).inference
    class_columns(inference.spec.labels, where=run)  # before the work, not after it
    frames = None if cache is None else FrameCache(cache)
    predictions = predict(
        inference, manifest, "test", cache=frames, workers=workers, what="answering"
    )
    return predictions, inference.spec


def _from_file(path: Path, manifest: Manifest) -> Predictions:
    from tinyvirat.common.files import sha256_of
    from tinyvirat.datasets.published.challenge import AnswerError
    from tinyvirat.evaluation.prediction_file import read_predictions

    predictions = read_predictions(path)
    if predictions.split != "test" or predictions.manifest_sha256 != sha256_of(manifest.path):
        raise AnswerError(
            f"{path}: holds answers to the {predictions.split} split of a manifest with checksum "
            f"{predictions.manifest_sha256[:12]}, not to the test split of {manifest.path}; run "
            "`tinyvirat evaluate --split test --out` on that, or name the other with --data"
        )
    return predictions


def _decided(
    predictions: Predictions, spec: ModelSpec | None, tune_on: Path | None
) -> NDArray[np.bool_]:
    """Which of the model's classes each clip shows, `shown_NK`; the same as recognition says."""
    import numpy as np
    import torch

    from tinyvirat.evaluation.tuning import tuned_on_file

    logits_NK = predictions.logits_NK
    if tune_on is not None:
        limits = tuned_on_file(tune_on, predictions)
        limits.refuse(predictions.sources)
        return limits.predict(logits_NK)
    if not predictions.multi_label:
        best_N1 = logits_NK.argmax(axis=1, keepdims=True)
        return np.asarray(best_N1 == np.arange(logits_NK.shape[1]))
    if spec is None or not spec.thresholds:
        return np.asarray(logits_NK >= 0.0)
    p_NK = spec.probabilities(torch.from_numpy(logits_NK)).numpy()
    return np.asarray(p_NK.astype(float) >= np.array(spec.thresholds))
