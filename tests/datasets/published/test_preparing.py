"""Manifests of the published data sets: as they should be to the byte, and nothing lost unsaid."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from tinyvirat.cli import main
from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets import measure, read_manifest
from tinyvirat.datasets.published import PublishedError, read_report, report_path
from tinyvirat.datasets.records import ClipRecord

from .conftest import Copy
from .stand_ins import HMDB_CLASSES, TINYVIRAT_ORDER, UCF_CLASSES

GOLDEN = Path(__file__).parent / "golden"
NAMES = {
    "v1": ["tinyvirat"],
    "v2": ["tinyvirat-v2"],
    "ucf101": ["ucf101", "--split", "2"],
    "hmdb51": ["hmdb51", "--split", "3"],
}
LABELS = {
    "v1": TINYVIRAT_ORDER,
    "v2": TINYVIRAT_ORDER,
    "ucf101": UCF_CLASSES,
    "hmdb51": HMDB_CLASSES,
}


def run(root: Path, name: str, *options: str, out: str = "m.jsonl") -> int:
    """`tinyvirat data prepare NAME ROOT --out ROOT/m.jsonl OPTIONS`."""
    command, *more = NAMES[name]
    words = ["data", "prepare", command, str(root), "--out", str(root / out)]
    return main([*words, *more, *options])


def records(root: Path, out: str = "m.jsonl") -> tuple[ClipRecord, ...]:
    return read_manifest(root / out).records


@pytest.mark.parametrize("name", NAMES)
def test_manifests_are_as_they_should_be(copy: Copy, name: str) -> None:
    root = copy(name)
    assert run(root, name) == 0
    written = (root / "m.jsonl").read_text(encoding="utf-8")
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / f"{name}.jsonl").write_text(written, encoding="utf-8")
    assert written == (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8")
    manifest = read_manifest(root / "m.jsonl")
    assert manifest.labels == LABELS[name]
    assert manifest.multi_label == name.startswith("v")


def test_what_differs_is_counted_named_and_kept(
    copy: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copy("v2")
    videos = root / "TinyVIRAT_V2" / "videos"
    (videos / "test" / "00003.mp4").unlink()
    (videos / "test" / "00005.mp4").write_bytes(b"no video")
    shutil.copy(videos / "test" / "00000.mp4", videos / "test" / "99999.mp4")
    assert run(root, "v2") == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{root / 'm.jsonl'}: 22 clips of 26 classes from 10 sources: ")
    assert "8 train, 8 val, 6 test" in out
    table = [line.split() for line in err.splitlines()]
    assert ["test", "6097", "8", "7", "1", "6"] in table
    assert ["val", "3308", "8", "8", "0", "8"] in table
    for told in (
        "not as published: test: the lists name 8 clips, 6,097 were published (6,089 fewer)",
        "not as published: missing: 1 listed clip without a file (videos/test/00003.mp4)",
        "not as published: unreadable: 1 clip; the first: ",
        "not as published: extra: 1 video file in no list (videos/test/99999.mp4)",
        "note: other size: 3 clips decode otherwise than listed (train/000000: 23 x 10 x 10 "
        "listed, 20 x 10 x 10 decode",
        "note: shared: 1 recording in several splits (VIRAT_S_000002); 4 clips of val and test",
    ):
        assert told in err
    report = read_report(report_path(root / "m.jsonl"))
    assert [(left.id, left.split) for left in report.missing] == [("test/00003", "test")]
    assert [left.id for left in report.unreadable] == ["test/00005"]
    assert report.unlisted == ("videos/test/99999.mp4",)


def test_strict_writes_nothing(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    root = copy("hmdb51")
    assert run(root, "hmdb51", "--strict") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "not as published in 4 ways, the first: train: the lists name 22 clips" in err
    assert "the lists leave 3 clips unused, 1,666 were published" in err
    assert not (root / "m.jsonl").exists()
    assert not (root / "labels.txt").exists()


def test_as_published_is_said_by_silence(
    copy: Copy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the stand-in's own numbers in the place of the published ones, strict has nothing."""
    from tinyvirat.datasets.published import facts, hmdb51

    own = facts.Facts("HMDB-51, split 3", {"train": 22, "test": 11}, 3, 3)
    monkeypatch.setitem(hmdb51.HMDB51, 3, own)
    root = copy("hmdb51")
    assert run(root, "hmdb51", "--strict") == 0
    assert "not as published" not in capsys.readouterr().err
    (root / "hmdb51_org" / "wave" / "more.avi").touch()
    assert run(root, "hmdb51", "--strict") == 1


def test_a_video_in_two_splits_gets_two_names_or_is_left_out(copy: Copy) -> None:
    root = copy("v2")
    run(root, "v2")
    both = [r for r in records(root) if r.extra.get("recording")]
    assert Counter((r.split, r.source) for r in both) == {
        ("train", "VIRAT_S_000002 (train)"): 4,
        ("val", "VIRAT_S_000002 (val)"): 4,
    }
    assert {r.extra["recording"] for r in both} == {"VIRAT_S_000002"}
    run(root, "v2", "--disjoint", out="d.jsonl")
    kept = [r for r in records(root, "d.jsonl") if r.source == "VIRAT_S_000002"]
    assert [(r.split, r.extra.get("recording")) for r in kept] == [("val", None)] * 4
    report = read_report(report_path(root / "d.jsonl"))
    assert len(report.dropped) == 4
    assert (report.shared, report.shared_clips) == ((), 0)
    assert {count.split: count.kept for count in report.splits} == {"train": 4, "val": 8, "test": 8}


def test_films_that_other_classes_test_on(copy: Copy) -> None:
    root = copy("hmdb51")
    run(root, "hmdb51", "--disjoint")
    films = {side: {r.extra["film"] for r in records(root) if r.split == side} for side in
             ("train", "test")}  # fmt: skip
    assert not films["train"] & films["test"]
    assert "Return_of_the_King_1" in films["test"]


def test_validation_takes_whole_recordings_of_training(copy: Copy) -> None:
    root = copy("hmdb51")
    run(root, "hmdb51")
    run(root, "hmdb51", "--val-fraction", "0.4", out="v.jsonl")
    before = {r.id: r.split for r in records(root)}
    after = records(root, "v.jsonl")
    assert {before[r.id] for r in after if r.split == "val"} == {"train"}
    assert {r.id for r in after if r.split == "test"} == {
        name for name, split in before.items() if split == "test"
    }
    films = {side: {r.extra["film"] for r in after if r.split == side} for side in
             ("train", "val")}  # fmt: skip
    assert films["val"]
    assert not films["val"] & films["train"]
    run(root, "hmdb51", "--val-fraction", "0.4", "--seed", "1", out="w.jsonl")
    assert [r.split for r in after] != [r.split for r in records(root, "w.jsonl")]
    report = read_report(report_path(root / "v.jsonl"))
    assert not any(line.startswith("val:") for line in report.unlike_published())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hmdb51", ["--val-fraction", "1"], "val-fraction is 1.0; it is at least 0 and below 1"),
        ("hmdb51", ["--val-fraction", "-0.5"], "val-fraction is -0.5"),
        ("hmdb51", ["--workers", "0"], "workers is 0"),
        ("hmdb51", ["--unpack", "x"], "is no archive; leave --unpack out"),
    ],
)
def test_options_that_cannot_be(
    copy: Copy, capsys: pytest.CaptureFixture[str], name: str, options: list[str], message: str
) -> None:
    assert run(copy(name), name, *options) == 1
    assert message in capsys.readouterr().err


