"""What is known of a source before its first frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class SourceInfo:
    """What is known of a source before its first frame.

    Attributes:
        name: as it was given; without the password of an address.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second, as the source has it.
        frames: how many there will be, as the header claims; None where nobody knows.
        live: it does not wait: frames that come too fast are dropped.
        path: of a file; None for other sources.
    """

    name: str
    width: int
    height: int
    fps: Fraction
    frames: int | None
    live: bool
    path: Path | None = None
