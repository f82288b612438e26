"""Jumps into long files: only where the packets prove the place, and exact or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tinyvirat.video import cursor as cursor_module
from tinyvirat.video import open_video, read_clip
from tinyvirat.video.packets import FrameMap, Timetable, timetable

from .clips import copy, cut, damage, encode, numbers_of

FRAMES = 400
GOP = 25
CLOSED = {"g": str(GOP), "bf": "3", "crf": "12", "sc_threshold": "0"}
TIMES = np.cumsum(np.random.default_rng(5).integers(1, 90, FRAMES)).tolist()
JUMPABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "closed-gop": (".mp4", {"options": CLOSED}),
    "no-b-frames": (".mp4", {"options": CLOSED | {"bf": "0"}}),
    "open-gop": (".mp4", {"options": CLOSED | {"x264-params": "open-gop=1"}}),
    "variable-rate": (
        ".mp4",
        {"options": CLOSED, "pts": TIMES, "time_base": Fraction(1, 1000)},
    ),
    "matroska": (".mkv", {"options": CLOSED}),
    "variable-rate-matroska": (
        ".mkv",
        {"options": CLOSED, "pts": TIMES, "time_base": Fraction(1, 1000)},
    ),
    "hevc": (
        ".mp4",
        {
            "codec": "libx265",
            "options": {"x265-params": f"keyint={GOP}:min-keyint={GOP}:log-level=none"},
        },
    ),
}


def made(folder: Path, name: str) -> Path:
    suffix, changes = JUMPABLE[name]
    path = folder / f"{name}{suffix}"
    return path if path.exists() else encode(path, frames=FRAMES, **changes)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The passes that cursors began, in order."""
    begun: list[Any] = []

    class Noted(cursor_module.Decoding):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.given = 0
            begun.append(self)

        def _arrived(self, pts: int | None) -> None:
            self.given += 1
            super()._arrived(pts)

    monkeypatch.setattr(cursor_module, "Decoding", Noted)
    return begun


@pytest.mark.parametrize("name", JUMPABLE)
def test_a_far_frame_is_exact_and_costs_a_group_of_pictures_or_two(
    folder: Path, name: str, passes: list[Any]
) -> None:
    path = made(folder, name)
    whole = read_clip(path)
    assert numbers_of(whole.frames_THWC) == list(range(FRAMES))
    passes.clear()
    around_keys = [key + step for key in (150, 375) for step in (-2, -1, 0, 1, 2)]
    for index in [*around_keys, 200, 312, FRAMES - 1]:
        with open_video(path, threads=1) as reader:
            clip = reader.read([index])
        assert numbers_of(clip.frames_THWC) == [index]
        np.testing.assert_array_equal(clip.frames_THWC[0], whole.frames_THWC[index])
        assert clip.times_T[0] == whole.times_T[index]
    assert len(passes) == 13
    # Two groups where FFmpeg's own index leads to the key frame before.
    assert all(each.jumped and each.given <= 2 * GOP for each in passes)


def test_a_jump_reads_on_from_where_it_is(folder: Path, passes: list[Any], decoder: str) -> None:
    with open_video(made(folder, "closed-gop"), decoder=decoder) as reader:
        clip = reader.read([390, 3, 200, 201, 390, 399])
        assert numbers_of(clip.frames_THWC) == [390, 3, 200, 201, 390, 399]
        assert numbers_of(reader.read_span(250).frames_THWC) == list(range(250, FRAMES))
        assert numbers_of(reader.read_span(120, 140).frames_THWC) == list(range(120, 140))


def test_a_shuffled_read_goes_over_the_file_once(folder: Path, passes: list[Any]) -> None:
    asked = np.random.default_rng(2).permutation(90)
    with open_video(made(folder, "closed-gop")) as reader:
        assert numbers_of(reader.read(asked).frames_THWC) == asked.tolist()
    assert passes == []  # the pass that found the first frame served them all


