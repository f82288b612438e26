"""Downloaded archives, checked and unpacked where nothing in them can do harm.

ZIP, and tar as it is or within gzip, bzip2 or xz. Only regular files are unpacked, each written
beside its place and renamed; nothing that is there already is overwritten. A path that leaves the
folder, a link, a device, an encrypted member or a name given twice refuses the whole archive before
a byte is written. So does one that unpacks to many times its own size, or to more than there is
room for. Every byte is checked: ZIP members against their CRC-32, tar by the checksum of what it is
compressed with.

Interrupted, the same call goes on: members that are there with the same bytes stay as they are.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn, cast

from tinyvirat.common.files import inside, write_text, written_beside
from tinyvirat.common.progress import track
from tinyvirat.datasets.published.layout import RAR_REMEDY
from tinyvirat.datasets.published.listing import PublishedError

MOST_MEMBERS = 1_000_000
# Video hardly packs at all; text packs to a tenth, a bomb to a thousandth.
LARGEST_RATIO = 20
# Below this a large ratio does no harm.
HARMLESS_BYTES = 1 << 26
PIECE = 1 << 20
LARGEST_HEADER = 1 << 20
BLOCK = 512
OTHER_MAGICS = {b"Rar!": "RAR", b"7z\xbc\xaf": "7-Zip"}
COMPRESSED: dict[bytes, Callable[[Path], object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
# What macOS adds to archives.
JUNK = ("__MACOSX", ".DS_Store")
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class _Member:
    """A file of an archive.

    Attributes:
        name: where it goes, below the folder.
        size: bytes, as the archive claims.
        at: where its bytes begin in the unpacked tar; for ZIP its place in the directory.
    """

    name: str
    size: int
    at: int


def unpack(archive: Path, folder: Path) -> int:
    """Unpacks an archive into a folder, or goes on where it was interrupted.

    Args:
        archive: a ZIP or tar file; what it is called does not matter.
        folder: where to; made where it is not there.

    Returns:
        The number of its files.

    Raises:
        PublishedError: it is no such archive, it is damaged, something in it is not safe, there is
            no room, or another file is where one of its files goes; names the member and the
            remedy.
    """
    try:
        done = _files_done(archive, folder)
        if done:
            return done
        is_zip = _is_zip(archive)
        members = _zip_members(archive) if is_zip else _tar_members(archive, folder)
        _check(archive, folder, members)
        folder.mkdir(parents=True, exist_ok=True)
        pieces = _zip_contents(archive, members) if is_zip else _tar_contents(archive, members)
        for member, source in track(pieces, "unpacking", len(members)):
            _store(archive, folder, member, source)
    except DAMAGED as error:
        raise PublishedError(f"{archive}: is damaged ({error}); download it again") from error
    except EOFError as error:
        raise PublishedError(f"{archive}: ends too early; download it again") from error
    except NotImplementedError as error:  # a way of compressing that the library has not
        raise PublishedError(f"{archive}: cannot be unpacked ({error})") from error
    except OSError as error:
        raise PublishedError(f"{archive}: cannot be unpacked into {folder}: {error}") from error
    _mark(archive, folder, members)
    return len(members)


def _is_zip(archive: Path) -> bool:
    """Whether it is a ZIP rather than a tar file; an error when it is neither."""
    with archive.open("rb") as file:
        magic = file.read(8)
    for begin, kind in OTHER_MAGICS.items():
        if magic.startswith(begin):
            raise PublishedError(
                f"{archive}: is a {kind} archive, which is not unpacked here; unpack it "
                f"({RAR_REMEDY}), and what is in it where these are archives again, and name the "
                "folder"
            )
    if zipfile.is_zipfile(archive):
        return True
    with _uncompressed(archive) as stream:
        try:
            tarfile.open(fileobj=cast(IO[bytes], _Headers(stream)), mode="r:").close()
        except tarfile.ReadError:
            raise PublishedError(f"{archive}: is neither a ZIP nor a tar archive") from None
    return False


@contextmanager
def _uncompressed(archive: Path) -> Iterator[IO[bytes]]:
    with archive.open("rb") as file:
        magic = file.read(8)
    opener = next((open_ for begin, open_ in COMPRESSED.items() if magic.startswith(begin)), None)
    stream = archive.open("rb") if opener is None else cast(IO[bytes], opener(archive))
    with stream:
        yield stream


def _zip_members(archive: Path) -> list[_Member]:
    members = []
    with zipfile.ZipFile(archive) as file:
        for at, info in enumerate(file.infolist()):
            kind = stat.S_IFMT(info.external_attr >> 16)
            name = _safe_name(archive, info.filename)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                _refuse(archive, info.filename, "is a link or a device")
            if info.flag_bits & 1:
                _refuse(archive, info.filename, "is encrypted")
            if name is not None and not info.is_dir():
                members.append(_Member(name, info.file_size, at))
    return members


class _Headers:
    """A stream of which only headers are read: a header that claims to be huge is refused."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.tell, self.seek, self._read = stream.tell, stream.seek, stream.read

    def read(self, size: int = -1) -> bytes:
        """At most `LARGEST_HEADER` bytes."""
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._read(size)


