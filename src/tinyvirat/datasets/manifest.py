"""One row a clip: the file, what is in it, what it shows, and which split it belongs to.

A manifest is a JSONL file (one JSON object a line) or a CSV file with the same columns. Everything
in it is checked once, when it is read; nothing behind this module checks again.

| column | meaning |
|---|---|
| `id` | names the clip; unique |
| `path` | the video file, relative to the manifest's folder |
| `frames`, `height`, `width` | of that file as it decodes (headers lie: count by decoding) |
| `fps` | frames a second as a fraction in text: `30000/1001`, `25` |
| `labels` | list of class names; empty where they are not known |
| `split` | `train`, `val` or `test` |
| `source` | the video, person or scene it comes from; no two splits share one |
| `start`, `stop` | optional: the clip is the frames `[start, stop)` of the file |
| `windows` | optional: the clip is cut out along square boxes `x1, y1, x2, y2` in whole pixels of \
the file, x2 and y2 exclusive; one box, or one a frame of the clip; they may leave the frame |
| `tracks` | optional: numbers of the tracks that it shows |
| `extra` | optional: an object for anything else |

In CSV a list is joined with `|`, a box is `x1 y1 x2 y2`, `extra` is JSON, an empty cell is `None`.

Clips that a `quarantine.jsonl` beside the manifest names (`tinyvirat data check` writes it) are
left out when it is read, here and nowhere else; `Manifest.quarantined` has them.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from tinyvirat.common import strict_json
from tinyvirat.common.files import inside, write_text
from tinyvirat.datasets.health.quarantine import Quarantined, quarantine_file, read_quarantine
from tinyvirat.datasets.records import (
    COLUMNS,
    SPLITS,
    ClipRecord,
    ManifestError,
    check_label,
    check_split,
    record_from_row,
    row_from_record,
    suggestion,
)

__all__ = ["SPLITS", "ClipRecord", "Manifest", "ManifestError", "read_manifest", "write_manifest"]

LABELS_FILE = "labels.txt"


@dataclass(frozen=True)
class LeftOut:
    """A clip of a manifest that is in quarantine, and the row that says so."""

    record: ClipRecord
    row: Quarantined


@dataclass(frozen=True)
class Manifest:
    """A checked list of clips.

    Attributes:
        path: the file it was read from.
        root: the folder that the records' paths are relative to.
        records: the clips, in the order of the file, without those in quarantine.
        labels: the classes in the order of the network's outputs; those of clips in quarantine
            are among them.
        quarantined: the clips that are left out.
    """

    path: Path
    root: Path
    records: tuple[ClipRecord, ...]
    labels: tuple[str, ...]
    quarantined: tuple[LeftOut, ...] = ()

    @property
    def multi_label(self) -> bool:
        """Whether any clip has two labels or more."""
        return any(len(record.labels) > 1 for record in self.records)

    def of(self, split: str) -> tuple[ClipRecord, ...]:
        """The clips of one split, in the order of the file.

        Raises:
            ManifestError: an unknown split, or one without clips.
        """
        check_split(split)
        chosen = tuple(record for record in self.records if record.split == split)
        if not chosen:
            present = sorted({record.split for record in self.records})
            raise ManifestError(
                f"{self.path}: no clip is in the split {split!r}; it has {', '.join(present)}"
                + (f"; {len(self.left_out(split))} are in quarantine" if self.quarantined else "")
            )
        return chosen

    def left_out(self, split: str | None = None) -> tuple[LeftOut, ...]:
        """The clips in quarantine, of one split or of all."""
        return tuple(one for one in self.quarantined if split in (None, one.record.split))

    def quarantine_note(self, split: str | None = None) -> str:
        """A sentence that says how many clips are left out and why; empty when none is."""
        left_out = self.left_out(split)
        if not left_out:
            return ""
        kept = sum(split in (None, record.split) for record in self.records)
        reasons = Counter(one.row.reason for one in left_out)
        return (
            f"{self.path}: {len(left_out)} of {kept + len(left_out)}"
            + (f" {split} clips" if split else " clips")
            + " are left out, in quarantine: "
            + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            + f" (see {quarantine_file(self.path)})"
        )

    def file(self, record: ClipRecord) -> Path:
        """The video file of a clip."""
        return self.root / record.path

    def targets(self, records: Sequence[ClipRecord]) -> NDArray[np.float32]:
        """`targets_NK`: 1 where clip N shows class K, else 0."""
        index = {label: k for k, label in enumerate(self.labels)}
        targets_NK = np.zeros((len(records), len(self.labels)), np.float32)
        for n, record in enumerate(records):
            targets_NK[n, [index[label] for label in record.labels]] = 1.0
        return targets_NK


def read_manifest(
    path: Path,
    *,
    labels: Sequence[str] | Path | None = None,
    root: Path | None = None,
    check_files: bool = True,
    quarantine: bool = True,
) -> Manifest:
    """Reads and checks a manifest.

    Args:
        path: a `.jsonl` or `.csv` file.
        labels: the classes in order, or a text file with one a line. `None` means `labels.txt`
            beside the manifest where there is one, else the labels that occur, sorted.
        root: the folder that paths are relative to, where it is not the manifest's own.
        check_files: whether every video file must be there; those of clips in quarantine need not.
        quarantine: whether to leave out the clips that a `quarantine.jsonl` beside it names.

    Raises:
        ManifestError: anything wrong, with the file and the line: a row that is malformed, an
            unknown column, label or split, a number out of its range, a missing file, a path that
            leaves its folder, an id or a clip given twice, a source in two splits; or every clip
            is in quarantine.
    """
    path = Path(path)
    base = path.parent if root is None else Path(root)
    numbered = _rows(path)
    banned = read_quarantine(quarantine_file(path)) if quarantine else {}
    records, lines = [], []
    for line, row in numbered:
        with _named(f"{path}, line {line}"):
            record = record_from_row(row)
            file = inside(base, record.path, where=f"{path}, line {line}")
            needed = check_files and (record.id, record.path) not in banned
            if needed and not _is_file(file):
                raise ManifestError(
                    f"the file {base / record.path} does not exist; "
                    "put it there, take the row out, or name the folder that paths are relative to "
                    "as root (--root)"
                )
        records.append(record)
        lines.append(f"{path}, line {line}")
    if not records:
        raise ManifestError(f"{path}: no clips; a manifest has one row for each")
    _check_together(records, lines)
    classes = _classes(path, records, lines, labels)
    kept = tuple(record for record in records if (record.id, record.path) not in banned)
    left_out = tuple(
        LeftOut(record, banned[record.id, record.path])
        for record in records
        if (record.id, record.path) in banned
    )
    if not kept:
        where = quarantine_file(path)
        raise ManifestError(f"{path}: all of its {len(records)} clips are in quarantine in {where}")
    return Manifest(path, base, kept, classes, left_out)


def write_manifest(path: Path, records: Iterable[ClipRecord]) -> None:
    """Writes a manifest whole or not at all; the same records always give the same bytes.

    Args:
        path: where; `.jsonl` or `.csv` says which format.
        records: the clips, kept in this order. They are checked together as when they are read.

    Raises:
        ManifestError: an id or clip given twice, a source in two splits, no records, another
            suffix, something in `extra` that JSON has no words for, or a folder that cannot be
            written to.
    """
    path = Path(path)
    kept = tuple(records)
    if not kept:
        raise ManifestError(f"{path}: there are no clips to write")
    _check_together(kept, [f"{path}, clip {record.id!r}" for record in kept])
    text = _csv_text(path, kept) if _suffix(path) == ".csv" else _jsonl_text(path, kept)
    try:
        write_text(path, text)
    except UnicodeEncodeError as error:
        raise ManifestError(f"{path}: extra holds text that is not valid Unicode") from error
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Puts a file and a line before the message of every error of the user's inside it."""
    try:
        yield
    except ManifestError as error:
        raise ManifestError(f"{where}: {error}") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long for the file system
        return False


