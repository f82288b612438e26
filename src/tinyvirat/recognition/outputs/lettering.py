"""Letters for pictures, fast enough for every frame of a video."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tinyvirat.recognition.outputs.colours import RGB

Picture = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PADDING = 3


@lru_cache(maxsize=8)
def font_of(size: int) -> Font:
    """DejaVu Sans, which has Latin, Greek, Cyrillic, Arabic and more; it comes with matplotlib.

    Args:
        size: in pixels.
    """
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    try:
        return ImageFont.truetype(path, size)
    except OSError:
        return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def line_sprite(text: str, size: int, colour: RGB) -> Picture:
    """A line of text on black, with a little room around it; do not change it.

    Args:
        text: one line.
        size: of the font in pixels.
        colour: of the letters.

    Returns:
        uint8 (H, W, 3); every line of one size has the same height.
    """
    font = font_of(size)
    width = max(1, round(font.getlength(text))) + 2 * PADDING
    image = Image.new("RGB", (width, line_height(size)), "black")
    ImageDraw.Draw(image).text((PADDING, PADDING - 1), text, fill=colour, font=font)
    return np.asarray(image)


def line_height(size: int) -> int:
    """Pixels from one line to the next."""
    return round(size * 1.2) + 2


def stamp(picture_HWC: Picture, sprite_HWC: Picture, left: int, top: int) -> None:
    """Puts a sprite on a picture, which is darkened behind it; what leaves it is cut off."""
    height, width = picture_HWC.shape[:2]
    x1, y1 = max(0, left), max(0, top)
    x2 = min(width, left + sprite_HWC.shape[1])
    y2 = min(height, top + sprite_HWC.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    region_HWC = picture_HWC[y1:y2, x1:x2]
    # Behind the letters at most a quarter of the light is left: white on it always stands out.
    np.right_shift(region_HWC, 2, out=region_HWC)
    np.maximum(region_HWC, sprite_HWC[y1 - top : y2 - top, x1 - left : x2 - left], out=region_HWC)
