"""Clips that are there twice: by the hash of their frames, or nearly, by their thumbnails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tinyvirat.datasets.health.facts import ClipFacts
from tinyvirat.datasets.health.problems import BLANK_CONTRAST, Problem
from tinyvirat.datasets.records import ClipRecord

KEPT_FIRST = ("test", "val", "train")
"""Of the same clip in several splits the first of these is kept: scores stay comparable."""

# Clips compared with all others at once: bounds the memory to a few tens of MB.
ROWS = 512


def duplicates(records: Sequence[ClipRecord], facts: Sequence[ClipFacts]) -> Iterator[Problem]:
    """Clips whose frames equal another's, level for level.

    Of each group one clip is taken as the original and has no problem: one of the split that stands
    first in `KEPT_FIRST`, and there the first in the manifest.
    """
    groups: dict[str, list[ClipRecord]] = {}
    for record, fact in zip(records, facts, strict=True):
        if fact.content is not None and fact.contrast >= BLANK_CONTRAST:
            groups.setdefault(fact.content, []).append(record)
    for group in groups.values():
        original, *copies = sorted(group, key=lambda record: KEPT_FIRST.index(record.split))
        for copy in copies:
            yield _problem(copy, original, "duplicate", "the same frames as")


def near_duplicates(
    records: Sequence[ClipRecord], facts: Sequence[ClipFacts], distance: int
) -> Iterator[Problem]:
    """Clips that look like another one: resized, compressed again, or of the same static scene.

    A sign, not a proof: a fixed camera gives nearly the same picture again and again.

    Args:
        records: the clips.
        facts: what they are.
        distance: bits of the 192 of a thumbnail that may differ.
    """
    chosen = [
        n
        for n, fact in enumerate(facts)
        if fact.thumbnail is not None and fact.contrast >= BLANK_CONTRAST
    ]
    signs_NB = _signs([facts[n].thumbnail or "" for n in chosen])
    for first, second, apart in _pairs_within(signs_NB, distance):
        one, other = records[chosen[first]], records[chosen[second]]
        if facts[chosen[first]].content == facts[chosen[second]].content:
            continue
        original, copy = sorted((one, other), key=lambda r: KEPT_FIRST.index(r.split))
        where = "" if one.split == other.split else f" (of {original.split})"
        detail = f"differs in {apart} of {signs_NB.shape[1]} bits from {original.id!r}{where}"
        yield Problem("near-duplicate", copy.id, detail, original.id)


def _problem(copy: ClipRecord, original: ClipRecord, kind: str, words: str) -> Problem:
    detail = f"{words} {original.id!r}"
    if copy.split != original.split:
        kind = "leak"
        detail += f", which is in {original.split}; this one is in {copy.split}"
    if set(copy.labels) != set(original.labels):
        names = [", ".join(record.labels) or "no label" for record in (copy, original)]
        detail += f"; their labels differ: {names[0]} against {names[1]}"
    return Problem(kind, copy.id, detail, original.id)


def _signs(thumbnails: Sequence[str]) -> NDArray[np.float32]:
    """Bits as -1 and 1: the product of two rows tells how many differ."""
    packed = [np.frombuffer(bytes.fromhex(text), np.uint8) for text in thumbnails]
    if not packed:
        return np.empty((0, 0), np.float32)
    return np.unpackbits(np.stack(packed), axis=1).astype(np.float32) * 2.0 - 1.0


def _pairs_within(signs_NB: NDArray[np.float32], distance: int) -> Iterator[tuple[int, int, int]]:
    """For every row that has an earlier one near, the nearest of those: (earlier, row, bits)."""
    for begin in range(0, len(signs_NB), ROWS):
        rows = signs_NB[begin : begin + ROWS]
        apart = (signs_NB.shape[1] - rows @ signs_NB[: begin + len(rows)].T) / 2.0
        for number, line in enumerate(apart):
            row = begin + number
            if row == 0:
                continue
            nearest = int(np.argmin(line[:row]))
            if line[nearest] <= distance:
                yield nearest, row, round(float(line[nearest]))
