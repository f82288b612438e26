"""The whole construction of one video, and what is then decided over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyvirat.annotations import Annotations
from tinyvirat.datasets.tubes.records import PlannedClip
from tinyvirat.datasets.tubes.rules import BuildRules


@dataclass(frozen=True)
class VideoPlan:
    """What is to be cut out of one video.

    Attributes:
        video: its name without folder and suffix.
        split: `train`, `val` or `test`.
        clips: by their first frame; `select` decides which of them remain.
        problems: what could not be planned and why, in words; nothing of it is fatal.
    """

    video: str
    split: str
    clips: tuple[PlannedClip, ...]
    problems: tuple[str, ...] = ()


def plan_video(
    annotations: Annotations,
    rules: BuildRules,
    split: str,
    frame_size: tuple[int, int] | None = None,
    frames: int | None = None,
) -> VideoPlan:
    """Plans the clips of one video.

    Args:
        annotations: of the video.
        rules: how.
        split: the side the video is on.
        frame_size: width and height of its frames in pixels, when they are known: boxes are then
            clipped to the frame, and windows are moved into it as far as their boxes allow.
        frames: how many frames it has, when that is known: what lies beyond is left out.
    """
    raise NotImplementedError


def select(plans: Sequence[VideoPlan], rules: BuildRules) -> tuple[PlannedClip, ...]:
    """Leaves out classes with too few clips, and clips that have no other class.

    Args:
        plans: of all videos.
        rules: how.

    Raises:
        RulesError: nothing remains; says what would.
    """
    raise NotImplementedError
