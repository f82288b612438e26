"""Addresses and cameras: ends, breaks, stalls, drops; never a hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.recognition.stream import (
    SourceError,
    SourceSettings,
    StreamError,
    Timeouts,
    open_stream,
)
from tinyvirat.recognition.stream.ahead import Pause
from tinyvirat.recognition.stream.connection import target_of
from tinyvirat.recognition.stream.live import LiveStream
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.video import Frame, open_video

from .rtsp import camera, encoded
from .server import FPS, Served, Way, serving, write_sound_that_goes_on, write_stream

FRAMES = 60
SIGNS = st.text("a1:@/?#[]%\\ \t\x07\uff03", max_size=6)
"""Parts of user names and passwords: what takes an address apart, and what no address has."""
QUICK = SourceSettings(Timeouts(open=60.0, read=20.0), tries=3, first_wait=0.05, longest_wait=0.1)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_stream(tmp_path_factory.mktemp("film") / "film.ts", FRAMES)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_stream(tmp_path_factory.mktemp("other") / "other.ts", 30, seed=1)


def read(
    url: str,
    settings: SourceSettings = QUICK,
    slow: Callable[[Frame], None] = lambda _: None,
) -> tuple[LiveStream, list[Frame], list[int], str]:
    """The stream, its frames, the numbers of the frames that come after a break, its error."""
    stream, frames, breaks, error = open_stream(url, settings), list[Frame](), list[int](), ""
    assert isinstance(stream, LiveStream)
    try:
        for item in stream.frames(Stages()):
            if isinstance(item, Frame):
                frames.append(item)
                slow(item)
            elif item is Pause.BROKEN:
                breaks.append(len(frames))
    except SourceError as problem:
        error = str(problem)
    finally:
        stream.close()
    assert [one.index for one in frames] == list(range(len(frames)))
    times = [one.time for one in frames]
    assert times == sorted(set(times))
    return stream, frames, breaks, error


def test_a_file_on_a_server_is_as_the_file(film: bytes, tmp_path: Path) -> None:
    (tmp_path / "film.ts").write_bytes(film)
    with open_video(tmp_path / "film.ts") as reader:
        wanted = list(reader)
    served = Served(Way(film))
    with serving(served) as url:
        stream, frames, breaks, error = read(url)
    assert (served.requests, stream.reconnects, stream.dropped, breaks, error) == (1, 0, 0, [], "")
    assert not stream.info.live
    assert (stream.info.width, stream.info.height, stream.info.fps) == (64, 48, FPS)
    assert "secret" not in stream.info.name
    assert len(frames) == len(wanted) == FRAMES
    for found, one in zip(frames, wanted, strict=True):
        assert found.time == pytest.approx(one.time)
        assert (found.frame_HWC == one.frame_HWC).all()


@pytest.mark.parametrize("length", [True, False])
def test_a_file_that_breaks_is_fetched_again_and_goes_on(film: bytes, length: bool) -> None:
    served = Served(Way(film, until=0.5, length=length), Way(film, length=length))
    slow = (lambda _: time.sleep(0.002)) if length else (lambda _: None)
    with serving(served) as url:
        settings = SourceSettings(QUICK.timeouts, tries=3, first_wait=0.05, live=False)
        stream, frames, breaks, error = read(url, settings, slow)
    # Without a length nobody knows that it has ended before it ends there again.
    assert stream.reconnects == (1 if length else 2)
    assert (stream.dropped, breaks, error) == (0, [], "")
    assert [one.time for one in frames] == pytest.approx([n / FPS for n in range(FRAMES)])
    assert len({one.frame_HWC.tobytes() for one in frames}) == FRAMES


@pytest.mark.parametrize("frames", [0, 20])
def test_pictures_that_stop_while_the_sound_goes_on_are_a_break(
    tmp_path: Path, frames: int
) -> None:
    """FFmpeg's time-outs begin anew with every packet, of sound too."""
    sound = write_sound_that_goes_on(tmp_path / "sound.mkv", frames, 300, live=True)
    served = Served(Way(sound, length=False, pace=0.02), Way(b"", length=False))  # 25 s
    settings = SourceSettings(Timeouts(open=1.5, read=1.0), tries=1, first_wait=0.05)
    began = time.monotonic()
    with serving(served) as url:
        if frames:
            _, found, _, error = read(url, settings)
            assert len(found) == frames
            assert "was lost, and 1 tries did not bring it back" in error
        else:
            with pytest.raises(SourceError, match=r"no picture that decodes within 1\.5 s"):
                open_stream(url, settings)
    assert time.monotonic() - began < 15.0