def _suffix(path: Path) -> str:
    if path.suffix not in (".jsonl", ".csv"):
        absent = "" if path.exists() else "; there is nothing of that name"
        raise ManifestError(f"{path}: a manifest's name ends in .jsonl or .csv{absent}")
    return path.suffix


def _rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Every row with the number of its line, as JSON values."""
    suffix = _suffix(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
    return _csv_rows(path, text) if suffix == ".csv" else _jsonl_rows(path, text)


def _jsonl_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = strict_json.parse(line)
        except ValueError as error:
            raise ManifestError(
                f"{path}, line {number}: not valid JSON ({error}); "
                "every line must be one JSON object"
            ) from error
        if not isinstance(row, dict):
            raise ManifestError(
                f"{path}, line {number}: holds {type(row).__name__}, not an object; "
                'write {"id": ..., "path": ..., ...}'
            )
        yield number, row


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        for name in header:
            if name not in COLUMNS or header.count(name) > 1:
                raise ManifestError(
                    f"{path}, line 1: the column {name!r} is "
                    + ("given twice" if name in COLUMNS else f"unknown{suggestion(name, COLUMNS)}")
                    + f"; the columns are {', '.join(COLUMNS)}, and extra holds anything else"
                )
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise ManifestError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells under "
                    f"{len(header)} columns; quote a cell that holds a comma"
                )
            with _named(f"{path}, line {reader.line_num}"):
                row = {
                    name: _from_cell(name, cell) for name, cell in zip(header, cells, strict=True)
                }
            yield reader.line_num, {name: value for name, value in row.items() if value is not None}
    except csv.Error as error:
        raise ManifestError(
            f"{path}, line {reader.line_num}: not valid CSV ({error}); "
            "very long cells need the .jsonl format"
        ) from error


def _from_cell(name: str, cell: str) -> object:
    """A CSV cell as the JSON value of its column; `None` when it is empty."""
    if name == "labels":
        return cell.split("|") if cell else []
    if not cell:
        return None
    try:
        if name in ("frames", "height", "width", "start", "stop"):
            return int(cell)
        if name == "tracks":
            return [int(number) for number in cell.split("|")]
        if name == "windows":
            return [[int(number) for number in box.split(" ")] for box in cell.split("|")]
        if name == "extra":
            return strict_json.parse(cell)
    except ValueError as error:
        raise ManifestError(f"{name} is {cell[:80]!r}, which cannot be read ({error})") from error
    return cell


def _to_cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name == "windows" and isinstance(value, list):
        return "|".join(" ".join(str(edge) for edge in box) for box in value)
    if isinstance(value, list):
        return "|".join(str(item) for item in value)
    if name == "extra":
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return str(value)


def _csv_text(path: Path, records: Sequence[ClipRecord]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    limit = csv.field_size_limit()
    for record in records:
        row = _plain_row(path, record)
        cells = [_to_cell(name, row.get(name)) for name in COLUMNS]
        longest = max(zip(map(len, cells), COLUMNS, strict=True))
        if longest[0] > limit:
            raise ManifestError(
                f"{path}, clip {record.id!r}: {longest[1]} takes {longest[0]} characters, more "
                f"than the {limit} that CSV readers take; write a .jsonl file"
            )
        writer.writerow(cells)
    return out.getvalue()


def _jsonl_text(path: Path, records: Sequence[ClipRecord]) -> str:
    rows = (_plain_row(path, record) for record in records)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _plain_row(path: Path, record: ClipRecord) -> dict[str, object]:
    """A record's row, once it is known that JSON gives back what it is given."""
    row = row_from_record(record)
    try:
        same = json.loads(json.dumps(row, allow_nan=False)) == row
    except (TypeError, ValueError, RecursionError) as error:
        raise ManifestError(f"{path}, clip {record.id!r}: extra is not JSON ({error})") from error
    if not same:
        raise ManifestError(
            f"{path}, clip {record.id!r}: extra changes when written as JSON; "
            "use objects with text names, lists, text, numbers, true, false and null"
        )
    return row


