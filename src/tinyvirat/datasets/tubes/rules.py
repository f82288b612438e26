"""The parameters of the construction's rules, read from a small YAML file.

Each rule has a version, which changes whenever the same values would give other clips. A clip's
row in the manifest carries the versions and a hash of the values: `BuildRules.provenance`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain
from tinyvirat.common.ranges import within
from tinyvirat.common.strict_yaml import YamlError, parse

LARGEST_RULES = 1 << 16
"""Bytes of a file of rules."""
LONGEST = 1_000_000
"""Frames; no length or gap is greater."""

VERSIONS = {
    "labels": "1",
    "locate": "1",
    "merge": "1",
    "cut": "1",
    "crop": "1",
    "size": "1",
    "select": "1",
    "splits": "1",
}
"""The version of each rule."""

_between = partial(within, ValueError)


class RulesError(TinyviratError):
    """Rules that cannot be followed, or that leave nothing."""


@dataclass(frozen=True)
class LabelRule:
    """Which activities are looked at; the others are gone before anything is merged.

    Attributes:
        select: `tinyvirat26`, the 26 names of TinyVIRAT's class map and the 12 of VIRAT's text
            events; or `all` names there are.
        rename: pairs of a name and the one it becomes, before the selection: `[[Unloading,
            Loading]]`.
    """

    select: Literal["tinyvirat26", "all"] = "tinyvirat26"
    rename: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        old = [name for name, _ in self.rename]
        twice = sorted({name for name in old if old.count(name) > 1})
        if twice:
            raise ValueError(f"rename: {twice[0]!r} is given two new names; give it one")
        for _, new in self.rename:
            if not new.strip() or not new.isprintable() or "|" in new:
                raise ValueError(f"rename: {new!r} is no name of a class")


@dataclass(frozen=True)
class LocateRule:
    """Where an activity is, frame by frame.

    Attributes:
        longest_gap: a track that misses up to so many frames in a row is interpolated linearly
            across them; a longer gap is one.
    """

    longest_gap: int = 30

    def __post_init__(self) -> None:
        _between("longest_gap", self.longest_gap, 0, LONGEST)


@dataclass(frozen=True)
class MergeRule:
    """Which activities become one multi-label tube.

    Attributes:
        measure: how two activities overlap, from 0 to 1: `smaller`, the part of the smaller box
            that lies in the larger one; `iou`, intersection over union (both averaged over the
            frames in which both are located); or `actors`, the part of the smaller cast that
            belongs to the larger one.
        threshold: they overlap from here on.
    """

    measure: Literal["smaller", "iou", "actors"] = "smaller"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"threshold is {self.threshold}; it must be above 0 and at most 1")


@dataclass(frozen=True)
class CutRule:
    """How long clips are.

    Attributes:
        shortest: frames; what is shorter when labels have been made constant is left out.
        longest: frames; what is longer is cut into the fewest pieces of almost equal length.
    """

    shortest: int = 16
    longest: int = 150

    def __post_init__(self) -> None:
        _between("shortest", self.shortest, 1, LONGEST)
        _between("longest", self.longest, 1, LONGEST)
        if self.longest + 1 < 2 * self.shortest:
            raise ValueError(
                f"longest is {self.longest} and shortest {self.shortest}: pieces of "
                f"{self.longest + 1} frames would fall short; longest must be "
                f"{2 * self.shortest - 1} or more"
            )


@dataclass(frozen=True)
class CropRule:
    """The square window of each frame.

    Attributes:
        window: `follow`: the window goes with the actor and keeps its size, that of the largest
            box; `fixed`: it stands still, around the union of a clip's boxes.
        context: added to the side that the boxes need, as a part of it; half on each side.
        smooth: frames that the window's path is averaged over; 1 follows the boxes' every tremble.
    """

    window: Literal["follow", "fixed"] = "follow"
    context: float = 0.1
    smooth: int = 15

    def __post_init__(self) -> None:
        _between("context", self.context, 0, 10)
        _between("smooth", self.smooth, 1, LONGEST)


@dataclass(frozen=True)
class SizeRule:
    """Which clips are tiny.

    Attributes:
        smallest: the smallest side of a window in pixels.
        largest: the largest.
        larger_than: when given, only windows with a larger side are kept instead, however large:
            the high-resolution clips of the super-resolution network.
    """

    smallest: int = 10
    largest: int = 128
    larger_than: int | None = None

    def __post_init__(self) -> None:
        _between("smallest", self.smallest, 2, LONGEST)
        _between("largest", self.largest, self.smallest, LONGEST)
        if self.larger_than is not None:
            _between("larger_than", self.larger_than, 0, LONGEST)


@dataclass(frozen=True)
class SelectRule:
    """Which classes are kept.

    Attributes:
        min_samples: clips, over all splits, that a class needs.
    """

    min_samples: int = 10

    def __post_init__(self) -> None:
        _between("min_samples", self.min_samples, 1, LONGEST)


@dataclass(frozen=True)
class SplitRule:
    """Which side a source video is on; see `splits.splits_of`.

    Attributes:
        list: a file of lines `name split`. In a file of rules its path is relative to that file.
        train: a file of the names of training videos, one a line.
        val: the same for validation.
        test: the same for test.
        val_share: part of the recordings that goes to validation where nothing else says it.
    """

    list: Path | None = None
    train: Path | None = None
    val: Path | None = None
    test: Path | None = None
    val_share: float = 0.4

    def __post_init__(self) -> None:
        _between("val_share", self.val_share, 0, 1)
        if self.list is not None and (self.train or self.val or self.test):
            raise ValueError("either list, or train, val and test; not both")


@dataclass(frozen=True)
class BuildRules:
    """Everything that decides which clips are made of given annotations."""

    labels: LabelRule = field(default_factory=LabelRule)
    locate: LocateRule = field(default_factory=LocateRule)
    merge: MergeRule = field(default_factory=MergeRule)
    cut: CutRule = field(default_factory=CutRule)
    crop: CropRule = field(default_factory=CropRule)
    size: SizeRule = field(default_factory=SizeRule)
    select: SelectRule = field(default_factory=SelectRule)
    splits: SplitRule = field(default_factory=SplitRule)

    @property
    def values(self) -> dict[str, Any]:
        """The rules as plain data, without the paths of lists: those are this machine's."""
        plain: dict[str, Any] = to_plain(self)
        return plain | {"splits": {"val_share": self.splits.val_share}}

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that other values or versions change."""
        text = json.dumps([self.values, VERSIONS], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def provenance(self) -> dict[str, object]:
        """What a clip's row says of its rules, as JSON values for `ClipRecord.extra`."""
        return {"rules": self.digest, "rule_versions": dict(VERSIONS)}


