"""Predictions on disk: JSON Lines, written whole, read with every line checked.

The first line is the header: `format`, `version`, `classes`, `multi_label`, `split`,
`manifest_sha256`, `model`, and `quarantined` where clips of the split were left out. Every other
line is a clip: `id`, `source`, `height` and `width` (in pixels, as cut from the video), `logits`
(one a class in the header's order, the shortest decimals that give the same float64) and `labels`
(names). In a file of clips without known labels, such as a public test set, every `labels` is null.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinyvirat.common.files import written_beside
from tinyvirat.evaluation.arrays import BoolArray
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.predictions import Predictions

FORMAT = "tinyvirat-predictions"
VERSION = 1
LONGEST_LINE = 1 << 22
LONGEST_TEXT = 4096
LARGEST_SIDE = 1 << 16
HEADER_KEYS = ("format", "version", "classes", "multi_label", "split", "manifest_sha256", "model")
QUARANTINED = "quarantined"
CLIP_KEYS = ("id", "source", "height", "width", "logits", "labels")
SPLITS = ("train", "val", "test")


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Writes the file whole or not at all."""
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for line in _lines(predictions):
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def _lines(p: Predictions) -> Iterator[dict[str, Any]]:
    header = (FORMAT, VERSION, p.classes, p.multi_label, p.split, p.manifest_sha256, p.model)
    left_out = {QUARANTINED: p.quarantined} if p.quarantined else {}
    yield dict(zip(HEADER_KEYS, header, strict=True)) | left_out
    for n, (clip, source) in enumerate(zip(p.ids, p.sources, strict=True)):
        height, width = p.sizes_N2[n].tolist()
        labels = None
        if p.targets_NK is not None:
            labels = [p.classes[k] for k in np.flatnonzero(p.targets_NK[n])]
        row = (clip, source, height, width, p.logits_NK[n].tolist(), labels)
        yield dict(zip(CLIP_KEYS, row, strict=True))


def read_predictions(path: Path) -> Predictions:
    """Reads what `write_predictions` wrote.

    Raises:
        EvaluationError: the file cannot be read, is of another format or version, or a line is not
            what it should be; the message names the line.
    """
    try:
        with path.open("rb") as file:
            return _read(path, iter(lambda: file.readline(LONGEST_LINE + 1), b""))
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read ({error.strerror})") from error


def _read(path: Path, lines: Iterator[bytes]) -> Predictions:
    header = _header(_Line(path, 1, next(lines, b"")))
    classes: tuple[str, ...] = header["classes"]
    index_of = {name: k for k, name in enumerate(classes)}
    ids: dict[str, int] = {}
    sources, sizes, logits, labels = [], [], [], []
    for number, raw in enumerate(lines, start=2):
        line = _Line(path, number, raw)
        row = line.parsed(CLIP_KEYS)
        clip = line.text(row, "id")
        if clip in ids:
            line.wrong(f"the clip {clip!r} stands in line {ids[clip]} already")
        ids[clip] = number
        sources.append(line.text(row, "source"))
        sizes.append((line.side(row, "height"), line.side(row, "width")))
        logits.append(line.logits(row, len(classes)))
        labels.append(line.labels(row, index_of))
        if (labels[-1] is None) != (labels[0] is None):
            line.wrong("labels are null in some lines and known in others")
    if not ids:
        raise EvaluationError(f"{path}: there is a header, but not one clip")
    return Predictions(
        ids=tuple(ids),
        sources=tuple(sources),
        sizes_N2=np.array(sizes, dtype=np.int64),
        logits_NK=np.array(logits, dtype=np.float64).reshape(len(ids), len(classes)),
        targets_NK=_targets(labels, len(classes)),
        classes=classes,
        multi_label=header["multi_label"],
        split=header["split"],
        manifest_sha256=header["manifest_sha256"],
        model=header["model"],
        quarantined=header[QUARANTINED],
    )


def _targets(labels: list[tuple[int, ...] | None], count: int) -> BoolArray | None:
    if labels[0] is None:
        return None
    targets_NK = np.zeros((len(labels), count), dtype=np.bool_)
    for row, indices in zip(targets_NK, labels, strict=True):
        row[list(indices or ())] = True
    return targets_NK


