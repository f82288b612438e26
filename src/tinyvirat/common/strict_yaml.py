"""YAML from anyone: no aliases, no bombs, no key twice, and numbers as everyone writes them."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tinyvirat.common.errors import TinyviratError

DEEPEST = 20
OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


class YamlError(TinyviratError):
    """Text that is not YAML, or YAML that is not read here."""


class _Loader(yaml.SafeLoader):
    """PyYAML without what surprises: `1e-4` is a number, and a key given twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for n, key in enumerate(keys) if key in keys[:n]), None)
        if twice is not None:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(
                f"the key {str(twice)[:60]!r} is given twice in what begins in line {line}"
            )
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """PyYAML, which puts text in quotes that `_Loader` would take for a number."""


for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


def parse(text: str, *, where: str) -> Any:
    """The value that YAML text stands for: mappings, lists, text, numbers, true, false, None.

    Args:
        text: of a size that the caller has bounded: time and memory grow with it, no faster.
        where: what errors begin with, such as the file's name.

    Raises:
        YamlError: not YAML, or with aliases, a key given twice, or nested beyond reason.
    """
    try:
        _refuse_bombs(text, where)
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise YamlError(f"{where}: not YAML: {error}") from error


def dump(value: Any) -> str:
    """YAML text that `parse` reads as the same value; mappings keep their order.

    Args:
        value: mappings, lists, text, numbers, true, false, None.
    """
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=100)
    return text


def _refuse_bombs(text: str, where: str) -> None:
    """Stops at what is small to write and large to read.

    Aliases let a few lines stand for gigabytes; for nesting the scanner takes a time that grows
    with its square.
    """
    depth = 0
    for token in yaml.scan(text):
        if isinstance(token, yaml.AliasToken):
            raise YamlError(f"{where}: YAML aliases (*name) are not read here")
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        if depth > DEEPEST:
            raise YamlError(f"{where}: nested more than {DEEPEST} deep")
