"""MOTChallenge's CSV files: ground truth, detections, and what trackers give.

What the format means, and what is done with it at this border:

- A line is `frame, id, left, top, width, height, confidence`, then more columns: class and
  visibility in ground truth (nine columns), world coordinates otherwise (ten; `-1` for none).
- Frames count from 1, here from 0. The corner of the first pixel is 1, 1 in MATLAB's manner, which
  nobody else who writes these files keeps to; coordinates are taken as they are.
- The id is -1 in files of detections.
- In ground truth the seventh column says whether a box counts (0: not), and the eighth what it is;
  `TYPES` names them. What is no actor (a static object that hides others, a reflection) is left
  out, as is what does not count.
- A detector's confidence may be anything; `FoundBuilder.build` puts it between 0
  and 1.
- A first line of names, as spreadsheets write it, is passed over. Spaces around values do no harm.

Source: Milan et al., "MOT16: A benchmark for multi-object tracking" (2016), section 3.4, and the
files of MOT15, MOT17 and MOT20.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tinyvirat.annotations.problems import shortened
from tinyvirat.recognition.proposals.found import FoundBoxes, FoundBuilder
from tinyvirat.recognition.proposals.records import UNKNOWN, ProposalError

TYPES = {
    1: "person",
    2: "person",  # on a vehicle
    3: "car",
    4: "bike",
    5: "motorbike",
    6: "vehicle",
    7: "person",  # that stands or sits
}
"""The classes that are actors. 8 to 12 are distractors, things that hide others, reflections."""

LEAST, GROUND_TRUTH = 6, 9
"""Columns."""
MAX_LINE = 1 << 12
"""No line has more characters."""
NAMES = ("frame", "frame_id", "frame_number", "#frame")
"""How a first line of names begins."""
SIDES = ("left", "top", "width", "height")
EXACT = 2.0**53
"""Up to here a number with a point is exact."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


def read_motchallenge(path: Path, *, first_frame: int = 1) -> FoundBoxes:
    """Reads a file of MOTChallenge's form.

    Args:
        path: the file.
        first_frame: the number of the first frame: 1, or 0 for files that err.

    Raises:
        ProposalError: the file cannot be read, or a line is not as it should be: names the file,
            the line and the value.
    """
    builder = FoundBuilder(path)
    for line, fields in _lines(path):
        try:
            _add(builder, line, fields, first_frame)
        except ValueError as error:
            raise ProposalError(
                f"{path}, line {line}: {error}; a line is frame, id, left, top, width, height, "
                "confidence, with frames from 1 and -1 for no id"
            ) from None
    return builder.build()


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of each line, from 1, and its fields; not of empty lines and a first of names."""
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            for line in count(1):
                text = file.readline(MAX_LINE + 1)
                if not text:
                    return
                if len(text) > MAX_LINE:
                    raise ProposalError(
                        f"{path}, line {line}: longer than {MAX_LINE} characters; this is no "
                        "MOTChallenge file"
                    )
                fields = [field.strip() for field in text.split(",")]
                if fields == [""] or (line == 1 and fields[0].lower() in NAMES):
                    continue
                yield line, fields
    except UnicodeDecodeError as error:
        raise ProposalError(f"{path}: not UTF-8 text: {error.reason}") from None
    except OSError as error:
        raise ProposalError(f"{path}: cannot be read: {error.strerror or error}") from error


def _add(builder: FoundBuilder, line: int, fields: list[str], first_frame: int) -> None:
    """Takes a line.

    Raises:
        ValueError: it is not as it should be; says how.
    """
    if len(fields) < LEAST:
        raise ValueError(f"{len(fields)} columns; {LEAST} or more are needed")
    frame, track = _whole(fields[0], "frame"), _whole(fields[1], "id")
    left, top, width, height = (
        _number(field, name) for field, name in zip(fields[2:6], SIDES, strict=True)
    )
    score = _number(fields[6], "confidence") if len(fields) > LEAST else 1.0
    type_ = UNKNOWN
    if len(fields) == GROUND_TRUTH:
        kind = TYPES.get(_whole(fields[7], "class"))
        if kind is None or score == 0.0:
            return
        type_ = kind
    box = (left, top, left + width, top + height)
    reason = builder.add(frame - first_frame, track, box, score, type_, line)
    if reason is not None:
        raise ValueError(reason)


def _number(field: str, name: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in field:
        raise ValueError(f"the {name} {shortened(field)} is no finite number")
    return value


def _whole(field: str, name: str) -> int:
    """A whole number, also written as some trackers do: `12.0`."""
    if _INTEGER.fullmatch(field):
        return int(field)
    value = _number(field, name)
    if not value.is_integer() or abs(value) > EXACT:
        raise ValueError(f"the {name} {shortened(field)} is no whole number")
    return int(value)
