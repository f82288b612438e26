"""Locks: one process at a time, and none that is dead."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import locked

BUSY = TinyviratError("somebody is there")
KILLED = """
import os, signal, sys, time
from pathlib import Path
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import locked

with locked(Path(sys.argv[1]), TinyviratError("busy")):
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(said, b"!")
        time.sleep(60)
        os._exit(0)
    os.read(heard, 1)  # it runs now
    print(child, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with locked(path, BUSY):
        with pytest.raises(TinyviratError, match="somebody is there"), locked(path, BUSY):
            raise AssertionError
        with locked(tmp_path / "another", BUSY):
            pass
    with locked(path, BUSY):
        pass


def test_an_error_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), locked(tmp_path / "lock", BUSY):
        raise ValueError("inside")
    with locked(tmp_path / "lock", BUSY):
        pass


def test_a_killed_process_holds_nothing_nor_do_those_that_it_forked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    words = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.wait(60)
        try:
            os.kill(child, 0)  # it is alive
            with locked(path, BUSY):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(("number", "goes_on"), [(errno.ENOLCK, True), (errno.EIO, False)])
def test_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, goes_on: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("fcntl.flock", refuse)
    entered = False
    try:
        with locked(tmp_path / "lock", BUSY):
            entered = True
    except OSError as error:
        assert error.errno == number
    assert entered is goes_on
