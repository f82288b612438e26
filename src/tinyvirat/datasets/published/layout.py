"""Where a data set's files lie: below the folder that was named, whatever they are called."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tinyvirat.datasets.folder import SUFFIXES
from tinyvirat.datasets.published.listing import PublishedError

DEPTH = 3
# Enough to see that a folder holds archives, or clips of classes, and what it holds instead.
SHOWN = 8


def folders_below(root: Path, depth: int = DEPTH) -> Iterator[list[Path]]:
    """The folder itself, then those in it, then those in these; hidden ones and links left out."""
    level = [root]
    for _ in range(depth + 1):
        yield level
        level = [path for folder in level for path in _children(folder)]


def shallowest(root: Path, holds: Callable[[Path], bool], depth: int = DEPTH) -> list[Path]:
    """The folders that hold what is looked for, all equally deep below `root`; none if none does.

    Args:
        root: where to look.
        holds: whether a folder is one.
        depth: how far below.
    """
    for level in folders_below(root, depth):
        found = [folder for folder in level if holds(folder)]
        if found:
            return found
    return []


def one_folder(root: Path, holds: Callable[[Path], bool], what: str, remedy: str) -> Path:
    """The one folder at or below `root` that holds what is looked for.

    Args:
        root: where to look.
        holds: whether a folder is the one.
        what: what is looked for, for the message.
        remedy: what to do when it is not there.

    Raises:
        PublishedError: there is none, or there are several.
    """
    if not root.is_dir():
        raise PublishedError(f"{root}: there is no such folder; {remedy}")
    found = shallowest(root, holds)
    if len(found) > 1:
        names = ", ".join(str(folder) for folder in found[:SHOWN])
        raise PublishedError(f"{root}: {what} is in several folders ({names}); name one of them")
    if not found:
        there = sorted(path.name for path in root.iterdir())
        rest = f", and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise PublishedError(
            f"{root}: {what} is neither in it nor below it; it holds "
            f"{', '.join(there[:SHOWN]) or 'nothing'}{rest}; {_unpacking(there) or remedy}"
        )
    return found[0]


def _unpacking(names: Iterable[str]) -> str:
    """What to do with archives that still lie there."""
    archives = [name for name in names if Path(name).suffix.lower() in (".rar", ".zip", ".gz")]
    if not archives:
        return ""
    return f"unpack {archives[0]!r} and the archives like it first ({RAR_REMEDY})"


RAR_REMEDY = "`unrar x NAME.rar`, `7z x NAME.rar` or `bsdtar -xf NAME.rar`"


class VideoFiles:
    """The video files at and below a folder, found by one walk.

    Args:
        root: the folder. Links to folders are not followed, and links to files that lead out of it
            are left out: a manifest's paths must stay below its folder.

    Attributes:
        root: the folder.
        left_out: links that were left out, in words.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left_out: list[str] = []
        self._paths: dict[str, Path] = {}
        self._by_stem: dict[tuple[str, str], list[Path]] = {}
        home = root.resolve()
        for folder, folders, names in os.walk(root):
            here = Path(folder)
            links = [name for name in folders if (here / name).is_symlink()]
            self.left_out += [f"{here / name}: is a link to a folder" for name in sorted(links)]
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                self._add(here / name, home)

    def _add(self, path: Path, home: Path) -> None:
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            return
        if path.is_symlink() and not path.resolve().is_relative_to(home):
            self.left_out.append(f"{path}: is a link that leads out of {home}")
            return
        self._paths[path.relative_to(self.root).as_posix()] = path
        key = (path.parent.name.casefold(), path.stem.casefold())
        self._by_stem.setdefault(key, []).append(path)

    def __len__(self) -> int:
        return len(self._paths)

    def at(self, relative: str) -> Path | None:
        """The file with exactly this path below the folder."""
        return self._paths.get(relative)

    def named(self, folder: str, name: str) -> Path | None:
        """The file of this name in a folder of this name, at any depth.

        The name's suffix and the case of both do not matter: UCF-101 writes `HandStandPushups` in
        file names and `HandstandPushups` elsewhere, and copies are often converted to MP4. Where
        several fit, one with exactly this name is taken, else the first.
        """
        found = self._by_stem.get((folder.casefold(), Path(name).stem.casefold()), [])
        exact = [path for path in found if path.name == name]
        return next(iter(exact or found), None)

    def others(self, used: Iterable[Path | None]) -> tuple[str, ...]:
        """The files that are not among `used`, relative to the folder, sorted."""
        known = set(used)
        return tuple(sorted(name for name, path in self._paths.items() if path not in known))


def _children(folder: Path) -> list[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise PublishedError(f"{folder}: cannot be read: {error.strerror}") from error
    return [
        Path(entry.path)
        for entry in entries
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
    ]
