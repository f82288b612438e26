"""Tubes of motion in real surveillance video."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np

from tinyvirat.annotations import read_annotations
from tinyvirat.recognition.proposals import ActorTube, TubeFrame, collect, open_tubes
from tinyvirat.recognition.proposals.agreement import moves
from tinyvirat.recognition.proposals.boxes import areas, intersections
from tinyvirat.video import open_video

VIRAT = "VIRAT_S_010005_04_000299_000323"


def tubes_in(video: Path, frames: int) -> tuple[tuple[ActorTube, ...], float]:
    with open_video(video, threads=1) as reader:
        info = reader.info
        source = open_tubes("motion", info.width, info.height, float(info.fps))
        found: list[TubeFrame] = []
        for frame in islice(reader, frames):
            found += source.update(frame)
        return collect([*found, *source.finish()]), float(info.fps)


def test_whoever_moves_in_the_virat_clip_is_in_a_tube(shared: Path) -> None:
    """The annotators drew whole people, also behind walls and trees; tubes are what is seen."""
    tubes, fps = tubes_in(shared / "data" / "virat" / f"{VIRAT}.mp4", 493)
    tracks = read_annotations(shared / "data" / "virat" / "annotations", clip=VIRAT).tracks
    found = 0
    people = [track for track in tracks if track.type == "person" and moves(track, fps)]
    for track in people:
        covered = set()
        for tube in tubes:
            frames, i, j = np.intersect1d(track.frames_T, tube.frames_T, return_indices=True)
            for frame, true_4, box_4 in zip(
                frames.tolist(), track.boxes_T4[i], tube.boxes_T4[j], strict=True
            ):
                if intersections(true_4[None], box_4[None])[0, 0] >= 0.6 * areas(box_4[None])[0]:
                    covered.add(frame)
        found += len(covered) >= 0.5 * len(track.frames_T)
    assert len(people) == 6
    assert found >= 5


def test_people_on_the_square_are_followed_for_long(shared: Path) -> None:
    tubes, _ = tubes_in(shared / "data" / "surveillance" / "vtest.avi", 250)
    people = [tube for tube in tubes if (tube.boxes_T4[:, 3] - tube.boxes_T4[:, 1]).mean() > 25]
    assert 10 <= len(people) <= 18
    assert len(tubes) - len(people) <= 5
    assert np.median([len(tube.frames_T) for tube in people]) >= 60
