"""What recognition of an archive is told, and what it answers, as plain data."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from tinyvirat.common.errors import TinyviratError

HIDDEN = ".archive"
"""The folder in the folder of the outputs that holds what only resuming needs."""
OF_FRAMES = ("video", "report")
"""The outputs that show every frame."""
LONGEST_NAME = 120
"""Bytes of the name of a video's folder, without the hash that makes it its own."""


class ArchiveError(TinyviratError):
    """An archive that cannot be recognised as asked, or a cluster that cannot do it."""


@dataclass(frozen=True)
class Plan:
    """What is to be made of every video. All of it but `device` decides the outputs.

    Attributes:
        out: the folder of everything that is written.
        model: its folder or file, or a name that every machine knows it by.
        tubes: `whole`, `motion`, the path of a file or folder of tubes, or None.
        outputs: names of what is written; None is everything for long videos, and one row each, put
            together in one file, for clips.
        engine: what computes.
        device: where PyTorch computes.
        precision: number format of the network; `auto` is decided by the first machine for all.
        input_size: make clips so many pixels small first.
    """

    out: Path
    model: str
    tubes: str | None = None
    outputs: tuple[str, ...] | None = None
    engine: Literal["torch", "onnx", "openvino"] = "torch"
    device: str = "auto"
    precision: str = "auto"
    input_size: int | None = None

    def settled(self) -> Plan:
        """The same with absolute paths, for machines that work in another folder."""
        tubes = self.tubes
        if tubes is not None and tubes not in ("whole", "motion"):
            tubes = str(Path(tubes).absolute())
        model = str(Path(self.model).absolute()) if Path(self.model).exists() else self.model
        return replace(self, out=self.out.absolute(), model=model, tubes=tubes)


@dataclass(frozen=True)
class Job:
    """One video of an archive.

    Attributes:
        video: as it was given; what the outputs call it.
        path: the same, absolute.
        name: of its folder in the folder of the outputs.
        size: bytes, for the estimate of what is left.
    """

    video: str
    path: Path
    name: str
    size: int


@dataclass(frozen=True)
class Written:
    """A file of a video's outputs: path in their folder, and bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class Amount:
    """How much there is of what has a name: actions of a label, seconds of a stage."""

    name: str
    amount: float


@dataclass(frozen=True)
class Note:
    """`done.json`: how a video was recognised, and of what.

    Attributes:
        video: as it was given.
        size: of the source in bytes, before it was read.
        modified_ns: when the source was last changed, likewise.
        fingerprint: of all else that decides the outputs; see `notes.fingerprint`.
        files: what was written.
        clip: it was taken for a clip of one actor.
        frames: that were read.
        tubes: that were found.
        windows: that the network answered for.
        actions: how many of each label, most frequent first.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second, as the source has it.
        video_seconds: that the video lasts.
        seconds: that it took.
        cpu_seconds: of all threads of the process meanwhile.
        memory_mb: the most that the process has held so far.
        stages: seconds by stage of `StreamEnd`.
        host: the machine's name.
        device: where the network computed.
        precision: what it computed in.
        threads: that it computed with.
        error: by what the source broke after so many frames; None where it was whole.
    """

    video: str
    size: int
    modified_ns: int
    fingerprint: str
    files: tuple[Written, ...]
    clip: bool
    frames: int
    tubes: int
    windows: int
    actions: tuple[Amount, ...]
    width: int
    height: int
    fps: Fraction
    video_seconds: float
    seconds: float
    cpu_seconds: float
    memory_mb: float
    stages: tuple[Amount, ...]
    host: str
    device: str
    precision: str
    threads: int
    error: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one video.

    Attributes:
        job: the video.
        note: of what was written, also of a video that broke on the way; None where nothing was.
        error: why it failed; None where it did not.
        attempts: how often it was begun now; 0 where it was finished before.
        interrupted: it was stopped by hand, and nothing was written.
    """

    job: Job
    note: Note | None
    error: str | None = None
    attempts: int = 1
    interrupted: bool = False

    def to_json(self) -> dict[str, Any]:
        """The video's row in `archive.json`."""
        note = self.note
        row: dict[str, Any] = {"video": self.job.video, "folder": self.job.name}
        if note is not None:
            row |= {
                "clip": note.clip,
                "frames": note.frames,
                "tubes": note.tubes,
                "windows": note.windows,
                "actions": {one.name: int(one.amount) for one in note.actions},
                "video_seconds": note.video_seconds,
                "seconds": note.seconds,
                "host": note.host,
            }
        return row | {"attempts": self.attempts, "error": self.error}


@dataclass(frozen=True)
class Archive:
    """How it went with all of them.

    Attributes:
        outcomes: one a video, in the order of the videos; those not reached are not among them.
        videos: how many there are.
        seconds: that it took.
        interrupted: it was stopped by hand.
    """

    outcomes: tuple[Outcome, ...]
    videos: int
    seconds: float
    interrupted: bool

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The videos that failed."""
        return tuple(one for one in self.outcomes if one.error is not None)

    @property
    def before(self) -> int:
        """How many were finished before."""
        return sum(one.attempts == 0 for one in self.outcomes)

    @property
    def frames(self) -> int:
        """That were read now."""
        return sum(one.note.frames for one in self.outcomes if one.note and one.attempts)

    def to_json(self) -> dict[str, Any]:
        """The contents of `archive.json`."""
        return {
            "videos": self.videos,
            "finished": len(self.outcomes) - len(self.failed),
            "finished_before": self.before,
            "failed": len(self.failed),
            "interrupted": self.interrupted,
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "frames_a_second": round(self.frames / max(self.seconds, 1e-9), 3),
            "rows": [one.to_json() for one in self.outcomes],
        }


def jobs_of(videos: Sequence[Path], folder: Path) -> tuple[Job, ...]:
    """The videos of a folder, each with a name of its own.

    Args:
        videos: files under `folder`.
        folder: which was searched for them.

    Raises:
        ArchiveError: a video is gone, or cannot be looked at.
    """
    jobs = []
    for video, name in names_in(videos, folder).items():
        try:
            size = Path(video).stat().st_size
        except OSError as error:
            raise ArchiveError(f"{video}: {error.strerror}") from error
        jobs.append(Job(video, Path(video).absolute(), name, size))
    return tuple(jobs)


def names_in(videos: Sequence[Path], folder: Path) -> dict[str, str]:
    """What the folder of each video's outputs is called, by the video's path: no two alike.

    Args:
        videos: files under `folder`.
        folder: which was searched for them.
    """
    names = [name_of(video, folder) for video in videos]
    seen = Counter(names)
    own = {}
    for video, name in zip(videos, names, strict=True):
        if seen[name] > 1 or len(os.fsencode(name)) > LONGEST_NAME:
            # a__b.mp4 and a/b.mp4 are two videos, and must not share a folder.
            digest = hashlib.sha256(os.fsencode(video.relative_to(folder))).hexdigest()
            name = f"{os.fsencode(name)[:LONGEST_NAME].decode(errors='ignore')}-{digest[:8]}"
        own[str(video)] = name
    return own


def name_of(video: Path, folder: Path) -> str:
    """What the folder of a video's outputs is called, unless another video's is too.

    The ending stays in the name: a.mp4 and a.avi may lie side by side.
    """
    return "__".join(video.relative_to(folder).parts).replace(".", "_")
