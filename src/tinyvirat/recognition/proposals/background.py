"""What of a picture is not background: OpenCV's mixture of Gaussians, looked after.

`cv2.createBackgroundSubtractorMOG2` (Zivkovic 2004, Zivkovic and van der Heijden 2006) does the
work; it is maintained, has a permissive licence and is fast. What it is helped with here:

- Pictures are reduced first, by averaging: half the width and height costs a quarter, and the
  average of four pixels has half their noise.
- A shaking camera and a changing exposure are measured (phase correlation; the median ratio of
  brightness) and undone before the model sees the picture.
- The model is asked without learning, and taught a few times a second with the places of known
  actors left out, so that somebody who stops does not become background within two seconds.
- It begins with the median of the first pictures, so that those who walk through them leave no
  ghosts of themselves behind.
- When most of the picture changes at once (lights go on, the camera is turned), nothing is said
  about it, and the model learns anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.proposals.camera import Exposure, Picture, Steady
from tinyvirat.recognition.proposals.settings import MotionSettings, frames_of

Mask = NDArray[np.uint8]

LARGE = 300_000
"""Pixels of a frame from which on it is halved before motion is looked for."""
VERY_LARGE = 4_000_000
"""From here on it is made three times smaller."""
SHADOW = 127
"""How the model marks what may be a shadow."""
LEAST_VARIANCE = 16.0
"""Grey levels squared. Compressed video stands quite still until the next key frame, which then
changes every texture by some levels; OpenCV's 4 takes that for motion."""
DARKEST_SHADOW = 0.35
"""Part of the background's brightness that a shadow leaves at least, in the sun."""
USUAL_SHADOW = 0.8
"""What a shadow mostly leaves. Darker is foreground that may be a shadow: dark trousers on asphalt
are as dark."""
LEGS, LEGS_STEP = 4, 2
"""How often, and by how many pixels, foreground is followed upright into what may be a shadow."""
NEIGHBOURS = 3
"""Pixels of nine that make one of them more than a speck."""
TEACHING = 5.0
"""Times a second that the background is taught."""
FIRST = 15
"""Pictures, at most, whose median is the first background."""
FLOOD, FLOOD_S = 0.4, 1.0
"""Part of the picture that cannot be actors alone; seconds of it after which all is learnt anew."""
HOLE = 1.3
"""Times as steep as the picture that the background is around a hole in it."""


def reduction(width: int, height: int) -> float:
    """The scale at which motion is looked for.

    An actor of 10 pixels keeps 5 in frames up to 2560x1440, which four averaged pixels each show
    clearly; only larger frames, in which actors are hardly so small, are reduced more.

    Args:
        width: of a frame in pixels.
        height: of a frame in pixels.
    """
    if width * height <= LARGE:
        return 1.0
    return 0.5 if width * height <= VERY_LARGE else 1 / 3


@dataclass(frozen=True, eq=False)
class Foreground:
    """What of one picture is not background.

    Attributes:
        mask_HW: 255 where there is something, else 0; of the reduced picture, held still.
        sure_HW: 255 where nothing of it can be a shadow.
        shift: how far the camera had moved, x and y in pixels of the reduced picture: what is at
            (x, y) in the mask is at (x, y) + shift in the picture.
        flood: most of the picture changed, and the mask says nothing.
    """

    mask_HW: Mask
    sure_HW: Mask
    shift: tuple[float, float]
    flood: bool


