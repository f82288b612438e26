"""What is wrong in an annotation file, and the one choice of what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyvirat.common.errors import TinyviratError

MAX_LISTED = 1000
"""How many problems a lenient reader keeps in words; further ones are only counted."""


class AnnotationError(TinyviratError):
    """An annotation file that cannot be read as it is, or annotations that a format cannot hold."""


@dataclass(frozen=True)
class Problem:
    """One thing in a file that is not as its format demands.

    Attributes:
        path: the file.
        line: its line, from 1; `None` when the whole file is meant.
        message: what is wrong, with the bad value and what would be right.
    """

    path: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        place = str(self.path) if self.line is None else f"{self.path}, line {self.line}"
        return f"{place}: {self.message}"


class ProblemLog:
    """Where a reader says what it cannot take: the first is an error, or all are counted.

    Args:
        lenient: count and list the problems and go on, instead of raising at the first.
    """

    def __init__(self, *, lenient: bool) -> None:
        self.lenient = lenient
        self.skipped = 0
        self._listed: list[Problem] = []

    @property
    def listed(self) -> tuple[Problem, ...]:
        """The problems so far, in the order met; `MAX_LISTED` at most."""
        return tuple(self._listed)

    def add(self, path: Path, line: int | None, message: str) -> None:
        """Counts one record as skipped, for the reason in `message`.

        Raises:
            AnnotationError: the log is not lenient.
        """
        problem = Problem(path, line, message)
        if not self.lenient:
            raise AnnotationError(
                f"{problem}; correct it, or read leniently to skip and count such records"
            )
        self.skipped += 1
        if len(self._listed) < MAX_LISTED:
            self._listed.append(problem)


def shortened(text: str, length: int = 60) -> str:
    """`text` as a quotation for a message: escaped, and cut when it is long."""
    return repr(text if len(text) <= length else text[:length] + "...")
