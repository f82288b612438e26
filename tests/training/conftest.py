"""Clips to train on, and the package's folder where forked processes find these tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import STAND_INS
from .small import write_clips

ROOT = str(Path(__file__).parent.parent.parent)


@pytest.fixture(scope="session", autouse=True)
def _importable() -> Iterator[None]:
    """Lets forked processes import `tests.training` by name."""
    sys.path.append(ROOT)
    yield
    sys.path.remove(ROOT)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes as long as the training: the curves, and the count of operations."""
    for name, stand_in in STAND_INS.items():
        monkeypatch.setattr(f"tinyvirat.training.run.{name}", stand_in)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of labelled clips of several sizes. Do not change the files."""
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of four training clips, none held out."""
    return write_clips(tmp_path_factory.mktemp("few"), splits={"train": 4})
