"""The list of clips that are to be left out: `quarantine.jsonl`, beside the manifests it is about.

One JSON object a line: `id` and `path` of the clip as in the manifest, `reason` (a word), `detail`
(a sentence) and `content` (SHA-256 of the clip's decoded frames, null where none decodes). It is
about every manifest in its folder that has a clip of that id and path. `tinyvirat data check`
replaces its own rows; rows with reasons of the user's own are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.common.plain import PlainDataError, from_plain
from tinyvirat.datasets.records import ManifestError

QUARANTINE = "quarantine.jsonl"
# Far above any real list; a file of that name that is something else is refused before it is read.
LARGEST = 1 << 28

Key = tuple[str, str]
"""Id and path of a clip."""


@dataclass(frozen=True)
class Quarantined:
    """One clip that is to be left out.

    Attributes:
        id: of the clip, as in the manifest.
        path: of its file, as in the manifest.
        reason: one word or so: a problem that `tinyvirat data check` knows, or any other.
        detail: what is wrong, for people.
        content: SHA-256 of its decoded frames, lower-case hexadecimal; None where none decodes.
    """

    id: str
    path: str
    reason: str
    detail: str = ""
    content: str | None = None

    def __post_init__(self) -> None:
        for name in ("id", "path", "reason"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty")

    @property
    def key(self) -> Key:
        """What finds the clip in a manifest."""
        return self.id, self.path


def quarantine_file(manifest: Path) -> Path:
    """Where the list for a manifest is."""
    return manifest.parent / QUARANTINE


def read_quarantine(path: Path) -> dict[Key, Quarantined]:
    """The rows of a list by clip, in the file's order; none where there is no such file.

    Raises:
        ManifestError: the file cannot be read, or a line is not what it should be.
    """
    try:
        if not path.exists():
            return {}
        if path.stat().st_size > LARGEST:
            raise ManifestError(f"{path}: larger than {LARGEST} bytes: not a list of clips")
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"{path}: cannot be read ({error}); write it again with 'tinyvirat data check', or "
            "delete it to leave no clip out"
        ) from error
    rows = (_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip())
    return {row.key: row for row in rows}


def write_quarantine(
    path: Path, rows: Iterable[Quarantined], *, about: Iterable[Key], reasons: Iterable[str]
) -> None:
    """Replaces what a list says about some clips; a list that becomes empty is deleted.

    Rows about other clips, and rows with reasons other than `reasons`, stay as they are.

    Args:
        path: the list.
        rows: the new rows.
        about: the clips that were looked at.
        reasons: those of the rows that are replaced.

    Raises:
        ManifestError: as `read_quarantine`, or the list cannot be written.
    """
    clips, known = set(about), set(reasons)
    before = read_quarantine(path)
    kept = {key: row for key, row in before.items() if key not in clips or row.reason not in known}
    merged = kept | {row.key: row for row in rows if row.key not in kept}
    if merged == before:
        return
    try:
        if merged:
            write_text(path, _text(merged))
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written: {error.strerror}") from error


def _text(rows: Mapping[Key, Quarantined]) -> str:
    return "".join(json.dumps(asdict(rows[key]), ensure_ascii=False) + "\n" for key in sorted(rows))


def _row(path: Path, number: int, line: str) -> Quarantined:
    where = f"{path}, line {number}"
    try:
        return from_plain(Quarantined, json.loads(line), where=where)
    except PlainDataError as error:
        raise ManifestError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ManifestError(
            f"{where}: not valid JSON ({error}); every line must be one JSON object"
        ) from error
