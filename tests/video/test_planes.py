"""Windows cut out of stored planes are what is cut out of the RGB frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.common.pixels import crop_windows
from tinyvirat.video import VideoError, VideoWriter, open_video, read_clip, write_video
from tinyvirat.video.planes import Colours, PlaneClip, PlaneReader, Planes, Windows

from .clips import coded, encode, numbers_of

LYING = [0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30]
PLACES = [(8, 4, 32), (9, 4, 30), (8, 5, 30), (11, 7, 2), (-5, -3, 24), (60, 30, 40), (-21, 3, 90)]


def smooth(frames: int, height: int, width: int) -> np.ndarray:
    """Colours that change slowly, so that half a colour sample aside is hardly another colour."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17 + t / 3) + np.cos(y / 13 - t / 5) for t in range(frames)]
    colours = [[40, 30, 20], [-30, 40, 25]]
    return np.stack(
        [
            128 + wave[..., None] * colours[0] + wave.T.mean() * np.array(colours[1])
            for wave in waves
        ]
    ).astype(np.uint8)


def cut(path: Path, out: Path, x1: int, y1: int, side: int) -> np.ndarray:
    """A window that moves one pixel right and down a frame, through planes and a lossless file."""
    with PlaneReader(path) as reader:
        windows = Windows(side, 100)
        for t, planes in reader:
            windows.add(planes, x1 + t, y1 + t)
        with VideoWriter(out, 25, quantiser=0, colours=reader.colours) as writer:
            writer.write_planes(windows.clip())
    return read_clip(out).frames_THWC


@pytest.mark.parametrize(("x1", "y1", "side"), PLACES)
def test_a_window_is_that_of_the_rgb_frame(tmp_path: Path, x1: int, y1: int, side: int) -> None:
    write_video(tmp_path / "a.mp4", smooth(6, 60, 90), 25, crf=4)
    found = cut(tmp_path / "a.mp4", tmp_path / "b.mp4", x1, y1, side)
    rgb = torch.from_numpy(read_clip(tmp_path / "a.mp4").frames_THWC)
    windows_T4 = np.array([[x1 + t, y1 + t, x1 + t + side, y1 + t + side] for t in range(6)])
    wanted = crop_windows(rgb, windows_T4).numpy()
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).max() <= 5
    even = np.arange(6) % 2 == (x1 % 2) if x1 % 2 == y1 % 2 else np.zeros(6, bool)
    inside = x1 >= 0 and y1 >= 0 and x1 + 6 + side <= 90 and y1 + 6 + side <= 60
    if inside:
        assert np.array_equal(found[even], wanted[even])


def test_colour_between_two_samples_is_their_mean() -> None:
    u_hw = np.array([[10, 21, 30], [40, 60, 90]], np.uint8)
    planes = Planes(np.zeros((4, 6), np.uint8), u_hw, u_hw + 100)
    windows = Windows(2, 4)
    for corner in ((0, 0), (1, 0), (0, 1), (1, 1)):
        windows.add(planes, *corner)
    clip = windows.clip()
    assert clip.u_Thw.ravel().tolist() == [10, 16, 25, 33]
    assert clip.v_Thw.ravel().tolist() == [110, 116, 125, 133]


