"""The real annotations: every file reads, and the one with broken lines says which they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinyvirat.annotations import (
    AnnotationError,
    find_annotations,
    list_annotations,
    match_videos,
    read_annotations,
)
from tinyvirat.annotations.kpf import write_kpf
from tinyvirat.annotations.virat_text import write_virat

BROKEN = "VIRAT_S_000206_09_001714_001851"
BROKEN_LINES = [8369, 17705, 18190, 18337, 18471]


@pytest.fixture(scope="module")
def virat(shared: Path) -> Path:
    return shared / "data" / "virat"


def test_every_virat_text_file_reads_but_for_the_broken_lines(virat: Path) -> None:
    listed = list_annotations(virat / "annotations")
    assert len(listed) == 30
    assert sum(len(each.files) for each in listed) == 90
    boxes = activities = 0
    for each in listed:
        read = read_annotations(each, lenient=each.clip == BROKEN)
        boxes += sum(len(track.frames_T) for track in read.tracks)
        activities += len(read.activities)
        assert [problem.line for problem in read.problems] == (
            BROKEN_LINES if each.clip == BROKEN else []
        )
    # Counted with other tools: lines of eight columns, and lines of the mappings.
    assert boxes == 301_396
    assert activities == 165


def test_the_broken_file_is_an_error_that_names_the_line(virat: Path) -> None:
    with pytest.raises(AnnotationError) as raised:
        read_annotations(find_annotations(virat, BROKEN))
    assert f"{BROKEN}.viratdata.objects.txt, line 8369: 377 columns" in str(raised.value)


def test_every_kpf_sequence_reads_and_its_boxes_fill_its_activities(virat: Path) -> None:
    listed = list_annotations(virat / "kpf")
    assert len(listed) == 59
    assert sum(len(each.files) for each in listed) == 177
    boxes = activities = located = 0
    for each in listed:
        read = read_annotations(each)
        activities += len(read.activities)
        for activity in read.activities:
            (actor,) = activity.actors
            frames_T = read.track_of[actor].frames_T
            boxes += len(frames_T)
            if len(frames_T):
                located += 1
                # Both ends of a span belong to it, which makes it half-open here.
                np.testing.assert_array_equal(frames_T, np.arange(activity.start, activity.stop))
    assert (boxes, activities, located) == (5510, 1092, 59)


def test_the_clip_with_a_video_is_matched_and_the_others_are_told(virat: Path) -> None:
    matching = match_videos(list_annotations(virat), virat.glob("*.mp4"))
    assert [files.clip for files, _ in matching.pairs] == ["VIRAT_S_010005_04_000299_000323"]
    assert len(matching.without_video) == 29 + 59
    assert matching.without_annotations == ()


def test_real_annotations_go_round(virat: Path, tmp_path: Path) -> None:
    files = find_annotations(virat, "VIRAT_S_010005_04_000299_000323")
    read = read_annotations(files)
    write_virat(tmp_path / "virat", read)
    write_kpf(tmp_path / "kpf", read)
    written = {path.name.split(".")[2]: path for path in (tmp_path / "virat").iterdir()}
    for kind in ("objects", "mapping"):
        original = files.by_kind[kind].read_text().split()
        assert written[kind].read_text().split() == original
    for again in (read_annotations(tmp_path / "virat"), read_annotations(tmp_path / "kpf")):
        assert again.activities == read.activities
        for mine, theirs in zip(read.tracks, again.tracks, strict=True):
            assert (mine.id, mine.type) == (theirs.id, theirs.type)
            np.testing.assert_array_equal(mine.frames_T, theirs.frames_T)
            np.testing.assert_array_equal(mine.boxes_T4, theirs.boxes_T4)
