"""Every fault ActEV JSON can have: named with file and line, or skipped and counted."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyvirat.annotations import Activity, AnnotationError, Annotations, Track, actev
from tinyvirat.annotations.actev import (
    clip_of,
    read_actev,
    read_actev_videos,
    videos_of,
    whole_pixels,
    write_actev,
)
from tinyvirat.annotations.building import MAX_PIXEL
from tinyvirat.annotations.json_lines import lines_of
from tinyvirat.annotations.reading import read_annotations

GOLDEN = Path(__file__).parent / "golden"


def box(x: Any = 10, y: Any = 20, w: Any = 30, h: Any = 40) -> dict[str, Any]:
    return {"boundingBox": {"x": x, "y": y, "w": w, "h": h}}


DOCUMENT: dict[str, Any] = {
    "filesProcessed": ["a.mp4"],
    "activities": [
        {
            "activity": "Talking",
            "activityID": 1,
            "localization": {"a.mp4": {"1": 1, "5": 0}},
            "objects": [
                {
                    "objectType": "Person",
                    "objectID": 7,
                    "localization": {"a.mp4": {"1": box(), "3": box(11), "5": {}}},
                }
            ],
        },
        {
            "activity": "Riding",
            "activityID": 2,
            "localization": {"a.mp4": {"2": 1, "4": 0}},
            "objects": [],
        },
    ],
}

OBJECT = ("activities", 0, "objects", 0)
BOXES = (*OBJECT, "localization", "a.mp4")
SPAN = ("activities", 0, "localization", "a.mp4")


def changed(place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The document with another value at a place; `...` takes it away."""
    document = copy.deepcopy(DOCUMENT)
    at: Any = document
    for step in place[:-1]:
        at = at[step]
    if value is ...:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    return document


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document, indent=1))
    return path


# The place of the fault, the value there, the message, the line (in the indented document), and
# what is left of the first activity: its boxes, or None when it is gone.
FAULTS = [
    (("activities", 0), 7, "activities[0] is missing or no JSON object", 6, None),
    (("activities", 0, "activity"), ..., "activity is missing or no text", 6, None),
    (("activities", 0, "activity"), "a\nb", "is no name", 7, None),
    (("activities", 0, "activityID"), "1", "activityID is '1', not a whole number", 8, None),
    (("activities", 0, "activityID"), -1, "activityID is '-1', not a whole number", 8, None),
    (("activities", 0, "activityID"), True, "activityID is 'True', not a whole", 8, None),
    (("activities", 0, "localization"), 3, "localization is missing or no JSON object", 9, None),
    (SPAN, 3, "a.mp4 is missing or no JSON object", 10, None),
    (SPAN, {}, "the activity has no span", 10, None),
    (SPAN, {"1": 1, "5": 2}, "the value '2' is neither 1 nor 0", 10, None),
    (SPAN, {"5": 1, "1": 0}, "the span that starts at frame 5 has no end", 10, None),
    (SPAN, {"start": 1, "end": 0}, "'start' is no frame from 1", 11, None),
    (
        SPAN,
        {"0": 1, "5": 0},
        "'0' is no frame from 1 to 100000000; read a file that counts",
        11,
        None,
    ),
    (SPAN, {"1": 1, "01": 1, "5": 0}, "the frame 01 comes twice", 12, None),
    (SPAN, {"1": 1, "999999999999": 0}, "is no frame", 12, None),
    (("activities", 0, "objects"), 3, "the objects are no list", 15, None),
    (OBJECT, 3, "objects[0] is missing or no JSON object", 16, []),
    ((*OBJECT, "objectID"), ..., "objectID is 'None', not a whole number", 16, []),
    ((*OBJECT, "objectType"), 3, "objectType is missing or no text", 17, []),
    ((*OBJECT, "localization"), [], "localization is missing or no JSON object", 19, []),
    ((*BOXES, "1"), 3, "1 is missing or no JSON object", 21, [2, 3]),
    ((*BOXES, "1"), {"boundingBox": []}, "boundingBox is missing", 22, [2, 3]),
    ((*BOXES, "1"), {"presenceConf": 1}, "boundingBox is missing", 21, [2, 3]),
    ((*BOXES, "1"), box("10"), "a boundingBox has numbers x, y, w, h", 21, [2, 3]),
    ((*BOXES, "1"), box(None), "a boundingBox has numbers x, y, w, h", 21, [2, 3]),
    ((*BOXES, "1"), box(w=0), "width 0", 21, [2, 3]),
    ((*BOXES, "1"), box(h=-1), "height -1", 21, [2, 3]),
    ((*BOXES, "1"), box(x=10**6), "beyond 100000 pixels", 21, [2, 3]),
    ((*BOXES, "1"), box(x=10**400), "beyond all measure", 21, [2, 3]),
    ((*BOXES, "frame"), {}, "'frame' is no frame", 38, []),
]