@pytest.mark.parametrize(
    "changes",
    [
        {"colour_matrix": 1},
        {"colour_matrix": 5, "full_range": True},
        {"colour_matrix": 1, "full_range": True},
        {"pixels": "yuvj420p", "full_range": True},
        {"pixels": "yuv444p"},
        {"pixels": "yuv420p10le"},
        {"pixels": "yuv422p", "colour_matrix": 1},
        {"matrix": LYING},
    ],
)
def test_colours_are_those_of_the_source_however_it_stores_them(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    encode(tmp_path / "a.mp4", frames=4, height=64, width=96, colourful=True, **changes)
    found = cut(tmp_path / "a.mp4", tmp_path / "b.mp4", 8, 8, 48)[::2]
    rgb = read_clip(tmp_path / "a.mp4").frames_THWC[::2]
    wanted = np.stack([rgb[k, 8 + 2 * k : 56 + 2 * k, 8 + 2 * k : 56 + 2 * k] for k in range(2)])
    error = np.abs(found.astype(int) - wanted)
    # What goes through RGB, or has more colour samples, loses some of them at edges.
    through_rgb = "pixels" in changes or "matrix" in changes
    assert error.mean() < (4 if through_rgb else 1)
    assert np.abs((found.astype(float) - wanted).mean(axis=(1, 2))).max() < 1.5


def test_frames_are_those_of_open_video(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", frames=40)
    with PlaneReader(path) as reader, open_video(path) as video:
        assert (reader.width, reader.height, reader.fps) == (80, 48, Fraction(25))
        windows = Windows(48, 40)
        for (t, planes), frame in zip(reader, video, strict=True):
            assert t == frame.index
            windows.add(planes, 0, 0)
    assert len(windows) == 40 and windows.is_full


def test_a_video_that_changes_its_size_is_an_error(tmp_path: Path) -> None:
    encode(tmp_path / "a.h264", frames=4)
    encode(tmp_path / "b.h264", frames=4, height=64)
    both = tmp_path / "both.h264"
    both.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    with PlaneReader(both) as reader, pytest.raises(VideoError, match=r"80x48 .* to 80x64"):
        list(reader)


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_what_is_no_video_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(VideoError):
        PlaneReader(tmp_path / "a.mp4")


def clip_of(frames_THWC: np.ndarray) -> PlaneClip:
    """Grey pictures as planes."""
    grey = np.full((len(frames_THWC), *(n // 2 for n in frames_THWC.shape[1:3])), 128, np.uint8)
    return PlaneClip(np.ascontiguousarray(frames_THWC[..., 0]), grey, grey)


def test_every_picture_keeps_its_place_also_in_parts(tmp_path: Path) -> None:
    # One buffer serves all pictures of a call: none may show what came after it.
    frames_THWC = np.stack([coded(number, 48, 80) for number in range(120)])
    clip = clip_of(frames_THWC)
    full = Colours(range=2)
    with VideoWriter(tmp_path / "a.mp4", 25, preset="ultrafast", colours=full) as writer:
        writer.write_planes(clip)
    with VideoWriter(tmp_path / "b.mp4", 25, preset="ultrafast", colours=full) as writer:
        for at in (slice(50), slice(50, 51), slice(51, None)):
            writer.write_planes(PlaneClip(clip.y_THW[at], clip.u_Thw[at], clip.v_Thw[at]))
        assert writer.frames == 120
    assert numbers_of(read_clip(tmp_path / "a.mp4").frames_THWC) == list(range(120))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("side", [2, 10, 14, 30, 34, 128])
def test_every_even_side_can_be_written(tmp_path: Path, side: int) -> None:
    levels = np.arange(side * side).reshape(side, side) % 199 + 28
    frames = np.repeat(np.stack([levels, levels.T])[..., None], 3, axis=3).astype(np.uint8)
    with VideoWriter(tmp_path / "a.mp4", 25, quantiser=0, colours=Colours(range=2)) as writer:
        writer.write_planes(clip_of(frames))
    assert np.abs(read_clip(tmp_path / "a.mp4").frames_THWC.astype(int) - frames).max() <= 1


@pytest.mark.parametrize(
    "clip",
    [
        PlaneClip(*(np.zeros((2, n, n), np.uint8) for n in (7, 3, 3))),
        PlaneClip(*(np.zeros((2, n, n), np.uint8) for n in (8, 3, 4))),
        PlaneClip(*(np.zeros((2, n, n), np.uint8) for n in (0, 0, 0))),
        PlaneClip(*(np.zeros((0, n, n), np.uint8) for n in (8, 4, 4))),
        PlaneClip(*(np.zeros((t, n, n), np.uint8) for t, n in ((2, 8), (1, 4), (1, 4)))),
    ],
)
def test_planes_that_do_not_fit_are_refused(tmp_path: Path, clip: PlaneClip) -> None:
    with (
        pytest.raises(VideoError, match="planes"),
        VideoWriter(tmp_path / "a.mp4", 25) as writer,
    ):
        writer.write_planes(clip)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("side", [0, 3, -2])
def test_windows_have_an_even_side(side: int) -> None:
    with pytest.raises(ValueError, match="even"):
        Windows(side, 1)


def test_a_file_written_in_place_is_removed_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(KeyError), VideoWriter(path, 25, in_place=True) as writer:
        for number in range(100):
            writer.write(coded(number))
        assert path.exists()
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with VideoWriter(path, 25, in_place=True) as writer:
        writer.write(coded(5))
    assert numbers_of(read_clip(path).frames_THWC) == [5]


def test_a_constant_quantiser_is_kept_within_its_range(tmp_path: Path) -> None:
    for bad in (-1, 52, True):
        with pytest.raises(VideoError, match="qp is"):
            VideoWriter(tmp_path / "a.mp4", 25, quantiser=bad)