class Background:
    """The background of a still camera's pictures, learnt as they come.

    Args:
        size: width and height of the reduced pictures.
        fps: of the video.
        settings: contrast, memory, steadiness.
    """

    def __init__(self, size: tuple[int, int], fps: float, settings: MotionSettings) -> None:
        self._every = max(1, round(fps / TEACHING))
        self._history = max(2, round(settings.memory * fps / self._every))
        self._contrast = settings.contrast
        self._patience = frames_of(FLOOD_S, fps, 2)
        self._steady = Steady(size, fps) if settings.steady else None
        self._exposure = Exposure()
        self._seen = 0
        self._flooded = 0
        self._taught = 0

    def begin(self, pictures: Sequence[Picture]) -> None:
        """Learns from the first pictures, which are then still to be asked about."""
        chosen = np.linspace(0, len(pictures) - 1, min(len(pictures), FIRST)).round().astype(int)
        middle_HWC = np.median(np.stack([pictures[n] for n in chosen]), axis=0)
        self._start(middle_HWC.astype(np.uint8))

    def foreground(self, picture_HWC: Picture) -> Foreground:
        """What is not background in the next picture, after `begin`."""
        self._seen += 1
        held_HWC, shift = self._exposure.undone(picture_HWC), (0.0, 0.0)
        if self._steady is not None:
            held_HWC, shift = self._steady.undone(held_HWC)
        self._held_HWC = held_HWC
        marked_HW = np.asarray(self._model.apply(held_HWC, None, 0.0), np.uint8)
        sure_HW = _as_mask(marked_HW > SHADOW)
        mask_HW = _cleaned(_with_legs(sure_HW | self._dark(held_HWC, marked_HW), marked_HW))
        flood = cv2.countNonZero(mask_HW) > FLOOD * mask_HW.size
        self._flooded = self._flooded + 1 if flood else 0
        if self._flooded > self._patience:
            self._start(picture_HWC)
        return Foreground(mask_HW, sure_HW, shift, flood)

    def learn(self, known_HW: Mask) -> None:
        """Learns from the picture that was asked about last, a few times a second.

        Args:
            known_HW: 255 where actors are known to be, which is not learnt.
        """
        if self._flooded or self._seen % self._every:
            return
        self._taught += 1
        # Early pictures count more: what was there by chance is soon forgotten.
        rate = 1.0 / min(self._taught + 1, self._history)
        self._model.apply(self._held_HWC, known_HW, None, rate)
        self._look()

    def is_hole(self, mask_HW: NDArray[np.bool_], box_4: NDArray[np.float64]) -> bool:
        """Whether foreground at rest is a hole that somebody left in the background.

        Where somebody is, the picture has an edge around them; where somebody was, the background
        has it, learnt when they stood there.

        Args:
            mask_HW: the foreground.
            box_4: where to look.
        """
        x1, y1, x2, y2 = _around(box_4, 3, mask_HW.shape)
        piece_HW = mask_HW[y1:y2, x1:x2].astype(np.uint8)
        if min(piece_HW.shape) < 3:
            return False
        band_HW = cv2.morphologyEx(piece_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        if not band_HW.any():
            return False
        now = float(_edges(self._held_HWC[y1:y2, x1:x2])[band_HW].mean())
        then = float(_edges(self._back_HWC[y1:y2, x1:x2])[band_HW].mean())
        return then > HOLE * now

    def fill(self, box_4: NDArray[np.float64]) -> None:
        """Makes what is seen in a box background at once."""
        known_HW = np.full(self._held_HWC.shape[:2], 255, np.uint8)
        x1, y1, x2, y2 = _around(box_4, 2, known_HW.shape)
        known_HW[y1:y2, x1:x2] = 0
        self._model.apply(self._held_HWC, known_HW, None, 0.5)
        self._look()

    def _start(self, picture_HWC: Picture) -> None:
        """Begins anew with a picture."""
        self._flooded, self._taught = 0, 1
        self._exposure.start(picture_HWC)
        if self._steady is not None:
            self._steady.start(picture_HWC)
        self._model = cv2.createBackgroundSubtractorMOG2(self._history, self._contrast**2, True)
        self._model.setShadowThreshold(DARKEST_SHADOW)
        self._model.setVarMin(LEAST_VARIANCE)
        self._model.setVarInit(LEAST_VARIANCE)
        self._model.apply(picture_HWC, None, 1.0)
        self._look()

    def _dark(self, picture_HWC: Picture, marked_HW: Mask) -> Mask:
        """What may be a shadow, but is darker than most of them."""
        grey_HW = cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2GRAY)
        return _as_mask((grey_HW < self._limit_HW) & (marked_HW == SHADOW))

    def _look(self) -> None:
        """Looks at the background as it is learnt by now."""
        self._back_HWC = np.asarray(self._model.getBackgroundImage(), np.uint8)
        grey_HW = cv2.cvtColor(self._back_HWC, cv2.COLOR_RGB2GRAY)
        self._limit_HW = cv2.convertScaleAbs(grey_HW, alpha=USUAL_SHADOW)


def _around(
    box_4: NDArray[np.float64], margin: int, shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """A box with a margin in whole pixels, inside the picture."""
    x1, y1 = (max(0, int(np.floor(edge)) - margin) for edge in box_4[:2])
    x2 = min(shape[1], int(np.ceil(box_4[2])) + margin)
    y2 = min(shape[0], int(np.ceil(box_4[3])) + margin)
    return x1, y1, max(x1, x2), max(y1, y2)


def _edges(picture_HWC: Picture) -> NDArray[np.float32]:
    """How steep the picture is at each pixel, in all its colours, noise put aside."""
    smooth_HWC = cv2.GaussianBlur(np.ascontiguousarray(picture_HWC), (3, 3), 0)
    across_HWC = cv2.Sobel(smooth_HWC, cv2.CV_32F, 1, 0)
    down_HWC = cv2.Sobel(smooth_HWC, cv2.CV_32F, 0, 1)
    return np.asarray(np.sqrt((across_HWC**2 + down_HWC**2).sum(axis=2)), np.float32)


def _with_legs(sure_HW: Mask, marked_HW: Mask) -> Mask:
    """Foreground, and what is taken for shadow right above or below it.

    Dark clothes on bright ground darken it as a shadow does. But a shadow mostly lies beside those
    who cast it, and legs are below.
    """
    maybe_HW = _as_mask(marked_HW >= SHADOW)
    upright = np.ones((2 * LEGS_STEP + 1, 1), np.uint8)
    for _ in range(LEGS):
        sure_HW = np.asarray(cv2.dilate(sure_HW, upright), np.uint8) & maybe_HW
    return sure_HW


def _cleaned(mask_HW: Mask) -> Mask:
    """Without specks: of a pixel's neighbourhood of nine, `NEIGHBOURS` must be foreground."""
    shares_HW = cv2.blur(mask_HW, (3, 3))
    return mask_HW & _as_mask(shares_HW > 255 * (NEIGHBOURS - 0.5) / 9)


def _as_mask(flags_HW: NDArray[np.bool_]) -> Mask:
    """255 where it is so, else 0."""
    return flags_HW.view(np.uint8) * np.uint8(255)
