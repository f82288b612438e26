"""The two decoders as fixtures: what holds for one must hold for the other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinyvirat.video import decoders


@pytest.fixture(params=["pyav", "torchcodec"])
def decoder(request: pytest.FixtureRequest) -> str:
    """The name of a decoder that works here."""
    return working(request.param)


@pytest.fixture
def torchcodec() -> str:
    """The name of torchcodec, where it works: it needs FFmpeg, which pip does not bring."""
    return working("torchcodec")


def working(name: str) -> str:
    """Skips with the reason, or fails where the machine was promised to have torchcodec."""
    trouble = decoders()[name]
    if trouble is None:
        return name
    if name != "torchcodec" or os.environ.get("TINYVIRAT_REQUIRE_TORCHCODEC") == "1":
        pytest.fail(f"{name} does not work, although it must here: {trouble}")
    pytest.skip(f"{name}: {trouble}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests of one module encode their videos."""
    return tmp_path_factory.mktemp("videos")
