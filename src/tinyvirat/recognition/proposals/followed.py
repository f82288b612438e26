"""Tubes of tracks that somebody else made: annotations, or another tracker's file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyvirat.annotations import Track
from tinyvirat.datasets.tubes.locate import seen
from tinyvirat.recognition.proposals.found import FoundTrack
from tinyvirat.recognition.proposals.records import Box, TubeBox, TubeFrame
from tinyvirat.recognition.proposals.settings import check_video, frames_of
from tinyvirat.video import Frame

LONGEST_GAP_S = 1.0


@dataclass(frozen=True, eq=False)
class _Piece:
    """A part of a track without a gap."""

    track: FoundTrack
    start: int
    boxes_T4: np.ndarray[tuple[int, int], np.dtype[np.float64]]

    @property
    def stop(self) -> int:
        """The frame after its last."""
        return self.start + len(self.boxes_T4)


class TrackTubes:
    """Tubes of known tracks; a `TubeSource` that needs no pixels and waits for nothing.

    Gaps of up to a second are bridged; a track with a longer one becomes several tubes. Boxes are
    cut to the frame; where less than a pixel of one lies in it there is none.

    Args:
        tracks: of one video. They are held in memory: 40 bytes a box.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second.
        longest_gap: in seconds.

    Attributes:
        delay: 0; a frame's boxes are given at once.

    Raises:
        ProposalError: a size or rate that no video has.
    """

    def __init__(
        self,
        tracks: Sequence[FoundTrack],
        width: int,
        height: int,
        fps: float,
        longest_gap: float = LONGEST_GAP_S,
    ) -> None:
        gap = frames_of(longest_gap, check_video(width, height, fps))
        pieces = [piece for track in tracks for piece in _pieces(track, gap, (width, height))]
        # By descending start, so that the next to be born is the last.
        self._coming = sorted(pieces, key=lambda piece: (-piece.start, -piece.track.id))
        self._live: dict[int, _Piece] = {}
        self._next = 0
        self.delay = 0

    def update(self, frame: Frame) -> tuple[TubeFrame, ...]:
        """The tubes of the next frame; only its number and its time are looked at."""
        index, born = frame.index, []
        ended = [number for number, piece in self._live.items() if piece.stop <= index]
        for number in ended:
            del self._live[number]
        while self._coming and self._coming[-1].start <= index:
            piece = self._coming.pop()
            if piece.stop > index:  # else it lay between two frames of a stream
                self._live[self._next] = piece
                born.append(self._next)
                self._next += 1
        boxes = tuple(_box(number, piece, index) for number, piece in self._live.items())
        return (TubeFrame(index, frame.time, boxes, tuple(born), tuple(ended)),)

    def finish(self) -> tuple[TubeFrame, ...]:
        """Nothing: nothing is held back."""
        return ()


def as_found(track: Track) -> FoundTrack:
    """An annotated track; somebody was sure of every box."""
    return FoundTrack(
        track.id, track.type, track.frames_T, track.boxes_T4, np.ones(len(track.frames_T))
    )


def _box(number: int, piece: _Piece, index: int) -> TubeBox:
    track = piece.track
    x1, y1, x2, y2 = piece.boxes_T4[index - piece.start].tolist()
    box: Box = (x1, y1, x2, y2)
    before = int(np.searchsorted(track.frames_T, index, "right")) - 1
    is_seen = before >= 0 and int(track.frames_T[before]) == index
    score = round(float(track.scores_T[max(0, before)]), 4)
    return TubeBox(number, box, track.type, score, is_seen, track.id)


def _pieces(track: FoundTrack, gap: int, size: tuple[int, int]) -> list[_Piece]:
    known = seen(Track(track.id, track.type, track.frames_T, track.boxes_T4), gap, size)
    if not len(known.frames_T):
        return []
    breaks = np.flatnonzero(np.diff(known.frames_T) > 1) + 1
    return [
        _Piece(track, int(frames_T[0]), boxes_T4)
        for frames_T, boxes_T4 in zip(
            np.split(known.frames_T, breaks), np.split(known.boxes_T4, breaks), strict=True
        )
    ]
