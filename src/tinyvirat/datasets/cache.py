"""Decoded frames kept on disk, so that only the first epoch decodes.

One file a clip, found by a key of everything that decides its pixels: the video file (path, size,
time of change), the span, the windows, the stored size, the decoder and this format. A change of
any of them is another key. Entries are written beside and renamed, so that any number of processes
may fill one cache. Only the frames asked for are read. Each is checked against its checksum when
a process first reads it, and again when the entry has changed since; a damaged entry is decoded
again.

Layout of an entry: magic, then T, H, W as little-endian 32-bit numbers, a CRC-32 for each frame, a
CRC-32 of all that, then the frames (T, H, W, 3) as bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from io import FileIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import cache_folder, written_beside
from tinyvirat.datasets.frames import ClipError, ClipReader, Indices, checked_indices, clip_size
from tinyvirat.datasets.records import ClipRecord
from tinyvirat.video import DecoderName

MAGIC = b"TVFRAME1"  # the last character counts up when the layout or the pixels' making changes
HEAD = struct.Struct("<8s3I")
SUFFIX = ".frames"
# Frames decoded and written at once: the memory that filling takes, whatever a clip's length.
CHUNK = 16
# How many entries a process wants to add before it looks again at what the others have added.
LOOK_EVERY = 64


class CacheError(TinyviratError):
    """A cache folder that cannot be read or written."""


class _DamagedError(Exception):
    """An entry that is not what was written."""


@dataclass(frozen=True)
class CacheCounts:
    """What a `FrameCache` did in this process.

    Attributes:
        hits: reads served by an entry.
        filled: entries written.
        rebuilt: of those, written because the entry there was damaged.
        refused: reads that had to decode because the cache is full.
    """

    hits: int = 0
    filled: int = 0
    rebuilt: int = 0
    refused: int = 0


@dataclass(frozen=True)
class CacheUse:
    """What a cache folder holds: the number of its entries, and their size in bytes."""

    entries: int
    bytes: int


class FrameCache:
    """A folder of decoded clips.

    When the bound is reached no more entries are written and further clips are decoded each time:
    an epoch goes through all clips in turn, so that making room would only throw out what is needed
    next. `counts.refused` tells.

    Args:
        folder: where; `None` is `frames` in the package's cache folder. Made when first written to.
        max_bytes: bound of its size, bytes; `None` is no bound. Processes filling it together may
            pass it by a few entries.
        decoder: as in `tinyvirat.video.open_video`.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        max_bytes: int | None = None,
        decoder: DecoderName = "auto",
    ) -> None:
        self.folder = cache_folder() / "frames" if folder is None else Path(folder)
        self.max_bytes = max_bytes
        self.counts = CacheCounts()
        self._decoder: DecoderName = decoder
        self._made_by = ["av", version("av")]
        if decoder == "torchcodec":
            self._made_by = ["torchcodec", version("torchcodec")]
        self._used = 0
        self._asked = 0
        # Worked out once for each clip, as long as its file stays the same.
        self._entries: dict[tuple[Path, ClipRecord, int | None], tuple[tuple[int, int], Path]] = {}
        self._sound: dict[tuple[str, int, int], NDArray[np.bool_]] = {}

    def read(
        self,
        file: Path,
        record: ClipRecord,
        indices: Indices,
        *,
        short_side: int | None = None,
        threads: int | None = None,
        room: Tensor | None = None,
    ) -> Tensor:
        """Frames of a clip by number, as `ClipReader.read` gives them.

        Args:
            file: the record's video file.
            record: the clip.
            indices: frame numbers from 0 at the clip's start; any order, repeats allowed.
            short_side: larger frames are stored reduced to this short side; `None` keeps them.
            threads: of the decoder.
            room: uint8 of one dimension, as large as the frames: an entry is read into it, and what
                is returned looks into it; frames that had to be decoded are returned apart.

        Raises:
            ClipError: the clip cannot be decoded.
            CacheError: the folder cannot be read or written.
        """
        indices_T = checked_indices(record, indices)
        try:
            entry = self._entry(file, record, short_side)
            found, damaged = self._find(entry, record, indices_T, room)
            if found is not None:
                return found
            with ClipReader(
                file, record, short_side=short_side, decoder=self._decoder, threads=threads
            ) as reader:
                shape_THW = (record.length, *clip_size(record, short_side))
                if not (damaged or self._has_room(_size(shape_THW))):
                    self._count(refused=1)
                    return reader.read(indices_T)
                _fill(entry, reader, shape_THW)
            self._count(filled=1, rebuilt=int(damaged))
            return self._load(entry, record.length, indices_T)
        except _DamagedError as error:
            raise CacheError(
                f"{self.folder}: an entry was damaged as soon as it was written ({error}); "
                "check the disk, or use another folder"
            ) from error
        except OSError as error:
            raise CacheError(
                f"{self.folder}: the cache cannot be used ({error}); make room or use another "
                "folder ($TINYVIRAT_CACHE names it)"
            ) from error

    def use(self) -> CacheUse:
        """What the folder holds now, by looking."""
        sizes = []
        for path in self._files():
            with suppress(FileNotFoundError):  # renamed or deleted by another process meanwhile
                sizes.append(path.stat().st_size)
        return CacheUse(len(sizes), sum(sizes))

    def clear(self) -> CacheUse:
        """Deletes every entry; returns what there was."""
        before = self.use()
        for path in self._files():
            path.unlink(missing_ok=True)
        self._used = 0
        return before

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"*/*{SUFFIX}"))

    def _entry(self, file: Path, record: ClipRecord, short_side: int | None) -> Path:
        try:
            status = file.stat()
        except OSError as error:
            raise ClipError(f"clip {record.id!r}: {file}: {error.strerror}") from error
        version = status.st_size, status.st_mtime_ns
        found = self._entries.get((file, record, short_side))
        if found is None or found[0] != version:
            parts = [MAGIC.decode(), [str(file.resolve()), *version], record.span, record.windows]
            text = json.dumps([*parts, short_side, self._made_by])
            key = hashlib.sha256(text.encode()).hexdigest()
            found = version, self.folder / key[:2] / f"{key}{SUFFIX}"
            self._entries[file, record, short_side] = found
        return found[1]

    def _find(
        self, entry: Path, record: ClipRecord, indices_T: NDArray[np.int64], room: Tensor | None
    ) -> tuple[Tensor | None, bool]:
        """The frames out of an entry, if it is there and sound; and whether it is damaged."""
        try:
            frames_THWC = self._load(entry, record.length, indices_T, room)
        except FileNotFoundError:
            return None, False
        except _DamagedError:
            return None, True
        self._count(hits=1)
        return frames_THWC, False

    def _load(
        self,
        entry: Path,
        length: int,
        indices_T: NDArray[np.int64],
        room: Tensor | None = None,
    ) -> Tensor:
        """The frames `indices_T` of an entry of `length` frames, in `room` or apart.

        Raises:
            FileNotFoundError: there is no entry.
            _DamagedError: it is not what was written.
        """
        with entry.open("rb", buffering=0) as file:
            head = file.read(_offset(length)) or b""
            shape_THW = _shape(head, length)
            status = os.fstat(file.fileno())
            if status.st_size != _size(shape_THW):
                raise _DamagedError("its size")
            shape = (len(indices_T), *shape_THW[1:], 3)
            if room is None or room.numel() != math.prod(shape):
                room = torch.empty(math.prod(shape), dtype=torch.uint8)
            place = room.view(shape)
            frames_THWC: NDArray[np.uint8] = place.numpy()
            _read_into(file, frames_THWC, indices_T, _offset(length))
        key = entry.name, status.st_ino, status.st_mtime_ns
        sound_T = self._sound.setdefault(key, np.zeros(length, dtype=np.bool_))
        if not sound_T[indices_T].all():
            sums_T = np.frombuffer(head, "<u4", length, HEAD.size)
            for index, frame_HWC in zip(indices_T, frames_THWC, strict=True):
                if not sound_T[index] and zlib.crc32(frame_HWC.data) != sums_T[index]:
                    raise _DamagedError(f"frame {index}")
                sound_T[index] = True
        return place

    def _has_room(self, size: int) -> bool:
        """Whether an entry of `size` bytes may be added, by a look at the folder now and then."""
        if self.max_bytes is None:
            return True
        if self._asked % LOOK_EVERY == 0:
            self._used = self.use().bytes
        self._asked += 1
        if self._used + size > self.max_bytes:
            return False
        self._used += size
        return True

    def _count(self, **more: int) -> None:
        now = {name: getattr(self.counts, name) + number for name, number in more.items()}
        self.counts = replace(self.counts, **now)


