"""What is seen of one tube: the crop over time, what the network was given, and its answers.

Everything is HTML with its pictures in it, so that nothing has to be served from a folder.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Iterable
from fractions import Fraction
from html import escape
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from tinyvirat.app.found import Found, FoundTube
from tinyvirat.common.drawing import drawable
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.outputs.colours import PALETTE
from tinyvirat.recognition.outputs.words import clock
from tinyvirat.recognition.render import panels
from tinyvirat.video import VideoWriter

Picture = NDArray[np.uint8]

STRIP_FRAMES = 8
MOST_LINES = 5
"""Labels in the picture of scores."""
GREY = "#868e96"
"""Of letters and axes: it can be read on white and on black."""
JPEG_QUALITY = 90


def tube_pictures(
    recognizer: ActionRecognizer, found: Found, tube: FoundTube, crops: Iterable[Picture]
) -> str:
    """All pictures of a tube.

    Args:
        recognizer: the model that answered.
        found: of the video.
        tube: which.
        crops: of its frames, in their order.
    """
    end = tube.end
    said = [f"{escape(label)} {score:.2f}" for label, score in tube.best.items()]
    top, score = tube.top
    verdict = ", ".join(said) or f"nothing above its threshold (nearest: {escape(top)} {score:.2f})"
    head = (
        f"<h3>Tube {end.tube}<span>{clock(end.start_time)} to {clock(end.stop_time)}</span>"
        f"<em>{verdict}</em></h3>"
    )
    moving = (
        f"<figure class='tv-crop'>{crop_video(crops, float(found.header.fps))}"
        "<figcaption>the tube, cut out</figcaption></figure>"
    )
    answers = (
        f"<figure class='tv-scores'>{score_chart(found, tube)}"
        "<figcaption>scores over time; dashed: from where a label counts</figcaption></figure>"
    )
    return (
        f"<div class='tv-tube' data-tube='{end.tube}'>{head}"
        f"<div class='tv-side'>{moving}{answers}</div>{_strips(recognizer, tube)}</div>"
    )


def crop_video(crops: Iterable[Picture], fps: float) -> str:
    """Crops as a little video that runs in a circle."""
    rate = Fraction(fps).limit_denominator(1001)
    with tempfile.TemporaryDirectory(prefix="tinyvirat-") as folder:
        path = Path(folder) / "crop.mp4"
        with VideoWriter(path, max(rate, Fraction(1)), preset="veryfast", threads=1) as writer:
            for crop_HWC in crops:
                writer.write(crop_HWC)
        data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"<video autoplay loop muted playsinline src='data:video/mp4;base64,{data}'></video>"


def score_chart(found: Found, tube: FoundTube) -> str:
    """The scores of the most probable labels over time, as SVG that suits light and dark pages."""
    header = found.header
    chosen = np.argsort(-tube.scores_NK.max(axis=0), kind="stable")[:MOST_LINES]
    figure = Figure(figsize=(9.0, 2.5), layout="constrained")
    axes = figure.subplots()
    times_M = tube.spans_N2.ravel()
    for colour, k in zip(PALETTE, chosen.tolist(), strict=False):
        values_M = np.repeat(tube.scores_NK[:, k], 2)
        name = drawable(header.labels[k])
        axes.plot(times_M, values_M, color=colour, linewidth=2, label=f" {name}")
        axes.axhline(header.thresholds[k], color=colour, linewidth=0.8, linestyle=(0, (4, 4)))
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(times_M[0], max(times_M[-1], times_M[0] + 1e-3))
    axes.set_xlabel("seconds", color=GREY)
    axes.tick_params(colors=GREY)
    for name, spine in axes.spines.items():
        spine.set_color(GREY)
        spine.set_visible(name in ("left", "bottom"))
    axes.legend(
        frameon=False, labelcolor=GREY, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9
    )
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _strips(recognizer: ActionRecognizer, tube: FoundTube) -> str:
    """What the network was given for the surest window, and what it made of it."""
    window_THWC = tube.end.best_window_THWC
    if window_THWC is None:
        return ""
    shown = panels(recognizer, torch.from_numpy(window_THWC))
    shown.pop("bicubic", None)
    rows = "".join(
        f"<div><dt>{name}</dt><dd><img alt='{name}' src='{_strip(frames)}'></dd></div>"
        for name, frames in shown.items()
    )
    return f"<dl class='tv-strips'>{rows}</dl>"


def _strip(frames_THWC: Picture) -> str:
    chosen = np.linspace(0, len(frames_THWC) - 1, STRIP_FRAMES).round().astype(int)
    picture = Image.fromarray(np.concatenate([frames_THWC[i] for i in chosen], axis=1))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
