"""What a visitor does: gives a video, looks at its tubes, says what they show."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.typing import NDArray

from tinyvirat.app.clips import Piece, crops_of, plan_pieces
from tinyvirat.app.found import Finding, Found, FoundTube
from tinyvirat.app.limits import AppLimits
from tinyvirat.app.pictures import tube_pictures
from tinyvirat.app.upload import Upload, UploadStream, check_upload
from tinyvirat.common.files import written_beside
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.outputs.opening import open_sinks
from tinyvirat.recognition.proposals.windows import square_windows
from tinyvirat.recognition.stream import StreamSettings, run_stream

RESULTS, ANNOTATED = "results", "annotated.mp4"
PREFIX = "visit-"
MOST_CROPS = 300
"""Frames of a tube that its little video shows."""

Progress = Callable[[float, str], None]
Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Visit:
    """One recognised video.

    Attributes:
        folder: everything of it that lies on disk; removed when its visitor is gone.
        upload: the video.
        found: its tubes.
        results: the files that recognition wrote.
        archive: the same in one file.
    """

    folder: Path
    upload: Upload
    found: Found
    results: tuple[Path, ...]
    archive: Path

    @property
    def annotated(self) -> Path | None:
        """The video with the tubes drawn on it."""
        return next((path for path in self.results if path.name == ANNOTATED), None)

    def close(self) -> None:
        """Removes what lies on disk."""
        shutil.rmtree(self.folder, ignore_errors=True)


def recognise(
    recognizer: ActionRecognizer,
    video: Path,
    name: str,
    workspace: Path,
    limits: AppLimits,
    progress: Progress,
) -> Visit:
    """Checks a video, recognises it, and writes the results.

    Args:
        recognizer: the model.
        video: the file; it is left where it is.
        name: what its owner calls it.
        workspace: the folder in which the visit gets its own.
        limits: of the video.
        progress: is told the part that is done, from 0 to 1, and what is being done.

    Raises:
        TinyviratError: the video is refused, or something cannot be written.
    """
    _sweep(workspace, limits)
    folder = Path(mkdtemp(prefix=PREFIX, dir=workspace))
    try:
        progress(0.0, "checking the video")
        upload = check_upload(_kept(video, folder), name, limits)
        finding = Finding(lambda frame: progress(frame / upload.frames, "recognising"))
        sinks = [finding, *open_sinks(folder / RESULTS, recognizer)]
        stream = UploadStream(upload, limits)
        run_stream(recognizer, stream, sinks, settings=StreamSettings(frames=True), progress=False)
        progress(1.0, "packing the results")
        results = tuple(p for p in sorted((folder / RESULTS).rglob("*")) if p.is_file())
        archive = _packed(folder / f"{Path(upload.name).stem[:60]}-results.zip", results)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Visit(folder, upload, finding.found(), results, archive)


def look(recognizer: ActionRecognizer, visit: Visit, tube: FoundTube, limits: AppLimits) -> str:
    """The pictures of a tube, as HTML.

    Raises:
        UploadError: the video cannot be read any more.
    """
    os.utime(visit.folder)  # somebody is there
    return tube_pictures(recognizer, visit.found, tube, _crops(visit, tube, limits))


def pieces_between(visit: Visit, tube: FoundTube, begin: float, end: float) -> tuple[Piece, ...]:
    """The clips of a tube from one time to another.

    Args:
        visit: the video.
        tube: which.
        begin: seconds.
        end: seconds.

    Raises:
        UploadError: there is too little of the tube in between.
    """
    first, stop, fps = tube.end.start, tube.end.stop, float(visit.upload.fps)
    # Times in the page are rounded: its beginning and end are the tube's.
    start = first + max(0, round((begin - tube.end.start_time) * fps))
    over = stop - max(0, round((tube.end.stop_time - end) * fps))
    return plan_pieces(visit.upload, first, tube.boxes_T4, start, over)


def _crops(visit: Visit, tube: FoundTube, limits: AppLimits) -> Iterator[Picture]:
    upload, start = visit.upload, tube.end.start
    boxes_T4 = tube.boxes_T4[:MOST_CROPS]
    windows_T4 = square_windows(boxes_T4, (upload.width, upload.height))
    piece = Piece(start, start + len(boxes_T4), windows_T4)
    return crops_of(upload, piece, limits)


def _sweep(workspace: Path, limits: AppLimits) -> None:
    """Removes what visitors left who went away before their answer came."""
    oldest = time.time() - limits.idle_seconds - limits.answer_seconds
    for folder in workspace.glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _kept(video: Path, folder: Path) -> Path:
    """The file under a name of this visit's, which lives as long as the visit."""
    kept = folder / "video"
    with suppress(OSError):
        os.link(video, kept)
        return kept
    shutil.copyfile(video, kept)
    return kept


def _packed(archive: Path, files: tuple[Path, ...]) -> Path:
    with written_beside(archive) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        for file in files:
            packed.write(file, file.relative_to(archive.parent / RESULTS), zipfile.ZIP_DEFLATED)
    return archive
