"""What is known of a frame, drawn on it: boxes, tube numbers, labels, scores, time."""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np

from tinyvirat.common.words import one_line
from tinyvirat.recognition.events import AnsweredBox, AnsweredFrame
from tinyvirat.recognition.outputs.colours import BRIGHT, RGB
from tinyvirat.recognition.outputs.lettering import Picture, line_height, line_sprite, stamp
from tinyvirat.recognition.outputs.words import clock
from tinyvirat.recognition.proposals.records import UNKNOWN

Corners = tuple[int, int, int, int]

SHORTEST_SIDE = 240
"""Smaller pictures are enlarged by a whole number until their letters can be read."""

MOST_ZOOM = 8
MOST_LABELS = 3
LONGEST_LABEL = 28
WHITE: RGB = (255, 255, 255)


class Canvas:
    """Draws on one frame after the other.

    Args:
        height: of the first picture in pixels; pictures of another size are brought to this one.
        width: likewise.

    Attributes:
        height: of the drawn pictures: both are even, as H.264's usual pixel format needs it.
        width: likewise.
    """

    def __init__(self, height: int, width: int) -> None:
        self._zoom = min(MOST_ZOOM, max(1, ceil(SHORTEST_SIDE / min(height, width))))
        self._inner = (height * self._zoom, width * self._zoom)
        self.height, self.width = (side + side % 2 for side in self._inner)
        shorter = min(self.height, 0.75 * self.width)
        self._font = max(11, round(shorter / 40))
        self._line = max(1, round(shorter / 300))
        self._canvas_HWC = np.empty((self.height, self.width, 3), np.uint8)

    def paint(self, answered: AnsweredFrame) -> Picture:
        """Draws a frame; the next call draws over it.

        Returns:
            uint8 (H, W, 3).
        """
        canvas_HWC = self._canvas_HWC
        picture_HWC = answered.frame.frame_HWC
        self._fill(picture_HWC)
        across = answered.scale * self._inner[1] / picture_HWC.shape[1]
        down = answered.scale * self._inner[0] / picture_HWC.shape[0]
        # At the top, because players lay their controls over the bottom.
        stamped = self._time(answered)
        placed: list[Corners] = [stamped]
        for one in answered.boxes:
            x1, y1, x2, y2 = one.box.box
            corners = (
                round(x1 * across),
                round(y1 * down),
                max(round(x1 * across) + 1, round(x2 * across)),
                max(round(y1 * down) + 1, round(y2 * down)),
            )
            self._outline(corners, colour_of(one.box.tube), dim=not one.box.seen)
            placed.append(corners)
        for one, corners in zip(answered.boxes, placed[1:], strict=True):
            self._label(one, corners, placed)
        return canvas_HWC

    def _fill(self, picture_HWC: Picture) -> None:
        height, width = self._inner
        inner_HWC = self._canvas_HWC[:height, :width]
        if picture_HWC.shape[:2] == (height, width):
            np.copyto(inner_HWC, picture_HWC)
        else:
            # Whole pixels for the small, so that they can be counted; means where one shrinks.
            smaller = picture_HWC.shape[0] > height
            method = cv2.INTER_AREA if smaller else cv2.INTER_NEAREST
            inner_HWC[:] = cv2.resize(picture_HWC, (width, height), interpolation=method)
        self._canvas_HWC[height:] = self._canvas_HWC[height - 1]
        self._canvas_HWC[:, width:] = self._canvas_HWC[:, width - 1 : width]

    def _outline(self, corners: Corners, colour: RGB, *, dim: bool) -> None:
        """A line around a box, outside of it, so that none of a tiny actor is covered."""
        x1, y1, x2, y2 = corners
        line = 1 if dim else self._line
        left, top = max(0, x1 - line), max(0, y1 - line)
        canvas_HWC = self._canvas_HWC
        canvas_HWC[top : max(0, y1), left : x2 + line] = colour
        canvas_HWC[y2 : y2 + line, left : x2 + line] = colour
        canvas_HWC[top : y2 + line, left : max(0, x1)] = colour
        canvas_HWC[top : y2 + line, x2 : x2 + line] = colour

    def _label(self, one: AnsweredBox, corners: Corners, placed: list[Corners]) -> None:
        sprites = [
            line_sprite(text, self._font, colour)
            for text, colour in lines_of(one, colour_of(one.box.tube))
        ]
        step = line_height(self._font)
        size = max(sprite.shape[1] for sprite in sprites), step * len(sprites)
        x, y = self._free_place(corners, size, placed)
        placed.append((x, y, x + size[0], y + size[1]))
        for number, sprite in enumerate(sprites):
            stamp(self._canvas_HWC, sprite, x, y + number * step)

    def _free_place(
        self, corners: Corners, size: tuple[int, int], placed: list[Corners]
    ) -> tuple[int, int]:
        """Above a box, below, beside or high above it: the first place that nothing else has."""
        (x1, y1, x2, y2), gap = corners, self._line
        width, height = size
        places = (
            (x1 - gap, y1 - gap - height),
            (x1 - gap, y2 + gap),
            (x2 + gap - width, y1 - gap - height),
            (x2 + gap - width, y2 + gap),
            (x2 + gap, y1 - gap),
            (x1 - gap - width, y1 - gap),
            (x2 + gap, y2 + gap - height),
            (x1 - gap - width, y2 + gap - height),
            (x1 - gap, y1 - 2 * (gap + height)),
            (x2 + gap - width, y1 - 2 * (gap + height)),
        )

        def covered(place: tuple[int, int]) -> int:
            x, y = place
            return sum(
                max(0, min(x + width, right) - max(x, left))
                * max(0, min(y + height, bottom) - max(y, top))
                for left, top, right, bottom in placed
            )

        # The first of those that cover least.
        return min((self._kept(place, size) for place in places), key=covered)

    def _kept(self, place: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """A place moved into the picture."""
        x = max(0, min(place[0], self.width - size[0]))
        y = max(0, min(place[1], self.height - size[1]))
        return x, y

    def _time(self, answered: AnsweredFrame) -> Corners:
        frame = answered.frame
        text = f"{clock(frame.time, 3)}  frame {frame.index}"
        sprite = line_sprite(text, self._font, WHITE)
        stamp(self._canvas_HWC, sprite, 0, 0)
        return 0, 0, sprite.shape[1], sprite.shape[0]


def colour_of(tube: int) -> RGB:
    """The colour of a tube, the same in every frame."""
    return BRIGHT[tube % len(BRIGHT)]


def lines_of(one: AnsweredBox, colour: RGB) -> list[tuple[str, RGB]]:
    """What is written beside a box: the tube's number and what it does, the most probable first."""
    type_ = "" if one.box.type == UNKNOWN else f" {one.box.type}"
    lines = [(one_line(f"{one.box.tube}{type_}", LONGEST_LABEL), colour)]
    scores = one.scores or {}
    for label in one.labels[:MOST_LABELS]:
        score = f" {scores[label]:.2f}" if label in scores else ""
        lines.append((one_line(label, LONGEST_LABEL) + score, WHITE))
    if len(one.labels) > MOST_LABELS:
        lines.append((f"and {len(one.labels) - MOST_LABELS} more", WHITE))
    return lines