@pytest.mark.parametrize(("place", "value", "message", "line", "frames"), FAULTS)
def test_a_fault_is_an_error_or_a_counted_skip(
    tmp_path: Path,
    place: tuple[str | int, ...],
    value: Any,
    message: str,
    line: int,
    frames: list[int] | None,
) -> None:
    path = write(tmp_path / "x.json", changed(place, value))
    with pytest.raises(AnnotationError) as raised:
        read_actev(path)
    assert message in str(raised.value)
    assert f"{path}, line {line}: " in str(raised.value)
    read = read_actev(path, lenient=True)
    assert read.skipped == 1
    assert [(each.line, message in each.message) for each in read.problems] == [(line, True)]
    assert [each.id for each in read.activities] == ([2] if frames is None else [1, 2])
    if frames is not None:
        assert [track.frames_T.tolist() for track in read.tracks] == ([frames] if frames else [])


def test_the_document_itself_has_no_fault(tmp_path: Path) -> None:
    read = read_actev(write(tmp_path / "x.json", DOCUMENT))
    assert read.tracks[0].frames_T.tolist() == [0, 1, 2, 3]
    assert read.tracks[0].boxes_T4[1:3].tolist() == [[10, 20, 40, 60], [11, 20, 41, 60]]
    assert [(each.start, each.stop, each.actors) for each in read.activities] == [
        (0, 4, (7,)),
        (1, 3, ()),
    ]


def test_ids_that_come_twice_are_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", changed(("activities", 1, "activityID"), 1))
    with pytest.raises(AnnotationError, match="line 43: the activity id 1 comes twice"):
        read_actev(path)
    twins = [DOCUMENT["activities"][0]["objects"][0]] * 2
    path = write(tmp_path / "y.json", changed(("activities", 0, "objects"), twins))
    with pytest.raises(AnnotationError, match="the object id 7 comes twice in activity 1"):
        read_actev(path)
    assert len(read_actev(path, lenient=True).tracks) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"activities": [', "line 1: not JSON"),
        ('{"activities":\n [NaN]}', "NaN is no JSON number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"activities": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ("[]", "not ActEV JSON"),
        ('{"activities": {}}', "not ActEV JSON"),
        ('{"activities": [], "activities": []}', "a key comes twice at the top"),
        ('{"activities": [], "filesProcessed": [3]}', "filesProcessed is no list of file names"),
        ('{"activities": [], "filesProcessed": ["a.mp4", "b/a.avi"]}', "the same name 'a'"),
        ('{"activities": [' + "9" * 5000 + "]}", "integer"),
    ],
)
def test_what_is_no_such_document_is_an_error_even_leniently(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(AnnotationError) as raised:
        read_actev_videos(path, lenient=True)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_bytes_that_are_not_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'{"activities": [], "x": "\xff"}')
    with pytest.raises(AnnotationError, match="not UTF-8"):
        videos_of(path)


def test_a_key_that_comes_twice_is_reported_in_its_place(tmp_path: Path) -> None:
    text = json.dumps(DOCUMENT, indent=1).replace('"3": {', '"1": {')
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(AnnotationError, match="line 20: a key of this object comes twice"):
        read_actev(path)


def test_a_box_that_lasts_for_ever_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", changed(BOXES, {"1": box(), "100000000": {}}))
    with pytest.raises(AnnotationError, match="line 20: with its 99999999 boxes the video has"):
        read_actev(path)
    assert read_actev(path, lenient=True).tracks == ()


def test_the_limit_of_boxes_is_for_all_objects_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actev, "MAX_BOXES", 5)
    items = [{**DOCUMENT["activities"][0]["objects"][0], "objectID": number} for number in (1, 2)]
    items.append({**items[0], "objectID": 3, "localization": {"a.mp4": {"1": box(), "2": {}}}})
    path = write(tmp_path / "x.json", changed(("activities", 0, "objects"), items))
    read = read_actev(path, lenient=True)
    assert [(track.id, len(track.frames_T)) for track in read.tracks] == [(1, 4), (3, 1)]
    assert read.skipped == 1


def test_an_open_box_holds_to_the_end_of_its_activity(tmp_path: Path) -> None:
    read = read_actev(write(tmp_path / "x.json", changed((*BOXES, "5"), ...)))
    assert read.tracks[0].frames_T.tolist() == [0, 1, 2, 3]
    late = read_actev(write(tmp_path / "y.json", changed((*BOXES, "5"), box())))
    assert late.tracks[0].frames_T.tolist() == [0, 1, 2, 3, 4]


