"""A rendered scene comes back: the clips' labels, windows and pixels are those of the scene."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.annotations import Annotations
from tinyvirat.annotations.virat_text import write_virat
from tinyvirat.common.pixels import crop_windows
from tinyvirat.datasets import ClipRecord, read_manifest
from tinyvirat.datasets.build.run import Built
from tinyvirat.datasets.tubes import plan_video, select
from tinyvirat.video import read_clip

from .conftest import FRAMES, RULES, Source, built

EVENTS = {"activity_walking": "run", "activity_carrying": "carry", "Talking": "gesture"}
SIZE = (192, 144)
BRIGHTNESS = np.array([0.299, 0.587, 0.114])


def with_events(truth: Annotations) -> Annotations:
    """The same with VIRAT's own names, as far as it has one."""
    named = [one for one in truth.activities if one.label in EVENTS]
    return replace(truth, activities=tuple(replace(one, label=EVENTS[one.label]) for one in named))


def spans_of(record: ClipRecord) -> tuple[int, int]:
    start, stop = record.extra["span"]
    return start, stop


def windows_of(record: ClipRecord) -> np.ndarray:
    windows_N4 = np.array(record.extra["windows"])
    return np.broadcast_to(windows_N4, (record.frames, 4))


def check_against_truth(records: tuple[ClipRecord, ...], truth: Annotations) -> None:
    """Each clip's labels hold in each of its frames, and its windows hold its actors' boxes."""
    seen = {(one.id, t) for one in truth.activities for t in range(one.start, one.stop)}
    for record in records:
        (start, stop), windows_T4 = spans_of(record), windows_of(record)
        for t in range(start, stop):
            shown = [
                one
                for one in truth.activities
                if one.start <= t < one.stop and set(one.actors) <= set(record.tracks or ())
            ]
            assert tuple(sorted({one.label for one in shown})) == record.labels
            seen -= {(one.id, t) for one in shown}
            boxes = [
                truth.track_of[actor].boxes_T4[truth.track_of[actor].frames_T == t]
                for actor in record.tracks or ()
            ]
            x1, y1, x2, y2 = windows_T4[t - start]
            for box in np.concatenate(boxes):
                assert x1 <= box[0] and y1 <= box[1] and box[2] <= x2 and box[3] <= y2
    assert not seen, "something was done that no clip shows"


def check_against_plan(
    records: tuple[ClipRecord, ...], truth: Annotations, exact: bool = True
) -> None:
    """The clips are those that the rules make of the truth itself."""
    planned = select([plan_video(truth, RULES, "train", SIZE)], RULES)
    assert len(planned) == len(records) > 0
    for clip, record in zip(planned, records, strict=True):
        assert record.id == clip.id and record.labels == clip.tube.labels
        assert spans_of(record) == (clip.tube.start, clip.tube.stop)
        assert record.tracks == clip.tube.tracks
        if exact:
            assert np.array_equal(windows_of(record), clip.windows_T4)


@pytest.mark.parametrize("number", range(3))
def test_clips_of_kpf_annotations_are_the_truth(source: Source, clean: Built, number: int) -> None:
    name, truth = sorted(source.truth.items())[number]
    records = tuple(one for one in clean.records if one.source == name)
    check_against_truth(records, truth)
    check_against_plan(records, truth)


def test_clips_of_virat_s_own_annotations_are_the_truth(source: Source, tmp_path: Path) -> None:
    texts = {name: with_events(truth) for name, truth in source.truth.items()}
    for text in texts.values():
        write_virat(tmp_path / "text", text)
    records = built(source.videos, tmp_path / "text", tmp_path / "set").records
    assert {label for one in records for label in one.labels} == set(EVENTS.values())
    for name, text in texts.items():
        of_it = tuple(one for one in records if one.source == name)
        check_against_truth(of_it, text)
        # Text annotations are in whole pixels.
        check_against_plan(of_it, text, exact=False)


def error(
    clip_TSSC: np.ndarray, record: ClipRecord, video_THWC: torch.Tensor, frames: int, x: int, y: int
) -> float:
    """Mean square error of brightness against the source, so many frames later and pixels aside."""
    start, stop = spans_of(record)
    moved_T4 = windows_of(record) + np.array([x, y, x, y])
    there_THWC = video_THWC[np.arange(start, stop) + frames]
    difference_TSSC = clip_TSSC - crop_windows(there_THWC, moved_T4).numpy()
    # At odd places colours lie between two stored samples, as in any crop that is stored again.
    assert np.abs(difference_TSSC.mean(axis=(1, 2))).max() < 2 or (frames, x, y) != (0, 0, 0)
    return float(np.mean((difference_TSSC @ BRIGHTNESS) ** 2))


def test_clips_show_what_the_source_shows_there(source: Source, clean: Built) -> None:
    manifest = read_manifest(clean.manifest)
    for record in manifest.records:
        clip = read_clip(manifest.file(record)).frames_THWC.astype(float)
        path = source.videos / str(record.extra["video"])
        video = torch.from_numpy(read_clip(path).frames_THWC)
        here = error(clip, record, video, 0, 0, 0)
        assert 10 * np.log10(255**2 / here) > 43
        aside = [error(clip, record, video, 0, *by) for by in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        assert here < 0.2 * min(aside)
        if spans_of(record)[1] < FRAMES:
            assert here < 0.9 * error(clip, record, video, 1, 0, 0)


def test_the_manifest_tells_of_each_clip_what_it_is_and_where_it_is_from(
    source: Source, clean: Built
) -> None:
    manifest = read_manifest(clean.manifest)
    assert manifest.records == clean.records
    for record in manifest.records:
        clip = read_clip(manifest.file(record))
        assert clip.frames_THWC.shape == (record.frames, record.height, record.width, 3)
        assert record.height == record.width and record.width % 2 == 0
        assert clip.fps == record.fps == Fraction(30000, 1001)
        start, stop = spans_of(record)
        assert 0 <= start < stop <= FRAMES and stop - start == record.frames
        assert record.extra["video"] == f"{record.source}.mp4"
        assert record.extra["frame"] == list(SIZE)
        assert record.extra["rules"] == RULES.digest
        assert set(record.extra["rule_versions"]) >= {"merge", "crop"}
        assert record.extra["activities"]
    assert manifest.labels == tuple(
        label for label in ("activity_carrying", "Talking", "activity_walking", "activity_standing")
    )


def test_the_real_clip_builds_and_every_annotated_box_is_in_its_window(
    shared: Path, tmp_path: Path
) -> None:
    name = "VIRAT_S_010005_04_000299_000323"
    done = built(shared / "data" / "virat", shared / "data" / "virat" / "annotations",
                 tmp_path / "set", lenient=True)  # fmt: skip
    assert len(done.records) >= 2 and done.cut == 1
    assert {one.kind for one in done.troubles} == {"annotation without video"}
    assert sum(one.kind == "annotation without video" for one in done.troubles) == 29
    rows = np.loadtxt(
        shared / "data" / "virat" / "annotations" / f"{name}.viratdata.objects.txt", dtype=int
    )
    held = 0
    for record in done.records:
        (start, stop), windows_T4 = spans_of(record), windows_of(record)
        assert read_clip(done.manifest.parent / record.path).frames_THWC.std() > 10
        for number, _, t, x, y, w, h, _ in rows:
            if number in (record.tracks or ()) and start <= t < stop:
                x1, y1, x2, y2 = windows_T4[t - start]
                assert x1 <= x and y1 <= y and x + w <= x2 and y + h <= y2
                held += 1
    assert held > 200
