"""Sources made of pictures in memory, tubes made of boxes, and what a stream gives of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.events import Event
from tinyvirat.recognition.proposals import Box, TubeBox, TubeFrame
from tinyvirat.recognition.stream.ahead import Pause
from tinyvirat.recognition.stream.source_info import SourceInfo
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.video import Frame

FPS = Fraction(10)
WIDTH, HEIGHT = 160, 120
E = TypeVar("E", bound=Event)


def picture(t: int) -> NDArray[np.uint8]:
    """Coarse noise that moves by two pixels a frame."""
    rng = np.random.default_rng(3)
    still = rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return np.ascontiguousarray(np.roll(still, 2 * t, axis=1))


class Film:
    """A source that gives what it is told to, in the thread that asks.

    Args:
        items: numbers of pictures, or pauses, in their order.
        live: as a camera.
        then: raised at the end.
    """

    def __init__(
        self, items: Sequence[int | Pause], *, live: bool = False, then: Exception | None = None
    ) -> None:
        self.info = SourceInfo("film", WIDTH, HEIGHT, FPS, len(items), live)
        self.dropped = 0
        self.reconnects = 0
        self.closed = False
        self.given = 0
        self._items = items
        self._then = then

    def frames(self, stages: Stages) -> Iterator[Frame | Pause]:
        for item in self._items:
            if isinstance(item, Pause):
                yield item
            else:
                yield Frame(self.given, self.given / float(FPS), picture(item))
                self.given += 1
        if self._then is not None:
            raise self._then

    def close(self) -> None:
        self.closed = True


class Scripted:
    """Tubes that are told beforehand, `delay` frames late.

    Args:
        tubes: first frame and boxes of each, by number.
        delay: frames.
    """

    def __init__(self, tubes: Mapping[int, tuple[int, Sequence[Box]]], delay: int = 0) -> None:
        self.delay = delay
        self._tubes = tubes
        self._waiting: list[TubeFrame] = []
        self._place = 0

    def update(self, frame: Frame) -> tuple[TubeFrame, ...]:
        boxes = tuple(
            TubeBox(number, one[1][self._place - one[0]], type="person")
            for number, one in sorted(self._tubes.items())
            if one[0] <= self._place < one[0] + len(one[1])
        )
        self._waiting.append(TubeFrame(frame.index, frame.time, boxes))
        self._place += 1
        return (self._waiting.pop(0),) if len(self._waiting) > self.delay else ()

    def finish(self) -> tuple[TubeFrame, ...]:
        return tuple(self._waiting)


def walk(frames: int, x: float = 20.0, y: float = 30.0, side: float = 20.0) -> list[Box]:
    """The boxes of somebody who walks to the right."""
    return [(x + t % 60, y, x + t % 60 + side / 2, y + side) for t in range(frames)]


def scripted(
    tubes: Mapping[int, tuple[int, Sequence[Box]]], delay: int = 0
) -> Callable[[int, int, float], Scripted]:
    """What makes these tubes, as often as it is asked."""
    return lambda _width, _height, _fps: Scripted(tubes, delay)


def of_kind(events: Sequence[Event], kind: type[E], tube: int | None = None) -> list[E]:
    """The events of one kind, of one tube if one is named."""
    found = [event for event in events if isinstance(event, kind)]
    return [one for one in found if tube is None or getattr(one, "tube", None) == tube]


def write_lossless(path: Path, frames_THWC: NDArray[np.uint8], fps: Fraction = FPS) -> None:
    """A video that gives back the very same pixels."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.height, stream.width = frames_THWC.shape[1:3]
        stream.pix_fmt = "bgr0"
        for frame_HWC in frames_THWC:
            frame = av.VideoFrame.from_ndarray(frame_HWC, format="rgb24").reformat(format="bgr0")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def plain(events: Sequence[Event]) -> list[object]:
    """Events so that they can be compared."""
    rows: list[object] = []
    for event in events:
        row = {name: getattr(event, name) for name in event.__dataclass_fields__}
        if "frame" in row:
            row["frame"] = (row["frame"].index, row["frame"].time, row["frame"].frame_HWC.sum())
        window = row.pop("best_window_THWC", None)
        rows.append((type(event).__name__, row, None if window is None else window.tobytes()))
    return rows
