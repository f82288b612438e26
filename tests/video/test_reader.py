"""What both decoders promise: exact frames with their times, whatever the file is like."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.video import VideoError, open_video, read_clip

from .clips import (
    KINDS,
    ODD_TIMES,
    Recipe,
    coded,
    colours,
    encode,
    made,
    number_of,
    numbers_of,
)


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
def test_both_decoders_give_the_same_pixels_and_times(
    folder: Path, name: str, torchcodec: str
) -> None:
    path = made(folder, name)
    ours, theirs = read_clip(path, decoder="pyav"), read_clip(path, decoder=torchcodec)
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
    tmp_path: Path, pixels: str, full_range: bool, colour_matrix: int, decoder: str
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
    frames_THWC = read_clip(path, decoder=decoder).frames_THWC
    np.testing.assert_array_equal(frames_THWC, read_clip(path, decoder="pyav").frames_THWC)
    # Inside the blocks, where no halved colour plane blurs, the colours are those encoded.
    inside = (slice(None), slice(3, None, 8), slice(3, None, 8))
    error = np.abs(frames_THWC[inside].astype(int) - colours(12)[inside])
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
