"""Every kind of problem is found where it was planted, and none where there is none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from tinyvirat.cli.check import Kind
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.pixels import crop_windows
from tinyvirat.datasets import ClipRecord
from tinyvirat.datasets.health import check as check_module
from tinyvirat.datasets.health.check import CheckOptions, check
from tinyvirat.datasets.health.facts import View, unreadable
from tinyvirat.datasets.health.measure import measure_file
from tinyvirat.datasets.health.memory import Memory
from tinyvirat.datasets.health.pool import CRASHED, Job, measured
from tinyvirat.datasets.health.problems import DEFAULT_QUARANTINE, KINDS
from tinyvirat.video import read_clip, write_video

from .planted import FRAMES, HEIGHT, PLANTED, WIDTH, moving, opened, write, written

Clips = tuple[Path, list[ClipRecord]]
QUICK = CheckOptions(permutations=0)


def kinds_found(manifest: Path, options: CheckOptions = QUICK) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in check(opened(manifest), options, workers=0).report.problems:
        found.setdefault(problem.id, []).append(problem.kind)
    return found


def test_a_healthy_set_is_healthy(clips: Clips) -> None:
    checked = check(opened(written(*clips)), CheckOptions(near=2), workers=0)
    report = checked.report
    assert report.healthy
    assert (report.problems, report.given_away, report.counts) == ((), (), {})
    assert report.clips == report.files == len(clips[1])
    assert report.frames == sum(record.frames for record in clips[1])
    assert report.giveaways is not None
    assert len(report.giveaways.found) == 2


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_and_nothing_else(clips: Clips, name: str) -> None:
    plant, expected = PLANTED[name]
    plant(*clips)
    assert kinds_found(written(*clips)) == expected


def test_every_kind_is_planted_and_known_to_the_command_line() -> None:
    planted = {kind for _, found in PLANTED.values() for kinds in found.values() for kind in kinds}
    assert planted == set(KINDS) - {"near-duplicate", "near-leak"}
    assert set(get_args(Kind)) == set(KINDS) | {"none"}
    assert set(DEFAULT_QUARANTINE) < set(KINDS)


def test_several_problems_of_one_clip_stand_worst_first(clips: Clips) -> None:
    for name in ("short", "another rate", "another size"):
        PLANTED[name][0](*clips)
    assert kinds_found(written(*clips)) == {"clip03": ["size", "short", "rate"]}


def test_windows_and_strides_decide_what_is_short(clips: Clips) -> None:
    manifest = written(*clips)
    assert kinds_found(manifest, replace(QUICK, window=20)) == {}
    everyone = kinds_found(manifest, replace(QUICK, window=16, stride=2))
    assert everyone == {record.id: ["short"] for record in clips[1]}


def test_rounded_rates_are_the_same(clips: Clips) -> None:
    folder, records = clips
    records[3] = replace(records[3], fps=records[3].fps * 1000 / 1001)
    assert kinds_found(written(folder, records)) == {}


def test_labels_that_differ_between_copies_are_told(clips: Clips) -> None:
    folder, records = clips
    PLANTED["a copy in its split"][0](folder, records)
    records[-1] = replace(records[-1], labels=("run", "walk"))
    (problem,) = check(opened(written(folder, records)), QUICK, workers=0).report.problems
    assert problem.other == "clip03"
    assert "labels differ: run, walk against walk" in problem.detail


@pytest.mark.parametrize("splits", [("train", "val"), ("val", "test"), ("train", "test")])
def test_of_a_leak_the_copy_to_learn_from_goes(clips: Clips, splits: tuple[str, str]) -> None:
    folder, records = clips
    PLANTED["a copy in its split"][0](folder, records)
    for order in (splits, splits[::-1]):
        records[3] = replace(records[3], split=order[0], source="one")
        records[-1] = replace(records[-1], split=order[1], source="other")
        loser = "clip03" if order == splits else "copy"
        assert kinds_found(written(folder, records)) == {loser: ["leak"]}


def test_nearly_the_same_is_found_when_asked_for(clips: Clips) -> None:
    folder, records = clips
    rng = np.random.default_rng(0)
    cells = rng.permuted(np.arange(0, 216, 3, dtype=np.uint8)).reshape(1, 8, 9, 1)
    large = np.tile(cells.repeat(8, 1).repeat(8, 2), (FRAMES, 1, 1, 3))
    large[:, :, 8:12] = np.arange(FRAMES, dtype=np.uint8)[:, None, None, None] * 8
    write_video(folder / "large.mp4", large, records[3].fps, crf=30)
    small = large[:, ::2, ::2]
    write(folder, records, 3, small)
    height, width = large.shape[1:3]
    changes = {"id": "large", "path": "large.mp4", "height": height, "width": width}
    records.append(replace(records[3], **changes))
    manifest = written(folder, records)
    assert kinds_found(manifest) == {}
    assert kinds_found(manifest, replace(QUICK, near=12)) == {"large": ["near-duplicate"]}
    # A third one in another split counts more, however near the second is.
    third = np.roll(small, 1, axis=2)
    write_video(folder / "third.mp4", third, records[3].fps)
    records[-1] = replace(records[-1], split="val", source="large")
    third_record = replace(records[3], id="third", path="third.mp4", source="third")
    manifest = written(folder, [*records, third_record])
    found = check(opened(manifest), replace(QUICK, near=40), workers=0).report.problems
    near = {problem.id: problem for problem in found if "clip0" not in (problem.other or "")}
    assert {problem.kind for problem in near.values()} == {"near-leak"}
    assert {clip: problem.other for clip, problem in near.items()} == {
        "clip03": "large",
        "third": "large",
    }
    assert "bits from 'large', which is in val; this one is in train" in near["third"].detail


def test_clips_of_one_file_are_measured_by_span_and_window(clips: Clips) -> None:
    """Equal content exactly where the same part of the same frames is shown."""
    folder, records = clips
    base = replace(records[3], frames=FRAMES, height=48, width=64, source="long")
    still_THWC = np.tile(moving(1, 48, 64, 5), (FRAMES, 1, 1, 1))
    frames_THWC = still_THWC.copy()
    frames_THWC[:, :24] = moving(FRAMES, 24, 64, 6)
    write_video(folder / base.path, frames_THWC, base.fps)
    box, lower = (3, 2, 19, 18), (3, 30, 19, 46)
    moved = ((0, 0, 16, 16), *[(3, 2, 19, 18)] * (FRAMES - 1))
    records[3:4] = [
        replace(base, id="whole"),
        replace(base, id="first", start=0, stop=16),
        replace(base, id="window", windows=(box,)),
        replace(base, id="same", windows=(box,) * FRAMES),
        replace(base, id="moved", windows=moved),
        replace(base, id="still", windows=(lower,)),
        replace(base, id="outside", windows=((-4, 2, 12, 18),)),
    ]
    found = kinds_found(written(folder, records))
    assert found == {"same": ["duplicate"], "still": ["frozen"]}


def test_the_size_of_a_cut_clip_is_its_window_s(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = clips
    seen: dict[str, Sequence[float]] = {}
    monkeypatch.setattr(check_module, "giveaways", lambda found, *_, **__: seen.update(found))
    growing = tuple((0, 0, 10 + t, 10 + t) for t in range(16))
    records[3] = replace(records[3], start=2, stop=18, windows=growing)
    check(opened(written(folder, records)), workers=0)
    assert seen["height"] == [24.0] * 3 + [25.0] + [24.0] * 8
    assert (seen["width"][2], seen["width"][3]) == (34.0, 25.0)
    assert (seen["frames"][2], seen["frames"][3]) == (21.0, 16.0)
    assert set(seen["frame rate"]) == {25.0}


def test_what_is_measured_is_what_is_loaded(tmp_path: Path) -> None:
    """Two windows have the same content if and only if they load the same frames."""
    file = tmp_path / "a.mp4"
    frames_THWC = moving(8, HEIGHT, WIDTH, 1)
    frames_THWC[:, :, :8] = frames_THWC[:, :, 8:16] = 50
    columns = np.array([30, 90, 150, 210], np.uint8)[None, None, :, None]
    frames_THWC[:, 12:, :4] = frames_THWC[:, 12:, -4:] = columns
    write_video(file, frames_THWC, 25, crf=0)
    flat, same, other = (0, 0, 8, 8), (8, 0, 16, 8), (16, 0, 24, 8)
    every = [
        (flat,),
        (same,),
        (other,),
        ((0, 0, 7, 7),),
        (flat, same) * 4,
        (flat, other) * 4,
        (flat, *[other] * 7),
        # The same columns at both edges, which are repeated outwards.
        ((-4, 13, 4, 21),),
        ((WIDTH - 4, 13, WIDTH + 4, 21),),
    ]
    facts = measure_file(file, [View(0, 8, windows) for windows in every])
    contents = [clip.content for clip in facts.clips]
    clip_THWC = torch.from_numpy(read_clip(file).frames_THWC)
    cuts = [crop_windows(clip_THWC, np.array(windows)) for windows in every]
    for n, cut in enumerate(cuts):
        for m, another in enumerate(cuts):
            assert (contents[n] == contents[m]) == torch.equal(cut, another), (n, m)
    assert len(set(contents)) == 7


def test_processes_find_what_one_finds(clips: Clips) -> None:
    PLANTED["cut off"][0](*clips)
    PLANTED["a copy in its split"][0](*clips)
    manifest = opened(written(*clips))
    folder = clips[0].parent
    here = check(manifest, QUICK, workers=0, memory=folder / "a")
    there = check(manifest, QUICK, workers=2, memory=folder / "b")
    assert here == there
    assert here.report.counts == {"unreadable": 2}  # the copy is one of the damaged file


class Crash:
    """Ends the process that receives it."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.abort, ()


