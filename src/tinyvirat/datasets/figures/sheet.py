"""Which clips show what a data set looks like, and their frames (the paper's Fig. 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvirat.datasets.frames import ClipError, ClipReader, clip_size
from tinyvirat.datasets.manifest import Manifest
from tinyvirat.datasets.records import ClipRecord

CLIPS = 30
FRAMES = 6
# Unreadable clips for which another one is tried, for each place of the sheet.
TRIES = 3


@dataclass(frozen=True, eq=False)
class Strip:
    """A clip on a contact sheet.

    Attributes:
        record: the clip.
        frames_THWC: a few of its frames, evenly spread, uint8 RGB.
    """

    record: ClipRecord
    frames_THWC: NDArray[np.uint8]


def strips(manifest: Manifest, *, clips: int = CLIPS, frames: int = FRAMES) -> tuple[Strip, ...]:
    """Clips of all classes and sizes, the smallest first.

    Each class is shown, rare ones first, until there is no more place; then clips of all sizes. A
    clip that cannot be read makes room for another.

    Args:
        manifest: the clips.
        clips: how many at most.
        frames: of each.
    """
    found: dict[str, Strip] = {}
    for candidates in _places(manifest, clips):
        for record in candidates:
            if record.id not in found and (strip := _strip(manifest, record, frames)) is not None:
                found[record.id] = strip
                break
    return tuple(
        sorted(found.values(), key=lambda strip: (clip_size(strip.record), strip.record.id))
    )


def _places(manifest: Manifest, clips: int) -> Iterator[Sequence[ClipRecord]]:
    """For each place the clips that may take it, the best first."""
    by_size = sorted(manifest.records, key=lambda record: (clip_size(record), record.id))
    counts = Counter(label for record in by_size for label in record.labels)
    labels = sorted(counts, key=lambda label: (counts[label], label))[:clips]
    for number in range(min(clips, len(by_size))):
        shown = by_size
        if number < len(labels):
            shown = [record for record in by_size if labels[number] in record.labels]
        # From place to place another part of the sizes that there are.
        middle = int(len(shown) * ((number * 0.618) % 1.0))
        order = sorted(range(len(shown)), key=lambda place: abs(place - middle))
        yield [shown[place] for place in order[: TRIES + clips]]


def _strip(manifest: Manifest, record: ClipRecord, frames: int) -> Strip | None:
    indices = np.linspace(0, record.length - 1, min(frames, record.length)).round().astype(np.int64)
    try:
        with ClipReader(manifest.file(record), record) as reader:
            return Strip(record, reader.read(indices).numpy())
    except ClipError:
        return None