def _fill(entry: Path, reader: ClipReader, shape_THW: tuple[int, int, int]) -> None:
    """Decodes a whole clip into its entry, some frames at a time."""
    length, height, width = shape_THW
    sums: list[int] = []
    with written_beside(entry) as temporary, temporary.open("wb") as out:
        out.seek(_offset(length))
        for begin in range(0, length, CHUNK):
            frames_THWC = reader.read(range(begin, min(begin + CHUNK, length)))
            if frames_THWC.shape[1:3] != (height, width):
                raise AssertionError(f"{frames_THWC.shape} is not as large as foreseen")
            for frame_HWC in frames_THWC.contiguous().numpy():
                sums.append(zlib.crc32(frame_HWC))
                out.write(frame_HWC)
        head = HEAD.pack(MAGIC, *shape_THW) + struct.pack(f"<{length}I", *sums)
        out.seek(0)
        out.write(head + struct.pack("<I", zlib.crc32(head)))


def _size(shape_THW: tuple[int, int, int]) -> int:
    """Bytes of an entry."""
    length, height, width = shape_THW
    return _offset(length) + length * height * width * 3


def _offset(length: int) -> int:
    """Where the frames begin."""
    return HEAD.size + 4 * length + 4


def _read_into(
    file: FileIO, frames_THWC: NDArray[np.uint8], indices_T: NDArray[np.int64], offset: int
) -> None:
    """Fills `frames_THWC` with the frames `indices_T`; those that follow each other in one go.

    Read, not mapped: setting up a map for some frames costs more than copying them.

    Raises:
        _DamagedError: the file ends before them.
    """
    levels = frames_THWC.data.cast("B")
    size = frames_THWC[0].nbytes
    breaks = (np.flatnonzero(np.diff(indices_T) != 1) + 1).tolist()
    for first, stop in pairwise([0, *breaks, len(indices_T)]):
        part = levels[first * size : stop * size]
        if os.preadv(file.fileno(), [part], offset + int(indices_T[first]) * size) != len(part):
            raise _DamagedError("its size")


def _shape(head: bytes, length: int) -> tuple[int, int, int]:
    """T, H, W of an entry of `length` frames, from its checked head.

    Raises:
        _DamagedError: it is not what was written.
    """
    if len(head) < _offset(length) or zlib.crc32(head[:-4]) != int.from_bytes(head[-4:], "little"):
        raise _DamagedError("its head")
    magic, frames, height, width = HEAD.unpack_from(head)
    if magic != MAGIC or frames != length:
        raise _DamagedError("its size")
    return frames, height, width
