"""Reading a data set's text lists strictly: every complaint names the file and the line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tinyvirat.datasets.published.layout import one_folder, shallowest
from tinyvirat.datasets.published.listing import PublishedError

# The official lists are below a megabyte; more is something else.
LARGEST_LIST = 1 << 24


@dataclass(frozen=True)
class Line:
    """One line of a list that is not empty.

    Attributes:
        path: the list.
        number: of the line, from 1.
        text: of the line, without spaces around it.
    """

    path: Path
    number: int
    text: str

    def wrong(self, what: str) -> NoReturn:
        """Refuses the line.

        Raises:
            PublishedError: always; `what` says what is wrong and what would be right.
        """
        raise PublishedError(f"{self.path}, line {self.number}: {what}")

    def whole(self, text: str, least: int, most: int, what: str) -> int:
        """`text` as a whole number.

        Raises:
            PublishedError: it is none, or out of its range.
        """
        if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
            self.wrong(f"{what} is {text[:60]!r}; it must be a whole number from {least} to {most}")
        return int(text)


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a list, without the empty ones; CR and LF both end one.

    Raises:
        PublishedError: the file cannot be read, is too large for a list, or is not text.
    """
    try:
        if path.stat().st_size > LARGEST_LIST:
            raise PublishedError(f"{path}: is larger than any such list ({LARGEST_LIST} bytes)")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PublishedError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PublishedError(f"{path}: not UTF-8 text ({error})") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield Line(path, number, line.strip())


def lists_folder(
    given: Path | None, root: Path, first: str, usual: tuple[str, ...], remedy: str
) -> Path:
    """The folder of a data set's lists.

    Args:
        given: where the user says they are; `None` looks in `root`, and in the folders beside it
            that are usually called so.
        root: the data set's folder.
        first: a pattern of a list's name that shows the right folder.
        usual: what the lists' folder, or the one around it, is usually called.
        remedy: where to get the lists.

    Raises:
        PublishedError: they are not there, or in several places.
    """

    def holds(folder: Path) -> bool:
        return next(folder.glob(first), None) is not None

    what = f"the list {first}"
    if given is not None:
        return one_folder(given, holds, what, remedy)
    if root.is_dir() and shallowest(root, holds):
        return one_folder(root, holds, what, remedy)
    beside = [root.resolve().parent / name for name in usual]
    for folder in (folder for folder in beside if folder.is_dir()):
        if shallowest(folder, holds):
            return one_folder(folder, holds, what, remedy)
    raise PublishedError(
        f"{root}: {what} is neither in it nor in a folder beside it called {', '.join(usual)}; "
        f"{remedy}, unpack it there, or name its folder with --lists"
    )
