"""Exact frames in, frames out; knows nothing of learning.

The names below are loaded when first used, so that `tinyvirat.video.sampling` and the command
line's help need neither decoder.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyvirat.video.errors import SamplingError, VideoError
    from tinyvirat.video.frames import Clip, Frame, VideoInfo
    from tinyvirat.video.probe import decoders
    from tinyvirat.video.reader import DecoderName, VideoReader, open_video, read_clip
    from tinyvirat.video.writer import VideoWriter, write_video

__all__ = [
    "Clip",
    "DecoderName",
    "Frame",
    "SamplingError",
    "VideoError",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "decoders",
    "open_video",
    "read_clip",
    "write_video",
]

_HOMES = {
    "Clip": "frames",
    "DecoderName": "reader",
    "Frame": "frames",
    "SamplingError": "errors",
    "VideoError": "errors",
    "VideoInfo": "frames",
    "VideoReader": "reader",
    "VideoWriter": "writer",
    "decoders": "probe",
    "open_video": "reader",
    "read_clip": "reader",
    "write_video": "writer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
