"""Files that are never half written, paths that never leave their folder, and the cache folder."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyvirat.common.errors import TinyviratError

CACHE_VARIABLE = "TINYVIRAT_CACHE"


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, renamed onto `path` when the block
    succeeds.

    The temporary file is on the same file system and keeps the suffix (encoders choose a container
    by it). It is flushed to disk before the rename, so that a crash leaves the old file or the new
    one, never a part. When the block raises, the temporary file is removed and `path` is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8, whole or not at all."""
    with written_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all."""
    with written_beside(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def locked(path: Path, busy: TinyviratError) -> Iterator[None]:
    """Holds the lock file `path` while the block runs, for this process and no other.

    The file stays: only who holds it counts, and a process that ends, however it ends, holds
    nothing, nor do those that it forked. Where the file system knows no locks, nobody is kept out.

    Args:
        path: the lock file; its folder is made if need be.
        busy: what to raise when another process holds it.

    Raises:
        TinyviratError: `busy`.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        os.register_at_fork(after_in_child=lock.close)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise busy from error
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
        yield


def inside(root: Path, relative: str, *, where: str) -> Path:
    """The absolute path of `relative` under `root`.

    Args:
        root: the folder that may not be left.
        relative: a path as found in a file from elsewhere.
        where: what the error names as the origin, such as `manifest.jsonl, line 3`.

    Raises:
        TinyviratError: `relative` is empty, absolute, holds a NUL, or leaves `root` (`..` or a
        link).
    """
    if not relative or "\0" in relative:
        raise TinyviratError(f"{where}: {relative!r} is not a path")
    base = root.resolve()
    path = (base / relative).resolve()
    if Path(relative).is_absolute() or not path.is_relative_to(base):
        raise TinyviratError(
            f"{where}: the path {relative!r} leaves its folder {base}; "
            "paths must be relative and stay inside it"
        )
    return path


def cache_folder() -> Path:
    """The folder for weights and decoded frames: `$TINYVIRAT_CACHE`, else `~/.cache/tinyvirat`."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "tinyvirat"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file as lower-case hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
