"""Sides of source videos: lists, folders, and a rule for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyvirat.annotations import AnnotationFiles
from tinyvirat.datasets.tubes import RulesError, Splits, splits_of
from tinyvirat.datasets.tubes.rules import SplitRule
from tinyvirat.datasets.tubes.splits import recording_of

NAME = "VIRAT_S_040000_0{}_000111_000145"


def annotation(path: Path) -> AnnotationFiles:
    """The annotations of a video by one file."""
    return AnnotationFiles(path.name.split(".")[0], "kpf", (path,))


def test_folders_say_the_side(tmp_path: Path) -> None:
    where = {
        "train/a.geom.yml": "train",
        "validate/b.geom.yml": "val",
        "v1/train-kpf/c.geom.yml": "train",
        "v1/validate-kpf/deep/d.geom.yml": "val",
        "UMD-v1-val/e.geom.yml": "val",
        "test/train/f.geom.yml": "train",
        "Testing/g.geom.yml": "test",
    }
    splits = splits_of([annotation(tmp_path / one) for one in where], tmp_path, SplitRule())
    for path, split in where.items():
        assert splits.of(Path(path).name[0]) == split
        assert splits.origin(Path(path).name[0]) == "folder"


@pytest.mark.parametrize("folder", ["trainers", "evaluate", "train-val", "my-test-set", "."])
def test_folders_that_say_nothing(tmp_path: Path, folder: str) -> None:
    files = [annotation(tmp_path / folder / "a.geom.yml")]
    assert splits_of(files, tmp_path, SplitRule()).origin("a") == "rule"


def test_the_folder_given_may_say_it_itself_but_not_what_is_above_it(tmp_path: Path) -> None:
    root = tmp_path / "Validate"
    files = [annotation(root / "a.geom.yml")]
    assert splits_of(files, root, SplitRule()).of("a") == "val"
    inner = root / "sets"
    files = [annotation(inner / "a.geom.yml")]
    assert splits_of(files, inner, SplitRule()).origin("a") == "rule"


def test_a_video_on_two_sides_is_refused(tmp_path: Path) -> None:
    files = [annotation(tmp_path / "train/a.geom.yml"), annotation(tmp_path / "val/a.geom.yml")]
    with pytest.raises(RulesError, match=r"train for train and in .*val for val"):
        splits_of(files, tmp_path, SplitRule())
    twice = [annotation(tmp_path / "train/a.geom.yml"), annotation(tmp_path / "x/train/a.geom.yml")]
    assert splits_of(twice, tmp_path, SplitRule()).of("a") == "train"


def test_a_list_of_names_and_splits(tmp_path: Path) -> None:
    file = tmp_path / "splits.txt"
    file.write_text("# VIRAT\na.mp4 train\n\n videos/b.avi\tvalidate # late\nc.d_e test\nA b val\n")
    files = [annotation(tmp_path / "test/a.geom.yml")]
    splits = splits_of(files, tmp_path, SplitRule(list=file))
    assert [splits.of(name) for name in ("a", "b", "c.d_e", "A b")] == [
        "train",
        "val",
        "test",
        "val",
    ]
    assert splits.origin("a") == "list"
    with pytest.raises(RulesError, match=r"splits.txt: 'z' is not in it"):
        splits.of("z")


def test_a_list_a_side(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a\nb.mp4\n")
    (tmp_path / "v.txt").write_text("videos/c.mp4\n")
    splits = splits_of([], tmp_path, SplitRule(train=tmp_path / "t.txt", val=tmp_path / "v.txt"))
    assert [splits.of(name) for name in "abc"] == ["train", "train", "val"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a train\nb\n", r"s.txt:2: 'b' is not a name and a split"),
        ("a trian\n", r"s.txt:1: 'a trian' is not"),
        ("a train\n\na.mp4 val\n", r"s.txt:3: 'a' is on the side train already"),
        ("# nothing\n", "names no video"),
    ],
)
def test_lists_with_mistakes(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.txt").write_text(text)
    with pytest.raises(RulesError, match=said):
        splits_of([], tmp_path, SplitRule(list=tmp_path / "s.txt"))


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"nowhere.txt: cannot be read"):
        splits_of([], tmp_path, SplitRule(list=tmp_path / "nowhere.txt"))
    (tmp_path / "s.txt").write_bytes(b"\xff\xff")
    with pytest.raises(RulesError, match=r"s.txt: cannot be read"):
        splits_of([], tmp_path, SplitRule(val=tmp_path / "s.txt"))


def test_pieces_of_a_recording_stay_together() -> None:
    assert recording_of("VIRAT_S_040000_02_000111_000145") == "VIRAT_S_040000"
    assert recording_of("VIRAT_S_000002") == "VIRAT_S_000002"
    assert recording_of("VIRAT_S_0400001_02") == "VIRAT_S_0400001_02"
    assert recording_of("2018-03-05.13-10") == "2018-03-05.13-10"
    splits = Splits()
    assert len({splits.of(NAME.format(number)) for number in range(10)}) == 1


def test_the_rule_is_the_same_everywhere_and_keeps_its_share() -> None:
    # These are fixed for ever: a data set built again has to be the same.
    scenes = ("000000", "000200", "010200", "040000", "040103", "050000")
    assert [Splits().of(f"VIRAT_S_{scene}_00") for scene in scenes] == [
        *["train"] * 4,
        "val",
        "train",
    ]
    names = [f"VIRAT_S_{number:06d}_00" for number in range(2000)]
    share = sum(Splits().of(name) == "val" for name in names) / len(names)
    assert 0.36 < share < 0.44
    assert {Splits(val_share=0.0).of(name) for name in names} == {"train"}
    assert {Splits(val_share=1.0).of(name) for name in names} == {"val"}
