"""Strips and timelines: which tubes are shown, what is drawn, and what is cleared away."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tinyvirat.models.inference import Inference
from tinyvirat.models.saved import load_model
from tinyvirat.recognition.events import TubeEnd
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.outputs import timeline
from tinyvirat.recognition.outputs.collecting import Collected, lanes_of
from tinyvirat.recognition.outputs.colours import OTHER, PALETTE, colours_of
from tinyvirat.recognition.outputs.keeping import Best
from tinyvirat.recognition.outputs.strip import CAPTION, SIDE, StripDrawer, rows_picture, said_of
from tinyvirat.recognition.outputs.strips import StripsSink
from tinyvirat.recognition.outputs.timeline import A_PAGE, TimelineSink
from tinyvirat.recognition.outputs.words import clock, source_name

from ..conftest import write_model
from .scenes import Actor, Scene, crowd, play


def ends(scene: Scene) -> dict[int, TubeEnd]:
    return {event.tube: event for event in scene.events() if isinstance(event, TubeEnd)}


@given(st.lists(st.integers(0, 5)), st.integers(1, 4))
def test_the_best_are_kept_and_of_equals_the_first(ranks: list[int], most: int) -> None:
    best = Best[int](most)
    fallen = [best.offer((rank,), place) for place, rank in enumerate(ranks)]
    order = sorted(range(len(ranks)), key=lambda place: (-ranks[place], place))
    assert list(best) == sorted(order[:most])
    assert sorted(f for f in fallen if f is not None) == sorted(order[most:])
    assert best.seen == len(ranks)
    assert best.takes((6,))


def test_what_is_not_taken_falls_out() -> None:
    chance = random.Random(0)
    best = Best[int](5)
    for place in range(100):
        rank = (float(chance.randrange(10)),)
        takes = best.takes(rank)
        assert (best.offer(rank, place) != place) == takes


def test_a_strip_of_each_tube_that_was_read(tmp_path: Path) -> None:
    play(StripsSink(tmp_path, StripDrawer(None)), Scene())
    names = sorted(path.name for path in (tmp_path / "strips").iterdir())
    assert names == ["tube-0000.png", "tube-0001.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["strips"]


def test_the_tubes_with_most_to_show_are_drawn(tmp_path: Path) -> None:
    scene = crowd(12)
    sink = StripsSink(tmp_path, StripDrawer(None), most=3)
    sink.begin(scene.header)
    for event in scene.events():
        sink.take(event)
        assert len(list(tmp_path.glob(".strips-*/*"))) <= 3
    sink.end(scene.end)
    peaks = {n: max([a.peak for a in end.actions], default=-1.0) for n, end in ends(scene).items()}
    best = sorted(peaks, key=lambda tube: -peaks[tube])[:3]
    drawn = {int(path.stem.split("-")[1]) for path in (tmp_path / "strips").iterdir()}
    assert drawn == set(best)


def test_strips_of_an_earlier_run_go_and_other_files_stay(tmp_path: Path) -> None:
    play(StripsSink(tmp_path, StripDrawer(None)), Scene())
    (tmp_path / "strips" / "mine.txt").write_text("")
    play(StripsSink(tmp_path, StripDrawer(None)), Scene(actors=()))
    assert [path.name for path in (tmp_path / "strips").iterdir()] == ["mine.txt"]
    (tmp_path / "strips" / "mine.txt").unlink()
    play(StripsSink(tmp_path, StripDrawer(None)), Scene(actors=()))
    assert list(tmp_path.iterdir()) == []


def test_abandoned_strips_leave_what_was_there(tmp_path: Path) -> None:
    play(StripsSink(tmp_path, StripDrawer(None)), Scene())
    before = {path.name: path.read_bytes() for path in (tmp_path / "strips").iterdir()}
    sink = StripsSink(tmp_path, StripDrawer(None))
    sink.abandon()
    sink.begin(Scene().header)
    for event in crowd(5).events():
        sink.take(event)
    sink.abandon()
    assert {path.name: path.read_bytes() for path in (tmp_path / "strips").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["strips"]


@pytest.mark.parametrize(
    ("name", "rows"), [("attention", 3), ("super-resolved", 2), ("large clips", 1)]
)
def test_a_model_shows_what_it_makes_of_the_input(name: str, rows: int, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", name)
    recognizer = ActionRecognizer(Inference(load_model(folder), precision="float32"))
    torch.manual_seed(0)
    tube = replace(ends(Scene())[0], best_window_THWC=np.full((8, 20, 20, 3), 90, np.uint8))
    drawer = StripDrawer(recognizer)
    picture = drawer.draw(tube)
    assert picture is not None and picture.height == rows * (SIDE + 2)
    assert drawer.draw(tube) is picture
    # The input's row shows the grey that went in.
    assert np.abs(np.asarray(picture)[SIDE // 2, CAPTION + SIDE // 2].astype(int) - 90).max() <= 2


def test_an_exported_model_shows_its_input_only() -> None:
    inference = Inference.__new__(Inference)
    inference._network = None
    inference.spec = type("Spec", (), {"name": "exported"})()  # type: ignore[assignment]
    drawer = StripDrawer(ActionRecognizer(inference))
    picture = drawer.draw(ends(Scene())[0])
    assert picture is not None and picture.height == SIDE + 2


def test_a_tube_without_a_window_has_no_strip() -> None:
    assert StripDrawer(None).draw(ends(Scene())[2]) is None


def test_frames_of_any_shape_fit_their_tile() -> None:
    for shape in ((1, 1, 1, 3), (3, 10, 400, 3), (16, 300, 7, 3), (2, 112, 112, 3)):
        picture = rows_picture({"input": np.full(shape, 200, np.uint8)})
        assert (np.asarray(picture)[SIDE // 2, CAPTION + SIDE // 2] == 200).all(), shape


def test_what_a_strip_says() -> None:
    tubes = ends(Scene())
    assert said_of(tubes[0]) == "walk 0.90,  carry 0.75"
    assert said_of(tubes[1]) == (
        "nothing above its threshold; highest: walk 0.06,  pull 0.05,  carry 0.04"
    )
    assert said_of(tubes[2]) == "nothing above its threshold"


def bars(path: Path, colour: str) -> np.ndarray:
    """Where a picture has a colour."""
    rgb = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    found: np.ndarray = (np.asarray(Image.open(path).convert("RGB")) == rgb).all(axis=2)
    return found


def test_bars_are_as_long_as_what_they_stand_for(tmp_path: Path) -> None:
    """Of the 4 s, walking takes 2.4 s and carrying, in the middle of it, 0.8 s."""
    play(TimelineSink(tmp_path), Scene())
    assert [path.name for path in tmp_path.iterdir()] == ["timeline.png"]
    walk, carry = (bars(tmp_path / "timeline.png", PALETTE[k])[:150].any(axis=0) for k in (0, 1))
    assert np.flatnonzero(carry).size / np.flatnonzero(walk).size == pytest.approx(1 / 3, abs=0.02)
    middle = [float(np.flatnonzero(one).mean()) for one in (walk, carry)]
    assert middle[0] == pytest.approx(middle[1], abs=3)


def test_many_tubes_take_several_pages_and_fewer_take_them_back(tmp_path: Path) -> None:
    (tmp_path / "timeline-mine.png").write_text("")
    play(TimelineSink(tmp_path), crowd(2 * A_PAGE + 1, size=(8, 8)))
    pages = ["timeline-2.png", "timeline-3.png", "timeline-mine.png", "timeline.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == pages
    assert Image.open(tmp_path / "timeline.png").height > 1500
    play(TimelineSink(tmp_path), Scene(actors=(), frames=0))
    assert sorted(path.name for path in tmp_path.iterdir()) == pages[2:]


@pytest.mark.parametrize(
    ("tubes", "title"),
    [(0, "yard.avi: 0 tubes"), (1, "yard.avi: 1 tube"), (2, "yard.avi: 2 tubes")],
)
def test_a_timeline_counts_its_tubes(
    tubes: int, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    monkeypatch.setattr(timeline, "draw_timeline", lambda *_, title, stop: titles.append(title))
    play(TimelineSink(tmp_path), crowd(tubes))
    assert titles == [title]


def test_labels_with_odd_characters_are_drawn(tmp_path: Path) -> None:
    names = ("a$b$", "_", "日本", "x\n\x00y", "é" * 300, *map(str, range(40)))
    acts = tuple((name, 0, 20, 0.9) for name in names)
    scene = Scene(actors=(Actor(0, 20, acts),), frames=20, video="$x^{$")
    play(TimelineSink(tmp_path), scene)
    assert (tmp_path / "timeline.png").stat().st_size > 1000


def test_too_many_tubes_are_counted_and_the_best_kept() -> None:
    collected = Collected(4)
    scene = crowd(10)
    for event in scene.events():
        if not hasattr(event, "frame"):
            collected.take(event)  # type: ignore[arg-type]
    rows = collected.rows()
    assert (collected.seen, len(rows)) == (10, 4)
    assert [row.tube.start for row in rows] == sorted(row.tube.start for row in rows)
    assert all(row.tube.best_window_THWC is None for row in rows)
    peaks = sorted(max([a.peak for a in e.actions], default=-1) for e in ends(scene).values())
    assert sorted(row.actions[0].peak for row in rows) == peaks[-4:]


def test_what_overlaps_is_in_different_lanes() -> None:
    acts = (("a", 0, 10, 0.9), ("b", 5, 15, 0.9), ("c", 10, 20, 0.9), ("d", 6, 7, 0.9))
    end = ends(Scene(actors=(Actor(0, 20, acts),), frames=20))[0]
    lanes = dict(zip((a.label for a in end.actions), lanes_of(end.actions), strict=True))
    assert lanes == {"a": 0, "b": 1, "d": 2, "c": 0}


def test_the_frequent_get_colours_of_their_own() -> None:
    weights = {f"label {k}": float(-k) for k in range(30)}
    colours = colours_of(weights)
    assert list(colours.values())[: len(PALETTE)] == list(PALETTE)
    assert set(list(colours.values())[len(PALETTE) :]) == {OTHER}


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [
        (0.0, 1, "00:00.0"),
        (59.96, 1, "01:00.0"),
        (3599.9996, 3, "1:00:00.000"),
        (83.456, 3, "01:23.456"),
        (90061.0, 0, "25:01:01"),
        (-1.0, 0, "00:00"),
    ],
)
def test_times(seconds: float, decimals: int, text: str) -> None:
    assert clock(seconds, decimals) == text


@pytest.mark.parametrize(
    ("video", "shown"),
    [
        ("rtsp://me:secret@camera/live", "rtsp://camera/live"),
        ("https://token@host:8/a@b", "https://host:8/a@b"),
        ("/a/b@c.mp4", "/a/b@c.mp4"),
    ],
)
def test_no_password_is_shown(video: str, shown: str) -> None:
    assert source_name(video) == shown
