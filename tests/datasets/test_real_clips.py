"""The whole way on real clips: folder, manifest, cache, batches, pairs."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import torch

from tinyvirat.cli.data import prepare_folder
from tinyvirat.datasets import read_manifest
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.degrade import Degrade
from tinyvirat.datasets.loading import BatchPlan, ClipDataset, ClipLoader
from tinyvirat.video.sampling import RandomWindow


def test_real_clips_from_folder_to_pairs(shared: Path, tmp_path: Path) -> None:
    root = shared / "data" / "ut_interaction" / "set2"
    prepare_folder(root, out=tmp_path / "m.jsonl")
    manifest = read_manifest(tmp_path / "m.jsonl", root=root)
    with (root.parent / "clips.csv").open(newline="") as file:
        listed = [row for row in csv.DictReader(file) if row["set"] == "set2"]
    found = Counter(record.labels[0] for record in manifest.records)
    assert found == Counter(row["label"] for row in listed)

    train = manifest.of("train")
    sampler = RandomWindow(length=16)
    plan = BatchPlan(len(train), 8, seed=1)
    cache = FrameCache(tmp_path / "cache")
    decoding = ClipLoader(ClipDataset(manifest, train, sampler, short_side=64), plan)
    caching = ClipLoader(ClipDataset(manifest, train, sampler, short_side=64, cache=cache), plan)
    batch, cached = next(decoding.epoch(2)), next(caching.epoch(2))
    assert torch.equal(batch.levels, cached.levels)
    assert cache.counts.filled == len(batch) == 8
    pairs = Degrade(short_side=64, crop=56, low=14)(batch.clips, batch.seeds)
    assert pairs.high_BCTHW.shape == (8, 3, 16, 56, 56)
    assert pairs.low_BCTHW.shape == (8, 3, 16, 14, 14)
    assert float(pairs.high_BCTHW.std()) > 0.1  # pictures, not emptiness
