"""Labels that one property tells are found; labels that none tells are not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.datasets import ClipRecord
from tinyvirat.datasets.health.check import CheckOptions, check
from tinyvirat.datasets.health.giveaways import Giveaway, Giveaways, giveaways
from tinyvirat.datasets.manifest import Manifest
from tinyvirat.video import open_video

LABELS = ("a", "b", "c")


def looked_at(
    properties: dict[str, np.ndarray],
    label_N: np.ndarray,
    source_N: np.ndarray,
    permutations: int = 200,
    seed: int = 0,
) -> Giveaways:
    return giveaways(
        {name: values.tolist() for name, values in properties.items()},
        label_N[:, None] == np.arange(len(LABELS)),
        LABELS,
        [f"source {source}" for source in source_N],
        permutations=permutations,
        seed=seed,
    )


def random_set(seed: int, clips: int = 180) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Properties by source, labels by chance."""
    rng = np.random.default_rng(seed)
    source_N = np.arange(clips) // 3
    properties = {
        "frame rate": rng.choice([20.0, 25.0, 30.0], clips // 3)[source_N],
        "frames": rng.integers(20, 200, clips).astype(float),
        "height": rng.choice([48.0, 64.0], clips),
        "width": np.full(clips, 64.0),
    }
    return properties, rng.integers(0, 3, clips), source_N


def by_label(found: Giveaways) -> dict[str, Giveaway]:
    return {one.label: one for one in found.found}


def test_a_label_of_its_own_frame_rate_and_length_is_given_away() -> None:
    properties, label_N, source_N = random_set(1)
    properties["frame rate"] = np.where(label_N == 2, 20.0, 30.0)
    found = by_label(looked_at(properties, label_N, source_N))["c"]
    assert found.flagged
    assert (found.by, found.balanced_accuracy, found.accuracy) == ("frame rate", 1.0, 1.0)
    assert found.p == pytest.approx(1 / 201)
    assert found.clips == int((label_N == 2).sum())


def test_one_length_among_others_is_enough() -> None:
    """What is told by a value in the midst, as a threshold could not."""
    properties, label_N, source_N = random_set(2)
    properties["frames"] = np.where(label_N == 2, 64.0, properties["frames"])
    found = by_label(looked_at(properties, label_N, source_N))["c"]
    assert (found.flagged, found.by) == (True, "frames")
    assert found.balanced_accuracy > 0.9


def test_labels_by_chance_are_not_given_away() -> None:
    told = [looked_at(*random_set(seed), permutations=40) for seed in range(10)]
    every = [one for found in told for one in found.found]
    assert len(every) == 30
    assert not any(one.flagged for one in every)
    scores = [one.balanced_accuracy for one in every]
    assert 0.45 < np.mean(scores) < 0.62  # the best of three properties
    # Of ten sets, each with adjusted p, at most a few have any below 0.05.
    assert sum(min(one.p for one in found.found) <= 0.05 for found in told) <= 2
    assert all(found.constant == ("width",) for found in told)


def test_clips_of_one_source_count_once() -> None:
    """Six sources of 30 clips, each of one label and one rate: nothing can be concluded."""
    source_N = np.arange(180) // 30
    properties = {"frame rate": np.array([20.0, 25.0, 30.0, 50.0, 60.0, 15.0])[source_N]}
    label_N = source_N % 3
    found = looked_at(properties, label_N, source_N)
    assert len(found.found) == 3
    assert all(one.p > 0.05 for one in found.found)
    # As independent clips the same numbers would be beyond doubt.
    alone = looked_at(properties, label_N, np.arange(180))
    assert all(one.p < 0.01 for one in alone.found)
    assert all(one.flagged for one in alone.found)


def test_sources_alike_by_accident_prove_nothing() -> None:
    """In 9 of 12 sources the label goes with the rate: 135 of 180 clips, and yet no evidence."""
    source_N = np.arange(180) // 15
    rate_S = np.arange(12) % 2
    label_S = np.where(np.arange(12) < 9, rate_S, 1 - rate_S)
    properties = {"frame rate": np.where(rate_S[source_N], 30.0, 20.0)}
    together = by_label(looked_at(properties, label_S[source_N], source_N))["a"]
    assert together.balanced_accuracy > 0.7
    assert together.p > 0.05
    alone = by_label(looked_at(properties, label_S[source_N], np.arange(180)))["a"]
    assert alone.balanced_accuracy > 0.7
    assert alone.p < 0.01


def test_clips_of_a_source_do_not_tell_of_each_other() -> None:
    """A width of its own for every source names the source, and a source has one label."""
    rng = np.random.default_rng(8)
    source_N = np.arange(240) // 6
    properties = {"width": rng.permutation(40)[source_N].astype(float)}
    label_N = rng.integers(0, 2, 40)[source_N]
    found = by_label(looked_at(properties, label_N, source_N))["a"]
    assert found.balanced_accuracy < 0.7
    assert not found.flagged


def test_a_hint_is_reported_and_not_called_given_away() -> None:
    """Two of three labels share a rate: the rate halves the choice, and tells neither."""
    properties, label_N, source_N = random_set(4)
    properties["frame rate"] = np.where(label_N == 2, 20.0, 30.0)
    found = by_label(looked_at(properties, label_N, source_N))
    for label in ("a", "b"):
        assert found[label].balanced_accuracy > 0.7
        assert found[label].p < 0.05
        assert not found[label].flagged


def test_rare_labels_and_single_sources_are_not_judged() -> None:
    properties, label_N, source_N = random_set(5)
    label_N[:] = 0
    label_N[:12] = 1
    label_N[20:24] = 2
    source_N[:12] = 0
    found = looked_at(properties, label_N, source_N)
    assert found.unjudged == ("b", "c")
    assert [one.label for one in found.found] == ["a"]


def test_nothing_varies_and_nothing_is_told() -> None:
    properties, label_N, source_N = random_set(6)
    found = looked_at({"width": properties["width"]}, label_N, source_N)
    assert (found.found, found.constant) == ((), ("width",))


def test_the_same_seed_gives_the_same_answer() -> None:
    one, again, other = (looked_at(*random_set(7), 50, seed) for seed in (0, 0, 1))
    assert one == again != other


def test_no_permutations_flag_nothing() -> None:
    properties, label_N, source_N = random_set(1)
    properties["frame rate"] = np.where(label_N == 2, 20.0, 30.0)
    found = by_label(looked_at(properties, label_N, source_N, permutations=0))["c"]
    assert (found.balanced_accuracy, found.p, found.flagged) == (1.0, 1.0, False)


def test_the_third_party_s_clips_of_ut_interaction_are_found_out(
    shared: Path, tmp_path: Path
) -> None:
    """The class `none` was cut by other hands: 20 frames a second and 64 frames, always."""
    root = shared / "data" / "ut_interaction"
    with (root / "clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    few = [row for row in rows if row["label"] != "none"][::2]
    few += [row for row in rows if row["label"] == "none"][::3]
    records = []
    for row in few:
        with open_video(root / row["path"]) as video:
            info = video.info
        draft = ClipRecord(
            id=row["path"],
            path=row["path"],
            frames=info.header_frames or 1,
            height=info.height,
            width=info.width,
            fps=info.fps,
            labels=(row["label"],),
            split="train",
            source=row["set"] + row["sequence"],
        )
        records.append(draft)
    labels = tuple(sorted({row["label"] for row in few}))
    manifest = Manifest(tmp_path / "m.jsonl", root, tuple(records), labels)
    report = check(manifest, CheckOptions(), workers=0, memory=tmp_path).report
    assert "none" in report.given_away
    assert report.giveaways is not None
    found = by_label(report.giveaways)["none"]
    assert (found.by, found.balanced_accuracy) == ("frame rate", 1.0)
    assert report.problems == ()
