"""Tubes from a file of detections or tracks, whatever its format.

- `.csv`, and `.txt` that is no VIRAT file: MOTChallenge (`motchallenge`).
- `.json`: ActEV where it has `activities`, else COCO-style (`coco`).
- `.yml` and `.yaml` (KPF), VIRAT's `.txt` files, and folders of these: `tinyvirat.annotations`.
- A folder with a file of the first two forms for each video, called as it is: `NAME.csv`.

Where the boxes say who they are (tracks), they are taken as they are; where they do not
(detections), they are followed by `tracking`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyvirat.annotations import AnnotationError, read_annotations
from tinyvirat.annotations.discover import list_annotations, named
from tinyvirat.annotations.json_lines import read_json
from tinyvirat.recognition.proposals.coco import looks_like_coco, read_coco
from tinyvirat.recognition.proposals.detected import TrackedTubes, checked_detections
from tinyvirat.recognition.proposals.followed import TrackTubes, as_found
from tinyvirat.recognition.proposals.found import FoundBoxes
from tinyvirat.recognition.proposals.motchallenge import read_motchallenge
from tinyvirat.recognition.proposals.protocols import TubeSource
from tinyvirat.recognition.proposals.records import Detections, ProposalError, TubeFrame
from tinyvirat.recognition.proposals.settings import TrackingSettings
from tinyvirat.video import Frame

SUFFIXES = (".csv", ".txt", ".json", ".yml", ".yaml")
OF_ONE = (".csv", ".txt", ".json")
"""Of files of MOTChallenge's and COCO's forms, which do not say whose boxes they are."""
NOTHING = Detections(np.zeros((0, 4)), np.zeros(0), ())


class DetectionTubes:
    """Tubes of a file's detections; a `TubeSource` that needs no pixels.

    Args:
        found: the file's boxes, without ids.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second.
        settings: of the tracker.

    Attributes:
        delay: frames that may have gone in and not come out.
    """

    def __init__(
        self,
        found: FoundBoxes,
        width: int,
        height: int,
        fps: float,
        settings: TrackingSettings | None = None,
    ) -> None:
        self._size = (width, height)
        self._found = found.by_frame()
        self._tubes = TrackedTubes(width, height, fps, settings)
        self.delay = self._tubes.delay

    def update(self, frame: Frame) -> tuple[TubeFrame, ...]:
        """Takes the next frame; only its number and its time are looked at."""
        found = checked_detections(self._found.get(frame.index, NOTHING), self._size)
        return self._tubes.add(frame.index, frame.time, found)

    def finish(self) -> tuple[TubeFrame, ...]:
        """Gives the frames that are left."""
        return self._tubes.finish()


def tubes_from_file(
    path: Path,
    width: int,
    height: int,
    fps: float,
    *,
    clip: str | None = None,
    first_frame: int | None = None,
    settings: TrackingSettings | None = None,
) -> TubeSource:
    """Tubes that somebody else found.

    Args:
        path: a file; a folder of annotations (VIRAT, KPF, ActEV), or of a file for each video.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second.
        clip: the video's name without suffix, for folders and files about several.
        first_frame: the number of the first frame in the file, where it is not what the format
            says.
        settings: of the tracker, for detections.

    Raises:
        ProposalError: no such file, an unknown format, or a file that is malformed: names the
            file, the line, the value and what to do.
    """
    found = _found(path, clip, first_frame)
    if found is None:
        try:
            annotations = read_annotations(
                path, clip=clip, first_frame=1 if first_frame is None else first_frame
            )
        except AnnotationError as error:
            raise ProposalError(_missing(path, clip) or str(error)) from error
        return TrackTubes([as_found(t) for t in annotations.tracks], width, height, fps)
    if found.followed:
        return TrackTubes(found.tracks(), width, height, fps)
    return DetectionTubes(found, width, height, fps, settings)


def _found(path: Path, clip: str | None, first_frame: int | None) -> FoundBoxes | None:
    """The boxes of a file of MOTChallenge's or COCO's form; none for the formats of annotations."""
    if path.is_dir():
        own = _called(path, clip)
        return None if own is None else _found(own, clip, first_frame)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ProposalError(
            f"{path}: not a file of tubes by its name; known are .csv and .txt (MOTChallenge), "
            ".json (COCO, ActEV), .yml (KPF) and VIRAT's NAME.viratdata.objects.txt"
        )
    if not path.is_file():
        raise ProposalError(f"{path}: there is no such file")
    if suffix == ".json":
        try:
            document, _ = read_json(path)
        except AnnotationError as error:
            raise ProposalError(str(error)) from error
        if looks_like_coco(document):
            return read_coco(path, first_frame=first_frame)
        if isinstance(document, dict) and "activities" in document:
            return None
        raise ProposalError(
            f"{path}: neither COCO's JSON (a document with images and annotations, or a list of "
            "results with bbox) nor ActEV's (a document with activities)"
        )
    if suffix == ".csv" or (suffix == ".txt" and not _is_virat(path)):
        return read_motchallenge(path, first_frame=1 if first_frame is None else first_frame)
    return None


def check_for_several(path: Path, videos: Sequence[Path]) -> None:
    """Makes sure that boxes of one video are not taken for those of another.

    Args:
        path: a file or folder of tubes.
        videos: all that are to get their tubes from it.

    Raises:
        ProposalError: there are several videos, and the file is about one, or two have one name.
    """
    if len(videos) < 2 or not path.exists():
        return
    if path.is_file() and is_of_one(path):
        rest = path.suffix
        if rest.lower() not in OF_ONE or _is_virat(path):
            rest = path.name.removeprefix(named(path).clip)
        raise ProposalError(
            f"{path}: these boxes are of one video, and there are several; give --tubes a folder "
            f"with a file for each, called as the video is: NAME{rest}"
        )
    seen: dict[str, Path] = {}
    for video in videos:
        other = seen.setdefault(video.stem, video)
        if other != video:
            raise ProposalError(
                f"{other} and {video} have the same name, by which boxes are looked for in {path}; "
                "rename one, or recognise them one by one"
            )


def is_of_one(path: Path) -> bool:
    """Whether all boxes of a file are taken for those of one video: of all files but ActEV's.

    Raises:
        ProposalError: it cannot be read, or is of no form that is known.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _found(path, None, None) is not None
    return suffix in OF_ONE or _is_annotation(path)


