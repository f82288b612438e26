"""COCO-style JSON: detections, image by image, of a detector that was run on a video's frames.

What the format means, and what is done with it at this border:

- Either a document with `images`, `annotations` and `categories` (COCO's ground truth, and what
  annotation tools and MMTracking write), or a list of results, each with `image_id`,
  `category_id`, `bbox` and `score` (COCO's results).
- `bbox` is left, top, width, height. `score` is 1 where there is none.
- Which frame an image is: its `frame_id` or `frame_index`, which count from 0; else the number at
  the end of its `file_name`, which counts from 0 or 1, whichever the lowest of them is; in a list
  of results, `image_id`, which counts from 0. `first_frame` overrules that.
- `track_id` or `instance_id` says who it is. Without any, the boxes are detections.
- Crowds (`iscrowd`) are no actors and left out. A category without a name is `unknown`.

Source: COCO's data and result formats (cocodataset.org), and the files of CocoVID.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tinyvirat.annotations import AnnotationError
from tinyvirat.annotations.building import normal_type
from tinyvirat.annotations.json_lines import Place, lines_of, read_json
from tinyvirat.annotations.problems import shortened
from tinyvirat.recognition.proposals.found import NO_TRACK, FoundBoxes, FoundBuilder
from tinyvirat.recognition.proposals.records import UNKNOWN, ProposalError

FRAME_KEYS = ("frame_id", "frame_index")
TRACK_KEYS = ("track_id", "instance_id")

_NUMBER = re.compile(r"([0-9]{1,12})$")


class _PlaceError(ValueError):
    """Something in the document that is not as it should be, and where."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def looks_like_coco(document: Any) -> bool:
    """Whether a JSON document is of this form."""
    if isinstance(document, dict):
        return "images" in document and "annotations" in document
    return isinstance(document, list) and (
        not document or (isinstance(document[0], dict) and "bbox" in document[0])
    )


def read_coco(path: Path, *, first_frame: int | None = None) -> FoundBoxes:
    """Reads a COCO-style file about one video.

    Args:
        path: the file.
        first_frame: the number that the first frame of the video has in the file, where the rule
            above is not right.

    Raises:
        ProposalError: the file cannot be read, is not of this form, is about several videos, or a
            value is not as it should be: names the file, the line and the value.
    """
    try:
        document, text = read_json(path)
    except AnnotationError as error:
        raise ProposalError(str(error)) from None
    builder = FoundBuilder(path)
    try:
        if isinstance(document, dict):
            _read_document(document, builder, first_frame)
        else:
            _read_results(document, builder, first_frame or 0)
    except _PlaceError as error:
        line = lines_of(text, [error.place])[error.place]
        raise ProposalError(f"{path}, line {line}: {error}") from None
    return builder.build()


def _read_document(
    document: Mapping[str, Any], builder: FoundBuilder, first_frame: int | None
) -> None:
    names = dict(_categories(_list(document, "categories", needed=False)))
    frames = _frames(_list(document, "images"), first_frame)
    for n, row in enumerate(_list(document, "annotations")):
        place: Place = ("annotations", n)
        image = _key(_object(row, place), "image_id", place)
        if image not in frames:
            raise _PlaceError(
                (*place, "image_id"), f"the image_id {shortened(str(image))} is none of images"
            )
        _add(builder, row, place, frames[image], names)


def _read_results(rows: Any, builder: FoundBuilder, first_frame: int) -> None:
    if not isinstance(rows, list):
        raise _PlaceError(
            (), "neither a list of results nor a document with images and annotations"
        )
    for n, row in enumerate(rows):
        frame = _key(_object(row, (n,)), "image_id", (n,))
        if not isinstance(frame, int):
            number = _NUMBER.search(PurePosixPath(frame).stem)
            if number is None:
                raise _PlaceError(
                    (n, "image_id"),
                    f"the image_id {shortened(frame)} has no frame's number at its end; give a "
                    "document with images, which say their frame_id",
                )
            frame = int(number[1])
        _add(builder, row, (n,), frame - first_frame, {})


