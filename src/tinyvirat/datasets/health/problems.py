"""What is wrong with single clips: a pure function of their records and their facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tinyvirat.datasets.health.facts import ClipFacts, FileFacts
from tinyvirat.datasets.records import ClipRecord

KINDS = {
    "unreadable": "the file is missing, or does not decode",
    "size": "frames of another size than recorded",
    "frames": "another number of frames than recorded",
    "blank": "every frame is of one colour",
    "leak": "the same frames as a clip of another split",
    "near-leak": "nearly the same pictures as a clip of another split",
    "frozen": "every frame is the same",
    "duplicate": "the same frames as another clip of its split",
    "near-duplicate": "nearly the same pictures as another clip of its split",
    "short": "fewer frames than a window needs",
    "header": "fewer frames than the file's header says",
    "rate": "another frame rate than recorded",
}
"""Kinds of problems, worst first: of several of one clip the first is the quarantine's reason."""

DEFAULT_QUARANTINE = ("unreadable", "size", "frames", "blank", "leak")
"""What must not be learnt from or scored on, whatever the task.

Not frozen clips: a person who stands is one, where the picture is small and well compressed. Not
short ones, which samplers repeat; not wrong headers, which nothing trusts; and not duplicates
within a split, which may be wanted.
"""

# Levels. An encoder gives a constant picture back within one level, and a still one within two from
# key frame to key frame; real clips of 10 pixels differ by more.
BLANK_CONTRAST = 1.0
FROZEN_CHANGE = 2.0
# 29.97 and 30 are the same rate, rounded; 25 and 24 are not.
RATE_TOLERANCE = 0.005


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one clip.

    Attributes:
        kind: of `KINDS`.
        id: of the clip.
        detail: what was found, against what was expected.
        other: id of the other clip that it is about; None for none.
    """

    kind: str
    id: str
    detail: str
    other: str | None = None


def clip_problems(
    record: ClipRecord, file: FileFacts, clip: ClipFacts, *, window: int, stride: int
) -> Iterator[Problem]:
    """What is wrong with one clip by itself.

    Args:
        record: what the manifest says.
        file: what its file is.
        clip: what its frames are.
        window: frames that a network sees at once.
        stride: distance between them.
    """

    def problem(kind: str, detail: str) -> Problem:
        return Problem(kind, record.id, detail)

    if file.trouble is not None:
        yield problem("unreadable", file.trouble)
        return
    if (file.height, file.width) != (record.height, record.width):
        yield problem(
            "size",
            f"{file.width} x {file.height} pixels, recorded are {record.width} x {record.height}",
        )
    if file.frames != record.frames:
        yield problem("frames", f"{file.frames} frames decode, recorded are {record.frames}")
    if file.header_frames is not None and file.frames < file.header_frames:
        yield problem(
            "header", f"{file.frames} frames decode, its header says {file.header_frames}"
        )
    if abs(Fraction(file.fps) / record.fps - 1) > RATE_TOLERANCE:
        yield problem(
            "rate",
            f"{_rate(Fraction(file.fps))} frames a second, recorded are {_rate(record.fps)}",
        )
    needed = (window - 1) * stride + 1
    if clip.frames < needed:
        yield problem(
            "short",
            f"{clip.frames} frames, a window of {window} with stride {stride} needs {needed}",
        )
    if clip.frames == 0:
        return
    if clip.contrast < BLANK_CONTRAST:
        yield problem("blank", f"its levels deviate by {clip.contrast:.2f} at most within a frame")
    elif clip.frames > 1 and clip.change < FROZEN_CHANGE:
        yield problem("frozen", f"no part of it changes by more than {clip.change:.2f} levels")


def worst(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    """The problems of each clip by id, worst first."""
    order = list(KINDS)
    by_clip: dict[str, list[Problem]] = {}
    for problem in problems:
        by_clip.setdefault(problem.id, []).append(problem)
    return {
        clip: sorted(found, key=lambda problem: order.index(problem.kind))
        for clip, found in by_clip.items()
    }


def _rate(fps: Fraction) -> str:
    return f"{float(fps):g}"
