"""Clips of tubes: for eyes, and to learn from, cut by the rules of training clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tinyvirat.app.limits import AppLimits
from tinyvirat.app.upload import Upload, UploadError, frames_of
from tinyvirat.common.pixels import crop_windows
from tinyvirat.common.words import counted
from tinyvirat.datasets.build.cut import LARGEST_DENOMINATOR, PRESET, QUANTISER
from tinyvirat.datasets.tubes.cut import is_long_enough, pieces_of
from tinyvirat.datasets.tubes.records import WindowArray
from tinyvirat.datasets.tubes.rules import BuildRules
from tinyvirat.recognition.proposals.windows import square_windows
from tinyvirat.video import VideoWriter

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of a tube that makes one clip.

    Attributes:
        start: its first frame in the video.
        stop: the frame after its last.
        windows_T4: the square of each frame, `x1, y1, x2, y2` in whole pixels of the video, all of
            one side; None where the tube is the whole frame, which is not cut.
    """

    start: int
    stop: int
    windows_T4: WindowArray | None


def plan_pieces(
    upload: Upload, first: int, boxes_T4: NDArray[np.float64], start: int, stop: int
) -> tuple[Piece, ...]:
    """The clips of the frames `[start, stop)` of a tube.

    Args:
        upload: the video.
        first: the tube's first frame.
        boxes_T4: the tube's boxes from there on.
        start: the first frame of the first clip.
        stop: the frame after the last clip's last.

    Raises:
        UploadError: the tube is not there, or it is too short for a clip.
    """
    rules = BuildRules()
    start, stop = max(start, first), min(stop, first + len(boxes_T4))
    if not is_long_enough(stop - start, rules.cut):
        raise UploadError(
            f"{counted(max(0, stop - start), 'frame')}: too few for a clip to learn from, which "
            f"takes {rules.cut.shortest}; choose a longer time, or another tube"
        )
    pieces = []
    for begin, end in pieces_of(stop - start, rules.cut.longest):
        boxes = boxes_T4[start + begin - first : start + end - first]
        pieces.append(Piece(start + begin, start + end, _windows(upload, boxes)))
    return tuple(pieces)


def write_clip(upload: Upload, piece: Piece, path: Path, limits: AppLimits) -> None:
    """Cuts a clip out of an upload; the file is whole or not there.

    Raises:
        UploadError: the upload cannot be read.
        tinyvirat.video.VideoError: the clip cannot be written.
    """
    fps = upload.fps.limit_denominator(LARGEST_DENOMINATOR)
    with VideoWriter(path, fps, preset=PRESET, quantiser=QUANTISER, threads=1) as writer:
        for frame_HWC in crops_of(upload, piece, limits):
            writer.write(frame_HWC)


def crops_of(upload: Upload, piece: Piece, limits: AppLimits) -> Iterator[Picture]:
    """The frames of a clip, uint8 RGB, as they are cut out.

    Raises:
        UploadError: the upload cannot be read.
    """
    for frame in frames_of(upload, piece.start, piece.stop, limits):
        crop_HWC = frame.frame_HWC
        if piece.windows_T4 is not None:
            place = frame.index - piece.start
            window_14 = piece.windows_T4[place : place + 1]
            crop_HWC = crop_windows(torch.from_numpy(crop_HWC)[None], window_14)[0].numpy()
        yield crop_HWC


def _windows(upload: Upload, boxes_T4: NDArray[np.float64]) -> WindowArray | None:
    size = (upload.width, upload.height)
    if np.array_equal(boxes_T4, np.broadcast_to((0.0, 0.0, *map(float, size)), boxes_T4.shape)):
        return None
    return square_windows(boxes_T4, size, BuildRules().crop)
