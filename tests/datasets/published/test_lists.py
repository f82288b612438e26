"""Each data set's lists are read as they are in the wild, and nothing else is taken for them."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.datasets.published import (
    Listing,
    PublishedError,
    list_hmdb51,
    list_tinyvirat,
    list_ucf101,
)
from tinyvirat.datasets.published.facts import HMDB51, TINYVIRAT_CLASSES, TINYVIRAT_V2, UCF101

from .conftest import Copy
from .stand_ins import TINYVIRAT_ORDER

Change = Callable[[list[str]], None]


def edit(path: Path, change: Change) -> None:
    """Changes the lines of a list in place."""
    lines = path.read_text(encoding="utf-8").splitlines()
    change(lines)
    path.write_text("\n".join(lines), encoding="utf-8")


def sides(listing: Listing) -> Counter[str]:
    return Counter(clip.split for clip in listing.clips)


class TestUcf101:
    def test_the_three_splits(self, stand_ins: Path) -> None:
        root = stand_ins / "ucf101"
        for split, tested in ((1, {"g01", "g02"}), (2, {"g08", "g09"}), (3, {"g15"})):
            listing = list_ucf101(root, split)
            assert listing.facts == UCF101[split]
            assert listing.root == root / "UCF-101"
            assert listing.classes == ("Archery", "HandstandPushups", "Surfing")
            assert len(listing.clips) == 18
            groups = {clip.source.split("/")[1] for clip in listing.clips if clip.split == "test"}
            assert groups == tested
            assert listing.unlisted == ()
            assert all(clip.file is not None and clip.file.is_file() for clip in listing.clips)

    def test_the_name_that_is_written_in_two_ways(self, copy: Copy) -> None:
        root = copy("ucf101")
        lists = root / "ucfTrainTestlist"
        clip = next(c for c in list_ucf101(root).clips if c.labels == ("HandstandPushups",))
        assert clip.id == "HandstandPushups/v_HandStandPushups_g08_c01"
        assert clip.source == "HandstandPushups/g08"
        for path in lists.glob("t*list0?.txt"):  # as some copies of the lists have it
            text = path.read_text().replace("HandstandPushups/v", "HandStandPushups/v")
            path.write_text(text)
        again = next(c for c in list_ucf101(root).clips if c.labels == ("HandstandPushups",))
        assert again.file == clip.file

    def test_clips_may_be_converted_and_elsewhere(self, copy: Copy) -> None:
        root = copy("ucf101")
        (root / "UCF-101").rename(root / "videos")
        old = root / "videos" / "Surfing" / "v_Surfing_g01_c01.avi"
        old.rename(old.with_suffix(".MP4"))
        (root / "videos" / "Surfing" / "v_Surfing_g99_c01.avi").touch()
        listing = list_ucf101(root)
        assert all(clip.file for clip in listing.clips)
        assert listing.unlisted == ("Surfing/v_Surfing_g99_c01.avi",)

    def test_lists_beside_the_videos_or_named(self, copy: Copy, tmp_path: Path) -> None:
        root = copy("ucf101")
        assert len(list_ucf101(root / "UCF-101").clips) == 18
        (root / "ucfTrainTestlist").rename(tmp_path / "elsewhere")
        with pytest.raises(PublishedError, match=r"testlist0.*neither in it.*--lists"):
            list_ucf101(root / "UCF-101")
        assert len(list_ucf101(root, lists=tmp_path / "elsewhere").clips) == 18

    @pytest.mark.parametrize(
        ("name", "line", "new", "message"),
        [
            ("classInd.txt", 1, "3 Surfing", "line 2: .*has the number 3, not 2"),
            ("classInd.txt", 1, "2 Archery", "line 2: the class 'Archery' is given twice"),
            ("classInd.txt", 1, "2", "line 2: '2' is not a number and a class"),
            ("classInd.txt", 1, "二 Archery", "line 2: .*whole number"),
            ("trainlist01.txt", 2, "Archery/v_Archery_g15_c01.avi 2", "line 3: .*'Handstand"),
            ("trainlist01.txt", 2, "Archery/v_Archery_g15_c01.avi 4", "line 3: .*from 1 to 3"),
            ("trainlist01.txt", 2, "Archery/v_Archery_g15_c01.avi", "line 3: .*not of the form"),
            ("trainlist01.txt", 2, "Archery/v_Archery_g08_c01.avi 1", "line 3: .*listed twice"),
            ("trainlist01.txt", 2, "Archery/v_Archery_g01_c07.avi 1", r"testlist01.txt, line 1: "
             r"group 1 of Archery is tested here and trained on in .*trainlist01.txt, line 3"),
            ("trainlist01.txt", 2, "Bowling/v_Bowling_g15_c01.avi 1", "line 3: 'Bowling' is no"),
            ("testlist01.txt", 0, "Archery/v_Surfing_g01_c01.avi", "line 1: .*is not named like"),
            ("testlist01.txt", 0, "Archery/../v_Archery_g01_c01.avi", "line 1: .*is not named"),
        ],
    )  # fmt: skip
    def test_a_line_that_is_wrong_is_named(
        self, copy: Copy, name: str, line: int, new: str, message: str
    ) -> None:
        root = copy("ucf101")
        edit(root / "ucfTrainTestlist" / name, lambda lines: lines.__setitem__(line, new))
        with pytest.raises(PublishedError, match=message):
            list_ucf101(root)

    def test_groups_other_than_the_official_ones_are_told(self, copy: Copy) -> None:
        root = copy("ucf101")
        for kind in ("train", "test"):
            path = root / "ucfTrainTestlist"
            shutil.copy(path / f"{kind}list02.txt", path / f"{kind}list01.txt")
        told = "\n".join(list_ucf101(root).differences)
        assert "split 1 tests on the groups 1 to 7, and here it is otherwise for 1, 2, 8, 9" in told

    def test_archives_that_still_lie_there(self, tmp_path: Path) -> None:
        (tmp_path / "ucfTrainTestlist").mkdir()
        (tmp_path / "ucfTrainTestlist" / "classInd.txt").write_text("1 Archery\n")
        (tmp_path / "ucfTrainTestlist" / "trainlist01.txt").touch()
        (tmp_path / "ucfTrainTestlist" / "testlist01.txt").touch()
        (tmp_path / "UCF101.rar").touch()
        with pytest.raises(PublishedError, match=r"unpack 'UCF101.rar' .*unrar x"):
            list_ucf101(tmp_path)


class TestHmdb51:
    def test_sides_and_films(self, stand_ins: Path) -> None:
        listing = list_hmdb51(stand_ins / "hmdb51", 2)
        assert listing.facts == HMDB51[2]
        assert listing.classes == ("brush_hair", "shoot_bow", "wave")
        assert listing.unused == 3
        assert sides(listing) == {"train": 22, "test": 11}
        assert [clip.split for clip in listing.clips] == ["train"] * 22 + ["test"] * 11
        clip = next(c for c in listing.clips if c.origin == "Return_of_the_King_1")
        assert clip.source == f"{clip.labels[0]}/Return_of_the_King_1"
        assert clip.extra == {"film": "Return_of_the_King_1"}
        odd = next(c for c in listing.clips if "[" in c.id)
        assert odd.origin == f"Film_{odd.labels[0]}__[_NEW_!!_]_{odd.origin[-1]}"
        assert odd.file is not None
        assert listing.unlisted == ()  # clips that the split does not use are no strangers

    def test_the_splits_are_different(self, stand_ins: Path) -> None:
        tests = [
            {c.id for c in list_hmdb51(stand_ins / "hmdb51", split).clips if c.split == "test"}
            for split in (1, 2, 3)
        ]
        assert not tests[0] & tests[1]
        assert not tests[1] & tests[2]

    @pytest.mark.parametrize(
        ("new", "message"),
        [
            ("name.avi 3 ", "line 1: the side .* is '3'; .*from 0 to 2"),
            ("name.avi", "line 1: 'name.avi' is not of the form"),
            ("name.mp4 1", "line 1: .*not of the form"),
            ("../name.avi 1", "line 1: .*not of the form"),
            ("name.avi -1", "line 1: .*from 0 to 2"),
        ],
    )
    def test_a_line_that_is_wrong_is_named(self, copy: Copy, new: str, message: str) -> None:
        root = copy("hmdb51")
        path = root / "testTrainMulti_7030_splits" / "wave_test_split1.txt"
        edit(path, lambda lines: lines.__setitem__(0, new))
        with pytest.raises(PublishedError, match=f"{path.name}, {message}"):
            list_hmdb51(root)

    def test_a_clip_twice_and_a_list_that_is_empty(self, copy: Copy) -> None:
        root = copy("hmdb51")
        path = root / "testTrainMulti_7030_splits" / "wave_test_split1.txt"
        edit(path, lambda lines: lines.append(lines[3]))
        with pytest.raises(PublishedError, match=r"line 13: .*listed twice, first in line 4"):
            list_hmdb51(root)
        path.write_text("\n \n")
        with pytest.raises(PublishedError, match=r"wave_test_split1.txt: no clips"):
            list_hmdb51(root)

    def test_a_name_that_is_formed_otherwise_is_its_own_film(self, copy: Copy) -> None:
        root = copy("hmdb51")
        path = root / "testTrainMulti_7030_splits" / "wave_test_split1.txt"
        edit(path, lambda lines: lines.append("holiday.avi 1"))
        clip = next(c for c in list_hmdb51(root).clips if "holiday" in c.id)
        assert (clip.origin, clip.file) == ("holiday", None)


class TestTinyvirat:
    def test_version_1(self, stand_ins: Path) -> None:
        listing = list_tinyvirat(stand_ins / "v1", 1)
        assert listing.root == stand_ins / "v1" / "TinyVIRAT"
        assert listing.classes == TINYVIRAT_CLASSES == TINYVIRAT_ORDER
        assert sides(listing) == {"train": 8, "test": 8}
        clip = listing.clips[1]
        assert clip.id == "train/VIRAT_S_000200_00_000100_000200/1"
        assert clip.labels == ("activity_carrying", "activity_walking")
        assert clip.source == clip.origin == "VIRAT_S_000200_00_000100_000200"
        assert clip.dim == (20, 24, 24)

    def test_version_2(self, stand_ins: Path) -> None:
        listing = list_tinyvirat(stand_ins / "v2", 2)
        assert listing.facts == TINYVIRAT_V2
        assert sides(listing) == {"train": 8, "val": 8, "test": 8}
        val = [clip.id for clip in listing.clips if clip.split == "val"]
        assert val[:3] == ["val/00000", "val/00002", "val/00004"]
        test = next(clip for clip in listing.clips if clip.split == "test")
        assert (test.id, test.labels, test.source) == ("test/00000", (), "test/00000")
        assert listing.clips[0].source == "VIRAT_S_000002"

    def test_every_name_of_the_folder(self, copy: Copy) -> None:
        root = copy("v2")
        (root / "deep").mkdir()
        (root / "TinyVIRAT_V2").rename(root / "deep" / "TinyVIRAT-v2-drop2")
        assert len(list_tinyvirat(root, 2).clips) == 24
        shutil.copytree(root / "deep" / "TinyVIRAT-v2-drop2", root / "deep" / "TinyVIRAT-v2")
        with pytest.raises(PublishedError, match=r"in several folders .*drop2"):
            list_tinyvirat(root, 2)

    def test_a_version_is_not_taken_for_the_other(self, stand_ins: Path) -> None:
        with pytest.raises(PublishedError, match=r"tiny_train_v2.json.*it holds TinyVIRAT; get"):
            list_tinyvirat(stand_ins / "v1", 2)
        with pytest.raises(PublishedError, match="there is no such folder"):
            list_tinyvirat(stand_ins / "none", 1)

    def rewrite(self, root: Path, change: Callable[[list[dict[str, Any]]], object]) -> Path:
        path = root / "TinyVIRAT" / "tiny_train.json"
        data = json.loads(path.read_text())
        change(data["tubes"])
        path.write_text(json.dumps(data))
        return path

    def test_it_is_read_tolerantly(self, copy: Copy) -> None:
        root = copy("v1")

        def change(tubes: list[dict[str, Any]]) -> None:
            tubes[0] |= {"camera": {"height": 3.5}, "dim": "unknown", "label": "Talking"}
            del tubes[1]["dim"], tubes[1]["label"]
            tubes[2]["label"] = ["Talking", "Talking", "Juggling"]
            tubes.append({"path": tubes[3]["path"], "label": ["Push"]})

        path = self.rewrite(root, change)
        listing = list_tinyvirat(root)
        first, second, third, fourth = listing.clips[:4]
        assert first.extra == {"camera": {"height": 3.5}}
        assert (first.dim, first.labels) == (None, ("Talking",))
        assert (second.dim, second.labels) == (None, ())
        assert third.labels == ("Talking", "Juggling")
        assert fourth.labels == ("Opening", "Misc", "Push")
        assert sides(listing)["train"] == 8
        assert listing.classes == (*TINYVIRAT_CLASSES, "Juggling")
        told = "\n".join(listing.differences)
        assert f"{path}: 1 entries name a clip again" in told
        assert "1 labels are not among the 26 classes, and were added after them: Juggling" in told
        assert "classes do not occur: Interacts" in told

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("path", None, "entry 2: path is missing"),
            ("path", "../../../x.mp4", "entry 2: .*leaves its folder"),
            ("path", "../test/x.mp4", "entry 2: .*leaves its folder"),
            ("path", "/etc/x.mp4", "entry 2: .*leaves its folder"),
            ("path", "a\0.mp4", "entry 2: .*leaves its folder"),
            ("path", ["x"], r"entry 2: path is \['x'\]; it must be text"),
            ("label", [3], r"entry 2: label is \[3\]"),
            ("label", {"a": 1}, "entry 2: label is"),
            ("id", True, "entry 2: id is True"),
        ],
    )
    def test_an_entry_that_cannot_be_used_is_named(
        self, copy: Copy, key: str, value: object, message: str
    ) -> None:
        root = copy("v1")
        path = self.rewrite(root, lambda tubes: tubes[1].update({key: value}))
        with pytest.raises(PublishedError, match=f"{re.escape(str(path))}, {message}"):
            list_tinyvirat(root)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[1]", "entry 1: holds 1, not an object"),
            ("{}", "neither a list of clips nor"),
            ('"tubes"', "neither a list of clips nor"),
            ("[{", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ('[{"path": "a/b.mp4", "x": NaN}]', "NaN is not JSON"),
            ('[{"path": "a/b.mp4", "id": 1}, {"path": "c/d.mp4", "id": 1}]', "the id 'train/1'"),
        ],
    )
    def test_a_file_that_is_no_such_list(self, copy: Copy, text: str, message: str) -> None:
        root = copy("v1")
        (root / "TinyVIRAT" / "tiny_train.json").write_text(text)
        with pytest.raises(PublishedError, match=f"tiny_train.json.*{message}"):
            list_tinyvirat(root)

    def test_a_class_map_of_another_order_is_followed_and_told(self, copy: Copy) -> None:
        root = copy("v2")
        path = root / "TinyVIRAT_V2" / "class_map.json"
        path.write_text(json.dumps({name: 25 - n for n, name in enumerate(TINYVIRAT_CLASSES)}))
        listing = list_tinyvirat(root, 2)
        assert listing.classes == TINYVIRAT_CLASSES[::-1]
        assert any("not the published 26" in line for line in listing.differences)
        path.write_text('{"Opening": 1, "Misc": 1}')
        with pytest.raises(PublishedError, match="numbers from 0 on"):
            list_tinyvirat(root, 2)

    def test_a_split_that_is_not_there_is_told(self, copy: Copy) -> None:
        root = copy("v2")
        (root / "TinyVIRAT_V2" / "tiny_val_v2.json").unlink()
        listing = list_tinyvirat(root, 2)
        assert sides(listing) == {"train": 8, "test": 8}
        assert any("tiny_val_v2.json: is not there" in line for line in listing.differences)
        assert len(listing.unlisted) == 8

    def test_links_that_lead_out_are_left_out_and_told(self, copy: Copy, tmp_path: Path) -> None:
        root = copy("v1")
        videos = root / "TinyVIRAT" / "videos"
        clip = next((videos / "train").glob("*/0.mp4"))
        clip.rename(tmp_path / "outside.mp4")
        clip.symlink_to(tmp_path / "outside.mp4")
        (videos / "test").rename(tmp_path / "test")
        (videos / "test").symlink_to(tmp_path / "test")
        listing = list_tinyvirat(root)
        assert sum(clip.file is None for clip in listing.clips) == 9
        told = "\n".join(listing.differences)
        assert "0.mp4: is a link that leads out of" in told
        assert f"{videos / 'test'}: is a link to a folder" in told


class TestTheRealLists:
    """What the real lists hold, as far as they are at hand; no video is needed for it."""

    def test_the_excerpt_of_version_2(self, shared: Path, tmp_path: Path) -> None:
        excerpt = shared / "data" / "formats" / "tinyvirat_v2_val_excerpt.json"
        shutil.copy(excerpt, tmp_path / "tiny_val_v2.json")
        listing = list_tinyvirat(tmp_path, 2)
        data = json.loads(excerpt.read_text())
        assert len(listing.clips) == len(data) == 24
        assert [c.labels for c in listing.clips] == [tuple(entry["label"]) for entry in data]
        assert [c.dim for c in listing.clips] == [tuple(entry["dim"]) for entry in data]
        assert [c.source for c in listing.clips] == [entry["video_id"] for entry in data]
        assert [c.id for c in listing.clips][4] == "val/00005"
        assert not any("not among" in line for line in listing.differences)
        assert {clip.extra == {} for clip in listing.clips} == {True}

    def test_the_authors_split_of_ucf101_is_the_official_one(
        self, shared: Path, tmp_path: Path
    ) -> None:
        """Their lists (path, frames, class from 0) written as the official ones, and read."""
        rows = {
            side: [
                line.split()
                for line in (shared / "data" / "splits" / f"ucf101_split1_{side}.txt")
                .read_text()
                .splitlines()
            ]
            for side in ("train", "test")
        }
        numbers = {int(n): path.split("/")[0] for path, _, n in rows["train"]}
        lists = tmp_path / "ucfTrainTestlist"
        (tmp_path / "UCF-101" / "Archery").mkdir(parents=True)
        lists.mkdir()
        (lists / "classInd.txt").write_text(
            "".join(f"{n + 1} {numbers[n]}\r\n" for n in sorted(numbers))
        )
        (lists / "trainlist01.txt").write_text(
            "".join(f"{path} {int(n) + 1}\r\n" for path, _, n in rows["train"])
        )
        (lists / "testlist01.txt").write_text("".join(f"{path}\r\n" for path, *_ in rows["test"]))
        listing = list_ucf101(tmp_path)
        assert sides(listing) == dict(UCF101[1].clips)
        assert listing.differences == ()
        assert listing.classes == tuple(sorted(listing.classes, key=str.casefold))
        assert len({clip.source for clip in listing.clips}) == 101 * 25

    def test_the_authors_split_of_hmdb51_is_the_official_one(
        self, shared: Path, tmp_path: Path
    ) -> None:
        folder = shared / "data" / "splits"
        lines: dict[str, list[str]] = {}
        for side, number in (("train", 1), ("test", 2)):
            for line in (folder / f"hmdb51_split1_{side}.txt").read_text().splitlines():
                label, name = line.rsplit(" ", 2)[0].split("/")
                lines.setdefault(label, []).append(f"{name} {number} \n")
        for label, several in lines.items():
            path = tmp_path / "testTrainMulti_7030_splits" / f"{label}_test_split1.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(several))
        (tmp_path / "hmdb51_org" / "wave").mkdir(parents=True)
        listing = list_hmdb51(tmp_path)
        assert sides(listing) == dict(HMDB51[1].clips)
        assert listing.differences == ()
        classes = (folder / "hmdb51_classes.txt").read_text().splitlines()
        assert [f"{name} {n}" for n, name in enumerate(listing.classes)] == classes
        sources = {
            side: {c.source for c in listing.clips if c.split == side} for side in ("train", "test")
        }
        assert not sources["train"] & sources["test"]
        films = {c.origin for c in listing.clips if c.split == "train"}
        trained = [c for c in listing.clips if c.split == "test" and c.origin in films]
        assert len(trained) == 457
