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
            kind = "duplicate" if copy.split == original.split else "leak"
            yield _problem(copy, original, kind, "the same frames as")


def near_duplicates(
    records: Sequence[ClipRecord], facts: Sequence[ClipFacts], distance: int
) -> Iterator[Problem]:
    """Clips that look like another one: resized, compressed again, or of the same static scene.

    A sign, not a proof: a fixed camera gives nearly the same picture again and again. A clip that
    is near to one of another split is told of that, else of the nearest of its own.

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
    # Originals come before their copies.
    chosen.sort(key=lambda n: KEPT_FIRST.index(records[n].split))
    signs_NB = _signs([facts[n].thumbnail or "" for n in chosen])
    content_N = np.unique([facts[n].content or "" for n in chosen], return_inverse=True)[1]
    split_N = np.array([KEPT_FIRST.index(records[n].split) for n in chosen])
    for row, apart_N in _distances(signs_NB):
        unequal_N = content_N[:row] != content_N[row]
        near = np.flatnonzero((apart_N <= distance) & unequal_N)
        if len(near) == 0:
            continue
        elsewhere = near[split_N[near] != split_N[row]]
        kind = "near-leak" if len(elsewhere) else "near-duplicate"
        choice = elsewhere if len(elsewhere) else near
        nearest = int(choice[np.argmin(apart_N[choice])])
        copy, original = records[chosen[row]], records[chosen[nearest]]
        bits = f"differs in {apart_N[nearest]:.0f} of {signs_NB.shape[1]} bits from"
        yield _problem(copy, original, kind, bits)


def _problem(copy: ClipRecord, original: ClipRecord, kind: str, words: str) -> Problem:
    detail = f"{words} {original.id!r}"
    if copy.split != original.split:
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


def _distances(signs_NB: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """For every row but the first the number of bits in which it differs from each before it."""
    for begin in range(0, len(signs_NB), ROWS):
        rows = signs_NB[begin : begin + ROWS]
        apart = (signs_NB.shape[1] - rows @ signs_NB[: begin + len(rows)].T) / 2.0
        for number in range(len(rows)):
            row = begin + number
            if row:
                yield row, apart[number, :row]
