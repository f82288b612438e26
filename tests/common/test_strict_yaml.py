"""YAML from anyone: read as everyone means it, or refused in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyvirat.common.strict_yaml import DEEPEST, YamlError, dump, parse

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
@example("0E0")
@example({"name": "1e4"})
def test_what_is_dumped_is_what_is_read(value: object) -> None:
    assert parse(dump(value), where="x") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("-2E5", -2e5),
        ("1.e3", 1000.0),
        ("1.5e+2", 150.0),
        ("'1e-4'", "1e-4"),
        ("1e", "1e"),
        ("e4", "e4"),
        ("10", 10),
        ("{a: 1e1, b: [2e0]}", {"a": 10.0, "b": [2.0]}),
    ],
)
def test_numbers_are_read_as_everyone_writes_them(text: str, value: object) -> None:
    read = parse(text, where="x")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "the key 'a' is given twice in what begins in line 1"),
        ("x:\n  k: 1\n  k: 1", "the key 'k' is given twice in what begins in line 2"),
        ("{a: 1, a: 2}", "'a' is given twice"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: &x {b: 1}\nc: {<<: *x}", "aliases"),
        ("a: [1", "not YAML"),
        ("a: b: c", "not YAML"),
        ("\x00", "not YAML"),
        ("!!python/object/apply:os.system [ls]", "not YAML"),
        ("? [a]\n: b", "not YAML"),
        ("a: " + "9" * 5000, "not YAML"),
        ("2001-99-99", "not YAML"),
    ],
)
def test_what_is_not_read_is_told(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=f"^x.yaml: .*{message}"):
        parse(text, where="x.yaml")


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? ", "a:\n "])
def test_nesting_is_bounded_in_time_and_depth(piece: str) -> None:
    began = time.process_time()
    with pytest.raises(YamlError):
        parse(piece * 4_000, where="x")
    assert time.process_time() - began < 3.0
    assert parse("[" * DEEPEST + "]" * DEEPEST, where="x") is not None
    with pytest.raises(YamlError, match="deep"):
        parse("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), where="x")
