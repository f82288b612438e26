"""Three rendered videos with written annotations, and the data set that is built of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.annotations import Annotations
from tinyvirat.annotations.kpf import write_kpf
from tinyvirat.datasets.build.run import Built, build, plan_build
from tinyvirat.datasets.simulate import SceneConfig, read_truth, write_scene
from tinyvirat.datasets.tubes import BuildRules, read_rules

CAST = ("activity_walking", "activity_carrying", "Talking")
FRAMES = 48
RULES = read_rules(None, ["select.min_samples=1", "cut.longest=32"])


class Here:
    """Does the work in this process, one job after the other."""

    progress = 0

    def run(
        self, function: Callable[[Any], Any], jobs: Sequence[Any]
    ) -> Generator[tuple[int, Any] | None]:
        for number, job in enumerate(jobs):
            yield None
            yield number, function(job)


@dataclass(frozen=True)
class Source:
    """Videos, their annotations in two formats, and what is true of them."""

    videos: Path
    kpf: Path
    truth: dict[str, Annotations]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Three videos. Do not change the files."""
    root = tmp_path_factory.mktemp("source")
    truth = {}
    for seed in range(3):
        name = f"VIRAT_S_00010{seed}_00_000000_000002"
        config = SceneConfig(
            seed=seed,
            width=192,
            height=144,
            actor_height=(14.0, 48.0),
            frames=FRAMES,
            fps=Fraction(30000, 1001),
            cast=CAST,
            crf=12,
        )
        scene = read_truth(write_scene(config, root / "scenes" / name))
        (root / "videos").mkdir(exist_ok=True)
        scene.video.replace(root / "videos" / f"{name}.mp4")
        truth[name] = Annotations(name, scene.tracks, scene.activities)
        write_kpf(root / "kpf", truth[name], fps=config.fps)
    return Source(root / "videos", root / "kpf", truth)


def built(
    videos: Path,
    annotations: Path,
    out: Path,
    rules: BuildRules = RULES,
    workers: Any = None,
    **options: Any,
) -> Built:
    """Plans and builds, in this process unless `workers` are given."""
    workers = workers or Here()
    plan = plan_build(annotations, videos, rules, workers, lenient=options.pop("lenient", False))
    return build(plan, out, rules, workers, **options)


@pytest.fixture(scope="session")
def clean(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The data set, built without any disturbance. Do not change the files."""
    return built(source.videos, source.kpf, tmp_path_factory.mktemp("clean") / "set")


def bytes_of(folder: Path) -> dict[str, str]:
    """Every file of a data set and the hash of its bytes; what is hidden is left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }
