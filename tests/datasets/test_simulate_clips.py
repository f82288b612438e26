"""Rendered clips make a valid data set: splits by scene, pairs of one moment, true masks."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.datasets import Manifest, read_manifest
from tinyvirat.datasets.simulate import (
    LABELS_OF,
    SimulationError,
    read_masks,
    simulate_clips,
)
from tinyvirat.video import read_clip

SETTINGS = {
    "actions": ("activity_standing", "activity_running", "Talking", "Push", "vehicle_turning_left"),
    "clips_per_action": 4,
    "frames": 8,
    "fps": Fraction(15),
    "sides": (20, 48),
    "large_side": 64,
    "splits": (0.4, 0.2, 0.4),
    "seed": 3,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return read_manifest(simulate_clips(tmp_path_factory.mktemp("clips"), **SETTINGS))


@pytest.fixture(scope="module")
def large(small: Manifest) -> Manifest:
    return read_manifest(small.root / "large.jsonl")


def test_every_action_gets_its_clips(small: Manifest) -> None:
    assert len(small.records) == 20
    count = Counter(label for record in small.records for label in record.labels)
    for action in SETTINGS["actions"]:
        assert count[action] >= 4
        assert set(LABELS_OF[action]) <= set(small.labels)
    assert small.multi_label
    assert (small.root / "labels.txt").read_text().split() == list(small.labels)


def test_a_clip_shows_the_action_it_was_made_for(small: Manifest) -> None:
    made = Counter(str(record.extra["action"]) for record in small.records)
    assert made == Counter(dict.fromkeys(SETTINGS["actions"], 4))
    for record in small.records:
        assert set(LABELS_OF[str(record.extra["action"])]) <= set(record.labels)


def test_a_short_turn_in_a_long_clip_is_still_labelled(tmp_path: Path) -> None:
    changed = {
        "actions": ("vehicle_turning_right", "vehicle_stopping"), "frames": 16, "fps": Fraction(4),
        "clips_per_action": 4,
    }  # fmt: skip
    for record in read_manifest(simulate_clips(tmp_path, **{**SETTINGS, **changed})).records:
        assert record.extra["action"] in record.labels
        side = record.extra["window"][2]
        assert side < 1500


def test_no_scene_is_in_two_splits(small: Manifest) -> None:
    scenes = {split: {one.source for one in small.of(split)} for split in ("train", "val", "test")}
    assert [len(scenes[split]) for split in ("train", "val", "test")] == [2, 1, 2]
    assert not scenes["train"] & scenes["test"]
    assert not scenes["val"] & (scenes["train"] | scenes["test"])


def test_both_manifests_speak_of_the_same_clips(small: Manifest, large: Manifest) -> None:
    for tiny, big in zip(small.records, large.records, strict=True):
        assert (tiny.id, tiny.labels, tiny.split, tiny.source, tiny.tracks) == (
            big.id, big.labels, big.split, big.source, big.tracks
        )  # fmt: skip
        assert tiny.extra == big.extra
        assert (tiny.path, big.path) == (tiny.extra["small"], big.extra["large"])
        assert 20 <= tiny.width == tiny.height <= 48
        assert tiny.width % 2 == 0
        assert big.width == big.height == 64
    assert len({record.width for record in small.records}) > 5


def test_rows_say_what_decodes(small: Manifest, large: Manifest) -> None:
    for manifest in (small, large):
        for record in manifest.records:
            clip = read_clip(manifest.file(record))
            assert clip.frames_THWC.shape == (8, record.height, record.width, 3)
            assert clip.fps == record.fps == 15


def test_masks_show_the_actors_of_the_row(small: Manifest) -> None:
    for record in small.records:
        masks = read_masks(small.root / str(record.extra["masks"]))
        assert masks.shape == (8, 64, 64)
        assert record.tracks is not None
        assert masks.max() <= len(record.tracks)
        share = (masks > 0).mean(axis=(1, 2))
        assert (share > 0.002).all()
        assert share.max() < 0.7
        if record.labels == ("Talking", "activity_standing"):
            assert set(np.unique(masks)) == {0, 1, 2}


def test_actors_stay_within_their_clip(small: Manifest) -> None:
    for record in small.records:
        if record.tracks is not None and len(record.tracks) == 1:
            masks = read_masks(small.root / str(record.extra["masks"])) > 0
            edge = masks[:, [0, -1]].sum() + masks[:, :, [0, -1]].sum()
            assert edge == 0


def test_large_and_tiny_show_the_same_moment(small: Manifest, large: Manifest) -> None:
    for tiny, big in zip(small.records, large.records, strict=True):
        low = read_clip(small.file(tiny)).frames_THWC.astype(float)
        high = read_clip(large.file(big)).frames_THWC.astype(float)
        inner = (slice(None), slice(3, -3), slice(3, -3))
        same = shrunk(high, tiny.width)
        best = correlation(low[inner], same[inner])
        assert best > 0.6
        for shift in ((2, 0), (-2, 0), (0, 2), (0, -2)):
            assert best > correlation(low[inner], np.roll(same, shift, axis=(1, 2))[inner])


def shrunk(frames_THWC: np.ndarray, side: int) -> np.ndarray:
    """Frames at another size, by the mean over every pixel's area."""
    edges = np.linspace(0, frames_THWC.shape[1], side + 1)
    total = np.cumsum(np.pad(frames_THWC, ((0, 0), (1, 0), (1, 0), (0, 0))), axis=1).cumsum(axis=2)
    at = np.rint(edges).astype(int)
    cells = total[:, at][:, :, at]
    sums = np.diff(np.diff(cells, axis=1), axis=2)
    size = np.diff(at)
    return sums / (size[:, None] * size[None, :])[None, :, :, None]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_the_same_seed_gives_the_same_set(tmp_path: Path) -> None:
    changed = {**SETTINGS, "clips_per_action": 1}
    one, two = (read_manifest(simulate_clips(tmp_path / name, **changed)) for name in "ab")
    assert one.path.read_bytes() == two.path.read_bytes()
    for record in one.records:
        masks = str(record.extra["masks"])
        assert (one.root / masks).read_bytes() == (two.root / masks).read_bytes()
        # The encoder promises less than the drawing does.
        a, b = (read_clip(each.file(record)).frames_THWC.astype(int) for each in (one, two))
        assert np.abs(a - b).mean() < 4


