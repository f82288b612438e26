"""Which annotation files belong to which video, by their names.

- VIRAT text: `<clip>.viratdata.{objects,events,mapping}.txt`, also without `.viratdata`.
- KPF: `<clip>.{activities,geom,types,regions}.yml`, also with `-` for the dot before the kind (the
  sequences by UMD and CMU), and `.yaml`.
- ActEV JSON: any `.json` that has `activities` near its beginning or its end; its videos are those
  that it speaks of, whatever its own name.

Folders are searched with all below them. The files of a clip that lie in one folder belong
together; a clip may be annotated again in another folder or another format.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyvirat.annotations.actev import clip_of, videos_of
from tinyvirat.annotations.problems import AnnotationError

FORMATS = ("virat", "kpf", "actev")
"""The names of the formats."""

_NAMES = {
    "virat": re.compile(r"(?P<clip>.+?)(?:\.viratdata)?\.(?P<kind>objects|events|mapping)\.txt"),
    "kpf": re.compile(r"(?P<clip>.+?)[.-](?P<kind>activities|geom|types|regions)\.ya?ml"),
    "actev": re.compile(r"(?P<clip>.+?)(?:\.activities)?(?P<kind>)\.json"),
}
_INDEX = re.compile(r".*(?:file|activity)[-_]index\.json")
_SNIFFED = 4096
"""Bytes at both ends of a JSON file that are looked at before it is read whole."""


@dataclass(frozen=True)
class AnnotationFiles:
    """The files of one format, in one folder, that annotate one video.

    Attributes:
        clip: the video's name without folder and suffix.
        format: one of `FORMATS`.
        files: by ascending name.
    """

    clip: str
    format: str
    files: tuple[Path, ...]

    @property
    def by_kind(self) -> dict[str, Path]:
        """The files by what they hold: `objects`, `mapping`, `geom` and so on; `""` for JSON.

        Raises:
            AnnotationError: two files hold the same.
        """
        kinds: dict[str, Path] = {}
        for path in self.files:
            kind = named(path).kind
            if kind in kinds:
                raise AnnotationError(
                    f"{kinds[kind]} and {path.name} are both the {kind} of {self.clip}; keep one"
                )
            kinds[kind] = path
        return kinds


@dataclass(frozen=True)
class FileName:
    """What a file's name tells of it."""

    clip: str
    format: str
    kind: str


@dataclass(frozen=True)
class Matching:
    """Annotations and videos that go together, and those left over on either side.

    Attributes:
        pairs: annotations with their video.
        without_video: annotations of videos that are not there.
        without_annotations: videos that nothing annotates.
    """

    pairs: tuple[tuple[AnnotationFiles, Path], ...]
    without_video: tuple[AnnotationFiles, ...]
    without_annotations: tuple[Path, ...]


def named(path: Path) -> FileName:
    """What the name of an annotation file tells.

    Raises:
        AnnotationError: it is no name of an annotation file.
    """
    for format_, pattern in _NAMES.items():
        found = pattern.fullmatch(path.name)
        if found is not None and not _INDEX.fullmatch(path.name):
            return FileName(found["clip"], format_, found["kind"])
    raise AnnotationError(
        f"{path}: not the name of an annotation file; known are NAME.viratdata.objects.txt "
        "(events, mapping), NAME.activities.yml (geom, types, regions; also NAME-activities.yml) "
        "and NAME.json"
    )


def grouped(files: Iterable[Path], *, clip: str | None = None) -> tuple[AnnotationFiles, ...]:
    """Files that were named one by one, put together by video, format and folder.

    Args:
        files: annotation files.
        clip: the video they all annotate, whatever their names say.

    Raises:
        AnnotationError: a file's name is not known.
    """
    groups: dict[tuple[str, str, Path], list[Path]] = {}
    for path in files:
        name = named(path)
        clips = [clip] if clip is not None else _clips(path, name)
        for each in clips:
            groups.setdefault((each, name.format, path.parent), []).append(path)
    return tuple(
        AnnotationFiles(each, format_, tuple(sorted(paths)))
        for (each, format_, _), paths in sorted(groups.items())
    )


def list_annotations(folder: Path) -> tuple[AnnotationFiles, ...]:
    """All annotations in a folder and below it, by clip, format and folder.

    Raises:
        AnnotationError: the folder is not there.
    """
    if not folder.is_dir():
        raise AnnotationError(f"{folder}: no such folder of annotations")
    found = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            try:
                format_ = named(path).format
            except AnnotationError:
                continue
            if format_ != "actev" or _looks_like_actev(path):
                found.append(path)
    return grouped(found)


def find_annotations(folder: Path, clip: str, *, format: str | None = None) -> AnnotationFiles:
    """The annotations of one video in a folder or below it.

    Args:
        folder: where to look.
        clip: the video's name without suffix.
        format: one of `FORMATS`, for a clip that is annotated in several.

    Raises:
        AnnotationError: there are none, or several and nothing says which.
    """
    if format is not None and format not in FORMATS:
        raise AnnotationError(f"{format!r} is no format; known are {', '.join(FORMATS)}")
    found = [
        files
        for files in list_annotations(folder)
        if files.clip == clip and format in (None, files.format)
    ]
    if not found:
        what = "annotations" if format is None else f"{format} annotations"
        raise AnnotationError(f"{folder}: no {what} of {clip!r} in it or below it")
    if len(found) > 1:
        listed = ", ".join(f"{files.files[0]} ({files.format})" for files in found)
        raise AnnotationError(
            f"{folder}: {clip!r} is annotated {len(found)} times: {listed}; name the format, or a "
            "folder with only one of them"
        )
    return found[0]


def match_videos(annotations: Sequence[AnnotationFiles], videos: Iterable[Path]) -> Matching:
    """Puts annotations and videos of the same name together.

    Args:
        annotations: as `list_annotations` gives them.
        videos: video files; their names without suffix are compared.

    Raises:
        AnnotationError: two videos have the same name.
    """
    video_of: dict[str, Path] = {}
    for path in sorted(videos):
        other = video_of.setdefault(clip_of(path.name), path)
        if other != path:
            raise AnnotationError(f"{other} and {path} have the same name; keep one")
    annotated = {files.clip for files in annotations}
    return Matching(
        pairs=tuple(
            (files, video_of[files.clip]) for files in annotations if files.clip in video_of
        ),
        without_video=tuple(files for files in annotations if files.clip not in video_of),
        without_annotations=tuple(path for clip, path in video_of.items() if clip not in annotated),
    )


def _clips(path: Path, name: FileName) -> list[str]:
    """The videos a file is about."""
    if name.format != "actev":
        return [name.clip]
    try:
        return [clip_of(video) for video in videos_of(path)] or [name.clip]
    except AnnotationError:
        # Found by its name, so that reading it says what is wrong with it.
        return [name.clip]


def _looks_like_actev(path: Path) -> bool:
    """Whether a JSON file has the key of ActEV's activities at its beginning or its end."""
    try:
        with path.open("rb") as file:
            ends = file.read(_SNIFFED)
            if len(ends) == _SNIFFED:
                file.seek(-min(_SNIFFED, path.stat().st_size - _SNIFFED), os.SEEK_END)
                ends += file.read()
    except OSError:
        return False
    return b'"activities"' in ends or b'"filesProcessed"' in ends
