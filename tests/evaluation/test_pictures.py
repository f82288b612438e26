"""Pictures are written whole, show what they are given, and survive any class name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyvirat.evaluation import pictures
from tinyvirat.evaluation.calibration import reliability
from tinyvirat.evaluation.metrics import single_label

NAMES = (
    "walk",
    r"cost $5 \wrong^$",
    "a very long name that no axis could ever hold",
    "new\nline",
    "e",
)


def case(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(30, 5)), np.eye(5)[rng.integers(0, 4, 30)]  # class 4 has no clips


def draw(path: Path, which: str, seed: int = 0) -> Path:
    logits, targets = case(seed)
    if which == "confusion":
        return pictures.confusion_picture(path, single_label(logits, targets, NAMES))
    if which == "curves":
        return pictures.precision_recall_picture(path, logits, targets, NAMES)
    if which == "reliability":
        result = reliability(logits, targets, NAMES, multi_label=True)
        return pictures.reliability_picture(path, result, title="i3d $^$")
    values = [0.5, None, 0.1 * seed, 1.0, 0.0]
    both = {"second": values[::-1], "names": ("a", "b")} if which == "two bars" else {}
    return pictures.class_bars_picture(path, NAMES, values, [9, 1, 5, 0, 3], label="F1", **both)


ALL = ("confusion", "curves", "reliability", "bars", "two bars")


@pytest.mark.parametrize("which", ALL)
def test_a_picture_is_drawn_whole_and_alone(tmp_path: Path, which: str) -> None:
    path = tmp_path / "new" / "picture.png"
    assert draw(path, which) == path
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]
    with Image.open(path) as image:
        image.load()
        assert min(image.size) > 200
        assert len(image.convert("RGB").getcolors(1 << 20) or []) > 20


@pytest.mark.parametrize("which", ["confusion", "bars"])
def test_other_results_give_another_picture_and_the_same_the_same(
    tmp_path: Path, which: str
) -> None:
    seeds = (0, 0, 1)
    files = [draw(tmp_path / f"{n}.png", which, s).read_bytes() for n, s in enumerate(seeds)]
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_a_picture_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = draw(tmp_path / "p.png", "bars")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="as many values"):
        pictures.class_bars_picture(path, ("a", "b"), [1.0], [1, 2], label="F1")
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_only_png(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.png"):
        draw(tmp_path / "p.svg", "bars")


def test_no_class_has_positives(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    pictures.precision_recall_picture(path, np.zeros((3, 2)), np.zeros((3, 2)), ("a", "b"))
    assert path.is_file()


def test_many_classes(tmp_path: Path) -> None:
    names = tuple(f"class number {k}" for k in range(45))
    targets = np.eye(45)
    path = pictures.confusion_picture(tmp_path / "c.png", single_label(targets, targets, names))
    with Image.open(path) as image:
        assert 1500 < max(image.size) < 4000
