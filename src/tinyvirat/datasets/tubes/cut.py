"""How long clips are: tubes cut into pieces that a network can be shown."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from tinyvirat.datasets.tubes.records import Span, Tube
from tinyvirat.datasets.tubes.rules import CutRule


def pieces_of(frames: int, longest: int) -> tuple[tuple[int, int], ...]:
    """The fewest spans of at most `longest` frames, their lengths different by one at most.

    Equal pieces, because a rest of a few frames would be lost or be hard to recognise. TinyVIRAT-v2
    seems to have been made so: of the 24 clips whose lengths are at hand none is longer than 147
    frames, ten have between 123 and 147, and no length stands out, as a fixed one would.

    Args:
        frames: to be cut.
        longest: frames of a piece.

    Returns:
        First frame, and the frame after the last, of each; without a gap, from 0 to `frames`.
    """
    number = -(-frames // longest)
    edges = [frames * index // number for index in range(number + 1)] if number else []
    return tuple(pairwise(edges))


def is_long_enough(frames: int, rule: CutRule) -> bool:
    """Whether so many frames with the same labels make a clip."""
    return frames >= rule.shortest


def chunks(tube: Tube, rule: CutRule) -> tuple[Tube, ...]:
    """A tube in pieces of at most `rule.longest` frames."""
    return tuple(
        replace(tube, start=tube.start + start, boxes_T4=tube.boxes_T4[start:stop])
        for start, stop in pieces_of(len(tube.boxes_T4), rule.longest)
    )


def span_chunks(span: Span, rule: CutRule) -> tuple[Span, ...]:
    """The same of a span without boxes."""
    return tuple(
        replace(span, start=span.start + start, stop=span.start + stop)
        for start, stop in pieces_of(span.stop - span.start, rule.longest)
    )