def test_another_seed_gives_other_scenes(small: Manifest, tmp_path: Path) -> None:
    changed = {**SETTINGS, "seed": 4, "clips_per_action": 1}
    other = read_manifest(simulate_clips(tmp_path, **changed))
    seeds = {record.extra["scene_seed"] for record in other.records}
    assert not seeds & {record.extra["scene_seed"] for record in small.records}


def test_rows_say_that_they_are_drawn(small: Manifest) -> None:
    for line in small.path.read_text().splitlines():
        assert json.loads(line)["extra"]["rendered"] is True


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"actions": ()}, "actions"),
        ({"actions": ("Riding",)}, "Riding"),
        ({"actions": ("Push", "Push")}, "Push"),
        ({"clips_per_action": 0}, "clips_per_action"),
        ({"sides": (64, 20)}, "sides"),
        ({"sides": (2, 20)}, "sides"),
        ({"sides": (21, 21)}, "sides"),
        ({"large_side": 111}, "large_side"),
        ({"splits": (0.5, 0.2, 0.2)}, "splits"),
        ({"splits": (1.5, -0.5, 0.0)}, "splits"),
        ({"frames": 0}, "frames"),
        ({"frames": 61}, "4 seconds"),
        ({"fps": Fraction(0)}, "fps"),
        ({"noise": 99.0}, "noise"),
    ],
)
def test_a_set_out_of_range_is_refused(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    with pytest.raises(SimulationError, match=named):
        simulate_clips(tmp_path, **{**SETTINGS, **change})
    assert not list(tmp_path.iterdir())
