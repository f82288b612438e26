"""What proposals are: boxes of numbered tubes, frame by frame; and whole tubes, put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinyvirat.common.errors import TinyviratError

Box = tuple[float, float, float, float]
BoxArray = NDArray[np.float64]
UNKNOWN = "unknown"
"""The type of an actor that nothing named."""


class ProposalError(TinyviratError):
    """Tubes that cannot be found as asked, or a file of them that cannot be used."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector finds in one frame.

    Attributes:
        boxes_N4: `x1, y1, x2, y2` in pixels of the frame, x2 and y2 exclusive.
        scores_N: how sure it is of each, 0 to 1.
        types_N: what each is.
    """

    boxes_N4: BoxArray
    scores_N: NDArray[np.float64]
    types_N: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TubeBox:
    """Where one actor is in one frame.

    Attributes:
        tube: the tube's number: from 0 in the order in which tubes are born, never used again.
        box: `x1, y1, x2, y2` in pixels of the source, x2 and y2 exclusive, inside the frame.
        type: `person`, `vehicle`, ... as the source of the tube names it; `unknown` from motion.
        score: how sure the source is, 0 to 1: a detector's score; from motion the part of the
            tube's frames so far in which it was seen by itself; 1 from annotations.
        seen: whether it was seen in this frame; otherwise the box bridges a gap.
        track: the id that a file gave it; the tube's own number where there is no file. A file's
            track that is interrupted for long becomes several tubes.
    """

    tube: int
    box: Box
    type: str = UNKNOWN
    score: float = 1.0
    seen: bool = True
    track: int = 0


@dataclass(frozen=True, slots=True)
class TubeFrame:
    """The tubes of one frame.

    Between its birth and its end a tube has a box in every frame. The end of a video ends every
    tube, without a word.

    Attributes:
        index: the frame's number, as in its `Frame`.
        time: its time in seconds, as in its `Frame`.
        boxes: of all live tubes, by ascending number.
        born: the numbers of those whose first box this is.
        ended: the numbers of those that had a box in the frame before and have none now.
    """

    index: int
    time: float
    boxes: tuple[TubeBox, ...] = ()
    born: tuple[int, ...] = ()
    ended: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class ActorTube:
    """A whole tube: one actor from its birth to its end.

    Attributes:
        tube: its number.
        type: what it was last taken for.
        score: the mean of its boxes' scores.
        frames_T: the frames' numbers, one after the other as the source of the frames counts.
        boxes_T4: `x1, y1, x2, y2` in pixels of the source.
        seen_T: whether the actor was seen there, or a gap was bridged.
        track: the id that a file gave it, or `tube`.
    """

    tube: int
    type: str
    score: float
    frames_T: NDArray[np.int64]
    boxes_T4: BoxArray
    seen_T: NDArray[np.bool_]
    track: int


def collect(frames: Iterable[TubeFrame]) -> tuple[ActorTube, ...]:
    """Whole tubes by ascending number. Memory grows with the video: for short ones and for tests.

    Args:
        frames: in their order.
    """
    found: dict[int, _Growing] = {}
    for frame in frames:
        for box in frame.boxes:
            found.setdefault(box.tube, _Growing()).add(frame.index, box)
    return tuple(growing.whole() for _, growing in sorted(found.items()))


@dataclass
class _Growing:
    frames: list[int] = field(default_factory=list)
    boxes: list[TubeBox] = field(default_factory=list)

    def add(self, frame: int, box: TubeBox) -> None:
        self.frames.append(frame)
        self.boxes.append(box)

    def whole(self) -> ActorTube:
        last = self.boxes[-1]
        return ActorTube(
            tube=last.tube,
            type=last.type,
            score=float(np.mean([box.score for box in self.boxes])),
            frames_T=np.array(self.frames, np.int64),
            boxes_T4=np.array([box.box for box in self.boxes], np.float64),
            seen_T=np.array([box.seen for box in self.boxes], np.bool_),
            track=last.track,
        )
