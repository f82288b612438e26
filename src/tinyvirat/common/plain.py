"""Frozen dataclasses to plain data (JSON, YAML) and back, strictly.

What is read is trusted for nothing: an unknown key, a missing one, or a value of another type is an
error that says where it stands and what was probably meant.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tinyvirat.common.errors import TinyviratError

T = TypeVar("T")
Tags = Mapping[str, type[Any]]
TAG = "network"
"""The key that says which of several dataclasses a mapping stands for; dataclasses that are told
apart by another key name it in a class variable `tag_key`."""

LATER: Mapping[str, bool] = MappingProxyType({"later": True})
"""Metadata of a field that a dataclass did not always have: it is left out while it has its
default, so that what was written before, and its checksums, stay the same."""


class PlainDataError(TinyviratError):
    """Plain data that does not stand for what it should."""


def to_plain(value: Any, tags: Tags | None = None) -> Any:
    """A dataclass as mappings, lists, numbers, text and None.

    Args:
        value: the dataclass, or a value of one of its fields.
        tags: names of dataclasses; one of these is written with its name under `network`, or
            under its own `tag_key`.
    """
    if is_dataclass(value) and not isinstance(value, type):
        name = next((n for n, kind in (tags or {}).items() if type(value) is kind), None)
        data = {} if name is None else {_tag(type(value)): name}
        held = ((f, getattr(value, f.name)) for f in fields(value))
        return data | {
            f.name: to_plain(one, tags)
            for f, one in held
            if not (f.metadata.get("later") and one == f.default)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(one, tags) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(one, tags) for one in value]
    if isinstance(value, Path | Fraction):
        return str(value)
    return value


def from_plain(kind: type[T], data: object, *, where: str, tags: Tags | None = None) -> T:
    """The dataclass that `to_plain` described.

    Args:
        kind: the dataclass.
        data: what was parsed.
        where: what errors begin with, such as the file's name; the key's path is appended.
        tags: names of dataclasses that may stand where a field allows several.

    Raises:
        PlainDataError: names the place, the bad value and what is allowed.
    """
    if not isinstance(data, dict):
        raise PlainDataError(f"{where}: {_shown(data)} is not a mapping of keys to values")
    known = {field.name: field for field in fields(cast(Any, kind))}
    tag = _tag(kind)
    if tag in data and (tags or {}).get(str(data[tag])) is kind:
        data = {key: value for key, value in data.items() if key != tag}
    for key in data:
        if key not in known:
            raise PlainDataError(f"{where}: {_unknown(str(key), list(known))}")
    missing = [name for name, field in known.items() if name not in data and _required(field)]
    if missing:
        raise PlainDataError(f"{where}: {missing[0]!r} is missing")
    hints = get_type_hints(kind)
    values = {key: _read(hints[key], value, f"{where}: {key}", tags) for key, value in data.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError, TinyviratError) as error:
        raise PlainDataError(f"{where}: {error}") from error


def tagged(data: object, *, where: str, tags: Tags) -> Any:
    """The dataclass whose name stands under `network`, or their `tag_key`.

    Raises:
        PlainDataError: no such name, or what `from_plain` raises.
    """
    name = data.get(_tag(*tags.values())) if isinstance(data, dict) else data
    if not isinstance(name, str) or name not in tags:
        raise PlainDataError(f"{where}: {_unknown(str(name), list(tags))}")
    return from_plain(tags[name], data, where=where, tags=tags)


def _tag(*kinds: Any) -> str:
    """The key under which the names of these dataclasses stand."""
    return next((kind.tag_key for kind in kinds if hasattr(kind, "tag_key")), TAG)


def _read(hint: Any, value: object, where: str, tags: Tags | None) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _read_union(arguments, value, where, tags)
    if origin is tuple:
        return _read_tuple(arguments, value, where, tags)
    if origin is Literal:
        if value not in arguments or type(value) not in {type(a) for a in arguments}:
            raise PlainDataError(f"{where}: {_unknown(str(value), [str(a) for a in arguments])}")
        return value
    if is_dataclass(hint):
        return from_plain(cast(type[Any], hint), value, where=where, tags=tags)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value, where)
    if hint in (Path, Fraction) and isinstance(value, str):
        try:
            return hint(value)
        except (ValueError, ZeroDivisionError) as error:
            raise PlainDataError(f"{where}: {_shown(value)} is no {hint.__name__}") from error
    if type(value) is not hint:
        wanted = getattr(hint, "__name__", str(hint))
        raise PlainDataError(f"{where}: {_shown(value)} is no {wanted}")
    return value


def _read_union(kinds: tuple[Any, ...], value: object, where: str, tags: Tags | None) -> Any:
    if value is None and NoneType in kinds:
        return None
    rest = [kind for kind in kinds if kind is not NoneType]
    several = [kind for kind in rest if is_dataclass(kind)]
    named = isinstance(value, dict) and (len(several) > 1 or _tag(*several) in value)
    if named and tags is not None:
        allowed = {name: kind for name, kind in tags.items() if kind in several}
        return tagged(value, where=where, tags={**allowed})
    complaints = []
    for kind in rest:
        try:
            return _read(kind, value, where, tags)
        except PlainDataError as error:
            complaints.append(str(error))
    raise PlainDataError(complaints[0])


def _read_tuple(
    kinds: tuple[Any, ...], value: object, where: str, tags: Tags | None
) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise PlainDataError(f"{where}: {_shown(value)} is not a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise PlainDataError(f"{where}: {len(value)} values instead of {len(kinds)}")
    return tuple(
        _read(kind, one, f"{where}[{index}]", tags)
        for index, (kind, one) in enumerate(zip(kinds, value, strict=True))
    )


def _finite(value: float, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise PlainDataError(f"{where}: {_shown(value)} is not a finite number")
    return number


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _unknown(name: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"{_shown(name)} is not one of {', '.join(allowed)}{guess}"


def _shown(value: object, most: int = 60) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python writes out
        text = f"this {type(value).__name__} of more digits than can be shown"
    return text if len(text) <= most else text[:most] + "..."
