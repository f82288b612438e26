"""Colours that people who see red and green alike can tell apart.

The first seven are those of Okabe and Ito (2008) without black, their yellow a little darker so
that it shows on white; the others are of Tol's "muted" scheme.
"""

from __future__ import annotations

RGB = tuple[int, int, int]

PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#d9c51f",
    "#882255",
    "#44aa99",
    "#999933",
)
OTHER = "#8a9199"
"""Of the labels that are too rare for a colour of their own."""

BRIGHT: tuple[RGB, ...] = (
    (86, 180, 233),
    (240, 228, 66),
    (230, 159, 0),
    (204, 121, 167),
    (0, 200, 148),
    (255, 122, 38),
    (255, 255, 255),
)
"""For lines and letters in videos, on whatever is there."""


def colours_of(weights: dict[str, float]) -> dict[str, str]:
    """A colour for every label.

    Args:
        weights: how much there is of each label, by which the colours are given out.

    Returns:
        The labels, the most frequent first; all beyond the palette share `OTHER`.
    """
    order = sorted(weights, key=lambda label: (-weights[label], label))
    return {
        label: PALETTE[place] if place < len(PALETTE) else OTHER
        for place, label in enumerate(order)
    }
