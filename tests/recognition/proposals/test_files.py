"""Tubes from files: the formats as they are, and as they should not be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyvirat.annotations import Activity, Annotations, Track
from tinyvirat.annotations.actev import write_actev
from tinyvirat.annotations.kpf import write_kpf
from tinyvirat.annotations.virat_text import write_virat
from tinyvirat.recognition.proposals import ActorTube, ProposalError, collect, open_tubes
from tinyvirat.recognition.proposals.choose import check_tubes
from tinyvirat.recognition.proposals.coco import read_coco
from tinyvirat.recognition.proposals.from_files import is_of_one, tubes_from_file
from tinyvirat.recognition.proposals.motchallenge import read_motchallenge
from tinyvirat.video import Frame

BLACK = np.zeros((1, 1, 3), np.uint8)  # nobody looks at it

GROUND_TRUTH = """\
1, 1, 794.2, 47.5, 71.2, 174.8, 1, 1, 0.8
2, 1, 796.2, 47.5, 71.2, 174.8, 1, 1, 0.8
1, 2, 164, 49, 25, 28, 1, 3, 1
1, 3, 10, 10, 5, 5, 0, 1, 1
1, 4, 10, 10, 5, 5, 1, 9, 1
"""


def tubes(path: Path, frames: int = 40, **more: Any) -> tuple[ActorTube, ...]:
    source = tubes_from_file(path, 1000, 500, 10.0, **more)
    out = [ready for t in range(frames) for ready in source.update(Frame(t, t / 10, BLACK))]
    return collect([*out, *source.finish()])


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_ground_truth_of_motchallenge(tmp_path: Path) -> None:
    found = read_motchallenge(written(tmp_path, "gt.txt", GROUND_TRUTH))
    assert found.frames_N.tolist() == [0, 1, 0]
    assert found.tracks_N.tolist() == [1, 1, 2]
    np.testing.assert_allclose(found.boxes_N4[0], [794.2, 47.5, 865.4, 222.3])
    assert [found.types[kind] for kind in found.kinds_N] == ["person", "person", "car"]
    assert [(t.track, t.type, len(t.frames_T)) for t in tubes(found.path)] == [
        (1, "person", 2),
        (2, "car", 1),
    ]


def test_detections_of_motchallenge_are_followed(tmp_path: Path) -> None:
    rows = [f"{t + 1},-1,{20 + 3 * t},50,20,40,{90 + t % 3},-1,-1,-1" for t in range(30)]
    (tube,) = tubes(written(tmp_path, "det.txt", "\n".join(rows)), 30)
    assert tube.frames_T.tolist() == list(range(30))
    np.testing.assert_allclose(tube.boxes_T4[9], [47, 50, 67, 90], atol=1.0)


def test_a_first_line_of_names_ids_with_points_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeffframe,id,left,top,width,height,conf\r\n1.0,7.0,10,20,5,6,0.5\r\n\r\n"
    (tube,) = tubes(written(tmp_path, "a.csv", text))
    assert (tube.track, tube.score, tube.frames_T.tolist()) == (7, 0.5, [0])


def test_a_tracks_gap_is_bridged_or_makes_two_tubes(tmp_path: Path) -> None:
    seen = [*range(5), *range(10, 15), *range(30, 33)]
    rows = "".join(f"{t + 1},9000000000000000000,{10 * t},50,20,40,0.8\n" for t in seen)
    first, second = tubes(written(tmp_path, "t.csv", rows))
    assert first.frames_T.tolist() == list(range(15))
    assert first.seen_T.tolist() == [t in seen for t in range(15)]
    np.testing.assert_allclose(first.boxes_T4[7], [70, 50, 90, 90])
    assert second.frames_T.tolist() == [30, 31, 32]
    assert (first.tube, second.tube) == (0, 1)
    assert first.track == second.track == 9000000000000000000


def test_what_lies_outside_the_frame_is_cut_off_or_left_out(tmp_path: Path) -> None:
    text = "1,1,-10,-10,30,40,1\n1,2,2000,10,30,40,1\n"
    (tube,) = tubes(written(tmp_path, "t.csv", text))
    assert tube.boxes_T4.tolist() == [[0, 0, 20, 30]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3,4,5", "5 columns"),
        ("x,1,2,3,4,5,1", "frame 'x' is no finite number"),
        ("1,1,2,3,nan,5,1", "width 'nan'"),
        ("1,1,2,3,inf,5,1", "width 'inf'"),
        ("1,1,2,3,0,5,1", "width 0"),
        ("1,1,2,3,-4,5,1", "width -4"),
        ("0,1,2,3,4,5,1", "frame -1"),
        ("1.5,1,2,3,4,5,1", "'1.5' is no whole number"),
        ("1,1e30,2,3,4,5,1", "'1e30' is no whole number"),
        ("1,9999999999999999999,2,3,4,5,1", "id 9999999999999999999"),
        ("999999999999,1,2,3,4,5,1", "frame 999999999998"),
        ("1,-7,2,3,4,5,1", "id -7"),
        ("1,1,2,3,1e9,5,1", "beyond"),
        ("1,1,2,3,4,5,nan", "confidence"),
        ("1,1,2,3,4,5,1,person,1", "class 'person'"),
        ("1,1_0,2,3,4,5,1", "id '1_0'"),
        ("1," * 4000, "longer"),
        ("\x00", "1 columns"),
    ],
)
def test_a_bad_line_of_motchallenge_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, "bad.csv", "1,1,2,3,4,5,1\n" + line + "\n")
    with pytest.raises(ProposalError) as error:
        read_motchallenge(path)
    assert f"{path}, line 2: " in str(error.value) and message in str(error.value)


def test_two_places_at_once_and_half_of_the_ids_are_named(tmp_path: Path) -> None:
    twice = written(tmp_path, "twice.csv", "1,1,2,3,4,5,1\n2,1,2,3,4,5,1\n1,1,9,9,4,5,1\n")
    with pytest.raises(ProposalError, match=r"twice.csv, line 3: the track 1 .*in line 1"):
        tubes(twice)
    half = written(tmp_path, "half.csv", "1,1,2,3,4,5,1\n2,-1,2,3,4,5,1\n")
    with pytest.raises(ProposalError, match=r"half.csv, line 2: a box without an id"):
        tubes(half)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1,1,2,3,4,5,1\n\xff\xfe\n")
    with pytest.raises(ProposalError, match="UTF-8"):
        tubes(path)


def coco(frames: int = 30, **more: Any) -> dict[str, Any]:
    """A document with one person over some frames."""
    return {
        "images": [{"id": 100 + t, "file_name": f"img_{t + 1:05}.jpg"} for t in range(frames)],
        "annotations": [
            {"id": t, "image_id": 100 + t, "category_id": 3, "bbox": [20 + 3 * t, 50, 20, 40]}
            | more
            for t in range(frames)
        ],
        "categories": [{"id": 3, "name": " Person "}],
    }


def test_a_coco_document_with_ids(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", json.dumps(coco(track_id=4, score=0.7)))
    (tube,) = tubes(path)
    assert (tube.track, tube.type, round(tube.score, 6)) == (4, "person", 0.7)
    assert tube.frames_T.tolist() == list(range(30))
    assert tube.boxes_T4[2].tolist() == [26, 50, 46, 90]


def test_a_coco_document_without_ids_is_followed(tmp_path: Path) -> None:
    (tube,) = tubes(written(tmp_path, "a.json", json.dumps(coco())))
    assert tube.type == "person" and len(tube.frames_T) == 30


def test_results_of_coco(tmp_path: Path) -> None:
    rows = [
        {"image_id": t, "category_id": 1, "bbox": [20 + 3 * t, 50, 20, 40], "score": 0.9}
        for t in range(30)
    ]
    (tube,) = tubes(written(tmp_path, "a.json", json.dumps(rows)))
    assert tube.frames_T[0] == 0 and len(tube.frames_T) == 30


@pytest.mark.parametrize(
    ("images", "first_frame", "frames"),
    [
        ([{"file_name": "f/000000.png"}, {"file_name": "f/000004.png"}], None, [0, 4]),
        ([{"file_name": "1.png"}, {"file_name": "3.png"}], None, [0, 2]),
        ([{"file_name": "a_7.png"}, {"file_name": "a_9.png"}], 5, [2, 4]),
        ([{"frame_id": 6}, {"frame_id": 8, "file_name": "x"}], None, [6, 8]),
    ],
)
def test_which_frame_an_image_is(
    tmp_path: Path, images: list[dict[str, Any]], first_frame: int | None, frames: list[int]
) -> None:
    document = {
        "images": [{"id": n} | image for n, image in enumerate(images)],
        "annotations": [{"image_id": n, "bbox": [1, 2, 3, 4]} for n in range(len(images))],
    }
    path = written(tmp_path, "a.json", json.dumps(document))
    assert read_coco(path, first_frame=first_frame).frames_N.tolist() == frames


def _set(document: dict[str, Any], *place: Any, value: Any) -> dict[str, Any]:
    inner: Any = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: _set(d, "annotations", 1, "bbox", value=[1, 2, 3]), "bbox is not"),
        (lambda d: _set(d, "annotations", 1, "bbox", value=[1, 2, 0, 3]), "width 0"),
        (lambda d: _set(d, "annotations", 1, "bbox", value=[1, "2", 3, 3]), "'2' is no number"),
        (lambda d: _set(d, "annotations", 1, "bbox", value=[1, True, 3, 3]), "is no number"),
        (lambda d: _set(d, "annotations", 1, "bbox", value=[1, 10**400, 3, 3]), "no finite"),
        (lambda d: _set(d, "annotations", 1, "image_id", value=7), "none of images"),
        (lambda d: _set(d, "annotations", 1, "image_id", value=None), "no number and no text"),
        (lambda d: _set(d, "annotations", 1, value=4), "where an object is needed"),
        (lambda d: _set(d, "annotations", 1, "track_id", value="x"), "track id"),
        (lambda d: _set(d, "annotations", 1, "track_id", value=2**70), "id 11805"),
        (lambda d: _set(d, "images", 1, "id", value=100), "second image"),
        (lambda d: _set(d, "images", 1, "file_name", value="x.jpg"), "without frame_id"),
        (lambda d: _set(d, "images", 1, "frame_id", value=1.5), "frame_id '1.5'"),
        (lambda d: _set(d, "images", 1, "video_id", value=2), "several videos"),
        (lambda d: _set(d, "images", 0, "file_name", value="9.jpg"), "first_frame"),
        (lambda d: _set(d, "categories", 0, "name", value=5), "no text"),
        (lambda d: _set(d, "images", value={}), "images is no list"),
        (lambda d: _set(d, "annotations", value=None), "annotations is no list"),
    ],
)
def test_a_bad_value_of_coco_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], message: str
) -> None:
    document = coco(2)
    document["images"][0]["file_name"], document["images"][1]["file_name"] = "2.jpg", "3.jpg"
    if message != "first_frame":
        document["images"][0]["file_name"] = "1.jpg"
    path = written(tmp_path, "bad.json", json.dumps(change(document), indent=1))
    with pytest.raises(ProposalError) as error:
        tubes(path)
    assert f"{path}, line " in str(error.value) and message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1: not JSON"),
        ("[" * 100_000, "nested"),
        ('[{"image_id": 0, "bbox": [NaN, 1, 1, 1]}]', "NaN"),
        ('[{"image_id": "first", "bbox": [1, 1, 1, 1]}]', "no frame's number"),
        ("7", "neither COCO's"),
        ("{}", "neither COCO's"),
    ],
)
def test_json_that_is_none_or_something_else(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProposalError, match=message):
        tubes(written(tmp_path, "a.json", text))


@pytest.fixture
def annotations() -> Annotations:
    boxes = np.array([[20.0 + 3 * t, 50, 40 + 3 * t, 90] for t in range(30)])
    track = Track(5, "person", np.arange(30), boxes)
    return Annotations("clip", (track,), (Activity(1, "carry", 0, 30, (5,)),))


@pytest.mark.parametrize("form", ["virat", "kpf", "actev"])
def test_annotations_of_every_format_are_tubes(
    tmp_path: Path, annotations: Annotations, form: str
) -> None:
    if form == "virat":
        write_virat(tmp_path, annotations)
    elif form == "kpf":
        write_kpf(tmp_path, annotations)
    else:
        write_actev(tmp_path / "clip.json", [annotations])
    (tube,) = tubes(tmp_path, clip="clip")
    assert (tube.track, tube.type) == (5, "person")
    np.testing.assert_allclose(tube.boxes_T4, annotations.tracks[0].boxes_T4)


def test_a_single_file_of_virat_is_known_by_its_name(
    tmp_path: Path, annotations: Annotations
) -> None:
    write_virat(tmp_path, annotations)
    (tube,) = tubes(tmp_path / "clip.viratdata.objects.txt")
    assert tube.track == 5


def test_broken_annotations_are_an_error_of_proposals(tmp_path: Path) -> None:
    path = written(tmp_path, "clip.viratdata.objects.txt", "1 2 3\n")
    with pytest.raises(ProposalError, match="line 1"):
        tubes(path)


def test_a_folder_with_a_file_for_each_video(tmp_path: Path) -> None:
    written(tmp_path, "monday.csv", "1,7,10,10,20,40,1\n2,7,11,10,20,40,1\n")
    written(tmp_path, "tuesday.txt", "1,8,10,10,20,40,1\n2,8,11,10,20,40,1\n")
    assert [one.track for one in tubes(tmp_path, clip="monday")] == [7]
    assert [one.track for one in tubes(tmp_path, clip="tuesday")] == [8]
    (tmp_path / "monday.csv").rename(tmp_path / "monday.CSV")
    assert [one.track for one in tubes(tmp_path, clip="monday")] == [7]
    (tmp_path / "monday.CSV").unlink()
    with pytest.raises(ProposalError, match=r"no boxes of friday: .* neither friday\.csv, nor"):
        tubes(tmp_path, clip="friday")


def test_what_lies_beside_annotations_does_not_hide_them(
    tmp_path: Path, annotations: Annotations
) -> None:
    write_virat(tmp_path, annotations)
    written(tmp_path, "notes.csv", "who,what")
    written(tmp_path, "clip.json", '{"codec": "h264"}')
    (tube,) = tubes(tmp_path, clip="clip")
    assert tube.track == 5


def test_boxes_of_a_video_that_a_folder_has_twice_are_not_chosen_from(
    tmp_path: Path, annotations: Annotations
) -> None:
    written(tmp_path, "clip.csv", "1,7,10,10,20,40,1\n")
    path = written(tmp_path, "clip.json", "[]")
    with pytest.raises(ProposalError, match=r"clip are there 2 times: clip\.csv, clip\.json; keep"):
        tubes(tmp_path, clip="clip")
    path.unlink()
    write_virat(tmp_path, annotations)
    with pytest.raises(ProposalError, match=r"2 times: clip\.csv, .*clip\.viratdata\.events\.txt"):
        tubes(tmp_path, clip="clip")
    written(tmp_path, "broken.json", "{")
    with pytest.raises(ProposalError, match=r"broken\.json, line 1: not JSON"):
        tubes(tmp_path, clip="broken")


def test_which_files_are_taken_for_those_of_one_video(tmp_path: Path) -> None:
    for name, text, expected in (
        ("a.csv", "", True),
        ("a.txt", "", True),
        ("a.viratdata.objects.txt", "", True),
        ("a.json", "[]", True),
        ("b.json", '{"activities": []}', False),
        ("a.geom.yml", "", True),
        ("a.yml", "", False),
    ):
        assert is_of_one(written(tmp_path, name, text)) is expected


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("monday.csv", "NAME.csv"),
        ("monday.v2.txt", "NAME.txt"),
        ("monday.json", "NAME.json"),
        ("monday.viratdata.objects.txt", "NAME.viratdata.objects.txt"),
        ("monday.geom.yml", "NAME.geom.yml"),
    ],
)
def test_a_file_of_one_video_is_refused_for_several(tmp_path: Path, name: str, called: str) -> None:
    path = written(tmp_path, name, "[]")
    monday, tuesday = Path("monday.mp4"), Path("tuesday.mp4")
    with pytest.raises(ProposalError) as error:
        check_tubes(path, [monday, tuesday])
    assert str(error.value).startswith(f"{path}: these boxes are of one video")
    assert str(error.value).endswith(f"called as the video is: {called}")
    check_tubes(path, [monday])
    check_tubes(tmp_path, [monday, tuesday])
    check_tubes(tmp_path / "none.csv", [monday, tuesday])


def test_two_videos_of_one_name_do_not_share_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = [Path("monday", "gate.mp4"), Path("tuesday", "gate.mp4")]
    with pytest.raises(ProposalError, match=r"monday/gate.mp4 and tuesday/gate.mp4 have the same"):
        check_tubes(tmp_path, videos)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "motion").mkdir()
    for how in (None, "whole", "motion"):
        check_tubes(how, videos)


def test_what_is_not_there_or_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProposalError, match="no such file"):
        open_tubes(tmp_path / "none.csv", 100, 100, 10.0)
    with pytest.raises(ProposalError, match="known are"):
        open_tubes(written(tmp_path, "a.xml", ""), 100, 100, 10.0)
    with pytest.raises(ProposalError, match="no annotations"):
        open_tubes(tmp_path, 100, 100, 10.0)


def test_an_empty_file_has_no_tubes(tmp_path: Path) -> None:
    assert tubes(written(tmp_path, "a.csv", "")) == ()
    assert tubes(written(tmp_path, "a.json", "[]")) == ()
