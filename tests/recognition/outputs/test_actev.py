"""ActEV JSON: valid for the public scorer, and read back by our own reader as what was given."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.annotations.actev import read_actev
from tinyvirat.recognition.events import Action, StreamEnd
from tinyvirat.recognition.outputs.actev import ActevSink, file_name
from tinyvirat.recognition.results import Prediction

from .scenes import Actor, Scene, crowd, play

GOLDEN = Path(__file__).parent / "golden" / "activities.json"
FILE = re.compile(r"[A-Za-z0-9_\-\.]+")
FRAME = re.compile(r"[0-9]+")


def check(document: Any) -> None:
    """What the scorer's schema for activities with objects asks of a document."""
    assert {"filesProcessed", "activities"} <= set(document)
    for name in document["filesProcessed"]:
        assert FILE.fullmatch(name)
    for activity in document["activities"]:
        assert {"activity", "presenceConf", "activityID", "localization", "objects"} <= set(
            activity
        )
        assert type(activity["activity"]) is str
        assert type(activity["activityID"]) is int
        assert type(activity["alertFrame"]) is int
        assert type(activity["presenceConf"]) in (int, float)
        for value in localization(activity).values():
            assert type(value) is int and value in (0, 1)
        assert type(activity["objects"]) is list
        for one in activity["objects"]:
            assert type(one["objectType"]) is str
            assert type(one["objectID"]) is int
            for value in localization(one).values():
                if value:
                    assert set(value) == {"presenceConf", "boundingBox"}
                    assert type(value["presenceConf"]) in (int, float)
                    assert set(value["boundingBox"]) == set("xywh")
                    assert all(type(side) is int for side in value["boundingBox"].values())


def localization(item: Any) -> dict[str, Any]:
    """The steps in the one file of an activity or an object."""
    ((name, steps),) = item["localization"].items()
    assert FILE.fullmatch(name)
    assert len(steps) >= 2 and all(FRAME.fullmatch(frame) for frame in steps)
    found: dict[str, Any] = steps
    return found


def written(folder: Path, scene: Scene) -> Any:
    play(ActevSink(folder), scene)
    assert [p.name for p in folder.iterdir()] == ["activities.json"]
    document = json.loads((folder / "activities.json").read_text())
    check(document)
    return document


def test_the_file_is_as_it_was_agreed(tmp_path: Path) -> None:
    scene = Scene(actors=(Actor(3, 9, (("walk", 4, 8, 0.9), ("carry", 4, 6, 0.625))),), frames=12)
    written(tmp_path, scene)
    assert (tmp_path / "activities.json").read_text() == GOLDEN.read_text()


@pytest.mark.parametrize("scene", [Scene(), crowd(40), crowd(7, video="a b/é=1.mp4")])
def test_our_reader_reads_the_same_actions_and_boxes(scene: Scene, tmp_path: Path) -> None:
    written(tmp_path, scene)
    read = read_actev(tmp_path / "activities.json")
    events = list(scene.events())
    actions = [event for event in events if isinstance(event, Action)]
    assert len(read.activities) == len(actions) > 1
    wanted = {(a.label, a.start, a.stop, a.tube) for a in actions}
    assert {(a.label, a.start, a.stop, *a.actors) for a in read.activities} == wanted
    for action in actions:
        track = read.track_of[action.tube]
        assert track.type == action.type
        rows = dict(zip(track.frames_T.tolist(), track.boxes_T4.tolist(), strict=True))
        for event in events:
            if isinstance(event, Prediction) and event.tube == action.tube and event.boxes:
                for frame, box in enumerate(event.boxes, start=event.start):
                    if action.start <= frame < action.stop:
                        assert np.abs(np.subtract(rows[frame], box)).max() <= 0.5


