"""Every command there is: it loads, it is quick to load, and its help is whole."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import docstring_parser
import pytest

from tinyvirat.cli import commands
from tinyvirat.cli.parser import parser_for

HEAVY = ("torch", "av", "matplotlib", "rich", "accelerate", "torchmetrics", "torchcodec")


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_the_help_of_every_command_is_whole(name: str) -> None:
    function = commands.load(name)
    documentation = docstring_parser.parse(inspect.getdoc(function) or "")
    assert documentation.short_description
    documented = [one.arg_name for one in documentation.params if one.description]
    assert documented == list(inspect.signature(function).parameters)
    assert parser_for(name, function).format_help().startswith(f"usage: tinyvirat {name} ")


def test_every_group_of_a_command_is_described() -> None:
    names = [name.split(" ") for name in commands.COMMANDS]
    above = {" ".join(words[:length]) for words in names for length in range(1, len(words))}
    assert above == set(commands.GROUPS)
    assert not above & set(commands.COMMANDS)


def test_no_command_imports_heavy_modules_before_it_runs() -> None:
    code = (
        "import sys; from tinyvirat.cli import commands\n"
        "for name in commands.COMMANDS: commands.load(name)\n"
        f"sys.stdout.write(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_help_starts_quickly() -> None:
    times = []
    for _ in range(5):  # processor time, and the best of five: the machine may be busy
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "tinyvirat", "--help"], check=True, capture_output=True
        )
        after = os.times()
        times.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    assert min(times) < 0.3


def test_help_and_version_import_no_argument_parser() -> None:
    code = (
        "import sys; from tinyvirat.cli import main\n"
        "assert main(['--help']) == main(['--version']) == 0\n"
        "assert 'jsonargparse' not in sys.modules and 'argparse' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_summary_of_recognize_leaves_out_no_source() -> None:
    summary = commands.COMMANDS["recognize"][1]
    assert all(source in summary for source in ("video", "stream", "camera", "clip"))
