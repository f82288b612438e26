"""What gives tubes, and what finds actors: the two interfaces that anybody may implement."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.proposals.records import Detections, TubeFrame
from tinyvirat.video import Frame


class TubeSource(Protocol):
    """Gives tubes as frames come, in memory that does not grow with their number.

    Every frame that goes in comes out once, in the same order, at most `delay` frames later; the
    last ones by `finish`, after which a source is used up.

    Attributes:
        delay: frames that may have gone in and not come out.
    """

    delay: int

    def update(self, frame: Frame) -> tuple[TubeFrame, ...]:
        """Takes the next frame; gives those that are ready: none, one or several."""
        ...

    def finish(self) -> tuple[TubeFrame, ...]:
        """Gives the frames that are left."""
        ...


class Detector(Protocol):
    """Finds actors in one picture: any network, wrapped in a few lines."""

    def __call__(self, frame_HWC: NDArray[np.uint8]) -> Detections:
        """What is in a picture (uint8 RGB)."""
        ...


def with_tubes(frames: Iterable[Frame], source: TubeSource) -> Iterator[tuple[Frame, TubeFrame]]:
    """Frames together with their tubes.

    Args:
        frames: of one video, from its first on.
        source: a new one.

    Yields:
        Every frame with its tubes, in order. `source.delay` frames are held at most.
    """
    waiting: deque[Frame] = deque()
    for frame in frames:
        waiting.append(frame)
        for ready in source.update(frame):
            yield waiting.popleft(), ready
    for ready in source.finish():
        yield waiting.popleft(), ready