def _add(
    builder: FoundBuilder,
    row: Mapping[str, Any],
    place: Place,
    frame: int,
    names: Mapping[int | str, str],
) -> None:
    if row.get("iscrowd"):
        return
    bbox = row.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise _PlaceError(place, "its bbox is not [left, top, width, height]")
    left, top, width, height = (_number(value, (*place, "bbox", n)) for n, value in enumerate(bbox))
    score = row.get("score")
    track = next((row[key] for key in TRACK_KEYS if row.get(key) is not None), NO_TRACK)
    if not _is_whole(track):
        raise _PlaceError(place, f"the track id {shortened(str(track))} is no whole number")
    reason = builder.add(
        frame,
        track,
        (left, top, left + width, top + height),
        1.0 if score is None else _number(score, (*place, "score")),
        _type(row.get("category_id"), names),
    )
    if reason is not None:
        raise _PlaceError(place, reason)


def _categories(rows: list[Any]) -> Iterator[tuple[int | str, str]]:
    for n, row in enumerate(rows):
        place: Place = ("categories", n)
        name = _object(row, place).get("name")
        if not isinstance(name, str):
            raise _PlaceError(place, f"the name {shortened(str(name))} is no text")
        yield _key(row, "id", place), normal_type(name)


def _type(category: Any, names: Mapping[int | str, str]) -> str:
    return names.get(category, UNKNOWN) if isinstance(category, int | str) else UNKNOWN


def _frames(rows: list[Any], first_frame: int | None) -> dict[int | str, int]:
    """The frame of each image by its id."""
    numbers: dict[int | str, int] = {}
    videos = set()
    named = False
    for n, row in enumerate(rows):
        place: Place = ("images", n)
        image = _key(_object(row, place), "id", place)
        if image in numbers:
            raise _PlaceError(place, f"a second image has the id {shortened(str(image))}")
        videos.add(str(row.get("video_id")))
        if len(videos) > 1:
            raise _PlaceError(
                place,
                f"images of several videos: video_id {shortened(str(row.get('video_id')))}"
                f" after others; split the file by video",
            )
        numbers[image], from_name = _number_of(row, place)
        named |= from_name
    if first_frame is None:
        lowest = min(numbers.values(), default=0)
        first_frame = lowest if named else 0
        if named and lowest not in (0, 1):
            raise _PlaceError(
                ("images",),
                f"the lowest number of a frame in the file names is {lowest}; say which number "
                "the first frame of the video has (first_frame), or give the images a frame_id",
            )
    return {image: number - first_frame for image, number in numbers.items()}


def _number_of(row: Mapping[str, Any], place: Place) -> tuple[int, bool]:
    """The number of an image's frame, and whether it was taken from the file's name."""
    for key in FRAME_KEYS:
        if row.get(key) is not None:
            if not _is_whole(row[key]):
                raise _PlaceError(
                    (*place, key), f"the {key} {shortened(str(row[key]))} is no whole number"
                )
            return row[key], False
    name = row.get("file_name")
    number = _NUMBER.search(PurePosixPath(name).stem) if isinstance(name, str) else None
    if number is None:
        raise _PlaceError(
            place, "an image without frame_id, and without a number at the end of its file_name"
        )
    return int(number[1]), True


def _list(document: Mapping[str, Any], key: str, needed: bool = True) -> list[Any]:
    value = document.get(key, None if needed else [])
    if not isinstance(value, list):
        raise _PlaceError((key,) if key in document else (), f"{key} is no list")
    return value


def _object(row: Any, place: Place) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise _PlaceError(place, f"{shortened(str(row))} where an object is needed")
    return row


def _key(row: Mapping[str, Any], key: str, place: Place) -> int | str:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _PlaceError(place, f"the {key} {shortened(str(value))} is no number and no text")
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any, place: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _PlaceError(place, f"{shortened(str(value))} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _PlaceError(place, f"{shortened(str(value))} is no finite number")
    return number
