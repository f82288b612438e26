"""An archive on many machines: what a cluster gives, and what becomes of workers that die."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinyvirat.recognition.archive import cluster
from tinyvirat.recognition.archive.actor import Begun, Refused
from tinyvirat.recognition.archive.cluster import ATTEMPTS, RayCrew, Share
from tinyvirat.recognition.archive.records import ArchiveError, Job, Outcome

from .conftest import bytes_of, lasting, plan_of


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_cluster_gives_the_same_bytes_although_a_worker_is_killed(
    videos: Path, model: Path, whole_out: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    script = Path(__file__).parent / "on_ray.py"
    run = subprocess.run(
        [sys.executable, str(script), str(videos), str(model), str(out)],
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["killed"], "nobody was killed"
    assert told["attempts"].pop("a_long_mp4") == 2
    assert set(told["attempts"].values()) == {1} and len(told["attempts"]) == 5
    assert list(told["failed"]) == ["broken_mp4"]
    assert set(told["threads"].values()) == {1}
    assert bytes_of(out) == bytes_of(whole_out)
    assert lasting(out) == lasting(whole_out)
    assert not list((out / ".archive" / "work").iterdir())


class FakeError(Exception):
    """Any of Ray's errors."""


class FakeActor:
    """A worker that answers as it is told to, or dies."""

    def __init__(self, ray: FakeRay, number: int) -> None:
        self.number = number
        self.alive = True
        for name in ("begin", "recognize", "at"):
            call = SimpleNamespace(remote=lambda *given, name=name: ray.call(self, name, given))
            setattr(self, name, call)


class FakeRay:
    """As much of Ray as is used: every call is answered at the next wait.

    Args:
        answers: what a worker's call gives, by its number, what is called and with what; an
            exception is its death.
        resources: of the cluster.
    """

    exceptions = SimpleNamespace(RayError=FakeError)

    def __init__(
        self, answers: Callable[[int, str, tuple[Any, ...]], Any], resources: dict[str, float]
    ) -> None:
        self.actors: list[FakeActor] = []
        self.options: list[dict[str, Any]] = []
        self.most = 0
        self._answers = answers
        self._resources = resources
        self._calls: dict[object, tuple[FakeActor, str, tuple[Any, ...]]] = {}

    def cluster_resources(self) -> dict[str, float]:
        return self._resources

    def remote(self, **options: Any) -> Callable[[type], Any]:
        self.options.append(options)
        return lambda _kind: SimpleNamespace(remote=self._made)

    def _made(self, *_given: object) -> FakeActor:
        self.actors.append(FakeActor(self, len(self.actors)))
        self.most = max(self.most, sum(one.alive for one in self.actors))
        return self.actors[-1]

    def call(self, actor: FakeActor, name: str, given: tuple[Any, ...]) -> object:
        reference = object()
        self._calls[reference] = (actor, name, given)
        return reference

    def wait(self, calls: list[object], **_: object) -> tuple[list[object], list[object]]:
        return calls[:1], calls[1:]

    def get(self, call: object) -> Any:
        actor, name, given = self._calls.pop(call)
        answer = self._answers(actor.number, name, given)
        if isinstance(answer, Exception):
            actor.alive = False
            raise answer
        return answer

    def kill(self, actor: FakeActor) -> None:
        actor.alive = False


Ran = tuple[list[Outcome], FakeRay]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path) -> Callable[..., Ran]:
    """Runs five videos on a cluster that is none."""

    def ran(
        answers: Callable[[int, str, tuple[Any, ...]], Any],
        share: Share | None = None,
        **resources: float,
    ) -> Ran:
        ray = FakeRay(answers, {"CPU": 3.0} | resources)
        monkeypatch.setattr(cluster, "connected", lambda _address: ray)
        plan = plan_of(model, tmp_path / "out")
        jobs = [Job(f"{n}.mp4", tmp_path / f"{n}.mp4", f"{n}_mp4", 1) for n in "abcde"]
        (tmp_path / "out" / ".archive" / "work").mkdir(parents=True, exist_ok=True)
        given = RayCrew(plan, "auto", share).run(jobs, "mark", lambda *_: None)
        try:
            return [one for one in given if one is not None], ray
        finally:
            assert not any(actor.alive for actor in ray.actors), "a worker was left behind"

    return ran


def willing(number: int, name: str, given: tuple[Any, ...]) -> Any:
    """A worker that does what it should."""
    if name == "begin":
        return Begun(f"host{number}", "cpu", "float32")
    return Outcome(given[0], None) if name == "recognize" else (3, 10)


def names(outcomes: list[Outcome]) -> list[str]:
    return sorted(one.job.name for one in outcomes)


