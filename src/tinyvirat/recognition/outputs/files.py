"""Files that grow while a video runs, beside their names, and get the names when they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import written_beside


class OutputError(TinyviratError):
    """An output that is not known, or a file that cannot be written."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Names the file in the errors of a block that writes it.

    Raises:
        OutputError: in place of an `OSError`: no room, no right to write, a folder in the way.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{path}: cannot be written: {reason}") from error


class _AbandonedError(Exception):
    """Tells `written_beside` that its block did not succeed."""


def abandoned(session: ExitStack | None) -> None:
    """Leaves the blocks of a session as if they had failed; does nothing where there is none."""
    if session is not None:
        session.__exit__(_AbandonedError, _AbandonedError(), None)


class GrowingFile:
    """A text file, written line by line beside its name and renamed when it is finished.

    Every line reaches the system as it is written: after a crash it stands in the file that keeps
    its temporary name, `.NAME-xxxx.SUFFIX`.

    Args:
        path: the file's name in the end. Nothing is touched before `open`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._session: ExitStack | None = None
        self._file: TextIO | None = None

    def open(self) -> None:
        """Makes the file, and its folder.

        Raises:
            OutputError: it cannot be made.
        """
        with ExitStack() as opening:
            opening.enter_context(writing(self.path))
            temporary = opening.enter_context(written_beside(self.path))
            # A file name on disk need not be text; what is not is spelt out.
            self._file = opening.enter_context(
                temporary.open(
                    "w", encoding="utf-8", errors="backslashreplace", newline="", buffering=1
                )
            )
            self._session = opening.pop_all()

    def write(self, text: str) -> None:
        """Adds text.

        Raises:
            OutputError: there is no room.
            ValueError: the file is not open.
        """
        if self._file is None:
            raise ValueError(f"{self.path} is not open")
        with writing(self.path):
            self._file.write(text)

    def finish(self) -> None:
        """Gives the file its name.

        Raises:
            OutputError: it cannot be given; nothing is left then.
        """
        session, self._session, self._file = self._session, None, None
        if session is not None:
            session.close()

    def drop(self) -> None:
        """Removes what was written; whatever had the name stays. Does nothing when not open."""
        session, self._session, self._file = self._session, None, None
        abandoned(session)
