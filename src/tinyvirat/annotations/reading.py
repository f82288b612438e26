"""One way in: the annotations of a video, whatever their format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyvirat.annotations.actev import read_actev
from tinyvirat.annotations.discover import (
    AnnotationFiles,
    find_annotations,
    grouped,
    list_annotations,
)
from tinyvirat.annotations.kpf import read_kpf
from tinyvirat.annotations.problems import AnnotationError
from tinyvirat.annotations.records import Annotations
from tinyvirat.annotations.virat_text import read_virat


def read_annotations(
    source: Path | Sequence[Path] | AnnotationFiles,
    *,
    clip: str | None = None,
    format: str | None = None,
    first_frame: int = 1,
    lenient: bool = False,
) -> Annotations:
    """Reads the annotations of one video.

    Args:
        source: a folder; one file; the files of one clip; or what `discover` found. A file by
            itself is read by itself: its companions must be named too, or found in the folder.
        clip: the video's name without suffix; may be left out when `source` is about one video.
        format: one of `discover.FORMATS`, for a folder that has the clip in several.
        first_frame: the number of the first frame in ActEV JSON: 1, or 0 for files that err.
        lenient: skip and count what is malformed, instead of raising at the first.

    Returns:
        The tracks and activities, with the problems and their count where `lenient`.

    Raises:
        AnnotationError: nothing found, several videos or formats, or a file that is malformed.
    """
    if isinstance(source, AnnotationFiles):
        files = source
    elif isinstance(source, Path) and source.is_dir():
        if clip is not None:
            files = find_annotations(source, clip, format=format)
        else:
            every = list_annotations(source)
            files = _only([each for each in every if format in (None, each.format)], source)
    else:
        named = [source] if isinstance(source, Path) else list(source)
        files = _only(grouped(named, clip=clip), ", ".join(str(path) for path in named[:3]))
    by_kind = files.by_kind
    if files.format == "virat":
        return read_virat(
            clip=files.clip,
            objects=by_kind.get("objects"),
            mapping=by_kind.get("mapping"),
            events=by_kind.get("events"),
            lenient=lenient,
        )
    if files.format == "kpf":
        wanted = [path for kind, path in by_kind.items() if kind != "regions"]
        return read_kpf(wanted, clip=files.clip, lenient=lenient)
    return read_actev(files.files[0], clip=files.clip, first_frame=first_frame, lenient=lenient)


def _only(found: Sequence[AnnotationFiles], source: Path | str) -> AnnotationFiles:
    if len(found) == 1:
        return found[0]
    if not found:
        raise AnnotationError(f"{source}: no annotations")
    listed = ", ".join(f"{files.clip} ({files.format})" for files in found[:5])
    more = ", ..." if len(found) > 5 else ""
    raise AnnotationError(
        f"{source}: annotations of several videos, formats or folders: {listed}{more}; name one"
    )
