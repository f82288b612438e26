"""JSON that says where its values stand.

The library's decoder is fast and forgets the lines; so the document is decoded with it, and only
when something in it is wrong the text is walked again, to the place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from tinyvirat.annotations.problems import AnnotationError, shortened

Place: TypeAlias = tuple[str | int, ...]
"""The keys and positions that lead from the top of a document to a value."""

MAX_BYTES = 1 << 30
"""No file is longer: it is held in memory whole."""

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class RepeatedKeys(dict[str, Any]):
    """An object of the document in which a key comes twice (the last value counts)."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatedKeys(found)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def read_json(path: Path) -> tuple[Any, str]:
    """The document in a file, and its text.

    Raises:
        AnnotationError: the file cannot be read, is too long, is no UTF-8 or no JSON (NaN is none),
            or is nested too deeply.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AnnotationError(f"{path}: longer than {MAX_BYTES} bytes; split it by video")
        text = path.read_text(encoding="utf-8-sig")
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        raise AnnotationError(f"{path}, line {error.lineno}: not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not UTF-8 text: {error.reason}") from None
    except ValueError as error:
        raise AnnotationError(f"{path}: {shortened(str(error), 200)}") from None
    except RecursionError:
        raise AnnotationError(f"{path}: nested too deeply to be an annotation") from None
    return document, text


def lines_of(text: str, places: Iterable[Place]) -> dict[Place, int]:
    """The lines, from 1, in which the values at some places begin; one pass for all of them.

    Args:
        text: a document that decodes.
        places: places in it; what is below a place that does not exist gets the line of the last
            value on the way that does.
    """
    offsets: dict[Place, int] = {}
    tree: dict[str | int, Any] = {}
    for place in places:
        branch = tree
        for step in place:
            branch = branch.setdefault(step, {})
        offsets[place] = 0
    _locate(text, 0, (), tree, offsets)
    lines: dict[Place, int] = {}
    line, counted = 1, 0
    for place, offset in sorted(offsets.items(), key=lambda item: item[1]):
        line += text.count("\n", counted, offset)
        counted = offset
        lines[place] = line
    return lines


def _locate(
    text: str, start: int, place: Place, tree: dict[str | int, Any], offsets: dict[Place, int]
) -> None:
    """Puts the offsets of the value at `place`, and of those below it that are wanted."""
    start = _skip(text, start)
    for below in _ends(place, tree):
        if below in offsets:
            offsets[below] = start
    if not tree:
        return
    for step, member in _members(text, start):
        if step in tree:
            _locate(text, member, (*place, step), tree[step], offsets)


def _ends(place: Place, tree: dict[str | int, Any]) -> Iterator[Place]:
    """The place itself and all wanted places below it."""
    yield place
    for step, branch in tree.items():
        yield from _ends((*place, step), branch)


def _members(text: str, start: int) -> Iterator[tuple[str | int, int]]:
    """The keys (or positions) and the offsets of the values of the object or array at `start`."""
    opening = text[start]
    if opening not in "{[":
        return
    position = _skip(text, start + 1)
    number = 0
    while text[position] not in "}]":
        step: str | int = number
        if opening == "{":
            step, position = _DECODER.raw_decode(text, position)
            position = _skip(text, _skip(text, position) + 1)
        yield step, position
        position = _skip(text, _DECODER.raw_decode(text, position)[1])
        if text[position] == ",":
            position = _skip(text, position + 1)
        number += 1


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    assert found is not None  # the expression also matches nothing
    return found.end()
