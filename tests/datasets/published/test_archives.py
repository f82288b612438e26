"""Archives are unpacked whole, go on after an interrupt, and cannot do harm."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyvirat.cli import main
from tinyvirat.datasets.published import PublishedError, archives
from tinyvirat.datasets.published.archives import unpack

from .conftest import Copy

FILES = {
    "set/a.txt": b"first",
    "set/videos/b.bin": os.urandom(archives.PIECE + 17),
    "set/videos/empty": b"",
    "set/videos/block.bin": bytes(512),
}
JUNK = {"__MACOSX/set/._a.txt": b"x", "set/.DS_Store": b"x", "set/._b": b"x"}

Pack = Callable[[Path], Path]


def pack_zip(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    path = folder / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("set")
        for name, data in (files | JUNK).items():
            file.writestr(name, data)
    return path


def pack_tar(folder: Path, files: dict[str, bytes] = FILES, mode: str = "w:gz") -> Path:
    path = folder / "set.tar.gz"
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        info = tarfile.TarInfo("./set")
        info.type = tarfile.DIRTYPE
        file.addfile(info)
        for name, data in (files | JUNK).items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def found(folder: Path) -> dict[str, bytes]:
    """Every file in a folder but the marks of archives."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".unpacked.json")
    }


PACKS: list[Pack] = [pack_zip, pack_tar]


@pytest.mark.parametrize("pack", PACKS)
def test_all_of_it_is_there_without_junk(tmp_path: Path, pack: Pack) -> None:
    archive, into = pack(tmp_path), tmp_path / "deep" / "into"
    assert unpack(archive, into) == len(FILES)
    assert found(into) == FILES
    assert stat.S_IMODE((into / "set" / "a.txt").stat().st_mode) == 0o644


@pytest.mark.parametrize("mode", ["w:", "w:bz2", "w:xz"])
def test_other_ways_of_compressing(tmp_path: Path, mode: str) -> None:
    assert unpack(pack_tar(tmp_path, mode=mode), tmp_path / "into") == len(FILES)
    assert found(tmp_path / "into") == FILES


@pytest.mark.parametrize("pack", PACKS)
def test_it_goes_on_after_an_interrupt(
    tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, into = pack(tmp_path), tmp_path / "into"
    original = archives.written_beside
    written: list[str] = []

    def beside(path: Path) -> object:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path.name)
        return original(path)

    monkeypatch.setattr(archives, "written_beside", beside)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, into)
    assert len(found(into)) == 2
    first = (into / "set" / "a.txt").stat()
    monkeypatch.setattr(archives, "written_beside", original)
    assert unpack(archive, into) == len(FILES)
    assert found(into) == FILES
    assert (into / "set" / "a.txt").stat().st_ino == first.st_ino  # it was not written again


