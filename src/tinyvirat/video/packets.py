"""The timetable of a file's packets: where each frame is, when that can be proved.

Jumping to a frame is exact only if the number of frames before it is known without decoding them.
That holds when every packet makes one frame and carries its own time: then the n-th time in order
is the n-th frame's. `timetable` reads all packets once (no decoding) and answers None in every
other case, and then frames are counted by decoding from the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tinyvirat.video.container import open_container, video_stream

# Codings whose packets hold one frame each. Not VP8 and VP9 (packets that show nothing) and not
# MPEG-4 part 2 (AVI files pack two frames into one packet).
ONE_FRAME_A_PACKET = frozenset({"av1", "h264", "hevc", "mjpeg"})

# Containers that store the time of showing. AVI and raw streams do not: FFmpeg guesses it there,
# and guesses wrong for H.264 with B-frames.
WITH_TIMES = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})


@dataclass(frozen=True, eq=False)
class Timetable:
    """Times of all frames of a file, and the places to jump to.

    Attributes:
        stream: the number of the stream in its container.
        pts_N: the time of every frame in units of `time_base`, ascending, int64.
        time_base: seconds of a unit.
        keys_K: frame numbers of the key frames, ascending, int64.
    """

    stream: int
    pts_N: NDArray[np.int64]
    time_base: Fraction
    keys_K: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pts_N)

    def key_before(self, index: int) -> int | None:
        """The number of the last key frame not after frame `index`."""
        place = int(np.searchsorted(self.keys_K, index, side="right")) - 1
        return int(self.keys_K[place]) if place >= 0 else None

    def index_of(self, pts: int | None) -> int | None:
        """The number of the frame shown at `pts`, or None."""
        if pts is None:
            return None
        place = int(np.searchsorted(self.pts_N, pts))
        return place if place < len(self.pts_N) and self.pts_N[place] == pts else None

    def time(self, index: int) -> float:
        """Seconds of frame `index` since the first frame."""
        return float(int(self.pts_N[index] - self.pts_N[0]) * self.time_base)

    def stamps(self, indices_T: NDArray[np.int64]) -> NDArray[np.float64]:
        """The timestamps of these frames in seconds, as the file has them."""
        return self.pts_N[indices_T].astype(np.float64) * float(self.time_base)


def timetable(path: Path) -> Timetable | None:
    """The timetable of a file, or None where its packets do not prove one.

    Raises:
        VideoError: the file cannot be opened.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        time_base, number_of_stream = stream.time_base, stream.index
        if (
            container.format.name not in WITH_TIMES
            or stream.codec.canonical_name not in ONE_FRAME_A_PACKET
            or time_base is None
        ):
            return None
        shown: list[int] = []
        keys: list[int] = []
        try:
            for number, packet in enumerate(p for p in container.demux(stream) if p.size):
                if packet.pts is None or packet.is_corrupt:
                    return None
                if number == 0:
                    if not packet.is_keyframe:
                        return None
                    first = packet.pts
                if packet.is_discard:
                    continue
                shown.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        except av.FFmpegError:
            return None
    pts_N = np.unique(np.asarray(shown, dtype=np.int64))
    # A time twice, or frames before the first key frame: which of them decode is a guess.
    if not shown or len(pts_N) != len(shown) or pts_N[0] < first:
        return None
    return Timetable(
        stream=number_of_stream,
        pts_N=pts_N,
        time_base=time_base,
        keys_K=np.searchsorted(pts_N, np.unique(np.asarray(keys, dtype=np.int64))),
    )


class FrameMap:
    """What is known about where a file's frames are, shared by all passes over it.

    Args:
        path: the file.

    Attributes:
        count: how many frames there are, once a pass has gone over all of them.
        may_jump: whether no jump has gone wrong yet.
    """

    def __init__(self, path: Path) -> None:
        self.count: int | None = None
        self.may_jump = True
        self._path = path
        self._begun = False
        self._first: int | None = None
        self._table: Timetable | None = None
        self._trusted = False

    def begins(self, pts: int | None, *, interlaced: bool) -> None:
        """Learns the first decoded picture.

        Two fields may come in two packets and make one frame, so interlaced files prove nothing.
        """
        if not self._begun:
            self._begun, self._first, self._trusted = True, pts, not interlaced

    def timetable(self) -> Timetable | None:
        """The proven times of all frames; None where there is no proof or it was found wrong."""
        if self._trusted and self._table is None:
            self._table = timetable(self._path)
            self._trusted = self._table is not None and self._table.pts_N[0] == self._first
        return self._table if self._trusted else None
