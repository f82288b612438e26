"""From a model and a manifest to predictions: the only part of evaluation that runs networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from tinyvirat.common.files import sha256_of
from tinyvirat.common.pixels import resize
from tinyvirat.common.processes import this_process
from tinyvirat.common.progress import track
from tinyvirat.datasets.batching import BatchPlan
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.frames import clip_size
from tinyvirat.datasets.loading import Batch, ClipDataset, ClipLoader
from tinyvirat.datasets.manifest import ClipRecord, Manifest
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.predictions import Predictions, joined
from tinyvirat.evaluation.quality import Quality, VideoQuality, mean_quality, measure
from tinyvirat.models.inference import Inference
from tinyvirat.models.saved import ModelSpec

CLIPS_AT_ONCE = 4
"""Clips that are decoded together; the network's own batch is `Inference.batch`."""


def predict(
    inference: Inference,
    manifest: Manifest,
    split: str,
    *,
    cache: FrameCache | None = None,
    workers: int = 0,
    what: str = "evaluating",
) -> Predictions:
    """Answers every clip of a split exactly once, on however many processes there are.

    A clip's logits are the mean over its windows (published code), through the same sampler,
    preprocessing and network as recognition.

    Args:
        inference: the model, ready to answer.
        manifest: the clips; its labels must be the model's. An empty list of labels means that
            they are not known; in a split where other clips have some, and several can hold, that
            none does. Those in quarantine are not asked for, and counted.
        split: `train`, `val` or `test`.
        cache: of decoded frames.
        workers: processes that decode.
        what: words for the progress bar.

    Raises:
        EvaluationError: the labels are not the model's.
        LoadingError: a clip cannot be read; evaluation never skips one silently.
    """
    spec = inference.spec
    records = manifest.of(split)
    refuse_other_labels(manifest, split, spec)
    process = this_process()
    ids, sources, sizes, logits, targets = [], [], [], [], []
    for batch in _batches(manifest, records, inference, process, what, cache, workers):
        logits_NK = inference.window_logits(batch.clips)
        for logits_WK, index in zip(
            torch.split(logits_NK, batch.windows), batch.indices, strict=True
        ):
            record = records[index]
            ids.append(record.id)
            sources.append(record.source)
            sizes.append(clip_size(record))
            logits.append(logits_WK.mean(0).double().numpy())
            targets.append([label in record.labels for label in spec.labels])
    # Where several labels can hold, none can be an answer too, but not the answer of a whole split.
    enough = any if spec.multi_label else all
    labelled = enough(record.labels for record in records)
    part = Predictions(
        ids=tuple(ids),
        sources=tuple(sources),
        sizes_N2=np.asarray(sizes, np.int64).reshape(-1, 2),
        logits_NK=np.asarray(logits).reshape(-1, len(spec.labels)),
        targets_NK=np.asarray(targets, bool).reshape(-1, len(spec.labels)) if labelled else None,
        classes=spec.labels,
        multi_label=spec.multi_label,
        split=split,
        manifest_sha256=sha256_of(manifest.path),
        model=spec.name,
        quarantined=len(manifest.left_out(split)),
    )
    parts = gather_object([part]) if process.num_processes > 1 else [part]
    predictions = joined(parts)
    predictions.refuse_other_clips(record.id for record in records)
    return predictions


def refuse_other_labels(manifest: Manifest, split: str, spec: ModelSpec) -> None:
    """Makes sure that a model knows all labels of a split.

    Raises:
        EvaluationError: it does not know one.
    """
    unknown = sorted({label for r in manifest.of(split) for label in r.labels} - set(spec.labels))
    if unknown:
        raise EvaluationError(
            f"{manifest.path}: the label {unknown[0]!r} is not one of the model's: "
            f"{', '.join(spec.labels)}"
        )


def quality(
    inference: Inference,
    manifest: Manifest,
    split: str,
    *,
    cache: FrameCache | None = None,
    most: int | None = None,
) -> dict[str, Quality] | None:
    """PSNR and SSIM of the enlarged clips against the clips before they were made small.

    The first window of each clip, cropped in the centre as at test time.

    Args:
        inference: the model.
        manifest: clips that are larger than the model's input.
        split: which of them.
        cache: of decoded frames.
        most: so many clips at most, evenly spread over the split; None takes all.

    Returns:
        `super-resolved` and, beside it, `bicubic` and `trilinear` enlargement of the same input;
        None where the model has no super-resolution network, or its clips are tiny by nature.
    """
    preprocess = inference.preprocess
    if inference.spec.config.super_resolution is None or preprocess.full is None:
        return None
    records = manifest.of(split)
    if most is not None and most < len(records):
        records = tuple(records[i] for i in np.linspace(0, len(records) - 1, most).astype(int))
    side = inference.spec.config.side
    truth_maker = preprocess.at(preprocess.full)
    found: dict[str, list[VideoQuality]] = {"super-resolved": [], "bicubic": [], "trilinear": []}
    process = this_process()
    for batch in _batches(manifest, records, inference, process, "measuring quality", cache):
        for frames_NTHWC in batch.frames:
            window = frames_NTHWC[0]
            truth_BCTHW = truth_maker([window])
            if preprocess.full != side:
                truth_BCTHW = resize(truth_BCTHW, (side, side), "bicubic")
            x_BCTHW, enlarged = inference.enlarge(window)
            found["super-resolved"] += measure(enlarged.video_BCTHW, truth_BCTHW)
            found["bicubic"] += measure(resize(x_BCTHW, (side, side), "bicubic"), truth_BCTHW)
            found["trilinear"] += measure(resize(x_BCTHW, (side, side), "bilinear"), truth_BCTHW)
    if process.num_processes > 1:
        found = {name: gather_object(videos) for name, videos in found.items()}
    return {name: mean_quality(videos) for name, videos in found.items()}


def _batches(
    manifest: Manifest,
    records: Sequence[ClipRecord],
    inference: Inference,
    process: PartialState,
    what: str,
    cache: FrameCache | None,
    workers: int = 0,
) -> Iterator[Batch]:
    """This process's share of the clips, each once."""
    dataset = ClipDataset(
        manifest,
        records,
        inference.spec.sampler,
        short_side=inference.preprocess.short_side,
        cache=cache,
    )
    plan = BatchPlan(
        size=len(records),
        batch_size=CLIPS_AT_ONCE * process.num_processes,
        shuffle=False,
        drop_last=False,
        rank=process.process_index,
        ranks=process.num_processes,
    )
    batches = ClipLoader(dataset, plan, workers=workers).epoch()
    return track(batches, what, plan.batches) if process.is_main_process else batches
