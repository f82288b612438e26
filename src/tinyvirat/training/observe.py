"""Looking at a run while it goes on: validation on held-out clips, and pictures.

The test split is never looked at here. Where the manifest has no `val` split nothing is validated;
pictures are then drawn of training clips, and say so in their name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tinyvirat.common.files import written_beside
from tinyvirat.common.pixels import resize, to_uint8
from tinyvirat.datasets.loading import ClipDataset, LoadingError, Sample
from tinyvirat.datasets.manifest import ClipRecord
from tinyvirat.evaluation.evaluate import predict, quality
from tinyvirat.evaluation.metrics import multi_label, single_label
from tinyvirat.evaluation.tuning import FEWEST_CLIPS, Tuned, tune
from tinyvirat.models.inference import Inference
from tinyvirat.models.recognizer import Recognizer
from tinyvirat.models.saved import Model, ModelSpec
from tinyvirat.training.average import MovingAverage
from tinyvirat.training.data import TrainingData
from tinyvirat.training.journal import Journal
from tinyvirat.training.phases import Phase
from tinyvirat.training.recipe import Role
from tinyvirat.video.sampling import CentreWindow

QUALITY_CLIPS = 32
"""Clips on which PSNR is measured in validation; `tinyvirat evaluate` measures on all."""

PICTURE_CLIPS = 2
PICTURE_FRAMES = 8
PICTURE_SIDE = 112


@dataclass(frozen=True)
class Observer:
    """Validates and draws.

    Attributes:
        run: the run folder.
        spec: how the network will be used.
        network: what is being trained.
        data: the clips.
        device: where to compute.
    """

    run: Path
    spec: ModelSpec
    network: Recognizer
    data: TrainingData
    device: torch.device

    def after(
        self, phase: Phase, done: int, average: MovingAverage | None, journal: Journal | None
    ) -> None:
        """Looks at the run after `done` iterations of a phase, when its recipe says so.

        Every process calls this: they share the clips. The one with the journal writes.
        """
        upkeep = self.data.recipe.upkeep
        if done == phase.steps:
            return
        network = self.network if average is None else average.network
        assert isinstance(network, Recognizer)
        if upkeep.validate_every and done % upkeep.validate_every == 0:
            self._write(phase, done, network, journal)
        if upkeep.picture_every and done % upkeep.picture_every == 0 and journal is not None:
            self.draw(phase, done, network)

    def end(self, phase: Phase, journal: Journal | None) -> None:
        """Looks at a phase's outcome; every process calls this."""
        self._write(phase, phase.steps, self.network, journal)
        if journal is not None:
            self.draw(phase, phase.steps, self.network)

    def _write(self, phase: Phase, done: int, network: Recognizer, journal: Journal | None) -> None:
        values = self.validate(phase, network)
        if journal is not None and values:
            journal.write(phase.name, done, values)

    def validate(self, phase: Phase, network: Recognizer) -> dict[str, float]:
        """PSNR where pairs are learnt, accuracy or mean average precision where actions are."""
        values: dict[str, float] = {}
        ready = self._ready(network)
        ready.preprocess = self.data.recipe.clips.preprocess_large()
        if "sr_data" in phase.roles and self.data.held_out("sr_data"):
            manifest = self.data.manifests["sr_data"]
            found = quality(ready, manifest, "val", cache=self.data.cache, most=QUALITY_CLIPS)
            if found is not None:
                values["val_psnr"] = found["super-resolved"].psnr
                values["val_ssim"] = found["super-resolved"].ssim
                values["val_psnr_bicubic"] = found["bicubic"].psnr
        if "data" in phase.roles and self.data.held_out("data"):
            manifest = self.data.manifests["data"]
            ready.preprocess = self.spec.preprocess
            found_data = predict(ready, manifest, "val", cache=self.data.cache, what="validating")
            targets_NK = found_data.known_targets()
            if self.spec.multi_label:
                scores = multi_label(
                    found_data.logits_NK, targets_NK, self.spec.labels, found_data.sources
                )
                values["val_f1_macro"] = scores.f1.macro
                if scores.mean_average_precision is not None:
                    values["val_map"] = scores.mean_average_precision
            else:
                values["val_top1"] = single_label(
                    found_data.logits_NK, targets_NK, self.spec.labels
                ).top1
        return values

    def tuned(self) -> tuple[ModelSpec, Tuned | None]:
        """The finished model's description, with what its recipe sets by held-out clips.

        Every process calls this. None says that nothing was to be set, or that there are too few
        clips for it.
        """
        settings = self.data.recipe.tuning
        if not settings.wanted or len(self.data.held_out("data")) < FEWEST_CLIPS:
            return self.spec, None
        manifest = self.data.manifests["data"]
        found = predict(
            self._ready(self.network), manifest, "val", cache=self.data.cache, what="tuning"
        )
        return tune(
            self.spec, found, thresholds=settings.thresholds, temperature=settings.temperature
        )

    def draw(self, phase: Phase, done: int, network: Recognizer) -> Path | None:
        """Draws low-resolution, bicubic, super-resolved, truth and map of a few clips."""
        if network.super_resolution is None:
            return None
        role: Role = "sr_data" if "sr_data" in phase.roles else "data"
        held_out = self.data.held_out(role)
        records = held_out or self.data.train(role)
        ready = self._ready(network)
        if role == "sr_data":
            ready.preprocess = self.data.recipe.clips.preprocess_large()
        blocks = [self._block(ready, window_THWC) for window_THWC in self._windows(role, records)]
        if not blocks:
            return None
        kind = "val" if held_out else "train"
        path = self.run / "pictures" / f"{phase.name}-{done:07d}-{kind}.png"
        with written_beside(path) as temporary:
            Image.fromarray(np.concatenate(blocks)).save(temporary)
        return path

    def _windows(self, role: Role, records: Sequence[ClipRecord]) -> list[Tensor]:
        """`frames_THWC` from the middle of a few clips; fewer where clips that fail are skipped."""
        recipe = self.data.recipe
        sampler = CentreWindow(length=recipe.clips.frames)
        chosen = _spread(records)
        dataset = ClipDataset(self.data.manifests[role], chosen, sampler, cache=self.data.cache)
        windows = []
        for number in range(len(dataset)):
            answer = dataset.attempt((0, number))
            if isinstance(answer, Sample):
                windows.append(answer.frames_NTHWC[0])
            elif recipe.upkeep.on_error == "raise" or not answer.skippable:
                raise LoadingError(answer.reason)
        return windows

    def _block(self, ready: Inference, window_THWC: Tensor) -> np.ndarray:
        """Rows of frames of one clip, one under the other."""
        x_BCTHW, enlarged = ready.enlarge(window_THWC)
        rows = [_row(x_BCTHW[0], nearest=True), _row(x_BCTHW[0]), _row(enlarged.video_BCTHW[0])]
        if ready.preprocess.full is not None:
            rows.append(_row(ready.preprocess.at(ready.preprocess.full).one(window_THWC)))
        if enlarged.attention_B1THW is not None:
            map_CTHW = enlarged.attention_B1THW[0].expand(3, -1, -1, -1)
            rows.append(_row(map_CTHW * 2 - 1))
        return np.concatenate(rows)

    def _ready(self, network: Recognizer) -> Inference:
        """What answers in another precision, without touching what learns."""
        return Inference(
            Model(self.spec, network),
            device=str(self.device),
            precision=self.data.recipe.upkeep.precision,
        )


def _spread(records: Sequence[ClipRecord]) -> list[ClipRecord]:
    places = np.linspace(0, len(records) - 1, min(PICTURE_CLIPS, len(records)))
    return [records[int(place)] for place in places]


def _row(x_CTHW: Tensor, *, nearest: bool = False) -> np.ndarray:
    """Frames of a clip side by side, `PICTURE_SIDE` pixels each."""
    frames = np.linspace(0, x_CTHW.shape[1] - 1, PICTURE_FRAMES).round().astype(int)
    x_CTHW = x_CTHW[:, torch.from_numpy(frames)].cpu()
    if nearest:
        places = torch.arange(PICTURE_SIDE) * x_CTHW.shape[-1] // PICTURE_SIDE
        x_CTHW = x_CTHW[..., places, :][..., places]
    else:
        x_CTHW = resize(x_CTHW, (PICTURE_SIDE, PICTURE_SIDE), "bicubic")
    pixels: np.ndarray = to_uint8(x_CTHW).permute(2, 1, 3, 0).flatten(1, 2).numpy()
    return pixels