def _check_together(records: Sequence[ClipRecord], where: Sequence[str]) -> None:
    """What only shows when the rows are seen together."""
    ids: dict[str, str] = {}
    clips: dict[object, str] = {}
    sources: dict[str, tuple[str, str]] = {}
    for record, here in zip(records, where, strict=True):
        if record.id in ids:
            raise ManifestError(
                f"{here}: the id {record.id!r} is taken by {ids[record.id]}; ids must be unique"
            )
        clip = (PurePosixPath(record.path), record.span, record.windows)
        if clip in clips:
            raise ManifestError(
                f"{here}: {record.path!r} with the same span and windows is given by "
                f"{clips[clip]}; take one of the two out, or give one row all labels"
            )
        split, first = sources.setdefault(record.source, (record.split, here))
        if split != record.split:
            raise ManifestError(
                f"{here}: the source {record.source!r} is in {record.split!r} here and in "
                f"{split!r} in {first}; splits must not share a source: move one of the clips"
            )
        ids[record.id] = here
        clips[clip] = here


def _classes(
    path: Path,
    records: Sequence[ClipRecord],
    where: Sequence[str],
    labels: Sequence[str] | Path | None,
) -> tuple[str, ...]:
    """The class list, and the certainty that every label is in it."""
    beside = path.parent / LABELS_FILE
    if labels is None and not beside.is_file():
        return tuple(sorted({label for record in records for label in record.labels}))
    if labels is None:
        labels = beside
    if isinstance(labels, str | Path):
        origin, classes = str(labels), _read_labels(Path(labels))
    else:
        origin, classes = "the given labels", tuple(labels)
    if len(set(classes)) < len(classes):
        twice = next(label for label in classes if classes.count(label) > 1)
        raise ManifestError(f"{origin}: the label {twice!r} is given twice")
    with _named(origin):
        for label in classes:
            check_label(label)
    known = set(classes)
    for record, here in zip(records, where, strict=True):
        for label in record.labels:
            if label not in known:
                raise ManifestError(
                    f"{here}: the label {label!r} is not one of the {len(classes)} of {origin}"
                    f"{suggestion(label, classes)}; correct it, or add it there"
                )
    return classes


def _read_labels(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: the labels cannot be read: {error}") from error
    classes = tuple(line.strip() for line in lines if line.strip())
    if not classes:
        raise ManifestError(f"{path}: no labels; write one a line")
    return classes
