"""Stand-ins of the paper's data sets, and what keeps tests of whole tables short."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.models.zoo import Cost
from tinyvirat.training.journal import environment
from tinyvirat.training.recipe import Recipe

from ..datasets.published.stand_ins import write_hmdb51, write_tinyvirat, write_ucf101
from .small import write_large

SEEN: set[object] = set()
ROOT = str(Path(__file__).parent.parent.parent)


@pytest.fixture(scope="session", autouse=True)
def _importable() -> Iterator[None]:
    """Lets other processes import these tests by name."""
    sys.path.append(ROOT)
    yield
    sys.path.remove(ROOT)


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By table, its data set's folder; `large` is a manifest of clips that give pairs."""
    root = tmp_path_factory.mktemp("roots")
    ucf = write_ucf101(root / "ucf101", ("Archery", "Surfing"), groups=(1, 2, 8, 9), frames=9)
    hmdb = write_hmdb51(root / "hmdb51", ("brush_hair", "wave"), films=4, clips=1, frames=9)
    tiny = write_tinyvirat(root / "tinyvirat", 1, videos=2, clips=2, frames=9)
    large = write_large(root / "large")
    return {"table2": tiny, "table3": hmdb, "table4": ucf, "table5": tiny, "large": large}


@pytest.fixture(scope="module", autouse=True)
def _checked_once() -> Iterator[None]:
    """Looks at each network of a recipe once: the same few stand in hundreds of recipes."""
    patch = pytest.MonkeyPatch()
    check = Recipe._check_network

    def once(self: Recipe, config: Any) -> None:
        one = self.phase1
        growing = one and (len(one.steps or one.epochs), one.random_entries)
        key = (config, self.clips.frames, self.clips.size, self.clips.full, growing)
        if key not in SEEN:
            check(self, config)
            SEEN.add(key)

    patch.setattr(Recipe, "_check_network", once)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def hurried() -> Iterator[None]:
    """Leaves out what takes longer than the training: drawing, looking, counting, flushing."""
    patch = pytest.MonkeyPatch()
    patch.setattr("tinyvirat.training.run.draw_curves", lambda run: None)
    patch.setattr("tinyvirat.training.run.cost_of", lambda config, side, frames: Cost(0, 0.0))
    patch.setattr("tinyvirat.reproduce.estimate.cost_of", lambda config, side, frames: Cost(7, 0.5))
    patch.setattr("os.fsync", lambda file: None)
    patch.setattr("tinyvirat.training.observe.Observer.end", lambda *_: None)
    made_with = environment()  # it asks git, twice
    for module in ("training.run", "reproduce.work"):
        patch.setattr(f"tinyvirat.{module}.environment", lambda: dict(made_with))
    for name in (
        "reliability_picture",
        "confusion_picture",
        "class_bars_picture",
        "precision_recall_picture",
    ):
        patch.setattr(f"tinyvirat.evaluation.pictures.{name}", lambda path, *_, **__: path)
    yield
    patch.undo()