def test_places_where_a_manifest_cannot_be(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    root = copy("hmdb51")
    for out in ("m.txt", "measured.jsonl"):
        assert run(root, "hmdb51", out=out) == 1
        assert "let the manifest's name end in .jsonl" in capsys.readouterr().err
    (root / "labels.txt").write_text("run\nwalk\n")
    assert run(root, "hmdb51") == 1
    assert "holds the labels of another data set" in capsys.readouterr().err
    assert not (root / "measured.jsonl").exists()


def test_a_manifest_elsewhere_says_what_its_paths_are_relative_to(
    copy: Copy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copy("ucf101")
    out = tmp_path / "other" / "m.csv"
    assert main(["data", "prepare", "ucf101", str(root), "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dataset"] == "UCF-101, split 1"
    assert main(["data", "prepare", "ucf101", str(root), "--out", str(out)]) == 0
    assert f"its paths are relative to {root / 'UCF-101'}: move" in capsys.readouterr().out
    read = read_manifest(out, root=root / "UCF-101")
    assert (len(read.records), read.records[0].path) == (18, "Archery/v_Archery_g08_c01.avi")


def test_nothing_readable_is_an_error(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    root = copy("ucf101")
    for path in (root / "UCF-101").glob("*/*.avi"):
        path.write_bytes(b"")
    assert run(root, "ucf101") == 1
    assert "none of the 18 listed clips can be read; the first: " in capsys.readouterr().err


def test_measuring_goes_on_where_it_was(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    root = copy("ucf101")
    decoded: list[str] = []
    begun: list[str] = []
    original = measure.measure

    def stops(file: Path) -> measure.Measured | str:
        begun.append(file.name)
        if len(decoded) == 5:
            time.sleep(0.1)  # a busy machine takes a moment to call the others off
            raise KeyboardInterrupt
        return counted(file)

    def counted(file: Path) -> measure.Measured | str:
        decoded.append(file.name)
        return original(file)

    monkeypatch.setattr(measure, "measure", stops)
    assert run(root, "ucf101", "--workers", "1") == 130
    assert len(begun) < 12  # the others were not begun before it ended
    assert not (root / "m.jsonl").exists()
    with (root / "measured.jsonl").open("a") as file:
        file.write('{"path": "Archery/v_Arch')  # as if it had been cut off in the middle
    monkeypatch.setattr(measure, "measure", counted)
    assert run(root, "ucf101", "--workers", "1") == 0
    assert len(decoded) == len(set(decoded)) == 18
    first = (root / "m.jsonl").read_bytes()
    assert first == (GOLDEN / "ucf101.jsonl").read_bytes()

    assert run(root, "ucf101", "--split", "3", out="three.jsonl") == 0
    assert len(decoded) == 18  # another split of the same files costs nothing
    path = next((root / "UCF-101").glob("*/*_g01_c01.avi"))
    os.utime(path, (1, 1))
    assert run(root, "ucf101") == 0
    assert decoded[18:] == [path.name]
    assert (root / "m.jsonl").read_bytes() == first


class TestMemory:
    def test_what_is_remembered_is_checked(self, tmp_path: Path, stand_ins: Path) -> None:
        root = stand_ins / "ucf101" / "UCF-101" / "Archery"
        file = sorted(root.iterdir())[0]
        memory = measure.Measurements(tmp_path / "m.jsonl", root)
        found = measure.measure(file)
        assert isinstance(found, measure.Measured)
        memory.add(file, found)
        assert measure.Measurements(tmp_path / "m.jsonl", root).find(file) == found
        text = (tmp_path / "m.jsonl").read_text()
        for old, new in (
            ('"frames": 4', '"frames": 0'),
            ('"frames": 4', '"frames": "4"'),
            ('"width": 32', '"width": 99999'),
            ('"fps": "25"', '"fps": "0"'),
            ('"fps": "25"', '"fps": 25'),
            ('"path"', '"paht"'),
        ):
            assert old in text
            (tmp_path / "m.jsonl").write_text(text.replace(old, new))
            assert measure.Measurements(tmp_path / "m.jsonl", root).find(file) is None

    def test_another_file_is_not_taken_for_it(self, tmp_path: Path) -> None:
        path = tmp_path / "measured.jsonl"
        path.write_text('{"id": "a", "path": "a.mp4"}\n')
        with pytest.raises(measure.MeasureError, match="move it away"):
            measure.Measurements(path, tmp_path)
        assert path.read_text() == '{"id": "a", "path": "a.mp4"}\n'

    def test_trouble_is_not_remembered(self, tmp_path: Path) -> None:
        broken = tmp_path / "a.mp4"
        broken.write_bytes(b"no video")
        memory = measure.Measurements(tmp_path / "m.jsonl", tmp_path)
        (found,) = measure.measure_files([broken], memory=memory)
        assert isinstance(found, str)
        assert found.startswith(str(broken))
        assert len(memory) == 0


class TestReport:
    def test_what_is_no_report(self, tmp_path: Path) -> None:
        path = tmp_path / "m.report.json"
        for text, message in (
            ("{", "not JSON"),
            ("[]", "is no report"),
            ('{"format": "other"}', "is no report"),
            ('{"format": "tinyvirat-prepared"}', "'dataset' is missing"),
        ):
            path.write_text(text)
            with pytest.raises(TinyviratError, match=message):
                read_report(path)
        with pytest.raises(PublishedError, match="cannot be read"):
            read_report(tmp_path / "none.json")
