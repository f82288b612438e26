"""The two roles of training data, and their batches: labelled clips, and clips that give pairs.

Tiny clips have no high-resolution truth. `data` are the clips to recognise; `sr_data` are larger
clips, labelled or not, from which pairs are made. Where the clips to recognise are large themselves
they serve both roles.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from accelerate import Accelerator

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import sha256_of
from tinyvirat.common.progress import say
from tinyvirat.datasets.batching import BatchPlan
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.loading import Batch, ClipDataset, ClipLoader
from tinyvirat.datasets.manifest import ClipRecord, Manifest, read_manifest
from tinyvirat.evaluation.tuning import FEWEST_CLIPS
from tinyvirat.models.saved import RATES
from tinyvirat.training.classification_losses import check_loss
from tinyvirat.training.held_out import held_out_sources, with_val
from tinyvirat.training.inputs import LabelledBatch
from tinyvirat.training.objectives import Labels
from tinyvirat.training.phases import Batches, Phase, Place
from tinyvirat.training.recipe import Recipe, Role, Sampling
from tinyvirat.training.sampling import repeats
from tinyvirat.training.seeds import seed_of
from tinyvirat.video.sampling import RandomWindow

EPOCHS_APART = 1_000_000
"""Between the epoch numbers of one segment and the next, so that none sees the same draws."""


@dataclass(frozen=True)
class ClipFiles:
    """Where the clips of either role are.

    Attributes:
        data: manifest of the labelled clips.
        sr_data: manifest of the clips that give pairs; None: `data`.
        root: the folder that the paths of `data` are relative to; None: the manifest's own.
        sr_root: the same for `sr_data`.
    """

    data: Path
    sr_data: Path | None = None
    root: Path | None = None
    sr_root: Path | None = None

    def labelled(self) -> Manifest:
        """Reads `data`; see `read_manifest`."""
        return read_manifest(self.data, root=self.root)

    def read(self) -> dict[Role, Manifest]:
        """Reads the manifests by role, one object for both where they are one file; see
        `read_manifest`."""
        labelled = self.labelled()
        if self.sr_data is None or self.sr_data.resolve() == self.data.resolve():
            return {"data": labelled, "sr_data": labelled}
        return {"data": labelled, "sr_data": read_manifest(self.sr_data, root=self.sr_root)}


@dataclass(frozen=True)
class TrainingData:
    """Clips by role.

    Attributes:
        recipe: how clips are sampled and cached.
        manifests: by role; both may be the same object.
        labels: the classes.
        kind: `single` or `multi`: whether clips have one label or any number.
        cache: of decoded frames; None decodes each time.
        sources: training videos that are held out, in `val`; empty where the manifest has a `val`
            split of its own.
    """

    recipe: Recipe
    manifests: dict[Role, Manifest]
    labels: tuple[str, ...]
    kind: Labels
    cache: FrameCache | None = field(default=None)
    sources: frozenset[str] = frozenset()

    def fps(self) -> float | None:
        """Frames a second of the clips that the classes are learnt from: the median, as most sets
        have one rate. Clips that show no class do not count, where others do. None for a rate that
        no video has."""
        clips = [record for record in self.manifests["data"].records if record.split == "train"]
        shown = [record for record in clips if record.labels] or clips
        rate = median(float(record.fps) for record in shown) if shown else 0.0
        return rate if RATES[0] <= rate <= RATES[1] else None

    def held_out_note(self) -> str:
        """A sentence that says what is held out; empty when nothing is."""
        if not self.sources:
            return ""
        return (
            f"{self.manifests['data'].path}: there is no val split, so {len(self.sources)} source "
            f"videos of the training split with {len(self.held_out('data'))} clips are held out "
            "to tune thresholds and temperature on (--set tuning.hold_out=0 trains on all)"
        )

    def train(self, role: Role) -> tuple[ClipRecord, ...]:
        """The training clips of a role."""
        return self.manifests[role].of("train")

    def held_out(self, role: Role) -> tuple[ClipRecord, ...]:
        """The clips held out from training (`val`), possibly none; never the test split."""
        return tuple(r for r in self.manifests[role].records if r.split == "val")

    @property
    def clips(self) -> dict[Role, int]:
        """Number of training clips by role."""
        return {role: len(self.train(role)) for role in self.manifests}

    @property
    def class_counts(self) -> dict[Role, torch.Tensor]:
        """Training clips of each class, `counts_K`, by role."""
        found: dict[Role, torch.Tensor] = {}
        for role in self.manifests:
            counts = Counter(label for record in self.train(role) for label in record.labels)
            found[role] = torch.tensor([counts[label] for label in self.labels])
        return found

    @property
    def digest(self) -> str:
        """A checksum of the manifests that the recipe learns from, and of the clips of theirs that
        are in quarantine."""
        roles: list[Role] = ["data", "sr_data"] if self.recipe.learns_from_pairs else ["data"]
        sums = [sha256_of(self.manifests[role].path) for role in roles]
        for role in roles:
            sums += [f"without {one.record.id}" for one in self.manifests[role].quarantined]
        return hashlib.sha256("".join(sums).encode()).hexdigest()

    def batches(
        self, phase: Phase, first: int, stop: int, accelerator: Accelerator
    ) -> Iterator[tuple[Place, Batches]]:
        """The iterations `[first, stop)` of a phase, with this process's share of their clips."""
        begin = 0
        for number, segment in enumerate(phase.segments):
            end = begin + segment.steps
            here = max(first, begin)
            if here < min(stop, end):
                streams = {
                    role: self._stream(
                        self._loader(role, segment.batch, phase.sampling, accelerator),
                        number,
                        here - begin,
                        accelerator.device,
                    )
                    for role in self._distinct(phase.roles)
                }
                epoch_steps = max(1, self.clips[phase.roles[0]] // segment.batch)
                for step in range(here, min(stop, end)):
                    place = Place(
                        step=step,
                        segment_step=step - begin,
                        stage=segment.stage,
                        epoch_steps=epoch_steps,
                        seed=seed_of(self.recipe.seed, phase.name, step),
                    )
                    drawn = {role: next(stream) for role, stream in streams.items()}
                    yield place, {r: drawn[self._same(r, phase.roles)] for r in phase.roles}
            begin = end

    def _distinct(self, roles: tuple[Role, ...]) -> tuple[Role, ...]:
        """The roles without those that share the clips of an earlier one."""
        return tuple(dict.fromkeys(self._same(role, roles) for role in roles))

    def _same(self, role: Role, roles: tuple[Role, ...]) -> Role:
        return next(r for r in roles if self.manifests[r] is self.manifests[role])

    def _loader(
        self, role: Role, batch: int, sampling: Sampling, accelerator: Accelerator
    ) -> ClipLoader:
        """What loads this process's share of the batches of a role."""
        recipe, manifest, records = self.recipe, self.manifests[role], self.train(role)
        large = role == "sr_data" or not recipe.clips.tiny
        dataset = ClipDataset(
            manifest,
            records,
            RandomWindow(length=recipe.clips.frames, strides=recipe.clips.strides),
            seed=seed_of(recipe.seed, role, 0),
            short_side=recipe.clips.short_side if large else None,
            cache=self.cache,
        )
        plan = BatchPlan(
            size=len(records),
            batch_size=batch,
            seed=seed_of(recipe.seed, role, 1),
            rank=accelerator.process_index,
            ranks=accelerator.num_processes,
            repeats=repeats(sampling, manifest.targets(records)),
        )
        return ClipLoader(
            dataset,
            plan,
            workers=recipe.upkeep.workers,
            on_error=recipe.upkeep.on_error,
            pin_memory=accelerator.device.type == "cuda",
        )

    def _stream(
        self, loader: ClipLoader, segment: int, first: int, device: torch.device
    ) -> Iterator[LabelledBatch]:
        """Batches without end, from iteration `first` of a segment on."""
        epoch, start = divmod(first, loader.plan.batches)
        told: set[int] = set()
        while True:
            number = segment * EPOCHS_APART + epoch
            for loaded in loader.epoch(number, start):
                _tell(loaded, told)
                yield _on_device(loaded, device)
            epoch, start = epoch + 1, 0


def open_data(recipe: Recipe, files: ClipFiles, *, cache: Path | None = None) -> TrainingData:
    """Reads the manifests of a run.

    Args:
        recipe: the recipe.
        files: where the clips are.
        cache: folder of decoded frames; None means the package's.

    Raises:
        TinyviratError: a manifest is wrong, `data` has no labels or several a clip against the
            recipe, or its clips are tiny and no others are given to make pairs of.
    """
    found = files.read()
    manifest, large = found["data"], found["sr_data"]
    if not manifest.labels:
        raise TinyviratError(f"{files.data}: no clip has a label; --data needs labelled clips")
    if large is manifest and recipe.clips.tiny and (recipe.phase1 or recipe.phase2):
        raise TinyviratError(
            f"the recipe {recipe.name!r} says that the clips of {files.data} are tiny: they give "
            "no high-resolution truth; name larger ones with --sr-data"
        )
    kind: Labels
    if recipe.labels == "auto":
        kind = "multi" if manifest.multi_label else "single"
    else:
        kind = recipe.labels
    _check_labels(manifest, kind)
    for name, phase in (("phase2", recipe.phase2), ("phase3", recipe.phase3)):
        if phase is not None:
            check_loss(phase.loss, kind, f"recipe {recipe.name!r}: {name}")
    if recipe.phase2 and recipe.phase2.att_from == "sr_data" and large is not manifest:
        if large.labels != manifest.labels:
            raise TinyviratError(
                f"{large.path}: phase2 takes labels from it (att_from: sr_data), and it has not "
                f"the classes of {files.data}: {', '.join(manifest.labels)}"
            )
        _check_labels(large, kind)
    sources = _to_hold_out(recipe, manifest, kind)
    if sources:
        same = large is manifest
        manifest = with_val(manifest, sources)
        large = manifest if same else with_val(large, sources)
    frames = FrameCache(cache) if recipe.upkeep.cache else None
    manifests: dict[Role, Manifest] = {"data": manifest, "sr_data": large}
    return TrainingData(recipe, manifests, manifest.labels, kind, frames, sources)


def _check_labels(manifest: Manifest, kind: Labels) -> None:
    """Makes sure of labels that can be learnt, and validated on: the test split is not looked at.

    An empty list means `none of them` where several can hold, and nothing where exactly one does.
    """
    if kind == "multi":
        return
    wrong = next((r for r in manifest.records if r.split != "test" and len(r.labels) != 1), None)
    if wrong is not None:
        raise TinyviratError(
            f"{manifest.path}: the clip {wrong.id!r} has {len(wrong.labels)} labels; a recipe with "
            "labels: single needs exactly one a clip (use labels: multi)"
        )


def _to_hold_out(recipe: Recipe, manifest: Manifest, kind: Labels) -> frozenset[str]:
    """The training videos on which the finished model is tuned, where there is no `val` split.

    A run of phase 1 alone leaves them out too: a classifier may take its network over.
    """
    if kind == "single" or not manifest.labels or not recipe.tuning.wanted:
        return frozenset()
    if any(record.split == "val" for record in manifest.records):
        return frozenset()
    records = manifest.of("train")
    sources = held_out_sources(records, recipe.tuning.hold_out)
    enough = sum(record.source in sources for record in records) >= FEWEST_CLIPS
    return sources if enough else frozenset()


def _tell(batch: Batch, told: set[int]) -> None:
    """Names every clip that cannot be read when it is first met."""
    for failed in batch.failed:
        if failed.index not in told:
            told.add(failed.index)
            say(f"skipped: {failed.reason}")


def _on_device(batch: Batch, device: torch.device) -> LabelledBatch:
    moved = batch.to(device)
    return LabelledBatch(moved.clips, moved.target_BK, moved.seeds, len(batch.failed))