def test_near_frames_are_reached_without_reading_the_packets(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(folder, "closed-gop")
    monkeypatch.setattr(FrameMap, "timetable", lambda _: pytest.fail("not needed"))
    with open_video(path) as reader:
        assert numbers_of(reader.read([0, 50, 99, 150, 249]).frames_THWC) == [0, 50, 99, 150, 249]
        assert reader.count() == FRAMES


def test_gradual_refresh_is_never_jumped_into(folder: Path) -> None:
    # A "key frame" there shows only a stripe anew; the whole picture comes some frames later.
    path = encode(
        folder / "refresh.mp4",
        frames=FRAMES,
        options={"g": str(GOP), "crf": "12", "x264-params": "intra-refresh=1"},
    )
    whole = read_clip(path)
    for index in (150, 151, 160, 180, 399):
        with open_video(path) as reader:
            np.testing.assert_array_equal(
                reader.read([index]).frames_THWC[0], whole.frames_THWC[index]
            )


@pytest.mark.parametrize("broken", [[0], [30], [226], [225], [240], [30, 226, 399]])
def test_damage_before_or_at_the_place_gives_what_streaming_gives(
    folder: Path, broken: list[int], decoder: str
) -> None:
    path = damage(made(folder, "closed-gop"), folder / "damaged.mp4", broken)
    with open_video(path, decoder=decoder, threads=1) as reader:
        whole = list(reader)
        assert reader.count() == len(whole)
    for index in (229, 240, 260, len(whole) - 1):
        with open_video(path, decoder=decoder, threads=1) as reader:
            clip = reader.read([index])
        np.testing.assert_array_equal(clip.frames_THWC[0], whole[index].frame_HWC)
        assert clip.times_T[0] == whole[index].time


def test_a_lost_beginning_is_left_out_by_every_way_of_reading(folder: Path) -> None:
    # Nothing was shown that could stand in for it, so the first frame that decodes is frame 0.
    path = damage(made(folder, "hevc"), folder / "beheaded.mp4", [0])
    whole = read_clip(path)
    assert numbers_of(whole.frames_THWC) == list(range(GOP, FRAMES))
    for index in (0, 240, 374):
        with open_video(path) as reader:
            clip = reader.read([index])
        np.testing.assert_array_equal(clip.frames_THWC[0], whole.frames_THWC[index])
        assert clip.times_T[0] == whole.times_T[index]


def test_a_wrong_timetable_is_found_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(folder, "closed-gop")
    table = timetable(path)
    assert table is not None
    wrong = {
        "a key frame too late": replace(table, keys_K=table.keys_K[1:]),
        "a key frame that is none": replace(table, keys_K=np.minimum(table.keys_K + 3, FRAMES)),
        "times of nothing": replace(table, pts_N=table.pts_N + (table.pts_N > 512 * 300)),
    }
    for name, lies in wrong.items():
        monkeypatch.setattr("tinyvirat.video.packets.timetable", lambda _, lies=lies: lies)
        with open_video(path) as reader:
            asked = [380, 203, 310, 399]
            assert numbers_of(reader.read(asked).frames_THWC) == asked, name


def test_a_timetable_knows_frames_keys_and_times(folder: Path) -> None:
    table = timetable(made(folder, "variable-rate"))
    assert isinstance(table, Timetable)
    assert len(table) == FRAMES
    assert table.keys_K.tolist() == list(range(0, FRAMES, GOP))
    assert [table.key_before(i) for i in (0, GOP - 1, GOP)] == [0, 0, GOP]
    want = (np.asarray(TIMES) - TIMES[0]) / 1000
    np.testing.assert_allclose([table.time(i) for i in range(FRAMES)], want, atol=1e-4)
    assert [table.index_of(int(pts)) for pts in table.pts_N] == list(range(FRAMES))
    assert table.index_of(int(table.pts_N[5]) + 1) is None
    assert table.index_of(10**12) is None and table.index_of(None) is None


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("times-of-decoding.avi", {}),
        ("no-times.h264", {}),
        ("broadcast.ts", {}),
        ("two-in-one.avi", {"codec": "mpeg4", "options": {"bf": "2"}}),
        ("hidden.webm", {"codec": "libvpx", "options": {"lag-in-frames": "10"}}),
        ("fields.mp4", {"options": {"flags": "+ildct+ilme"}}),
    ],
)
def test_files_that_prove_nothing_have_no_timetable(
    tmp_path: Path, name: str, changes: dict[str, Any]
) -> None:
    with open_video(encode(tmp_path / name, **changes)) as reader:
        assert reader._source.known.timetable() is None  # type: ignore[attr-defined]


def test_a_copy_without_its_key_frame_has_no_timetable(folder: Path) -> None:
    assert timetable(copy(made(folder, "closed-gop"), folder / "copy.mp4", 5)) is None


def test_a_copy_that_begins_with_frames_it_cannot_show_has_no_timetable(folder: Path) -> None:
    # After an open group's key frame come frames shown before it that refer to what was cut away.
    source = made(folder, "open-gop")
    with av.open(str(source)) as container:
        packets = [p for p in container.demux() if p.size]
    keys = [n for n, packet in enumerate(packets) if packet.is_keyframe]
    assert packets[keys[4] + 1].pts < packets[keys[4]].pts
    path = copy(source, folder / "open-copy.mkv", keys[4])
    assert timetable(path) is None
    whole = read_clip(path)
    with open_video(path) as reader:
        np.testing.assert_array_equal(reader.read([250]).frames_THWC[0], whole.frames_THWC[250])


def test_a_broken_off_packet_is_no_proof(folder: Path) -> None:
    whole = encode(folder / "front.mp4", container={"movflags": "+faststart"}, options=CLOSED)
    assert timetable(whole) is not None
    assert timetable(cut(whole, folder / "broken-off.mp4", 0.8)) is None


@pytest.mark.parametrize("dropped", [0, 2])
def test_a_picture_that_silently_stays_away_after_a_jump_is_missed(
    folder: Path, dropped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = cursor_module.Decoding._decoded

    def dropping(self: Any, *, strict: bool) -> Iterator[Any]:
        for number, pixels in enumerate(real(self, strict=strict)):
            if not (self.jumped and number == dropped):
                yield pixels

    monkeypatch.setattr(cursor_module.Decoding, "_decoded", dropping)
    with open_video(made(folder, "no-b-frames")) as reader:
        assert numbers_of(reader.read([160, 310, 311]).frames_THWC) == [160, 310, 311]


def test_frames_hidden_by_an_edit_list_are_not_in_the_timetable(folder: Path) -> None:
    path = copy(made(folder, "closed-gop"), folder / "edited.mp4", 0, shift=512 * 33)
    table = timetable(path)
    assert table is not None and len(table) == FRAMES - 33
    with open_video(path) as reader:
        assert numbers_of(reader.read([300, 20, 150]).frames_THWC) == [333, 53, 183]
