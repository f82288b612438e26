"""How a long video is read: every number with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.ranges import within
from tinyvirat.datasets.tubes.rules import CropRule
from tinyvirat.recognition.proposals.settings import MotionSettings, TrackingSettings


class StreamError(TinyviratError):
    """A source, or a way of reading it, that cannot be used."""


_between = partial(within, StreamError)


@dataclass(frozen=True)
class StreamSettings:
    """How a long video is read and answered for. The defaults suit most.

    Attributes:
        overlap: part of a window that the next one of its tube shares; 0 to 0.9.
        smooth: successive windows of a tube whose logits are averaged, the middle one counting
            most; odd, 1 for none. A flicker of one window is no action.
        threshold: for models that name exactly one label: the probability from which the most
            probable one counts. Multi-label models bring their own thresholds.
        leave: an action that has begun goes on while its probability is at least this part of its
            threshold, so that it does not fall apart where the score wavers about it.
        shortest_action: seconds; what is shorter is not said, unless it fills its whole tube.
        shortest_tube: frames; a shorter tube is not read. One that is longer but shorter than a
            window is filled up as the model's sampler fills short clips. A tube of the whole frame
            is read however short.
        frames: give an `AnsweredFrame` for every frame, with its picture.
        widest: pixels; pictures of answered frames are reduced to this width. 0 keeps them.
        patience: seconds of the video for which a window waits for a batch to be full; `None` is 1
            for live sources, 5 for others.
        crop: the square that is cut out around an actor; context and smoothing.
        motion: how motion is found; `None` is the default.
        tracking: how detections in files are followed; `None` is the default.

    Raises:
        StreamError: a value out of its range.
    """

    overlap: float = 0.5
    smooth: int = 3
    threshold: float = 0.5
    leave: float = 0.8
    shortest_action: float = 0.5
    shortest_tube: int = 8
    frames: bool = False
    widest: int = 1280
    patience: float | None = None
    crop: CropRule = field(default_factory=CropRule)
    motion: MotionSettings | None = None
    tracking: TrackingSettings | None = None

    def __post_init__(self) -> None:
        _between("overlap", self.overlap, 0.0, 0.9)
        _between("threshold", self.threshold, 0.0, 1.0)
        _between("leave", self.leave, 0.0, 1.0)
        _between("shortest_action", self.shortest_action, 0.0, 3600.0)
        _between("shortest_tube", self.shortest_tube, 1, 10_000)
        _between("widest", self.widest, 0, 16_384)
        if self.patience is not None:
            _between("patience", self.patience, 0.0, 3600.0)
        if self.smooth not in range(1, 100, 2):
            raise StreamError(f"smooth is {self.smooth}; it must be an odd number from 1 to 99")