def _header(line: _Line) -> dict[str, Any]:
    parsed = line.json()
    if not isinstance(parsed, dict) or parsed.get("format") != FORMAT:
        line.wrong(f"this is not a file of predictions (its first line has no format {FORMAT!r})")
    if parsed.get("version") != VERSION:
        line.wrong(
            f"version {reprlib.repr(parsed.get('version'))} of the format is not known, only "
            f"{VERSION}; update tinyvirat"
        )
    given = QUARANTINED in parsed
    header = {QUARANTINED: 0} | line.parsed((*HEADER_KEYS, QUARANTINED) if given else HEADER_KEYS)
    if type(header[QUARANTINED]) is not int or header[QUARANTINED] < 0:
        line.wrong(f"quarantined must be a number of clips, got {header[QUARANTINED]!r:.60}")
    classes = header["classes"]
    if not isinstance(classes, list) or not classes or not all(map(_is_text, classes)):
        line.wrong(f"classes must be a list of names, got {reprlib.repr(classes)}")
    if len(set(classes)) != len(classes):
        line.wrong("a class is named twice")
    header["classes"] = tuple(classes)
    if not isinstance(header["multi_label"], bool):
        line.wrong(f"multi_label must be true or false, got {reprlib.repr(header['multi_label'])}")
    if header["split"] not in SPLITS:
        line.wrong(f"split must be {', '.join(SPLITS)}, got {reprlib.repr(header['split'])}")
    digest = header["manifest_sha256"]
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        line.wrong(f"manifest_sha256 must be 64 hexadecimal digits, got {reprlib.repr(digest)}")
    line.text(header, "model")
    return header


class _Line:
    """One line of the file: where it stands, and its fields, each checked as it is taken."""

    def __init__(self, path: Path, number: int, raw: bytes) -> None:
        self.where = f"{path}, line {number}"
        self.raw = raw

    def wrong(self, what: str) -> NoReturn:
        raise EvaluationError(f"{self.where}: {what}; write the predictions again")

    def json(self) -> Any:
        if len(self.raw) > LONGEST_LINE:
            self.wrong(f"the line is longer than {LONGEST_LINE} bytes")
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError) as error:
            self.wrong(f"not JSON ({getattr(error, 'msg', error)})")

    def parsed(self, keys: tuple[str, ...]) -> dict[str, Any]:
        parsed = self.json()
        if not isinstance(parsed, dict) or set(parsed) != set(keys):
            self.wrong(f"the keys {', '.join(keys)} are needed, and no other")
        return parsed

    def text(self, row: dict[str, Any], key: str) -> str:
        value = row[key]
        if not _is_text(value):
            self.wrong(f"{key} must be a text, got {reprlib.repr(value)}")
        return str(value)

    def side(self, row: dict[str, Any], key: str) -> int:
        value = row[key]
        if type(value) is not int or not 1 <= value <= LARGEST_SIDE:
            self.wrong(f"{key} must be a number of pixels, got {reprlib.repr(value)}")
        return value

    def logits(self, row: dict[str, Any], count: int) -> list[float]:
        values = row["logits"]
        if not isinstance(values, list) or len(values) != count:
            self.wrong(f"logits must be a list of {count} numbers, got {reprlib.repr(values)}")
        try:
            numbers = [float(value) for value in values if type(value) in (int, float)]
        except OverflowError:  # a whole number of hundreds of digits
            numbers = []
        if len(numbers) != count or not all(map(math.isfinite, numbers)):
            self.wrong(f"logits must be finite numbers, got {reprlib.repr(values)}")
        return numbers

    def labels(self, row: dict[str, Any], index_of: dict[str, int]) -> tuple[int, ...] | None:
        values = row["labels"]
        if values is None:
            return None
        if not isinstance(values, list) or not all(map(_is_text, values)):
            self.wrong(f"labels must be a list of names or null, got {reprlib.repr(values)}")
        for name in values:
            if name not in index_of:
                self.wrong(f"the label {name!r} is not among the classes of the first line")
        return tuple(index_of[name] for name in values)


def _is_text(value: object) -> bool:
    """Whether a parsed value is a text that can be shown, compared and written again."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
