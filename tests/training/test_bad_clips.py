"""Clips in quarantine are left out and counted; what fails at run time is told, or replaced."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.health.quarantine import Quarantined, write_quarantine
from tinyvirat.datasets.loading import LoadingError
from tinyvirat.datasets.manifest import read_manifest, write_manifest
from tinyvirat.training.data import ClipFiles, open_data
from tinyvirat.training.run import Order, run

from .processes import SLOW, rows_of, together, train
from .small import RECIPE, UPKEEP, without

PHASE3 = without(RECIPE, 1, 2)
SKIP = replace(PHASE3, upkeep=replace(UPKEEP, on_error="skip"))
BROKEN = ("train1", "train4")


@pytest.fixture
def copied(clips: Path, tmp_path: Path) -> Path:
    """A manifest that may be changed, and its clips."""
    shutil.copytree(clips.parent, tmp_path / "data")
    return tmp_path / "data" / clips.name


@pytest.fixture
def broken(copied: Path) -> Path:
    """The same, with two training clips whose files break off."""
    for record in read_manifest(copied).records:
        if record.id in BROKEN:
            file = copied.parent / record.path
            file.write_bytes(file.read_bytes()[:100])
    return copied


def quarantine(manifest: Path, *ids: str) -> None:
    rows = [
        Quarantined(record.id, record.path, "size")
        for record in read_manifest(manifest, quarantine=False).records
        if record.id in ids
    ]
    assert len(rows) == len(ids)
    write_quarantine(manifest.parent / "quarantine.jsonl", rows, about=[], reasons=[])


def order(manifest: Path, out: Path, until: int | None = None) -> Order:
    return Order(ClipFiles(manifest), out=out, cpu=True, until=until)


def summary(out: Path) -> dict:
    return json.loads((out / "summary.json").read_text())


def test_a_run_leaves_quarantined_clips_out_and_says_so(
    broken: Path, tmp_path: Path, hurried: None, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine(broken, *BROKEN, "val0", "test2")
    out = tmp_path / "run"
    assert run(PHASE3, order(broken, out))
    note = f"{broken}: 4 of 15 clips are left out, in quarantine: 4 size"
    assert capsys.readouterr().err.count(note) == 1
    assert summary(out)["quarantined"] == {"data": 4, "sr_data": 4}
    (begun,) = json.loads((out / "environment.json").read_text())
    about = begun["data"]["data"]
    assert (about["train"], about["val"], about["quarantined"]) == (6, 1, 4)


def test_it_is_the_run_of_a_manifest_without_them(
    broken: Path, tmp_path: Path, hurried: None
) -> None:
    quarantine(broken, *BROKEN)
    kept = read_manifest(broken).records
    write_manifest(broken.parent / "kept.jsonl", kept)
    for name in (broken.name, "kept.jsonl"):
        run(PHASE3, order(broken.parent / name, tmp_path / name))
    assert rows_of(tmp_path / broken.name) == rows_of(tmp_path / "kept.jsonl")


def test_another_quarantine_is_other_data(copied: Path, tmp_path: Path, hurried: None) -> None:
    before = open_data(PHASE3, ClipFiles(copied)).digest
    assert not run(PHASE3, order(copied, tmp_path / "run", until=1))
    quarantine(copied, "train3")
    assert open_data(PHASE3, ClipFiles(copied)).digest != before
    with pytest.raises(TinyviratError, match="holds a run of another recipe or other data"):
        run(PHASE3, order(copied, tmp_path / "run"))
    quarantine(copied, "train3", "train5")
    assert open_data(PHASE3, ClipFiles(copied)).clips["data"] == 6
    (copied.parent / "quarantine.jsonl").unlink()
    assert open_data(PHASE3, ClipFiles(copied)).digest == before


def test_a_clip_that_fails_ends_a_run_by_default(
    broken: Path, tmp_path: Path, hurried: None
) -> None:
    with pytest.raises(LoadingError, match=r"clip 'train[14]': .*'tinyvirat data check .*jsonl'"):
        run(PHASE3, order(broken, tmp_path / "run"))


def test_told_to_skip_a_run_counts_and_names_what_failed(
    broken: Path, tmp_path: Path, hurried: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(SKIP, order(broken, out))
    skipped = [row["skipped"] for row in rows_of(out) if "loss" in row]
    # Three iterations of four clips are an epoch and a half of eight, two of which fail.
    assert len(skipped) == 3
    assert 2 <= sum(skipped) <= 4
    assert summary(out)["phases"]["3-classifier"]["skipped"] == sum(skipped)
    err = capsys.readouterr().err
    for clip in BROKEN:
        assert err.count(f"skipped: clip {clip!r}: ") == 1
    times = f"{out}: {int(sum(skipped))} times a clip could not be read and another stood in for it"
    assert times in err


def test_a_run_that_skips_resumes_to_the_bit(broken: Path, tmp_path: Path, hurried: None) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(SKIP, order(broken, whole))
    for until in (1, 1):
        assert not run(SKIP, order(broken, parts, until=until))
    assert run(SKIP, order(broken, parts))
    assert rows_of(parts) == rows_of(whole)
    one, other = (load_file(out / "model" / "weights.safetensors") for out in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_processes_skip_what_one_skips(broken: Path, tmp_path: Path, hurried: None) -> None:
    assert SKIP.phase3 is not None
    slow = replace(SKIP, phase3=replace(SKIP.phase3, optimizer=SLOW))
    run(slow, order(broken, tmp_path / "one"))
    together(train, slow, order(broken, tmp_path / "two"))
    assert [summary(tmp_path / name)["processes"] for name in ("one", "two")] == [1, 2]
    for row, other in zip(rows_of(tmp_path / "one"), rows_of(tmp_path / "two"), strict=True):
        assert row.get("skipped") == other.get("skipped")
        if "loss" in row:
            assert row["loss"] == pytest.approx(other["loss"], rel=2e-3)


def test_pictures_are_drawn_of_the_clips_that_can_be_read(
    broken: Path, tmp_path: Path, hurried: None
) -> None:
    """Nothing is held out here, so that pictures are of training clips; the first one fails."""
    records = [r for r in read_manifest(broken).records if r.split == "train"]
    few = broken.parent / "few.jsonl"
    write_manifest(few, [records[1], *records[2:4], *records[5:]])
    recipe = replace(without(RECIPE, 2, 3), upkeep=SKIP.upkeep)
    run(recipe, order(few, tmp_path / "run"))
    assert list((tmp_path / "run" / "pictures").glob("*-train.png"))
    with pytest.raises(LoadingError, match="clip 'train1'"):
        run(replace(recipe, upkeep=UPKEEP), order(few, tmp_path / "other"))


def test_validation_never_skips(copied: Path, tmp_path: Path, hurried: None) -> None:
    (record, *_) = (r for r in read_manifest(copied).records if r.split == "val")
    (copied.parent / record.path).write_bytes(b"no video")
    with pytest.raises(LoadingError, match=rf"clip {record.id!r}: .*puts them in quarantine"):
        run(SKIP, order(copied, tmp_path / "run"))
    quarantine(copied, record.id)
    assert run(SKIP, order(copied, tmp_path / "again"))
