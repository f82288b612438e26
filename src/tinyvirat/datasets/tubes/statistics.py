"""What is in a data set, counted: of clips that are planned, or of a manifest's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tinyvirat.common.plain import to_plain
from tinyvirat.datasets.records import ClipRecord
from tinyvirat.datasets.tubes.records import PlannedClip, Span

EDGES = (10, 20, 40, 80, 128)
"""Sides in pixels at which bins begin; the last one still belongs to the bin below it."""

BINS = ("<10", "10-20", "20-40", "40-80", "80-128", ">128")
"""The bins of sides: 20 belongs to `20-40`, 128 to `80-128`."""


@dataclass(frozen=True)
class Sample:
    """What statistics look at in a clip.

    Attributes:
        video: the source video.
        split: `train`, `val` or `test`.
        labels: its classes.
        frames: how many.
        side: of its windows in pixels, or the longer side of its frames; `None` where no box says
            it.
    """

    video: str
    split: str
    labels: tuple[str, ...]
    frames: int
    side: int | None


@dataclass(frozen=True)
class ClassCount:
    """One class.

    Attributes:
        label: its name.
        clips: that show it.
        by_bin: the same in each of `BINS`.
        by_split: the same in each of `Statistics.splits`.
    """

    label: str
    clips: int
    by_bin: tuple[int, ...]
    by_split: tuple[int, ...]


@dataclass(frozen=True)
class Statistics:
    """The numbers of a data set (Table I and Fig. 4 of the paper).

    Attributes:
        clips: how many (the paper's NV).
        videos: source videos with a clip.
        classes: how many (NC).
        multi_label: whether any clip shows several (ML).
        mean_frames: of a clip (ANF); 0 without clips.
        shortest: frames of the shortest clip; 0 without clips.
        longest: frames of the longest.
        mean_side: in pixels; `None`, as the next two, where no clip has a side.
        smallest_side: of the smallest clip.
        largest_side: of the largest.
        splits: names of the splits there are, sorted.
        clips_by_split: clips of each.
        videos_by_split: source videos of each.
        bins: `BINS`.
        clips_by_bin: clips of each bin.
        by_class: one a class, by name.
        labels_per_clip: pairs of a number of labels and the clips that have it.
        together: clips that show class i and class j; on the diagonal those that show class i.
    """

    clips: int
    videos: int
    classes: int
    multi_label: bool
    mean_frames: float
    shortest: int
    longest: int
    mean_side: float | None
    smallest_side: int | None
    largest_side: int | None
    splits: tuple[str, ...]
    clips_by_split: tuple[int, ...]
    videos_by_split: tuple[int, ...]
    bins: tuple[str, ...]
    clips_by_bin: tuple[int, ...]
    by_class: tuple[ClassCount, ...]
    labels_per_clip: tuple[tuple[int, int], ...]
    together: tuple[tuple[int, ...], ...]

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        plain: dict[str, Any] = to_plain(self)
        return plain


def samples_of_plan(clips: Iterable[PlannedClip]) -> tuple[Sample, ...]:
    """Clips that are planned."""
    return tuple(
        Sample(one.tube.video, one.split, one.tube.labels, len(one.windows_T4), one.side)
        for one in clips
    )


def samples_of_spans(spans: Iterable[Span], split: str) -> tuple[Sample, ...]:
    """Spans without boxes: they have labels and a length, and no side."""
    return tuple(Sample(one.video, split, one.labels, one.stop - one.start, None) for one in spans)


def samples_of_records(records: Iterable[ClipRecord]) -> tuple[Sample, ...]:
    """Clips of a manifest."""
    return tuple(
        Sample(one.source, one.split, one.labels, one.length, _side(one)) for one in records
    )


def bin_of(side: int) -> int:
    """The position in `BINS` of a side in pixels."""
    if side == EDGES[-1]:
        return len(EDGES) - 1
    return sum(side >= edge for edge in EDGES)


def statistics(samples: Sequence[Sample]) -> Statistics:
    """Counts samples; their order does not matter."""
    labels = sorted({label for one in samples for label in one.labels})
    splits = tuple(sorted({one.split for one in samples}))
    sides = [one.side for one in samples if one.side is not None]
    lengths = [one.frames for one in samples]
    per_clip = Counter(len(one.labels) for one in samples)
    return Statistics(
        clips=len(samples),
        videos=len({one.video for one in samples}),
        classes=len(labels),
        multi_label=any(number > 1 for number in per_clip),
        mean_frames=sum(lengths) / len(lengths) if lengths else 0.0,
        shortest=min(lengths, default=0),
        longest=max(lengths, default=0),
        mean_side=sum(sides) / len(sides) if sides else None,
        smallest_side=min(sides, default=None),
        largest_side=max(sides, default=None),
        splits=splits,
        clips_by_split=_by_split(samples, splits),
        videos_by_split=tuple(
            len({one.video for one in samples if one.split == split}) for split in splits
        ),
        bins=BINS,
        clips_by_bin=_by_bin(samples),
        by_class=tuple(_class_count(label, samples, splits) for label in labels),
        labels_per_clip=tuple(sorted(per_clip.items())),
        together=_together(samples, labels),
    )


def _class_count(label: str, samples: Sequence[Sample], splits: Sequence[str]) -> ClassCount:
    shown = [one for one in samples if label in one.labels]
    return ClassCount(label, len(shown), _by_bin(shown), _by_split(shown, splits))


def _by_bin(samples: Iterable[Sample]) -> tuple[int, ...]:
    counts = Counter(bin_of(one.side) for one in samples if one.side is not None)
    return tuple(counts[number] for number in range(len(BINS)))


def _by_split(samples: Iterable[Sample], splits: Sequence[str]) -> tuple[int, ...]:
    counts = Counter(one.split for one in samples)
    return tuple(counts[split] for split in splits)


def _together(samples: Iterable[Sample], labels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    counts = Counter(
        (one, other) for sample in samples for one in sample.labels for other in sample.labels
    )
    return tuple(tuple(counts[one, other] for other in labels) for one in labels)


def _side(record: ClipRecord) -> int:
    if record.windows is None:
        return max(record.height, record.width)
    x1, _, x2, _ = record.windows[0]
    return x2 - x1
