"""A manifest comes back as it was written, and everything wrong with one is named with its line."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets import ClipRecord, ManifestError, read_manifest, write_manifest

A = ClipRecord(
    id="a",
    path="clips/a.mp4",
    frames=40,
    height=24,
    width=32,
    fps=Fraction(30000, 1001),
    labels=("run", "walk"),
    split="train",
    source="scene 1",
)
B = replace(A, id="b", path="b.mp4", labels=("stand",), split="test", source="scene 2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    for name in ("clips/a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    return tmp_path


names = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6)
labels = names.filter(lambda name: "|" not in name)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(-9, 9)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def windows(draw: st.DrawFn, count: int) -> tuple[tuple[int, int, int, int], ...]:
    found = []
    for _ in range(count):
        x, y, side = draw(st.integers(-5, 9)), draw(st.integers(-5, 9)), draw(st.integers(6, 20))
        found.append((x, y, x + side, y + side))
    return tuple(found)


@st.composite
def record_lists(draw: st.DrawFn) -> list[ClipRecord]:
    records = []
    for number in range(draw(st.integers(1, 4))):
        frames = draw(st.integers(1, 9))
        start = draw(st.none() | st.integers(0, frames - 1))
        stop = draw(st.none() | st.integers((start or 0) + 1, frames))
        length = (frames if stop is None else stop) - (start or 0)
        records.append(
            ClipRecord(
                id=f"{number} {draw(names)}",
                path=f"{number}/{draw(names.filter(lambda name: '/' not in name))}.mp4",
                frames=frames,
                height=draw(st.integers(10, 99)),
                width=draw(st.integers(10, 99)),
                fps=draw(st.fractions(Fraction(1, 9), 120, max_denominator=1001)),
                labels=tuple(draw(st.lists(labels, unique=True, max_size=3))),
                split=(split := draw(st.sampled_from(["train", "val", "test"]))),
                source=f"{split} {draw(names)}",
                start=start,
                stop=stop,
                windows=draw(st.none() | windows(1) | windows(length)),
                tracks=draw(
                    st.none() | st.lists(st.integers(0, 99), min_size=1, max_size=3).map(tuple)
                ),
                extra=draw(st.dictionaries(names, json_values, max_size=2)),
            )
        )
    return records


@settings(max_examples=40, deadline=None)
@given(record_lists(), st.sampled_from([".jsonl", ".csv"]))
def test_reading_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, records: list[ClipRecord], suffix: str
) -> None:
    path = tmp_path_factory.mktemp("m") / f"manifest{suffix}"
    write_manifest(path, records)
    first = path.read_bytes()
    manifest = read_manifest(path, check_files=False)
    assert list(manifest.records) == records
    write_manifest(path, manifest.records)
    assert path.read_bytes() == first


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_manifest_knows_its_files_splits_and_targets(folder: Path, suffix: str) -> None:
    path = folder / f"m{suffix}"
    unlabelled = replace(B, id="c", labels=(), start=3, stop=9)
    write_manifest(path, [A, B, unlabelled])
    manifest = read_manifest(path)
    assert manifest.labels == ("run", "stand", "walk")
    assert manifest.multi_label
    assert manifest.of("test") == (B, unlabelled)
    assert manifest.file(A) == folder / "clips/a.mp4"
    assert manifest.targets(manifest.records).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert manifest.targets([A]).dtype == np.float32
    assert (unlabelled.span, unlabelled.length, A.span) == ((3, 9), 6, (0, 40))
    with pytest.raises(ManifestError, match=r"no clip is in the split 'val'; it has test, train"):
        manifest.of("val")


def test_the_class_list(folder: Path) -> None:
    path = folder / "m.jsonl"
    write_manifest(path, [A, B])
    given_list = ["walk", "run", "sit", "stand"]
    assert read_manifest(path, labels=given_list).labels == tuple(given_list)
    (folder / "other.txt").write_text("walk\n\nstand\nrun\n")
    assert read_manifest(path, labels=folder / "other.txt").labels == ("walk", "stand", "run")
    (folder / "labels.txt").write_text("stand\nwalk\n")
    with pytest.raises(ManifestError, match=r"m.jsonl, line 1: the label 'run' .*labels.txt"):
        read_manifest(path)
    with pytest.raises(ManifestError, match=r"line 2: the label 'stand' .*did you mean 'stands'"):
        read_manifest(path, labels=["run", "walk", "stands"])
    with pytest.raises(ManifestError, match="'walk' is given twice"):
        read_manifest(path, labels=["walk", "walk"])


def test_a_root_elsewhere(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "m.csv"
    write_manifest(path, [A])
    with pytest.raises(ManifestError, match="does not exist"):
        read_manifest(path)
    assert read_manifest(path, root=folder).file(A) == folder / "clips/a.mp4"


def row(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": "a",
        "path": "clips/a.mp4",
        "frames": 40,
        "height": 24,
        "width": 32,
        "fps": "25",
        "labels": ["run"],
        "split": "train",
        "source": "s",
    }
    return {name: value for name, value in (plain | changes).items() if value is not ...}


WRONG_ROWS = [
    (row(id=...), "id is missing"),
    (row(labels=None), "labels is missing"),
    (row(id=" "), "id is ' '"),
    (row(id=7), "id is 7"),
    (row(source="a\u2028b"), "source is"),
    (row(frmes=1), "'frmes' is unknown .did you mean 'frames'"),
    (row(colour="red"), "'colour' is unknown; .* extra holds anything else"),
    (row(path="gone.mp4"), "gone.mp4 does not exist"),
    (row(path="../a.mp4"), "leaves its folder"),
    (row(path="/etc/passwd"), "leaves its folder"),
    (row(path="link.mp4"), "leaves its folder"),
    (row(path="x" * 5000), "does not exist"),
    (row(path="clips"), "does not exist"),
    (row(frames=0), "frames is 0"),
    (row(frames=2.0), "frames is 2.0"),
    (row(frames=True), "frames is True"),
    (row(height=-4), "height is -4"),
    (row(width=10**9), "width is 1000000000"),
    (row(fps=29.97), "fps is 29.97"),
    (row(fps="0/1"), "fps is '0/1'"),
    (row(fps="1e99999999"), "fps is '1e99999999'"),
    (row(fps="25/0"), "fps is '25/0'"),
    (row(labels="run"), "labels is 'run'"),
    (row(labels=["run", "run"]), "each of them once"),
    (row(labels=[3]), "a label is 3"),
    (row(labels=["a|b"]), "joins labels in CSV"),
    (row(split="trian"), "'trian' is unknown .did you mean 'train'"),
    (row(split=["train"]), "use train, val, test"),
    (row(start=5, stop=5), r"the span \[5, 5\)"),
    (row(stop=41), r"the span \[0, 41\)"),
    (row(start=-1), "start is -1"),
    (row(windows=[]), "windows is an empty list"),
    (row(windows=[0, 0, 4, 4]), "windows is 0"),
    (row(windows=[[0, 0, 4, 4]] * 2), "2 windows for a clip of 40 frames"),
    (row(windows=[[0, 0, 4, 5]]), "must be a square"),
    (row(windows=[[0, 0, 0, 0]]), "must be a square"),
    (row(windows=[[0, 0, 129, 129]]), "must be a square"),
    (row(windows=[[0, 0, 4.5, 4.5]]), "whole numbers"),
    (row(windows=[[32, 0, 36, 4]]), "wholly outside"),
    (row(tracks=[-1]), "tracks is -1"),
    (row(tracks=0), "tracks is 0"),
    (row(extra=3), "extra is 3"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG_ROWS)
def test_a_wrong_row_is_named_with_its_line(
    folder: Path, wrong: dict[str, Any], message: str
) -> None:
    (folder / "link.mp4").symlink_to("/etc/passwd")
    path = folder / "m.jsonl"
    good = row(id="good", path="b.mp4")
    path.write_text(json.dumps(good) + "\n\n" + json.dumps(wrong) + "\n")
    with pytest.raises(TinyviratError, match=f"m.jsonl, line 3: .*{message}"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (row(path="b.mp4"), "the id 'a' is taken by .*line 1"),
        (row(id="b", path="clips/./a.mp4", stop=40), "same span and windows is given by .*line 1"),
        (row(id="b", path="b.mp4", split="test"), "'s' is in 'test' here and in 'train' in"),
    ],
)
def test_rows_that_cannot_stand_together(
    folder: Path, second: dict[str, Any], message: str
) -> None:
    path = folder / "m.jsonl"
    path.write_text(json.dumps(row()) + "\n" + json.dumps(second) + "\n")
    with pytest.raises(ManifestError, match=f"m.jsonl, line 2: .*{message}"):
        read_manifest(path)


def test_the_same_file_may_give_other_spans_and_windows(folder: Path) -> None:
    tube = replace(A, id="c", windows=((0, 0, 8, 8),))
    span = replace(A, id="d", start=4)
    write_manifest(folder / "m.csv", [A, tube, span])
    assert len(read_manifest(folder / "m.csv").records) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a",', "line 1: not valid JSON"),
        ('{"id": "a", "id": "b"}', "'id' is given twice"),
        ('{"frames": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "line 1: not valid JSON"),
        ("9" * 5000, "line 1: not valid JSON"),
        ("[1]", "line 1: holds list"),
        ("\n\n", "no clips"),
    ],
)
def test_text_that_is_no_jsonl(folder: Path, text: str, message: str) -> None:
    path = folder / "m.jsonl"
    path.write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_manifest(path)


HEADER = "id,path,frames,height,width,fps,labels,split,source"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no clips"),
        ("id,paths\n", "line 1: the column 'paths' is unknown .did you mean 'path'"),
        ("id,id\n", "line 1: the column 'id' is given twice"),
        (f"{HEADER}\na,b.mp4,3\n", "line 2: 3 cells under 9 columns"),
        (f"{HEADER}\na,b.mp4,many,2,2,25,run,train,s\n", "line 2: frames is 'many'"),
        (f"{HEADER}\na,b.mp4,3,2,2,25,run||walk,train,s\n", "line 2: a label is ''"),
        (f'{HEADER}\n"a,b.mp4', "not valid CSV"),
        (f"{HEADER}\n{'a' * 200_000},b.mp4,3,2,2,25,run,train,s\n", "very long cells"),
        (f"{HEADER},windows\na,b.mp4,3,2,2,25,run,train,s,0 0 1\n", "four whole numbers"),
        (f"{HEADER},extra\na,b.mp4,3,2,2,25,run,train,s,{{\n", "extra is '{'"),
    ],
)
def test_text_that_is_no_csv(folder: Path, text: str, message: str) -> None:
    path = folder / "m.csv"
    path.write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_manifest(path)


def test_a_spreadsheet_s_mark_and_line_ends_do_no_harm(folder: Path) -> None:
    path = folder / "m.csv"
    path.write_bytes(f"\ufeff{HEADER}\r\na,b.mp4,3,2,2,25,,test,s\r\n".encode())
    (record,) = read_manifest(path).records
    assert (record.id, record.labels, record.source) == ("a", (), "s")


def test_files_that_are_no_manifest(folder: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        read_manifest(folder / "none.jsonl")
    with pytest.raises(ManifestError, match=r"ends in \.jsonl or \.csv; there is nothing of that"):
        read_manifest(folder / "m.txt")
    (folder / "m.txt").touch()
    with pytest.raises(ManifestError, match=r"m\.txt: a manifest's name ends in \.jsonl or \.csv$"):
        read_manifest(folder / "m.txt")
    (folder / "m.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match="not UTF-8"):
        read_manifest(folder / "m.csv")


@pytest.mark.parametrize(
    "extra", [{"x": {1, 2}}, {"x": float("nan")}, {"x": (1, 2)}, {"x": "\ud800"}]
)
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_what_cannot_be_read_back_is_not_written(
    folder: Path, extra: dict[str, object], suffix: str
) -> None:
    path = folder / f"m{suffix}"
    path.write_text("old")
    with pytest.raises(ManifestError, match="extra"):
        write_manifest(path, [replace(A, extra=extra)])
    assert path.read_text() == "old"


def test_writing_checks_the_records_together(folder: Path) -> None:
    with pytest.raises(ManifestError, match="clip 'a': the id 'a' is taken"):
        write_manifest(folder / "m.csv", [A, A])
    with pytest.raises(ManifestError, match="no clips to write"):
        write_manifest(folder / "m.csv", [])
    many = replace(A, frames=20_000, windows=((0, 0, 8, 8),) * 20_000)
    with pytest.raises(ManifestError, match=r"windows takes .* write a .jsonl file"):
        write_manifest(folder / "m.csv", [many])
    write_manifest(folder / "m.jsonl", [many])
    assert read_manifest(folder / "m.jsonl").records == (many,)


def test_records_made_in_python_are_checked_too() -> None:
    with pytest.raises(ManifestError, match="must be a tuple"):
        replace(A, labels="run")  # type: ignore[arg-type]
    with pytest.raises(ManifestError, match="fps"):
        replace(A, fps=25)  # type: ignore[arg-type]
    with pytest.raises(ManifestError, match="number of tracks"):
        replace(A, tracks=())
    assert hash(A) == hash(replace(A, extra={"any": ["thing"]}))
