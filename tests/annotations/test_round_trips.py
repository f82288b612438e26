"""What is written and read again is the same, for every writer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyvirat.annotations import (
    Activity,
    Annotations,
    Track,
    find_annotations,
    read_annotations,
)
from tinyvirat.annotations.actev import read_actev, whole_pixels, write_actev
from tinyvirat.annotations.building import MAX_FRAME, MAX_ID, MAX_PIXEL, normal_type
from tinyvirat.annotations.kpf import write_kpf
from tinyvirat.annotations.virat_text import EVENT_NAMES, OBJECT_TYPES, write_virat

SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

whole = st.integers(-MAX_PIXEL, MAX_PIXEL - 1).map(float)
any_number = st.floats(-MAX_PIXEL, MAX_PIXEL)
names = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" "),
    min_size=1,
    max_size=12,
).filter(lambda name: bool(name.strip()) and name.isprintable())
types = names.map(normal_type).filter(lambda name: normal_type(name) == name)


@st.composite
def tracks(draw: Any, track_id: int, type_: str, number: Any, least: int) -> Track:
    frames = sorted(draw(st.sets(st.integers(0, 30) | st.integers(0, MAX_FRAME), min_size=least)))
    boxes = []
    for _ in frames:
        x1, x2 = sorted(draw(st.tuples(number, number).filter(lambda pair: pair[0] != pair[1])))
        y1, y2 = sorted(draw(st.tuples(number, number).filter(lambda pair: pair[0] != pair[1])))
        # A still object now and then, for formats that write only what changes.
        boxes.append(boxes[-1] if boxes and draw(st.booleans()) else [x1, y1, x2, y2])
    return Track(
        track_id,
        type_,
        np.array(frames, dtype=np.int64),
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
    )


@st.composite
def scenes(
    draw: Any,
    *,
    number: Any = whole,
    type_: Any = types,
    label: Any = names,
    highest_id: int = MAX_ID,
    least: int = 0,
    every_track_acts: bool = False,
) -> Annotations:
    """Annotations of a clip; the keywords are what a format can hold."""
    ids = st.integers(0, 5) | st.integers(0, highest_id)
    found = [
        draw(tracks(track_id, draw(type_), number, least))
        for track_id in sorted(draw(st.sets(ids, max_size=4)))
    ]
    activities = []
    for activity_id in sorted(
        draw(st.sets(st.integers(0, 5) | st.integers(0, MAX_ID), max_size=4))
    ):
        start, last = sorted(draw(st.tuples(st.integers(0, 40), st.integers(0, MAX_FRAME))))
        last = draw(st.sampled_from([last, start, start + 7]))
        last = min(last, MAX_FRAME)
        actors = draw(st.sets(st.sampled_from([each.id for each in found]))) if found else ()
        activities.append(
            Activity(activity_id, draw(label), start, last + 1, tuple(sorted(actors)))
        )
    if every_track_acts:
        acting = {actor for activity in activities for actor in activity.actors}
        found = [each for each in found if each.id in acting]
    return Annotations("clip.7", tuple(found), tuple(activities))


@pytest.fixture()
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def assert_same(one: Annotations, other: Annotations, *, tolerance: float = 0) -> None:
    assert one.clip == other.clip
    assert one.activities == other.activities
    assert [(track.id, track.type) for track in one.tracks] == [
        (track.id, track.type) for track in other.tracks
    ]
    for mine, theirs in zip(one.tracks, other.tracks, strict=True):
        np.testing.assert_array_equal(mine.frames_T, theirs.frames_T)
        np.testing.assert_allclose(mine.boxes_T4, theirs.boxes_T4, rtol=0, atol=tolerance)
    assert other.skipped == 0


@SETTINGS
@given(
    scene=scenes(
        type_=st.sampled_from(OBJECT_TYPES),
        label=st.sampled_from(sorted(EVENT_NAMES.values())),
        highest_id=40,
        least=1,
    )
)
def test_virat_text_reads_back_what_was_written(scene: Annotations, folder: Path) -> None:
    write_virat(folder, scene)
    assert_same(scene, read_annotations(find_annotations(folder, "clip.7", format="virat")))


@SETTINGS
@given(scene=scenes(number=any_number), fps=st.sampled_from([None, Fraction(30000, 1001)]))
def test_kpf_reads_back_what_was_written(
    scene: Annotations, fps: Fraction | None, folder: Path
) -> None:
    write_kpf(folder, scene, fps=fps)
    assert_same(scene, read_annotations(find_annotations(folder, "clip.7", format="kpf")))


@SETTINGS
@given(
    scene=scenes(every_track_acts=True, least=1),
    first_frame=st.sampled_from([0, 1]),
    suffix=st.sampled_from([".mp4", ".avi"]),
)
def test_actev_json_reads_back_what_was_written(
    scene: Annotations, first_frame: int, suffix: str, folder: Path
) -> None:
    write_actev(folder / "a.json", scene, first_frame=first_frame, suffix=suffix)
    read = read_actev(folder / "a.json", first_frame=first_frame)
    assert_same(scene, read)


@SETTINGS
@given(scene=scenes(number=any_number, every_track_acts=True, least=1))
def test_actev_json_has_the_nearest_whole_pixels(scene: Annotations, folder: Path) -> None:
    write_actev(folder / "a.json", scene)
    read = read_actev(folder / "a.json")
    rounded = []
    for track in scene.tracks:
        boxes_T4 = whole_pixels(track.boxes_T4).astype(np.float64)
        boxes_T4[:, 2:] += boxes_T4[:, :2]
        rounded.append(Track(track.id, track.type, track.frames_T, boxes_T4))
    assert_same(replace(scene, tracks=tuple(rounded)), read)
    for one, other in zip(scene.tracks, read.tracks, strict=True):
        # An empty box takes the pixel that it begins in, which can be almost one away.
        np.testing.assert_allclose(one.boxes_T4, other.boxes_T4, rtol=0, atol=1.0)
        wide_T = (one.boxes_T4[:, 2:] - one.boxes_T4[:, :2] >= 1).all(axis=1)
        off_T4 = np.abs(one.boxes_T4 - other.boxes_T4)[wide_T]
        assert (off_T4 <= 0.5 + 1e-9).all()
