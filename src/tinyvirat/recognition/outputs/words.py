"""How times and sources are written in pictures and pages."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/@\s]*@")


def clock(seconds: float, decimals: int = 1) -> str:
    """A time as `1:02:03.4`, or `02:03.4` within the first hour."""
    ticks = round(max(0.0, seconds) * 10**decimals)
    whole, part = divmod(ticks, 10**decimals)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    tail = f".{part:0{decimals}d}" if decimals else ""
    return (f"{hours}:" if hours else "") + f"{minute:02d}:{second:02d}{tail}"


def source_name(video: str) -> str:
    """A source as it may be shown: an address without the name and password of who may see it."""
    return _CREDENTIALS.sub(r"\1", video)


def base_name(video: str) -> str:
    """The last part of a source's name: a file without its folders."""
    shown = source_name(video)
    return shown.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or shown or "video"
