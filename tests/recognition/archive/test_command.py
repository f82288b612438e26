"""`tinyvirat recognize FOLDER --out DIR`: what is printed, and the exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tinyvirat.cli import main
from tinyvirat.cli.archived import LONGEST_TABLE
from tinyvirat.recognition.archive.records import ArchiveError
from tinyvirat.recognition.load import load

PLAIN = ("--device", "cpu", "--precision", "float32")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that fold no path, wherever the temporary folders are."""
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def few(videos: Path, tmp_path: Path) -> Path:
    """Two clips, a long video and one that is broken."""
    folder = tmp_path / "few"
    (folder / "gate").mkdir(parents=True)
    for name in ("clip_1.mp4", "clip_2.mp4", "broken.mp4", "gate/one.mp4"):
        shutil.copy(videos / name, folder / name)
    return folder


def test_it_says_what_was_found_what_failed_and_what_was_done_before(
    few: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["recognize", str(few), "--model", str(model), "--out", str(out), *PLAIN]
    command += ["--outputs", "jsonl"]
    assert main(command) == 1
    told = capsys.readouterr()
    assert "broken.mp4: cannot be read as a video" in told.err
    assert "3 of 4 videos finished; 1 failed; 89 frames" in told.err
    # In the table of what was found, and of what failed.
    assert "gate/one.mp4" in told.out and "few: failed" in told.out
    (few / "broken.mp4").unlink()
    assert main(command) == 0
    told = capsys.readouterr()
    assert "3 of 3 videos finished (3 before); 0 frames" in told.err
    assert told.out.count("before") == 3


def test_clips_of_a_folder_share_one_file_and_one_table(
    few: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for path in (few / "broken.mp4", few / "gate" / "one.mp4"):
        path.unlink()
    command = ["recognize", str(few), "--model", str(model), "--out", str(out), *PLAIN]
    recognizer = load(model, device="cpu", precision="float32")
    for _ in range(2):  # the second time nothing is left to do
        (out / "predictions.jsonl").unlink(missing_ok=True)
        assert main(command) == 0
        rows = [json.loads(line) for line in (out / "predictions.jsonl").open()]
        clips = [few / "clip_1.mp4", few / "clip_2.mp4"]
        assert rows == [recognizer.recognize(clip)[0].to_json() for clip in clips]
        assert "clip_2.mp4" in capsys.readouterr().out.replace("\n", "")
    assert {path.name for path in out.iterdir()} == {
        ".archive",
        "archive.json",
        "predictions.jsonl",
    }


@pytest.mark.parametrize(
    "options",
    [
        ["--ray", "auto"],
        ["--workers", "2", "--out", "x"],
        ["--gpus", "0.5", "--out", "x"],
        ["--cpus", "2", "--out", "x"],
        ["--ray", "auto", "--out", "x", "--render"],
    ],
)
def test_a_cluster_needs_a_folder_and_a_place_to_write(
    few: Path, model: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recognize", str(few), "--model", str(model), *options]) == 1
    assert "--ray ADDRESS is for a FOLDER" in capsys.readouterr().err


def test_a_cluster_that_is_not_there_is_a_sentence_and_touches_nothing(
    few: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(_address: str) -> None:
        raise ArchiveError("no Ray cluster at 'ray://nobody:1'")

    monkeypatch.setattr("tinyvirat.recognition.archive.cluster.connected", absent)
    out = tmp_path / "out"
    command = ["recognize", str(few), "--model", str(model), "--out", str(out), *PLAIN]
    assert main([*command, "--ray", "ray://nobody:1"]) == 1
    assert "no Ray cluster at" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {".archive"}


def test_long_tables_are_cut(
    few: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert LONGEST_TABLE > 1
    monkeypatch.setattr("tinyvirat.cli.archived.LONGEST_TABLE", 1)
    command = ["recognize", str(few), "--model", str(model), "--out", str(tmp_path / "o"), *PLAIN]
    assert main([*command, "--outputs", "jsonl"]) == 1
    assert "and 2 more: see archive.json" in capsys.readouterr().out


@pytest.mark.parametrize("written", [True, False])
def test_a_name_is_no_markup_and_steers_no_terminal(
    few: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    written: bool,
) -> None:
    odd = tmp_path / "odd"
    (odd / "dir[").mkdir(parents=True)
    shutil.copy(few / "clip_1.mp4", odd / "[front]yard.mp4")
    shutil.copy(few / "gate" / "one.mp4", odd / "dir[" / "x].mp4")
    shutil.copy(few / "broken.mp4", odd / "red\x1b[31m.mp4")
    out = ["--out", str(tmp_path / "out")] if written else []
    assert main(["recognize", str(odd), "--model", str(model), *out, *PLAIN]) == 1
    told = capsys.readouterr()
    assert "[front]yard.mp4" in told.out and "dir[/x].mp4" in told.out
    assert "\x1b[31m" not in told.out + told.err
    assert "red\\x1b[31m.mp4: cannot be read" in told.err


def test_a_name_that_is_told_steers_no_terminal(
    few: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd, out = tmp_path / "odd", tmp_path / "out"
    odd.mkdir()
    shutil.copy(few / "clip_1.mp4", odd / "red\x1b[31m:car:.mp4")
    words = ["--model", str(model), "--out", str(out), *PLAIN]
    assert main(["recognize", str(odd), "--render", *words]) == 0
    told = capsys.readouterr()
    assert "wrote " in told.err and "\x1b" not in told.out + told.err
    assert "red\\x1b[31m:car:.mp4" in told.out
    assert main(["recognize", str(odd), *words]) == 0
    assert "red\\x1b[31m:car:.mp4" in capsys.readouterr().out


def test_rows_of_videos_whose_names_become_the_same_do_not_share_a_folder(
    few: Path, model: Path, tmp_path: Path
) -> None:
    same, out = tmp_path / "same", tmp_path / "out"
    (same / "a").mkdir(parents=True)
    for name in ("a/b.mp4", "a__b.mp4"):
        shutil.copy(few / "gate" / "one.mp4", same / name)
    words = ["--out", str(out), "--outputs", "jsonl", *PLAIN]
    assert main(["recognize", str(same), "--model", str(model), *words, "--json"]) == 0
    here = {path.name for path in out.iterdir()}
    assert len(here) == 2 and {name.partition("-")[0] for name in here} == {"a__b_mp4"}
    # The same as without --json.
    assert main(["recognize", str(same), "--model", str(model), *words]) == 0
    assert {path.name for path in out.iterdir()} - here == {".archive", "archive.json"}


def test_pictures_of_clips_whose_names_become_the_same_do_not_share_a_folder(
    few: Path, model: Path, tmp_path: Path
) -> None:
    same, out = tmp_path / "same", tmp_path / "out"
    same.mkdir()
    for name in ("a.b.mp4", "a_b.mp4", "c.mp4"):
        shutil.copy(few / "clip_1.mp4", same / name)
    words = ["--out", str(out), "--render", *PLAIN]
    assert main(["recognize", str(same), "--model", str(model), *words]) == 0
    names = {path.stem.partition("-")[0] for path in (out / "pictures").iterdir()}
    assert len({path.stem for path in (out / "pictures").iterdir()}) == 3
    assert names == {"a_b_mp4", "c_mp4"}


BOXES = "1,1,20,30,30,40,1,-1,-1,-1\n2,1,22,30,30,40,1,-1,-1,-1\n"


def test_boxes_of_one_video_are_not_those_of_all(
    few: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes, out = tmp_path / "monday.csv", tmp_path / "out"
    boxes.write_text(BOXES, encoding="utf-8")
    words = ["--model", str(model), "--out", str(out), "--outputs", "jsonl", *PLAIN]
    for more in ([], ["--json"]):
        assert main(["recognize", str(few), "--tubes", str(boxes), *words, *more]) == 1
        assert "monday.csv: these boxes are of one video" in capsys.readouterr().err
        assert not out.exists()
    each = tmp_path / "each"
    each.mkdir()
    shutil.copy(boxes, each / "one.csv")
    (few / "broken.mp4").unlink()
    assert main(["recognize", str(few), "--tubes", str(each), *words]) == 1
    told = capsys.readouterr().err
    assert "no boxes of clip_1: there is neither clip_1.csv, nor clip_1.txt" in told
    assert "1 of 3 videos finished; 2 failed" in told
