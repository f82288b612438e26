"""What is written comes back: size, number, rate, pixels; and a failure leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from tinyvirat.video import VideoError, VideoWriter, open_video, read_clip, write_video

from .clips import coded, numbers_of


def coded_clip(frames: int, height: int = 48, width: int = 80) -> NDArray[np.uint8]:
    return np.stack([coded(number, height, width) for number in range(frames)])


@pytest.mark.parametrize(
    ("height", "width"), [(48, 80), (10, 10), (11, 13), (10, 13), (128, 128), (47, 80), (1, 1)]
)
def test_size_number_and_pixels_come_back(
    tmp_path: Path, height: int, width: int, decoder: str
) -> None:
    path = tmp_path / "clip.mp4"
    ramp = np.linspace(0, 255, 20).astype(np.uint8)
    frames_THWC = np.broadcast_to(ramp[:, None, None, None], (20, height, width, 3))
    write_video(path, frames_THWC, 25)
    clip = read_clip(path, decoder=decoder)
    assert clip.frames_THWC.shape == (20, height, width, 3)
    assert np.abs(clip.frames_THWC.astype(int) - frames_THWC).max() <= 3


@pytest.mark.parametrize(("height", "width"), [(48, 80), (10, 10), (11, 15)])
def test_every_frame_keeps_its_place(tmp_path: Path, height: int, width: int) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, coded_clip(300, height, width), 25)
    assert numbers_of(read_clip(path).frames_THWC) == list(range(300))


def test_colours_come_back(tmp_path: Path) -> None:
    colours = np.asarray([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 100, 50], [90, 90, 90]])
    for size in (32, 33):
        frames_THWC = np.ones((5, size, size, 1), np.uint8) * colours[:, None, None].astype(
            np.uint8
        )
        write_video(tmp_path / "colours.mp4", frames_THWC, 25, crf=0)
        clip = read_clip(tmp_path / "colours.mp4")
        assert np.abs(clip.frames_THWC.astype(int) - frames_THWC).max() <= 4


def test_the_file_says_how_its_colours_are_meant(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", coded_clip(2), 25)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (Colorspace.ITU601, ColorRange.MPEG)


@pytest.mark.parametrize("crf", [0, 40])
def test_quality_is_what_crf_says(tmp_path: Path, crf: int) -> None:
    chance = np.random.default_rng(0)
    grey = chance.integers(0, 256, (8, 64, 64, 1)).astype(np.uint8)
    write_video(tmp_path / "noise.mp4", np.repeat(grey, 3, axis=3), 25, crf=crf)
    error = np.abs(read_clip(tmp_path / "noise.mp4").frames_THWC.astype(int) - grey).mean()
    assert error < 1 if crf == 0 else error > 10


@pytest.mark.parametrize(
    "fps",
    [
        30,
        Fraction(30000, 1001),
        Fraction(2397, 100),
        Fraction(25, 2),
        Fraction(1, 3),
        Fraction(240),
    ],
)
@pytest.mark.parametrize("frames", [1, 7])
def test_the_rate_is_exact(tmp_path: Path, fps: Fraction | int, frames: int, decoder: str) -> None:
    path = tmp_path / "rate.mp4"
    write_video(path, coded_clip(frames), fps)
    clip = read_clip(path, decoder=decoder)
    assert clip.fps == fps
    np.testing.assert_allclose(clip.times_T, [float(k / Fraction(fps)) for k in range(frames)])
    with open_video(path) as reader:
        assert reader.info.header_frames == frames
        assert reader.info.duration == pytest.approx(frames / float(fps), abs=2e-3)


@pytest.mark.parametrize("preset", ["medium", "superfast"])
def test_frames_keep_their_own_times(tmp_path: Path, preset: str, decoder: str) -> None:
    times = [0.0, 0.04, 0.1, 0.1, 0.101, 1.5, 3601.25, *(3602 + k / 29.97 for k in range(20))]
    path = tmp_path / "times.mp4"
    with VideoWriter(path, 25, ticks=90000, preset=preset) as writer:
        for number, time in enumerate(times):
            writer.write(coded(number), time=time)
    clip = read_clip(path, decoder=decoder)
    assert numbers_of(clip.frames_THWC) == list(range(len(times)))
    # The two at one time are a tick apart.
    np.testing.assert_allclose(clip.times_T, times, atol=1.6 / 90000)
    assert (np.diff(clip.times_T) > 0).all()


@pytest.mark.parametrize(("ticks", "time"), [(None, 0.0), (1000, None)])
def test_a_time_too_many_or_too_few_is_refused(
    tmp_path: Path, ticks: int | None, time: float | None
) -> None:
    with (
        pytest.raises(ValueError, match="time is needed with `ticks`"),
        VideoWriter(tmp_path / "times.mp4", 25, ticks=ticks) as writer,
    ):
        writer.write(coded(0), time=time)
    assert list(tmp_path.iterdir()) == []


def test_frames_may_come_one_by_one(tmp_path: Path) -> None:
    def frames() -> Iterator[NDArray[np.uint8]]:
        yield from coded_clip(12)

    write_video(tmp_path / "a.mp4", frames(), 25)
    with VideoWriter(tmp_path / "deep" / "b.mp4", 25) as writer:
        for number in range(12):
            writer.write(coded(number)[::-1][::-1])
        assert writer.frames == 12
        assert not (tmp_path / "deep" / "b.mp4").exists()
    for path in (tmp_path / "a.mp4", tmp_path / "deep" / "b.mp4"):
        assert numbers_of(read_clip(path).frames_THWC) == list(range(12))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "deep"]


def test_the_same_frames_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, coded_clip(30), 25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([], "no frame"),
        ([np.zeros((8, 8, 3), np.float32)], "float32"),
        ([np.zeros((8, 8), np.uint8)], r"\(8, 8\)"),
        ([np.zeros((8, 8, 4), np.uint8)], r"\(8, 8, 4\)"),
        ([np.zeros((0, 8, 3), np.uint8)], "no pixels"),
        ([np.zeros((2, 16400, 3), np.uint8)], "limit"),
        ([coded(0), coded(1, 50, 80)], "frame 1 is 80x50, the first was 80x48"),
        ([coded(0), None], "frame 1 is object"),
    ],
)
def test_bad_frames_are_refused_and_leave_what_was_there(
    tmp_path: Path, frames: list[Any], why: str
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"before")
    with pytest.raises(VideoError, match=why) as caught:
        write_video(path, frames, 25)
    assert caught.value.path == path
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), OSError(5, "theirs")])
def test_an_error_in_the_callers_frames_stays_the_callers(
    tmp_path: Path, error: BaseException
) -> None:
    def frames() -> Iterator[NDArray[np.uint8]]:
        yield coded(0)
        raise error

    with pytest.raises(type(error)) as caught:
        write_video(tmp_path / "clip.mp4", frames(), 25)
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "fps", "crf", "why"),
    [
        ("clip.avi", 25, 18, "mp4"),
        ("clip", 25, 18, "mp4"),
        ("clip.mp4", 29.97, 18, "Fraction"),
        ("clip.mp4", True, 18, "Fraction"),
        ("clip.mp4", 0, 18, "between"),
        ("clip.mp4", -5, 18, "between"),
        ("clip.mp4", Fraction(10**7, 3), 18, "between"),
        ("clip.mp4", 25, 52, "crf"),
        ("clip.mp4", 25, -1, "crf"),
        ("clip.mp4", 25, "18", "crf"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, name: str, fps: Any, crf: Any, why: str) -> None:
    with pytest.raises(VideoError, match=why):
        write_video(tmp_path / name, coded_clip(2), fps, crf=crf)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_preset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="cannot be written"):
        write_video(tmp_path / "clip.mp4", coded_clip(2), 25, preset="warp")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VideoError, match="cannot be written"):
        write_video(tmp_path / "file" / "clip.mp4", coded_clip(2), 25)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(VideoError, match="cannot be written"):
        write_video(tmp_path / "folder.mp4", coded_clip(2), 25)


def test_writing_outside_the_block_is_an_error(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    with pytest.raises(VideoError, match="with"):
        writer.write(coded(0))
    with writer:
        writer.write(coded(0))
    with pytest.raises(VideoError, match="with"):
        writer.write(coded(0))