def test_every_video_is_given_out_once(run: Callable[..., Ran]) -> None:
    outcomes, ray = run(willing)
    assert names(outcomes) == ["a_mp4", "b_mp4", "c_mp4", "d_mp4", "e_mp4"]
    assert {one.attempts for one in outcomes} == {1}
    assert len(ray.actors) == ray.most == 3
    _, ray = run(willing, Share(workers=2))
    assert len(ray.actors) == 2
    _, ray = run(willing, CPU=64.0)
    assert len(ray.actors) <= 5


def test_a_dead_worker_is_replaced_and_its_video_done_by_another(run: Callable[..., Ran]) -> None:
    def dying(number: int, name: str, given: tuple[Any, ...]) -> Any:
        if name == "recognize" and number == 1:
            return FakeError("the node died")
        return willing(number, name, given)

    outcomes, ray = run(dying)
    assert sorted(one.attempts for one in outcomes) == [1, 1, 1, 1, 2]
    assert not any(one.error for one in outcomes)
    assert len(ray.actors) == 4 and ray.most == 3


def test_a_video_that_kills_every_worker_ends_alone(run: Callable[..., Ran]) -> None:
    def poisoned(number: int, name: str, given: tuple[Any, ...]) -> Any:
        if name == "recognize" and given[0].name == "b_mp4":
            return FakeError("SIGSEGV in the decoder\nmore")
        return willing(number, name, given)

    outcomes, _ = run(poisoned)
    assert len(outcomes) == 5
    (failed,) = [one for one in outcomes if one.error]
    assert failed.job.name == "b_mp4" and failed.attempts == ATTEMPTS
    assert "lost its worker 3 times" in failed.error and "SIGSEGV in the decoder" in failed.error


def test_workers_that_never_come_up_end_it_with_a_sentence(run: Callable[..., Ran]) -> None:
    begun: list[int] = []

    def stillborn(number: int, name: str, given: tuple[Any, ...]) -> Any:
        begun.append(number)
        return FakeError("in the creation task\nModuleNotFoundError: No module named 'tinyvirat'")

    with pytest.raises(ArchiveError, match=r"do not come up: .*No module named.*every machine"):
        run(stillborn)
    assert len(begun) == ATTEMPTS


def test_a_machine_that_is_not_fit_ends_it_with_its_sentence(run: Callable[..., Ran]) -> None:
    def unfit(number: int, name: str, given: tuple[Any, ...]) -> Any:
        if name == "begin" and number == 2:
            return Refused("host2: does not see /out")
        return willing(number, name, given)

    with pytest.raises(ArchiveError, match="host2: does not see /out"):
        run(unfit)


def test_the_first_machine_decides_in_what_all_compute(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    asked: dict[int, str] = defaultdict(str)

    def deciding(number: int, name: str, given: tuple[Any, ...]) -> Any:
        if name == "begin":
            asked[number] = given[2]
            return Begun("host", "cpu", "bfloat16" if number == 0 else "wrong")
        return willing(number, name, given)

    ray = FakeRay(deciding, {"CPU": 2.0})
    monkeypatch.setattr(cluster, "connected", lambda _address: ray)
    plan = plan_of(model, tmp_path).__class__(tmp_path, str(model))
    (tmp_path / ".archive" / "work").mkdir(parents=True)
    jobs = [Job(n, tmp_path / n, n, 1) for n in "abcde"]
    assert len([one for one in RayCrew(plan, "x").run(jobs, "m", lambda *_: None) if one]) == 5
    assert asked == {0: "auto", 1: "bfloat16"}


@pytest.mark.parametrize(
    ("share", "cpus", "gpus", "workers", "each"),
    [
        (Share(), 8, 0, 8, 0.0),
        (Share(cpus=3), 8, 0, 2, 0.0),
        (Share(), 8, 2, 2, 1.0),
        (Share(gpus=0.5), 8, 2, 4, 0.5),
        (Share(gpus=0.4), 8, 2, 4, 0.4),
        (Share(gpus=0), 8, 2, 8, 0.0),
        (Share(gpus=2), 8, 5, 2, 2.0),
        (Share(gpus=0.1), 8, 2, 8, 0.1),
        (Share(workers=3), 8, 0, 3, 0.0),
        (Share(workers=30), 8, 0, 8, 0.0),
    ],
)
def test_what_the_cluster_has_room_for(
    share: Share, cpus: int, gpus: int, workers: int, each: float
) -> None:
    assert share.fits(cpus, gpus) == (workers, each)


def test_shares_that_cannot_be() -> None:
    for wrong in ({"workers": 0}, {"cpus": 0}, {"gpus": -1}, {"gpus": 1.5}):
        with pytest.raises(ArchiveError, match=next(iter(wrong))):
            Share(**wrong)
    with pytest.raises(ArchiveError, match="ask for less"):
        Share(gpus=1).fits(8, 0)
    with pytest.raises(ArchiveError, match="ask for less"):
        Share(cpus=16).fits(8, 0)
