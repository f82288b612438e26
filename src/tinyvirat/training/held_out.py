"""Training videos that are kept from training, to tune the finished model on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from tinyvirat.datasets.folder import split_by_source
from tinyvirat.datasets.manifest import ClipRecord, Manifest

MOST = 0.5
"""No class gives up a larger share of its clips than this, or than is asked for where that is more:
what is learnt from comes before what is tuned on."""


def held_out_sources(records: Sequence[ClipRecord], share: float) -> frozenset[str]:
    """Source videos that hold about a share of the clips of every class.

    They depend on the names of the sources and on nothing random: every recipe and seed holds out
    the same. A class of few sources has none to spare, also where they are full of another class.

    Args:
        records: the training clips.
        share: from 0 (none) to below 1.
    """
    if not share:
        return frozenset()
    splits = split_by_source(records, (1.0 - share, share, 0.0))
    held = {source for source, split in splits.items() if split == "val"}
    clips: dict[str, Counter[str]] = {source: Counter() for source in splits}
    for record in records:
        clips[record.source].update(record.labels)
    spare = sum(clips.values(), Counter())
    spare = Counter({label: int(max(share, MOST) * number) for label, number in spare.items()})
    for source in sorted(held):
        given = sum((clips[one] for one in held), Counter())
        if any(given[label] > spare[label] for label in clips[source]):
            held.remove(source)
    return frozenset(held)


def with_val(manifest: Manifest, sources: AbstractSet[str]) -> Manifest:
    """A manifest whose training clips of these sources are its `val` split."""
    records = tuple(
        replace(record, split="val")
        if record.split == "train" and record.source in sources
        else record
        for record in manifest.records
    )
    return replace(manifest, records=records)
