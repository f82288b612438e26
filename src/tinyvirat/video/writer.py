"""Frames into an H.264 file that comes back in the same size, number and rate, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from tinyvirat.common.files import written_beside
from tinyvirat.video.container import checked_size
from tinyvirat.video.decoding import chosen_threads
from tinyvirat.video.errors import VideoError
from tinyvirat.video.planes import Colours, PlaneClip, rows_of

CRF = 18
WORST = 51
# The macroblock tree sums floats in an order that differs from run to run. Without CABAC, each
# encoder begins by computing tables for 1.5 ms, which is the time of twenty tiny frames.
X264 = "mbtree=0:cabac=1"
SLOWEST = Fraction(1, 1000)
FASTEST = Fraction(1000)


class VideoWriter:
    """Writes frames one by one; use it in a `with` block.

    The file appears under its name when the block ends without an error; until then, and after an
    error, whatever was there stays. Pixels are stored as yuv420p where both sides are even, which
    every player shows, else as yuv444p, because half a colour sample cannot be stored. The same
    frames with the same settings give the same bytes, also on another day.

    Args:
        path: the file to write, ending in `.mp4`. Its folder is made.
        fps: frames a second, exact: `Fraction(30000, 1001)` survives. A float is refused.
        crf: x264's quality, from 0 (best) to 51 (worst).
        preset: x264's trade of time against size, such as `veryfast`.
        threads: of the encoder; None takes one for pictures up to 640x480, else one a core. The
            bytes depend on it.
        colours: what the numbers in planes mean, for `write_planes` only.
        quantiser: x264's constant quantiser from 0 to 51, in place of `crf`: what is lost of a
            picture then does not depend on what it shows, and deciding takes no time.
        ticks: keep each frame's own time, which is then given with it, in so many ticks a second:
            90000 divides evenly into all usual rates and into milliseconds. None: every frame lasts
            1 / `fps`.
        in_place: write under the file's own name from the start and leave it to the system when
            the bytes reach the disk, which saves several milliseconds a file: for a folder that is
            moved into place when all of it is there. After an error the file is removed.

    Raises:
        VideoError: a wrong name, rate or quality. `write`: a frame that is not uint8 (H, W, 3) or
            not of the first one's size. At the end: no frame at all, or no room to write.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: Fraction | int,
        *,
        crf: int = CRF,
        preset: str = "medium",
        threads: int | None = None,
        colours: Colours | None = None,
        quantiser: int | None = None,
        ticks: int | None = None,
        in_place: bool = False,
    ) -> None:
        self.path = Path(path)
        self.frames = 0
        self._colours = colours or Colours()
        self._fps = self._checked_fps(fps)
        self._ticks = ticks
        self._tick = 1 / self._fps if ticks is None else Fraction(1, ticks)
        self._last = -1
        if self.path.suffix.lower() != ".mp4":
            raise VideoError(self.path, "videos are written as MP4; let the name end in .mp4")
        name, quality = ("crf", crf) if quantiser is None else ("qp", quantiser)
        if isinstance(quality, bool) or not isinstance(quality, int) or not 0 <= quality <= WORST:
            raise VideoError(
                self.path, f"{name} is {quality!r}; it is a whole number from 0 to {WORST}"
            )
        self._options = {name: str(quality), "preset": preset, "x264-params": X264}
        self._threads = threads
        self._in_place = in_place
        self._temporary: Path | None = None
        self._output: tuple[OutputContainer, VideoStream] | None = None

    def __enter__(self) -> VideoWriter:
        self._session = self._written()
        return self._session.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.__exit__(kind, error, trace)
        self._temporary = None

    @contextmanager
    def _written(self) -> Iterator[VideoWriter]:
        """The block in which frames come, between the temporary file's making and its renaming."""
        callers_error: BaseException | None = None
        try:
            written = _written_there if self._in_place else written_beside
            with written(self.path) as self._temporary:
                try:
                    yield self
                except BaseException as error:
                    callers_error = error
                    raise
                else:
                    self._finish()
                finally:
                    self._close()
        except OSError as error:
            if error is callers_error:
                raise
            raise VideoError(self.path, f"cannot be written: {error.strerror}") from None

    def write(self, frame_HWC: NDArray[np.uint8], *, time: float | None = None) -> None:
        """Adds a frame.

        Args:
            frame_HWC: uint8 RGB, of the same size as the first.
            time: of the frame in seconds, from 0; needed with `ticks`, and only then.

        Raises:
            VideoError: it is not, or it cannot be encoded.
            ValueError: a time is missing, or one too many.
        """
        if self._temporary is None:
            raise VideoError(self.path, "write inside the `with` block of its VideoWriter")
        picture = np.asarray(frame_HWC)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise VideoError(
                self.path,
                f"frame {self.frames} is {picture.dtype} of shape {picture.shape}; "
                "a frame is uint8 of shape (height, width, 3), RGB",
            )
        if 0 in picture.shape:
            height, width = picture.shape[:2]
            raise VideoError(self.path, f"a frame of {width}x{height} has no pixels")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        self._encode(frame, Colours(), time)

    def write_planes(self, clip: PlaneClip, *, times: Sequence[float] | None = None) -> None:
        """Adds frames whose planes are stored as they are.

        Args:
            clip: pictures of even height and width, of the same size as the first.
            times: of the frames in seconds, from 0; needed with `ticks`, and only then.

        Raises:
            VideoError: they are not, or they cannot be encoded.
            ValueError: a time is missing, or one too many.
        """
        if self._temporary is None:
            raise VideoError(self.path, "write inside the `with` block of its VideoWriter")
        frames, height, width = clip.y_THW.shape
        half = (frames, height // 2, width // 2)
        odd = height % 2 or width % 2 or 0 in half
        if odd or {clip.u_Thw.shape, clip.v_Thw.shape} != {half}:
            raise VideoError(
                self.path,
                f"frame {self.frames} has planes of {clip.y_THW.shape}, {clip.u_Thw.shape} and "
                f"{clip.v_Thw.shape}; the first is of even sides, the others of half of them",
            )
        # One frame serves all pictures: x264 has copied it when `encode` returns.
        frame = VideoFrame(width, height, "yuv420p")
        y_HW, u_hw, v_hw = (rows_of(plane) for plane in frame.planes)
        for number in range(frames):
            y_HW[:], u_hw[:], v_hw[:] = clip.y_THW[number], clip.u_Thw[number], clip.v_Thw[number]
            time = None if times is None else times[number]
            self._encode(frame, self._colours, time)

    def _encode(self, frame: VideoFrame, colours: Colours, time: float | None) -> None:
        stamp = self._stamp(time)
        if self._output is None:
            self._output = self._begun(frame.height, frame.width, colours)
        container, stream = self._output
        if (frame.width, frame.height) != (stream.width, stream.height):
            raise VideoError(
                self.path,
                f"frame {self.frames} is {frame.width}x{frame.height}, the first was "
                f"{stream.width}x{stream.height}; all frames of a video have one size",
            )
        frame.pts, frame.time_base = stamp, self._tick
        try:
            container.mux(stream.encode(frame))
        except av.FFmpegError as error:
            raise VideoError(self.path, f"cannot be written: {error}") from None
        self.frames, self._last = self.frames + 1, stamp

    def _stamp(self, time: float | None) -> int:
        """When the next frame is shown, in ticks; where two come at one time, a tick later."""
        if (time is None) != (self._ticks is None):
            raise ValueError("a frame's time is needed with `ticks`, and only then")
        if time is None or self._ticks is None:
            return self.frames
        return max(round(time * self._ticks), self._last + 1)

    def _begun(
        self, height: int, width: int, colours: Colours
    ) -> tuple[OutputContainer, VideoStream]:
        checked_size(self.path, width, height)
        container = av.open(
            str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"}
        )
        try:
            stream = container.add_stream("libx264", rate=self._fps, options=self._options)
        except (av.FFmpegError, ValueError) as error:
            container.close()
            raise VideoError(self.path, f"this PyAV has no H.264 encoder: {error}") from None
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.thread_count = self._threads or chosen_threads(width * height)
        # Said aloud: what is left open, players guess by the size of the picture.
        context.colorspace, context.color_range = colours.matrix, colours.range
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        return container, stream

    def _finish(self) -> None:
        if self._output is None:
            raise VideoError(self.path, "no frame was written; a video has one frame or more")
        container, stream = self._output
        try:
            container.mux(stream.encode(None))
            container.close()
        except av.FFmpegError as error:
            raise VideoError(self.path, f"cannot be written: {error}") from None
        self._output = None

    def _close(self) -> None:
        if self._output is not None:
            # The error that ended the writing is the one to report.
            with suppress(av.FFmpegError):
                self._output[0].close()
            self._output = None

    def _checked_fps(self, fps: Fraction | int) -> Fraction:
        if isinstance(fps, bool) or not isinstance(fps, int | Fraction):
            raise VideoError(
                self.path,
                f"fps is {fps!r}; give a whole number or an exact Fraction such as "
                "Fraction(30000, 1001)",
            )
        if not SLOWEST <= fps <= FASTEST:
            raise VideoError(self.path, f"fps is {fps}; it lies between {SLOWEST} and {FASTEST}")
        return Fraction(fps)


@contextmanager
def _written_there(path: Path) -> Iterator[Path]:
    """Gives the path itself to write to; removes the file when the block raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_video(
    path: str | os.PathLike[str],
    frames_THWC: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    fps: Fraction | int,
    *,
    crf: int = CRF,
    preset: str = "medium",
    threads: int | None = None,
) -> None:
    """Writes frames to an H.264 MP4, whole or not at all.

    Args:
        path: the file to write, ending in `.mp4`.
        frames_THWC: uint8 RGB of shape (T, H, W, 3), or anything that yields frames (H, W, 3).
        fps: frames a second, exact.
        crf: x264's quality, from 0 (best) to 51 (worst).
        preset: x264's trade of time against size.
        threads: of the encoder; None chooses by the size of the pictures.

    Raises:
        VideoError: as `VideoWriter`.
    """
    with VideoWriter(path, fps, crf=crf, preset=preset, threads=threads) as writer:
        for frame_HWC in frames_THWC:
            writer.write(frame_HWC)