def read_rules(path: Path | None = None, overrides: Sequence[str] = ()) -> BuildRules:
    """Reads rules; what the file does not say is as in the package's own.

    Args:
        path: a YAML file; `None` is the package's `recipes/tinyvirat/build.yml`.
        overrides: `rule.name=value` each, such as `crop.context=0.2`, with a YAML value; they win
            over the file.

    Raises:
        RulesError: no such file, not YAML, an unknown name, a value of another type, or rules that
            contradict each other.
    """
    file = default_rules() if path is None else path
    data = _load(file)
    if isinstance(data.get("splits"), dict):
        data["splits"] = _relative_to(file.parent, data["splits"])
    for override in overrides:
        _override(data, override)
    try:
        return from_plain(BuildRules, data, where=str(file))
    except PlainDataError as error:
        raise RulesError(str(error)) from error


def default_rules() -> Path:
    """The package's own file of rules."""
    return Path(str(resources.files("tinyvirat.recipes"))) / "tinyvirat" / "build.yml"


def _load(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise RulesError(f"{path}: there is no such file of rules")
        if path.stat().st_size > LARGEST_RULES:
            raise RulesError(f"{path}: larger than {LARGEST_RULES} bytes: not a file of rules")
        data = parse(path.read_text(encoding="utf-8"), where=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"{path}: cannot be read: {error}") from error
    except YamlError as error:
        raise RulesError(str(error)) from error
    if not isinstance(data, dict):
        raise RulesError(f"{path}: not a file of rules: a mapping of keys to values is needed")
    return data


def _relative_to(folder: Path, splits: dict[str, Any]) -> dict[str, Any]:
    return {
        key: str(folder / value) if isinstance(value, str) else value
        for key, value in splits.items()
    }


def _override(data: dict[str, Any], text: str) -> None:
    name, equals, value = text.partition("=")
    rule, dot, key = name.partition(".")
    if not (equals and dot and rule and key) or "." in key:
        raise RulesError(f"--set {text!r}: write RULE.NAME=VALUE, such as crop.context=0.2")
    try:
        parsed = parse(value, where=f"--set {text!r}")
    except YamlError as error:
        raise RulesError(str(error)) from error
    group = data.setdefault(rule, {})
    if not isinstance(group, dict):
        raise RulesError(f"--set {text!r}: {rule!r} holds {group!r}, which has no names")
    group[key] = parsed
