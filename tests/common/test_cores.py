"""How many cores there are for this process."""

from __future__ import annotations

import os

import pytest

from tinyvirat.cli.bench import _threads
from tinyvirat.common.cores import usable_cores
from tinyvirat.video.decoding import MOST_THREADS, SMALL_PIXELS, chosen_threads


def test_cores_that_others_have_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3}, raising=False)
    assert usable_cores() == 2
    assert chosen_threads(SMALL_PIXELS + 1) == min(2, MOST_THREADS)
    assert _threads(None) == 2


@pytest.mark.parametrize(("said", "cores"), [(6, 6), (None, 1)])
def test_where_that_cannot_be_asked_all_count(
    said: int | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: said)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores() == cores
