"""A folder of classes becomes a manifest: measured, split by source, nothing lost in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.cli.data import prepare_folder
from tinyvirat.datasets import ClipRecord, ManifestError, read_manifest
from tinyvirat.datasets.folder import FolderError, scan_folder, split_by_source

MakeClip = Callable[..., Path]


def test_classes_become_a_manifest_in_one_command(
    tmp_path: Path, make_clip: MakeClip, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        make_clip(f"data/run/v_run_g0{number // 2}_c{number}.mp4", 16, 24, 3 + number)
        make_clip(f"data/walk/deep/w{number}.mp4", 18, 12, 2)
    root = tmp_path / "data"
    (root / "walk" / "broken.mp4").write_bytes(b"no video")
    (root / "readme.txt").touch()
    prepare_folder(root)
    manifest = read_manifest(root / "manifest.jsonl")
    out, err = capsys.readouterr()
    assert "8 clips of 2 classes from 8 sources" in out
    assert "left out: 1 unreadable clip; ignored, as no video: 1 file\n" in out
    assert err.startswith(f"left out: {root / 'walk' / 'broken.mp4'}: ")
    assert manifest.labels == ("run", "walk")
    record = manifest.records[1]
    assert record == ClipRecord(
        id="run/v_run_g00_c1",
        path="run/v_run_g00_c1.mp4",
        frames=4,
        height=16,
        width=24,
        fps=Fraction(25),
        labels=("run",),
        split=record.split,
        source="run/v_run_g00_c1.mp4",
    )
    first = (root / "manifest.jsonl").read_bytes()
    prepare_folder(root, workers=1)
    assert (root / "manifest.jsonl").read_bytes() == first


def test_a_manifest_above_the_folder_or_elsewhere(
    tmp_path: Path, make_clip: MakeClip, capsys: pytest.CaptureFixture[str]
) -> None:
    make_clip("top/data/run/a.mp4", 16, 16, 2)
    root = tmp_path / "top" / "data"
    prepare_folder(root, out=tmp_path / "top" / "m.csv")
    (record,) = read_manifest(tmp_path / "top" / "m.csv").records
    assert (record.path, record.id) == ("data/run/a.mp4", "run/a")
    assert "--root" not in capsys.readouterr().out
    prepare_folder(root, out=tmp_path / "other" / "m.csv")
    assert f"relative to {root}: name that with --root" in capsys.readouterr().out
    assert read_manifest(tmp_path / "other" / "m.csv", root=root).records[0].path == "run/a.mp4"


def test_folders_named_for_splits_are_the_splits(tmp_path: Path, make_clip: MakeClip) -> None:
    for split in ("train", "Valid", "test"):
        make_clip(f"{split}/run/a.mp4", 16, 16, 2)
    found = scan_folder(tmp_path)
    assert [(r.id, r.split, r.labels) for r in found.records] == [
        ("Valid/run/a", "val", ("run",)),
        ("test/run/a", "test", ("run",)),
        ("train/run/a", "train", ("run",)),
    ]
    with pytest.raises(ManifestError, match="splits must not share a source"):
        prepare_folder(tmp_path, group="a")


def test_a_class_may_be_called_test(tmp_path: Path, make_clip: MakeClip) -> None:
    make_clip("test/a.mp4", 16, 16, 2)
    make_clip("walk/a.mp4", 16, 16, 2)
    assert [r.labels for r in scan_folder(tmp_path).records] == [("test",), ("walk",)]


def test_groups_are_sources_and_stay_together(tmp_path: Path, make_clip: MakeClip) -> None:
    for group in range(1, 8):
        for clip in range(1, 3):
            make_clip(f"Dive/v_Dive_g{group:02}_c{clip:02}.mp4", 16, 16, 2)
    records = scan_folder(tmp_path, group="v_(.+_g[0-9]+)_c").records
    assert records[0].source == "Dive_g01"
    splits: dict[str, set[str]] = {}
    for record in records:
        splits.setdefault(record.source, set()).add(record.split)
    assert len(splits) == 7
    assert all(len(found) == 1 for found in splits.values())
    whole = scan_folder(tmp_path, group=r"_g\d+").records
    assert whole[0].source == "_g01"
    two = scan_folder(tmp_path, group=r"v_(\w+?)_g(\d+)").records
    assert two[0].source == "Dive 01"


def test_the_same_name_with_two_suffixes(tmp_path: Path, make_clip: MakeClip) -> None:
    make_clip("run/a.mp4", 16, 16, 2).with_suffix(".MOV").write_bytes(
        make_clip("run/a.mp4", 16, 16, 2).read_bytes()
    )
    make_clip("run/b.mp4", 16, 16, 2)
    assert [r.id for r in scan_folder(tmp_path).records] == ["run/a.MOV", "run/a.mp4", "run/b"]


def test_links_and_names_that_cannot_be_held_are_told(tmp_path: Path, make_clip: MakeClip) -> None:
    outside = make_clip("outside.mp4", 16, 16, 2)
    make_clip("data/run/a.mp4", 16, 16, 2)
    make_clip("data/a|b/c.mp4", 16, 16, 2)
    root = tmp_path / "data"
    (root / "run" / "link.mp4").symlink_to(outside)
    (root / "walk").symlink_to(tmp_path)
    (root / "run" / ".hidden.mp4").touch()
    found = scan_folder(root)
    assert [r.id for r in found.records] == ["run/a"]
    assert found.ignored == 1
    told = "\n".join(found.unreadable)
    assert len(found.unreadable) == 3
    assert "link.mp4: is a link that leads out" in told
    assert "walk: is a link to a folder" in told
    assert "joins labels in CSV" in told


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ([], {}, "no video file in it"),
        (["a.mp4"], {}, "lies beside the folders of the classes"),
        (["train/a.mp4", "train/run/b.mp4"], {}, "lies beside the folders"),
        (["train/run/a.mp4", "walk/a.mp4"], {}, "folders named for splits beside 'walk'"),
        (["run/a.mp4"], {"group": "g[0-9]+"}, r"a.mp4: the group 'g\[0-9\]\+' is not found"),
        (["run/a.mp4"], {"group": "x*"}, "is not found"),
        (["run/a.mp4"], {"group": "("}, "not a regular expression"),
        (["run/a.mp4"], {"workers": 0}, "workers is 0"),
        (["run/a.mp4"], {"fractions": (1.0, 0.0)}, "give three"),
        (["run/a.mp4"], {"fractions": (1.0, -0.1, 0.1)}, "none below 0"),
        (["run/a.mp4"], {"fractions": (0.0, 0.0, 0.0)}, "one at least above"),
        (["run/a.mp4"], {}, "none of its 1 clips can be read; the first: .*a.mp4"),
    ],
)
def test_folders_that_are_no_data_set(
    tmp_path: Path, files: list[str], options: dict[str, object], message: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(FolderError, match=message):
        scan_folder(tmp_path, **options)  # type: ignore[arg-type]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="no such folder"):
        scan_folder(tmp_path / "none")


def record(number: int, label: str, source: str) -> ClipRecord:
    return ClipRecord(
        id=str(number),
        path=f"{number}.mp4",
        frames=1,
        height=1,
        width=1,
        fps=Fraction(25),
        labels=(label,),
        split="train",
        source=source,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), min_size=1, max_size=80),
    st.integers(0, 9),
    st.randoms(use_true_random=False),
)
def test_a_split_depends_on_sources_and_seed_alone(
    clips: list[tuple[str, int]], seed: int, random: object
) -> None:
    records = [record(n, label, f"{group}") for n, (label, group) in enumerate(clips)]
    splits = split_by_source(records, seed=seed)
    assert set(splits) == {r.source for r in records}
    random.shuffle(records)  # type: ignore[attr-defined]
    assert split_by_source(records, seed=seed) == splits
    assert set(split_by_source(records, (1.0, 0.0, 0.0)).values()) == {"train"}


def test_every_class_is_divided_about_as_asked() -> None:
    records = [
        record(n, label, f"{label}{n // 4}")
        for label, number in (("a", 400), ("b", 80), ("c", 40))
        for n in range(number)
    ]
    splits = split_by_source(records, (0.5, 0.25, 0.25))
    for label, number in (("a", 400), ("b", 80), ("c", 40)):
        found = Counter(splits[r.source] for r in records if r.labels == (label,))
        assert abs(found["train"] - number / 2) <= 4
        assert abs(found["val"] - number / 4) <= 4
    assert splits != split_by_source(records, (0.5, 0.25, 0.25), seed=1)
    assert splits == split_by_source([replace(r, split="test") for r in records], (2, 1, 1))
