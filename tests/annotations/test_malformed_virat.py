"""Every fault a line of VIRAT text can have: named with file and line, or skipped and counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.annotations import AnnotationError, Annotations, read_annotations
from tinyvirat.annotations import problems as problems_module
from tinyvirat.annotations.virat_text import MAX_LINE, read_virat, write_virat

GOLDEN = Path(__file__).parent / "golden" / "virat"
KINDS = ("objects", "mapping", "events")


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(GOLDEN, tmp_path / "virat")


def replaced(folder: Path, kind: str, line: int, text: str) -> Path:
    """Puts `text` in the place of a line, from 1; after the last line it is added."""
    path = folder / f"gate.viratdata.{kind}.txt"
    lines = path.read_text().splitlines()
    lines[line - 1 : line] = [text]
    path.write_text("\n".join(lines) + "\n")
    return path


FAULTS = [
    ("objects", 3, "1 5 2 201 40 60 30", "7 columns"),
    ("objects", 3, "1 5 2 201 40 60 30 2 1", "9 columns"),
    ("objects", 3, "1 5 2 201 40 60 nan 2", "'nan' is not a whole number"),
    ("objects", 3, "1 5 2 201 40 6_0 30 2", "'6_0' is not a whole number"),
    ("objects", 3, "1 5 2 201 40 60.5 30 2", "'60.5' is not a whole number"),
    ("objects", 3, "1 5 2 201 40 99999999999999999999 30 2", "is not a whole number"),
    ("objects", 3, "1 5 2 201 40 -60 30 2", "width -60"),
    ("objects", 3, "1 5 2 201 40 60 0 2", "height 0"),
    ("objects", 3, "1 5 2 201 40 600000 30 2", "beyond 100000 pixels"),
    ("objects", 3, "1 5 -2 201 40 60 30 2", "the frame -2 is outside"),
    ("objects", 3, "1 5 999999999 201 40 60 30 2", "the frame 999999999 is outside"),
    ("objects", 3, "1 5 1 201 40 60 30 2", "a second box in frame 1"),
    ("objects", 3, "1 5 0 201 40 60 30 2", "go back from 1 to 0"),
    ("objects", 3, "1 5 2 201 40 60 30 6", "the object type 6"),
    ("objects", 3, "1 5 2 201 40 60 30 3", "was a car and is now a vehicle"),
    ("objects", 3, "-1 5 2 201 40 60 30 2", "the object id -1"),
    ("objects", 3, "\x00\x01binary \x80", "columns where there should be 8"),
    ("objects", 3, "1 " * MAX_LINE, "longer than 65536 characters"),
    ("mapping", 1, "2 9 6 3 8", "5 columns where there should be 6 or more"),
    ("mapping", 1, "2 9 6 3 8 x  1 0", "'x' is not a whole number"),
    ("mapping", 1, "2 9 6 3 8 1  1 2", "a flag is neither 0 nor 1"),
    ("mapping", 1, "2 9 6 3 8 2  1 0", "2 objects are announced and 1 are flagged"),
    ("mapping", 1, "2 9 6 8 3 1  1 0", "reversed"),
    ("mapping", 1, "2 9 6 -3 2 1  1 0", "the span from frame -3"),
    ("mapping", 1, "2 9 5 3 8 1  1 0", "the duration 5 does not fit"),
    ("mapping", 1, "2 13 6 3 8 1  1 0", "the event type 13"),
    ("mapping", 1, "2 9 6 3 8 1  0 0 1", "the actor 2, which is no object"),
    ("mapping", 2, "2 9 6 3 8 1  1 0", "the activity id 2 appears a second time"),
    ("events", 2, "2 9 6 3 8 4 9 19 14", "9 columns where there should be 10"),
    ("events", 2, "2 9 6 3 8 4 9 19 14 -33", "height -33"),
    ("events", 2, "2 9 6 3 8 9 9 19 14 33", "the frame 9 is outside the event"),
    ("events", 2, "2 9 6 3 8 3 9 19 14 33", "the frames of event 2 go from 3 to 3"),
    ("events", 2, "2 10 6 3 8 4 9 19 14 33", "described otherwise in line 1"),
    ("events", 11, "7 9 6 3 8 3 9 19 14 33", "the event 7 is not in the mapping"),
]


@pytest.mark.parametrize(("kind", "line", "text", "message"), FAULTS)
def test_a_fault_is_an_error_that_names_file_and_line(
    folder: Path, kind: str, line: int, text: str, message: str
) -> None:
    path = replaced(folder, kind, line, text)
    with pytest.raises(AnnotationError) as raised:
        read_annotations(folder)
    assert f"{path}, line {line}: " in str(raised.value)
    assert message in str(raised.value)
    assert "leniently" in str(raised.value)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(("kind", "line", "text", "message"), FAULTS)
def test_leniently_a_fault_is_skipped_and_counted(
    folder: Path, kind: str, line: int, text: str, message: str
) -> None:
    path = replaced(folder, kind, line, text)
    read = read_annotations(folder, lenient=True)
    assert (read.problems[0].path, read.problems[0].line) == (path, line)
    assert message in read.problems[0].message
    assert read.skipped == len(read.problems)
    # An event whose mapping line is gone is also reported where it appears among the events.
    assert read.skipped == (2 if kind == "mapping" and "no object" not in message else 1)
    assert len(read.tracks[1].frames_T) == (4 if kind == "objects" else 5)
    lost = kind == "mapping"
    assert [each.id for each in read.activities] == (
        [5] if lost and line == 1 else [2] if lost else [2, 5]
    )


def test_the_event_that_contradicts_the_mapping_is_reported_once(folder: Path) -> None:
    replaced(folder, "mapping", 1, "2 10 6 3 8 1  1 0")
    read = read_annotations(folder, lenient=True)
    assert [each.label for each in read.activities] == ["run", "get into vehicle"]
    assert read.skipped == 1
    assert "of type 9" in read.problems[0].message
    assert "of type 10" in read.problems[0].message


def test_problems_beyond_the_list_are_still_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems_module, "MAX_LISTED", 3)
    (folder / "gate.viratdata.objects.txt").write_text("x\n" * 10)
    read = read_annotations(folder, lenient=True)
    assert len(read.problems) == 3
    assert read.skipped == 10 + 2  # with both activities, which have lost their actors


def test_events_without_a_mapping_have_no_actors() -> None:
    read = read_virat(clip="gate", events=GOLDEN / "gate.viratdata.events.txt")
    assert [
        (each.id, each.label, each.start, each.stop, each.actors) for each in read.activities
    ] == [
        (2, "carry", 3, 9, ()),
        (5, "get into vehicle", 2, 6, ()),
    ]


def test_a_mapping_without_objects_names_tracks_without_boxes() -> None:
    read = read_virat(clip="gate", mapping=GOLDEN / "gate.viratdata.mapping.txt")
    assert [(track.id, len(track.frames_T)) for track in read.tracks] == [(0, 0), (1, 0)]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.txt: cannot be read: No such file"):
        read_virat(clip="x", objects=tmp_path / "none.txt")


def test_written_text_has_the_columns_of_the_format(tmp_path: Path) -> None:
    objects, mapping, events = write_virat(tmp_path, read_annotations(GOLDEN))
    assert objects.read_text().splitlines()[0] == "0 6 3 10 20 12 30 1"
    assert mapping.read_text().splitlines() == ["2 9 6 3 8 1  1 0", "5 5 4 2 5 2  1 1"]
    # The box of an event holds those of its actors that are seen in the frame.
    assert events.read_text().splitlines()[-4:] == [
        "5 5 4 2 5 2 201 40 60 30",
        "5 5 4 2 5 3 10 20 251 50",
        "5 5 4 2 5 4 11 20 251 51",
        "5 5 4 2 5 5 12 20 12 31",
    ]


def changed(**what: object) -> Annotations:
    scene = read_annotations(GOLDEN)
    track, activity = scene.tracks[1], scene.activities[1]
    for name, value in what.items():
        if hasattr(track, name) and name != "id":
            track = type(track)(**{**vars(track), name: value})
        elif name == "id":
            track = type(track)(**{**vars(track), "id": value})
        else:
            activity = type(activity)(**{**vars(activity), name: value, "actors": (0,)})
    if track.id != 1:
        activity = type(activity)(**{**vars(activity), "actors": (0,)})
    return Annotations(scene.clip, (scene.tracks[0], track), (scene.activities[0], activity))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"type": "truck"}, "is a 'truck', and VIRAT text knows only unknown, person"),
        ({"label": "Talking"}, "is 'Talking', and VIRAT text knows only load, unload"),
        ({"id": 20_000}, "the object id 20000 is too high"),
    ],
)
def test_the_writer_refuses_what_the_format_cannot_hold(
    tmp_path: Path, what: dict[str, object], message: str
) -> None:
    with pytest.raises(AnnotationError, match=message):
        write_virat(tmp_path, changed(**what))


def test_the_writer_refuses_boxes_that_are_none_and_keeps_the_old_file(tmp_path: Path) -> None:
    scene = changed()
    objects, *_ = write_virat(tmp_path, scene)
    before = objects.read_text()
    boxes_T4 = scene.tracks[1].boxes_T4.copy()
    boxes_T4[2, 2] = float("nan")
    with pytest.raises(AnnotationError, match=r"track 1, frame 2: .* is not finite"):
        write_virat(tmp_path, changed(boxes_T4=boxes_T4))
    assert objects.read_text() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_fractions_grow_to_whole_pixels(tmp_path: Path) -> None:
    boxes_T4 = read_annotations(GOLDEN).tracks[1].boxes_T4 + np.array([0.25, 0.75, 0.25, -0.25])
    write_virat(tmp_path, changed(boxes_T4=boxes_T4))
    assert read_annotations(tmp_path).tracks[1].boxes_T4[0].tolist() == [200, 40, 261, 70]


def test_a_clip_cannot_name_a_file_outside_the_folder(tmp_path: Path) -> None:
    scene = read_annotations(GOLDEN)
    away = Annotations("../../away", scene.tracks, scene.activities)
    with pytest.raises(Exception, match="leaves its folder"):
        write_virat(tmp_path / "in", away)
