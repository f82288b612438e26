"""UCF-101 (Soomro, Zamir, Shah 2012): 13,320 clips of 101 classes, three splits by groups.

`UCF-101/<Class>/v_<Class>_gNN_cNN.avi`; the clips of one class with the same gNN are cut from one
video. The lists are `classInd.txt`, `trainlist01..03.txt` (`Class/v_....avi 1`) and
`testlist01..03.txt` (`Class/v_....avi`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinyvirat.datasets.published.facts import UCF101, UCF101_TEST_GROUPS
from tinyvirat.datasets.published.layout import RAR_REMEDY, VideoFiles, one_folder
from tinyvirat.datasets.published.listing import ListedClip, Listing
from tinyvirat.datasets.published.lists import Line, lists_folder, read_lines

LISTS = ("ucfTrainTestlist", "UCF101TrainTestSplits-RecognitionTask")
LISTS_REMEDY = "get UCF101TrainTestSplits-RecognitionTask.zip from the data set's page"
VIDEOS_REMEDY = f"get UCF101.rar from the data set's page and unpack it ({RAR_REMEDY})"
MOST_CLASSES = 10_000
CLIP_NAME = re.compile(r"v_(\w+)_g([0-9]{2})_c([0-9]{2})\.avi")


@dataclass(frozen=True)
class _Named:
    """A clip as a line of a list names it."""

    line: Line
    label: str
    file: str
    group: int

    @property
    def source(self) -> str:
        return f"{self.label}/g{self.group:02}"


def list_ucf101(root: Path, split: int = 1, *, lists: Path | None = None) -> Listing:
    """UCF-101 as its lists describe it.

    Args:
        root: the folder `UCF-101`, or one around it.
        split: 1, 2 or 3.
        lists: the folder of the lists, or one around it; `None` looks in and beside `root`.

    Raises:
        PublishedError: the lists or the videos are not there, a line is malformed, a clip is listed
            twice, or a group of clips is on both sides.
    """
    folder = lists_folder(lists, root, "testlist0?.txt", LISTS, LISTS_REMEDY)
    classes = _classes(folder / "classInd.txt")
    train = _clips(folder / f"trainlist0{split}.txt", classes, labelled=True)
    test = _clips(folder / f"testlist0{split}.txt", classes, labelled=False)
    differences = _check_sides(train, test, split)
    names = {name.casefold() for name in classes}
    home = one_folder(
        root,
        lambda folder: any(path.name.casefold() in names for path in _folders(folder)),
        "a folder named for a class of UCF-101",
        VIDEOS_REMEDY,
    )
    files = VideoFiles(home)
    clips = [
        _listed(files, named, side)
        for side, several in (("train", train), ("test", test))
        for named in several
    ]
    if len(classes) != UCF101[split].classes:
        differences.append(f"{folder / 'classInd.txt'}: {len(classes)} classes, not 101")
    return Listing(
        facts=UCF101[split],
        root=home,
        classes=classes,
        clips=tuple(clips),
        unlisted=files.others(clip.file for clip in clips),
        differences=(*differences, *files.left_out),
    )


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]


def _listed(files: VideoFiles, named: _Named, side: str) -> ListedClip:
    return ListedClip(
        id=f"{named.label}/{PurePosixPath(named.file).stem}",
        name=f"{named.label}/{named.file}",
        file=files.named(named.label, named.file),
        split=side,
        labels=(named.label,),
        source=named.source,
        origin=named.source,
    )


def _classes(path: Path) -> tuple[str, ...]:
    """The classes in the order of their numbers, which count from 1."""
    classes: list[str] = []
    for line in read_lines(path):
        parts = line.text.split()
        if len(parts) != 2:
            line.wrong(f"{line.text[:60]!r} is not a number and a class, such as '1 Archery'")
        number = line.whole(parts[0], 1, MOST_CLASSES, "the number of the class")
        if number != len(classes) + 1:
            line.wrong(f"the class {parts[1]!r} has the number {number}, not {len(classes) + 1}")
        if parts[1] in classes:
            line.wrong(f"the class {parts[1]!r} is given twice")
        classes.append(parts[1])
    return tuple(classes)


def _clips(path: Path, classes: tuple[str, ...], *, labelled: bool) -> list[_Named]:
    """The clips of one list; in a training list each has the number of its class."""
    clips, seen = [], set()
    by_name = {label.casefold(): label for label in classes}
    for line in read_lines(path):
        parts = line.text.split()
        if len(parts) != 1 + labelled:
            form = "Class/v_Class_g01_c01.avi" + (" 1" if labelled else "")
            line.wrong(f"{line.text[:120]!r} is not of the form {form!r}")
        named = _named(line, parts[0], by_name)
        if labelled:
            number = line.whole(parts[1], 1, len(classes), "the number of the class")
            if classes[number - 1] != named.label:
                line.wrong(
                    f"{parts[0]!r} has the number {number}, which is {classes[number - 1]!r} in "
                    f"{path.with_name('classInd.txt')}"
                )
        if (named.label, named.file) in seen:
            line.wrong(f"{parts[0]!r} is listed twice")
        seen.add((named.label, named.file))
        clips.append(named)
    return clips


def _named(line: Line, text: str, by_name: dict[str, str]) -> _Named:
    folder, _, name = text.partition("/")
    label = by_name.get(folder.casefold())
    if label is None:
        line.wrong(f"{folder[:60]!r} is no class of {line.path.with_name('classInd.txt')}")
    match = CLIP_NAME.fullmatch(name)
    if match is None or match[1].casefold() != label.casefold():
        line.wrong(f"{text[:120]!r} is not named like {label}/v_{label}_g01_c01.avi")
    return _Named(line, label, name, int(match[2]))


def _check_sides(train: list[_Named], test: list[_Named], split: int) -> list[str]:
    """Refuses a group on both sides; where the groups are not the official ones, in words."""
    trained = {named.source: named.line for named in train}
    for named in test:
        if named.source in trained:
            other = trained[named.source]
            named.line.wrong(
                f"group {named.group} of {named.label} is tested here and trained on in "
                f"{other.path}, line {other.number}; its clips are cut from one video"
            )
    official = UCF101_TEST_GROUPS[split]
    other_groups = {named.group for named in test} - set(official)
    other_groups |= {named.group for named in train} & set(official)
    if not other_groups:
        return []
    return [
        f"{test[0].line.path if test else train[0].line.path}: split {split} tests on the groups "
        f"{official[0]} to {official[-1]}, and here it is otherwise for "
        + ", ".join(map(str, sorted(other_groups)))
    ]
