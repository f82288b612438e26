"""What is measured of a file and its clips by decoding them: plain data, no judgement."""

from __future__ import annotations

from dataclasses import dataclass

from tinyvirat.datasets.records import ClipRecord, Window


@dataclass(frozen=True)
class View:
    """The part of a file that a clip is.

    Attributes:
        start: its first frame.
        stop: the frame after its last.
        windows: square boxes in pixels of the file, one or one a frame; None is the whole frame.
    """

    start: int
    stop: int
    windows: tuple[Window, ...] | None


def view_of(record: ClipRecord) -> View:
    """The part of its file that a record is about."""
    return View(*record.span, record.windows)


@dataclass(frozen=True)
class ClipFacts:
    """What a clip's decoded frames are.

    Attributes:
        frames: how many of them there are.
        content: SHA-256 of their sizes and levels, lower-case hexadecimal; None without frames.
        thumbnail: 192 bits that stay nearly the same when a clip is resized or compressed again,
            hexadecimal; None where there are too few frames to make them.
        change: how far any part of the picture moves away from the first frame: the largest mean
            absolute difference of a block of 8 x 8 pixels, levels; measured up to `ENOUGH`.
        contrast: the largest standard deviation of the levels within a frame; measured up to
            `ENOUGH`.
    """

    frames: int
    content: str | None
    thumbnail: str | None
    change: float
    contrast: float


@dataclass(frozen=True)
class FileFacts:
    """What a video file is.

    Attributes:
        trouble: why it cannot be decoded to its end; None when it can.
        frames: how many decode.
        header_frames: how many its header promises; None where it does not say.
        height: of its frames, pixels.
        width: of its frames, pixels.
        fps: frames a second, as a fraction in text; empty when the file cannot be opened.
        clips: of the views that were asked for, in their order.
    """

    trouble: str | None
    frames: int
    header_frames: int | None
    height: int
    width: int
    fps: str
    clips: tuple[ClipFacts, ...]


ENOUGH = 16.0
"""Levels of change and contrast beyond which nobody asks for more."""


def unreadable(trouble: str, views: int) -> FileFacts:
    """The facts of a file of which nothing can be said but why."""
    nothing = ClipFacts(0, None, None, 0.0, 0.0)
    return FileFacts(trouble, 0, None, 0, 0, "", (nothing,) * views)
