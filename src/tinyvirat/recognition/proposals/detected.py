"""Tubes of a detector's boxes: of a network that looks at each frame, or of a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.proposals.keeping import TubeKeeper, lag_of
from tinyvirat.recognition.proposals.protocols import Detector
from tinyvirat.recognition.proposals.records import BoxArray, Detections, ProposalError, TubeFrame
from tinyvirat.recognition.proposals.settings import (
    TrackingSettings,
    check_video,
    checked_frame,
    frames_of,
)
from tinyvirat.recognition.proposals.tracking import BoxTracker
from tinyvirat.video import Frame

MOST_BOXES = 2000
"""A frame; of more, those with the highest scores are taken."""


class DetectorTubes:
    """Tubes of what a detector finds; a `TubeSource`.

    Args:
        detector: anything that is called with a frame (uint8 RGB) and gives `Detections`.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second; below 1 and above 120 it is taken for 1 and 120.
        settings: how.

    Attributes:
        delay: frames that may have gone in and not come out.

    Raises:
        ProposalError: a size or rate that no video has.
    """

    def __init__(
        self,
        detector: Detector,
        width: int,
        height: int,
        fps: float,
        settings: TrackingSettings | None = None,
    ) -> None:
        self._detector = detector
        self._tubes = TrackedTubes(width, height, fps, settings)
        self._size = (width, height)
        self.delay = self._tubes.delay

    def update(self, frame: Frame) -> tuple[TubeFrame, ...]:
        """Takes the next frame; gives those whose tubes are ready.

        Raises:
            ProposalError: the frame has another size, or the detector's answer has no sense.
        """
        frame_HWC = checked_frame(frame.frame_HWC, self._size)
        found = checked_detections(self._detector(frame_HWC), self._size)
        return self._tubes.add(frame.index, frame.time, found)

    def finish(self) -> tuple[TubeFrame, ...]:
        """Gives the frames that are left."""
        return self._tubes.finish()


class TrackedTubes:
    """Tubes of boxes that come frame by frame.

    Args:
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second.
        settings: how.

    Attributes:
        delay: frames that may have gone in and not come out.
    """

    def __init__(
        self, width: int, height: int, fps: float, settings: TrackingSettings | None = None
    ) -> None:
        settings = settings or TrackingSettings()
        fps = check_video(width, height, fps)
        self._tracker = BoxTracker(fps, settings)
        lag = lag_of(settings.keeping, fps)
        self._keeper = TubeKeeper((width, height), lag, frames_of(settings.keeping.smooth / 2, fps))
        self.delay = lag

    def add(self, index: int, time: float, found: Detections) -> tuple[TubeFrame, ...]:
        """Takes the boxes of the next frame; gives the frames whose tubes are ready."""
        return self._keeper.add(index, time, self._tracker.follow(found))

    def finish(self) -> tuple[TubeFrame, ...]:
        """Gives the frames that are left."""
        return self._keeper.finish()


def checked_detections(found: Detections, size: tuple[int, int]) -> Detections:
    """What a detector found, cut to the frame; boxes with less than a pixel in it are left out.

    Args:
        found: as it came.
        size: width and height of the frame.

    Raises:
        ProposalError: the arrays do not fit each other, or hold numbers that are none.
    """
    boxes_N4 = _as_floats(found.boxes_N4, "boxes_N4")
    scores_N = _as_floats(found.scores_N, "scores_N")
    if not boxes_N4.size:
        boxes_N4 = boxes_N4.reshape(0, 4)
    count = len(boxes_N4)
    if boxes_N4.shape != (count, 4) or scores_N.shape != (count,) or len(found.types_N) != count:
        raise ProposalError(
            f"the detector gave boxes_N4 of shape {boxes_N4.shape}, scores_N of shape "
            f"{scores_N.shape} and {len(found.types_N)} types_N; (N, 4), (N,) and N are needed"
        )
    if count and not 0.0 <= scores_N.min() <= scores_N.max() <= 1.0:
        raise ProposalError(
            f"the detector gave scores from {scores_N.min():g} to {scores_N.max():g}; they must "
            "be from 0 to 1"
        )
    boxes_N4 = np.clip(boxes_N4, 0.0, np.array([*size, *size], np.float64))
    inside = np.flatnonzero((boxes_N4[:, 2:] - boxes_N4[:, :2]).min(1, initial=np.inf) >= 1.0)
    if len(inside) > MOST_BOXES:
        inside = np.sort(inside[np.argsort(-scores_N[inside], kind="stable")[:MOST_BOXES]])
    return Detections(boxes_N4[inside], scores_N[inside], tuple(found.types_N[n] for n in inside))


def _as_floats(values: BoxArray, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ProposalError(f"the detector's {name} is no array of numbers: {error}") from None
    if not np.isfinite(array).all():
        raise ProposalError(f"the detector's {name} holds a number that is not finite")
    return array
