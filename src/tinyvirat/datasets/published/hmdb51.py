"""HMDB-51 (Kuehne, Jhuang, Garrote, Poggio, Serre 2011): 6,766 clips of 51 classes, three splits.

`<class>/<name>.avi`; the lists are `<class>_test_split{1,2,3}.txt` with a line a clip, `name.avi 0`
(unused), `1` (train) or `2` (test); 70 and 30 a class.

Within a class no film is on both sides (found so in split 1). Across classes many are: of split 1's
1,530 test clips, 457 are cut from films that other classes are trained on. A clip's source is
therefore its class and its film, and its origin is the film.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinyvirat.datasets.published.facts import HMDB51
from tinyvirat.datasets.published.layout import RAR_REMEDY, VideoFiles, one_folder
from tinyvirat.datasets.published.listing import ListedClip, Listing, PublishedError
from tinyvirat.datasets.published.lists import Line, lists_folder, read_lines

LISTS = ("testTrainMulti_7030_splits", "test_train_splits", "hmdb51_splits")
LISTS_REMEDY = "get test_train_splits.rar from the data set's page"
VIDEOS_REMEDY = (
    "get hmdb51_org.rar from the data set's page, unpack it, and unpack the archive of each class "
    f"that is in it ({RAR_REMEDY})"
)
UNUSED = 0
SIDES = {1: "train", 2: "test"}
# What follows the film's name and the class: visible body, camera, people, view, quality, number.
TAGS = r"_[a-z]_(?:cm|nm)_np\d+_(?:ba|fr|le|ri)_(?:bad|med|goo)_\d+"


@dataclass(frozen=True)
class _Named:
    """A clip as a line of a list names it; `side` is 0, 1 or 2."""

    line: Line
    label: str
    file: str
    side: int

    @property
    def film(self) -> str:
        """The film's name, out of the clip's; all of it where it is formed otherwise."""
        stem = PurePosixPath(self.file).stem
        return re.sub(f"_{re.escape(self.label)}{TAGS}$", "", stem) or stem


def list_hmdb51(root: Path, split: int = 1, *, lists: Path | None = None) -> Listing:
    """HMDB-51 as its lists describe it.

    Args:
        root: the folder with one sub-folder a class, or one around it.
        split: 1, 2 or 3.
        lists: the folder of the lists, or one around it; `None` looks in and beside `root`.

    Raises:
        PublishedError: the lists or the videos are not there, a line is malformed, or a clip is
            listed twice.
    """
    pattern = f"*_test_split{split}.txt"
    folder = lists_folder(lists, root, pattern, LISTS, LISTS_REMEDY)
    paths = {path.name.removesuffix(pattern[1:]): path for path in sorted(folder.glob(pattern))}
    several = [named for label, path in paths.items() for named in _clips(label, path)]
    home = one_folder(
        root,
        lambda folder: any((folder / label).is_dir() for label in paths),
        "a folder named for a class of HMDB-51",
        VIDEOS_REMEDY,
    )
    files = VideoFiles(home)
    every = {named: files.named(named.label, named.file) for named in several}
    clips = [_listed(named, file) for named, file in every.items() if named.side != UNUSED]
    clips.sort(key=lambda clip: clip.split == "test")
    facts = HMDB51[split]
    differences = list(files.left_out)
    if len(paths) != facts.classes:
        differences.append(f"{folder}: lists of {len(paths)} classes, not {facts.classes}")
    return Listing(
        facts=facts,
        root=home,
        classes=tuple(paths),
        clips=tuple(clips),
        unused=sum(named.side == UNUSED for named in several),
        unlisted=files.others(every.values()),
        differences=tuple(differences),
    )


def _listed(named: _Named, file: Path | None) -> ListedClip:
    return ListedClip(
        id=f"{named.label}/{PurePosixPath(named.file).stem}",
        name=f"{named.label}/{named.file}",
        file=file,
        split=SIDES[named.side],
        labels=(named.label,),
        source=f"{named.label}/{named.film}",
        origin=named.film,
        extra={"film": named.film},
    )


def _clips(label: str, path: Path) -> list[_Named]:
    clips: dict[str, _Named] = {}
    for line in read_lines(path):
        name, _, side = line.text.rpartition(" ")
        name = name.strip()
        if not name.endswith(".avi") or "/" in name or "\\" in name:
            line.wrong(f"{line.text[:120]!r} is not of the form 'name.avi 1'")
        if name in clips:
            line.wrong(f"{name!r} is listed twice, first in line {clips[name].line.number}")
        number = line.whole(side, 0, 2, "the side (0 unused, 1 train, 2 test)")
        clips[name] = _Named(line, label, name, number)
    if not clips:
        raise PublishedError(f"{path}: no clips; it must have one line for each")
    return list(clips.values())
