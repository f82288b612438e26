"""The same small scene in every form the formats take, read to the same tracks and activities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinyvirat.annotations import Annotations, kpf_stream, read_annotations
from tinyvirat.annotations.actev import read_actev_videos
from tinyvirat.annotations.kpf import read_kpf

GOLDEN = Path(__file__).parent / "golden"


def as_plain(annotations: Annotations) -> dict[str, object]:
    """Everything in a form that `==` compares."""
    return {
        "clip": annotations.clip,
        "tracks": [
            (track.id, track.type, track.frames_T.tolist(), track.boxes_T4.tolist())
            for track in annotations.tracks
        ],
        "activities": [
            (each.id, each.label, each.start, each.stop, each.actors)
            for each in annotations.activities
        ],
        "skipped": annotations.skipped,
    }


SCENE = {
    "clip": "gate",
    "tracks": [
        (
            0,
            "person",
            [3, 4, 5, 7, 8],
            [
                [10, 20, 22, 50],
                [11, 20, 23, 50],
                [12, 20, 24, 51],
                [14, 20, 26, 51],
                [15, 21, 27, 52],
            ],
        ),
        (
            1,
            "car",
            [0, 1, 2, 3, 4],
            [
                [200, 40, 260, 70],
                [200, 40, 260, 70],
                [201, 40, 261, 70],
                [201, 40, 261, 70],
                [202, 41, 262, 71],
            ],
        ),
    ],
    "activities": [
        (2, "carry", 3, 9, (0,)),
        (5, "get into vehicle", 2, 6, (0, 1)),
    ],
    "skipped": 0,
}


@pytest.mark.parametrize("form", ["virat", "umd", "block", "quoted", "nested"])
def test_every_form_of_the_scene_reads_the_same(form: str) -> None:
    assert as_plain(read_annotations(GOLDEN / form)) == SCENE


def test_actev_json_counts_frames_from_one() -> None:
    read = read_annotations(GOLDEN / "nist", clip="gate")
    assert as_plain(read) == SCENE
    assert read.tracks[0].boxes_T4.dtype == np.float64
    assert read.tracks[0].frames_T.dtype == np.int64


def test_actev_json_of_third_parties_may_count_from_zero_and_leave_boxes_open() -> None:
    assert as_plain(read_annotations(GOLDEN / "cmu", first_frame=0)) == SCENE


def test_a_processed_video_without_activities_is_empty_and_not_an_error() -> None:
    scene, empty = read_actev_videos(GOLDEN / "nist" / "gate.activities.json")
    assert as_plain(scene) == SCENE
    assert (empty.clip, empty.tracks, empty.activities) == ("empty", (), ())


@pytest.mark.parametrize("form", ["umd", "block", "quoted", "nested"])
@pytest.mark.parametrize("piece", [1, 2, 3, 7, 16, 61, 250])
def test_where_the_file_is_cut_while_reading_makes_no_difference(
    form: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kpf_stream, "PIECE", piece)
    assert as_plain(read_annotations(GOLDEN / form)) == SCENE


@pytest.mark.parametrize("form", ["umd", "block", "quoted", "nested"])
def test_the_expressions_for_geometry_only_save_time(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kpf_stream, "MAX_SHAPES", 0)
    assert as_plain(read_annotations(GOLDEN / form)) == SCENE


def test_geometry_after_the_first_record_of_a_shape_does_not_go_through_yaml(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed = []
    load_tree = kpf_stream.load_tree
    monkeypatch.setattr(
        kpf_stream, "load_tree", lambda text: parsed.append(text) or load_tree(text)
    )
    read_kpf([GOLDEN / "umd" / "gate-geom.yml"], clip="gate")
    assert len(parsed) == 2  # the meta record and the first geometry


def test_the_order_of_the_files_does_not_matter() -> None:
    files = sorted((GOLDEN / "block").glob("gate.[agt]*.yml"))
    assert len(files) == 3
    for order in (files, files[::-1], files[1:] + files[:1]):
        assert as_plain(read_kpf(order, clip="gate")) == SCENE


def test_actors_are_unlocated_tracks_when_only_the_activities_are_there() -> None:
    read = read_kpf([GOLDEN / "block" / "gate.activities.yml"], clip="gate")
    assert [(track.id, track.type, len(track.frames_T)) for track in read.tracks] == [
        (0, "unknown", 0),
        (1, "unknown", 0),
    ]
    assert [activity.actors for activity in read.activities] == [(0,), (0, 1)]
