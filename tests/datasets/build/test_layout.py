"""What is written is TinyVIRAT's own form: the reader of the published data sets reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tinyvirat.datasets import ManifestError, read_manifest
from tinyvirat.datasets.build.run import Built
from tinyvirat.datasets.published.tinyvirat import list_tinyvirat
from tinyvirat.datasets.tinyvirat_layout import classes_of, names_of, split_in
from tinyvirat.datasets.tubes import plan_video, samples_of_records, statistics

from .conftest import RULES, Source, built


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_the_published_reader_reads_it(source: Source, tmp_path: Path, layout: str) -> None:
    done = built(source.videos, source.kpf, tmp_path / "set", layout=layout)
    listing = list_tinyvirat(tmp_path / "set", 1 if layout == "v1" else 2)
    assert listing.classes == read_manifest(done.manifest).labels == classes_of(done.records)
    assert not listing.unlisted
    found = {clip.name: clip for clip in listing.clips}
    assert len(found) == len(done.records) == 18
    for record in done.records:
        clip = found[record.path]
        assert clip.labels == record.labels and clip.split == record.split
        assert clip.dim == (record.frames, record.height, record.width)
        assert clip.source == record.source
        assert clip.file is not None and clip.file.is_file()


def test_names_and_folders_of_v2(clean: Built) -> None:
    out = clean.manifest.parent
    for split, digits in (("train", 6), ("val", 5)):
        entries = json.loads((out / f"tiny_{split}_v2.json").read_text())
        assert [entry["id"] for entry in entries] == [f"{n:0{digits}}" for n in range(len(entries))]
        for entry in entries:
            assert set(entry) == {"id", "video_id", "path", "dim", "label"}
            assert entry["path"] == f"{entry['video_id']}/{entry['id']}.mp4"
            assert (out / "videos" / split / entry["path"]).is_file()
    assert json.loads((out / "tiny_test_v2.json").read_text()) == []
    assert json.loads((out / "class_map.json").read_text()) == {
        "activity_carrying": 0,
        "Talking": 1,
        "activity_walking": 2,
        "activity_standing": 3,
    }


def test_names_and_folders_of_v1(source: Source, tmp_path: Path) -> None:
    done = built(source.videos, source.kpf, tmp_path / "set", layout="v1")
    assert {record.split for record in done.records} <= {"train", "test"}
    for split in ("train", "test"):
        tubes = json.loads((tmp_path / "set" / f"tiny_{split}.json").read_text())["tubes"]
        for tube in tubes:
            assert set(tube) == {"path", "dim", "label"}
        names = [tube["path"].split("/") for tube in tubes]
        for video in {video for video, _ in names}:
            assert [name for other, name in names if other == video] == [
                f"{n}.mp4" for n in range(6)
            ]


def test_v1_has_no_third_side(source: Source) -> None:
    assert [split_in("v1", split) for split in ("train", "val")] == ["train", "test"]
    with pytest.raises(ManifestError, match="use the layout v2"):
        split_in("v1", "test")


def test_ids_count_within_a_split_and_numbers_within_a_video(source: Source) -> None:
    plans = [
        plan_video(truth, RULES, split)
        for truth, split in zip(source.truth.values(), ("train", "val", "train"), strict=True)
    ]
    clips = [clip for plan in plans for clip in plan.clips]
    assert names_of(clips, "v2") == [
        *(f"{n:06}" for n in range(6)),
        *(f"{n:05}" for n in range(6)),
        *(f"{n:06}" for n in range(6, 12)),
    ]
    assert names_of(clips, "v1") == [str(n) for n in range(6)] * 3


def test_classes_come_in_the_published_order_then_the_events_then_others(clean: Built) -> None:
    record = replace(clean.records[0], labels=("zebra", "run", "Misc", "Opening", "ant", "load"))
    assert classes_of([record]) == ("Opening", "Misc", "load", "run", "ant", "zebra")


def test_the_statistics_are_those_of_the_rows(clean: Built) -> None:
    written = json.loads((clean.manifest.parent / "statistics.json").read_text())
    assert written == json.loads(
        json.dumps(statistics(samples_of_records(clean.records)).to_plain())
    )
    assert written["clips"] == 18 and written["videos"] == 3
