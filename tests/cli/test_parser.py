"""A function's signature as a command line: what becomes what, and what mistakes say."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest

from tinyvirat.cli.parser import call, parse, parser_for


def everything(
    path: Path,
    more: list[Path],
    *,
    need: int,
    kind: Literal["crop", "pad"] = "crop",
    size: int | None = 112,
    scales: list[float] = [1.0, 0.5],  # noqa: B006
    fps: Fraction = Fraction(30000, 1001),
    shape_hw: tuple[int, int] = (56, 56),
    name: str | None = None,
    fast: bool = True,
    either: float | str = 4.5,
) -> None:
    """Do everything at 100% speed.

    More words,
    on two lines.

        an example
          of one

    Args:
        path: the file, of which
            80% is read.
        need: how many: at least one.
        shape_hw: pixels.
        fast: be fast.
        size: side in pixels.
    """


def words(text: str) -> dict[str, Any]:
    return parse("everything", everything, text.split())


def test_defaults_stand_where_nothing_is_given() -> None:
    assert words("a b --need 1") == {
        "path": Path("a"),
        "more": [Path("b")],
        "need": 1,
        "kind": "crop",
        "size": 112,
        "fps": Fraction(30000, 1001),
        "shape_hw": (56, 56),
        "name": None,
        "fast": True,
        "either": 4.5,
    }


def test_every_kind_of_value_is_read_as_its_type() -> None:
    given = words(
        "a b c --need=-2 --kind pad --size 8 --scales 2 3 --fps 25/2 --shape-hw 28 14"
        " --name 007 --no-fast --either x"
    )
    assert given == {
        "path": Path("a"),
        "more": [Path("b"), Path("c")],
        "need": -2,
        "kind": "pad",
        "size": 8,
        "scales": [2.0, 3.0],
        "fps": Fraction(25, 2),
        "shape_hw": (28, 14),
        "name": "007",
        "fast": False,
        "either": "x",
    }


def test_a_list_option_collects_and_leaves_its_default_to_the_function() -> None:
    def show(*, add: list[int] = [7], kinds: list[Literal["a", "b"]] | None = None) -> object:  # noqa: B006
        """Show."""
        return add, kinds

    assert call("show", show, []) == ([7], None)
    given = ["--add", "1", "2", "--kinds", "a", "--add", "3", "--kinds", "b"]
    assert call("show", show, given) == ([1, 2, 3], ["a", "b"])
    with pytest.raises(SystemExit):
        call("show", show, ["--kinds", "c"])


@pytest.mark.parametrize("text", ["null", "1e3", "[1", "{a:1}", "~", "yes"])
def test_text_and_paths_stay_as_they_are_typed(text: str) -> None:
    given = words(f"{text} b --need 1 --name {text}")
    assert given["name"] == text
    assert given["path"] == Path(text)


def test_an_optional_positional() -> None:
    def show(name: str = "all", paths: list[Path] = []) -> None:  # noqa: B006
        """Show."""

    assert parse("show", show, []) == {"name": "all", "paths": []}
    assert parse("show", show, ["x", "p", "q"]) == {"name": "x", "paths": [Path("p"), Path("q")]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a b", "--need"),
        ("a b --need x", "need: expected int, got x"),
        ("a b --need 1.5", "need: expected int, got 1.5"),
        ("a b --need 1 --size null", "size: expected int, got"),
        ("a b --need 1 --kind stretch", "kind: expected one of 'crop', 'pad', got stretch"),
        ("a b --need 1 --scales 1 y", "argument --scales: invalid float value: 'y'"),
        ("a b --need 1 --shape-hw 1", "--shape-hw: expected 2 arguments"),
        ("a b --need 1 --fps 1/0", "fps: Not of type Fraction"),
        ("a b --need", "--need: expected one argument"),
        ("a b --need 1 --shape_hw 1 2", "(--shape_hw: did you mean --shape-hw?)"),
        ("a b --need 1 --fas", "(--fas: did you mean --fast?)"),
        ("a b --need 1 --nofast", "(--nofast: did you mean --no-fast?)"),
    ],
)
def test_a_mistake_exits_with_2_and_says_what_is_meant(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        words(text)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"tinyvirat everything: error: {err.partition('error: ')[2]}" in err
    assert said in err
    assert "Run 'tinyvirat everything --help' for the options." in err


def test_help_comes_from_the_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    text = parser_for("everything", everything).format_help()
    assert "Do everything at 100% speed.\n\nMore words, on two lines.\n\n    an example\n" in text
    assert "      of one\n" in text
    assert "Args:" not in text
    assert "--need INT " in text
    assert "--either EITHER " in text
    assert "--shape-hw INT INT " in text
    assert "the file, of which 80% is read.\n" in text
    assert "how many: at least one.\n" in text
    assert "--kind {crop,pad}" in text
    assert "pixels. (default: 56 56)\n" in text
    assert "--fast, --no-fast" in text
    assert "be fast. (default: on)\n" in text
    assert "(default: 30000/1001)\n" in text
    assert "[--need" not in text
