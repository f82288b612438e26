"""The same data set to the byte: again, by several processes, on Ray, and after being killed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tinyvirat.annotations.kpf import write_kpf
from tinyvirat.datasets.build import cut as cutting
from tinyvirat.datasets.build.records import BuildError
from tinyvirat.datasets.build.run import Built
from tinyvirat.datasets.build.state import HIDDEN, work_folder
from tinyvirat.datasets.build.workers import Processes, RayCluster
from tinyvirat.datasets.tubes import read_rules

from .conftest import RULES, Here, Source, built, bytes_of


def rebuilt(source: Source, out: Path) -> int:
    """Builds into a folder, perhaps of a build before; how many videos were cut."""
    return built(source.videos, source.kpf, out).cut


def copy_of(clean: Built, folder: Path) -> Path:
    shutil.copytree(clean.manifest.parent, folder / "set")
    return folder / "set"


def test_again_is_the_same(source: Source, clean: Built, tmp_path: Path) -> None:
    before = bytes_of(clean.manifest.parent)
    assert len(before) > 20 and "manifest.jsonl" in before
    rebuilt(source, tmp_path / "set")
    assert bytes_of(tmp_path / "set") == before


def test_several_processes_give_the_same(source: Source, clean: Built, tmp_path: Path) -> None:
    done = built(source.videos, source.kpf, tmp_path / "set", workers=Processes(2), threads=2)
    assert bytes_of(tmp_path / "set") == bytes_of(clean.manifest.parent)
    assert done.records == clean.records


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_ray_cluster_gives_the_same(source: Source, clean: Built, tmp_path: Path) -> None:
    import ray

    try:
        built(source.videos, source.kpf, tmp_path / "set", workers=RayCluster("local"))
    finally:
        ray.shutdown()
    assert bytes_of(tmp_path / "set") == bytes_of(clean.manifest.parent)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "auto", "1:2:3"])
def test_a_cluster_that_is_not_there_is_an_error(address: str) -> None:
    # In a process of its own: one whose cluster does not answer may be ended by Ray a minute later.
    code = (
        "import sys\n"
        "from tinyvirat.datasets.build.records import BuildError\n"
        "from tinyvirat.datasets.build.workers import RayCluster\n"
        "try:\n    RayCluster(sys.argv[1])\n"
        "except BuildError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", code, address]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert f"no Ray cluster at '{address}'" in said


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BuildError, match=r"tinyvirat\[ray\]"):
        RayCluster("auto")


def test_a_finished_build_is_left_as_it_is(source: Source, clean: Built, tmp_path: Path) -> None:
    out = copy_of(clean, tmp_path)
    clips = {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")}
    assert rebuilt(source, out) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")} == clips
    assert bytes_of(out) == bytes_of(clean.manifest.parent)


def lose_the_note(out: Path, note: Path) -> None:
    note.unlink()


def lose_the_note_and_a_clip(out: Path, note: Path) -> None:
    note.unlink()
    next(out.glob(f"videos/*/{note.stem}/*.mp4")).unlink()


def half_a_clip(out: Path, note: Path) -> None:
    clip = next(out.glob(f"videos/*/{note.stem}/*.mp4"))
    clip.write_bytes(clip.read_bytes()[:-1])


def no_clip(out: Path, note: Path) -> None:
    next(out.glob(f"videos/*/{note.stem}/*.mp4")).unlink()


def half_a_note(out: Path, note: Path) -> None:
    note.write_bytes(note.read_bytes()[:-20])


def other_note(out: Path, note: Path) -> None:
    note.write_text(json.dumps(json.loads(note.read_text()) | {"fingerprint": "0"}))


def half_written_clips(out: Path, note: Path) -> None:
    note.unlink()
    shutil.rmtree(next(out.glob(f"videos/*/{note.stem}")))
    (work_folder(out) / "left" / "deep").mkdir(parents=True)
    (work_folder(out) / "left" / "00000.mp4").write_bytes(b"half")


@pytest.mark.parametrize(
    "damage",
    [
        lose_the_note,
        lose_the_note_and_a_clip,
        half_a_clip,
        no_clip,
        half_a_note,
        other_note,
        half_written_clips,
    ],
)
def test_what_is_missing_is_cut_again_and_nothing_else(
    source: Source, clean: Built, tmp_path: Path, damage: object
) -> None:
    out = copy_of(clean, tmp_path)
    note = sorted((out / HIDDEN / "cut").glob("*.json"))[1]
    (out / "manifest.jsonl").unlink()
    damage(out, note)  # type: ignore[operator]
    assert rebuilt(source, out) == 1
    assert bytes_of(out) == bytes_of(clean.manifest.parent)
    assert not list(work_folder(out).iterdir())


def test_a_note_cannot_have_anything_else_removed(
    source: Source, clean: Built, tmp_path: Path
) -> None:
    out = copy_of(clean, tmp_path)
    note = sorted((out / HIDDEN / "cut").glob("*.json"))[0]
    (tmp_path / "mine").mkdir()
    for folder in ("videos", ".", "../mine", "videos/train/../../../mine"):
        data = json.loads(note.read_text()) | {"folder": folder}
        note.with_stem("gone").write_text(json.dumps(data | {"video": "gone"}))
        rebuilt(source, out)
        assert (tmp_path / "mine").is_dir()
        assert bytes_of(out) == bytes_of(clean.manifest.parent)


def test_a_video_that_goes_leaves_nothing_and_one_that_comes_is_added(
    source: Source, clean: Built, tmp_path: Path
) -> None:
    out = copy_of(clean, tmp_path)
    videos = tmp_path / "videos"
    shutil.copytree(source.videos, videos)
    last = sorted(videos.iterdir())[-1]
    last.rename(tmp_path / "aside.mp4")
    fewer = built(videos, source.kpf, out)
    assert fewer.cut == 0
    assert [one.kind for one in fewer.troubles] == ["annotation without video"]
    assert not list(out.glob(f"videos/*/{last.stem}")) and len(fewer.records) == 12
    (tmp_path / "aside.mp4").rename(last)
    assert built(videos, source.kpf, out).cut == 1
    assert bytes_of(out) == bytes_of(clean.manifest.parent)


def test_a_video_that_changed_is_cut_again(source: Source, clean: Built, tmp_path: Path) -> None:
    out, videos = copy_of(clean, tmp_path), tmp_path / "videos"
    shutil.copytree(source.videos, videos)
    first, second, _ = sorted(videos.iterdir())
    shutil.copy(second, first)
    assert built(videos, source.kpf, out).cut == 1


def test_clips_of_large_pictures_do_not_wait_and_are_the_same(
    source: Source, clean: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "WAITING_BYTES", 5000)
    monkeypatch.setattr(cutting, "AHEAD_BYTES", 1)
    rebuilt(source, tmp_path / "set")
    assert bytes_of(tmp_path / "set") == bytes_of(clean.manifest.parent)


def test_each_video_is_decoded_once(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    read = cutting._Source.__iter__

    def counted(self: cutting._Source) -> object:
        yield from read(self)
        passes.append(self.frames)

    monkeypatch.setattr(cutting._Source, "__iter__", counted)
    rebuilt(source, tmp_path / "set")
    assert passes == [48, 48, 48]


def test_other_rules_or_another_layout_need_another_folder(
    source: Source, clean: Built, tmp_path: Path
) -> None:
    out = copy_of(clean, tmp_path)
    other = read_rules(None, ["select.min_samples=1", "cut.longest=50"])
    with pytest.raises(BuildError, match=r"other rules or options \(rules\)"):
        built(source.videos, source.kpf, out, other)
    with pytest.raises(BuildError, match=r"\(layout\)"):
        built(source.videos, source.kpf, out, layout="v1")
    assert bytes_of(out) == bytes_of(clean.manifest.parent)


def children_of(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except (OSError, ValueError):
            continue
    return found


def wait_until(condition: object, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.002)


def test_killed_it_resumes_and_leaves_no_process_behind(source: Source, tmp_path: Path) -> None:
    many = tmp_path / "many"
    for number in range(12):
        name, truth = sorted(source.truth.items())[number % 3]
        copy = f"VIRAT_S_0002{number:02d}_00"
        (many / "videos").mkdir(parents=True, exist_ok=True)
        os.link(source.videos / f"{name}.mp4", many / "videos" / f"{copy}.mp4")
        write_kpf(many / "kpf", replace(truth, clip=copy))
    built(many / "videos", many / "kpf", tmp_path / "whole", workers=Here())
    out = tmp_path / "killed"
    order = ["data", "build-virat", "--annotations", str(many / "kpf"), "--videos"]
    order += [str(many / "videos"), "--out", str(out), "--processes", "2", "--set"]
    order += ["select.min_samples=1", "cut.longest=32"]
    command = [sys.executable, "-m", "tinyvirat", *order]
    notes = out / HIDDEN / "cut"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        wait_until(lambda: notes.is_dir() and len(list(notes.glob("VIRAT*.json"))) >= 2)
        workers = children_of(run.pid)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert not (out / "manifest.jsonl").exists(), "it was over before it was killed"
    assert workers
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    before = len(list(notes.glob("VIRAT*.json")))
    done = built(many / "videos", many / "kpf", out)
    assert 2 <= before == 12 - done.cut < 12
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


def test_two_builds_do_not_write_to_one_folder(source: Source, tmp_path: Path) -> None:
    class Curious(Here):
        def run(self, function, jobs):  # type: ignore[no-untyped-def]
            if jobs and hasattr(jobs[0], "fingerprint"):
                with pytest.raises(BuildError, match="another build is at work there"):
                    built(source.videos, source.kpf, tmp_path / "set")
                met.append(True)
            yield from super().run(function, jobs)

    met: list[bool] = []
    built(source.videos, source.kpf, tmp_path / "set", RULES, Curious())
    assert met == [True]
