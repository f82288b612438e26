"""What can be wrong with a video file, or with how its frames are asked for."""

from __future__ import annotations

from pathlib import Path

from tinyvirat.common.errors import TinyviratError


class VideoError(TinyviratError):
    """A video that cannot be read or written as asked.

    The message is `PATH: cause`.

    Attributes:
        path: the file.
        cause: what is wrong with it, and the remedy where there is one.
    """

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(path, cause)
        self.path = path
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.path}: {self.cause}"


class SamplingError(TinyviratError):
    """A sampler that cannot be built from what was given, or a clip without frames to sample."""
