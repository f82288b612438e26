"""How counts, and names from elsewhere, are put into words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LONGEST_NAME = 32


def counted(number: int, one: str, several: str | None = None) -> str:
    """How many there are of something: `1 tube`, `0 tubes`, `1,204 tubes`.

    Args:
        number: how many.
        one: what one is called.
        several: what none and several are called; `one` with an s if not given.
    """
    name = one if number == 1 else several or one + "s"
    return f"{number:,} {name}"


def one_line(text: str, longest: int | None = LONGEST_NAME) -> str:
    """Text with spaces for what cannot be printed, cut off with an ellipsis where it is too long.

    Args:
        text: anything.
        longest: characters; None for any number.
    """
    line = "".join(character if character.isprintable() else " " for character in text)
    if longest is None or len(line) <= longest:
        return line
    return line[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def shown_command(words: Sequence[str]) -> str:
    """A command with the folders of absolute paths left out: they are of one machine.

    Args:
        words: the command, word by word.
    """
    return " ".join(Path(word).name if word.startswith("/") else word for word in words)


def shown_name(name: str, longest: int) -> str:
    """A file's name as its owner knows it, harmless wherever it is shown.

    Args:
        name: as it was sent, with folders or without, of any system.
        longest: characters.

    Returns:
        The last part, with question marks for what cannot be printed; `video` where there is none.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "?" for c in last)[:longest] or "video"


def printable(text: str) -> str:
    """`text` on one line, with what could steer a terminal (a file's name can hold it) escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
