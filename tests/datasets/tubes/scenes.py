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
SOME = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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
    x, y, w, h = (draw(st.integers(0, 60)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pace = draw(st.sampled_from([0, 1, 4]))
    centre_T2 = np.array([x, y]) + np.cumsum(rng.integers(-8, 9, (frames, 2)) * pace, 0) / 8
    size_T2 = np.array([w, h]) + 4 + rng.integers(0, 8 * pace + 1, (frames, 2)) / 8
    return np.concatenate([centre_T2 - size_T2 / 2, centre_T2 + size_T2 / 2], axis=1)


@st.composite
def scenes(draw: Any) -> Annotations:
    """A few tracks with gaps, near each other, and activities of any of them, or of nobody.

    Only the numbers and a seed are drawn: drawn one by one, most scenes would be empty.
    """
    actors, acts = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tracks = []
    for number in range(actors):
        start, length = (
            int(rng.integers(0, 10)),
            int(rng.choice([40, 40, 25, 3, 0] if number else [40])),
        )
        kept_T = np.setdiff1d(np.arange(length), rng.integers(0, 80, 4))
        tracks.append(track(3 * number, 0, draw(boxes(length))[kept_T], (start + kept_T).tolist()))
    activities = []
    for number in range(acts):
        start, length = int(rng.integers(0, 30)), int(rng.integers(1, 40))
        cast = rng.permutation(actors)[: rng.choice([0, 1, 1, 1, 2, 2] if number else [actors])] * 3
        label = LABELS[rng.integers(0, len(LABELS))]
        activities.append(Activity(7 * number, label, start, start + length, tuple(cast.tolist())))
    return annotated(tracks, activities)
