"""What can be known of the image without building it: its files, its commands, its user."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from tinyvirat.cli import commands
from tinyvirat.cli.parser import parse

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "Dockerfile").read_text("utf-8")


def instructions() -> list[tuple[str, str]]:
    """Name and arguments of every instruction, lines put together, comments left out."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    split = [line.strip().partition(" ") for line in whole if line.strip()]
    return [(name, " ".join(rest.split())) for name, _, rest in split]


def every(name: str) -> list[str]:
    return [rest for one, rest in instructions() if one == name]


def test_only_known_instructions() -> None:
    known = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK"}
    assert {name for name, _ in instructions()} <= known | {"ENTRYPOINT", "CMD"}


def test_every_copied_path_exists_and_reaches_the_builder() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines, "everything else is left out"
    copied = [path for rest in every("COPY") if "--from" not in rest for path in rest.split()[:-1]]
    assert copied
    for path in copied:
        assert (REPOSITORY / path).exists(), path
        assert path in kept, f"{path} is ignored"
    assert kept == set(copied), "what is sent is used"


def test_what_the_package_is_built_from_is_copied() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    before_install = TEXT[: TEXT.index('".[export,service]"')]
    needed = [project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"]
    needed += project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for path in needed:
        assert re.search(rf"^COPY .*\b{re.escape(path.split('/')[0])}\b", before_install, re.M), (
            path
        )
    assert {"export", "service"} <= set(project["project"]["optional-dependencies"])
    assert re.search(r"^torch==", (REPOSITORY / "constraints.txt").read_text("utf-8"), re.M)


def test_images_are_named_exactly_and_python_fits() -> None:
    stages = [rest.split() for rest in every("FROM")]
    assert len(stages) == 2 and {stage[0] for stage in stages} == {"python:3.11-slim-bookworm"}
    used = [rest for rest in every("COPY") if "--from" in rest]
    assert [rest.split()[0] for rest in used] == [f"--from={stages[0][2]}"]


def test_the_command_is_one_of_ours() -> None:
    (entry,), (words,) = (list(map(json.loads, every(name))) for name in ("ENTRYPOINT", "CMD"))
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"][
        "scripts"
    ]
    assert entry == ["tinyvirat"] and "tinyvirat" in scripts
    name, rest = commands.find(words)
    given = parse(name, commands.load(name), rest)
    assert given["host"] == "0.0.0.0", "from outside the container"
    assert [str(given["port"])] == every("EXPOSE")
    assert f":{given['port']}/health" in TEXT


def test_health_is_asked_of_an_address_that_there_is() -> None:
    pytest.importorskip("fastapi", reason="the extra `service` is not installed")
    (check,) = every("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")
    source = (REPOSITORY / "src/tinyvirat/service/app.py").read_text("utf-8")
    assert '@app.get("/health")' in source


def test_it_does_not_run_as_root() -> None:
    (user,) = every("USER")
    assert user == "10001:10001"
    names = [name for name, _ in instructions()]
    assert names.index("USER") > len(names) - names[::-1].index("COPY") - 1, (
        "nothing is changed after"
    )


def test_the_documented_commands_are_those_of_the_file() -> None:
    """The page shows the same lines, so that one cannot change without the other."""
    page = (REPOSITORY / "docs" / "deploy.md").read_text("utf-8")
    comment = "\n".join(line[2:].strip() for line in TEXT.splitlines() if line.startswith("# "))
    command = re.compile(r"^(docker (?:.*\\\n)*.*)$", re.M)
    here, there = (
        [shlex.split(one.replace("\\\n", " ")) for one in command.findall(text)]
        for text in (comment, page)
    )
    assert [words[1] for words in here] == ["build", "run"]
    assert here == there
