"""What cannot be used is told, and the rest is built; what nothing can be made of is an error."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.annotations import AnnotationError
from tinyvirat.annotations.kpf import write_kpf
from tinyvirat.annotations.virat_text import write_virat
from tinyvirat.datasets.build import cut as cutting
from tinyvirat.datasets.build.records import BuildError, CutJob, CutVideo
from tinyvirat.datasets.build.run import plan_build
from tinyvirat.datasets.build.workers import Crashed
from tinyvirat.datasets.tubes import RulesError, read_rules
from tinyvirat.video import VideoError, open_video, read_clip, write_video

from .conftest import RULES, Here, Source, built
from .test_round_trip import with_events


@pytest.fixture
def videos(source: Source, tmp_path: Path) -> Path:
    """The videos, to be changed at will."""
    return Path(shutil.copytree(source.videos, tmp_path / "videos"))


def report_of(out: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((out / "report.json").read_text())
    return found


def shortened(path: Path, frames: int) -> None:
    """The first frames of a video, under its name."""
    clip = read_clip(path)
    write_video(path, clip.frames_THWC[:frames], clip.fps)


def test_unreadable_videos_are_reported_and_the_others_built(
    source: Source, videos: Path, tmp_path: Path
) -> None:
    broken, good, empty = sorted(videos.iterdir())
    broken.write_bytes(b"no video" * 1000)
    empty.write_bytes(b"")
    done = built(videos, source.kpf, tmp_path / "set")
    assert {record.source for record in done.records} == {good.stem}
    assert [(one.kind, one.video) for one in done.troubles] == [
        ("unreadable", broken.stem),
        ("unreadable", empty.stem),
    ]
    report = report_of(tmp_path / "set")
    assert report["videos"] == 3 and report["clips"] == len(done.records)
    assert [one["video"] for one in report["troubles"]] == [broken.stem, empty.stem]
    assert "cannot be read as a video" in report["troubles"][0]["detail"]


def test_a_video_that_ends_early_loses_the_clips_behind_its_end(
    source: Source, videos: Path, tmp_path: Path
) -> None:
    short = sorted(videos.iterdir())[1]
    whole = built(source.videos, source.kpf, tmp_path / "whole")
    shortened(short, 36)
    done = built(videos, source.kpf, tmp_path / "set")
    with open_video(short) as video:
        assert video.count() == 36
    lost = [
        record
        for record in whole.records
        if record.source == short.stem and record.extra["span"][1] > 36
    ]
    assert [record.id for record in done.records] == [
        record.id for record in whole.records if record not in lost
    ]
    (trouble,) = done.troubles
    assert (trouble.kind, trouble.video) == ("shorter than annotated", short.stem)
    assert trouble.clips == len(lost) == 3 == report_of(tmp_path / "set")["clips_lost"]
    assert "has 36 frames; its annotations go to frame 47" in trouble.detail
    # Numbers stay what they are: the clips that are left keep their names.
    assert {record.path for record in done.records} < {record.path for record in whole.records}


def test_a_header_that_promises_more_frames_is_not_believed(
    source: Source, videos: Path, tmp_path: Path
) -> None:
    cut_off = sorted(videos.iterdir())[0]
    data = cut_off.read_bytes()
    with open_video(cut_off) as video:
        assert video.info.header_frames == 48
    cut_off.write_bytes(data[: len(data) * 3 // 5])  # the index is at the front
    done = built(videos, source.kpf, tmp_path / "set")
    assert {one.kind for one in done.troubles} == {"shorter than annotated"}
    assert sum(record.source == cut_off.stem for record in done.records) == 3


def test_what_has_no_counterpart_is_reported(source: Source, videos: Path, tmp_path: Path) -> None:
    kpf = Path(shutil.copytree(source.kpf, tmp_path / "kpf"))
    first, second, third = sorted(videos.iterdir())
    first.unlink()
    for path in kpf.glob(f"{second.stem}*"):
        path.unlink()
    done = built(videos, kpf, tmp_path / "set")
    assert [(one.kind, one.video) for one in done.troubles] == [
        ("annotation without video", first.stem),
        ("video without annotation", second.stem),
    ]
    assert {record.source for record in done.records} == {third.stem}


def test_malformed_records_end_the_build_or_are_counted(source: Source, tmp_path: Path) -> None:
    for truth in source.truth.values():
        objects, *_ = write_virat(tmp_path / "text", with_events(truth))
    objects.write_text("1 2 3\n" + objects.read_text())
    with pytest.raises(AnnotationError, match=r"objects\.txt, line 1: 3 columns"):
        built(source.videos, tmp_path / "text", tmp_path / "set")
    assert not (tmp_path / "set").exists()
    done = built(source.videos, tmp_path / "text", tmp_path / "set", lenient=True)
    assert [one.kind for one in done.troubles] == ["annotation"]
    assert "1 malformed records were left out, the first: " in done.troubles[0].detail


def test_classes_that_became_rare_are_named(source: Source, videos: Path, tmp_path: Path) -> None:
    shortened(sorted(videos.iterdir())[0], 36)
    rules = read_rules(None, ["select.min_samples=6", "cut.longest=32"])
    done = built(videos, source.kpf, tmp_path / "set", rules)
    rare = [one.detail for one in done.troubles if one.kind == "class below min_samples"]
    assert len(rare) == 3
    assert "'Talking' has 5 clips and should have 6" in rare[0]


def test_what_was_cut_before_a_video_broke_is_removed(
    source: Source, videos: Path, tmp_path: Path
) -> None:
    assert built(videos, source.kpf, tmp_path / "set").cut == 3
    broken = sorted(videos.iterdir())[0]
    broken.write_bytes(b"no video")
    built(videos, source.kpf, tmp_path / "set")
    assert not list((tmp_path / "set").glob(f"videos/*/{broken.stem}"))


def test_nothing_readable_is_an_error(source: Source, videos: Path, tmp_path: Path) -> None:
    for path in videos.iterdir():
        path.write_bytes(b"no video")
    with pytest.raises(BuildError, match="none of its 3 annotated videos can be read; the first"):
        built(videos, source.kpf, tmp_path / "set")


def test_no_clip_that_could_be_cut_is_an_error_with_a_report(
    source: Source, videos: Path, tmp_path: Path
) -> None:
    for path in videos.iterdir():
        shortened(path, 3)
    with pytest.raises(BuildError, match=r"no clip could be cut; report\.json there says why"):
        built(videos, source.kpf, tmp_path / "set")
    assert report_of(tmp_path / "set")["clips_lost"] == 18
    assert not (tmp_path / "set" / "manifest.jsonl").exists()


def test_min_samples_says_what_would_help(source: Source, tmp_path: Path) -> None:
    rules = read_rules(None, ["select.min_samples=100"])
    with pytest.raises(RulesError, match="--min-samples to 6 or less"):
        built(source.videos, source.kpf, tmp_path / "set", rules)


class CrashingOn(Here):
    """One video brings its process down while it is planned, or while it is cut."""

    def __init__(self, video: str, while_cutting: bool) -> None:
        self._video, self._while_cutting = video, while_cutting

    def run(self, function, jobs):  # type: ignore[no-untyped-def]
        for number, job in enumerate(jobs):
            cutting_now = isinstance(job, CutJob)
            name = job.video if cutting_now else job.files.clip
            if name == self._video and cutting_now == self._while_cutting:
                yield number, Crashed("the decoder crashed")
            else:
                yield number, function(job)


@pytest.mark.parametrize("while_cutting", [False, True])
def test_a_video_that_crashes_the_decoder_is_unreadable(
    source: Source, tmp_path: Path, while_cutting: bool
) -> None:
    bad = sorted(source.truth)[0]
    done = built(source.videos, source.kpf, tmp_path / "set",
                 workers=CrashingOn(bad, while_cutting))  # fmt: skip
    assert [(one.kind, one.video, one.detail) for one in done.troubles] == [
        ("unreadable", bad, "the decoder crashed")
    ]
    assert done.troubles[0].clips == (6 if while_cutting else 0)
    assert len({record.source for record in done.records}) == 2


def test_a_video_that_breaks_midway_gives_no_clip(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = sorted(source.videos.iterdir())[1]
    planes = cutting.PlaneReader.__iter__

    def breaking(self: cutting.PlaneReader) -> object:
        for index, picture in planes(self):
            if self._path == bad and index == 40:
                raise VideoError(bad, "its pictures change")
            yield index, picture

    monkeypatch.setattr(cutting.PlaneReader, "__iter__", breaking)
    done = built(source.videos, source.kpf, tmp_path / "set")
    assert [(one.video, one.detail, one.clips) for one in done.troubles] == [
        (bad.stem, "after 40 frames: its pictures change", 6)
    ]
    assert not list((tmp_path / "set").glob(f"videos/*/{bad.stem}"))


def test_no_room_to_write_ends_the_build(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, clip: object) -> None:
        raise VideoError(Path("clip.mp4"), "cannot be written: no space left on device")

    monkeypatch.setattr(cutting.VideoWriter, "write_planes", full)
    with pytest.raises(VideoError, match="no space left"):
        built(source.videos, source.kpf, tmp_path / "set")
    assert not list((tmp_path / "set").rglob("*.mp4"))


def test_a_rate_that_no_camera_has_is_reported(
    source: Source, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "FASTEST", Fraction(20))
    with pytest.raises(BuildError, match="no clip could be cut"):
        built(videos, source.kpf, tmp_path / "set")
    first = report_of(tmp_path / "set")["troubles"][0]
    assert "says that it has 29.97" in first["detail"]


@pytest.mark.parametrize(
    ("break_it", "error"),
    [
        (lambda root: shutil.rmtree(root / "videos"), "there is no such folder of videos"),
        (lambda root: [p.unlink() for p in (root / "videos").iterdir()], "no video file in it"),
        (lambda root: [p.unlink() for p in (root / "kpf").iterdir()], "no annotations in it"),
        (
            lambda root: [p.rename(p.with_stem(f"x{p.stem}")) for p in (root / "videos").iterdir()],
            "none of its videos has annotations",
        ),
        (
            lambda root: shutil.copytree(root / "kpf", root / "kpf" / "again"),
            "is annotated twice",
        ),
        (
            lambda root: next((root / "videos").iterdir()).rename(root / "videos" / "a\nb.mp4"),
            "is no name for a data set",
        ),
        (lambda root: (root / "set").write_text("mine"), "is a file"),
        (
            lambda root: ((root / "set").mkdir(), (root / "set" / "mine.txt").write_text("mine")),
            "holds something that is no build",
        ),
    ],
)
def test_what_cannot_be_built_from_or_into_is_an_error(
    source: Source, videos: Path, tmp_path: Path, break_it: object, error: str
) -> None:
    shutil.copytree(source.kpf, tmp_path / "kpf")
    break_it(tmp_path)  # type: ignore[operator]
    with pytest.raises(BuildError, match=error):
        built(videos, tmp_path / "kpf", tmp_path / "set")


def test_a_format_can_be_chosen(source: Source, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for truth in source.truth.values():
        write_kpf(both, truth)
        write_virat(both, with_events(truth))
    with pytest.raises(BuildError, match=r"annotated twice.*--format"):
        plan_build(both, None, RULES, Here())
    plan = plan_build(both, None, RULES, Here(), format="virat")
    assert {label for clip in plan.clips for label in clip.tube.labels} == {
        "run",
        "carry",
        "gesture",
    }


def test_a_job_s_result_does_not_depend_on_threads(source: Source, tmp_path: Path) -> None:
    first = built(source.videos, source.kpf, tmp_path / "one", threads=1)
    second = built(source.videos, source.kpf, tmp_path / "three", threads=3)
    assert first.records == second.records
    for record in first.records:
        assert (tmp_path / "one" / record.path).read_bytes() == (
            tmp_path / "three" / record.path
        ).read_bytes()


def test_progress_counts_every_frame(source: Source, tmp_path: Path) -> None:
    told: list[int] = []
    plan = plan_build(source.kpf, source.videos, RULES, Here())
    job = CutJob("a", next(source.videos.iterdir()), tmp_path, "videos/train/a", (), 60, "")
    cutting.work_folder(tmp_path).mkdir(parents=True)
    (tmp_path / ".build" / "cut").mkdir()
    cut = cutting.cut_video(job, tick=told.append)
    assert isinstance(cut, CutVideo) and cut.frames == 48 == sum(told)
    assert len(plan.clips) == 18 and np.all(np.array(told[:-1]) == cutting.FRAMES_A_TICK)
