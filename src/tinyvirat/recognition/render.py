"""Pictures of what a model saw: input, enlarged clip and attention map, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from tinyvirat.common.files import written_beside
from tinyvirat.common.pixels import resize, to_uint8
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.results import Prediction
from tinyvirat.video import VideoWriter, open_video

Picture = NDArray[np.uint8]

PANEL = 224
"""Side of one panel, pixels."""

STRIP_FRAMES = 8
"""Frames shown in a still picture."""

BAR = 22
"""Height of a caption, pixels."""

LONGEST = 40
"""Windows that an annotated video shows at most."""


def render(recognizer: ActionRecognizer, prediction: Prediction, out: Path) -> tuple[Path, Path]:
    """Draws one recognised video.

    Args:
        recognizer: the model that recognised it.
        prediction: what it said.
        out: path of the pictures without a suffix.

    Returns:
        A still picture (`.png`: the middle window, a row each for input, enlarged clip and map) and
        a video (`.mp4`: the same side by side over time), both written whole or not at all.

    Raises:
        VideoError: the video cannot be read any more.
    """
    still, moving = out.with_name(out.name + ".png"), out.with_name(out.name + ".mp4")
    caption = ", ".join(f"{label} {score:.2f}" for label, score in prediction.top(3))
    with open_video(prediction.video) as reader:
        windows = recognizer.spec.sampler.windows(prediction.stop)
        middle = torch.from_numpy(reader.read(windows[len(windows) // 2]).frames_THWC)
        with written_beside(still) as temporary:
            _strip(recognizer, middle, caption).save(temporary)
        with VideoWriter(moving, reader.info.fps) as writer:
            for part in recognizer.windows(reader, prediction.stop, most=LONGEST):
                for window in part:
                    for frame_HWC in _side_by_side(recognizer, window, caption):
                        writer.write(frame_HWC)
    return still, moving


def panels(recognizer: ActionRecognizer, window_THWC: Tensor) -> dict[str, Picture]:
    """The network's view of one window, as `frames_THWC` of `PANEL` pixels by name.

    The input is enlarged without interpolation, so that its pixels can be counted; the map is laid
    over the enlarged clip, from dark (0) to light (1).
    """
    x_BCTHW, enlarged = recognizer.inference.enlarge(window_THWC)
    video_CTHW = enlarged.video_BCTHW[0]
    bicubic = resize(x_BCTHW[0], (PANEL, PANEL), "bicubic")
    side = x_BCTHW.shape[-1]
    shown = {f"input {side} x {side}": _nearest(x_BCTHW[0]), "bicubic": _frames(bicubic)}
    if recognizer.spec.config.super_resolution is not None:
        shown["super-resolved"] = _frames(resize(video_CTHW, (PANEL, PANEL), "bicubic"))
    if enlarged.attention_B1THW is not None:
        dimmed = (video_CTHW + 1) * (0.15 + 0.85 * enlarged.attention_B1THW[0]) - 1
        shown["attention"] = _frames(resize(dimmed, (PANEL, PANEL), "bicubic"))
    return shown


def captioned(picture_HWC: Picture, text: str) -> Picture:
    """A picture with a line of text under it, cut where it does not fit."""
    height, width = picture_HWC.shape[:2]
    image = Image.new("RGB", (width, height + BAR), "black")
    image.paste(Image.fromarray(picture_HWC), (0, 0))
    font = ImageFont.load_default(12)
    draw = ImageDraw.Draw(image)
    while text and draw.textlength(text, font=font) > width - 8:
        text = text[:-1]
    draw.text((4, height + 4), text, fill="white", font=font)
    return np.asarray(image)


def _strip(recognizer: ActionRecognizer, window_THWC: Tensor, caption: str) -> Image.Image:
    rows = []
    for name, frames_THWC in panels(recognizer, window_THWC).items():
        chosen = np.linspace(0, len(frames_THWC) - 1, STRIP_FRAMES).round().astype(int)
        row = np.concatenate([frames_THWC[i] for i in chosen], axis=1)
        rows.append(captioned(row, name))
    return Image.fromarray(captioned(np.concatenate(rows), caption))


def _side_by_side(
    recognizer: ActionRecognizer, window_THWC: Tensor, caption: str
) -> Iterator[Picture]:
    shown = panels(recognizer, window_THWC)
    for frames in zip(*shown.values(), strict=True):
        row = [captioned(f, name) for f, name in zip(frames, shown, strict=True)]
        yield captioned(np.concatenate(row, axis=1), caption)


def _nearest(x_CTHW: Tensor) -> Picture:
    frames = _frames(x_CTHW)
    places = np.arange(PANEL) * frames.shape[1] // PANEL
    return frames[:, places][:, :, places]


def _frames(x_CTHW: Tensor) -> Picture:
    frames: Picture = to_uint8(x_CTHW).permute(1, 2, 3, 0).numpy()
    return frames
