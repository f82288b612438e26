"""From a data set's lists to a manifest: measured, checked, no source in two splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.datasets.folder import relative_to, split_by_source
from tinyvirat.datasets.manifest import LABELS_FILE, write_manifest
from tinyvirat.datasets.measure import MEASURED_FILE, Measured, Measurements, measure_files
from tinyvirat.datasets.published.listing import ListedClip, Listing, PublishedError
from tinyvirat.datasets.published.report import (
    LeftOut,
    Report,
    SplitCount,
    report_path,
    write_report,
)
from tinyvirat.datasets.records import SPLITS, ClipRecord, ManifestError

NO_FILE = "there is no such file"


@dataclass(frozen=True)
class Prepared:
    """A data set ready to be written.

    Attributes:
        records: its clips; paths relative to the manifest's folder where that is the data set's or
            one above it, else to the data set's.
        classes: its classes in the order of the network's outputs.
        report: what became of every clip.
    """

    records: tuple[ClipRecord, ...]
    classes: tuple[str, ...]
    report: Report


def prepare(
    listing: Listing,
    manifest: Path,
    *,
    val_fraction: float = 0.0,
    seed: int = 0,
    disjoint: bool = False,
    workers: int | None = None,
) -> Prepared:
    """Measures a data set's clips and makes their records.

    Every file is decoded once. What was measured is kept in `measured.jsonl` beside the manifest,
    so that an interrupted run goes on, and the other splits of the same files take no time.

    Args:
        listing: the data set as its lists describe it.
        manifest: where the manifest is going to be.
        val_fraction: share of the training clips that become the validation split, whole recordings
            at a time; 0 takes none, as published.
        seed: another one takes other recordings.
        disjoint: leave out training clips of recordings that are also validated or tested on, and
            validation clips of such that are tested on. The published splits keep them.
        workers: files decoded at once; `None` is one a core, eight at most.

    Raises:
        PublishedError: not a single clip can be read, a `val_fraction` that cannot be, a manifest
            named so that it cannot be, or a folder that holds another data set's labels.
        MeasureError: fewer than one worker, or what was measured cannot be kept.
    """
    _check_place(manifest, listing.classes)
    clips = _with_validation(listing, val_fraction, seed)
    shared = _shared([(clip.origin, clip.split) for clip in clips])
    kept = [clip for clip in clips if not (disjoint and _is_to_drop(clip, shared))]
    found = [clip for clip in kept if clip.file is not None]
    memory = Measurements(manifest.parent / MEASURED_FILE, listing.root)
    files = [clip.file for clip in found if clip.file is not None]
    measured = measure_files(files, workers=workers, memory=memory)
    records, unreadable, other_size = _records(listing, found, measured)
    if not records:
        first = f"; the first: {unreadable[0].reason}" if unreadable else ""
        raise PublishedError(
            f"{listing.root}: none of the {len(listing.clips)} listed clips can be read{first}"
        )
    report = Report(
        dataset=listing.facts.name,
        classes=len(listing.classes),
        splits=_counts(listing, records, unreadable),
        missing=tuple(_left_out(clip, NO_FILE) for clip in kept if clip.file is None),
        unreadable=tuple(unreadable),
        unlisted=listing.unlisted,
        unused=listing.unused,
        unused_published=listing.facts.unused,
        other_size=tuple(other_size),
        shared=() if disjoint else tuple(sorted(shared)),
        shared_clips=0 if disjoint else _clips_of_trained(clips, shared),
        dropped=tuple(clip.id for clip in clips if disjoint and _is_to_drop(clip, shared)),
        differences=listing.differences,
        notes=listing.notes,
    )
    return Prepared(
        tuple(relative_to(manifest.parent, listing.root, records)), listing.classes, report
    )


def write_prepared(manifest: Path, prepared: Prepared) -> None:
    """Writes the manifest and, beside it, the labels in order and the report; the manifest last.

    Raises:
        ManifestError: the records cannot be a manifest together.
    """
    write_text(manifest.parent / LABELS_FILE, "".join(f"{name}\n" for name in prepared.classes))
    write_report(report_path(manifest), prepared.report)
    write_manifest(manifest, prepared.records)


def _check_place(manifest: Path, classes: Sequence[str]) -> None:
    """Refuses, before hours of decoding, a place where the manifest cannot be."""
    if manifest.suffix not in (".jsonl", ".csv") or manifest.name == MEASURED_FILE:
        raise PublishedError(
            f"{manifest}: let the manifest's name end in .jsonl or .csv, and be none of "
            f"{MEASURED_FILE}"
        )
    labels = manifest.parent / LABELS_FILE
    try:
        there = labels.read_text(encoding="utf-8-sig").split("\n") if labels.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise PublishedError(f"{labels}: cannot be read: {error}") from error
    if there is not None and [name for name in there if name] != list(classes):
        raise PublishedError(
            f"{labels}: holds the labels of another data set, which the manifests in its folder "
            "share; write this manifest into a folder of its own"
        )


def _with_validation(listing: Listing, fraction: float, seed: int) -> list[ListedClip]:
    """The clips, some recordings of the training split given to validation."""
    if not 0.0 <= fraction < 1.0:
        raise PublishedError(f"val-fraction is {fraction}; it is at least 0 and below 1")
    if not fraction:
        return list(listing.clips)
    if "val" in listing.facts.clips:
        raise PublishedError(f"{listing.facts.name} has a validation split; leave val-fraction out")
    train = [replace(c, source=c.origin) for c in listing.clips if c.split == "train"]
    splits = split_by_source(train, (1.0 - fraction, fraction, 0.0), seed)
    return [
        replace(clip, split=splits[clip.origin]) if clip.split == "train" else clip
        for clip in listing.clips
    ]


def _shared(pairs: Sequence[tuple[str, str]]) -> dict[str, set[str]]:
    """The recordings (or sources) that are in several splits, with these."""
    splits: dict[str, set[str]] = {}
    for origin, split in pairs:
        splits.setdefault(origin, set()).add(split)
    return {origin: several for origin, several in splits.items() if len(several) > 1}


def _is_to_drop(clip: ListedClip, shared: dict[str, set[str]]) -> bool:
    """Whether a clip's recording is also in a split that counts for more."""
    later = SPLITS[SPLITS.index(clip.split) + 1 :]
    return any(split in shared.get(clip.origin, ()) for split in later)


