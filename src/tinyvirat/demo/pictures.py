"""The demonstration's picture: unseen clips as they come in, and what the network makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from tinyvirat.common.files import written_beside
from tinyvirat.common.pixels import resize, to_uint8
from tinyvirat.datasets.manifest import ClipRecord, Manifest
from tinyvirat.datasets.simulate import read_masks
from tinyvirat.demo.attention import masks_file
from tinyvirat.models.inference import Inference
from tinyvirat.video import open_video

Picture = NDArray[np.uint8]

SIDE, GAP, HEAD = 160, 6, 24
ROWS = 4


def draw_strip(inference: Inference, manifest: Manifest, large: Manifest, out: Path) -> Path:
    """Draws a frame of each of some test clips: input, bicubic, super-resolved, truth, map, mask.

    The clips stand evenly spread in the test split, and the frame in the middle of the window.

    Args:
        inference: the method's network.
        manifest: the tiny clips.
        large: the same clips drawn large.
        out: the PNG.
    """
    records = manifest.of("test")
    twins = {record.id: record for record in large.of("test")}
    places = np.linspace(0, len(records) - 1, min(ROWS, len(records))).round().astype(int)
    chosen = [records[place] for place in places]
    rows = [_row(inference, manifest, large, one, twins[one.id]) for one in chosen]
    side = inference.preprocess.sizes[0]
    heads = (
        f"input, {side} x {side}",
        "bicubic",
        "super-resolved",
        "truth",
        "attention map",
        "true mask",
    )
    with written_beside(out) as temporary:
        _page(rows, heads).save(temporary, optimize=True)
    return out


def _row(
    inference: Inference, manifest: Manifest, large: Manifest, tiny: ClipRecord, twin: ClipRecord
) -> list[Picture]:
    """The pictures of one clip, in the order of the columns."""
    indices_T = inference.spec.sampler.windows(tiny.frames)[0]
    with open_video(manifest.file(tiny)) as reader:
        window_THWC = torch.from_numpy(reader.read(indices_T).frames_THWC)
    middle = len(indices_T) // 2
    with open_video(large.file(twin)) as reader:
        truth_HWC = reader.read(indices_T[[middle]]).frames_THWC[0]
    x_BCTHW, enlarged = inference.enlarge(window_THWC)
    input_CHW = x_BCTHW[0, :, middle]
    attention = enlarged.attention_B1THW
    assert attention is not None  # the recipe asks for the branch
    mask_HW = read_masks(masks_file(manifest, tiny))[indices_T[middle]] > 0
    return [
        _nearest(_pixels(input_CHW)),
        _pixels(resize(input_CHW, (SIDE, SIDE))),
        _pixels(resize(enlarged.video_BCTHW[0, :, middle], (SIDE, SIDE))),
        _pixels(resize(torch.from_numpy(truth_HWC).permute(2, 0, 1), (SIDE, SIDE))),
        _nearest(_light(attention[0, 0, middle].numpy())),
        _nearest(_light(mask_HW.astype(np.float64))),
    ]


def _pixels(x_CHW: Tensor) -> Picture:
    levels = x_CHW if x_CHW.dtype == torch.uint8 else to_uint8(x_CHW)
    pixels: Picture = levels.permute(1, 2, 0).numpy()
    return pixels


def _light(map_HW: NDArray[np.floating]) -> Picture:
    """Values in [0, 1] as grey: 0 black, 1 white."""
    grey_HW = (map_HW.clip(0, 1) * 255).round().astype(np.uint8)
    grey_HWC: Picture = np.repeat(grey_HW[..., None], 3, axis=-1)
    return grey_HWC


def _nearest(frame_HWC: Picture) -> Picture:
    """Enlarged so that pixels can be counted."""
    places = np.arange(SIDE) * frame_HWC.shape[0] // SIDE
    larger_HWC: Picture = frame_HWC[places][:, places]
    return larger_HWC


def _page(rows: Sequence[Sequence[Picture]], heads: Sequence[str]) -> Image.Image:
    step = SIDE + GAP
    image = Image.new("RGB", (step * len(heads) - GAP, HEAD + step * len(rows) - GAP), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for column, head in enumerate(heads):
        draw.text((column * step + 2, 3), head, fill="black", font=font)
    for line, row in enumerate(rows):
        for column, picture_HWC in enumerate(row):
            place = (column * step, HEAD + line * step)
            image.paste(Image.fromarray(picture_HWC), place)
    return image
