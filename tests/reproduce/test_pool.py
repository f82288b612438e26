"""Tasks in their order, their failures, and several processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.common.errors import TinyviratError
from tinyvirat.reproduce import pool
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.pool import carry_out, gpus
from tinyvirat.reproduce.trainings import Training
from tinyvirat.reproduce.variants import Variant
from tinyvirat.reproduce.work import Place, Task

from ..training.small import RECIPE, without
from .pool_work import die, meet, trace, traces_in
from .small import sources_of

ALONE = replace(without(RECIPE, 1, 2), super_resolution=None)


def training(name: str, after: Training | None = None) -> Training:
    return Training(replace(ALONE, name=name), after)


FIRST = training("first")
SECOND = training("second", FIRST)
OTHER = training("other")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(sources_of(tmp_path / "m.jsonl"), tmp_path / "runs")


def names(tasks: list[Task]) -> list[str]:
    return [task.training.recipe.name + ("!" if task.variant else "") for task in tasks]


def run(tasks: list[Task], place: Place, work: Any = trace) -> tuple[list[str], list[str], Any]:
    """What was done in which order, what was said, and what failed."""
    done: list[Task] = []
    said: list[str] = []

    def noted(task: Task, where: Place) -> None:
        work(task, where)
        done.append(task)

    failures = carry_out(tasks, place, said.append, work=noted)
    return names(done), said, failures


class TestOneAfterAnother:
    def test_in_the_order_given(self, place: Place) -> None:
        tasks = [Task(FIRST), Task(SECOND), Task(SECOND, Variant()), Task(OTHER)]
        done, said, failures = run(tasks, place)
        assert done == ["first", "second", "second!", "other"]
        assert said[0].startswith("[1 of 4] train first at 8 px, seed 0 (")
        assert said[2].startswith("[3 of 4] test second at 8 px, seed 0 (")
        assert failures == []

    def test_the_same_task_is_done_once(self, place: Place) -> None:
        assert run([Task(FIRST), Task(FIRST)], place)[0] == ["first"]

    def test_what_is_needed_comes_first(self, place: Place) -> None:
        assert run([Task(SECOND), Task(FIRST)], place)[0] == ["first", "second"]

    def test_what_is_done_is_left_alone(self, place: Place) -> None:
        folder = place.folder(FIRST)
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "model.json").touch()
        (folder / "summary.json").write_text('{"complete": true}', encoding="utf-8")
        assert run([Task(FIRST), Task(SECOND)], place)[0] == ["second"]
        (folder / "summary.json").write_text('{"complete": false}', encoding="utf-8")
        assert run([Task(FIRST)], place)[0] == ["first"]
        (folder / "summary.json").write_text("{", encoding="utf-8")
        with pytest.raises(ReproduceError, match=r"summary.json: damaged .*delete the folder"):
            run([Task(FIRST)], place)

    def test_an_evaluation_is_done_when_its_facts_are_there(self, place: Place) -> None:
        folder = place.folder(FIRST) / "evaluation_at_4"
        folder.mkdir(parents=True)
        tasks = [Task(FIRST, Variant(size=4)), Task(FIRST, Variant())]
        assert len(run(tasks, place)[0]) == 2
        (folder / "evaluation.json").touch()
        assert run(tasks, place)[0] == ["first!"]

    def test_a_failure_takes_what_needs_it_and_nothing_else(self, place: Place) -> None:
        fails = training("fails")
        after = training("after", fails)
        tasks = [Task(fails), Task(after), Task(after, Variant()), Task(OTHER)]
        done, said, failures = run(tasks, place)
        assert done == ["other"]
        assert names([one.task for one in failures]) == ["fails", "after", "after!"]
        assert isinstance(failures[0].error, TinyviratError)
        assert [one.error for one in failures[1:]] == [None, None]
        assert any(
            s.startswith("failed: train fails at") and s.endswith(": it was asked to") for s in said
        )

    def test_a_teacher_is_needed_too(self, place: Place) -> None:
        taught = Training(SECOND.recipe, FIRST, training("fails"))
        assert [*taught.needed()] == [FIRST, training("fails"), taught]
        tasks = [Task(one) for one in taught.needed()]
        done, _, failures = run([*tasks, Task(taught, Variant())], place)
        assert done == ["first"]
        assert names([one.task for one in failures]) == ["fails", "second", "second!"]

    def test_a_defect_is_kept_as_it_is(self, place: Place) -> None:
        _, _, failures = run([Task(training("breaks")), Task(OTHER)], place)
        assert isinstance(failures[0].error, KeyError)

    def test_an_interrupt_ends_it_all(self, place: Place) -> None:
        def interrupted(task: Task, where: Place) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run([Task(FIRST), Task(OTHER)], place, interrupted)


class TestSideBySide:
    def test_each_process_has_a_gpu_of_its_own(self, place: Place) -> None:
        said: list[str] = []
        tasks = [Task(FIRST), Task(OTHER), Task(training("fails"))]
        failures = carry_out(tasks, place, said.append, devices=("3", "5"), work=meet)
        seen = {path.name: path.read_text(encoding="utf-8") for path in traces_in(place.runs)}
        assert sorted(seen) == ["first", "other"]
        assert sorted(seen.values()) == ["3", "5"]
        for name, device in seen.items():  # progress is in a file of each
            log = (place.runs / f"gpu-{device}.log").read_text(encoding="utf-8")
            assert f"at {name}\n" in log
        assert [str(one.error) for one in failures] == ["it was asked to"]

    def test_a_killed_process_is_told(self, place: Place) -> None:
        with pytest.raises(ReproduceError, match="ended from outside"):
            carry_out([Task(FIRST)], place, lambda _: None, devices=("3",), work=die)


def test_gpus_are_those_that_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pool.VISIBLE, raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert gpus() == ("0", "1", "2")
    assert gpus(cpu=True) == ()
    monkeypatch.setenv(pool.VISIBLE, "2,GPU-abc")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert gpus() == ("2", "GPU-abc")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert gpus() == ()
