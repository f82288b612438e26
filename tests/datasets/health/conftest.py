"""A healthy data set, made once and copied for each test that spoils it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tinyvirat.datasets import ClipRecord

from .planted import healthy_records


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ClipRecord]]:
    """The files and records of a healthy data set. Do not change the files."""
    folder = tmp_path_factory.mktemp("healthy")
    return folder, healthy_records(folder)


@pytest.fixture
def clips(made: tuple[Path, list[ClipRecord]], tmp_path: Path) -> tuple[Path, list[ClipRecord]]:
    """A copy of the same that may be changed."""
    folder, records = made
    shutil.copytree(folder, tmp_path / "clips")
    return tmp_path / "clips", list(records)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps facts apart from those of the user who runs the tests."""
    monkeypatch.setenv("TINYVIRAT_CACHE", str(tmp_path / "cache"))
