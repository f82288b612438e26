"""The frames of a record's clip, straight from its file: span, windows and size applied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.pixels import crop_windows, shorten, shortened_size
from tinyvirat.datasets.records import ClipRecord
from tinyvirat.video import DecoderName, VideoError, VideoReader, open_video

Indices: TypeAlias = Sequence[int] | NDArray[np.int64]


class ClipError(TinyviratError):
    """A clip that cannot be read as its record describes it."""


class ClipReader:
    """Reads frames of one clip; a context manager, for one thread.

    Args:
        file: the record's video file.
        record: the clip.
        short_side: larger frames are reduced to this short side (bilinear); `None` keeps them.
        decoder: as in `tinyvirat.video.open_video`.
        threads: of the decoder; 1 where several readers work side by side.

    Raises:
        ClipError: the file cannot be read, or its frames have another size than the record says.
    """

    def __init__(
        self,
        file: Path,
        record: ClipRecord,
        *,
        short_side: int | None = None,
        decoder: DecoderName = "auto",
        threads: int | None = None,
    ) -> None:
        self._record = record
        self._short_side = short_side
        try:
            self._video: VideoReader = open_video(file, decoder=decoder, threads=threads)
        except VideoError as error:
            raise ClipError(f"clip {record.id!r}: {error}") from error
        info = self._video.info
        if (info.height, info.width) != (record.height, record.width):
            self._video.close()
            raise ClipError(
                f"clip {record.id!r}: {file} has frames of {info.height} x {info.width} pixels "
                f"(height x width), its record says {record.height} x {record.width}; "
                "prepare the manifest again"
            )

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._video.close()

    def read(self, indices: Indices) -> Tensor:
        """Frames of the clip by number, from 0 at the clip's start; any order, repeats allowed.

        Returns:
            `frames_THWC`, uint8 RGB, T as many as numbers, of the size that `clip_size` tells.

        Raises:
            ClipError: a number is outside the clip, or a frame that the record promises does not
                decode.
        """
        record = self._record
        indices_T = checked_indices(record, indices)
        try:
            clip = self._video.read(indices_T + record.span[0])
        except VideoError as error:
            raise ClipError(
                f"clip {record.id!r}: {error}; its record promises {record.frames} frames: "
                "replace the file or prepare the manifest again"
            ) from error
        frames_THWC = torch.from_numpy(clip.frames_THWC)
        if record.windows is not None:
            windows_N4 = np.asarray(record.windows, dtype=np.int64)
            chosen_N4 = windows_N4 if len(windows_N4) == 1 else windows_N4[indices_T]
            frames_THWC = crop_windows(frames_THWC, chosen_N4, _window_side(record))
        if self._short_side is None or min(frames_THWC.shape[1:3]) <= self._short_side:
            return frames_THWC.contiguous()
        frames_TCHW = shorten(frames_THWC.permute(0, 3, 1, 2), self._short_side)
        return frames_TCHW.permute(0, 2, 3, 1).contiguous()


def checked_indices(record: ClipRecord, indices: Indices) -> NDArray[np.int64]:
    """Frame numbers as an array.

    Raises:
        ClipError: there are none, or one is outside the clip.
    """
    indices_T = np.asarray(indices, dtype=np.int64)
    if len(indices_T) == 0 or indices_T.min() < 0 or indices_T.max() >= record.length:
        raise ClipError(
            f"clip {record.id!r}: frames {indices_T.tolist()} were asked for, "
            f"it has 0 to {record.length - 1}"
        )
    return indices_T


def clip_size(record: ClipRecord, short_side: int | None = None) -> tuple[int, int]:
    """Height and width in pixels of a clip's frames as `ClipReader` gives them."""
    height, width = record.height, record.width
    if record.windows is not None:
        height = width = _window_side(record)
    if short_side is None or min(height, width) <= short_side:
        return height, width
    return shortened_size(height, width, short_side)


def _window_side(record: ClipRecord) -> int:
    return max(x2 - x1 for x1, _, x2, _ in record.windows or ())
