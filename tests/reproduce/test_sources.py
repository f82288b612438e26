"""What a plan is run on: manifests of folders, and what is missing before work begins."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.health.quarantine import quarantine_file
from tinyvirat.datasets.manifest import write_manifest
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.plan import make_plan
from tinyvirat.reproduce.run import Order, reproduce
from tinyvirat.reproduce.sources import WEIGHTS, check_weights, open_sources
from tinyvirat.reproduce.work import Place
from tinyvirat.training.data import ClipFiles

from .small import small_plan

MANIFESTS = {
    "table2": "tinyvirat.jsonl",
    "table3": "hmdb51_split1.jsonl",
    "table4": "ucf101_split1.jsonl",
}


@pytest.mark.parametrize("table", MANIFESTS)
def test_a_data_sets_folder_becomes_a_manifest(roots: dict[str, Path], table: str) -> None:
    row = "i3d" if table == "table2" else "i3d_112"
    plan, root = small_plan(table, row), roots[table]
    found = open_sources(plan, ClipFiles(root))
    assert found.files.data == root / MANIFESTS[table]
    assert (found.clips, found.sr_clips) == (found.clips, found.clips)
    assert found.tested > 0 and found.clips > 0
    written = found.files.data.stat().st_mtime_ns
    assert open_sources(plan, ClipFiles(root)) == found  # the second time it is only read
    assert found.files.data.stat().st_mtime_ns == written
    assert open_sources(plan, ClipFiles(found.files.data)) == found


def test_a_manifest_may_lie_elsewhere_than_its_clips(
    roots: dict[str, Path], tmp_path: Path
) -> None:
    plan, root = small_plan("table4", "i3d_112"), roots["table4"]
    there = open_sources(plan, ClipFiles(root))
    moved = shutil.copy(there.files.data, tmp_path / "moved.jsonl")
    with pytest.raises(TinyviratError, match=r"does not exist; .* as root \(--root\)"):
        open_sources(plan, ClipFiles(moved))
    found = open_sources(plan, ClipFiles(moved, root=root))
    assert (found.files.data, found.files.root, found.clips) == (moved, root, there.clips)
    assert found.digest == there.digest
    with pytest.raises(ReproduceError, match=r"is a folder; .* as root is for a manifest"):
        open_sources(plan, ClipFiles(root, root=root))


def test_the_official_classes_are_the_networks(roots: dict[str, Path]) -> None:
    assert open_sources(small_plan("table2", "i3d"), ClipFiles(roots["table2"])).classes == 26


def test_pairs_come_from_larger_clips(roots: dict[str, Path]) -> None:
    plan = small_plan("table2", "i3d_prog_dvsr")
    found = open_sources(plan, ClipFiles(roots["table2"], roots["large"]))
    assert (found.files.sr_data, found.sr_clips) == (roots["large"], 4)
    alone = open_sources(small_plan("table2", "i3d"), ClipFiles(roots["table2"]))
    assert found.digest != alone.digest == alone.labelled == found.labelled


def test_what_a_run_does_not_look_at_makes_no_other_run_of_it(roots: dict[str, Path]) -> None:
    plan = small_plan("table2", "i3d", "i3d_prog_dvsr")
    baseline, both = (plan.training(row, 0) for row in plan.rows)
    alone = open_sources(small_plan("table2", "i3d"), ClipFiles(roots["table2"]))
    found = open_sources(plan, ClipFiles(roots["table2"], roots["large"]))
    folders = [Place(one, Path()).folder(baseline) for one in (alone, found)]
    assert folders[0] == folders[1]  # --sr-data is named later, for other rows
    assert both.after is not None
    for run in (both, both.after):
        assert len({Place(one, Path()).folder(run) for one in (alone, found)}) == 2


def test_a_test_split_without_labels_is_told_before_training(
    roots: dict[str, Path], tmp_path: Path
) -> None:
    plan = small_plan("table4", "i3d_112")
    manifest = open_sources(plan, ClipFiles(roots["table4"])).files.labelled()
    records = [replace(r, labels=()) if r.split == "test" else r for r in manifest.records]
    path = tmp_path / "manifest.jsonl"
    write_manifest(path, records)
    with pytest.raises(ReproduceError, match=r"manifest\.jsonl: none of the \d+ clips of its test"):
        open_sources(plan, ClipFiles(path, root=roots["table4"]))


def test_tiny_clips_give_no_pairs(roots: dict[str, Path]) -> None:
    plan = small_plan("table2", "i3d", "i3d_prog_dvsr")
    with pytest.raises(ReproduceError, match=r"the rows i3d_prog_dvsr learn .*--sr-data") as told:
        open_sources(plan, ClipFiles(roots["table2"]))
    assert "--rows" in str(told.value)


def test_other_data_and_other_quarantine_are_other_runs(
    roots: dict[str, Path], tmp_path: Path
) -> None:
    plan = small_plan("table4", "i3d_112")
    first = open_sources(plan, ClipFiles(roots["table4"]))
    beside = quarantine_file(first.files.data)
    text = first.files.data.read_text(encoding="utf-8")
    lines = text.splitlines()
    try:
        first.files.data.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
        assert open_sources(plan, ClipFiles(first.files.data)).digest != first.digest
        first.files.data.write_text(text, encoding="utf-8")
        assert open_sources(plan, ClipFiles(first.files.data)).digest == first.digest
        beside.write_text("", encoding="utf-8")
        assert open_sources(plan, ClipFiles(first.files.data)).digest != first.digest
    finally:
        first.files.data.write_text(text, encoding="utf-8")
        beside.unlink(missing_ok=True)


def test_a_folder_for_a_table_of_manifests(tmp_path: Path) -> None:
    with pytest.raises(ReproduceError, match="is a folder; ut_interaction takes a manifest"):
        open_sources(make_plan("ut_interaction", rows=["high"]), ClipFiles(tmp_path))


def test_a_folder_that_is_not_the_data_set(tmp_path: Path) -> None:
    with pytest.raises(TinyviratError, match=str(tmp_path)):
        open_sources(small_plan("table4", "i3d_112"), ClipFiles(tmp_path))
    with pytest.raises(TinyviratError, match=r"nowhere\.jsonl"):
        open_sources(small_plan("table4", "i3d_112"), ClipFiles(tmp_path / "nowhere.jsonl"))


class TestWeights:
    @pytest.fixture(autouse=True)
    def _empty_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TINYVIRAT_CACHE", str(tmp_path / "cache"))

    def test_all_that_is_missing_is_told_at_once(self) -> None:
        plan = make_plan("table2", rows=["i3d", "resnet50"])
        with pytest.raises(ReproduceError) as told:
            check_weights(plan)
        said = str(told.value)
        assert "i3d-charades: rows i3d; " in said and "resnet50-kinetics: rows resnet50; " in said
        assert "--layout pytorch-i3d" in said and "--name i3d-charades" in said
        assert "--layout 3d-resnets-2018" in said and "--name resnet50-kinetics" in said
        found = re.search("--set ('i3d:.*), or", said)
        assert found is not None
        changes = shlex.split(found.group(1))  # what it says can be done
        plan = make_plan("table2", rows=["i3d", "resnet50"], changes=changes)
        assert [row.recipe.weights for row in plan.rows] == ["i3d-kinetics400", "resnet50-kinetics"]

    def test_a_teacher_needs_its_weights_too(self) -> None:
        plan = make_plan("ucf101_12_beyond", rows=["x3d_distilled_28"])
        assert plan.rows[0].recipe.weights is None
        with pytest.raises(ReproduceError, match="i3d-kinetics400: rows x3d_distilled_28"):
            check_weights(plan)

    def test_only_what_fits_is_offered_instead(self) -> None:
        for row, fits in (("i3d", True), ("resnet50", False)):
            with pytest.raises(ReproduceError) as told:
                check_weights(make_plan("table2", rows=[row]))
            other = "--set weights=i3d-kinetics400 classifier.input_size=224"
            assert (other in str(told.value)) is fits
            assert "--set weights=null" in str(told.value)

    def test_every_table_says_how_to_get_its_weights(self) -> None:
        plans = [make_plan("table2"), make_plan("table4", rows=["i3d_112"])]
        wanted = {row.recipe.weights for plan in plans for row in plan.rows}
        assert wanted == set(WEIGHTS)

    def test_fetched_weights(self) -> None:
        with pytest.raises(ReproduceError, match="tinyvirat weights fetch i3d-kinetics400"):
            check_weights(make_plan("ut_interaction", rows=["high"]))

    def test_fresh_ones_need_nothing(self) -> None:
        check_weights(make_plan("table4", rows=["i3d_112"], changes=["weights=null"]))

    def test_it_is_looked_at_before_work_begins(
        self, roots: dict[str, Path], tmp_path: Path
    ) -> None:
        plan = make_plan("table4", rows=["i3d_112"])
        with pytest.raises(ReproduceError, match="i3d-charades"):
            reproduce(plan, Order(ClipFiles(roots["table4"]), tmp_path / "out"), lambda text: None)
        assert not (tmp_path / "out").exists()


def test_it_is_not_started_several_times(
    roots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ReproduceError, match="without accelerate launch"):
        reproduce(
            small_plan("table4", "i3d_112"),
            Order(ClipFiles(roots["table4"]), tmp_path),
            lambda text: None,
        )
