"""Frames through torchcodec, each checked against the file's timetable; PyAV where that fails.

torchcodec goes by the packets, too, but what it makes of a file that they do not describe depends
on its version and on the FFmpeg it finds. So it is asked only for files with a proven timetable and
common pixels, its first frame must equal PyAV's, every frame must carry the time of the one that
was asked for, and the first error or mismatch hands the file to PyAV for good. That way both
decoders give the same frames of any file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from torchcodec.decoders import VideoDecoder

from tinyvirat.video.decoding import chosen_threads
from tinyvirat.video.frames import Frame, VideoInfo
from tinyvirat.video.packets import Timetable
from tinyvirat.video.pyav_source import PyavSource

# Stored pixels that FFmpeg turned into the same RGB in every version tried. At 10 bits, for one,
# versions differ in how they spread the halved colour planes.
SAME_RGB = frozenset({"gray", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"})
# Frames asked for at once: enough to spread the cost of a call, few enough to stay small in memory.
BATCH = 8
BATCH_BYTES = 2**25
# Two programs turn the same timestamp into seconds and may differ in the last bits.
SAME_TIME_S = 1e-6


class TorchcodecSource:
    """A file decoded by torchcodec.

    Args:
        path: the file.
        threads: of the decoder; None chooses by the size of the pictures.

    Raises:
        VideoError: as `PyavSource`.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._path = path
        self._pyav = PyavSource(path, threads)
        self.info: VideoInfo = self._pyav.info
        self._threads = threads or chosen_threads(self.info.width * self.info.height)
        self._batch_size = max(
            1, min(BATCH, BATCH_BYTES // (3 * self.info.width * self.info.height))
        )
        self._checked: tuple[VideoDecoder, Timetable] | None = None
        # A note that also mirrors the picture is taken by torchcodec for a plain turn.
        if self.info.pixel_format in SAME_RGB and not self._pyav.upright.mirrored:
            self._checked = self._opened(self._pyav.known.timetable())

    @property
    def stumbled(self) -> bool:
        """Whether PyAV has the file."""
        return self._checked is None

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Every frame from number `start` on, in constant memory."""
        while self._checked is not None and start < len(self._checked[1]):
            for frame in self._batch(
                range(start, min(start + self._batch_size, len(self._checked[1])))
            ):
                yield frame
                start += 1
        if self._checked is None:
            yield from self._pyav.frames(start)

    def read(self, wanted: Iterable[int]) -> Iterator[Frame]:
        """The frames with these numbers, which must ascend without repeats.

        Raises:
            VideoError: one of them lies behind the last frame.
        """
        left = iter(wanted)
        while batch := list(islice(left, self._batch_size)):
            frames = self._batch(batch) if self._checked is not None else []
            yield from frames or self._pyav.read(batch)

    def count(self) -> int:
        """How many frames there are."""
        return self._pyav.count()

    def close(self) -> None:
        """Lets go of the file."""
        self._checked = None
        self._pyav.close()

    def _opened(self, table: Timetable | None) -> tuple[VideoDecoder, Timetable] | None:
        if table is None:
            return None
        try:
            decoder = VideoDecoder(
                str(self._path.absolute()),
                stream_index=table.stream,
                dimension_order="NHWC",
                num_ffmpeg_threads=self._threads,
                device="cpu",
                seek_mode="exact",
            )
        except (RuntimeError, ValueError):
            return None
        self._checked = decoder, table
        for truth, frame in zip(self._pyav.read([0]), self._batch([0]), strict=False):
            if np.array_equal(truth.frame_HWC, frame.frame_HWC):
                return decoder, table
        return None

    def _batch(self, wanted: Sequence[int]) -> list[Frame]:
        """These frames; none of them, and PyAV from now on, when one is not what it should be."""
        assert self._checked is not None
        decoder, table = self._checked
        size = (len(wanted), self.info.height, self.info.width, 3)
        try:
            got = decoder.get_frames_at(list(wanted))
        except (RuntimeError, IndexError, ValueError):
            self._checked = None
            return []
        stamps_T = table.stamps(np.asarray(wanted))
        frames_THWC = got.data.numpy()
        if frames_THWC.shape != size or not np.allclose(
            got.pts_seconds.numpy(), stamps_T, rtol=0, atol=SAME_TIME_S
        ):
            self._checked = None
            return []
        return [Frame(i, table.time(i), f) for i, f in zip(wanted, frames_THWC, strict=True)]