def _clips_of_trained(clips: Sequence[ListedClip], shared: dict[str, set[str]]) -> int:
    return sum(c.split != "train" and "train" in shared.get(c.origin, ()) for c in clips)


def _records(
    listing: Listing, clips: Sequence[ListedClip], measured: Sequence[Measured | str]
) -> tuple[list[ClipRecord], list[LeftOut], list[str]]:
    """The records of clips that decode; those that do not; those of another size than claimed."""
    records: list[ClipRecord] = []
    unreadable: list[LeftOut] = []
    other_size: list[str] = []
    sources = _shared([(clip.source, clip.split) for clip in clips])
    for clip, found in zip(clips, measured, strict=True):
        if isinstance(found, str):
            unreadable.append(_left_out(clip, found))
            continue
        size = (found.frames, found.height, found.width)
        extra = dict(clip.extra)
        if clip.dim is not None and clip.dim != size:
            extra["dim"] = list(clip.dim)
            other_size.append(f"{clip.id}: {_size(clip.dim)} listed, {_size(size)} decode")
        # A manifest holds no source in two splits. Where the published split has one, each side
        # gets a name of its own, and the recording stays in `extra`.
        source = clip.source
        if source in sources:
            extra["recording"] = clip.origin
            source = f"{source} ({clip.split})"
        records.append(_record(listing.root, clip, found, source, extra))
    return records, unreadable, other_size


def _record(
    root: Path, clip: ListedClip, found: Measured, source: str, extra: dict[str, object]
) -> ClipRecord:
    path = root if clip.file is None else clip.file
    try:
        return ClipRecord(
            id=clip.id,
            path=path.relative_to(root).as_posix(),
            frames=found.frames,
            height=found.height,
            width=found.width,
            fps=found.fps,
            labels=clip.labels,
            split=clip.split,
            source=source,
            extra=extra,
        )
    except ManifestError as error:
        raise PublishedError(f"{path}: {error}") from error


def _counts(
    listing: Listing, records: Sequence[ClipRecord], unreadable: Sequence[LeftOut]
) -> tuple[SplitCount, ...]:
    """Counts by the published split, and of what is kept by the split in the manifest."""
    official = {clip.id: clip.split for clip in listing.clips}
    listed = Counter(official.values())
    found = Counter(clip.split for clip in listing.clips if clip.file is not None)
    broken = Counter(official[left.id] for left in unreadable)
    kept = Counter(record.split for record in records)
    published = listing.facts.clips
    return tuple(
        SplitCount(
            split, published.get(split), listed[split], found[split], broken[split], kept[split]
        )
        for split in SPLITS
        if published.get(split) or listed[split] or kept[split]
    )


def _left_out(clip: ListedClip, reason: str) -> LeftOut:
    return LeftOut(clip.id, clip.split, clip.name, reason)


def _size(dim: tuple[int, int, int]) -> str:
    return " x ".join(map(str, dim))
