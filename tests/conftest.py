"""Fixtures of the whole suite, and the one rule for data that only some machines have."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Parallel tests share the cores: one thread each is faster than several that wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _fresh_accelerator() -> Iterator[None]:
    """Accelerate keeps its precision for the life of a process: who trains next begins anew."""
    yield
    if (state := sys.modules.get("accelerate.state")) is not None:
        state.AcceleratorState._reset_state()
        state.PartialState._reset_state()


REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared"


def _absent(what: str) -> None:
    """Skips with the reason, or fails where the machine was promised to have `what`."""
    if os.environ.get("TINYVIRAT_REQUIRE_SHARED") == "1":
        pytest.fail(f"{what} is absent although TINYVIRAT_REQUIRE_SHARED=1")
    pytest.skip(f"{what} is absent: it is research data that does not ship with the package")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and annotations beside the checkout."""
    if not SHARED.is_dir():
        _absent(str(SHARED))
    return SHARED
