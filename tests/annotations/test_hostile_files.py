"""Whatever the bytes of a file, reading it ends: with annotations or with an error in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyvirat.annotations import AnnotationError, read_annotations

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted(path for path in GOLDEN.rglob("gate*") if path.is_file())

marks = r"""{ } [ ] ' " , : - # &a *a !!set nan 1e999 99999999999999999999 geom 0"""
pieces = st.binary(max_size=6) | st.sampled_from(
    [*marks.encode().split(), b"\n", b"\n- ", b"---\n", b"\x00", b"\xff"]
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sample=st.sampled_from(SAMPLES),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), pieces), max_size=4),
    lenient=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused(
    sample: Path,
    edits: list[tuple[float, int, bytes]],
    lenient: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = sample.read_bytes()
    for where, length, piece in edits:
        at = int(where * len(data))
        data = data[:at] + piece + data[at + length :]
    path = tmp_path_factory.getbasetemp() / sample.name
    path.write_bytes(data)
    try:
        read = read_annotations(path, lenient=lenient)
    except AnnotationError as error:
        assert str(path) in str(error)
        assert len(str(error)) < len(str(path)) + 500
    else:
        assert lenient or read.skipped == 0
        assert read.skipped >= len(read.problems)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=200), name=st.sampled_from([path.name for path in SAMPLES]))
def test_any_bytes_are_read_or_refused(
    data: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    try:
        read_annotations(path, lenient=True)
    except AnnotationError as error:
        assert str(path) in str(error)


GEOMETRY = "- {geom: {id1: 1, ts0: 0, g0: 1 2 3 4, src: truth}}\n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        GEOMETRY + "- {geom: {id1: 1, ts0: 1, g0: 1 2 3 4, src:" + " " * 900_000 + "!}}\n",
        GEOMETRY + "- {geom: {id1: 1, ts0: 1, g0: 1" + " " * 900_000 + "x, src: truth}}\n",
        GEOMETRY + "- {geom: {id1: 1, ts0: 1, g0: 1 2 3 4, src: a " + " " * 900_000 + "x\n",
        GEOMETRY + " " * 3_000_000,
        " " * 3_000_000,
        "#" + "x" * 3_000_000,
        "[" + "x" * 3_000_000,
        "[" + "{geom: {x: 'a" * 20_000,
        "[" + "{geom: {x: a " * 20_000,
        "[" + "{}" * 20_000,
        "- " * 1_000_000,
        "- {act: {actors: [" + "{id1: 1}," * 20_000 + "]}}\n",
        "- " + "? " * 500_000,
        "- {" + "a: " * 300_000 + "}\n",
    ],
    ids=lambda text: f"{text[:12]!r}, {len(text)}",
)
def test_size_alone_does_not_make_reading_slow(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.geom.yml"
    path.write_text(text)
    try:
        read_annotations(path, lenient=True)
    except AnnotationError as error:
        assert str(path) in str(error)


@pytest.mark.timeout(60)
def test_many_objects_of_one_number_are_told_apart_in_passable_time(tmp_path: Path) -> None:
    activities = [
        {
            "activity": "a",
            "activityID": number,
            "localization": {"a.mp4": {"1": 1, "2": 0}},
            "objects": [
                {
                    "objectType": "p",
                    "objectID": 1,
                    "localization": {
                        "a.mp4": {"1": {"boundingBox": {"x": number, "y": 0, "w": 1, "h": 1}}}
                    },
                }
            ],
        }
        for number in range(1000)
    ]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"activities": activities}))
    assert len(read_annotations(path).tracks) == 1000