def _tar_members(archive: Path, folder: Path) -> list[_Member]:
    members = []
    most, end = _most_bytes(archive), 0
    with _uncompressed(archive) as stream:
        with tarfile.open(fileobj=cast(IO[bytes], _Headers(stream)), mode="r:") as file:
            for info in file:
                name = _safe_name(archive, info.name)
                if not (info.isdir() or info.isreg()) or info.issparse():
                    _refuse(archive, info.name, "is a link, a device or a sparse file")
                # The library's own rules, where it has them (from Python 3.11.4 on), as well.
                if hasattr(tarfile, "data_filter"):
                    tarfile.data_filter(info, str(folder))
                end = info.offset_data + -(-info.size // BLOCK) * BLOCK
                if end > most:
                    _refuse_bomb(archive, most)
                if name is not None and info.isreg():
                    members.append(_Member(name, info.size, info.offset_data))
        stream.seek(end)
        _check_end(archive, stream, most)
    return members


def _check_end(archive: Path, stream: IO[bytes], most: int) -> None:
    """Reads to the last byte, where a checksum is; a tar ends in two blocks of zeros or more.

    The library takes a header that it cannot read for the end, which would lose what follows.
    """
    zeros = 0
    while piece := stream.read(PIECE):
        if piece.count(0) != len(piece):
            raise tarfile.ReadError("a member's header is wrong")
        zeros += len(piece)
        if stream.tell() > most:
            _refuse_bomb(archive, most)
    if zeros < 2 * BLOCK:
        raise EOFError


def _safe_name(archive: Path, text: str) -> str | None:
    """A member's path below the folder; `None` for what is not wanted.

    Raises:
        PublishedError: it could lead out of the folder, on any system.
    """
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\0" in text:
        _refuse(archive, text, "leads out of the folder")
    if "\\" in text or re.match("[A-Za-z]:", text):
        _refuse(archive, text, "is no path of its own below a folder on every system")
    if any(part in JUNK or part.startswith("._") for part in path.parts):
        return None
    return path.as_posix() if path.parts else None


def _refuse(archive: Path, name: str, why: str) -> NoReturn:
    raise PublishedError(
        f"{archive}: the member {name[:200]!r} {why}; nothing was unpacked: get the archive from "
        "the data set's own page"
    )


def _most_bytes(archive: Path) -> int:
    return max(HARMLESS_BYTES, LARGEST_RATIO * archive.stat().st_size)


def _refuse_bomb(archive: Path, most: int) -> NoReturn:
    raise PublishedError(
        f"{archive}: {archive.stat().st_size} bytes would unpack to more than {most}, which no "
        "archive of videos does; nothing was unpacked: get it from the data set's own page"
    )


def _check(archive: Path, folder: Path, members: Sequence[_Member]) -> None:
    """What only shows when all members are seen together, and whether there is room."""
    if not members:
        raise PublishedError(f"{archive}: there is no file in it; download it again")
    if len(members) > MOST_MEMBERS:
        raise PublishedError(f"{archive}: has more than {MOST_MEMBERS} files")
    names: set[str] = set()
    for member in members:
        if member.name in names:
            _refuse(archive, member.name, "is in it twice")
        names.add(member.name)
    if sum(member.size for member in members) > _most_bytes(archive):
        _refuse_bomb(archive, _most_bytes(archive))
    needed = sum(member.size for member in members if not (folder / member.name).is_file())
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.is_dir())).free
    if needed > free:
        raise PublishedError(
            f"{archive}: {needed} bytes are to be written into {folder}, which has room for {free}"
        )


def _zip_contents(
    archive: Path, members: Sequence[_Member]
) -> Iterator[tuple[_Member, Iterator[bytes]]]:
    with zipfile.ZipFile(archive) as file:
        infos = file.infolist()
        for member in members:
            with file.open(infos[member.at]) as source:
                yield member, _pieces(source, member.size)


def _tar_contents(
    archive: Path, members: Sequence[_Member]
) -> Iterator[tuple[_Member, Iterator[bytes]]]:
    """Members in the order in which they lie there: a compressed stream is only read forward."""
    with _uncompressed(archive) as stream:
        for member in sorted(members, key=lambda member: member.at):
            stream.seek(member.at)
            yield member, _pieces(stream, member.size)


def _pieces(stream: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0:
        piece = stream.read(min(PIECE, size))
        if not piece:
            raise EOFError
        size -= len(piece)
        yield piece


def _store(archive: Path, folder: Path, member: _Member, source: Iterator[bytes]) -> None:
    """Writes a member's bytes, or makes sure that they are there already."""
    target = inside(folder, member.name, where=str(archive))
    if target.exists():
        with target.open("rb") as there:
            same = all(there.read(len(piece)) == piece for piece in source) and not there.read(1)
        if not same:
            raise PublishedError(
                f"{target}: is there already, and is not what {archive} holds under this name; "
                "move it away, or unpack into another folder"
            )
        return
    with written_beside(target) as temporary, temporary.open("wb") as out:
        for piece in source:
            out.write(piece)
        if out.tell() != member.size:
            raise EOFError


def _marker(archive: Path, folder: Path) -> Path:
    """The file that says that an archive was unpacked, with the sizes of what was in it."""
    return folder / f".{archive.name}.unpacked.json"


def _mark(archive: Path, folder: Path, members: Sequence[_Member]) -> None:
    status = archive.stat()
    data = {
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "members": {member.name: member.size for member in members},
    }
    write_text(_marker(archive, folder), json.dumps(data) + "\n")


def _files_done(archive: Path, folder: Path) -> int:
    """The files of this very archive where all of it was unpacked here and is still there, or 0."""
    status = archive.stat()
    try:
        data = json.loads(_marker(archive, folder).read_text(encoding="utf-8"))
        members = data["members"]
        same = (data["size"], data["mtime_ns"]) == (status.st_size, status.st_mtime_ns)
        there = all((folder / name).stat().st_size == size for name, size in members.items())
        return len(members) if same and there else 0
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0
