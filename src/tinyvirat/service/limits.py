"""What one client may ask of the service."""

from __future__ import annotations

from dataclasses import dataclass

from tinyvirat.common.errors import TinyviratError


@dataclass(frozen=True)
class Limits:
    """Bounds of a request, and of how many there may be.

    Attributes:
        megabytes: largest upload, in 10^6 bytes.
        frames: longest video.
        pixels: largest picture, width times height.
        seconds: longest time from the end of the upload to the answer.
        upload_seconds: longest time that an upload may take.
        at_once: requests answered side by side.
        waiting: further requests that may be under way; more are sent away.
        memory: bytes of address space of the process that decodes.
    """

    megabytes: float = 64.0
    frames: int = 3000
    pixels: int = 1920 * 1080
    seconds: float = 60.0
    upload_seconds: float = 60.0
    at_once: int = 1
    waiting: int = 8
    memory: int = 4 << 30

    def __post_init__(self) -> None:
        for name in ("megabytes", "frames", "pixels", "seconds", "upload_seconds", "at_once"):
            if not getattr(self, name) > 0:
                raise TinyviratError(f"the limit {name} is {getattr(self, name)}, not above 0")
        if self.waiting < 0:
            raise TinyviratError(f"the limit waiting is {self.waiting}, not 0 or more")

    @property
    def bytes(self) -> int:
        """Largest upload in bytes."""
        return int(self.megabytes * 1e6)