@pytest.mark.parametrize("pack", PACKS)
def test_what_is_done_is_not_done_again_unless_it_is_gone(
    tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, into = pack(tmp_path), tmp_path / "into"
    unpack(archive, into)
    with monkeypatch.context() as patch:
        patch.setattr(archives, "_store", lambda *_: pytest.fail("it was unpacked again"))
        assert unpack(archive, into) == len(FILES)
    (into / "set" / "a.txt").unlink()
    assert unpack(archive, into) == len(FILES)
    assert found(into) == FILES
    os.utime(archive, (1, 1))  # perhaps another archive: it is looked through again
    assert unpack(archive, into) == len(FILES)


@pytest.mark.parametrize("pack", PACKS)
def test_nothing_is_overwritten(tmp_path: Path, pack: Pack) -> None:
    archive, into = pack(tmp_path), tmp_path / "into"
    for other in (b"fisrt", b"longer than that", b""):
        (into / "set").mkdir(parents=True, exist_ok=True)
        (into / "set" / "a.txt").write_bytes(other)
        with pytest.raises(PublishedError, match=r"a.txt: is there already, and is not what"):
            unpack(archive, into)
        assert (into / "set" / "a.txt").read_bytes() == other


BAD_NAMES = ["../out", "set/../../out", "/etc/out", "C:/out", "..\\out", "set\\..\\..\\out"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("pack", [pack_zip, pack_tar])
def test_paths_that_lead_out_are_refused(
    tmp_path: Path, pack: Callable[..., Path], name: str
) -> None:
    if pack is pack_zip:
        archive = pack_zip(tmp_path, {"good": b"x"})
        with zipfile.ZipFile(archive, "a") as file:
            file.writestr(zipfile.ZipInfo(name), b"bad")
    else:
        archive = tmp_path / "x.tar"
        with tarfile.open(archive, "w") as tar:
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(tarfile.TarInfo("good"))
            tar.addfile(info, io.BytesIO(b"bad"))
    with pytest.raises(PublishedError, match="nothing was unpacked"):
        unpack(archive, tmp_path / "deep" / "into")
    assert not (tmp_path / "deep").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name]


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc"),
        (tarfile.SYMTYPE, "set"),
        (tarfile.LNKTYPE, "set/a.txt"),
        (tarfile.CHRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes, target: str) -> None:
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as file:
        file.addfile(tarfile.TarInfo("set/a.txt"))
        info = tarfile.TarInfo("set/link")
        info.type, info.linkname = kind, target
        file.addfile(info)
    with pytest.raises(PublishedError, match=r"'set/link' is a link, a device or a sparse file"):
        unpack(archive, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    archive = pack_zip(tmp_path)
    with zipfile.ZipFile(archive, "a") as file:
        info = zipfile.ZipInfo("set/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    with pytest.raises(PublishedError, match="'set/link' is a link or a device"):
        unpack(archive, tmp_path / "into")


def test_a_link_that_is_there_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "into" / "set").symlink_to(tmp_path / "outside")
    with pytest.raises(Exception, match="leaves its folder"):
        unpack(pack_zip(tmp_path), tmp_path / "into")
    assert list((tmp_path / "outside").iterdir()) == []


def test_names_twice_encrypted_members_and_none_are_refused(tmp_path: Path) -> None:
    archive = pack_zip(tmp_path)
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("set/a.txt", b"again")
    with pytest.raises(PublishedError, match=r"'set/a.txt' is in it twice"):
        unpack(archive, tmp_path / "into")

    archive = pack_zip(tmp_path, {"a": b"x"})
    data = bytearray(archive.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 8] |= 1  # the flag of encryption in the directory
    archive.write_bytes(data)
    with pytest.raises(PublishedError, match="is encrypted"):
        unpack(archive, tmp_path / "into")

    with zipfile.ZipFile(archive, "w") as file:
        file.mkdir("empty")
    with pytest.raises(PublishedError, match="there is no file in it"):
        unpack(archive, tmp_path / "into")


@pytest.mark.parametrize("pack", [pack_zip, pack_tar])
def test_bombs_are_refused(
    tmp_path: Path, pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "HARMLESS_BYTES", 1 << 16)
    archive = pack(tmp_path, {"zeros": bytes(1 << 20)})
    assert archive.stat().st_size * archives.LARGEST_RATIO < 1 << 20
    with pytest.raises(PublishedError, match="would unpack to more than"):
        unpack(archive, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_bomb_behind_the_end_of_a_tar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "HARMLESS_BYTES", 1 << 18)
    tar = pack_tar(tmp_path, {"a": b"x"}, "w:").read_bytes()
    archive = tmp_path / "x.tar.bz2"
    archive.write_bytes(bz2.compress(tar + bytes(1 << 22)))
    with pytest.raises(PublishedError, match="would unpack to more than"):
        unpack(archive, tmp_path / "into")


def test_a_header_that_claims_to_be_huge(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    huge = header.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 16)
    archive = tmp_path / "x.tar.xz"
    archive.write_bytes(lzma.compress(tarfile.TarInfo("good").tobuf() + huge))
    with pytest.raises(PublishedError, match="a header of 4294967296 bytes"):
        unpack(archive, tmp_path / "into")
    archive.write_bytes(lzma.compress(huge))
    with pytest.raises(PublishedError, match="neither a ZIP nor a tar"):
        unpack(archive, tmp_path / "into")


def test_a_tar_that_stops_at_a_header_has_not_ended(tmp_path: Path) -> None:
    archive = pack_tar(tmp_path, {"a": b"x" * 600, "b": b"y" * 600}, "w:")
    good = archive.read_bytes()
    at = good.index(b"./b")
    for bad in (good[:at], good[: at + 512], good[:at] + b"#" + good[at + 1 :]):
        archive.write_bytes(bad)
        with pytest.raises(PublishedError, match=r"ends too early|is damaged"):
            unpack(archive, tmp_path / "into")
        assert not (tmp_path / "into").exists()


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = archives.shutil._ntuple_diskusage(10, 9, 1)  # type: ignore[attr-defined]
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(PublishedError, match="which has room for 1"):
        unpack(pack_zip(tmp_path), tmp_path / "into")


def test_damage_is_found(tmp_path: Path) -> None:
    archive = pack_zip(tmp_path)
    data = bytearray(archive.read_bytes())
    at = data.index(b"set/videos/b.bin") + 5000
    data[at] ^= 1
    archive.write_bytes(data)
    with pytest.raises(PublishedError, match=r"is damaged .*download it again"):
        unpack(archive, tmp_path / "into")
    assert "set/videos/b.bin" not in found(tmp_path / "into")

    archive = pack_tar(tmp_path)
    good = archive.read_bytes()
    for bad in (good[:-5], good[: len(good) // 2], good[:-8] + b"0123" + good[-4:]):
        archive.write_bytes(bad)
        with pytest.raises(PublishedError, match=r"ends too early|is damaged"):
            unpack(archive, tmp_path / "into2")
        assert not (tmp_path / "into2").exists()  # the checksum comes before the first file


def test_a_zip_that_lies_about_sizes(tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", b"0123456789")
    good = archive.read_bytes()
    for claimed in (5, 15):
        data = bytearray(good)
        entry = data.rindex(b"PK\x01\x02")
        data[entry + 20 : entry + 28] = struct.pack("<II", claimed, claimed)
        archive.write_bytes(data)
        with pytest.raises(PublishedError, match=r"damaged|ends too early|cannot be unpacked"):
            unpack(archive, tmp_path / "into")
        assert found(tmp_path / "into") == {}


@pytest.mark.parametrize(
    ("magic", "message"),
    [
        (b"Rar!\x1a\x07\x01\x00", "is a RAR archive.*unrar x"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive.*7z x"),
        (b"some text", "neither a ZIP nor a tar"),
        (b"", "neither a ZIP nor a tar"),
        (b"\x1f\x8b\x08 nothing", "damaged|neither|too early"),
    ],
)
def test_what_is_not_unpacked_here(tmp_path: Path, magic: bytes, message: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(magic)
    with pytest.raises(PublishedError, match=message):
        unpack(path, tmp_path / "into")


def test_a_data_set_straight_from_its_archives(
    copy: Copy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copy("ucf101")
    with zipfile.ZipFile(tmp_path / "lists.zip", "w") as file:
        for path in (root / "ucfTrainTestlist").iterdir():
            file.write(path, f"ucfTrainTestlist/{path.name}")
    with tarfile.open(tmp_path / "videos.tar.gz", "w:gz") as tar:
        tar.add(root / "UCF-101", "UCF-101")
    into = tmp_path / "into"
    lists, videos = str(tmp_path / "lists.zip"), str(tmp_path / "videos.tar.gz")
    words = ["data", "prepare", "ucf101", videos, "--lists", lists, "--split", "2"]
    words += ["--out", str(into / "m.jsonl")]
    assert main(words) == 1
    assert "say where to unpack it with --unpack" in capsys.readouterr().err
    assert main([*words, "--unpack", str(into)]) == 0
    golden = Path(__file__).parent / "golden" / "ucf101.jsonl"
    assert (into / "m.jsonl").read_bytes() == golden.read_bytes()