def test_a_file_that_ends_its_process_is_unreadable_and_the_others_are_not(clips: Clips) -> None:
    folder, records = clips
    jobs = [Job(folder / record.path, (View(0, 4, None),)) for record in records[:3]]
    jobs.insert(1, Job(folder / "crash.mp4", (Crash(),)))  # type: ignore[arg-type]
    found = {job.file.name: facts for job, facts in measured(jobs, 2)}
    assert found.pop("crash.mp4") == unreadable(CRASHED, 1)
    assert {name: facts.trouble for name, facts in found.items()} == dict.fromkeys(
        ("clip00.mp4", "clip01.mp4", "clip02.mp4")
    )
    assert [facts.clips[0].frames for facts in found.values()] == [4, 4, 4]


def counted(monkeypatch: pytest.MonkeyPatch, most: int | None = None) -> list[Path]:
    """Lists the files that are measured from now on; ends it all before one more than `most`."""
    seen: list[Path] = []

    def counting(jobs: Sequence[Job], workers: int) -> object:
        for job, facts in measured(jobs, workers):
            if len(seen) == most:
                raise KeyboardInterrupt
            seen.append(job.file)
            yield job, facts

    monkeypatch.setattr(check_module, "measured", counting)
    return seen


def test_what_was_measured_is_not_measured_again(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = clips
    PLANTED["cut off"][0](folder, records)
    manifest = opened(written(folder, records))
    seen = counted(monkeypatch)
    first = check(manifest, QUICK, workers=0)
    assert len(seen) == len(records)
    seen.clear()
    assert check(manifest, QUICK, workers=0) == first
    assert seen == []
    write_video(folder / records[5].path, moving(FRAMES, HEIGHT, WIDTH, 99), 25)
    os.utime(folder / records[7].path, ns=(1, 1))
    check(manifest, QUICK, workers=0)
    assert sorted(path.name for path in seen) == ["clip05.mp4", "clip07.mp4"]


def test_another_span_of_the_same_file_is_measured(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = clips
    check(opened(written(folder, records)), QUICK, workers=0)
    records[2] = replace(records[2], start=1)
    seen = counted(monkeypatch)
    check(opened(written(folder, records)), QUICK, workers=0)
    assert [path.name for path in seen] == ["clip02.mp4"]


def test_a_stopped_check_goes_on(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = opened(written(*clips))
    seen = counted(monkeypatch, most=5)
    with pytest.raises(KeyboardInterrupt):
        check(manifest, QUICK, workers=0)
    memory = Memory(manifest.path).path
    assert len(memory.read_text().splitlines()) == 5
    # A line that was cut off by the end, and one that is no facts.
    memory.write_text(memory.read_text()[:-9] + '\n[1]\n{"key": "a", "facts": {}}\n')
    later = counted(monkeypatch)
    check(manifest, QUICK, workers=0)
    assert len(later) == len(clips[1]) - 4
    assert set(later) | set(seen) == {manifest.file(record) for record in clips[1]}


def test_facts_that_cannot_be_kept_are_told(clips: Clips) -> None:
    (clips[0] / "file").write_text("")
    with pytest.raises(TinyviratError, match=r"cannot be kept .*TINYVIRAT_CACHE"):
        check(opened(written(*clips)), QUICK, workers=0, memory=clips[0] / "file" / "x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window is 0; use 1 or more"),
        ({"stride": 0}, "stride is 0"),
        ({"permutations": -1}, "permutations is -1"),
        ({"near": 65}, "near is 65; use 0 to 64"),
    ],
)
def test_options_out_of_range_are_told(options: dict[str, int], message: str) -> None:
    with pytest.raises(TinyviratError, match=message):
        CheckOptions(**options)  # type: ignore[arg-type]
