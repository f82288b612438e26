"""What a visitor of the page may ask."""

from __future__ import annotations

from dataclasses import dataclass

from tinyvirat.common.errors import TinyviratError
from tinyvirat.service.limits import Limits

MOST_FPS = 120
"""Frames a second; a file may claim more, but gets no more frames by it."""


@dataclass(frozen=True)
class AppLimits:
    """Bounds of a visit, and of how many wait.

    Attributes:
        megabytes: largest upload, in 10^6 bytes.
        seconds: longest video.
        pixels: largest picture, width times height.
        check_seconds: longest time that it may take to decode a video once.
        answer_seconds: longest time that recognition may take.
        memory: bytes of address space of the process that decodes.
        waiting: visitors that may wait for their turn; more are sent away.
        idle_seconds: for which a visitor's video and results are kept without a word from there.
    """

    megabytes: float = 200.0
    seconds: float = 120.0
    pixels: int = 3840 * 2160
    check_seconds: float = 120.0
    answer_seconds: float = 1800.0
    memory: int = 4 << 30
    waiting: int = 8
    idle_seconds: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("megabytes", "seconds", "check_seconds", "answer_seconds", "idle_seconds"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise TinyviratError(f"the limit {name} is {value}, not a number above 0")
        if self.waiting < 1:
            raise TinyviratError(f"the limit waiting is {self.waiting}, not 1 or more")

    @property
    def bytes(self) -> int:
        """Largest upload in bytes."""
        return int(self.megabytes * 1e6)

    def decoding(self, seconds: float) -> Limits:
        """Those of a process that decodes an upload and has `seconds` for it."""
        return Limits(
            megabytes=self.megabytes,
            frames=max(1, int(self.seconds * MOST_FPS)),
            pixels=self.pixels,
            seconds=seconds,
            memory=self.memory,
        )
