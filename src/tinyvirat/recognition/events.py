"""What recognition of a long video gives, piece by piece: answers in the order they become known.

`stream.recognize_stream` yields these; a `Sink` (a file, a picture, a page) takes them. Everything
is given as soon as it is known and nothing is kept, so that memory does not grow with the video.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.proposals.records import Box, TubeBox
from tinyvirat.recognition.results import Prediction
from tinyvirat.video import Frame


@dataclass(frozen=True)
class StreamHeader:
    """What is known before the first answer.

    Attributes:
        video: the source, as it was given: a path, an address, a camera's number.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second, as the source has it.
        frames: how many there will be, as the header claims; None where nobody knows.
        labels: the model's labels, in its order.
        thresholds: the probability from which each label counts, in the order of `labels`.
        multi_label: several labels can hold at once.
        model: its name.
    """

    video: str
    width: int
    height: int
    fps: Fraction
    frames: int | None
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    multi_label: bool
    model: str


@dataclass(frozen=True)
class AnsweredBox:
    """One actor in one frame, and what it is doing there.

    Attributes:
        box: where, and of which tube.
        labels: what holds here, most probable first; empty is a proper answer.
        scores: every label's smoothed probability; None where the tube was too short to be read.
    """

    box: TubeBox
    labels: tuple[str, ...]
    scores: Mapping[str, float] | None


@dataclass(frozen=True, eq=False)
class AnsweredFrame:
    """One frame with all that is known of it. Every frame comes once, in order, a little late.

    Attributes:
        frame: number and time in the source, and the picture: reduced, where the source is large,
            to `scale` of its width and height.
        scale: pixels of the picture for a pixel of the source, both ways; at most 1.
        boxes: by ascending tube number, in pixels of the source.
    """

    frame: Frame
    scale: float
    boxes: tuple[AnsweredBox, ...]


@dataclass(frozen=True)
class Action:
    """One label of one tube, from its beginning to its end.

    Attributes:
        video: the source, as it was given.
        tube: the tube's number.
        type: of the actor.
        label: what is done.
        start: first frame, from 0, in the source's own numbering.
        stop: the frame after the last.
        start_time: of the first frame in seconds, from the source's timestamps.
        stop_time: at which the last frame ends.
        score: mean of the smoothed probabilities in between.
        peak: the highest of them.
    """

    video: str
    tube: int
    type: str
    label: str
    start: int
    stop: int
    start_time: float
    stop_time: float
    score: float
    peak: float

    def to_json(self) -> dict[str, Any]:
        """The row of a file of actions."""
        return {
            "video": self.video,
            "tube": self.tube,
            "type": self.type,
            "label": self.label,
            "start": self.start,
            "stop": self.stop,
            "start_time": round(self.start_time, 6),
            "stop_time": round(self.stop_time, 6),
            "score": round(self.score, 6),
            "peak": round(self.peak, 6),
        }


@dataclass(frozen=True, eq=False)
class TubeEnd:
    """A tube that is over.

    Attributes:
        video: the source, as it was given.
        tube: its number.
        type: of the actor.
        start: first frame.
        stop: the frame after the last.
        start_time: of the first frame in seconds.
        stop_time: at which the last frame ends.
        scores: the mean of every label's smoothed probability over the tube; None where the tube
            was too short to be read.
        actions: that were found in it, by their beginning; at most the first 100.
        best_window_THWC: uint8 RGB crops that the network was given for the window with the highest
            score (of any label); None where there was none.
        best_start: the frame at which that window begins.
        boxes: one an eighth of the tube or so, for a picture of the way it took: at most 64.
    """

    video: str
    tube: int
    type: str
    start: int
    stop: int
    start_time: float
    stop_time: float
    scores: Mapping[str, float] | None
    actions: tuple[Action, ...] = ()
    best_window_THWC: NDArray[np.uint8] | None = None
    best_start: int | None = None
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True)
class StreamEnd:
    """How it went.

    Attributes:
        frames: that were given.
        dropped: frames that the source lost, or that were too late to be looked at.
        reconnects: how often the source had to be opened again.
        tubes: that were found.
        windows: that the network answered for.
        seconds: that it took.
        interrupted: stopped by hand before the source ended.
        stages: seconds by stage: `decode`, `proposals`, `crop`, `network`, `write`.
    """

    frames: int
    dropped: int
    reconnects: int
    tubes: int
    windows: int
    seconds: float
    interrupted: bool
    stages: Mapping[str, float]


Event = AnsweredFrame | Prediction | Action | TubeEnd
"""A `Prediction` is a stretch of a tube: the stretches of a tube follow each other without gap or
overlap, `boxes` has one box a frame, `scores` are the smoothed probabilities there."""


class Sink(Protocol):
    """Takes what recognition gives, and makes something of it: a file, a picture, a table."""

    def begin(self, header: StreamHeader) -> None:
        """Called once, before anything else."""
        ...

    def take(self, event: Event) -> None:
        """Called with every event, in the order it is given."""
        ...

    def end(self, end: StreamEnd) -> None:
        """Called once, at the end, also after Ctrl-C: what was written is made whole."""
        ...

    def abandon(self) -> None:
        """Called instead of `end` where something broke: lets go of files that are not whole."""
        ...
