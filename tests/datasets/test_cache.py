"""The cache gives the same pixels as decoding, survives damage and company, and keeps its bound."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.common.pixels import crop_windows, resize
from tinyvirat.datasets import ClipRecord, Manifest
from tinyvirat.datasets import cache as cache_module
from tinyvirat.datasets.cache import CacheCounts, CacheError, FrameCache
from tinyvirat.datasets.frames import ClipError, ClipReader, clip_size
from tinyvirat.video import read_clip


def by_id(clips: Manifest, name: str) -> ClipRecord:
    return next(record for record in clips.records if record.id == name)


def decoded(
    clips: Manifest, record: ClipRecord, indices: list[int], short_side: int | None = None
) -> torch.Tensor:
    with ClipReader(clips.file(record), record, short_side=short_side) as reader:
        return reader.read(indices)


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_reader_gives_the_span_cut_along_the_windows(clips: Manifest) -> None:
    span = by_id(clips, "span")
    whole_THWC = read_clip(clips.file(span)).frames_THWC
    frames_THWC = decoded(clips, span, [0, 24, 3, 3])
    assert np.array_equal(frames_THWC, whole_THWC[[5, 29, 8, 8], 2:14, 4:16])
    moving = by_id(clips, "windows")
    whole = torch.from_numpy(read_clip(clips.file(moving)).frames_THWC)
    expected = crop_windows(whole, np.array(moving.windows))
    assert torch.equal(decoded(clips, moving, [17, 0]), expected[[17, 0]])
    assert expected.shape[1:3] == clip_size(moving) == (12, 12)


def test_a_reader_reduces_but_never_enlarges(clips: Manifest) -> None:
    a = by_id(clips, "a")
    whole_THWC = decoded(clips, a, [4])
    small = decoded(clips, a, [4], short_side=12)
    assert small.shape == (1, *clip_size(a, 12), 3) == (1, 12, 16, 3)
    plain = resize(whole_THWC.permute(0, 3, 1, 2), (12, 16), "bilinear").permute(0, 2, 3, 1)
    assert torch.equal(small, plain)
    assert torch.equal(decoded(clips, a, [4], short_side=25), whole_THWC)


def test_a_record_that_does_not_fit_its_file(clips: Manifest) -> None:
    a = by_id(clips, "a")
    with pytest.raises(ClipError, match=r"clip 'a': .*24 x 32.* record says 32 x 24"):
        decoded(clips, replace(a, height=32, width=24), [0])
    with pytest.raises(ClipError, match=r"clip 'a': .*promises 30 frames"):
        decoded(clips, replace(a, frames=30), [25])
    with pytest.raises(ClipError, match="it has 0 to 19"):
        decoded(clips, a, [20])
    with pytest.raises(ClipError, match="clip 'a': "):
        decoded(clips, replace(a, path="none.mp4"), [0])


@pytest.mark.parametrize("name", ["a", "d", "span", "windows"])
@pytest.mark.parametrize("short_side", [None, 10])
def test_the_cache_gives_what_decoding_gives(
    clips: Manifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    short_side: int | None,
) -> None:
    monkeypatch.setattr(cache_module, "CHUNK", 3)
    record = by_id(clips, name)
    cache = FrameCache(tmp_path)
    indices = [record.length - 1, 0, record.length // 2, 0]
    expected = decoded(clips, record, indices, short_side)
    for _ in range(3):
        found = cache.read(clips.file(record), record, indices, short_side=short_side)
        assert torch.equal(found, expected)
    assert cache.counts == CacheCounts(hits=2, filled=1)
    (entry,) = entries(tmp_path)
    assert cache.use() == cache_module.CacheUse(1, entry.stat().st_size)
    found[:] = 0  # what is given away is a copy
    assert torch.equal(
        cache.read(clips.file(record), record, indices, short_side=short_side), expected
    )
    with pytest.raises(ClipError, match=f"it has 0 to {record.length - 1}"):
        cache.read(clips.file(record), record, [-1], short_side=short_side)


def test_only_the_first_reading_decodes(
    clips: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = by_id(clips, "a")
    FrameCache(tmp_path).read(clips.file(record), record, [3])

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(cache_module, "ClipReader", refuse)
    FrameCache(tmp_path).read(clips.file(record), record, [3, 19])


def test_everything_that_changes_the_pixels_changes_the_key(
    clips: Manifest, tmp_path: Path, make_clip: Callable[..., Path]
) -> None:
    cache = FrameCache(tmp_path / "cache")
    file = make_clip("x.mp4", 24, 32, 20)
    record = replace(by_id(clips, "a"), path="x.mp4")
    variants = [
        record,
        replace(record, start=1),
        replace(record, start=0, stop=19),
        replace(record, windows=((0, 0, 8, 8),)),
        replace(record, windows=((1, 0, 9, 8),)),
    ]
    for variant in variants:
        cache.read(file, variant, [0])
    cache.read(file, record, [0], short_side=12)
    cache.read(shutil.copy(file, tmp_path / "y.mp4"), record, [0])
    assert cache.counts.filled == 7
    make_clip("x.mp4", 24, 32, 20, seed=9)
    changed = cache.read(file, record, [0])
    assert cache.counts.filled == 8
    assert np.array_equal(changed[0], read_clip(file).frames_THWC[0])
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    cache.read(file, record, [0])
    cache.read(file, replace(record, id="another", labels=(), start=0, stop=20), [0])
    assert (cache.counts.filled, cache.counts.hits) == (9, 1)


@pytest.mark.parametrize("place", ["first", "size", "sums", "frame", "shorter", "longer", "empty"])
def test_a_damaged_entry_is_made_again(clips: Manifest, tmp_path: Path, place: str) -> None:
    record = by_id(clips, "a")
    cache = FrameCache(tmp_path)
    expected = cache.read(clips.file(record), record, [7])
    (entry,) = entries(tmp_path)
    data = bytearray(entry.read_bytes())
    offset = len(data) - 20 * 24 * 32 * 3
    at = {"first": 0, "size": 9, "sums": 24, "frame": offset + 7 * 24 * 32 * 3 + 5}.get(place)
    if at is not None:
        data[at] ^= 1
    damaged = {"shorter": data[:-1], "longer": data + b"\0", "empty": b""}.get(place, data)
    entry.write_bytes(damaged)
    assert torch.equal(cache.read(clips.file(record), record, [7]), expected)
    assert cache.counts == CacheCounts(hits=0, filled=2, rebuilt=1)
    assert torch.equal(cache.read(clips.file(record), record, [7]), expected)
    assert cache.counts.hits == 1


def test_a_head_that_asks_for_too_much_is_damage(clips: Manifest, tmp_path: Path) -> None:
    record = by_id(clips, "d")
    cache = FrameCache(tmp_path)
    cache.read(clips.file(record), record, [0])
    (entry,) = entries(tmp_path)
    head = cache_module.HEAD.pack(cache_module.MAGIC, 1, 2**32 - 1, 2**32 - 1) + bytes(4)
    entry.write_bytes(head + zlib.crc32(head).to_bytes(4, "little"))
    cache.read(clips.file(record), record, [0])
    assert cache.counts.rebuilt == 1


def test_a_full_cache_decodes_and_says_so(clips: Manifest, tmp_path: Path) -> None:
    a, c = by_id(clips, "a"), by_id(clips, "c")
    room = 60_000  # a takes 46,080 bytes and a head, c 76,032
    cache = FrameCache(tmp_path, max_bytes=room)
    assert torch.equal(cache.read(clips.file(c), c, [2, 1]), decoded(clips, c, [2, 1]))
    cache.read(clips.file(a), a, [0])
    cache.read(clips.file(a), replace(a, start=1), [0])
    cache.read(clips.file(a), a, [0])
    assert cache.counts == CacheCounts(hits=1, filled=1, refused=2)
    assert cache.use().bytes <= room
    other = FrameCache(tmp_path, max_bytes=room)  # a process that has not filled it itself
    other.read(clips.file(c), c, [0])
    assert other.counts.refused == 1
    assert cache.clear().entries == 1
    assert cache.use().entries == 0


def test_a_clip_that_does_not_decode_leaves_nothing_behind(clips: Manifest, tmp_path: Path) -> None:
    a = by_id(clips, "a")
    cache = FrameCache(tmp_path)
    with pytest.raises(ClipError, match="promises 21 frames"):
        cache.read(clips.file(a), replace(a, frames=21), [0])
    with pytest.raises(ClipError, match="No such file"):
        cache.read(tmp_path / "none.mp4", a, [0])
    assert entries(tmp_path) == []


def test_a_folder_that_cannot_be_used_is_named(clips: Manifest, tmp_path: Path) -> None:
    a = by_id(clips, "a")
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="cannot be used"):
        FrameCache(tmp_path / "file").read(clips.file(a), a, [0])


def test_the_usual_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TINYVIRAT_CACHE", str(tmp_path / "here"))
    assert FrameCache().folder == tmp_path / "here" / "frames"


def test_processes_may_fill_it_together(clips: Manifest, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    begin = context.Barrier(3)

    def fill() -> None:
        torch.set_num_threads(1)
        cache = FrameCache(tmp_path)
        begin.wait(timeout=60)
        for record in clips.records:
            indices = range(record.length)
            found = cache.read(clips.file(record), record, indices)
            assert torch.equal(found, decoded(clips, record, list(indices)))

    workers = [context.Process(target=fill) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(entries(tmp_path)) == len(clips.records)
    cache = FrameCache(tmp_path)
    for record in clips.records:
        indices = list(range(record.length))
        found = cache.read(clips.file(record), record, indices)
        assert torch.equal(found, decoded(clips, record, indices))
    assert cache.counts.hits == len(clips.records)