def test_the_sound_of_a_film_may_be_longer_than_its_pictures(tmp_path: Path) -> None:
    sound = write_sound_that_goes_on(tmp_path / "sound.mkv", 20, 30, live=False)
    served = Served(Way(sound, pace=0.02))  # 2.5 s
    with serving(served) as url:
        settings = SourceSettings(Timeouts(open=5.0, read=0.5), tries=1, first_wait=0.05)
        _, found, _, error = read(url, settings)
    assert (len(found), error, served.requests) == (20, "", 1)


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://user:secret@/live",
        "rtsp://user:secret@[cam/live",
        "rtsp://user:secret@cam\x07/live",
        "rtsp://us@er:secret@/live?key=secret",
        "http://user:secret\uff03@cam/",
    ],
)
def test_a_password_is_not_in_the_error_of_what_is_no_address(address: str) -> None:
    with pytest.raises(StreamError, match="is no address") as told:
        target_of(address)
    assert "secret" not in str(told.value) and "user" not in str(told.value)


@given(
    scheme=st.sampled_from(["rtsp", "http", "HTTPS", "ftp", "", "//"]),
    user=st.sampled_from(["", "user", "us/er"]) | SIGNS,
    password=SIGNS,
    host=st.sampled_from(["", "cam", "cam:554", "cam:x", "cam:99999", "[::1]:554", "[cam"]),
    path=st.sampled_from(["", "/live", "/live@2", "/a://b"]),
    key=st.sampled_from(["", "?key=SECRET", "?key=@SECRET", "#SECRET"]),
)
def test_a_password_is_in_no_name_and_no_error(
    scheme: str, user: str, password: str, host: str, path: str, key: str
) -> None:
    address = f"{scheme}://{user}:SECRET{password}SECRET@{host}{path}{key}"
    try:
        target = target_of(address)
    except StreamError as error:
        assert "SECRET" not in str(error)
    else:
        assert "SECRET" not in target.name and "SECRET" not in repr(target)
        assert target.file == address


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("rtsp://user:secret@cam:554/live?key=secret#secret", "rtsp://cam:554/live"),
        ("rtsp://user:12/secret@cam/live", "rtsp://cam/live"),
        ("rtsp://us/er:secret@cam/live", "rtsp://cam/live"),
        ("rtsp://user:sec@ret/secret@cam/live", "rtsp://cam/live"),
        ("https://host/@somebody/live.m3u8", "https://host/@somebody/live.m3u8"),
        ("http://[::1]:80/live", "http://[::1]:80/live"),
    ],
)
def test_an_address_is_called_what_it_is_without_its_password(address: str, name: str) -> None:
    assert target_of(address).name == name


def test_a_password_with_a_slash_is_told_how_to_be_written() -> None:
    with pytest.raises(StreamError, match=r"^'rtsp://cam/live' is no address: .* / is written %2F"):
        target_of("rtsp://user:sec/ret@cam/live")


def test_a_file_that_always_breaks_is_given_up(film: bytes) -> None:
    served = Served(Way(film, until=0.5))
    with serving(served) as url:
        stream, frames, _, error = read(url)
    assert 0 < len(frames) < FRAMES
    assert stream.reconnects == QUICK.tries
    assert served.requests == 1 + QUICK.tries
    assert "3 tries did not bring it back" in error and "secret" not in error


def test_a_camera_that_comes_back_goes_on_behind_a_break(film: bytes, other: bytes) -> None:
    served = Served(Way(film, length=False), Way(other, length=False), Way(b"", length=False))
    settings = SourceSettings(QUICK.timeouts, tries=2, first_wait=0.3, live=False)
    with serving(served) as url:
        stream, frames, breaks, error = read(url, settings)
    assert (len(frames), breaks, stream.reconnects) == (FRAMES + 30, [FRAMES], 1)
    gap = frames[FRAMES].time - frames[FRAMES - 1].time
    assert gap >= 0.3  # it was away for so long
    assert frames[-1].time - frames[FRAMES].time == pytest.approx(29 / FPS)
    assert "was lost" in error


@pytest.mark.parametrize("live", [True, False])
def test_only_a_live_source_drops_what_comes_too_fast(tmp_path: Path, live: bool) -> None:
    long = write_stream(tmp_path / "long.ts", 240)
    served = Served(Way(long, length=not live), Way(b"", length=False))
    settings = SourceSettings(QUICK.timeouts, tries=1, first_wait=0.05)
    with serving(served) as url:
        stream, frames, _, _ = read(url, settings, lambda _: time.sleep(0.02))
    assert stream.info.live is live
    assert stream.dropped + len(frames) == 240
    assert (stream.dropped > 0) is live
    assert len(frames) >= 64  # as many may wait


def test_a_silence_is_a_break(film: bytes, other: bytes) -> None:
    served = Served(Way(film, until=0.5, length=False, stall=30.0), Way(b"", length=False))
    began = time.monotonic()
    with serving(served) as url:
        stream, frames, _, error = read(url, SourceSettings(Timeouts(read=1.0), tries=1))
    assert frames and stream.reconnects == 0
    assert "was lost" in error
    assert time.monotonic() - began < 20.0


