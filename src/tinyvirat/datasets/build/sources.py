"""Which videos there are to build from, and what is planned for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyvirat.annotations import (
    AnnotationFiles,
    Annotations,
    list_annotations,
    match_videos,
    read_annotations,
)
from tinyvirat.datasets.build.records import BuildError, PlannedVideo, Trouble
from tinyvirat.datasets.folder import SUFFIXES
from tinyvirat.datasets.tubes import BuildRules, VideoPlan, plan_video, splits_of
from tinyvirat.video import VideoError
from tinyvirat.video.planes import PlaneReader

FORMATS_REMEDY = "name the format (--format), or a folder with only one of them"


@dataclass(frozen=True)
class PlanJob:
    """One annotated video that is to be planned.

    Attributes:
        files: its annotations.
        video: its file; `None` where only the plan is asked for.
        split: the side it is on.
        rules: of the plan.
        lenient: skip and count malformed records, instead of failing at the first.
    """

    files: AnnotationFiles
    video: Path | None
    split: str
    rules: BuildRules
    lenient: bool


def find_sources(
    annotations: Path,
    videos: Path | None,
    rules: BuildRules,
    *,
    format: str | None = None,
    lenient: bool = False,
) -> tuple[tuple[PlanJob, ...], tuple[Trouble, ...]]:
    """Finds annotated videos, and what lacks its counterpart.

    Args:
        annotations: a folder, searched with all below it.
        videos: the same for videos; `None` where only plans are asked for.
        rules: what splits them, and how they are to be planned.
        format: only annotations of this format; `None` is all.
        lenient: as in `PlanJob`.

    Returns:
        Jobs by video name, and the annotations and videos that are left over.

    Raises:
        BuildError: no annotations, none with a video, a video annotated twice, or a name that no
            data set can hold.
        AnnotationError: no such folder, or two videos of one name.
    """
    found = [one for one in list_annotations(annotations) if format in (None, one.format)]
    what = "annotations" if format is None else f"{format} annotations"
    if not found:
        raise BuildError(f"{annotations}: no {what} in it or below it")
    _check_once(annotations, found)
    files: dict[str, Path | None] = dict.fromkeys(one.clip for one in found)
    troubles: list[Trouble] = []
    if videos is not None:
        matching = match_videos(found, _video_files(videos))
        files = {one.clip: path for one, path in matching.pairs}
        troubles = [
            Trouble("annotation without video", one.clip, f"no such video in {videos}")
            for one in matching.without_video
        ] + [
            Trouble("video without annotation", path.stem, f"no {what} in {annotations}")
            for path in matching.without_annotations
        ]
        if not files:
            raise BuildError(
                f"{videos}: none of its videos has {what} in {annotations}; the names must agree: "
                f"there is {found[0].clip}, without suffix, in the annotations"
            )
    splits = splits_of(found, annotations, rules.splits)
    chosen = sorted((one for one in found if one.clip in files), key=lambda one: one.clip)
    jobs = tuple(
        PlanJob(one, files[one.clip], splits.of(one.clip), rules, lenient) for one in chosen
    )
    return jobs, tuple(troubles)


def plan_source(job: PlanJob) -> PlannedVideo:
    """Reads the annotations of a video and plans its clips.

    Raises:
        AnnotationError: malformed annotations, unless the job is lenient.
    """
    name, frame_size = job.files.clip, None
    if job.video is not None:
        try:
            with PlaneReader(job.video, threads=1) as reader:
                frame_size = (reader.width, reader.height)
        except VideoError as error:
            return PlannedVideo(VideoPlan(name, job.split, ()), 0, unreadable=error.cause)
    annotations = read_annotations(job.files, lenient=job.lenient)
    return PlannedVideo(
        plan=plan_video(annotations, job.rules, job.split, frame_size),
        annotated=_annotated(annotations),
        skipped=annotations.skipped,
        problems=tuple(map(str, annotations.problems)),
    )


def _annotated(annotations: Annotations) -> int:
    """Frames that annotations speak of: the last one's number, and one."""
    located = [int(one.frames_T[-1]) + 1 for one in annotations.tracks if len(one.frames_T)]
    return max([*located, *(one.stop for one in annotations.activities)], default=0)


def _check_once(folder: Path, found: Sequence[AnnotationFiles]) -> None:
    seen: dict[str, AnnotationFiles] = {}
    for one in found:
        other = seen.setdefault(one.clip, one)
        if other is not one:
            raise BuildError(
                f"{folder}: {one.clip!r} is annotated twice: in {other.files[0]} "
                f"({other.format}) and {one.files[0]} ({one.format}); {FORMATS_REMEDY}"
            )


def _video_files(root: Path) -> list[Path]:
    """The video files in a folder and below it, hidden ones left out."""
    if not root.is_dir():
        raise BuildError(f"{root}: there is no such folder of videos")
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                if not name.isprintable():
                    raise BuildError(f"{folder}: {name!r} is no name for a data set; rename it")
                found.append(Path(folder, name))
    if not found:
        raise BuildError(f"{root}: no video file in it; their names end in {', '.join(SUFFIXES)}")
    return found
