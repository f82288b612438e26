"""How tubes are made of motion and of detections: every number, with its unit and its reason.

Times are in seconds and lengths in parts of the actor's own size, so that the same values serve
10 and 60 frames a second, and people of 10 and of 100 pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinyvirat.common.ranges import within
from tinyvirat.recognition.proposals.records import ProposalError


@dataclass(frozen=True)
class KeepingSettings:
    """From what is seen of actors to the boxes of tubes.

    Attributes:
        longest_gap: an actor that is not seen for up to so many seconds is the same when it comes
            back, and its boxes in between are interpolated. Boxes are given this much later.
        minimum_life: seconds that an actor must be followed for before it becomes a tube.
        smooth: seconds that the edges of a box are averaged over, half before and half after.
    """

    longest_gap: float = 1.0
    minimum_life: float = 0.8
    smooth: float = 0.3

    def __post_init__(self) -> None:
        check("longest_gap", self.longest_gap, 0.0, 60.0)
        check("minimum_life", self.minimum_life, 0.0, 60.0)
        check("smooth", self.smooth, 0.0, 10.0)


@dataclass(frozen=True)
class MotionSettings:
    """Tubes of what moves before a still camera.

    Attributes:
        keeping: gaps, minimum life and smoothing.
        scale: the picture is reduced to this part of its width and height before motion is looked
            for; `None` chooses by `reduction`.
        smallest: pixels of the source; what is lower and narrower is no actor.
        largest: part of the frame's width and height; what is larger is no actor but the light.
        contrast: how far a pixel must be from its background, in standard deviations of it.
        memory: seconds that the background is learnt over.
        warm_up: seconds at the beginning that are looked at before anything is said of them.
        travel: how far an actor must get, in parts of its own size, before it becomes a tube.
            Trees and flags sway on the spot.
        stay: seconds for which an actor that stands still is kept out of the background.
        steady: whether the shaking of the camera is measured and undone.
    """

    keeping: KeepingSettings = field(default_factory=KeepingSettings)
    scale: float | None = None
    smallest: float = 8.0
    largest: float = 0.7
    contrast: float = 4.0
    memory: float = 20.0
    warm_up: float = 1.0
    travel: float = 0.5
    stay: float = 20.0
    steady: bool = True

    def __post_init__(self) -> None:
        if self.scale is not None:
            check("scale", self.scale, 0.05, 1.0)
        check("smallest", self.smallest, 2.0, 1000.0)
        check("largest", self.largest, 0.01, 1.0)
        check("contrast", self.contrast, 1.0, 100.0)
        check("memory", self.memory, 0.5, 3600.0)
        check("warm_up", self.warm_up, 0.0, 60.0)
        check("travel", self.travel, 0.0, 100.0)
        check("stay", self.stay, 0.0, 3600.0)


@dataclass(frozen=True)
class TrackingSettings:
    """Tubes of a detector's boxes.

    Attributes:
        keeping: gaps, minimum life and smoothing.
        sure: the score from which on a box may begin somebody new.
        least: the score below which a box is nothing.
    """

    keeping: KeepingSettings = field(default_factory=KeepingSettings)
    sure: float = 0.5
    least: float = 0.1

    def __post_init__(self) -> None:
        check("sure", self.sure, 0.0, 1.0)
        check("least", self.least, 0.0, self.sure)


SLOWEST, FASTEST = 1.0, 120.0
"""Frames a second. Streams without a rate of their own claim 90,000, and stills in a row 0.03."""
LARGEST_SIDE = 16_384


def check_video(width: int, height: int, fps: float) -> float:
    """The rate to count with.

    Args:
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: as the file has it.

    Raises:
        ProposalError: a size or rate that no video has.
    """
    check("width", width, 1, LARGEST_SIDE)
    check("height", height, 1, LARGEST_SIDE)
    if not (math.isfinite(fps) and fps > 0.0):
        raise ProposalError(f"fps is {fps}; it must be above 0")
    return min(max(float(fps), SLOWEST), FASTEST)


def checked_frame(frame_HWC: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame that is as large as all others.

    Args:
        frame_HWC: uint8 RGB.
        size: width and height.

    Raises:
        ProposalError: it is not.
    """
    if frame_HWC.shape != (size[1], size[0], 3) or frame_HWC.dtype != np.uint8:
        raise ProposalError(
            f"a frame is {frame_HWC.dtype} of shape {frame_HWC.shape}; the tubes were begun for "
            f"uint8 RGB of {size[0]}x{size[1]} pixels. Begin new ones where the size changes"
        )
    return frame_HWC


def frames_of(seconds: float, fps: float, least: int = 0) -> int:
    """So many seconds in whole frames.

    Args:
        seconds: how long.
        fps: frames a second.
        least: of frames.
    """
    return max(least, round(seconds * fps))


def check(name: str, value: float, low: float, high: float) -> None:
    """Sees to it that a setting is within its range.

    Raises:
        ProposalError: it is not, or it is not finite.
    """
    within(ProposalError, name, value, low, high)
