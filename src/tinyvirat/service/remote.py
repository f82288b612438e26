"""A video decoded in a process of its own, behind the same `VideoReader` as any other."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tinyvirat.service.limits import Limits
from tinyvirat.video import Frame, VideoError, VideoInfo, VideoReader

LONGEST_LINE = 1 << 16
BYTES_AT_ONCE = 1 << 26
"""Frames asked for together take at most this much (or are a single one)."""


class TooSlowError(VideoError):
    """A video whose decoding took longer than it may."""


def open_remote(path: Path, limits: Limits) -> VideoReader:
    """Opens a video in another process, which has `limits.seconds` for all that is asked of it.

    Args:
        path: the file.
        limits: its largest picture, its longest length, time and memory.

    Raises:
        VideoError: it cannot be read, or is larger or longer than it may be; also from the reader.
        TooSlowError: the time is over; also from the reader.
    """
    return VideoReader(path, RemoteSource(path, limits))


def command(path: Path, limits: Limits) -> list[str]:
    """What starts the process that decodes."""
    module = "tinyvirat.service.child"
    return [sys.executable, "-m", module, str(path.absolute()), json.dumps(asdict(limits))]


class RemoteSource:
    """The frames of a video, decoded by `tinyvirat.service.child`.

    Nothing that comes from there is more than numbers and pixels, and all of it is checked: a video
    that takes over its decoder has gained that process only.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._count: int | None = None
        self._expired = False
        self._process = subprocess.Popen(
            command(path, limits),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._timer = threading.Timer(limits.seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()
        try:
            self._info = self._read_info()
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> VideoInfo:
        """Facts about the file."""
        return self._info

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Every frame from number `start` on."""
        yield from self.read(range(start, self.count()))

    def read(self, wanted: Iterable[int]) -> Iterator[Frame]:
        """The frames with these numbers, which must ascend without repeats."""
        numbers = list(wanted)
        step = max(1, BYTES_AT_ONCE // self._frame_bytes)
        for begin in range(0, len(numbers), step):
            # All of them are taken in before the first is given: the caller may stop in between.
            yield from self._read(numbers[begin : begin + step])

    def count(self) -> int:
        """How many frames there are."""
        if self._count is None:
            self._ask({"count": True})
            self._count = self._number(self._message(), "count", self._limits.frames)
        return self._count

    def close(self) -> None:
        """Ends the process."""
        self._timer.cancel()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    @property
    def _frame_bytes(self) -> int:
        return self._info.width * self._info.height * 3

    def _expire(self) -> None:
        self._expired = True
        self._process.kill()

    def _read_info(self) -> VideoInfo:
        told = self._message()
        width = self._number(told, "width", self._limits.pixels)
        height = self._number(told, "height", self._limits.pixels // width)
        header, duration = told.get("header_frames"), told.get("duration")
        try:
            fps = Fraction(str(told.get("fps")))
        except (ValueError, ZeroDivisionError):
            raise self._failure() from None
        if fps <= 0:
            raise self._failure()
        return VideoInfo(
            path=self._path,
            width=width,
            height=height,
            fps=fps,
            header_frames=header if isinstance(header, int) else None,
            duration=duration if isinstance(duration, float) else None,
            codec=str(told.get("codec")),
            pixel_format=str(told.get("pixel_format")),
            rotation=self._number(told, "rotation", 270, least=0),
        )

    def _read(self, numbers: list[int]) -> list[Frame]:
        self._ask({"read": numbers})
        frames = []
        for index in numbers:
            told = self._message()
            time = told.get("time")
            if told.get("index") != index or not isinstance(time, float):
                raise self._failure()
            frame_N = np.frombuffer(self._bytes(self._frame_bytes), dtype=np.uint8)
            frame_HWC = frame_N.reshape(self._info.height, self._info.width, 3)
            frames.append(Frame(index, time, frame_HWC))
        return frames

    def _ask(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):  # ValueError: closed
            raise self._failure() from None

    def _message(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline(LONGEST_LINE)
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise self._failure() from None
        if not isinstance(message, dict):
            raise self._failure()
        if "error" in message:
            raise VideoError(self._path, str(message["error"])[:500])
        return message

    def _bytes(self, count: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) != count:
            raise self._failure()
        return data

    def _number(self, message: dict[str, Any], key: str, most: int, *, least: int = 1) -> int:
        value = message.get(key)
        if type(value) is not int or not least <= value <= most:
            raise self._failure()
        return value

    def _failure(self) -> VideoError:
        """Why there is no proper answer."""
        if self._expired:
            return TooSlowError(
                self._path, f"could not be answered within {self._limits.seconds:g} seconds"
            )
        return VideoError(self._path, "made its decoder fail; it is damaged, or meant to do harm")
