"""What settings have in common: numbers within their bounds."""

from __future__ import annotations

from fractions import Fraction

Number = int | float | Fraction


def within(error: type[Exception], name: str, value: Number, low: Number, high: Number) -> None:
    """Sees to it that a setting is within its bounds, which belong to what is allowed.

    Args:
        error: what is raised where it is not.
        name: of the setting.
        value: of the setting; what is no number (NaN) is within no bounds.
        low: the least that is allowed.
        high: the most.
    """
    if not low <= value <= high:
        raise error(f"{name} is {value}; it must be from {_shown(low)} to {_shown(high)}")


def at_least(least: Number, **values: Number) -> None:
    """Sees to it that settings, by their names, are `least` or more.

    Raises:
        ValueError: names the first that is not.
    """
    for name, value in values.items():
        if not value >= least:
            raise ValueError(f"{name} is {value}; it must be {_shown(least)} or more")


def _shown(number: Number) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)