def test_an_activity_that_pauses_becomes_several(tmp_path: Path) -> None:
    steps = {"1": 1, "3": 0, "8": 1, "9": 1, "12": 0}
    read = read_actev(write(tmp_path / "x.json", changed(SPAN, steps)))
    assert [(each.id, each.start, each.stop, each.actors) for each in read.activities] == [
        (0, 7, 11, (7,)),
        (1, 0, 2, (7,)),
        (2, 1, 3, ()),
    ]


def objects_of(*steps: dict[str, Any], types: str = "PPP") -> dict[str, Any]:
    """A document with an activity for each of some objects, which all have the number 7."""
    document: dict[str, Any] = {"activities": []}
    for number, (each, type_) in enumerate(zip(steps, types, strict=False)):
        item = {"objectType": type_, "objectID": 7, "localization": {"a.mp4": each}}
        document["activities"].append(
            {
                "activity": "Talking",
                "activityID": number,
                "localization": {"a.mp4": {"1": 1, "9": 0}},
                "objects": [item],
            }
        )
    return document


@pytest.mark.parametrize(
    ("steps", "types", "frames"),
    [
        # Parts of one track that meet.
        ([{"1": box(), "3": {}}, {"2": box(), "5": {}}], "PP", {7: [0, 1, 2, 3]}),
        # Nothing says that these are one.
        ([{"1": box(), "3": {}}, {"3": box(), "5": {}}], "PP", {7: [0, 1], 0: [2, 3]}),
        # Other boxes in the same frame: certainly another.
        ([{"1": box(), "3": {}}, {"2": box(9), "5": {}}], "PP", {7: [0, 1], 0: [1, 2, 3]}),
        # Another type.
        ([{"1": box(), "3": {}}, {"1": box(), "3": {}}], "PV", {7: [0, 1], 0: [0, 1]}),
        # The third is the second.
        (
            [{"1": box(), "3": {}}, {"2": box(9), "5": {}}, {"4": box(9), "6": {}}],
            "PPP",
            {7: [0, 1], 0: [1, 2, 3, 4]},
        ),
        # Named and never located.
        ([{}, {}], "PP", {7: []}),
    ],
)
def test_objects_of_several_activities_are_one_only_when_that_is_sure(
    tmp_path: Path, steps: list[dict[str, Any]], types: str, frames: dict[int, list[int]]
) -> None:
    read = read_actev(write(tmp_path / "x.json", objects_of(*steps, types=types)))
    assert {track.id: track.frames_T.tolist() for track in read.tracks} == frames


def test_an_id_that_is_made_up_is_that_of_no_object(tmp_path: Path) -> None:
    document = objects_of({"1": box()}, {"1": box(9)}, {"1": box(8)})
    document["activities"][2]["objects"][0]["objectID"] = 0
    read = read_actev(write(tmp_path / "x.json", document))
    assert {track.id: track.boxes_T4[0, 0] for track in read.tracks} == {7: 10, 1: 9, 0: 8}
    assert [each.actors for each in read.activities] == [(7,), (1,), (0,)]


def test_several_videos_in_one_file_are_kept_apart(tmp_path: Path) -> None:
    scene = read_annotations(GOLDEN / "virat")
    other = Annotations("other", scene.tracks[1:], (Activity(2, "Riding", 0, 3, (1,)),))
    path = tmp_path / "both.json"
    write_actev(path, [scene, other], suffix=".avi")
    assert videos_of(path) == ("gate.avi", "other.avi")
    assert [len(each.activities) for each in read_actev_videos(path)] == [2, 1]
    read = read_actev(path, clip="other")
    assert [(track.id, track.type) for track in read.tracks] == [(1, "car")]
    assert read.activities == other.activities
    with pytest.raises(
        AnnotationError, match="one of its videos must be named; it has gate, other"
    ):
        read_actev(path)
    with pytest.raises(AnnotationError, match="nothing about 'third'; it has gate, other"):
        read_actev(path, clip="third")


def test_a_fault_in_one_video_is_no_fault_of_another(tmp_path: Path) -> None:
    document = changed((*BOXES, "1"), box(w=0))
    document["activities"][1]["localization"] = {"b.mp4": {"2": 1, "4": 0}}
    path = write(tmp_path / "x.json", document)
    assert read_actev(path, clip="b").skipped == 0
    with pytest.raises(AnnotationError):
        read_actev(path, clip="a")


