"""Facts that were measured before, so that a check goes on where it was stopped.

A line of JSON for each file, found by a key of everything that decides its facts: path, size, time
of change, the clips in it and the version of `measure`. Lines are added as they become known; one
cut off by a crash, or by another version, is measured again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TextIO

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import cache_folder, write_text
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain
from tinyvirat.datasets.health.facts import FileFacts
from tinyvirat.datasets.health.measure import VERSION
from tinyvirat.datasets.health.pool import Job


class Memory:
    """The facts known about the files of one manifest; a context manager.

    Args:
        manifest: the manifest.
        folder: where facts are kept; None is `health` in the package's cache folder.

    Raises:
        TinyviratError: the folder cannot be used.
    """

    def __init__(self, manifest: Path, folder: Path | None = None) -> None:
        folder = cache_folder() / "health" if folder is None else folder
        name = hashlib.sha256(str(manifest.resolve()).encode()).hexdigest()
        self.path = folder / f"{name[:32]}.jsonl"
        self._known = _read(self.path)
        self._used: dict[str, FileFacts] = {}
        self._file: TextIO | None = None

    def __enter__(self) -> Memory:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise _unusable(self.path, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        if kind is None:
            self._tidy()

    def recall(self, job: Job) -> FileFacts | None:
        """The facts of a file, where they are known and the file is still the same."""
        key = _key(job)
        facts = self._known.get(key) if key else None
        if key is None or facts is None:
            return None
        self._used[key] = facts
        return facts

    def learn(self, job: Job, facts: FileFacts) -> None:
        """Keeps the facts of a file. A missing one has no key: it is looked for every time."""
        key = _key(job)
        if key is None or self._file is None:
            return
        self._used[key] = facts
        try:
            self._file.write(_line(key, facts))
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _tidy(self) -> None:
        """Writes the facts in use only, in order: those of changed files are of no use."""
        try:
            write_text(
                self.path, "".join(_line(key, self._used[key]) for key in sorted(self._used))
            )
        except OSError as error:
            raise _unusable(self.path, error) from error


def _key(job: Job) -> str | None:
    try:
        status = job.file.stat()
    except OSError:
        return None
    views: Iterable[object] = to_plain(job.views)
    identity = [VERSION, str(job.file.resolve()), status.st_size, status.st_mtime_ns, views]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _line(key: str, facts: FileFacts) -> str:
    return json.dumps({"key": key, "facts": to_plain(facts)}) + "\n"


def _read(path: Path) -> dict[str, FileFacts]:
    known = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, error) from error
    for line in lines:
        try:
            row = json.loads(line)
            known[str(row["key"])] = from_plain(FileFacts, row["facts"], where=str(path))
        except (ValueError, TypeError, KeyError, RecursionError, PlainDataError):
            continue
    return known


def _unusable(path: Path, error: OSError) -> TinyviratError:
    return TinyviratError(
        f"{path}: what was measured cannot be kept ({error.strerror}); make room, or name another "
        "folder with $TINYVIRAT_CACHE"
    )
