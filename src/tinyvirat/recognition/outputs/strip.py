"""What the network saw of a tube: a row each of input, enlarged frames and attention map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tinyvirat.common.words import one_line
from tinyvirat.recognition.events import TubeEnd
from tinyvirat.recognition.outputs.lettering import Picture, font_of
from tinyvirat.recognition.outputs.words import clock
from tinyvirat.recognition.proposals.records import UNKNOWN

if TYPE_CHECKING:
    from tinyvirat.recognition.load import ActionRecognizer

FRAMES = 8
SIDE = 112
GAP = 2
MARGIN = 8
LETTERS = 13
CAPTION = 116
"""Width of the names of the rows, pixels."""

GROUND, INK, PALE = "#14181c", "#f2f4f6", "#9aa4ae"


class StripDrawer:
    """Draws the best window of a tube. The picture of the last tube is kept for who asks again.

    Args:
        recognizer: the model; None, or one without a PyTorch network (an exported file), shows only
            what was cut out of the video.
    """

    def __init__(self, recognizer: ActionRecognizer | None) -> None:
        self._recognizer = recognizer if recognizer is not None and _draws(recognizer) else None
        self._last: tuple[TubeEnd, Image.Image] | None = None

    def draw(self, tube: TubeEnd) -> Image.Image | None:
        """The rows with their names; None for a tube that has no window. Do not change it."""
        if tube.best_window_THWC is None or not tube.best_window_THWC.size:
            return None
        if self._last is None or self._last[0] is not tube:
            self._last = tube, rows_picture(self._rows(tube.best_window_THWC))
        return self._last[1]

    def _rows(self, window_THWC: NDArray[np.uint8]) -> dict[str, Picture]:
        """`frames_THWC` by the name of the row."""
        if self._recognizer is None:
            height, width = window_THWC.shape[1:3]
            return {f"input {width} x {height}": window_THWC}
        import torch

        from tinyvirat.recognition.render import panels

        rows = panels(self._recognizer, torch.from_numpy(np.ascontiguousarray(window_THWC)))
        return {name: frames_THWC for name, frames_THWC in rows.items() if name != "bicubic"}


def rows_picture(rows: dict[str, Picture]) -> Image.Image:
    """Frames evenly spread over a window, side by side.

    Args:
        rows: `frames_THWC`, uint8, by the name of the row.
    """
    width = CAPTION + FRAMES * (SIDE + GAP)
    image = Image.new("RGB", (width, len(rows) * (SIDE + GAP)), GROUND)
    draw, font = ImageDraw.Draw(image), font_of(LETTERS)
    for number, (name, frames_THWC) in enumerate(rows.items()):
        top = number * (SIDE + GAP)
        first, _, rest = name.partition(" ")
        text = f"{first}\n{rest}" if rest else first
        draw.text((MARGIN, top + MARGIN), text, fill=INK, font=font)
        places = np.linspace(0, len(frames_THWC) - 1, FRAMES).round().astype(int)
        for column, place in enumerate(places):
            tile = Image.fromarray(_square(frames_THWC[place]))
            left = CAPTION + column * (SIDE + GAP)
            image.paste(tile, (left + (SIDE - tile.width) // 2, top + (SIDE - tile.height) // 2))
    return image


def titled(picture: Image.Image, tube: TubeEnd) -> Image.Image:
    """A strip with what is known of its tube above it."""
    first = f"tube {tube.tube}" + ("" if tube.type == UNKNOWN else f"  {one_line(tube.type)}")
    first += f"  {clock(tube.start_time)} - {clock(tube.stop_time)}"
    first += f"  frames {tube.start} to {tube.stop - 1}"
    if tube.best_start is not None:
        first += f"; window from frame {tube.best_start}"
    font = font_of(LETTERS)
    height = 2 * (LETTERS + 6) + MARGIN
    image = Image.new("RGB", (picture.width, picture.height + height), GROUND)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN // 2), first, fill=PALE, font=font)
    draw.text((MARGIN, MARGIN // 2 + LETTERS + 6), said_of(tube), fill=INK, font=font)
    image.paste(picture, (0, height))
    return image


def said_of(tube: TubeEnd) -> str:
    """What was recognised in a tube, with the highest scores, in one line."""
    best: dict[str, float] = {}
    for action in tube.actions:
        best[action.label] = max(action.score, best.get(action.label, 0.0))
    order = sorted(best, key=lambda label: -best[label])
    if order:
        return ",  ".join(f"{one_line(label)} {best[label]:.2f}" for label in order[:5])
    top = sorted((tube.scores or {}).items(), key=lambda item: -item[1])[:3]
    highest = ",  ".join(f"{one_line(label)} {score:.2f}" for label, score in top)
    return "nothing above its threshold" + (f"; highest: {highest}" if highest else "")


def _square(frame_HWC: Picture) -> Picture:
    """A frame that fits the tile: whole pixels where it grows, means where it shrinks."""
    height, width = frame_HWC.shape[:2]
    factor = SIDE / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = cv2.INTER_NEAREST if factor >= 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(frame_HWC, size, interpolation=method), np.uint8)


def _draws(recognizer: ActionRecognizer) -> bool:
    """Whether there is a network that shows what it makes of a clip."""
    from tinyvirat.models.engines import EngineError

    try:
        _ = recognizer.inference.network
    except EngineError:
        return False
    return True
