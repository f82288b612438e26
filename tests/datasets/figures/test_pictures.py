"""The figures: drawn whole, of what is there; what cannot be drawn is named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyvirat.cli.stats import stats
from tinyvirat.datasets import Manifest, ManifestError, read_manifest, write_manifest
from tinyvirat.datasets.figures import pictures
from tinyvirat.datasets.figures.actors import ActorSize, ActorSizes
from tinyvirat.datasets.figures.sheet import strips
from tinyvirat.datasets.figures.summary import summary
from tinyvirat.datasets.figures.write import write_statistics
from tinyvirat.datasets.tubes.statistics import Sample, statistics
from tinyvirat.video import read_clip

from .conftest import telling

NAMES = ("walk", r"cost $5 \wrong^$", "a very long name that no axis could ever hold", "new\nline")
INK = (0x1F, 0x5A, 0x8A)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def actors(*sides: float) -> ActorSizes:
    return ActorSizes("box", tuple(ActorSize("a", s, 2 * s, 1280, 720) for s in sides), 3)


def samples(*labels: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(Sample("v", "train", one, 20, 10 + 40 * n) for n, one in enumerate(labels))


def draw(path: Path, which: str) -> Path:
    if which == "ratio":
        return pictures.actor_ratio_picture(path, actors(5, 10, 20, 80, 81))
    if which == "one ratio":
        return pictures.actor_ratio_picture(path, actors(5))
    if which == "size":
        return pictures.actor_size_picture(path, actors(5, 10, 20, 80, 500))
    if which == "one size":
        return pictures.actor_size_picture(path, actors(50))
    counted = statistics(samples(NAMES, NAMES[:2], NAMES[:1]))
    if which == "samples":
        return pictures.samples_picture(path, counted)
    return pictures.together_picture(path, counted)


ALL = ("ratio", "one ratio", "size", "one size", "samples", "together")


@pytest.mark.parametrize("which", ALL)
def test_a_figure_is_drawn_whole_and_always_the_same(tmp_path: Path, which: str) -> None:
    path = tmp_path / "new" / "picture.png"
    assert draw(path, which) == path
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]
    assert min(pixels(path).shape[:2]) > 200
    assert draw(tmp_path / "again.png", which).read_bytes() == path.read_bytes()


def ink(path: Path) -> int:
    return int((pixels(path) == INK).all(axis=-1).sum())


def test_more_clips_make_a_longer_bar(tmp_path: Path) -> None:
    few, many = ([("a",)] * n + [("b",)] * 9 for n in (2, 9))
    drawn = [
        ink(pictures.samples_picture(tmp_path / f"{n}.png", statistics(samples(*labels))))
        for n, labels in enumerate((few, many))
    ]
    assert drawn[0] < drawn[1]


def test_what_is_shown_together_is_dark(tmp_path: Path) -> None:
    apart = pictures.together_picture(
        tmp_path / "a.png", statistics(samples(("a",), ("b",), ("a", "c")))
    )
    both = pictures.together_picture(
        tmp_path / "b.png", statistics(samples(("a", "b"), ("a", "b"), ("a", "c")))
    )
    assert pixels(both).astype(int).sum() < pixels(apart).astype(int).sum()


def test_the_sheet_shows_every_class_and_the_smallest_first(clips: Manifest) -> None:
    shown = strips(clips, frames=4)
    assert [strip.record.id for strip in shown] == ["0", "5", "1", "2", "3", "4"]
    for strip in shown:
        length = strip.record.length
        wanted = np.linspace(0, length - 1, min(4, length)).round().astype(int)
        whole = read_clip(clips.file(strip.record)).frames_THWC
        assert np.array_equal(strip.frames_THWC, whole[wanted])
    few = strips(clips, clips=2)
    assert {label for strip in few for label in strip.record.labels} >= {"run", "talk"}


def test_a_clip_that_cannot_be_read_makes_room(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made.parent, tmp_path / "clips")
    (tmp_path / "clips" / "3.mp4").write_bytes(b"no video")
    manifest = read_manifest(tmp_path / "clips" / made.name)
    assert {strip.record.id for strip in strips(manifest)} == {"0", "1", "2", "4", "5"}


def test_the_sheet_has_the_clips_own_pixels(clips: Manifest, tmp_path: Path) -> None:
    path = pictures.contact_sheet_picture(tmp_path / "sheet.png", strips(clips))
    found = pixels(path).reshape(-1, 3)
    for strip in strips(clips):
        colour = strip.frames_THWC[0, -1, -1]
        assert (found == colour).all(axis=1).sum() > 1000, strip.record.id


def test_everything_into_one_folder(clips: Manifest, tmp_path: Path) -> None:
    told = telling(clips, actor=[6, 8], frame=[64, 48])
    written = write_statistics(tmp_path / "out", told, summary(told, "six"))
    names = {"actor_ratio", "actor_size", "contact_sheet", "samples", "together"}
    assert {file.name for file in written.files} == {
        "statistics.json",
        *(f"{name}.png" for name in names),
    }
    assert set(written.files) == set((tmp_path / "out").iterdir())
    assert written.left_out == ()
    plain = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert plain["contact_sheet"] == ["0", "5", "1", "2", "3", "4"]


def test_what_cannot_be_drawn_is_named(clips: Manifest, tmp_path: Path) -> None:
    bare = replace(clips.records[4], path="gone.mp4")
    manifest = replace(clips, records=(bare,), labels=())
    written = write_statistics(tmp_path / "out", manifest, summary(manifest, "bare"))
    assert [file.name for file in written.files] == ["statistics.json"]
    told = " ".join(written.left_out)
    for figure in ("Fig. 1", "Fig. 2 and 3", "Fig. 4", "together"):
        assert figure in told
    assert "extra.actor and extra.frame" in told


def test_the_command(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stats(made, out=tmp_path / "out")
    out, err = capsys.readouterr()
    rows = {line.split("  ")[0].strip(): line.split() for line in out.splitlines() if line}
    assert rows["six clips"][2:] == ["16x12", "-", "140x130", "14.50", "yes", "3", "6", "this"]
    assert rows["TinyVIRAT"][-5:] == ["93.93", "yes", "26", "12829", "paper"]
    assert rows["walk"][1:] == ["4", "0", "3", "1", "1", "1", "1", "1", "0"]
    assert rows["all"][1:] == ["6", "4"]
    assert "Longer side: 16 to 140 pixels" in out
    assert "is not told by the rows" in out
    assert err.count("wrote ") == 4
    assert "left out: actors in their frames" in err
    assert not (made.parent / "statistics").exists()


def test_the_command_tells_of_actors_and_quarantine(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = telling(read_manifest(made), actor=[6, 8], frame=[64, 48])
    path = tmp_path / "m.jsonl"
    write_manifest(path, told.records)
    row = {"id": "4", "path": "4.mp4", "reason": "mine"}
    (tmp_path / "quarantine.jsonl").write_text(json.dumps(row))
    stats(path, root=made.parent, name="mine")
    out, err = capsys.readouterr()
    assert "The actor takes 1.56 % of the source video's frame on average (5 clips)" in out
    assert "source videos: 64x48 (5)" in out
    assert f"{path}: 1 of 6 clips are left out, in quarantine: 1 mine" in err
    assert (tmp_path / "statistics" / "actor_size.png").is_file()


def test_the_command_prints_json(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stats(made, out=tmp_path, json=True)
    assert json.loads(capsys.readouterr().out)["statistics"]["clips"] == 6


def test_a_manifest_without_its_videos_is_counted(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, read_manifest(made).records)
    stats(path)
    assert json.loads((tmp_path / "statistics" / "statistics.json").read_text())
    with pytest.raises(ManifestError):
        stats(tmp_path / "none.jsonl")
