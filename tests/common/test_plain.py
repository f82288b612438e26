"""Plain data and back: what is written is what is read, and nothing else is read."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.common.plain import LATER, PlainDataError, from_plain, tagged, to_plain

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)


@dataclass(frozen=True)
class Small:
    width: int = 4


@dataclass(frozen=True)
class Large:
    width: int
    rows: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Inner:
    ratio: float = 0.5
    pair: tuple[float, int] = (1.0, 2)


@dataclass(frozen=True)
class Outer:
    name: str
    network: Small | Large
    flag: bool
    mode: Literal["a", "b", 3]
    maybe: Inner | None = None
    always: Inner = field(default_factory=Inner)
    either: int | tuple[int, ...] = 0
    numbers: tuple[float, ...] = ()
    second: Small | Large | None = None
    only: Small = field(default_factory=Small)
    where: Path | None = None
    rate: Fraction = Fraction(25)

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("the name 'bad' is taken")


TAGS: dict[str, type[Any]] = {"small": Small, "large": Large}
WHOLE = st.integers(-(10**6), 10**6)
SMALL = st.builds(Small, WHOLE)
EITHER = st.one_of(SMALL, st.builds(Large, WHOLE, st.lists(st.lists(WHOLE).map(tuple)).map(tuple)))
INNER = st.builds(Inner, FINITE, st.tuples(FINITE, WHOLE))
OUTER = st.builds(
    Outer,
    name=TEXT.filter(lambda name: name != "bad"),
    network=EITHER,
    flag=st.booleans(),
    mode=st.sampled_from(["a", "b", 3]),
    maybe=st.none() | INNER,
    always=INNER,
    either=WHOLE | st.lists(WHOLE).map(tuple),
    numbers=st.lists(FINITE).map(tuple),
    second=st.none() | EITHER,
    only=SMALL,
    where=st.none() | TEXT.filter(bool).map(Path),
    rate=st.fractions(min_value=1, max_denominator=1001),
)
MINIMAL = {"name": "n", "network": {"network": "small"}, "flag": True, "mode": "a"}


def read(data: object) -> Outer:
    return from_plain(Outer, data, where="x.yaml", tags=TAGS)


def test_fields_left_out_take_their_defaults() -> None:
    assert read(MINIMAL) == Outer("n", Small(), True, "a")


@given(OUTER)
def test_what_is_written_is_what_is_read(outer: Outer) -> None:
    plain = to_plain(outer, TAGS)
    assert read(plain) == outer
    assert read(json.loads(json.dumps(plain))) == outer
    assert read(yaml.safe_load(yaml.safe_dump(plain))) == outer


@given(EITHER)
def test_a_tagged_dataclass_comes_back(value: Small | Large) -> None:
    assert tagged(to_plain(value, TAGS), where="x", tags=TAGS) == value


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*Outer.__dataclass_fields__, "other"]), JUNK))
def test_anything_else_is_an_error_that_says_where(junk: dict[str, object]) -> None:
    data = MINIMAL | junk
    try:
        outer = read(data)
    except PlainDataError as error:
        assert str(error).startswith("x.yaml: ")
    else:
        # What passed says the same again, so nothing of it was dropped or bent.
        again = to_plain(outer, TAGS)
        assert {key: again[key] for key in again if key in junk} == {
            key: plain(value, again[key]) for key, value in junk.items()
        }


def plain(value: object, like: object) -> object:
    """Plain data as it is written: fields in full, and numbers of one kind."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {key: plain(value[key], like[key]) if key in value else like[key] for key in like}
    if isinstance(value, list) and isinstance(like, list):
        return [plain(one, other) for one, other in zip(value, like, strict=True)]
    if isinstance(like, str) and isinstance(value, str) and "/" in value + like:
        return like  # a fraction in lowest terms, a path without its double slashes
    return value


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nmae": "n"}, "'nmae' is not one of .*did you mean 'name'"),
        ({1: "n"}, "'1' is not one of"),
        ({"name": 3}, "name: 3 is no str"),
        ({"name": "bad"}, "the name 'bad' is taken"),
        ({"flag": 1}, "flag: 1 is no bool"),
        ({"mode": "c"}, "mode: 'c' is not one of a, b, 3"),
        ({"mode": 3.0}, "mode: '3.0' is not one of"),
        ({"mode": ["a"]}, "mode: .* is not one of"),
        ({"network": {"network": "smal"}}, "network: 'smal' is not one of .*'small'"),
        ({"network": {"width": 3}}, "network: 'None' is not one of small, large"),
        ({"network": 3}, "network: 3 is not a mapping"),
        ({"network": {"network": "large"}}, "network: 'width' is missing"),
        ({"network": {"network": "large", "width": 1, "rows": [[1], 2]}}, r"rows\[1\]: 2 is not"),
        ({"only": {"network": "large", "width": 1}}, "only: 'network' is not one of width"),
        ({"maybe": {"ratio": "0.5"}}, "maybe: ratio: '0.5' is no float"),
        ({"maybe": {"ratio": True}}, "maybe: ratio: True is no float"),
        ({"maybe": {"ratio": math.nan}}, "ratio: nan is not a finite number"),
        ({"maybe": {"ratio": math.inf}}, "ratio: inf is not a finite number"),
        ({"maybe": {"ratio": 10**400}}, "ratio: 1000.* is not a finite number"),
        ({"maybe": {"ratio": 10**5000}}, "ratio: .* more digits .* is not a finite number"),
        ({"maybe": {"pair": [1.0]}}, "pair: 1 values instead of 2"),
        ({"always": None}, "always: None is not a mapping"),
        ({"either": 1.5}, "either: 1.5 is no int"),
        ({"either": True}, "either: True is no int"),
        ({"numbers": 1.0}, "numbers: 1.0 is not a list"),
        ({"rate": "1/0"}, "rate: '1/0' is no Fraction"),
        ({"rate": 25}, "rate: 25 is no Fraction"),
        ({"where": 3}, "where: 3 is no Path"),
        ({"x" * 500: 1}, r"'x{59}\.\.\. is not one of"),
    ],
)
def test_wrong_data_is_told(changed: dict[Any, Any], message: str) -> None:
    with pytest.raises(PlainDataError, match=rf"^x\.yaml: .*{message}"):
        read(MINIMAL | changed)


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_only_a_mapping_stands_for_a_dataclass(data: object) -> None:
    with pytest.raises(PlainDataError, match="not a mapping"):
        read(data)


