"""What recognition found in one video, kept for the page as long as its visitor stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.events import (
    Action,
    AnsweredFrame,
    Event,
    StreamEnd,
    StreamHeader,
    TubeEnd,
)
from tinyvirat.recognition.results import Prediction

MOST_TUBES = 300
"""Tubes of one video that are kept to be looked at; the files have all of them."""


@dataclass(frozen=True, eq=False)
class FoundTube:
    """A tube that was read, from its first frame to its last.

    Attributes:
        end: what is known of it as a whole.
        boxes_T4: where it is in each of its frames: `x1, y1, x2, y2` in pixels of the source.
        spans_N2: from when to when each stretch of it lasts, in seconds.
        scores_NK: every label's probability in each stretch.
    """

    end: TubeEnd
    boxes_T4: NDArray[np.float64]
    spans_N2: NDArray[np.float64]
    scores_NK: NDArray[np.float64]

    @property
    def best(self) -> dict[str, float]:
        """What is done in it, and how surely: the labels that held, with their highest scores."""
        best: dict[str, float] = {}
        for action in self.end.actions:
            best[action.label] = max(action.peak, best.get(action.label, 0.0))
        return dict(sorted(best.items(), key=lambda item: -item[1]))

    @property
    def top(self) -> tuple[str, float]:
        """The most probable label over the whole tube, whether or not it held."""
        return max((self.end.scores or {"": 0.0}).items(), key=lambda item: item[1])


@dataclass(frozen=True, eq=False)
class Found:
    """What is known of a video.

    Attributes:
        header: of the recognition.
        end: how it went.
        tubes: those that were read: first those in which something holds, the surest before.
        unread: how many were too short to be read.
        more: how many were read and are not kept.
    """

    header: StreamHeader
    end: StreamEnd
    tubes: tuple[FoundTube, ...]
    unread: int
    more: int

    def tube(self, number: int) -> FoundTube | None:
        """The tube of that number."""
        return next((tube for tube in self.tubes if tube.end.tube == number), None)


class Finding:
    """A sink that keeps the tubes.

    Args:
        on_frame: is called with the number of every frame that is answered for.
    """

    def __init__(self, on_frame: Callable[[int], None]) -> None:
        self._on_frame = on_frame
        self._stretches: dict[int, list[Prediction]] = {}
        self._tubes: list[FoundTube] = []
        self._unread = 0
        self._more = 0
        self._header: StreamHeader | None = None
        self._end: StreamEnd | None = None

    def begin(self, header: StreamHeader) -> None:
        """Keeps what is known before."""
        self._header = header

    def take(self, event: Event) -> None:
        """Keeps what belongs to a tube."""
        if isinstance(event, AnsweredFrame):
            self._on_frame(event.frame.index + 1)
        elif isinstance(event, Prediction):
            self._stretches.setdefault(event.tube, []).append(event)
        elif isinstance(event, TubeEnd):
            self._over(event, self._stretches.pop(event.tube, []))
        else:
            assert isinstance(event, Action)  # it is in its tube's end too

    def end(self, end: StreamEnd) -> None:
        """Keeps how it went."""
        self._end = end

    def abandon(self) -> None:
        """Lets go of everything."""
        self._tubes.clear()
        self._stretches.clear()

    def found(self) -> Found:
        """Everything, after the end."""
        assert self._header is not None and self._end is not None
        tubes = sorted(self._tubes, key=_surest)
        return Found(self._header, self._end, tuple(tubes), self._unread, self._more)

    def _over(self, end: TubeEnd, stretches: list[Prediction]) -> None:
        if not stretches:
            self._unread += 1
            return
        if len(self._tubes) >= MOST_TUBES:
            self._more += 1
            return
        assert self._header is not None
        self._tubes.append(
            FoundTube(
                end,
                np.array([box for one in stretches for box in one.boxes or ()], np.float64),
                np.array([(one.start_time, one.stop_time) for one in stretches]),
                np.array([[one.scores[k] for k in self._header.labels] for one in stretches]),
            )
        )


def _surest(tube: FoundTube) -> tuple[bool, float, int]:
    best = max(tube.best.values(), default=0.0)
    return not tube.best, -(best or tube.top[1]), tube.end.tube
