"""Which files belong to which clip, and what happens when that is not clear."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tinyvirat.annotations import (
    AnnotationError,
    find_annotations,
    list_annotations,
    match_videos,
    read_annotations,
)
from tinyvirat.annotations.discover import named

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    ("name", "clip", "format_", "kind"),
    [
        ("VIRAT_S_000000.viratdata.objects.txt", "VIRAT_S_000000", "virat", "objects"),
        ("a.events.txt", "a", "virat", "events"),
        ("VIRAT_S_000000-activities.yml", "VIRAT_S_000000", "kpf", "activities"),
        ("VIRAT_S_000000.geom.yaml", "VIRAT_S_000000", "kpf", "geom"),
        ("2018-03-07.16-50.bus.G475.types.yml", "2018-03-07.16-50.bus.G475", "kpf", "types"),
        ("2018-03-07.16-50.bus.G475-geom.yml", "2018-03-07.16-50.bus.G475", "kpf", "geom"),
        ("a.regions.yml", "a", "kpf", "regions"),
        ("2018.bus.G475.activities.json", "2018.bus.G475", "actev", ""),
        ("a.b.json", "a.b", "actev", ""),
    ],
)
def test_names_tell_clip_format_and_kind(name: str, clip: str, format_: str, kind: str) -> None:
    found = named(Path("somewhere", name))
    assert (found.clip, found.format, found.kind) == (clip, format_, kind)


@pytest.mark.parametrize(
    "name",
    ["a.mp4", "objects.txt", "a.yml", "geom.yml", "a.file-index.json", "a.activity-index.json"],
)
def test_other_names_are_no_annotations(name: str) -> None:
    with pytest.raises(AnnotationError, match="not the name of an annotation file; known are"):
        named(Path(name))


def test_a_folder_is_listed_with_all_below_it() -> None:
    listed = [
        (each.clip, each.format, each.files[0].parent.name) for each in list_annotations(GOLDEN)
    ]
    assert listed == [
        ("empty", "actev", "nist"),
        ("gate", "actev", "cmu"),
        ("gate", "actev", "nist"),
        ("gate", "kpf", "block"),
        ("gate", "kpf", "nested"),
        ("gate", "kpf", "quoted"),
        ("gate", "kpf", "umd"),
        ("gate", "virat", "virat"),
    ]


def test_json_of_other_kinds_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "class_map.json").write_text('{"Opening": 0}')
    (tmp_path / "gate.file-index.json").write_text('{"activities": 1, "gate.mp4": {}}')
    (tmp_path / "gate.json").write_text('{"padding": "' + "x" * 10_000 + '", "activities": []}')
    assert [each.files[0].name for each in list_annotations(tmp_path)] == ["gate.json"]


def test_broken_json_is_found_by_its_name_and_fails_when_read(tmp_path: Path) -> None:
    (tmp_path / "gate.json").write_text('{"activities": [')
    found = find_annotations(tmp_path, "gate")
    with pytest.raises(AnnotationError, match=r"gate\.json, line 1: not JSON"):
        read_annotations(found)


def test_a_clip_annotated_in_several_formats_needs_one_named(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "virat", tmp_path, dirs_exist_ok=True)
    shutil.copytree(GOLDEN / "umd", tmp_path, dirs_exist_ok=True)
    with pytest.raises(AnnotationError, match=r"'gate' is annotated 2 times: .*\(kpf\).*\(virat\)"):
        find_annotations(tmp_path, "gate")
    with pytest.raises(AnnotationError, match="several videos, formats or folders"):
        read_annotations(tmp_path)
    assert len(find_annotations(tmp_path, "gate", format="kpf").files) == 3
    assert read_annotations(tmp_path, format="virat").activities[0].label == "carry"
    with pytest.raises(AnnotationError, match="'yaml' is no format; known are virat, kpf, actev"):
        find_annotations(tmp_path, "gate", format="yaml")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no annotations of 'gate' in it or below it"):
        find_annotations(tmp_path, "gate")
    with pytest.raises(AnnotationError, match="no annotations"):
        read_annotations(tmp_path)
    with pytest.raises(AnnotationError, match="no such folder"):
        list_annotations(tmp_path / "none")
    with pytest.raises(AnnotationError, match="cannot be read: No such file"):
        read_annotations(tmp_path / "gate.geom.yml")


def test_two_files_of_one_kind_are_an_error(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "block", tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "gate.geom.yml", tmp_path / "gate-geom.yml")
    with pytest.raises(AnnotationError, match="are both the geom of gate; keep one"):
        read_annotations(tmp_path)


def test_regions_are_found_and_not_read(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "block", tmp_path, dirs_exist_ok=True)
    (tmp_path / "gate.regions.yml").write_text("no regions at all")
    assert len(find_annotations(tmp_path, "gate").files) == 4
    assert len(read_annotations(tmp_path).activities) == 2


def test_files_may_be_named_one_by_one_for_a_clip_of_another_name(tmp_path: Path) -> None:
    files = [
        shutil.copy(GOLDEN / "block" / f"gate.{kind}.yml", tmp_path / f"{number}.{kind}.yml")
        for number, kind in enumerate(["geom", "types", "activities"])
    ]
    with pytest.raises(AnnotationError, match="several videos"):
        read_annotations([Path(path) for path in files])
    read = read_annotations([Path(path) for path in files], clip="gate")
    assert read.clip == "gate"
    assert len(read.activities) == 2


def test_annotations_and_videos_without_each_other_are_told(tmp_path: Path) -> None:
    listed = list_annotations(GOLDEN)
    videos = [tmp_path / "gate.mp4", tmp_path / "lonely.mp4"]
    matching = match_videos(listed, videos)
    assert {files.clip for files, _ in matching.pairs} == {"gate"}
    assert {video for _, video in matching.pairs} == {videos[0]}
    assert len(matching.pairs) == 7
    assert [files.clip for files in matching.without_video] == ["empty"]
    assert matching.without_annotations == (videos[1],)
    with pytest.raises(AnnotationError, match="have the same name; keep one"):
        match_videos(listed, [*videos, tmp_path / "gate.avi"])
