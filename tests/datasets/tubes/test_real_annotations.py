"""Plans of VIRAT's real annotations, and the tables made of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tinyvirat.annotations import Annotations, read_annotations
from tinyvirat.datasets.tubes import BuildRules, plan_video, read_rules, select

REPOSITORY = Path(__file__).parents[3]
REAL = "VIRAT_S_010005_04_000299_000323"
SIZE, FRAMES = (1280, 720), 493


@pytest.fixture(scope="module")
def real(shared: Path) -> Annotations:
    """The annotations of the one video that is at hand."""
    return read_annotations(shared / "data" / "virat" / "annotations", clip=REAL)


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The script that makes the tables."""
    path = REPOSITORY / "benchmarks" / "plan_statistics.py"
    spec = importlib.util.spec_from_file_location("plan_statistics", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_real_clip_gives_clips_that_show_the_annotated_person(real: Annotations) -> None:
    rules = read_rules(None, ["select.min_samples=1"])
    plan = plan_video(real, rules, "train", SIZE, FRAMES)
    clips = select([plan], rules)
    (activity,) = real.activities
    assert activity.label == "carry"
    assert [one.tube.labels for one in clips] == [("carry",)] * len(clips)
    shown = [t for one in clips for t in range(one.tube.start, one.tube.stop)]
    assert shown == list(range(activity.start, activity.stop))
    person = real.track_of[activity.actors[0]]
    boxes = dict(zip(person.frames_T.tolist(), person.boxes_T4, strict=True))
    for clip in clips:
        assert clip.tube.tracks == (person.id,)
        assert 60 <= clip.side <= 90  # somebody about 60 pixels tall
        for t, window in enumerate(clip.windows_T4, start=clip.tube.start):
            box = np.clip(boxes[t], 0, [*SIZE, *SIZE])
            assert (window[:2] <= box[:2]).all()
            assert (window[2:] >= box[2:]).all()
            assert window.min() >= 0
            assert (window[2:] <= SIZE).all()


@pytest.fixture(scope="module")
def folders(shared: Path, benchmark: ModuleType) -> tuple[object, object]:
    """DIVA's and VIRAT's own annotations."""
    virat = shared / "data" / "virat"
    return benchmark.Folder(virat / "kpf"), benchmark.Folder(virat / "annotations")


def test_every_annotation_at_hand_can_be_planned(folders: tuple[ModuleType, ModuleType]) -> None:
    for folder in folders:
        plans = folder.plans(BuildRules())
        located = [clip for plan in plans for clip in plan.clips]
        assert len(plans) in (59, 30)
        assert located
        for clip in located:
            assert (clip.windows_T4[:, :2] <= clip.tube.boxes_T4[:, :2]).all()
            assert (clip.windows_T4[:, 2:] >= clip.tube.boxes_T4[:, 2:]).all()
            assert 10 <= clip.side <= 128
            assert 16 <= len(clip.windows_T4) <= 150
    kpf, _ = folders
    assert {kpf.splits.of(one.clip) for one in kpf.read} == {"train", "val"}
    assert {kpf.splits.origin(one.clip) for one in kpf.read} == {"folder"}
    # One activity a sequence has boxes; the others are told of, and are spans.
    assert all(
        "without a box in its span" in " ".join(p.problems)
        for p in kpf.plans(BuildRules())
        if len(p.unlocated) > 1
    )


def test_the_document_shows_what_is_built_now(
    shared: Path, folders: tuple[object, object], benchmark: ModuleType
) -> None:
    page = (REPOSITORY / "docs" / "build-tinyvirat.md").read_text(encoding="utf-8")
    excerpt = shared / "data" / "formats" / "tinyvirat_v2_val_excerpt.json"
    assert f"<!-- plan -->\n\n{benchmark.tables(*folders, excerpt)}\n<!-- /plan -->" in page, (
        "run benchmarks/plan_statistics.py again"
    )


def test_the_lengths_that_the_cutting_rule_goes_by(shared: Path) -> None:
    excerpt = shared / "data" / "formats" / "tinyvirat_v2_val_excerpt.json"
    lengths = [one["dim"][0] for one in json.loads(excerpt.read_text(encoding="utf-8"))]
    assert len(lengths) == 24
    assert max(lengths) == 147
    assert sum(123 <= length <= 147 for length in lengths) == 10
    assert max(map(lengths.count, lengths)) == 2
