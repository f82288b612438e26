"""How large the actors are in the frames they were filmed in (the paper's Fig. 2 and 3).

A clip that was cut out does not show it; its row has to tell. Two things are looked for:

- `extra.actor`, width and height of the actors' box, on average over the clip, and `extra.frame`,
  width and height of the source video, pixels;
- failing that, the windows: `extra.windows` with `extra.frame`, or the row's own `windows`, which
  are squares of its file. They are larger than the actor by the context that was left around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Literal

import numpy as np

from tinyvirat.datasets.records import ClipRecord

Measure = Literal["box", "window"]


@dataclass(frozen=True)
class ActorSize:
    """One clip's actor.

    Attributes:
        id: of the clip.
        width: of the actor, pixels of the source.
        height: of the actor, pixels of the source.
        frame_width: of the source video, pixels.
        frame_height: of the source video, pixels.
    """

    id: str
    width: float
    height: float
    frame_width: int
    frame_height: int

    @property
    def ratio(self) -> float:
        """The share of the frame's area that the actor takes."""
        return self.width * self.height / (self.frame_width * self.frame_height)

    @property
    def side(self) -> float:
        """The side of a square as large as the actor, pixels."""
        return sqrt(self.width * self.height)

    @property
    def frame_side(self) -> float:
        """The side of a square as large as the frame, pixels."""
        return sqrt(self.frame_width * self.frame_height)


@dataclass(frozen=True)
class ActorSizes:
    """The actors of a data set, as far as its rows tell.

    Attributes:
        measure: `box`, or `window` where actors are measured with what was left around them.
        sizes: of the clips that tell, in the order of the rows.
        without: clips that do not tell.
    """

    measure: Measure
    sizes: tuple[ActorSize, ...]
    without: int

    @property
    def mean_ratio(self) -> float:
        """The mean share of the frame's area."""
        return float(np.mean([one.ratio for one in self.sizes]))

    @property
    def frames(self) -> tuple[tuple[tuple[int, int], int], ...]:
        """Width and height of the source videos, and how many clips are of each; frequent first."""
        return tuple(
            Counter((one.frame_width, one.frame_height) for one in self.sizes).most_common()
        )


def actor_sizes(records: Iterable[ClipRecord]) -> ActorSizes | None:
    """The actors' sizes by the best measure that any clip has; None where none has any."""
    every = tuple(records)
    measures: tuple[Measure, ...] = ("box", "window")
    for measure in measures:
        read = _of_box if measure == "box" else _of_window
        found = [size for size in map(read, every) if size is not None]
        if found:
            return ActorSizes(measure, tuple(found), len(every) - len(found))
    return None


def _of_box(record: ClipRecord) -> ActorSize | None:
    actor, frame = _pair(record.extra, "actor"), _pair(record.extra, "frame")
    if actor is None or frame is None:
        return None
    return ActorSize(record.id, *actor, round(frame[0]), round(frame[1]))


def _of_window(record: ClipRecord) -> ActorSize | None:
    if record.windows is not None:
        side = _mean_side(record.windows)
        return ActorSize(record.id, side, side, record.width, record.height)
    windows, frame = record.extra.get("windows"), _pair(record.extra, "frame")
    if frame is None or not isinstance(windows, list) or not windows:
        return None
    if not all(isinstance(box, list) and len(box) == 4 and _numbers(box) for box in windows):
        return None
    side = _mean_side(windows)
    return ActorSize(record.id, side, side, round(frame[0]), round(frame[1]))


def _mean_side(windows: Sequence[Sequence[int]]) -> float:
    return float(np.mean([box[2] - box[0] for box in windows]))


def _pair(extra: Mapping[str, object], name: str) -> tuple[float, float] | None:
    """Width and height out of `extra`, which is anybody's; None where they are none."""
    value = extra.get(name)
    if not isinstance(value, list) or len(value) != 2 or not _numbers(value):
        return None
    width, height = float(value[0]), float(value[1])
    return (width, height) if width > 0 and height > 0 else None


def _numbers(values: Sequence[object]) -> bool:
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        for value in values
    )
