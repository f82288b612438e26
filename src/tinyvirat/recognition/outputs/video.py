"""The video with what was recognised drawn on it: `annotated.mp4`.

Every frame keeps the time that it has in the source, whether the source has a steady rate or not,
so that a second of this video is the same second of the source. Time starts at the first frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from tinyvirat.recognition.events import AnsweredFrame, Event, StreamEnd, StreamHeader
from tinyvirat.recognition.outputs.files import OutputError, abandoned, writing
from tinyvirat.recognition.outputs.overlay import Canvas
from tinyvirat.video import VideoError, VideoWriter
from tinyvirat.video.planes import PlaneClip
from tinyvirat.video.writer import FASTEST, SLOWEST

NAME = "annotated.mp4"
TICKS = 90000
USUAL_RATE = Fraction(25)

# Of 768x576 pictures, 4 ms each; `veryfast` takes 1.5 ms more and a quarter less room.
PRESET = "superfast"
CRF = 25

# Not one a core: the bytes depend on it, and are to be the same on every machine.
THREADS = 2


class VideoSink:
    """Draws on every frame and encodes it.

    Args:
        out: the folder of the video. Without a single frame there is none, and that of an earlier
            run is removed.
    """

    def __init__(self, out: Path) -> None:
        self._path = out / NAME
        self._rate = USUAL_RATE
        self._session: ExitStack | None = None
        self._writer: VideoWriter | None = None
        self._canvas: Canvas | None = None
        self._first = 0.0

    def begin(self, header: StreamHeader) -> None:
        """Takes note of the rate."""
        # Live sources claim all kinds of rates. The frames have their own times anyway.
        self._rate = header.fps if SLOWEST <= header.fps <= FASTEST else USUAL_RATE

    def take(self, event: Event) -> None:
        """Draws and encodes a frame."""
        if not isinstance(event, AnsweredFrame):
            return
        if self._writer is None or self._canvas is None:
            self._writer, self._canvas = self._opened(event)
        height, width = self._canvas.height, self._canvas.width
        yuv_HW = np.empty((height * 3 // 2, width), np.uint8)
        # A tenth of the time that FFmpeg takes for it.
        cv2.cvtColor(self._canvas.paint(event), cv2.COLOR_RGB2YUV_I420, dst=yuv_HW)
        u_hw, v_hw = yuv_HW[height:].reshape(2, height // 2, width // 2)
        clip = PlaneClip(yuv_HW[None, :height], u_hw[None], v_hw[None])
        with _as_output():
            self._writer.write_planes(clip, times=(max(0.0, event.frame.time - self._first),))

    def end(self, end: StreamEnd) -> None:
        """Makes the video whole."""
        session, self._session = self._session, None
        if session is not None:
            with _as_output():
                session.close()
        else:
            with writing(self._path):
                self._path.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Removes what was written."""
        session, self._session = self._session, None
        abandoned(session)

    def _opened(self, event: AnsweredFrame) -> tuple[VideoWriter, Canvas]:
        canvas = Canvas(*event.frame.frame_HWC.shape[:2])
        self._first = event.frame.time
        with _as_output(), ExitStack() as opening:
            writer = VideoWriter(
                self._path, self._rate, crf=CRF, preset=PRESET, threads=THREADS, ticks=TICKS
            )
            opening.enter_context(writer)
            self._session = opening.pop_all()
        return writer, canvas


@contextmanager
def _as_output() -> Iterator[None]:
    """Makes the errors of the written video those of an output, apart from those of the source."""
    try:
        yield
    except VideoError as error:
        raise OutputError(str(error)) from error
