"""From a function's typed signature to its command line.

Parameters before the `*` are positional arguments, those after it are `--options` (underscores
become dashes); a default makes either optional. The types are those of the annotations; a `bool`
is `--flag` and `--no-flag`, a `list[T]` takes one or more values (such an option may be repeated
and collects them), a `tuple[T, T]` exactly two. The help is the docstring's (Google style).
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
import shutil
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import docstring_parser
from jsonargparse import ActionYesNo, ArgumentParser
from jsonargparse.typing import register_type

from tinyvirat.common.words import printable

METAVARS = {int: "INT", float: "NUMBER", str: "TEXT", Path: "PATH", Fraction: "FRACTION"}

register_type(Fraction, deserializer_exceptions=(ValueError, ZeroDivisionError))


class CommandParser(ArgumentParser):
    """The parser of one command, whose errors are one line with a suggestion and exit with 2."""

    words: Sequence[str] = ()

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the mistake, what was probably meant, and where help is; exits with 2."""
        sys.stderr.write(
            f"{self.format_usage()}{self.prog}: error: {_readable(message)}{self._suggestions()}\n"
            f"Run '{self.prog} --help' for the options.\n"
        )
        sys.exit(2)

    def _suggestions(self) -> str:
        """The option nearest to each unknown one, empty when none is near."""
        known = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", self.format_help()))
        given = dict.fromkeys(w.partition("=")[0] for w in self.words if w.startswith("--"))
        near = [(w, difflib.get_close_matches(w, known, n=1)) for w in given if w not in known]
        return "".join(f" ({word}: did you mean {close[0]}?)" for word, close in near if close)


def parser_for(name: str, function: Callable[..., Any]) -> CommandParser:
    """The parser of the command `name` (such as `data check`), made from its signature."""
    documentation = docstring_parser.parse(inspect.getdoc(function) or "")
    helps = {one.arg_name: one.description or "" for one in documentation.params}
    parser = CommandParser(
        prog=f"tinyvirat {name}",
        description=_filled(documentation.description or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        print_config=None,
        allow_abbrev=False,
    )
    hints = typing.get_type_hints(function)
    for parameter in inspect.signature(function).parameters.values():
        names, settings = _argument(parameter, hints[parameter.name])
        help_text = _help(helps.get(parameter.name, ""), parameter.default)
        parser.add_argument(*names, **settings, help=help_text.replace("%", "%%"))
    return parser


def call(name: str, function: Callable[..., Any], words: Sequence[str]) -> Any:
    """Runs the command `name` with the arguments in `words`; exits with 2 when they do not fit."""
    return function(**parse(name, function, words))


def parse(name: str, function: Callable[..., Any], words: Sequence[str]) -> dict[str, Any]:
    """The arguments of `function` that `words` give, by name; exits with 2 when they do not fit."""
    parser = parser_for(name, function)
    parser.words = words
    given = parser.parse_args(list(words))
    hints = typing.get_type_hints(function)
    values = {}
    for key in inspect.signature(function).parameters:
        value, kind = getattr(given, key), typing.get_origin(_not_none(hints[key]))
        if kind is tuple and value is not None:
            value = tuple(value)
        if kind is not list or value is not None:
            values[key] = value
    return values


def _argument(parameter: inspect.Parameter, hint: Any) -> tuple[list[str], dict[str, Any]]:
    """The names and settings with which `add_argument` takes one parameter."""
    option = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    optional = parameter.default is not inspect.Parameter.empty
    kind, shown = _not_none(hint), parameter.name.replace("_", "-")
    settings: dict[str, Any] = {"default": parameter.default} if optional else {}
    if option and not optional:
        settings["required"] = True
    if kind is bool and option:
        return [f"--{shown}"], settings | {"action": ActionYesNo(no_prefix="no-")}
    settings |= {"type": kind, "metavar": shown.upper()}
    if typing.get_origin(kind) in (list, tuple):
        settings |= _several(kind, option, optional, parameter.default)
    elif optional and not option:
        settings["nargs"] = "?"
    one = settings["type"]
    literal = typing.get_args(one) if typing.get_origin(one) is typing.Literal else ()
    if choices := settings.get("choices", literal):
        settings["metavar"] = "{" + ",".join(map(str, choices)) + "}"
    elif option:
        settings["metavar"] = METAVARS.get(one, shown.upper())
    return [f"--{shown}" if option else parameter.name], settings


def _several(kind: Any, option: bool, optional: bool, default: Any) -> dict[str, Any]:
    """The settings of an argument with several values, a list or a tuple, all of one type."""
    one, *others = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        settings = {"type": one, "nargs": 1 + len(others)}
        return settings | ({"default": list(default)} if optional and default else {})
    if not option:
        return {"type": one, "nargs": "*" if optional else "+"}
    # Given values would be added to a default: `parse` leaves the default to the function.
    settings = {"type": one, "nargs": "+", "action": "extend", "default": None}
    if typing.get_origin(one) is typing.Literal:
        settings |= {"type": str, "choices": typing.get_args(one)}
    return settings


def _not_none(hint: Any) -> Any:
    """`T` for `T | None`: on a command line, not giving the option is how None is said."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    rest = [one for one in typing.get_args(hint) if one is not type(None)]
    return typing.Union[tuple(rest)] if len(rest) > 1 else rest[0]  # noqa: UP007


def _filled(text: str) -> str:
    """The paragraphs of `text` as wide as the terminal; one with an indented line as it stands."""
    width = min(shutil.get_terminal_size().columns, 100) - 2
    paragraphs = text.split("\n\n")
    return "\n\n".join(p if "\n " in f"\n{p}" else textwrap.fill(p, width) for p in paragraphs)


def _help(text: str, default: Any) -> str:
    text = " ".join(text.split())
    if default is inspect.Parameter.empty or default is None or default in ("", [], ()):
        return text
    if isinstance(default, bool):
        default = "on" if default else "off"
    elif isinstance(default, list | tuple):
        default = " ".join(map(str, default))
    return f"{text} (default: {default})"


def _readable(message: str) -> str:
    """The library's message on one line and in the words of the command line."""
    message = printable(" ".join(message.split()))
    message = re.sub(r'Parser key "(\w+)"', lambda key: key[1].replace("_", "-"), message)
    message = re.sub(r"Expected an? <class '(?:\w+\.)*(\w+)'>", r"expected \1", message)
    message = re.sub(r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1", message)
    return message.replace(". Got value: ", ", got ")
