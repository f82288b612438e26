"""What a camera does to all of a picture at once, measured and undone: exposure and shaking.

The shift of a shaking camera is found by OpenCV's phase correlation with a slow mean of the
pictures, and believed where moving the picture back makes it more like that mean. Turning and
zooming cameras are not undone.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

THUMB = (32, 24)
"""Width and height at which brightness is compared."""
SAME, MOST_GAIN = 0.01, 2.0
"""Less is no change of exposure; more is none either, but another light."""
LARGEST = 640
"""Pixels across, at most, of the picture that shaking is measured on."""
STILL = 0.2
"""Pixels of that picture; less is no shaking."""
FARTHEST = 0.05
"""Part of the picture's width or height; more is no shaking, but a camera that turns."""
NEARER = 0.97
"""A picture moved back must be as much nearer to the mean, in the sum of differences."""
FORGETTING = 0.01
"""Part by which a mean moves to each new picture."""
CALM_S, LOOKS = 2.0, 5.0
"""Seconds without shaking after which it is looked for fewer times a second, and how many."""


class Exposure:
    """The brightness of the whole picture, against a slow mean of it."""

    def start(self, picture_HWC: Picture) -> None:
        """Takes a picture for what is usual."""
        self._mean_HW = _thumb(picture_HWC)

    def undone(self, picture_HWC: Picture) -> Picture:
        """The next picture, as bright as usual."""
        thumb_HW = _thumb(picture_HWC)
        gain = float(np.median((thumb_HW + 1.0) / (self._mean_HW + 1.0)))
        self._mean_HW += FORGETTING * (thumb_HW - self._mean_HW)
        if abs(gain - 1.0) < SAME or not 1 / MOST_GAIN < gain < MOST_GAIN:
            return picture_HWC
        return np.asarray(cv2.convertScaleAbs(picture_HWC, alpha=1.0 / gain), np.uint8)


def _thumb(picture_HWC: Picture) -> NDArray[np.float32]:
    small = cv2.resize(picture_HWC, THUMB, interpolation=cv2.INTER_AREA)
    return np.asarray(small.mean(axis=2), np.float32)


class Steady:
    """How far the camera is from where it was, by phase correlation with a slow mean.

    A camera that has stood still for a while is looked at a few times a second only.

    Args:
        size: width and height of the pictures.
        fps: of the video.
    """

    def __init__(self, size: tuple[int, int], fps: float) -> None:
        part = min(1.0, LARGEST / size[0])
        self._small = (max(8, round(size[0] * part)), max(8, round(size[1] * part)))
        self._window = cv2.createHanningWindow(self._small, cv2.CV_32F)
        self._full = size
        self._every = max(1, round(fps / LOOKS))
        self._calm = max(2, round(CALM_S * fps))

    def start(self, picture_HWC: Picture) -> None:
        """Takes a picture for where the camera is."""
        self._mean_HW = self._grey(picture_HWC)
        self._still = 0

    def undone(self, picture_HWC: Picture) -> tuple[Picture, tuple[float, float]]:
        """The next picture moved back, and how far the camera had moved, x and y in pixels."""
        self._still += 1
        if self._still > self._calm and self._still % self._every:
            return picture_HWC, (0.0, 0.0)
        grey_HW = self._grey(picture_HWC)
        # Copies: with a window, OpenCV writes into what it is given.
        (x, y), _ = cv2.phaseCorrelate(self._mean_HW.copy(), grey_HW.copy(), self._window)
        if max(abs(x), abs(y)) < STILL or not self._nearer(grey_HW, x, y):
            cv2.accumulateWeighted(grey_HW, self._mean_HW, FORGETTING)
            return picture_HWC, (0.0, 0.0)
        self._still = 0
        cv2.accumulateWeighted(_moved(grey_HW, x, y), self._mean_HW, FORGETTING)
        shift = (x * self._full[0] / self._small[0], y * self._full[1] / self._small[1])
        return np.asarray(_moved(picture_HWC, *shift), np.uint8), shift

    def _nearer(self, grey_HW: NDArray[np.float32], x: float, y: float) -> bool:
        """Whether a picture moved back is more like the mean than it was."""
        if max(abs(x) / self._small[0], abs(y) / self._small[1]) > FARTHEST:
            return False
        before = cv2.norm(grey_HW, self._mean_HW, cv2.NORM_L1)
        return cv2.norm(_moved(grey_HW, x, y), self._mean_HW, cv2.NORM_L1) < NEARER * before

    def _grey(self, picture_HWC: Picture) -> NDArray[np.float32]:
        small = cv2.resize(picture_HWC, self._small, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)


def _moved(picture: NDArray[Any], x: float, y: float) -> NDArray[Any]:
    """A picture whose camera had moved by x and y, moved back."""
    height, width = picture.shape[:2]
    back = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
    return np.asarray(
        cv2.warpAffine(
            picture,
            back,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )
