"""Jobs in processes: one that brings its process down takes no other with it."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tinyvirat.datasets.build.records import BuildError
from tinyvirat.datasets.build.workers import Crashed, Processes, tell_progress
from tinyvirat.datasets.tubes import RulesError, read_rules

Work = Callable[[], object]


def results(jobs: list[Work], processes: int = 2) -> dict[int, object]:
    workers = Processes(processes)
    return dict(filter(None, workers.run(operator.call, jobs)))


def test_every_job_is_done() -> None:
    jobs: list[Work] = [partial(int, str(number)) for number in range(7)]
    assert results(jobs) == {number: number for number in range(7)}
    assert results([]) == {}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_crash_is_the_result_of_its_own_job_only(processes: int) -> None:
    jobs: list[Work] = [partial(int, str(number)) for number in range(6)]
    jobs[1] = partial(os._exit, 9)
    jobs[4] = partial(os.abort)
    found = results(jobs, processes)
    assert {number for number, one in found.items() if isinstance(one, Crashed)} == {1, 4}
    assert {n: one for n, one in found.items() if n not in (1, 4)} == {n: n for n in (0, 2, 3, 5)}


def test_a_user_s_error_comes_home_as_it_is(tmp_path: Path) -> None:
    jobs: list[Work] = [partial(int, "1"), partial(read_rules, tmp_path / "none.yml")]
    with pytest.raises(RulesError, match=r"none\.yml: there is no such file of rules"):
        results(jobs)


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        results([partial(operator.truediv, 1, 0)])


def test_progress_is_added_up() -> None:
    workers = Processes(2)
    jobs = [partial(tell_progress, number) for number in (5, 7, 30)]
    assert len(list(filter(None, workers.run(operator.call, jobs)))) == 3
    assert workers.progress == 42


def test_no_processes_are_an_error() -> None:
    with pytest.raises(BuildError, match="processes is 0"):
        Processes(0)