def test_another_size_after_a_break_is_told(film: bytes, tmp_path: Path) -> None:
    larger = write_stream(tmp_path / "larger.ts", 5, size=(96, 64))
    served = Served(Way(film, length=False), Way(larger, length=False))
    with serving(served) as url:
        _, frames, _, error = read(url, SourceSettings(QUICK.timeouts, live=False, first_wait=0.05))
    assert len(frames) == FRAMES
    assert "64x48" in error


def test_closing_in_the_middle_takes_no_time(film: bytes) -> None:
    with serving(Served(Way(film, length=False, pace=0.05))) as url:
        stream = open_stream(url, QUICK)
        frames = stream.frames(Stages())
        assert isinstance(next(one for one in frames if isinstance(one, Frame)), Frame)
        began = time.monotonic()
        stream.close()
        assert time.monotonic() - began < 4.9  # close() waits five for who does not hear


def test_what_is_not_there_is_told_at_once() -> None:
    with pytest.raises(SourceError, match=r"^http://127\.0\.0\.1:1/x: cannot be opened"):
        open_stream("http://127.0.0.1:1/x", QUICK)
    with pytest.raises(SourceError, match="camera 97"):
        open_stream(97, QUICK)
    with serving(Served(Way(b"no video at all" * 100))) as url, pytest.raises(SourceError):
        open_stream(url, QUICK)


@pytest.mark.parametrize(
    "source",
    ["file:///etc/passwd", "concat://a", "ftp://h/x", "rtsp:///x", "http://[", "http://h\n/x"],
)
def test_other_addresses_are_not_opened(source: str) -> None:
    with pytest.raises(StreamError):
        target_of(source)


def playlist(segment: str) -> bytes:
    """An HLS playlist of one segment."""
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{segment}\n#EXT-X-ENDLIST\n".encode()


def test_a_playlist_is_read(film: bytes) -> None:
    with serving(Served(Way(playlist("film.ts")), Way(film))) as url:
        stream, frames, _, error = read(url.replace("live.ts", "live.m3u8"))
    assert (len(frames), stream.info.live, stream.reconnects, error) == (FRAMES, False, 0, "")


def test_nothing_is_printed_of_an_address(film: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """FFmpeg has much to say of what it opens, and of what breaks."""
    for ways in ((Way(playlist("film.ts")), Way(film, until=0.5)), (Way(b"no video" * 1000),)):
        with serving(Served(*ways)) as url, suppress(SourceError):
            read(url.replace("live.ts", "live.m3u8"))
    with suppress(SourceError):
        open_stream("rtsp://user:secret@127.0.0.1:1/live", QUICK)
    assert capfd.readouterr() == ("", "")


def test_a_playlist_cannot_name_a_file(film: bytes, tmp_path: Path) -> None:
    (tmp_path / "film.ts").write_bytes(film)
    for named in (f"file://{tmp_path}/film.ts", f"file:{tmp_path}/film.ts"):
        with serving(Served(Way(playlist(named)))) as url, pytest.raises(SourceError):
            open_stream(url.replace("live.ts", "live.m3u8"), QUICK)


def test_a_number_is_a_camera_of_this_system() -> None:
    target = target_of(0)
    assert target.name == "camera 0" and target.format is not None
    with pytest.raises(StreamError):
        target_of(-1)


@pytest.mark.parametrize("wrong", [{"first_wait": 0.0}, {"tries": -1}, {"longest_wait": 1e9}])
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(StreamError):
        SourceSettings(**wrong)  # type: ignore[arg-type]


def test_an_rtsp_camera_is_read_and_found_again() -> None:
    with camera(encoded(40), encoded(30, seed=1)) as url:
        settings = SourceSettings(QUICK.timeouts, tries=2, first_wait=0.05, live=False)
        stream, frames, breaks, error = read(url, settings)
    assert (stream.info.width, stream.info.height, stream.info.fps) == (64, 48, FPS)
    # The pictures by which FFmpeg finds out what it is reading, and the last one, may be lost.
    assert 60 <= len(frames) <= 70
    assert stream.reconnects == 1 and len(breaks) == 1
    steps = [b.time - a.time for a, b in pairwise(frames[: breaks[0]])]
    assert steps == pytest.approx([1 / FPS] * len(steps), abs=1e-3)
    assert "was lost" in error and "secret" not in error


def test_cameras_and_streams_are_live() -> None:
    with camera(encoded(40)) as url:
        stream = open_stream(url, QUICK)
        assert stream.info.live and stream.info.frames is None
        assert stream.info.name.startswith("rtsp://127.0.0.1:")
        stream.close()
