"""What the records themselves do not allow."""

from __future__ import annotations

import numpy as np
import pytest

from tinyvirat.annotations import Activity, Annotations, Track
from tinyvirat.annotations.building import normal_type


def track(track_id: int) -> Track:
    return Track(track_id, "person", np.arange(2), np.array([[0.0, 0, 1, 1]] * 2))


def test_tracks_are_found_by_their_ids() -> None:
    annotations = Annotations("x", (track(3), track(5)), (Activity(1, "a", 0, 1, (5, 3)),))
    assert annotations.track_of[5] is annotations.tracks[1]
    assert (annotations.problems, annotations.skipped) == ((), 0)


@pytest.mark.parametrize(
    ("tracks", "activities", "message"),
    [
        ((3, 3), (), "two tracks have the same id"),
        ((3,), ((1, (3,)), (1, ())), "two activities have the same id"),
        ((3,), ((1, (3, 4)),), r"activity 1 \(a\) has the actor 4, which is no track"),
    ],
)
def test_ids_are_unique_and_actors_known(
    tracks: tuple[int, ...], activities: tuple[tuple[int, tuple[int, ...]], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Annotations(
            "x",
            tuple(map(track, tracks)),
            tuple(Activity(number, "a", 0, 1, actors) for number, actors in activities),
        )


def test_a_track_needs_a_box_a_frame_and_increasing_frames() -> None:
    boxes_T4 = np.array([[0.0, 0, 1, 1]] * 2)
    with pytest.raises(ValueError, match="2 frames but boxes of shape"):
        Track(1, "person", np.arange(2), boxes_T4[:1])
    with pytest.raises(ValueError, match="frames must strictly increase"):
        Track(1, "person", np.array([4, 4]), boxes_T4)
    assert len(Track(1, "person", np.arange(0), boxes_T4[:0]).frames_T) == 0


def test_an_activity_has_a_span() -> None:
    with pytest.raises(ValueError, match="is empty"):
        Activity(1, "a", 3, 3, ())


@pytest.mark.parametrize(
    ("name", "type_"),
    [("Person", "person"), (" Construction_Vehicle ", "construction_vehicle")]
    + [(null, "unknown") for null in ("Null", "null", "None", "~", "", "Unknown")],
)
def test_types_are_lower_case_and_nulls_unknown(name: str, type_: str) -> None:
    assert normal_type(name) == type_
