"""Children that crash, hang, babble or end: a reason each, and nobody else is hurt."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.benchmark.children import Child, ChildError
from tinyvirat.benchmark.turns import Pace, Party

BEGINNING = """
import json, os, signal, sys, time
job = json.loads(sys.stdin.readline())
def say(**data): print(json.dumps(data), flush=True)
"""
STEADY = """
say(prepare_seconds=0.5)
for line in sys.stdin:
    order = json.loads(line)
    say(seconds=job["slow"] * order["size"], memory_mb=10.0 + order["size"])
"""


def child(text: str, *, seconds: float = 20.0, **job: Any) -> Child:
    """A child that runs a few lines of Python instead of measuring."""
    command = (sys.executable, "-S", "-c", BEGINNING + text)
    return Child(job, threads=1, seconds=seconds, command=command)


def test_a_child_is_told_its_job_and_answers() -> None:
    with child(STEADY, slow=0.25) as one:
        assert one.ready() == {"prepare_seconds": 0.5}
        assert one.work(size=2) == {"seconds": 0.5, "memory_mb": 12.0}
        assert one.work(size=4)["seconds"] == 1.0


def test_threads_are_set_before_anything_is_loaded() -> None:
    text = "say(threads=os.environ['OMP_NUM_THREADS'], told=job['threads'])"
    with child(text) as one:
        assert one.ready() == {"threads": "1", "told": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL: perhaps out of memory"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("sys.exit('no such engine')", "ended with code 1: no such engine"),
        ("os._exit(3)", "ended with code 3"),
        ("say(error='ValueError: too small')", "ValueError: too small"),
        ("raise RuntimeError('x' * 100_000 + ' the end')", "the end"),
    ],
)
def test_a_child_that_fails_says_why(text: str, reason: str) -> None:
    with child(text) as one, pytest.raises(ChildError, match=reason) as caught:
        one.ready()
    assert len(str(caught.value)) < 400


def test_a_child_that_hangs_is_ended_with_all_that_it_started() -> None:
    text = """
import subprocess
sleeper = subprocess.Popen(["sleep", "600"])
say(sleeper=sleeper.pid)
time.sleep(600)
"""
    with child(text, seconds=5.0) as one:
        sleeper = one.ready()["sleeper"]
        one.seconds = 0.2
        began = time.monotonic()
        with pytest.raises(ChildError, match="took longer than 0 s"):
            one.work(size=1)
        assert time.monotonic() - began < 5
    for _ in range(100):
        if not _runs(sleeper):
            break
        time.sleep(0.05)
    assert not _runs(sleeper)


def _runs(process: int) -> bool:
    """Whether a process runs: one that nobody has asked after its end does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_everybody_takes_turns_and_who_fails_leaves_the_others_alone() -> None:
    crash = "say()\nsys.stdin.readline()\nos.kill(os.getpid(), signal.SIGABRT)"
    late = """
say()
for number, line in enumerate(sys.stdin):
    order = json.loads(line)
    if order["size"] > 1: sys.exit("too large")
    say(seconds=0.125, memory_mb=1.0)
"""
    children = {
        "quick": child(STEADY, slow=0.25),
        "slow": child(STEADY, slow=0.5),
        "crashes": child(crash),
        "never": child("os._exit(1)"),
        "late": child(late),
    }
    try:
        found = Party(children, Pace(turns=3, batches=(1, 4))).play({"slow": (2, 2)})
    finally:
        for one in children.values():
            one.close()
    assert found["quick"].seconds == {1: [0.25] * 3, 4: [1.0] * 3}
    assert found["quick"].best() == (1, 0.25)
    assert found["quick"].memory_mb == 11.0
    assert found["slow"].seconds == {2: [1.0] * 6}
    assert found["slow"].best() == (2, 0.5)
    assert "SIGABRT" in (found["crashes"].reason or "")
    assert found["never"].reason == "ended with code 1"
    assert found["crashes"].best() is found["never"].best() is None
    assert found["late"].reason is None, "what it did before it failed counts"
    assert found["late"].seconds == {1: [0.125] * 3}


def test_turns_are_taken_one_after_another() -> None:
    """A, B, A, B, ..., so that what disturbs the machine disturbs both."""
    moments = """
say()
for line in sys.stdin:
    say(seconds=time.monotonic(), memory_mb=0.0)
    time.sleep(0.01)
"""
    children = {name: child(moments) for name in "ab"}
    try:
        found = Party(children, Pace(turns=4, batches=(1,))).play()
    finally:
        for one in children.values():
            one.close()
    first, second = found["a"].seconds[1], found["b"].seconds[1]
    both = [moment for pair in zip(first, second, strict=True) for moment in pair]
    assert both == sorted(both)


def test_who_has_used_up_the_budget_sits_out_after_two_turns() -> None:
    text = """
say()
for line in sys.stdin:
    time.sleep(1.2)
    say(seconds=0.1, memory_mb=0.0)
"""
    with child(text) as slow, child(STEADY, slow=0.1) as quick:
        pace = Pace(turns=6, batches=(1,), budget=2.0)
        found = Party({"slow": slow, "quick": quick}, pace).play()
    assert len(found["slow"].seconds[1]) == 2
    assert len(found["quick"].seconds[1]) == 6