def test_what_is_written_is_what_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_actev(path, read_annotations(GOLDEN / "virat"), confidence={2: 0.25})
    document = json.loads(path.read_text())
    carry, enter = document["activities"]
    assert document["filesProcessed"] == ["gate.mp4"]
    assert carry["localization"] == {"gate.mp4": {"4": 1, "10": 0}}
    assert (carry["presenceConf"], enter["presenceConf"]) == (0.25, 1)
    assert [*carry["objects"][0]["localization"]["gate.mp4"]] == [
        "4",
        "5",
        "6",
        "7",
        "8",
        "9",
        "10",
    ]
    assert carry["objects"][0]["localization"]["gate.mp4"]["7"] == {}
    car = enter["objects"][1]
    assert (car["objectType"], car["objectID"]) == ("Car", 1)
    # Only what changes is written: frames 1 and 2, 3 and 4, and 5 have a box each, from 1.
    assert car["localization"]["gate.mp4"] == {
        "1": {"presenceConf": 1, "boundingBox": {"x": 200, "y": 40, "w": 60, "h": 30}},
        "3": {"presenceConf": 1, "boundingBox": {"x": 201, "y": 40, "w": 60, "h": 30}},
        "5": {"presenceConf": 1, "boundingBox": {"x": 202, "y": 41, "w": 60, "h": 30}},
        "6": {},
    }
    assert isinstance(car["localization"]["gate.mp4"]["1"]["boundingBox"]["x"], int)


def test_what_is_written_has_whole_pixels_and_no_object_without_a_box(tmp_path: Path) -> None:
    """NIST's schema wants integers, and two steps or more of every object."""
    boxes_T4 = np.array([[10.5, 10.49, 20.5, 20.5], [10.6, 10.4, 20.7, 20.6], [3.4, 7.6, 3.9, 9.2]])
    tiny = Track(0, "person", np.arange(3), boxes_T4)
    unseen = Track(1, "car", np.arange(0), np.zeros((0, 4)))
    scene = Annotations("x", (tiny, unseen), (Activity(1, "carry", 0, 3, (0, 1)),))
    write_actev(tmp_path / "x.json", scene)
    (item,) = json.loads((tmp_path / "x.json").read_text())["activities"]
    (one,) = item["objects"]
    assert json.dumps(one["localization"]["x.mp4"]) == json.dumps(
        {
            # The second box is the first once it is rounded, and so no step.
            "1": {"presenceConf": 1, "boundingBox": {"x": 11, "y": 10, "w": 10, "h": 11}},
            "3": {"presenceConf": 1, "boundingBox": {"x": 3, "y": 8, "w": 1, "h": 1}},
            "4": {},
        }
    )


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ((0.0, 0.0, 0.4, 0.4), [0, 0, 1, 1]),
        ((10.5, 10.49, 20.5, 20.5), [11, 10, 10, 11]),
        ((10.6, 10.1, 10.9, 10.2), [10, 10, 1, 1]),
        ((-3.2, -0.5, -3.1, -0.4), [-4, -1, 1, 1]),
        ((MAX_PIXEL - 0.4, 0.0, MAX_PIXEL, 1.0), [MAX_PIXEL - 1, 0, 1, 1]),
    ],
)
def test_a_box_of_whole_pixels_is_where_it_was_and_not_empty(
    box: tuple[float, ...], pixels: list[int]
) -> None:
    assert whole_pixels([box]).tolist() == [pixels]


def test_the_writer_refuses_boxes_that_are_none(tmp_path: Path) -> None:
    track = read_annotations(GOLDEN / "virat").tracks[0]
    boxes_T4 = track.boxes_T4.copy()
    boxes_T4[1, 3] = boxes_T4[1, 1]
    bad = Track(track.id, track.type, track.frames_T, boxes_T4)
    scene = Annotations("x", (bad,), (Activity(1, "carry", 0, 1, (0,)),))
    with pytest.raises(AnnotationError, match=r"track 0, frame 4: .* height 0"):
        write_actev(tmp_path / "x.json", scene)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("video", "clip"),
    [
        ("VIRAT_S_000000.mp4", "VIRAT_S_000000"),
        ("2018-03-07.16-50-00.16-55-00.bus.G475.avi", "2018-03-07.16-50-00.16-55-00.bus.G475"),
        ("2018-03-07.16-50-00.16-55-00.bus.G475", "2018-03-07.16-50-00.16-55-00.bus.G475"),
        ("folder/a.b.MP4", "a.b"),
        (r"c:\videos\a.mkv", "a"),
    ],
)
def test_the_name_of_a_clip_may_have_dots(video: str, clip: str) -> None:
    assert clip_of(video) == clip


def test_lines_are_found_whatever_the_layout() -> None:
    text = '\n{"a": [1,\n "x\\n]}",\n {"b\\"" :\n\n 7}, []],\n "c": {}\n}\n'
    places = [(), ("a",), ("a", 1), ("a", 2, 'b"'), ("a", 3), ("c",), ("c", "d", 3), ("a", 9)]
    assert json.loads(text)["a"][2]['b"'] == 7
    assert list(lines_of(text, places).values()) == sorted(lines_of(text, places).values())
    assert [lines_of(text, places)[place] for place in places] == [2, 2, 3, 6, 6, 7, 7, 2]
