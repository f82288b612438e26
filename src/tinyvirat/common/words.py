"""How what is counted is put into words."""

from __future__ import annotations


def counted(number: int, one: str, several: str | None = None) -> str:
    """How many there are of something: `1 tube`, `0 tubes`, `1,204 tubes`.

    Args:
        number: how many.
        one: what one is called.
        several: what none and several are called; `one` with an s if not given.
    """
    name = one if number == 1 else several or one + "s"
    return f"{number:,} {name}"
