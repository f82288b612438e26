"""The stand-ins, made once; tests that change one take a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .stand_ins import write_hmdb51, write_tinyvirat, write_ucf101

Copy = Callable[[str], Path]


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ucf101`, `hmdb51`, `v1` and `v2`. Do not change the files."""
    root = tmp_path_factory.mktemp("published")
    write_ucf101(root / "ucf101", groups=(1, 2, 8, 9, 15, 22), frames=4)
    write_hmdb51(root / "hmdb51", frames=4)
    write_tinyvirat(root / "v1", 1)
    write_tinyvirat(root / "v2", 2)
    return root


@pytest.fixture
def copy(stand_ins: Path, tmp_path: Path) -> Copy:
    """`copy("ucf101")` gives a copy that may be changed; times of change are kept."""

    def make(name: str) -> Path:
        return Path(shutil.copytree(stand_ins / name, tmp_path / name))

    return make
