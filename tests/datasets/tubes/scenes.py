"""Small annotated scenes, by hand and at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tinyvirat.annotations import Activity, Annotations, Track
from tinyvirat.datasets.tubes.locate import Stretch, located, seen

LABELS = ("activity_walking", "activity_standing", "Talking", "Riding")
SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def track(number: int, start: int, boxes: Any, frames: Sequence[int] | None = None) -> Track:
    """A track of `boxes`, in consecutive frames from `start` unless `frames` are named."""
    boxes_T4 = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    frames_T = np.arange(start, start + len(boxes_T4)) if frames is None else np.array(frames)
    return Track(number, "person", frames_T.astype(np.int64), boxes_T4)


def still(number: int, start: int, stop: int, box: tuple[float, float, float, float]) -> Track:
    """A track that does not move."""
    return track(number, start, [box] * (stop - start))


def annotated(tracks: Sequence[Track], activities: Sequence[Activity]) -> Annotations:
    """They, as one video's annotations."""
    return Annotations("VIRAT_S_000001_02", tuple(tracks), tuple(activities))


def stretches_of(annotations: Annotations, longest_gap: int = 0) -> list[Stretch]:
    """Where all activities are located."""
    seen_of = {one.id: seen(one, longest_gap) for one in annotations.tracks}
    return [part for one in annotations.activities for part in located(one, seen_of)]


@st.composite
def boxes(draw: Any, frames: int) -> np.ndarray:
    """A box that wanders, trembles and changes its size; eighths of pixels."""
    x, y, w, h = (draw(st.integers(0, 160)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pace = draw(st.sampled_from([0, 1, 4]))
    centre_T2 = np.array([x, y]) + np.cumsum(rng.integers(-8, 9, (frames, 2)) * pace, 0) / 8
    size_T2 = np.array([w, h]) / 2 + 4 + rng.integers(0, 8 * pace + 1, (frames, 2)) / 8
    return np.concatenate([centre_T2 - size_T2 / 2, centre_T2 + size_T2 / 2], axis=1)


@st.composite
def scenes(draw: Any, most_frames: int = 40) -> Annotations:
    """Up to five tracks with gaps, and up to seven activities of any of them, or of nobody."""
    tracks = []
    for number in sorted(draw(st.sets(st.integers(0, 9), max_size=5))):
        start, length = draw(st.integers(0, 20)), draw(st.integers(0, most_frames))
        absent = draw(st.sets(st.integers(0, most_frames), max_size=4))
        kept = [t for t in range(length) if t not in absent]
        frames_T = np.array([start + t for t in kept], np.int64)
        tracks.append(track(number, 0, draw(boxes(length))[kept], frames_T.tolist()))
    ids = [one.id for one in tracks]
    activities = []
    for number in sorted(draw(st.sets(st.integers(0, 20), max_size=7))):
        start, length = draw(st.integers(0, most_frames)), draw(st.integers(1, most_frames))
        actors = draw(st.lists(st.sampled_from(ids), max_size=3, unique=True)) if ids else []
        label = draw(st.sampled_from(LABELS))
        activities.append(Activity(number, label, start, start + length, tuple(actors)))
    return annotated(tracks, activities)
