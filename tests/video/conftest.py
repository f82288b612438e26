"""The two decoders as a fixture: what holds for one must hold for the other."""

from __future__ import annotations

from typing import Any

import pytest

from tinyvirat.video import decoders


@pytest.fixture(params=["pyav", "torchcodec"])
def decoder(request: pytest.FixtureRequest) -> Any:
    """The name of a decoder that works here."""
    trouble = decoders()[request.param]
    if trouble is not None:
        pytest.skip(f"{request.param}: {trouble}")
    return request.param