def test_a_missing_key_is_told() -> None:
    with pytest.raises(PlainDataError, match="'flag' is missing"):
        read({key: value for key, value in MINIMAL.items() if key != "flag"})


def test_a_tag_is_no_key_where_nothing_is_chosen() -> None:
    with pytest.raises(PlainDataError, match="'network' is not one of width"):
        from_plain(Small, {"network": "large", "width": 3}, where="x", tags=TAGS)
    with pytest.raises(PlainDataError, match="'network' is not one of width"):
        from_plain(Small, {"network": "small"}, where="x")
    assert from_plain(Small, {"network": "small"}, where="x", tags=TAGS) == Small()


@dataclass(frozen=True)
class Circle:
    tag_key: ClassVar[str] = "shape"
    radius: float = 1.0


@dataclass(frozen=True)
class Square:
    tag_key: ClassVar[str] = "shape"
    side: float = 1.0


@dataclass(frozen=True)
class Drawing:
    outline: Circle | Square = field(default_factory=Circle)
    network: Small | Large = field(default_factory=Small)


SHAPES = TAGS | {"circle": Circle, "square": Square}


def test_dataclasses_can_be_told_apart_by_a_key_of_their_own() -> None:
    drawing = Drawing(Square(2.0), Large(3))
    data = to_plain(drawing, SHAPES)
    assert data["outline"] == {"shape": "square", "side": 2.0}
    assert data["network"] == {"network": "large", "width": 3, "rows": []}
    assert from_plain(Drawing, data, where="x", tags=SHAPES) == drawing
    for wrong, message in (
        ({"side": 2.0}, "x: outline: 'None' is not one of circle, square"),
        ({"shape": "sqare"}, "did you mean 'square'"),
        ({"shape": "small"}, "'small' is not one of circle, square"),
        ({"network": "square"}, "'None' is not one of circle, square"),
        ({"shape": "square", "radius": 1.0}, "'radius' is not one of side"),
    ):
        with pytest.raises(PlainDataError, match=message):
            from_plain(Drawing, {"outline": wrong}, where="x", tags=SHAPES)


@dataclass(frozen=True)
class Grown:
    width: int = 1
    deeper: Small | None = field(default=None, metadata=LATER)
    wider: int = field(default=2, metadata=LATER)


def test_what_came_later_is_written_only_where_it_says_something() -> None:
    assert to_plain(Grown(), TAGS) == {"width": 1}
    assert from_plain(Grown, {"width": 1}, where="x") == Grown()
    grown = Grown(deeper=Small(), wider=0)
    data = to_plain(grown, TAGS)
    assert set(data) == {"width", "deeper", "wider"}
    assert from_plain(Grown, data, where="x", tags=TAGS) == grown
