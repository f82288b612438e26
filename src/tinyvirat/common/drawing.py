"""What all figures have in common: how they are made and saved, their colours and their text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvirat.common.files import written_beside
from tinyvirat.common.words import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 120
INK, SECOND, PALE = "#1f5a8a", "#d08a2e", "#c8cdd2"
LONGEST_NAME = 28


@contextmanager
def figure(
    path: Path, size: tuple[float, float], *, dpi: int = DPI, tight: bool = True
) -> Iterator[Figure]:
    """A figure that is saved whole when the block succeeds.

    The user's own matplotlib settings are left aside, so that it looks the same everywhere.

    Args:
        path: the PNG file to write.
        size: width and height in inches.
        dpi: pixels an inch.
        tight: cut the saved picture to what is drawn, instead of to `size`.

    Raises:
        ValueError: the path does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: pictures are PNG files, so the name must end in .png")
    # Figures of their own, without pyplot: no window, no global state, nothing to close.
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context("default"):
        drawn = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(drawn)
        yield drawn
        box = "tight" if tight else None
        with written_beside(path) as temporary:
            drawn.savefig(temporary, dpi=dpi, bbox_inches=box, metadata={"Software": None})


def drawable(text: str, longest: int | None = LONGEST_NAME) -> str:
    """Text as it can be drawn: one line, not too long, and no mathematics in dollars.

    Args:
        text: anything, such as the name of a class.
        longest: characters; None for any number.
    """
    return one_line(text, longest).replace("$", r"\$")
