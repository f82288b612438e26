"""Which tubes: the whole frame, what moves, or what a file says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyvirat.recognition.proposals.protocols import TubeSource
from tinyvirat.recognition.proposals.settings import MotionSettings, TrackingSettings
from tinyvirat.recognition.proposals.whole import WholeFrame

CROPPED = 128
"""Pixels: a video with no longer side shows an actor that somebody has cut out."""


def open_tubes(
    how: str | Path | None,
    width: int,
    height: int,
    fps: float,
    *,
    clip: str | None = None,
    motion: MotionSettings | None = None,
    tracking: TrackingSettings | None = None,
) -> TubeSource:
    """The tubes of one video.

    Args:
        how: `whole` (the whole frame), `motion` (what moves), or the path of a file or folder of
            detections or tracks; `None` is `whole` for frames of at most 128 x 128 pixels, else
            `motion`. A file of the name `whole` or `motion` is given as `./motion`.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second.
        clip: the video's name without suffix, to find it in a folder or a file about several.
        motion: settings of `motion`.
        tracking: settings for files of detections.

    Raises:
        ProposalError: a file that is not there or cannot be used.
    """
    if how is None:
        how = "whole" if max(width, height) <= CROPPED else "motion"
    if how == "whole":
        return WholeFrame(width, height)
    if how == "motion":
        from tinyvirat.recognition.proposals.motion import MotionTubes

        return MotionTubes(width, height, fps, motion)
    from tinyvirat.recognition.proposals.from_files import tubes_from_file

    return tubes_from_file(Path(how), width, height, fps, clip=clip, settings=tracking)


def check_tubes(how: str | Path | None, videos: Sequence[Path]) -> None:
    """Makes sure, before the first is opened, that each of several videos gets tubes of its own.

    Args:
        how: as `open_tubes` takes it.
        videos: all of them.

    Raises:
        ProposalError: boxes of one would be taken for those of another.
    """
    if how is None or how in ("whole", "motion"):
        return
    from tinyvirat.recognition.proposals.from_files import check_for_several

    check_for_several(Path(how), videos)
