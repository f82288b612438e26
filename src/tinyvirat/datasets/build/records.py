"""What the parts of a build hand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.tubes import PlannedClip, VideoPlan

TroubleKind = Literal[
    "unreadable",
    "shorter than annotated",
    "annotation without video",
    "video without annotation",
    "annotation",
    "plan",
    "class below min_samples",
]


class BuildError(TinyviratError):
    """A data set that cannot be built from what was given, or not where it was asked for."""


@dataclass(frozen=True)
class Trouble:
    """Something that is not as it should be, and did not stop the build.

    Attributes:
        kind: what it is about.
        video: the video's name without folder and suffix; empty where none is meant.
        detail: what is wrong, in words.
        clips: how many clips were lost by it.
    """

    kind: TroubleKind
    video: str
    detail: str
    clips: int = 0


@dataclass(frozen=True, eq=False)
class PlannedVideo:
    """What is known of a video before it is cut.

    Attributes:
        plan: its clips.
        annotated: frames that its annotations speak of: the last one's number, and one.
        skipped: records that a lenient reader left out.
        problems: these in words, a thousand at most.
        unreadable: why its file cannot be read; the plan is then empty.
    """

    plan: VideoPlan
    annotated: int
    skipped: int = 0
    problems: tuple[str, ...] = ()
    unreadable: str | None = None


@dataclass(frozen=True, eq=False)
class NamedClip:
    """A clip and the name of its file, without suffix."""

    name: str
    clip: PlannedClip


@dataclass(frozen=True, eq=False)
class CutJob:
    """One video that is to be cut.

    Attributes:
        video: its name without folder and suffix.
        file: where it is.
        out: the folder of the data set.
        folder: of its clips, relative to `out`.
        clips: that are to be cut, by their first frame.
        annotated: as in `PlannedVideo`.
        fingerprint: of everything that decides the bytes of the clips.
    """

    video: str
    file: Path
    out: Path
    folder: str
    clips: tuple[NamedClip, ...]
    annotated: int
    fingerprint: str


@dataclass(frozen=True)
class CutClip:
    """A clip that was written: the name of its file without suffix, and the file's size."""

    name: str
    bytes: int


@dataclass(frozen=True)
class CutVideo:
    """What became of a job.

    Attributes:
        video: as in `CutJob`.
        folder: as in `CutJob`.
        fingerprint: as in `CutJob`.
        frames: of the video, counted by decoding all of it.
        width: of its frames in pixels, upright.
        height: of its frames.
        fps: frames a second, of the video and its clips.
        clips: that were written; those that would end behind the last frame were not.
        unreadable: why the video could not be read to its end; no clip of it was then written.
    """

    video: str
    folder: str
    fingerprint: str
    frames: int
    width: int
    height: int
    fps: Fraction
    clips: tuple[CutClip, ...]
    unreadable: str | None = None
