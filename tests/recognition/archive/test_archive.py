"""An archive on one machine: whole or not at all, again where it was, one bad video among good."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinyvirat.common.errors import TinyviratError
from tinyvirat.models.saved import read_description, replace_description
from tinyvirat.recognition.archive import work
from tinyvirat.recognition.archive.actor import Probe, unfit
from tinyvirat.recognition.archive.crew import Here
from tinyvirat.recognition.archive.notes import DONE, fingerprint, held, model_digest
from tinyvirat.recognition.archive.records import Archive, ArchiveError, Plan, jobs_of
from tinyvirat.recognition.archive.run import SUMMARY, clip_predictions, recognize_archive
from tinyvirat.recognition.load import load
from tinyvirat.recognition.outputs.opening import open_sinks
from tinyvirat.recognition.stream import run_stream

from .conftest import OUTPUTS, bytes_of, found, plan_of, recognized

LONG = ("a_long_mp4", "gate__one_mp4", "gate__two_mp4")
GOOD = (*LONG, "clip_1_mp4", "clip_2_mp4")


class Idle:
    """A crew that must have nothing to do."""

    def run(self, jobs, mark, watch):  # type: ignore[no-untyped-def]
        assert not jobs, [job.name for job in jobs]
        yield from ()


def copy_of(whole_out: Path, folder: Path) -> Path:
    return shutil.copytree(whole_out, folder / "out")


def again(videos: Path, model: Path, out: Path) -> set[str]:
    """Recognises into a folder of a run before; the names of the videos that were begun."""
    done = recognized(videos, plan_of(model, out))
    return {one.job.name for one in done.outcomes if one.attempts}


def test_every_video_gets_its_folder_and_a_broken_one_its_sentence(
    whole: Archive, whole_out: Path
) -> None:
    assert {path.name for path in whole_out.iterdir() if not path.name.startswith(".")} == {
        *GOOD,
        SUMMARY,
    }
    assert [one.job.name for one in whole.failed] == ["broken_mp4"]
    assert "broken.mp4" in str(whole.failed[0].error)
    for name in LONG:
        rows = (whole_out / name / "predictions.jsonl").read_text().splitlines()
        assert rows and all(json.loads(row)["boxes"] for row in rows), name
    summary = json.loads((whole_out / SUMMARY).read_text())
    assert (summary["videos"], summary["finished"], summary["failed"]) == (6, 5, 1)
    assert summary["frames"] == 400 + 60 + 60 + 20 + 9 and not summary["interrupted"]
    assert not list((whole_out / ".archive" / "work").iterdir())


def test_it_writes_what_recognition_of_the_video_alone_writes(
    videos: Path, model: Path, whole_out: Path, tmp_path: Path
) -> None:
    recognizer = load(model, device="cpu", precision="float32")
    path = videos / "gate" / "one.mp4"
    run_stream(recognizer, path, open_sinks(tmp_path / "one", recognizer, OUTPUTS), progress=False)
    alone = bytes_of(tmp_path / "one")
    in_archive = bytes_of(whole_out / "gate__one_mp4")
    assert alone and alone == in_archive


def test_what_is_finished_is_left_alone(
    videos: Path, model: Path, whole_out: Path, tmp_path: Path
) -> None:
    out = copy_of(whole_out, tmp_path)
    good = [path for path in found(videos) if path.name != "broken.mp4"]
    plan = plan_of(model, out)
    before = bytes_of(out)
    done = recognize_archive(good, videos, plan, Idle(), progress=False)
    assert done.before == 5 and not done.failed and bytes_of(out) == before
    # What failed is tried again: the file may have been put right.
    assert again(videos, model, out) == {"broken_mp4"}


def no_note(out: Path) -> None:
    (out / "gate__one_mp4" / DONE).unlink()


def half_a_note(out: Path) -> None:
    note = out / "gate__one_mp4" / DONE
    note.write_text(note.read_text()[:-30])


def half_a_file(out: Path) -> None:
    file = out / "gate__one_mp4" / "predictions.jsonl"
    file.write_bytes(file.read_bytes()[:-1])


def left_by_a_killed_one(out: Path) -> None:
    no_note(out)
    left = out / ".archive" / "work" / "gate__one_mp4-host-1-x"
    left.mkdir()
    (left / "predictions.jsonl").write_text("half")
    (left.parent / "probe").write_text("of a driver that was killed")


@pytest.mark.parametrize("damage", [no_note, half_a_note, half_a_file, left_by_a_killed_one])
def test_what_is_not_whole_is_made_again_and_nothing_else(
    videos: Path, model: Path, whole_out: Path, tmp_path: Path, damage: object
) -> None:
    out = copy_of(whole_out, tmp_path)
    damage(out)  # type: ignore[operator]
    assert again(videos, model, out) == {"broken_mp4", "gate__one_mp4"}
    assert bytes_of(out) == bytes_of(whole_out)
    assert not list((out / ".archive" / "work").iterdir())


def test_a_video_that_changed_is_made_again(
    videos: Path, model: Path, whole_out: Path, tmp_path: Path
) -> None:
    out = copy_of(whole_out, tmp_path)
    path = videos / "clip_2.mp4"
    stat = path.stat()
    try:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
        assert again(videos, model, out) == {"broken_mp4", "clip_2_mp4"}
    finally:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_the_fingerprint_is_of_all_that_decides_the_outputs(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = plan_of(model, out)
    marks = [fingerprint(plan)]
    assert fingerprint(plan_of(model, tmp_path / "elsewhere")) == marks[0]
    tubes = tmp_path / "tubes.csv"
    tubes.write_text("1,1,10,10,20,20,1,-1,-1,-1\n")
    marks.append(fingerprint(Plan(out, str(model), str(tubes), OUTPUTS, precision="float32")))
    tubes.write_text("1,1,10,10,20,21,1,-1,-1,-1\n")
    marks.append(fingerprint(Plan(out, str(model), str(tubes), OUTPUTS, precision="float32")))
    marks.append(fingerprint(Plan(out, str(model), "motion", OUTPUTS, precision="float32")))
    marks.append(fingerprint(Plan(out, str(model), outputs=("jsonl",), precision="float32")))
    marks.append(fingerprint(Plan(out, str(model), outputs=OUTPUTS, precision="bfloat16")))
    marks.append(fingerprint(Plan(out, str(model), outputs=OUTPUTS, input_size=14)))
    other = shutil.copytree(model, tmp_path / "model")
    spec, _ = read_description(other / "model.json")
    replace_description(other, spec.__class__(**vars(spec) | {"thresholds": (0.1, 0.2, 0.3)}))
    marks.append(fingerprint(plan_of(other, out)))
    assert len(set(marks)) == len(marks)
    with pytest.raises(ArchiveError, match="no such file of tubes"):
        fingerprint(Plan(out, str(model), str(tmp_path / "none.csv")))


def test_other_outputs_take_the_place_of_those_before_and_nothing_else_goes(
    videos: Path, model: Path, whole_out: Path, tmp_path: Path
) -> None:
    out = copy_of(whole_out, tmp_path)
    mine = out / "clip_1_mp4" / "mine.txt"
    mine.write_text("keep me")
    note = out / "clip_1_mp4" / DONE
    foreign = tmp_path / "foreign.txt"
    foreign.write_text("not yours")
    data = json.loads(note.read_text())
    data["files"].append({"path": "../../foreign.txt", "size": 9})
    plan = plan_of(model, out, ("jsonl",))
    clip = [videos / "clip_1.mp4"]
    recognize_archive(clip, videos, plan, Here(plan), progress=False)
    here = {path.name for path in (out / "clip_1_mp4").iterdir()}
    assert here == {"predictions.jsonl", "actions.jsonl", DONE, "mine.txt"}
    note.write_text(json.dumps(data))
    with pytest.raises(TinyviratError, match="leaves its folder"):
        recognize_archive(clip, videos, plan, Here(plan), progress=False)
    assert foreign.exists()


def test_clips_without_named_outputs_share_one_file(
    videos: Path, model: Path, tmp_path: Path
) -> None:
    plan = plan_of(model, tmp_path / "out", None)
    clips = [videos / "clip_1.mp4", videos / "clip_2.mp4"]
    done = recognize_archive(clips, videos, plan, Here(plan), progress=False)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".archive", SUMMARY}
    rows = clip_predictions(plan, done)
    recognizer = load(model, device="cpu", precision="float32")
    direct = [one for clip in clips for one in recognizer.recognize(clip)]
    assert [one.to_json() for one in rows] == [one.to_json() for one in direct]


def test_a_video_cut_short_keeps_what_could_be_read_and_is_tried_again(
    videos: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinyvirat.video import VideoError

    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(videos / "gate" / "one.mp4", folder / "one.mp4")
    plan = plan_of(model, tmp_path / "out")
    frames = work.Watched.frames

    def torn(self, stages):  # type: ignore[no-untyped-def]
        for read, item in enumerate(frames(self, stages)):
            if read == 50:
                raise VideoError(folder / "one.mp4", "the file ends in the middle")
            yield item

    monkeypatch.setattr(work.Watched, "frames", torn)
    done = recognized(folder, plan)
    assert "ends in the middle" in str(done.failed[0].error)
    note = done.outcomes[0].note
    assert note is not None and note.frames == 50
    assert (tmp_path / "out" / "one_mp4" / "predictions.jsonl").stat().st_size > 0
    monkeypatch.undo()
    assert again(folder, model, tmp_path / "out") == {"one_mp4"}
    assert again(folder, model, tmp_path / "out") == set()


def test_ctrl_c_keeps_what_is_finished_and_no_half_video(
    videos: Path, model: Path, whole_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(model, tmp_path / "out")
    two = [videos / "clip_1.mp4", videos / "gate" / "one.mp4", videos / "gate" / "two.mp4"]
    at = work.Watched.frames

    def pressed(self, stages):  # type: ignore[no-untyped-def]
        for read, item in enumerate(at(self, stages)):
            if read == 30:
                os.kill(os.getpid(), signal.SIGINT)
            yield item

    monkeypatch.setattr(work.Watched, "frames", pressed)
    done = recognize_archive(two, videos, plan, Here(plan), progress=False)
    assert done.interrupted and [one.job.name for one in done.outcomes] == ["clip_1_mp4"]
    assert not (tmp_path / "out" / "gate__one_mp4").exists()
    assert json.loads((tmp_path / "out" / SUMMARY).read_text())["interrupted"]
    monkeypatch.undo()
    assert not again(videos, model, tmp_path / "out") & {"clip_1_mp4"}
    assert bytes_of(tmp_path / "out") == bytes_of(whole_out)


def test_killed_it_goes_on_where_it_was(
    videos: Path, model: Path, whole_out: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    order = ["recognize", str(videos), "--model", str(model), "--out", str(out), "--device", "cpu"]
    order += ["--precision", "float32", "--outputs", ",".join(OUTPUTS)]
    command = [sys.executable, "-m", "tinyvirat", *order]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        until = time.monotonic() + 200
        while not list(out.glob(f"*/{DONE}")):
            assert time.monotonic() < until and run.poll() is None
            time.sleep(0.002)
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert not (out / SUMMARY).exists(), "it was over before it was killed"
    before = {path.parent.name for path in out.glob(f"*/{DONE}")}
    assert before
    assert again(videos, model, out) == {*GOOD, "broken_mp4"} - before
    assert bytes_of(out) == bytes_of(whole_out)


def test_videos_whose_names_become_the_same_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    long = "n" * 240 + ".mp4"
    for name in ("a/b.mp4", "a__b.mp4", "c.mp4", "é" * 100 + ".mp4", long):
        (tmp_path / name).touch()
    names = [job.name for job in jobs_of(sorted(tmp_path.rglob("*.mp4")), tmp_path)]
    assert len(set(names)) == 5 and "c_mp4" in names
    assert all(len(name.encode()) < 140 for name in names)


def test_two_runs_do_not_write_to_one_folder(videos: Path, model: Path, tmp_path: Path) -> None:
    plan = plan_of(model, tmp_path)
    with held(tmp_path), pytest.raises(ArchiveError, match="another run is at work there"):
        recognize_archive(found(videos), videos, plan, Idle(), progress=False)
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="is a file"), held(tmp_path / "file"):
        pass


def test_a_machine_that_is_not_fit_is_told_so(model: Path, tmp_path: Path) -> None:
    from tinyvirat import __version__

    plan = plan_of(model, tmp_path)
    path = tmp_path / "probe"
    path.write_text("text")
    digest = model_digest(str(model))
    assert unfit(plan, Probe(path, "text", digest, __version__)) is None
    # A folder of the same name that is another one must not pass either.
    for other in (Probe(path, "other", digest, __version__), Probe(tmp_path, "x", digest, "")):
        assert unfit(plan, other)
    assert "all machines of the cluster share" in str(
        unfit(plan, Probe(path, "other", digest, __version__))
    )
    assert "0.0.1 asks" in str(unfit(plan, Probe(path, "text", digest, "0.0.1")))
    assert "another model" in str(unfit(plan, Probe(path, "text", "0", __version__)))
