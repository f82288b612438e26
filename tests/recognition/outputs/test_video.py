"""The annotated video: every frame at its time, boxes and letters where they belong."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tinyvirat.recognition.events import AnsweredBox, AnsweredFrame
from tinyvirat.recognition.outputs.files import OutputError
from tinyvirat.recognition.outputs.lettering import line_sprite
from tinyvirat.recognition.outputs.overlay import Canvas, colour_of, lines_of
from tinyvirat.recognition.outputs.video import VideoSink
from tinyvirat.recognition.proposals.records import Box, TubeBox
from tinyvirat.video import Frame, read_clip

from .scenes import LABELS, Actor, Scene, crowd, play

GREY = 100


def answered(
    *boxes: AnsweredBox, size: tuple[int, int] = (320, 240), scale: float = 1.0
) -> AnsweredFrame:
    """A grey frame with boxes; `size` is of the picture."""
    picture_HWC = np.full((size[1], size[0], 3), GREY, np.uint8)
    return AnsweredFrame(Frame(7, 0.28, picture_HWC), scale, boxes)


def boxed(
    box: Box, *, tube: int = 0, seen: bool = True, labels: tuple[str, ...] = ()
) -> AnsweredBox:
    scores = dict.fromkeys(labels, 0.5)
    return AnsweredBox(TubeBox(tube, box, "person", seen=seen), labels, scores)


def test_every_frame_keeps_its_time_and_its_place(tmp_path: Path) -> None:
    times = np.cumsum([0.0, *([0.04, 0.021, 0.2] * 10), 5.0]).tolist()
    play(VideoSink(tmp_path), Scene(frames=len(times), times=times))
    clip = read_clip(tmp_path / "annotated.mp4")
    assert len(clip.frames_THWC) == len(times)
    np.testing.assert_allclose(clip.times_T, times, atol=1 / 90000)


def test_time_begins_with_the_first_frame(tmp_path: Path) -> None:
    play(VideoSink(tmp_path), Scene(frames=3, times=[100.0, 100.5, 101.0]))
    # Asked of the file itself: our reader counts from the first frame in any case.
    with av.open(str(tmp_path / "annotated.mp4")) as container:
        assert [float(frame.time or 0.0) for frame in container.decode(video=0)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("size", "written"),
    [
        ((161, 121), (322, 242)),
        ((641, 481), (642, 482)),
        ((320, 240), (320, 240)),
        ((15, 11), (120, 88)),
        ((1, 1), (8, 8)),
        ((700, 9), (5600, 72)),
    ],
)
def test_any_size_becomes_one_that_every_player_shows(
    size: tuple[int, int], written: tuple[int, int], tmp_path: Path
) -> None:
    play(VideoSink(tmp_path), Scene(size=size, frames=3))
    with av.open(str(tmp_path / "annotated.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height) == written
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_the_index_comes_first_so_that_pages_can_seek(tmp_path: Path) -> None:
    play(VideoSink(tmp_path), Scene(frames=5))
    data = (tmp_path / "annotated.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_line_is_drawn_around_the_box_and_none_of_the_actor_is_covered() -> None:
    canvas = Canvas(240, 320)
    painted = canvas.paint(answered(boxed((100.0, 120.0, 130.0, 160.0)))).copy()
    assert (painted[120:160, 100:130] == GREY).all()
    for edge in (
        painted[119, 99:131],
        painted[160, 99:131],
        painted[119:161, 99],
        painted[119:161, 130],
    ):
        assert (edge == colour_of(0)).all()
    assert (painted[165:] == GREY).all()


def test_boxes_follow_the_scale_of_the_picture_and_the_zoom() -> None:
    scaled = Canvas(240, 320).paint(answered(boxed((200.0, 240.0, 260.0, 320.0)), scale=0.5)).copy()
    plain = Canvas(240, 320).paint(answered(boxed((100.0, 120.0, 130.0, 160.0)))).copy()
    np.testing.assert_array_equal(scaled, plain)
    small = Canvas(120, 160)
    painted = small.paint(answered(boxed((50.0, 60.0, 65.0, 80.0)), size=(160, 120)))
    np.testing.assert_array_equal(painted, plain)


def test_a_frame_of_another_size_is_brought_to_the_first_ones() -> None:
    canvas = Canvas(240, 320)
    plain = canvas.paint(answered(boxed((100.0, 120.0, 130.0, 160.0)))).copy()
    for size, box in (
        ((640, 480), (200.0, 240.0, 260.0, 320.0)),
        ((160, 120), (50.0, 60.0, 65.0, 80.0)),
    ):
        np.testing.assert_array_equal(canvas.paint(answered(boxed(box), size=size)), plain)


def test_the_picture_that_is_given_is_not_drawn_on() -> None:
    frame = answered(boxed((100.0, 120.0, 130.0, 160.0), labels=("walk",)))
    Canvas(240, 320).paint(frame)
    assert (frame.frame.frame_HWC == GREY).all()


def test_letters_stand_out_on_white_and_on_black() -> None:
    for ground in (0, 255):
        picture_HWC = np.full((240, 320, 3), ground, np.uint8)
        one = boxed((100.0, 120.0, 130.0, 160.0), labels=("walk",))
        painted = Canvas(240, 320).paint(AnsweredFrame(Frame(0, 0.0, picture_HWC), 1.0, (one,)))
        label = painted[80:119, 99:150].reshape(-1, 3).astype(int)
        assert label.max() > 220
        assert np.median(label.sum(axis=1)) < 3 * 64


def test_labels_do_not_cover_each_other() -> None:
    """Two actors side by side: both numbers can be read."""
    pair = (
        boxed((100.0, 120.0, 110.0, 160.0), tube=0, labels=("a",)),
        boxed((112.0, 120.0, 122.0, 160.0), tube=1, labels=("b",)),
    )
    painted = Canvas(240, 320).paint(answered(*pair))
    for one in pair:
        sprite = line_sprite(
            *lines_of(one, colour_of(one.box.tube))[0][:1], 11, colour_of(one.box.tube)
        )
        found = [
            (y, x)
            for y in range(80, 170)
            for x in range(60, 150)
            if (painted[y, x] < 64).all()
            and (painted[y : y + sprite.shape[0], x : x + sprite.shape[1]] >= sprite).all()
            and (
                painted[y : y + sprite.shape[0], x : x + sprite.shape[1]] <= np.maximum(sprite, 64)
            ).all()
        ]
        assert found, one


def test_what_is_written_beside_a_box() -> None:
    five = replace(boxed((0.0, 0.0, 9.0, 9.0), tube=12), labels=("a", "b\n", "c" * 99, "d", "e"))
    texts = [text for text, _ in lines_of(five, colour_of(12))]
    assert texts == ["12 person", "a", "b ", "c" * 27 + "…", "and 2 more"]
    unread = AnsweredBox(TubeBox(3, (0.0, 0.0, 9.0, 9.0)), (), None)
    assert [text for text, _ in lines_of(unread, colour_of(3))] == ["3"]
    scored = AnsweredBox(TubeBox(3, (0.0, 0.0, 9.0, 9.0)), ("walk",), {"walk": 0.876})
    assert lines_of(scored, colour_of(3))[1][0] == "walk 0.88"


def test_letters_of_many_alphabets_are_drawn() -> None:
    boxes = {text: line_sprite(text, 14, (255, 255, 255)) for text in ("Ж", "é", "Ω", "a")}
    pictures = {sprite.tobytes() for sprite in boxes.values()}
    assert len(pictures) == 4


@pytest.mark.parametrize(
    "scene",
    [
        Scene(actors=(), frames=4),
        Scene(frames=4, fps=Fraction(0), actors=(), times=[0.0, 0.1, 0.2, 0.3]),
        Scene(frames=4, fps=Fraction(10**6)),
        Scene(labels=("=1", "</script>", "Ж\x00", *map(str, range(300))), frames=4),
        Scene(actors=(Actor(0, 4, read=False),), frames=4, known=False),
        crowd(20, size=(64, 48)),
    ],
)
def test_odd_streams_make_videos_too(scene: Scene, tmp_path: Path) -> None:
    play(VideoSink(tmp_path), scene)
    assert [p.name for p in tmp_path.iterdir()] == ["annotated.mp4"]


def test_without_a_frame_there_is_no_video_not_even_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "annotated.mp4").write_bytes(b"of an earlier run")
    play(VideoSink(tmp_path), Scene(frames=0, actors=()))
    assert list(tmp_path.iterdir()) == []


def test_what_is_abandoned_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "annotated.mp4").write_bytes(b"before")
    sink, scene = VideoSink(tmp_path), Scene(frames=4)
    sink.abandon()
    sink.begin(scene.header)
    for event in scene.events():
        sink.take(event)
    sink.abandon()
    sink.abandon()
    assert [p.name for p in tmp_path.iterdir()] == ["annotated.mp4"]
    assert (tmp_path / "annotated.mp4").read_bytes() == b"before"


def test_what_cannot_be_written_is_no_fault_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "annotated.mp4").mkdir()
    with pytest.raises(OutputError, match=r"annotated\.mp4: cannot be written"):
        play(VideoSink(tmp_path), Scene(frames=2))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"annotated\.mp4: cannot be written"):
        play(VideoSink(tmp_path / "file"), Scene(frames=2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotated.mp4", "file"]


def test_labels_of_the_scene_are_known() -> None:
    assert {act[0] for actor in Scene().actors for act in actor.acts} <= set(LABELS)
