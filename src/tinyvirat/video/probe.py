"""Which decoders really decode here: asked of a clip that is built in, not of an import.

A decoder can be installed and yet be of no use: torchcodec needs FFmpeg's libraries beside it and a
build that fits this PyTorch, and finds out only at work.
"""

from __future__ import annotations

import base64
import tempfile
import zlib
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tinyvirat.video.errors import VideoError
from tinyvirat.video.frames import FrameSource
from tinyvirat.video.pyav_source import PyavSource

# Three flat frames of 16x16 in H.264 (MP4), encoded by x264 from the grey levels below.
CLIP = """
eNpjYGBQSCupLMgszs9lYGBiANFAbJRYlmyYW2BiyMDAwJFWlJoKpN1yUxJLgDR/akcLg/b/f9+vbD+z6YXlf6AQ
n+MsxRyn/U+fPJzx4YhzA1BE1HGWk43iZM0W7f+Pnf/Pv/H/wM8FVTcZGJjFc/Pzy4AKcnLLMlIYUADzCwYGRh0G
RgYQQgBGVFXofAcGvIAJiNJKihKzgeyYkmywncyYpgHtZcBvD1Z7BaCYgUElNaWkGEjLpOYUlyB0gMzlgOplvJeb
kpkIZCjkpqD7XQOIeRhCj4A5uhkpOUUwmbLMlFRklWFAfr5HYl5KTipIDWNnbmZeGpAhUpYLNhTZmSopEDmZlKLU
NCRv8JQW5ShAHehZXJKUA2SvLS4pTkFSMxeUBHAEBcjTAgweQNoDpwp0IPEflFKMgaY6M6YwcP1/yCCWDqTX3Ixr
AcUIC4gIsPGYFsHIwJbx+oGzTvffHz9AGkWSSoqgIcpWCjOsuAQc2jCrgTHKAlYL9ASyOAhLJGOo5QCxZYBqk9HU
MkNpBaBcFXLSBGJhIBYCYkmIPcn5SHoNgNi2NKUEFLumualgGgQUkWMSGPtFiQUFOcihwpEJTC4AIWWBIA==
"""
LEVELS = (40, 120, 200)
TOLERANCE = 2


def decoders() -> dict[str, str | None]:
    """The decoders by name: None for one that decodes the built-in clip, else what went wrong.

    They are tried once; loading torchcodec takes some seconds the first time.
    """
    return dict(tried())


@cache
def tried() -> dict[str, str | None]:
    """The same, remembered."""
    with tempfile.TemporaryDirectory(prefix="tinyvirat-") as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(zlib.decompress(base64.b64decode(CLIP)))
        return {"pyav": _pyav_trouble(path), "torchcodec": _torchcodec_trouble(path)}


def _pyav_trouble(path: Path) -> str | None:
    try:
        with closing(PyavSource(path, threads=1)) as source:
            return _trouble(source)
    except VideoError as error:
        return error.cause


def _torchcodec_trouble(path: Path) -> str | None:
    if find_spec("torchcodec") is None:
        return "it is not installed: pip install 'tinyvirat[torchcodec]'"
    try:
        from tinyvirat.video.torchcodec_source import TorchcodecSource
    except Exception as error:
        # Whatever a native library may raise while it fails to load is an answer here.
        return f"it cannot be loaded: {_first_line(error)}"
    try:
        with closing(TorchcodecSource(path, threads=1)) as source:
            return _trouble(source) or ("it does not decode H.264" if source.stumbled else None)
    except VideoError as error:
        return error.cause


def _trouble(source: FrameSource) -> str | None:
    frames = [frame.frame_HWC for frame in source.frames()]
    levels = [(int(f.min()), int(f.max())) for f in frames]
    right = len(frames) == len(LEVELS) and all(
        level - TOLERANCE <= low <= high <= level + TOLERANCE
        for level, (low, high) in zip(LEVELS, levels, strict=True)
    )
    return None if right else f"it decodes the built-in clip wrongly: {levels}"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
