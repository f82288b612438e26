"""Which side a source video is on.

VIRAT has a split of its own by source video, and TinyVIRAT keeps it. No list of it ships with this
package: it is in the folders that the annotations come in (`train`, `validate`), or in a list that
is given. A video that neither knows is put on a side by the name of its recording, so that pieces
of one recording never fall apart.

A recording is `VIRAT_S_` and six digits: group, scene and sequence of VIRAT's release notes; what
follows is the number and the seconds of a piece of it. Any other name is a recording by itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tinyvirat.annotations import AnnotationFiles
from tinyvirat.datasets.folder import SPLIT_FOLDERS, SUFFIXES
from tinyvirat.datasets.tubes.rules import RulesError, SplitRule

Origin = Literal["list", "folder", "rule"]

WORDS = {**SPLIT_FOLDERS, "validate": "val"}
"""What a folder, or a line of a list, may call the splits."""

LARGEST_LIST = 1 << 24
"""Bytes of a list."""

_RECORDING = re.compile(r"VIRAT_S_\d{6}(?=\D|$)")


@dataclass(frozen=True)
class Splits:
    """The side of every video.

    Attributes:
        listed: sides that a list gives; when there are any, no other video has one.
        foldered: sides that folders of annotations give.
        val_share: part of the recordings that goes to validation otherwise.
        source: the list's name, for errors.
    """

    listed: Mapping[str, str] = field(default_factory=dict)
    foldered: Mapping[str, str] = field(default_factory=dict)
    val_share: float = SplitRule.val_share
    source: str = ""

    def of(self, video: str) -> str:
        """`train`, `val` or `test`: the same whatever other videos there are.

        Args:
            video: its name without folder and suffix.

        Raises:
            RulesError: there is a list, and the video is not in it.
        """
        if self.listed:
            if video not in self.listed:
                raise RulesError(
                    f"{self.source}: {video!r} is not in it; add a line for it, or leave its "
                    "annotations out"
                )
            return self.listed[video]
        if video in self.foldered:
            return self.foldered[video]
        return "val" if _lot(recording_of(video)) < self.val_share else "train"

    def origin(self, video: str) -> Origin:
        """What says so: `list`, `folder` or `rule`."""
        if self.listed:
            return "list"
        return "folder" if video in self.foldered else "rule"


def splits_of(files: Iterable[AnnotationFiles], root: Path, rule: SplitRule) -> Splits:
    """The sides of annotated videos.

    Lists come first, then folders: the nearest one above a file whose name begins or ends with the
    word `train`, `val`, `validate`, `test` or the like (`train`, `validate-kpf`, `UMD-v1-val`).
    The annotations' own folder counts where it is called `train` and nothing else.

    Args:
        files: the annotations.
        root: the folder they were found in.
        rule: lists, and the share of validation where nothing is known.

    Raises:
        RulesError: a list that cannot be read, or a video on two sides.
    """
    lists = [(rule.list, None), (rule.train, "train"), (rule.val, "val"), (rule.test, "test")]
    named = [(path, split) for path, split in lists if path is not None]
    if named:
        return Splits(
            listed=_read_lists(named),
            val_share=rule.val_share,
            source=", ".join(str(path) for path, _ in named),
        )
    return Splits(foldered=_by_folder(files, root), val_share=rule.val_share)


def recording_of(video: str) -> str:
    """The recording a video is a piece of."""
    match = _RECORDING.match(video)
    return match[0] if match else video


def _lot(name: str) -> float:
    """A number in [0, 1) that depends on nothing but the name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48


def _by_folder(files: Iterable[AnnotationFiles], root: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    where: dict[str, Path] = {}
    for each in files:
        parent = each.files[0].parent
        split = _split_of_folder(parent, root)
        if split is None:
            continue
        if splits.setdefault(each.clip, split) != split:
            raise RulesError(
                f"{each.clip}: annotated in {where[each.clip]} for {splits[each.clip]} and in "
                f"{parent} for {split}; remove one, or give a list (--set splits.list=FILE)"
            )
        where.setdefault(each.clip, parent)
    return splits


def _split_of_folder(folder: Path, root: Path) -> str | None:
    for name in reversed(folder.relative_to(root).parts):
        words = re.findall("[a-z0-9]+", name.lower())
        found = {WORDS[word] for word in (words[:1] + words[-1:]) if word in WORDS}
        if len(found) == 1:
            return found.pop()
    return WORDS.get(root.absolute().name.lower())


def _read_lists(lists: Sequence[tuple[Path, str | None]]) -> dict[str, str]:
    splits: dict[str, str] = {}
    for path, split in lists:
        for number, line in enumerate(_lines(path), start=1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            name, side = (text, split) if split else _name_and_split(text, f"{path}:{number}")
            name = _bare(name)
            if splits.setdefault(name, side or "") != side:
                raise RulesError(
                    f"{path}:{number}: {name!r} is on the side {splits[name]} already; a source "
                    "video belongs to one side"
                )
    if not splits:
        raise RulesError(f"{lists[0][0]}: names no video")
    return splits


def _name_and_split(text: str, where: str) -> tuple[str, str]:
    name, _, word = text.replace("\t", " ").rpartition(" ")
    if not name.strip() or word.lower() not in WORDS:
        raise RulesError(
            f"{where}: {text[:80]!r} is not a name and a split; write a video's name, a space, and "
            "train, val or test"
        )
    return name.strip(), WORDS[word.lower()]


def _bare(name: str) -> str:
    """A video's name without folder and without the suffix of a video."""
    last = re.split(r"[/\\]", name)[-1]
    stem, dot, suffix = last.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in SUFFIXES else last


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > LARGEST_LIST:
            raise RulesError(f"{path}: larger than {LARGEST_LIST} bytes: not a list of videos")
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"{path}: cannot be read: {error}") from error
