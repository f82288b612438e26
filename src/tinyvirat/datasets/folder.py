"""A folder of clips, one sub-folder a class, becomes a manifest.

Either `ROOT/<class>/<clip>`, which is split here by source, or `ROOT/<split>/<class>/<clip>` with
the splits named `train`, `val` and `test` (or `training`, `valid`, `validation`, `testing`, in any
case). Clips may lie deeper below their class. Each file is decoded once, to know what is in it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.measure import Measured, measure_files
from tinyvirat.datasets.records import SPLITS, ClipRecord, ManifestError

SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".webm", ".wmv"),
)
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
FRACTIONS = (0.7, 0.15, 0.15)


class FolderError(TinyviratError):
    """A folder that is not arranged as one sub-folder a class, or cannot be split as asked."""


@dataclass(frozen=True)
class FolderClips:
    """What was found in a folder.

    Attributes:
        records: the clips, sorted by path; paths relative to the folder.
        unreadable: files left out, as `PATH: cause`.
        ignored: number of files that no video is by their suffix.
    """

    records: tuple[ClipRecord, ...]
    unreadable: tuple[str, ...]
    ignored: int


def scan_folder(
    root: Path,
    *,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    group: str | None = None,
    workers: int | None = None,
) -> FolderClips:
    """Finds, measures and splits the clips of a folder.

    Args:
        root: the folder.
        fractions: of the clips for train, val and test, where the folder does not say. They need
            not add up to 1.
        seed: another one splits otherwise.
        group: a regular expression, searched in a clip's path below `root`, that tells which source
            it is from: what its groups match, or all that it matches. Clips of one source stay in
            one split. For UCF-101: `v_(.+_g[0-9]+)_c`. `None` takes each file as its own source.
        workers: files decoded at once; `None` is one a core, eight at most.

    Raises:
        FolderError: no such folder, no clips in it, none that can be read, splits beside classes,
            fractions that are none, a path in which `group` is not found, or no workers.
        ManifestError: sub-folders named for splits, and a source in two of them; or a name that a
            manifest cannot hold.
    """
    shares = _checked_fractions(fractions)
    pattern = _compiled(group)
    if workers is not None and workers < 1:
        raise FolderError(f"workers is {workers}; it must be 1 or more")
    files, unreadable, ignored = _files(root)
    divided = _is_divided(root, files)
    sources = [_source(root, file, pattern) for file in files]
    drafts: list[ClipRecord] = []
    measured = measure_files(files, workers=workers)
    for file, source, found in zip(files, sources, measured, strict=True):
        draft = _draft(root, file, divided, source, found)
        if isinstance(draft, str):
            unreadable.append(draft)
        else:
            drafts.append(draft)
    if not drafts:
        raise FolderError(
            f"{root}: none of its {len(files)} clips can be read; the first: {unreadable[0]}"
        )
    records = _with_ids(drafts)
    if not divided:
        splits = split_by_source(records, shares, seed)
        records = [replace(record, split=splits[record.source]) for record in records]
    return FolderClips(tuple(records), tuple(unreadable), ignored)


def relative_to(folder: Path, root: Path, records: Iterable[ClipRecord]) -> list[ClipRecord]:
    """Records of `root` with paths relative to `folder`, for a manifest that lies there.

    Where `root` is not inside `folder` the paths stay as they are, and the manifest must be read
    with that root named.
    """
    base, home = root.resolve(), folder.resolve()
    if not base.is_relative_to(home):
        return list(records)
    between = base.relative_to(home)
    return [replace(record, path=(between / record.path).as_posix()) for record in records]


class Sourced(Protocol):
    """Anything with labels and a source, such as a `ClipRecord`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes it shows."""
        ...

    @property
    def source(self) -> str:
        """What it is to stay together with."""
        ...


def split_by_source(
    records: Iterable[Sourced], fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> dict[str, str]:
    """Shares sources out to the splits so that each class is divided about as asked.

    The classes are gone through in order, and the sources of each in an order that only `seed` and
    their names decide; every one goes to the split that is furthest from its share of the clips of
    that class. What else is in the data set, or in which order, does not matter.

    Args:
        records: the clips; their `split` is not looked at.
        fractions: for train, val and test.
        seed: another one splits otherwise.

    Returns:
        Source to split.

    Raises:
        FolderError: fractions that are none.
    """
    shares = _checked_fractions(fractions)
    clips: dict[str, Counter[str]] = {}
    for record in records:
        clips.setdefault(record.source, Counter()).update(record.labels or [""])
    by_label: dict[str, list[str]] = {}
    for source, labels in clips.items():
        # A source that shows several classes counts for the one it shows most.
        label = min(labels, key=lambda label: (-labels[label], label))
        by_label.setdefault(label, []).append(source)
    splits: dict[str, str] = {}
    for label, sources in sorted(by_label.items()):
        numbers = {source: clips[source][label] for source in sources}
        splits |= _share_out(numbers, shares, seed)
    return splits


def _share_out(numbers: dict[str, int], shares: Sequence[float], seed: int) -> dict[str, str]:
    """Source to split, for sources of one class with `numbers` of clips."""

    def mixed(source: str) -> bytes:
        return hashlib.sha256(f"{seed} {source}".encode()).digest()

    missing = [share * sum(numbers.values()) for share in shares]
    splits = {}
    for source in sorted(numbers, key=mixed):
        chosen = max(range(len(SPLITS)), key=lambda split: missing[split])
        missing[chosen] -= numbers[source]
        splits[source] = SPLITS[chosen]
    return splits


def _checked_fractions(fractions: Sequence[float]) -> tuple[float, ...]:
    total = sum(fractions)
    if len(fractions) != len(SPLITS) or not 0 < total < float("inf") or min(fractions) < 0:
        raise FolderError(
            f"the fractions are {list(fractions)}; give three, for {', '.join(SPLITS)}, "
            "none below 0 and one at least above it"
        )
    return tuple(fraction / total for fraction in fractions)


def _compiled(group: str | None) -> re.Pattern[str] | None:
    try:
        return None if group is None else re.compile(group)
    except re.error as error:
        raise FolderError(f"the group {group!r} is not a regular expression: {error}") from error


def _files(root: Path) -> tuple[list[Path], list[str], int]:
    """The video files below `root`, sorted; links that are left out; how many other files."""
    if not root.is_dir():
        raise FolderError(f"{root}: there is no such folder")
    videos, links, others = [], [], 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder) / name for name in folders):
            if path.is_symlink():
                links.append(f"{path}: is a link to a folder; put the folder itself there")
        for path in (Path(folder) / name for name in sorted(names)):
            if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                others += 1
            elif path.resolve().is_relative_to(root.resolve()):
                videos.append(path)
            else:
                links.append(f"{path}: is a link that leads out of {root}; put the file there")
    if not videos:
        raise FolderError(
            f"{root}: no video file in it; clips belong into one sub-folder a class, and their "
            f"names end in {', '.join(SUFFIXES)}" + "".join(f"\n{link}" for link in links[:1])
        )
    return sorted(videos), links, others


def _is_divided(root: Path, files: Sequence[Path]) -> bool:
    """Whether the first level of folders is the splits; else it is the classes."""
    levels = [file.relative_to(root).parts for file in files]
    divided = any(parts[0].lower() in SPLIT_FOLDERS and len(parts) > 2 for parts in levels)
    for file, parts in zip(files, levels, strict=True):
        if divided and parts[0].lower() not in SPLIT_FOLDERS:
            raise FolderError(
                f"{root}: has folders named for splits beside {parts[0]!r}; use "
                f"{', '.join(SPLITS)} with the classes inside, or the classes alone"
            )
        if len(parts) < 2 + divided:
            raise FolderError(
                f"{file}: lies beside the folders of the classes; move it into the one it shows"
            )
    return divided


def _draft(
    root: Path, file: Path, divided: bool, source: str, measured: Measured | str
) -> ClipRecord | str:
    """The record of one file, its split open where the folder does not say; or the trouble."""
    if isinstance(measured, str):
        return measured
    relative = file.relative_to(root)
    path = relative.as_posix()
    try:
        return ClipRecord(
            id=path,
            path=path,
            frames=measured.frames,
            height=measured.height,
            width=measured.width,
            fps=measured.fps,
            labels=(relative.parts[int(divided)],),
            split=SPLIT_FOLDERS[relative.parts[0].lower()] if divided else SPLITS[0],
            source=source,
        )
    except ManifestError as error:
        return f"{file}: {error}"


def _source(root: Path, file: Path, pattern: re.Pattern[str] | None) -> str:
    path = file.relative_to(root).as_posix()
    if pattern is None:
        return path
    match = pattern.search(path)
    parts = [part for part in match.groups() or (match[0],) if part] if match else []
    if not parts:
        raise FolderError(
            f"{file}: the group {pattern.pattern!r} is not found in its path {path!r}; "
            "correct it so that it tells the source of every clip"
        )
    return " ".join(parts)


def _with_ids(drafts: Sequence[ClipRecord]) -> list[ClipRecord]:
    """Names clips by their path without the suffix, where that is enough to tell them apart."""
    bare = {draft.path: str(Path(draft.path).with_suffix("")) for draft in drafts}
    times = Counter(bare.values())
    return [
        replace(draft, id=bare[draft.path]) if times[bare[draft.path]] == 1 else draft
        for draft in drafts
    ]
