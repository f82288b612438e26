"""What both decoders promise: exact frames with their times, whatever the file is like."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tinyvirat.video import Clip, VideoError, decoding, open_video, read_clip

from .clips import Recipe, coded, colours, copy, cut, damage, encode, number_of, numbers_of, speak

ODD_TIMES = np.cumsum(np.random.default_rng(7).integers(1, 90, 60)).tolist()

# name: (suffix, how it is encoded)
KINDS = {
    "b-frames": (".mp4", {}),
    "variable-rate": (".mp4", {"pts": ODD_TIMES, "time_base": Fraction(1, 1000)}),
    "variable-rate-mkv": (".mkv", {"pts": ODD_TIMES, "time_base": Fraction(1, 1000)}),
    "open-gop": (".mp4", {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1"}}),
    "intra-refresh": (".mp4", {"options": {"g": "12", "x264-params": "intra-refresh=1"}}),
    "matroska-without-a-count": (".mkv", {}),
    "transport-stream": (".ts", {}),
    "raw-h264": (".h264", {}),
    "avi-mpeg4": (".avi", {"codec": "mpeg4", "options": {"g": "12", "q": "2"}}),
    "avi-mpeg4-b-frames": (".avi", {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}}),
    "avi-h264-b-frames": (".avi", {}),
    "avi-mjpeg-full-range": (".avi", {"codec": "mjpeg", "pixels": "yuvj420p", "options": {}}),
    "mpeg2": (".mpg", {"codec": "mpeg2video", "options": {"g": "12", "bf": "2", "q": "2"}}),
    "vp8-hidden-frames": (
        ".webm",
        {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "10", "b:v": "1M"}},
    ),
    "grey": (".mp4", {"pixels": "gray"}),
    "grey-one-plane": (".mkv", {"codec": "ffv1", "pixels": "gray", "options": {}}),
    "grey-16-bit": (".mkv", {"codec": "ffv1", "pixels": "gray16le", "options": {}}),
    "ten-bit": (".mp4", {"pixels": "yuv420p10le"}),
    "odd-sides": (".mp4", {"pixels": "yuv444p", "height": 47, "width": 81}),
    "odd-sides-half-colour": (
        ".mkv",
        {"codec": "ffv1", "options": {}, "height": 47, "width": 81},
    ),
    "tiny": (".mp4", {"height": 10, "width": 10}),
    "one-frame": (".mp4", {"frames": 1}),
    "one-frame-avi": (".avi", {"frames": 1, "codec": "mpeg4", "options": {}}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


def made(folder: Path, name: str) -> Path:
    suffix, changes = KINDS[name]
    path = folder / f"{name}{suffix}"
    return path if path.exists() else encode(path, **changes)


@pytest.mark.parametrize("name", KINDS)
def test_streaming_gives_every_frame_once_in_order(folder: Path, name: str, decoder: str) -> None:
    frames = KINDS[name][1].get("frames", 60)
    with open_video(made(folder, name), decoder=decoder) as reader:
        seen = list(reader)
    assert [frame.index for frame in seen] == list(range(frames))
    assert [number_of(frame.frame_HWC) for frame in seen] == list(range(frames))
    assert all(frame.frame_HWC.dtype == np.uint8 for frame in seen)
    times = [frame.time for frame in seen]
    assert times[0] == 0 and np.all(np.diff(times) > 0)


@pytest.mark.parametrize("name", KINDS)
def test_reading_by_number_is_exact_in_any_order_with_repeats(
    folder: Path, name: str, decoder: str
) -> None:
    frames = KINDS[name][1].get("frames", 60)
    path = made(folder, name)
    whole = read_clip(path, decoder=decoder)
    chance = np.random.default_rng(1)
    with open_video(path, decoder=decoder) as reader:
        for asked in (chance.integers(0, frames, 25), np.arange(frames)[::-1], [0, 0]):
            clip = reader.read(asked)
            assert numbers_of(clip.frames_THWC) == list(asked)
            np.testing.assert_array_equal(clip.frames_THWC, whole.frames_THWC[asked])
            np.testing.assert_array_equal(clip.times_T, whole.times_T[asked])
        assert reader.count() == frames


@pytest.mark.parametrize("name", KINDS)
def test_both_decoders_give_the_same_pixels_and_times(folder: Path, name: str) -> None:
    path = made(folder, name)
    ours, theirs = read_clip(path, decoder="pyav"), read_clip(path, decoder="torchcodec")
    np.testing.assert_array_equal(ours.frames_THWC, theirs.frames_THWC)
    np.testing.assert_array_equal(ours.times_T, theirs.times_T)
    assert ours.fps == theirs.fps


@pytest.mark.parametrize("colour_matrix", [1, 5, 9])
@pytest.mark.parametrize(
    ("pixels", "full_range"),
    [
        ("yuv420p", False),
        ("yuv420p", True),
        ("yuvj420p", True),
        ("yuv422p", False),
        ("yuv444p", False),
        ("yuv420p10le", False),
    ],
)
def test_both_decoders_give_the_same_colours(
    tmp_path: Path, pixels: str, full_range: bool, colour_matrix: int
) -> None:
    recipe = Recipe(
        frames=12,
        pixels=pixels,
        colourful=True,
        full_range=full_range,
        colour_matrix=colour_matrix,
        options={"crf": "4"},
    )
    path = encode(tmp_path / "colours.mp4", recipe)
    ours, theirs = read_clip(path, decoder="pyav"), read_clip(path, decoder="torchcodec")
    np.testing.assert_array_equal(ours.frames_THWC, theirs.frames_THWC)
    # Inside the blocks, where no halved colour plane blurs, the colours are those encoded.
    inside = (slice(None), slice(3, None, 8), slice(3, None, 8))
    error = np.abs(ours.frames_THWC[inside].astype(int) - colours(12)[inside])
    assert np.quantile(error, 0.95) <= 8


def test_times_are_the_files_own(folder: Path, decoder: str) -> None:
    clip = read_clip(made(folder, "variable-rate"), decoder=decoder)
    want = (np.asarray(ODD_TIMES) - ODD_TIMES[0]) / 1000
    np.testing.assert_allclose(clip.times_T, want, atol=1e-4)
    steady = read_clip(made(folder, "b-frames"), decoder=decoder)
    np.testing.assert_allclose(steady.times_T, np.arange(60) / 25, atol=1e-9)
    assert steady.fps == 25


def test_info_is_what_the_frames_are(folder: Path, decoder: str) -> None:
    with open_video(made(folder, "odd-sides"), decoder=decoder) as reader:
        info = reader.info
    assert (info.width, info.height, info.rotation) == (81, 47, 0)
    assert (info.codec, info.pixel_format, info.fps) == ("h264", "yuv444p", 25)
    assert info.header_frames == 60
    assert info.duration == pytest.approx(2.4)
    with open_video(made(folder, "matroska-without-a-count"), decoder=decoder) as reader:
        assert reader.info.header_frames is None
        assert reader.count() == 60


def test_grey_becomes_three_equal_channels(folder: Path, decoder: str) -> None:
    for name in ("grey", "grey-one-plane", "grey-16-bit"):
        frames_THWC = read_clip(made(folder, name), decoder=decoder).frames_THWC
        np.testing.assert_array_equal(frames_THWC[..., 0], frames_THWC[..., 1])
        np.testing.assert_array_equal(frames_THWC[..., 0], frames_THWC[..., 2])


def test_ten_bits_keep_black_and_white(folder: Path, decoder: str) -> None:
    frames_THWC = read_clip(made(folder, "ten-bit"), decoder=decoder).frames_THWC
    assert frames_THWC.dtype == np.uint8
    assert frames_THWC.min() <= 3 and frames_THWC.max() >= 252


def test_spans(folder: Path, decoder: str) -> None:
    path = made(folder, "b-frames")
    with open_video(path, decoder=decoder) as reader:
        assert numbers_of(reader.read_span(20, 36).frames_THWC) == list(range(20, 36))
        assert numbers_of(reader.read_span(36, 40).frames_THWC) == list(range(36, 40))
        assert numbers_of(reader.read_span(5, 9).frames_THWC) == list(range(5, 9))
        assert numbers_of(reader.read_span(50).frames_THWC) == list(range(50, 60))
        empty = reader.read([])
    assert empty.frames_THWC.shape == (0, 48, 80, 3) and empty.times_T.shape == (0,)
    assert numbers_of(read_clip(path, 3, 5, decoder=decoder).frames_THWC) == [3, 4]


@pytest.mark.parametrize("asked", [[60], [3, 1000], [0, 10**15]])
def test_a_frame_behind_the_last_is_an_error_with_the_true_count(
    folder: Path, asked: list[int], decoder: str
) -> None:
    with (
        open_video(made(folder, "b-frames"), decoder=decoder) as reader,
        pytest.raises(VideoError, match=f"frame {asked[-1]} .* 60 frames"),
    ):
        reader.read(asked)


def test_more_than_the_memory_holds_is_an_error(folder: Path, decoder: str) -> None:
    with open_video(made(folder, "b-frames"), decoder=decoder) as reader:
        for stop in (2**40, 2**62):
            with pytest.raises(VideoError, match="GiB"):
                reader.read_span(0, stop)


def test_spans_and_numbers_outside_are_errors(folder: Path, decoder: str) -> None:
    with open_video(made(folder, "b-frames"), decoder=decoder) as reader:
        with pytest.raises(VideoError, match="frame -1"):
            reader.read([3, -1])
        for start, stop in ((-1, 3), (3, 3), (5, 2)):
            with pytest.raises(VideoError, match="span"):
                reader.read_span(start, stop)
        with pytest.raises(VideoError, match="60 frames"):
            reader.read_span(50, 61)
        with pytest.raises(VideoError, match="60 frames"):
            reader.read_span(60)
        assert numbers_of(reader.read([59]).frames_THWC) == [59]


def test_iterations_and_reads_do_not_disturb_each_other(folder: Path, decoder: str) -> None:
    with open_video(made(folder, "b-frames"), decoder=decoder) as reader:
        one, two = iter(reader), iter(reader)
        got = [number_of(next(one).frame_HWC) for _ in range(10)]
        assert number_of(next(two).frame_HWC) == 0
        assert numbers_of(reader.read([30, 2]).frames_THWC) == [30, 2]
        assert reader.count() == 60
        got += [number_of(frame.frame_HWC) for frame in one]
        assert got == list(range(60))


def test_a_frame_stays_what_it_was(folder: Path, decoder: str) -> None:
    with open_video(made(folder, "b-frames"), decoder=decoder) as reader:
        frames = list(reader)
    assert [number_of(frame.frame_HWC) for frame in frames] == list(range(60))


def test_a_closed_reader_gives_nothing(folder: Path, decoder: str) -> None:
    with open_video(made(folder, "b-frames"), decoder=decoder) as reader:
        frames = iter(reader)
        next(frames)
    with pytest.raises(VideoError, match="closed"):
        next(frames)
    for use in (reader.count, lambda: reader.read([0]), lambda: next(iter(reader))):
        with pytest.raises(VideoError, match="closed"):
            use()
    reader.close()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(folder: Path, threads: int, decoder: str) -> None:
    clip = read_clip(made(folder, "b-frames"), decoder=decoder, threads=threads)
    np.testing.assert_array_equal(clip.frames_THWC, read_clip(made(folder, "b-frames")).frames_THWC)


def test_streaming_takes_constant_memory(folder: Path, decoder: str) -> None:
    path = encode(folder / "long.mp4", frames=300, height=96, width=160)
    with open_video(path, decoder=decoder) as reader:
        tracemalloc.start()
        try:
            for _ in reader:
                pass
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 20 * 96 * 160 * 3


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


def test_wrong_options_are_refused(folder: Path) -> None:
    path = made(folder, "b-frames")
    with pytest.raises(VideoError, match="auto, pyav, torchcodec"):
        open_video(path, decoder="opencv")
    with pytest.raises(VideoError, match="threads"):
        open_video(path, threads=0)


# Cameras held sideways.

ONE, LAST = 1 << 16, 1 << 30
TURNS = {
    "upright": ((1, 0, 0, 1), 0, lambda x: x),
    "quarter-left": ((0, -1, 1, 0), 90, lambda x: np.rot90(x, 1)),
    "half": ((-1, 0, 0, -1), 180, lambda x: np.rot90(x, 2)),
    "quarter-right": ((0, 1, -1, 0), 270, lambda x: np.rot90(x, 3)),
    "mirrored": ((-1, 0, 0, 1), None, lambda x: x[:, ::-1]),
    "upside-down": ((1, 0, 0, -1), None, lambda x: x[::-1]),
    "transposed": ((0, 1, 1, 0), None, lambda x: x.swapaxes(0, 1)),
    "transposed-back": ((0, -1, -1, 0), None, lambda x: x[::-1, ::-1].swapaxes(0, 1)),
}


@pytest.mark.parametrize("name", TURNS)
def test_frames_come_upright(tmp_path: Path, name: str, decoder: str) -> None:
    (a, b, c, d), degrees, turned = TURNS[name]
    matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, LAST]
    plain = read_clip(encode(tmp_path / "plain.mp4", frames=20))
    path = encode(tmp_path / "turned.mp4", frames=20, matrix=matrix)
    with open_video(path, decoder=decoder) as reader:
        seen = [frame.frame_HWC for frame in reader]
        read = reader.read([7, 3]).frames_THWC
        info = reader.info
    want = [turned(frame_HWC) for frame_HWC in plain.frames_THWC]
    np.testing.assert_array_equal(seen, want)
    np.testing.assert_array_equal(read, [want[7], want[3]])
    assert (info.height, info.width) == want[0].shape[:2]
    if degrees is not None:
        assert info.rotation == degrees


def test_the_codes_in_these_tests_tell_frames_apart() -> None:
    assert [number_of(coded(n)) for n in range(1024)] == list(range(1024))
    with pytest.raises(AssertionError, match="washed out"):
        number_of(np.full((48, 80, 3), 128, np.uint8))