def test_a_box_that_stays_is_one_step_and_a_gap_is_none(tmp_path: Path) -> None:
    scene = Scene(frames=0, actors=())
    box = (10.0, 10.0, 20.0, 30.0)
    sink = ActevSink(tmp_path)
    sink.begin(scene.header)
    for start, stop in ((0, 10), (15, 20)):
        sink.take(Prediction("v", 4, start, stop, 0.0, 1.0, {}, (), (box,) * (stop - start), "m"))
    sink.take(Action("v", 4, "person", "walk", 2, 18, 0.0, 1.0, 0.5, 0.6))
    sink.end(scene.end)
    (activity,) = json.loads((tmp_path / "activities.json").read_text())["activities"]
    steps = activity["objects"][0]["localization"]["yard.avi"]
    full = {"presenceConf": 0.5, "boundingBox": {"x": 10, "y": 10, "w": 10, "h": 20}}
    assert steps == {"3": full, "11": {}, "16": full, "19": {}}
    assert activity["localization"] == {"yard.avi": {"3": 1, "19": 0}}
    assert activity["alertFrame"] == 18


def test_an_action_without_boxes_has_no_objects(tmp_path: Path) -> None:
    scene = Scene(frames=0, actors=())
    sink = ActevSink(tmp_path)
    sink.begin(scene.header)
    sink.take(Prediction("v", 0, 0, 9, 0.0, 1.0, {}, (), None, "m"))
    sink.take(Action("v", 0, "person", "walk", 0, 9, 0.0, 1.0, 0.5, 0.6))
    sink.end(scene.end)
    document = json.loads((tmp_path / "activities.json").read_text())
    check(document)
    assert document["activities"][0]["objects"] == []


def test_nothing_recognised_is_a_valid_file(tmp_path: Path) -> None:
    document = written(tmp_path, Scene(actors=(), frames=0))
    assert document == {"filesProcessed": ["yard.avi"], "activities": []}


def test_labels_may_be_anything(tmp_path: Path) -> None:
    labels = ('a"b\\', "Ж", "</script>", "bad\udcff")
    scene = Scene(actors=(Actor(0, 9, tuple((name, 0, 9, 0.7) for name in labels)),), frames=9)
    found = {one["activity"] for one in written(tmp_path, scene)["activities"]}
    assert found == {*labels[:3], "bad?"}


def test_what_is_abandoned_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "activities.json").write_text("before")
    sink, scene = ActevSink(tmp_path), Scene()
    sink.abandon()
    sink.begin(scene.header)
    for event in scene.events():
        sink.take(event)
    assert len(list(tmp_path.iterdir())) == 2
    sink.abandon()
    sink.abandon()
    assert [p.name for p in tmp_path.iterdir()] == ["activities.json"]
    assert (tmp_path / "activities.json").read_text() == "before"


def test_memory_does_not_grow_with_a_tube(tmp_path: Path) -> None:
    """A tube of 20,000 frames, which are 4 MB of boxes in Python and 1.5 MB in the file."""
    sink = ActevSink(tmp_path)
    sink.begin(Scene().header)
    end = StreamEnd(0, 0, 0, 1, 1, 1.0, False, {})
    stretch = 100
    tracemalloc.start()
    for start in range(0, 20_000, stretch):
        boxes = tuple((float(k % 50), 2.0, float(k % 50 + 9), 11.0) for k in range(stretch))
        sink.take(Prediction("v", 1, start, start + stretch, 0.0, 1.0, {}, (), boxes, "m"))
    sink.take(Action("v", 1, "person", "walk", 0, 20_000, 0.0, 1.0, 0.5, 0.6))
    sink.end(end)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "activities.json").stat().st_size > 1_400_000
    assert peak < 300_000


@given(st.text(max_size=40))
def test_every_name_of_a_file_is_allowed(text: str) -> None:
    assert FILE.fullmatch(file_name(text))


@pytest.mark.parametrize(
    ("video", "name"),
    [
        ("/data/VIRAT_S_000201.mp4", "VIRAT_S_000201.mp4"),
        ("rtsp://me:secret@camera/live/1/", "1"),
        ("rtsp://me:secret@camera", "camera"),
        ("0", "0"),
        ("", "video"),
        ("C:\\films\\my film.avi", "my_film.avi"),
    ],
)
def test_names_of_sources(video: str, name: str) -> None:
    assert file_name(video) == name
