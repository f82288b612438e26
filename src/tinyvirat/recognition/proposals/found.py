"""Boxes found by somebody else, as read from a file: one row a box, with or without an id."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyvirat.annotations.building import MAX_FRAME, MAX_ID, MAX_TRACKS, box_reason, name_reason
from tinyvirat.recognition.proposals.records import UNKNOWN, BoxArray, Detections, ProposalError

MAX_BOXES = 20_000_000
"""No file has more boxes: a day at 25 frames a second with nine actors throughout."""
NO_TRACK = -1
"""The id of a box that says nothing of who it is."""


@dataclass(frozen=True, eq=False)
class FoundTrack:
    """One actor over time, as somebody else followed it.

    Attributes:
        id: its number in the file.
        type: what it is.
        frames_T: the frames it is seen in, from 0, strictly increasing.
        boxes_T4: `x1, y1, x2, y2` in pixels of the source.
        scores_T: how sure each box is, 0 to 1.
    """

    id: int
    type: str
    frames_T: NDArray[np.int64]
    boxes_T4: BoxArray
    scores_T: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """The boxes of a file, in its order.

    Attributes:
        path: the file.
        frames_N: the frame of each, from 0.
        tracks_N: whose it is; `NO_TRACK` throughout in a file of detections.
        boxes_N4: `x1, y1, x2, y2` in pixels of the source.
        scores_N: 0 to 1.
        kinds_N: the place of its type in `types`.
        types: the types there are.
        lines_N: the line of each, from 1, for messages; 0 where that is not known.
    """

    path: Path
    frames_N: NDArray[np.int64]
    tracks_N: NDArray[np.int64]
    boxes_N4: BoxArray
    scores_N: NDArray[np.float64]
    kinds_N: NDArray[np.int64]
    types: tuple[str, ...]
    lines_N: NDArray[np.int64]

    @property
    def followed(self) -> bool:
        """Whether the boxes say who they are.

        Raises:
            ProposalError: some do and some do not.
        """
        none_N = self.tracks_N == NO_TRACK
        if none_N.any() and not none_N.all():
            raise ProposalError(
                f"{self._at(int(np.argmax(none_N)))}: a box without an id, where others have one; "
                "give every box an id, or none of them"
            )
        return not none_N.any()

    def tracks(self) -> tuple[FoundTrack, ...]:
        """The boxes by whose they are, by ascending id.

        Raises:
            ProposalError: somebody is in two places in one frame, or is of two types.
        """
        order = np.lexsort((self.frames_N, self.tracks_N))
        ids, frames = self.tracks_N[order], self.frames_N[order]
        twice = np.flatnonzero((np.diff(ids) == 0) & (np.diff(frames) == 0))
        if len(twice):
            first, second = sorted(int(n) for n in order[twice[0] : twice[0] + 2])
            raise ProposalError(
                f"{self._at(second)}: the track {self.tracks_N[second]} has a second box in "
                f"frame {self.frames_N[second]} (from 0); the first is {self._where(first)}. Keep "
                "one of them"
            )
        starts = np.flatnonzero(np.diff(ids, prepend=-2))
        if len(starts) > MAX_TRACKS:
            raise ProposalError(
                f"{self.path}: {len(starts)} tracks; no more than {MAX_TRACKS} are read"
            )
        return tuple(self._track(part) for part in np.split(order, starts[1:]) if len(part))

    def by_frame(self) -> Mapping[int, Detections]:
        """The boxes by frame, without ids."""
        order = np.argsort(self.frames_N, kind="stable")
        starts = np.flatnonzero(np.diff(self.frames_N[order], prepend=-1))
        return {
            int(self.frames_N[part[0]]): Detections(
                self.boxes_N4[part],
                self.scores_N[part],
                tuple(self.types[kind] for kind in self.kinds_N[part]),
            )
            for part in np.split(order, starts[1:])
            if len(part)
        }

    def _track(self, part: NDArray[np.int64]) -> FoundTrack:
        kinds = self.kinds_N[part]
        # Trackers waver between a car and a lorry: what an actor is most often is what it is.
        kind = int(np.bincount(kinds).argmax())
        return FoundTrack(
            id=int(self.tracks_N[part[0]]),
            type=self.types[kind],
            frames_T=self.frames_N[part],
            boxes_T4=self.boxes_N4[part],
            scores_T=self.scores_N[part],
        )

    def _where(self, n: int) -> str:
        return f"in line {self.lines_N[n]}" if self.lines_N[n] else f"box {n}, counted from 0"

    def _at(self, n: int) -> str:
        line = f", line {self.lines_N[n]}" if self.lines_N[n] else f", box {n} (from 0)"
        return f"{self.path}{line}"


class FoundBuilder:
    """Collects the boxes of a file; 72 bytes each.

    A box that cannot be taken is refused with the reason in words, and nothing changes; the reader,
    which knows the place, reports it.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = array("q")  # frame, track, kind and line of each
        self._real = array("d")  # box and score of each
        self._kinds: dict[str, int] = {}

    def add(
        self,
        frame: int,
        track: int,
        box: tuple[float, float, float, float],
        score: float = 1.0,
        type_: str = UNKNOWN,
        line: int = 0,
    ) -> str | None:
        """Adds a box, or says why not.

        Args:
            frame: from 0.
            track: whose it is, or `NO_TRACK`.
            box: `x1, y1, x2, y2`.
            score: any finite number.
            type_: what it is.
            line: of the file.
        """
        reason = box_reason(*box)
        if reason is None and not 0 <= frame <= MAX_FRAME:
            reason = f"the frame {frame} (counted from 0) is outside 0 to {MAX_FRAME}"
        if reason is None and not NO_TRACK <= track <= MAX_ID:
            reason = f"the id {track} is outside 0 to {MAX_ID}, and is not -1 for none"
        if reason is None and not math.isfinite(score):
            reason = f"the score {score} is not finite"
        if reason is None and type_ not in self._kinds:
            reason = name_reason(type_)
            if reason is None and len(self._kinds) >= MAX_TRACKS:
                reason = f"the type {type_!r} is one more than the {MAX_TRACKS} there may be"
        if reason is None and len(self._whole) >= 4 * MAX_BOXES:
            reason = f"there are more than {MAX_BOXES} boxes; split the file by time"
        if reason is not None:
            return reason
        kind = self._kinds.setdefault(type_, len(self._kinds))
        self._whole.extend((frame, track, kind, line))
        self._real.extend((*box, score))
        return None

    def build(self) -> FoundBoxes:
        """All boxes; their arrays take over the memory of this builder.

        Detectors' scores may be margins, below 0 or above 1. Nobody knows then what they mean, and
        whoever wrote the file kept these boxes: the lowest becomes 0.5, the highest 1.
        """
        whole_N4 = np.frombuffer(self._whole, np.int64).reshape(-1, 4)
        real_N5 = np.frombuffer(self._real, np.float64).reshape(-1, 5)
        scores_N = real_N5[:, 4]
        if len(scores_N) and not 0.0 <= scores_N.min() <= scores_N.max() <= 1.0:
            share_N = (scores_N - scores_N.min()) / max(float(np.ptp(scores_N)), 1e-300)
            scores_N = 0.5 + 0.5 * share_N
        return FoundBoxes(
            path=self._path,
            frames_N=whole_N4[:, 0],
            tracks_N=whole_N4[:, 1],
            boxes_N4=real_N5[:, :4],
            scores_N=scores_N,
            kinds_N=whole_N4[:, 2],
            types=tuple(self._kinds),
            lines_N=whole_N4[:, 3],
        )
