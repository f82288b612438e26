"""What the documents tell a reader to type: every command parses, every import and link works."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tinyvirat import __version__
from tinyvirat.cli import commands
from tinyvirat.cli.parser import parse

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INSTALL_AND_DEMO = "pip install -c constraints.txt -e . && tinyvirat demo"
INSTALL_AND_TEST = 'pip install -c constraints.txt -e ".[dev]" && pytest'


def blocks(text: str, languages: set[str]) -> Iterator[str]:
    """The fenced blocks of a document that are written in one of `languages`."""
    yield from (code for _, language, code in FENCE.findall(text) if language in languages)


def typed(code: str) -> Iterator[list[str]]:
    """The words after `tinyvirat` of every such command in a block of shell commands."""
    for line in code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if word and set(word) <= set("();<>|&"):
                if command[:1] == ["tinyvirat"]:
                    yield command[1:]
                command = []
            else:
                command.append(word)


def check(words: list[str]) -> None:
    """Fails unless these words are a whole command with arguments that fit."""
    name, rest = commands.find(words)
    if rest in (["--help"], ["--version"]):
        return
    assert name in commands.COMMANDS, f"tinyvirat {shlex.join(words)}: there is no such command"
    try:
        parse(name, commands.load(name), rest)
    except SystemExit as exit_:
        assert exit_.code == 0, f"tinyvirat {shlex.join(words)} does not parse"


COMMANDS = [
    pytest.param(words, id=f"{document.name}: {shlex.join(words)}")
    for document in DOCUMENTS
    for code in blocks(document.read_text(encoding="utf-8"), {"", "bash", "sh", "console"})
    for words in typed(code)
]


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_in_the_documents_parses(words: list[str]) -> None:
    check(words)


def test_the_check_itself() -> None:
    code = (
        "$ tinyvirat doctor  # here\npip && tinyvirat doctor \\\n --json | head > a\nls tinyvirat"
    )
    assert list(typed(code)) == [["doctor"], ["doctor", "--json"]]
    for words in (["no-such"], ["doctor", "--no-such"], ["doctor", "extra"]):
        with pytest.raises(AssertionError):
            check(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_import_in_the_documents_works(document: Path) -> None:
    for code in blocks(document.read_text(encoding="utf-8"), {"python"}):
        tree = ast.parse(code)
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                exec(ast.unparse(node), {})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_has_one(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    files = [link.split("#")[0] for link in links if not re.match(r"https?:|mailto:|#", link)]
    assert [file for file in files if not (document.parent / file).exists()] == []


@pytest.mark.parametrize("command", [INSTALL_AND_DEMO, INSTALL_AND_TEST])
def test_the_two_commands_stand_alone_on_a_line(command: str) -> None:
    assert command in DOCUMENTS[0].read_text(encoding="utf-8").splitlines()


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["project"]["version"] == citation["version"] == __version__
    assert f"\n## [{__version__}] - " in changelog
