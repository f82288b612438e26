"""The command line as a user meets it: finding commands, exit codes, and what goes where."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

from tinyvirat import __version__
from tinyvirat.cli import commands, main
from tinyvirat.common.errors import TinyviratError


def prepare_folder(root: Path, *, short_side: int = 112) -> int | None:
    """Prepare a folder.

    Args:
        root: the folder.
        short_side: pixels.
    """
    if root == Path("bad"):
        raise TinyviratError("labels.txt, line 3: 'wlak\x1b[2J' is unknown\nremedy: write 'walk'")
    if root == Path("slow"):
        raise KeyboardInterrupt
    if root == Path("defect"):
        raise ZeroDivisionError("a defect")
    sys.stdout.write(f"{root} {short_side}\n")
    return 3 if root == Path("three") else None


@pytest.fixture(autouse=True)
def tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small tree of commands in place of the real one."""
    module = types.ModuleType("commands_of_this_test")
    module.prepare_folder = prepare_folder
    monkeypatch.setitem(sys.modules, module.__name__, module)
    target = "commands_of_this_test:prepare_folder"
    monkeypatch.setattr(
        commands,
        "COMMANDS",
        {
            "data prepare folder": (target, "prepare a folder"),
            "data check": (target, "check a manifest"),
            "models": ("no.such.module:models", "list models"),
        },
    )
    monkeypatch.setattr(commands, "GROUPS", {"data": "make data", "data prepare": "make manifests"})


def test_a_nested_command_gets_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "prepare", "folder", "clips", "--short-side", "56"]) == 0
    assert capsys.readouterr() == ("clips 56\n", "")


def test_a_command_chooses_its_exit_code() -> None:
    assert main(["data", "check", "three"]) == 3


def test_a_users_mistake_is_one_printable_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "bad"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "tinyvirat: error: labels.txt, line 3: 'wlak\\x1b[2J' is unknown\\nremedy: write 'walk'\n"
    )


def test_a_long_message_is_not_wrapped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: str) -> None:
        raise TinyviratError(root)

    monkeypatch.setattr(sys.modules["commands_of_this_test"], "prepare_folder", fail)
    assert main(["data", "check", "x" * 500]) == 1
    assert capsys.readouterr().err == f"tinyvirat: error: {'x' * 500}\n"


def test_an_interrupt_exits_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "slow"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_defect_shows_itself() -> None:
    with pytest.raises(ZeroDivisionError):
        main(["data", "check", "defect"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["modles"], "did you mean 'tinyvirat models'?"),
        (["data", "chek"], "tinyvirat data: error: 'chek' is not a command, did you mean "),
        (["folder"], "did you mean 'tinyvirat data prepare folder'?"),
        (["zzz"], "tinyvirat: error: 'zzz' is not a command\n"),
        (["--version", "models"], "'--version' is not a command"),
        ([], "usage: tinyvirat [--help] [--version] COMMAND ..."),
        (["data"], "usage: tinyvirat data [--help] COMMAND ..."),
    ],
)
def test_a_wrong_command_exits_with_2_and_a_suggestion(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


def test_wrong_arguments_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["data", "check", "clips", "--short-sied", "3"])
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--short-sied: did you mean --short-side?" in err


def test_help_lists_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    top = capsys.readouterr().out
    assert "  data    make data\n  models  list models\n" in top
    assert "folder" not in top
    assert main(["data", "-h"]) == 0
    below = capsys.readouterr().out
    assert "Make data" in below
    assert "  prepare  make manifests\n  check    check a manifest\n" in below


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tinyvirat {__version__}\n"


@pytest.mark.parametrize(
    "body",
    [
        "while True: sys.stdout.write('row\\n' * 1000)",
        "print('row', flush=True); sys.stdin.read(); print('one more')",
    ],
)
def test_a_reader_that_goes_away_is_no_error(body: str) -> None:
    code = (
        "import sys; from tinyvirat import cli\n"
        f"def run(words):\n    {body}\n    return 0\n"
        "cli._run = run\n"
        "sys.exit(cli.main([]))"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


def test_the_module_runs_as_the_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tinyvirat", "doctr"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "did you mean 'tinyvirat doctor'?" in done.stderr
