"""Rows of JSON and tables: what stands in them, and that they are whole or not there."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.recognition.events import Action, Sink
from tinyvirat.recognition.outputs.files import GrowingFile, OutputError
from tinyvirat.recognition.outputs.jsonl import JsonlSink
from tinyvirat.recognition.outputs.tables import TablesSink, text_cell
from tinyvirat.recognition.results import Prediction

from .scenes import Actor, Scene, play

GOLDEN = Path(__file__).parent / "golden"
SINKS = {
    JsonlSink: ("predictions.jsonl", "actions.jsonl"),
    TablesSink: ("actions.csv", "tubes.csv"),
}


@pytest.mark.parametrize("build", SINKS)
def test_the_files_are_as_they_were_agreed(build: type[Sink], tmp_path: Path) -> None:
    play(build(tmp_path), Scene(frames=100))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(SINKS[build])
    for name in SINKS[build]:
        if os.environ.get("TINYVIRAT_WRITE_GOLDEN"):
            (GOLDEN / name).write_bytes((tmp_path / name).read_bytes())
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes(), name


def test_every_row_is_that_of_its_event(tmp_path: Path) -> None:
    scene = Scene()
    play(JsonlSink(tmp_path), scene)
    for name, kind in (("predictions", Prediction), ("actions", Action)):
        text = (tmp_path / f"{name}.jsonl").read_text()
        events = [event for event in scene.events() if isinstance(event, kind)]
        assert [json.loads(line) for line in text.splitlines()] == [e.to_json() for e in events]


def test_tables_say_the_same_as_rows(tmp_path: Path) -> None:
    scene = Scene(video='a,b"c|d;é.avi', actors=(Actor(0, 40, (("walk", 3, 9, 0.7),)),), frames=50)
    play([JsonlSink(tmp_path), TablesSink(tmp_path)], scene)
    (row,) = map(json.loads, (tmp_path / "actions.jsonl").read_text().splitlines())
    with (tmp_path / "actions.csv").open(newline="", encoding="utf-8") as file:
        (cells,) = csv.DictReader(file)
    assert cells == {name: str(value) for name, value in row.items()}
    with (tmp_path / "tubes.csv").open(newline="", encoding="utf-8") as file:
        (tube,) = csv.DictReader(file)
    assert (tube["labels"], tube["stop"], tube["video"]) == ("walk", "40", scene.video)


def test_a_tube_that_was_not_read_has_empty_cells(tmp_path: Path) -> None:
    play(TablesSink(tmp_path), Scene(actors=(Actor(0, 4, read=False),), frames=5))
    with (tmp_path / "tubes.csv").open(newline="") as file:
        (tube,) = csv.DictReader(file)
    assert (tube["labels"], tube["top"], tube["top_score"]) == ("", "", "")


@pytest.mark.parametrize("build", SINKS)
def test_nothing_recognised_is_a_whole_file(build: type[Sink], tmp_path: Path) -> None:
    play(build(tmp_path), Scene(actors=(), frames=0))
    for name in SINKS[build]:
        lines = (tmp_path / name).read_text().splitlines()
        assert len(lines) == (1 if name.endswith(".csv") else 0)


@pytest.mark.parametrize("build", SINKS)
def test_what_is_abandoned_leaves_what_was_there(build: type[Sink], tmp_path: Path) -> None:
    name = SINKS[build][0]
    (tmp_path / name).write_text("before")
    scene = Scene()
    sink = build(tmp_path)
    sink.abandon()
    sink.begin(scene.header)
    for event in scene.events():
        sink.take(event)
    assert (tmp_path / name).read_text() == "before"
    sink.abandon()
    sink.abandon()
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "before"


def test_rows_are_on_disk_as_they_come(tmp_path: Path) -> None:
    """A process that is killed leaves every row it wrote, under the temporary name."""
    program = """
import os, signal, sys
from pathlib import Path
from tinyvirat.recognition.outputs.files import GrowingFile
file = GrowingFile(Path(sys.argv[1]) / "rows.jsonl")
file.open()
file.write("first\\n")
file.write("second\\n")
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".rows-") and left.suffix == ".jsonl"
    assert left.read_text() == "first\nsecond\n"


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"rows\.jsonl: cannot be written"):
        GrowingFile(tmp_path / "file" / "rows.jsonl").open()
    (tmp_path / "rows.jsonl").mkdir()
    file = GrowingFile(tmp_path / "rows.jsonl")
    file.open()
    with pytest.raises(OutputError, match=r"rows\.jsonl: cannot be written"):
        file.finish()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "rows.jsonl"]


def test_a_file_name_that_is_no_text_can_be_written(tmp_path: Path) -> None:
    scene = replace(Scene(), video=os.fsdecode(b"bad\xff.avi"))
    play([JsonlSink(tmp_path), TablesSink(tmp_path)], scene)
    assert "bad .avi" in (tmp_path / "tubes.csv").read_text(encoding="utf-8")
    row = json.loads((tmp_path / "actions.jsonl").read_text().splitlines()[0])
    assert os.fsencode(row["video"]) == b"bad\xff.avi"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "' =1"),
        ("\r\n=1", "'  =1"),
        ("\N{FULLWIDTH EQUALS SIGN}1", "'\N{FULLWIDTH EQUALS SIGN}1"),
        ("a=b", "a=b"),
        ("walk-1", "walk-1"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(text: str, cell: str) -> None:
    assert text_cell(text) == cell


@given(st.text())
def test_whatever_the_text_it_is_one_cell_and_no_formula(text: str) -> None:
    cell = text_cell(text)
    assert not cell.strip().startswith(("=", "+", "-", "@"))
    assert not set(cell) & set("\r\n\t\0")
    written = io.StringIO(newline="")
    csv.writer(written).writerow([cell, 1])
    assert list(csv.reader(io.StringIO(written.getvalue(), newline=""))) == [[cell, "1"]]
