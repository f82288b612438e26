"""Training videos that are kept from training, to tune the finished model on."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from tinyvirat.datasets.folder import split_by_source
from tinyvirat.datasets.manifest import ClipRecord, Manifest


def held_out_sources(records: Sequence[ClipRecord], share: float) -> frozenset[str]:
    """Source videos that hold about a share of the clips of every class.

    They depend on the names of the sources and on nothing random: every recipe and seed holds out
    the same. A class of few sources has none to spare.

    Args:
        records: the training clips.
        share: from 0 (none) to below 1.
    """
    if not share:
        return frozenset()
    splits = split_by_source(records, (1.0 - share, share, 0.0))
    return frozenset(source for source, split in splits.items() if split == "val")


def with_val(manifest: Manifest, sources: AbstractSet[str]) -> Manifest:
    """A manifest whose training clips of these sources are its `val` split."""
    records = tuple(
        replace(record, split="val")
        if record.split == "train" and record.source in sources
        else record
        for record in manifest.records
    )
    return replace(manifest, records=records)
