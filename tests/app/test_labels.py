"""Saved labels: a manifest that is valid, loses nothing, and can be trained on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.app.clips import plan_pieces
from tinyvirat.app.labels import LabelError, LabelStore, checked_labels
from tinyvirat.app.limits import AppLimits
from tinyvirat.app.upload import Upload, UploadError
from tinyvirat.cli import main
from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.manifest import read_manifest, write_manifest
from tinyvirat.datasets.records import ClipRecord, ManifestError
from tinyvirat.datasets.tubes.rules import CropRule
from tinyvirat.datasets.tubes.windows import windows_of
from tinyvirat.video import read_clip

BOXES_T4 = np.array([(10.0 + 2 * t, 50.0, 26.0 + 2 * t, 74.0) for t in range(60)])
SAID = {"model": "tiny", "labels": {"walk": 0.5}}


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path / "labels")


@pytest.fixture
def save(store: LabelStore, upload: Upload, limits: AppLimits):  # type: ignore[no-untyped-def]
    """Saves labels for frames of the square, of this video or of another of that digest."""

    def saved(
        *labels: str, span: tuple[int, int] = (0, 60), digest: str = ""
    ) -> tuple[ClipRecord, ...]:
        video = replace(upload, digest=digest * 64) if digest else upload
        pieces = plan_pieces(video, 0, BOXES_T4, *span)
        return store.save(video, 3, pieces, labels, limits, SAID)

    return saved


def test_a_saved_tube(store: LabelStore, save, upload: Upload) -> None:  # type: ignore[no-untyped-def]
    (row,) = save("walk", "carry ", "walk", "")
    manifest = read_manifest(store.manifest)
    assert manifest.records == (row,)
    assert (row.labels, row.split, row.frames) == (("carry", "walk"), "train", 60)
    assert row.extra["recognised"] == SAID and row.extra["span"] == [0, 60]
    clip = read_clip(manifest.file(row))
    assert clip.frames_THWC.shape == (60, row.height, row.width, 3) and clip.fps == 10
    # Cut by the rules of training clips: context, an even side, a smoothed path, within the frame.
    windows_T4 = windows_of(BOXES_T4, CropRule(), (upload.width, upload.height))
    assert row.extra["windows"] == windows_T4.tolist() and row.height == 28
    centre = clip.frames_THWC[30, row.height // 2, row.width // 2].astype(int)
    assert np.abs(centre - (220, 200, 60)).max() < 30, "the square is in the middle"


def test_a_correction_replaces(store: LabelStore, save) -> None:  # type: ignore[no-untyped-def]
    save("walk")
    save("pull", span=(10, 40))
    save("carry")
    assert [row.labels for row in store.saved()] == [("carry",), ("pull",)]


def test_long_tubes_are_cut_into_pieces(upload: Upload) -> None:
    boxes_T4 = np.tile(BOXES_T4[:1], (301, 1))
    pieces = plan_pieces(upload, 7, boxes_T4, 0, 1000)
    assert [(piece.start, piece.stop) for piece in pieces] == [(7, 107), (107, 207), (207, 308)]


def test_too_little_for_a_clip(upload: Upload) -> None:
    with pytest.raises(UploadError, match=r"^15 frames: too few for a clip"):
        plan_pieces(upload, 0, BOXES_T4, 45, 60)
    with pytest.raises(UploadError, match=r"^0 frames: too few"):
        plan_pieces(upload, 0, BOXES_T4, 50, 20)


def test_a_whole_frame_is_not_cut(store: LabelStore, upload: Upload, limits: AppLimits) -> None:
    pieces = plan_pieces(upload, 0, np.tile((0.0, 0.0, 160.0, 120.0), (20, 1)), 0, 20)
    (row,) = store.save(upload, 0, pieces, ["walk"], limits, SAID)
    assert read_clip(store.folder / row.path).frames_THWC.shape == (20, 120, 160, 3)


def test_savers_at_once_lose_nothing(store: LabelStore, save) -> None:  # type: ignore[no-untyped-def]
    threads = [
        threading.Thread(target=save, args=(f"label{n}",), kwargs={"span": (n, n + 20)})
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_manifest(store.manifest).records
    assert sorted(row.labels[0] for row in found) == [f"label{n}" for n in range(8)]


def test_splits_stay_and_never_share_a_source(store: LabelStore, save) -> None:  # type: ignore[no-untyped-def]
    for digest in "abcdefg":
        save("walk", digest=digest)
        save("walk", digest=digest, span=(5, 30))
    splits = {row.source[0]: row.split for row in read_manifest(store.manifest).records}
    assert splits == dict.fromkeys("abdef", "train") | {"c": "val", "g": "val"}
    save("dance", digest="c")  # what only validation would show
    splits = {row.source[0]: row.split for row in read_manifest(store.manifest).records}
    assert splits["c"] == "train" and splits["g"] == "val"


def test_removal(store: LabelStore, save) -> None:  # type: ignore[no-untyped-def]
    (first,), (second,) = save("walk"), save("pull", span=(0, 20))
    assert store.remove(first.id) and not store.remove(first.id)
    assert store.saved() == (second,) and not (store.folder / first.path).exists()
    assert store.remove(second.id) and store.saved() == ()


def test_removal_leaves_the_files_of_others(store: LabelStore, save) -> None:  # type: ignore[no-untyped-def]
    (row,) = save("walk", span=(0, 20))
    own = replace(row, id="mine", path="clips/mine.mp4", extra={}, source="mine")
    (store.folder / own.path).write_bytes((store.folder / row.path).read_bytes())
    write_manifest(store.manifest, [row, own])
    assert store.remove("mine") and (store.folder / own.path).is_file()


@pytest.mark.parametrize("label", ["a|b", "a\nb", "x" * 101])
def test_names_that_cannot_be(label: str) -> None:
    with pytest.raises(TinyviratError, match="label"):
        checked_labels([label])


def test_a_damaged_manifest_is_left_alone(store: LabelStore, save) -> None:  # type: ignore[no-untyped-def]
    save("walk")
    store.manifest.write_text(store.manifest.read_text() + "{half a ro")
    before = store.manifest.read_bytes()
    with pytest.raises(ManifestError, match="line 2"):
        save("pull", span=(0, 20))
    assert store.manifest.read_bytes() == before


def test_a_folder_that_cannot_be(tmp_path: Path, upload: Upload, limits: AppLimits) -> None:
    (tmp_path / "file").write_text("")
    store = LabelStore(tmp_path / "file" / "labels")
    with pytest.raises(LabelError, match="labels cannot be saved there"):
        store.save(upload, 0, plan_pieces(upload, 0, BOXES_T4, 0, 20), [], limits, {})


def test_finetune_takes_it(
    store: LabelStore,
    save,  # type: ignore[no-untyped-def]
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TINYVIRAT_CACHE", str(tmp_path / "cache"))
    save("loading cart", span=(0, 20))
    save("walk", span=(20, 40))
    save(span=(40, 60))  # nothing
    words = store.command(str(model)).split(" ")
    assert words[:4] == ["tinyvirat", "finetune", str(model), "--data"]
    assert words[-2:] == ["--set", "labels=multi"], "one clip shows nothing, and none two things"
    run = tmp_path / "run"
    words[words.index("--out") + 1] = str(run)
    assert main([*words[1:], "--epochs", "2", "--cpu"]) == 0, "a batch has all three: two steps"
    from tinyvirat.models.saved import load_model

    spec = load_model(run / "model").spec
    assert spec.labels == ("loading cart", "walk") and spec.multi_label
    save("walk", "loading cart", span=(20, 40))
    assert "--set" not in store.command(str(model)), "the manifest says it itself"