def _called(folder: Path, clip: str | None) -> Path | None:
    """The file of a folder that is called as a video is; none where only annotations can be.

    Raises:
        ProposalError: there are several, or annotations besides.
    """
    own = [one for one in sorted(folder.glob("*")) if one.stem == clip and _has_boxes(one)]
    if not own:
        return None
    several = [one.name for one in own]
    several += [str(each.files[0]) for each in list_annotations(folder) if each.clip == clip]
    if len(several) > 1:
        raise ProposalError(
            f"{folder}: boxes of {clip} are there {len(several)} times: {', '.join(several)}; keep "
            "one, or name a folder with only one of them"
        )
    return own[0]


def _has_boxes(path: Path) -> bool:
    """Whether a file of a folder is of MOTChallenge's or COCO's form, by its name or contents.

    Raises:
        ProposalError: it cannot be read as JSON, which its name says it is.
    """
    suffix = path.suffix.lower()
    if suffix not in OF_ONE or not path.is_file():
        return False
    if suffix != ".json":
        return not _is_virat(path)
    try:
        return looks_like_coco(read_json(path)[0])
    except AnnotationError as error:
        raise ProposalError(str(error)) from error


def _missing(path: Path, clip: str | None) -> str | None:
    """What is not in a folder, if nothing in it is about a video."""
    if clip is None or not path.is_dir():
        return None
    if any(each.clip == clip for each in list_annotations(path)):
        return None
    listed = ", nor ".join(f"{clip}{suffix}" for suffix in OF_ONE)
    return f"{path}: no boxes of {clip}: there is neither {listed} with boxes, nor annotations"


def _is_virat(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and _is_annotation(path)


def _is_annotation(path: Path) -> bool:
    try:
        named(path)
    except AnnotationError:
        return False
    return True
