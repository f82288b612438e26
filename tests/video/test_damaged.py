"""Files that lie, end early or are damaged, and what is no video: their frames or an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tinyvirat.video import Clip, VideoError, decoding, open_video, read_clip

from .clips import (
    copy,
    cut,
    damage,
    encode,
    made,
    numbers_of,
    speak,
)

# Headers that lie, and files that end early.


def test_a_stream_copy_without_its_key_frame_is_counted_by_decoding(
    folder: Path, decoder: str
) -> None:
    whole = encode(folder / "whole.mp4", frames=120, options={"g": "50", "bf": "3", "crf": "12"})
    path = copy(whole, folder / "copied.mp4", first=5)
    clip = check_whole(path, decoder)
    with open_video(path, decoder=decoder) as reader:
        assert reader.info.header_frames is not None
        assert reader.count() < reader.info.header_frames
    numbers = numbers_of(clip.frames_THWC)
    assert numbers == list(range(numbers[0], 120))


def test_a_stream_copy_with_an_edit_list_hides_what_is_before_the_cut(
    folder: Path, decoder: str
) -> None:
    whole = encode(folder / "whole2.mp4", frames=120, options={"g": "50", "bf": "3", "crf": "12"})
    path = copy(whole, folder / "edited.mp4", first=0, shift=512 * 33)
    clip = check_whole(path, decoder)
    assert numbers_of(clip.frames_THWC) == list(range(33, 120))
    with open_video(path, decoder=decoder) as reader:
        assert reader.info.header_frames == 120
        assert reader.count() == 87


def test_a_truncated_avi_gives_the_frames_it_has(folder: Path, decoder: str) -> None:
    whole = encode(folder / "uncut.avi", frames=200, codec="mpeg4", options={"g": "12", "q": "2"})
    path = cut(whole, folder / "cut.avi", 0.5)
    clip = check_whole(path, decoder)
    with open_video(path, decoder=decoder) as reader:
        assert reader.info.header_frames == 200
    assert 20 < len(clip.times_T) < 200
    assert numbers_of(clip.frames_THWC)[:-1] == list(range(len(clip.times_T) - 1))


def test_a_truncated_mp4_with_its_index_in_front_gives_the_frames_it_has(
    folder: Path, decoder: str
) -> None:
    whole = encode(folder / "fast.mp4", container={"movflags": "+faststart"})
    path = cut(whole, folder / "fast-cut.mp4", 0.8)
    clip = check_whole(path, decoder)
    with open_video(path, decoder=decoder) as reader:
        assert reader.info.header_frames == 60
    # The last few may refer to frames behind the cut.
    certain = len(clip.times_T) - 4
    assert 8 < certain < 60
    assert numbers_of(clip.frames_THWC[:certain]) == list(range(certain))


def test_a_truncated_mp4_without_its_index_is_an_error(folder: Path, decoder: str) -> None:
    path = cut(made(folder, "b-frames"), folder / "no-index.mp4", 0.8)
    with pytest.raises(VideoError, match=r"no-index.mp4: cannot be read as a video"):
        open_video(path, decoder=decoder)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_video_without_frames_is_an_error(folder: Path, suffix: str, decoder: str) -> None:
    path = encode(folder / f"none{suffix}", frames=0, codec="mpeg4", options={})
    with pytest.raises(VideoError, match=rf"none\{suffix}: (holds no|cannot be read)"):
        open_video(path, decoder=decoder)


def test_a_header_with_frames_and_no_frame_that_decodes_is_an_error(
    folder: Path, decoder: str
) -> None:
    path = damage(made(folder, "avi-mpeg4"), folder / "noise.avi", range(60))
    with pytest.raises(VideoError, match="holds no frame that decodes"):
        open_video(path, decoder=decoder)


def test_a_damaged_frame_is_the_one_before_again_so_that_numbers_stay(
    folder: Path, decoder: str
) -> None:
    # Key frames every 12 and no B-frames: what follows the next key frame is whole again.
    whole = encode(folder / "plain.mp4", options={"g": "12", "bf": "0", "sc_threshold": "0"})
    path = damage(whole, folder / "damaged.mp4", [15, 59])
    clip = check_whole(path, decoder)
    numbers = numbers_of(clip.frames_THWC[[*range(16), *range(24, 60)]])
    assert numbers == [*range(15), 14, *range(24, 59), 58]
    np.testing.assert_allclose(clip.times_T, np.arange(60) / 25)
    path = damage(whole, folder / "damaged-last.mp4", [58, 59])
    assert numbers_of(check_whole(path, decoder).frames_THWC) == [*range(58), 57, 57]


def test_a_damaged_frame_is_left_out_where_nothing_tells_its_place(
    folder: Path, decoder: str
) -> None:
    path = damage(made(folder, "avi-mpeg4"), folder / "damaged.avi", [15])
    clip = check_whole(path, decoder)
    assert len(clip.times_T) == 59
    assert numbers_of(clip.frames_THWC[:15]) == list(range(15))
    assert numbers_of(clip.frames_THWC[-36:]) == list(range(24, 60))
    np.testing.assert_allclose(clip.times_T[-36:], np.arange(24, 60) / 25)


@pytest.mark.parametrize("packets", [[15], [24], [57, 58], [59], [3, 30, 59]])
@pytest.mark.parametrize("name", ["b-frames", "avi-mpeg4", "avi-h264-b-frames"])
def test_damage_costs_the_same_frames_with_any_threads(
    folder: Path, packets: list[int], name: str
) -> None:
    whole = made(folder, name)
    path = damage(whole, folder / f"damaged-threads{whole.suffix}", packets)
    clips = [read_clip(path, threads=threads) for threads in (1, 2, 4)]
    for clip in clips[1:]:
        np.testing.assert_array_equal(clip.times_T, clips[0].times_T)
        np.testing.assert_array_equal(clip.frames_THWC, clips[0].frames_THWC)


class Failing:
    """A container that fails after some packets, as a disk or a parser may."""

    def __init__(self, container: Any, error: Exception) -> None:
        self._container, self._error = container, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self, *streams: Any) -> Iterator[Any]:
        yield from islice(self._container.demux(*streams), 30)
        raise self._error


@pytest.mark.parametrize("error", [av.InvalidDataError(1, "broken"), IndexError("PyAV's own")])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_cannot_be_read_on_ends_there(
    folder: Path, error: Exception, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(folder / "no-b.ts", options={"g": "12", "bf": "0"})
    with monkeypatch.context() as patched:
        real = decoding.open_container
        patched.setattr(decoding, "open_container", lambda p: Failing(real(p), error))
        clip = read_clip(path, threads=threads)
    assert numbers_of(clip.frames_THWC) == list(range(30))


def check_whole(path: Path, decoder: str) -> Clip:
    """The clip; streaming, counting and reading by number must agree on it."""
    clip = read_clip(path, decoder=decoder)
    with open_video(path, decoder=decoder) as reader:
        count = reader.count()
        assert len(clip.times_T) == count
        some = sorted({0, count // 2, count - 1})
        np.testing.assert_array_equal(reader.read(some).frames_THWC, clip.frames_THWC[some])
        with pytest.raises(VideoError, match=f"{count} frames"):
            reader.read([count])
    with open_video(path, decoder=decoder) as reader:
        for frame in reader:
            np.testing.assert_array_equal(frame.frame_HWC, clip.frames_THWC[frame.index])
        assert frame.index == count - 1
    other = read_clip(path, decoder="pyav")
    np.testing.assert_array_equal(other.frames_THWC, clip.frames_THWC)
    return clip


# Files that are no videos, and paths that are no files.


def refused(path: Path, decoder: str, why: str) -> None:
    with pytest.raises(VideoError, match=why) as caught:
        open_video(path, decoder=decoder)
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.cause}"


def test_text_is_refused(tmp_path: Path, decoder: str) -> None:
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    refused(tmp_path / "text.mp4", decoder, "cannot be read as a video")


def test_sound_alone_is_refused(tmp_path: Path, decoder: str) -> None:
    refused(speak(tmp_path / "sound.mp4"), decoder, "no video stream .*: audio")
    path = speak(tmp_path / "song.mp4", cover=True)
    refused(path, decoder, "no video stream .*: audio, cover picture")


@pytest.mark.timeout(60, func_only=True)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, decoder: str) -> None:
    refused(tmp_path / "missing.mp4", decoder, "no such file")
    refused(tmp_path / "missing" / "folder.mp4", decoder, "no such file")
    refused(tmp_path, decoder, "folder")
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", decoder, "pipe")
    refused(Path("/dev/zero"), decoder, "device")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", decoder, "empty")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    refused(tmp_path / "loop.mp4", decoder, "cannot be opened")
    refused(Path("rtsp://camera/stream.mp4"), decoder, "no such file")
    refused(Path("nul\0.mp4"), decoder, "cannot be opened")


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.0,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.ts\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    ],
)
def test_a_playlist_opens_no_other_file(tmp_path: Path, playlist: str, decoder: str) -> None:
    encode(tmp_path / "secret.ts")
    (tmp_path / "list.mp4").write_text(playlist)
    refused(tmp_path / "list.mp4", decoder, "cannot be read as a video")


def test_odd_names_are_only_names(
    tmp_path: Path, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4", "-i.mp4", "%03d.mp4", "a b\n?.mp4", "é世.mp4", "pipe:0"):
        encode(tmp_path / "made.mp4", frames=3)
        (tmp_path / "made.mp4").replace(name)
        assert numbers_of(read_clip(name, decoder=decoder).frames_THWC) == [0, 1, 2]


def test_pictures_that_change_size_are_an_error_that_says_where(
    tmp_path: Path, decoder: str
) -> None:
    one = encode(tmp_path / "one.h264", frames=5)
    two = encode(tmp_path / "two.h264", frames=5, height=64, width=96)
    path = tmp_path / "both.h264"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    with open_video(path, decoder=decoder) as reader:
        assert numbers_of(reader.read(range(5)).frames_THWC) == [0, 1, 2, 3, 4]
        with pytest.raises(VideoError, match="change from 80x48 to 96x64 at frame 5"):
            list(reader)


@pytest.mark.parametrize("side", [16400, 65500])
def test_a_picture_that_would_fill_the_memory_is_refused(
    tmp_path: Path, side: int, decoder: str
) -> None:
    path = encode(tmp_path / "small.avi", frames=3, codec="mjpeg", pixels="yuvj420p", options={})
    size = b"\x00\x11\x08" + (48).to_bytes(2, "big") + (80).to_bytes(2, "big")
    data = path.read_bytes()
    assert data.count(size) == 3
    path.write_bytes(data.replace(size, b"\x00\x11\x08" + 2 * side.to_bytes(2, "big")))
    refused(path, decoder, "pictures|no frame that decodes")


def test_a_picture_over_the_limit_is_not_even_decoded(
    tmp_path: Path, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The container says 80x48; the pictures in it claim 96x64 and are refused by the decoder.
    path = encode(tmp_path / "small.avi", frames=3, codec="mjpeg", pixels="yuvj420p", options={})
    said, claimed = (
        b"\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big")
        for height, width in ((48, 80), (64, 96))
    )
    path.write_bytes(path.read_bytes().replace(said, claimed))
    monkeypatch.setattr("tinyvirat.video.container.MAX_PIXELS", 80 * 48)
    refused(path, decoder, "no frame that decodes")
