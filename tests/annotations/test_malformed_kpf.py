"""Every fault a record of KPF can have: named with file and line, or skipped and counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyvirat.annotations import AnnotationError, kpf_stream
from tinyvirat.annotations.kpf import read_kpf
from tinyvirat.annotations.kpf_stream import KpfStream, RecordError, geometry_pattern, load_tree
from tinyvirat.annotations.problems import ProblemLog

GOOD = [
    "{types: {id1: 1, cset3: {Person: 1.0}}}",
    "{geom: {id1: 1, id0: 0, ts0: 0, g0: 1 2 3 4}}",
    "{geom: {id1: 1, id0: 1, ts0: 1, g0: 1 2 3 4}}",
    "{geom: {id1: 1, id0: 3, ts0: 3, g0: 1 2 3 4}}",
    "{act: {act2: {Talking: 1.0}, id2: 1, timespan: [{tsr0: [0, 3]}], actors: [{id1: 1}]}}",
]

TIMES = "timespan: [{tsr0: [0, 3]}]"
FAULTS = [
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 1 2 3}}", "g0 has 3 numbers"),
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 1 2 3 4 5}}", "g0 has 5 numbers"),
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 1 2 3 nan}}", "not four numbers"),
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 1 2 .inf 4}}", "not four numbers"),
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 1 2 3 1e99}}", "beyond 100000 pixels"),
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 1 2 3 1e999}}", "is not finite"),
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 3 2 1 4}}", "width -2"),
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 1 2 3 2}}", "height 0"),
    ("{geom: {id1: 1, id0: 2, ts0: 2, g0: 1 2 1 4}}", "width 0"),
    ("{geom: {id1: 1, id0: 2, ts0: 1, g0: 1 2 3 4}}", "a second box in frame 1"),
    ("{geom: {id1: 1, id0: 2, ts0: 0, g0: 1 2 3 4}}", "go back from 1 to 0"),
    ("{geom: {id1: 1, id0: 2, ts0: -2, g0: 1 2 3 4}}", "ts0 is '-2'"),
    ("{geom: {id1: 1, id0: 2, ts0: 2.5, g0: 1 2 3 4}}", "ts0 is '2.5'"),
    ("{geom: {id1: 1, id0: 2, ts0: 999999999, g0: 1 2 3 4}}", "the frame 999999999"),
    ("{geom: {id1: 9999999999999999999, ts0: 2, g0: 1 2 3 4}}", "the object id 99999"),
    ("{geom: {id1: 1, ts0: 2}}", "the geometry has no g0"),
    ("{geom: {id1: 1, g0: 1 2 3 4}}", "there is no ts0"),
    ("{geom: {id1: [1], ts0: 2, g0: 1 2 3 4}}", "id1 is"),
    ("{geom: 7}", "the geometry is no mapping"),
    ("{geom: {id1: 1, id1: 1, ts0: 2, g0: 1 2 3 4}}", "'id1' comes twice"),
    ("{geom: {id1: &a 1, ts0: 2, g0: 1 2 3 4}}", "anchors are not part of KPF"),
    ("{geom: {id1: *a, ts0: 2, g0: 1 2 3 4}}", "aliases are not part of KPF"),
    ("{geom: {id1: 1, ts0: !!python/name:os.system 2, g0: 1 2 3 4}}", "the tag 'tag:yaml.org"),
    ("{geom: {id1: 1, ts0: 2, g0: 1 2 3 4, x: " + "[" * 20 + "]" * 20 + "}}", "nested deeper"),
    (
        "{geom: {id1: 1, ts0: 2, g0: 1 2 3 4, x: " + "{" * 5000 + "}" * 5000 + "}}",
        "nested deeper|no plain text",
    ),
    ("{geom: {id1: 1, ts0: 2, g0: 1 2 3 4, x: \x07}}", "not YAML"),
    ("{geom: {id1: 1, ts0: 2, g0: 1 2 3 4, x: ]}}", "not YAML|a ] where"),
    ("{frob: {id1: 1}}", "the unknown kind 'frob'"),
    ("{types: {id1: 1, cset3: {Car: 1.0}}}", "the object 1 is described a second time"),
    ("{types: {id1: 2}}", "there are 0 keys cset0"),
    ("{types: {id1: 2, cset3: {}}}", "cset3 names nothing"),
    ("{types: {id1: 2, cset3: {Car: high}}}", "the likelihood of 'Car' is 'high'"),
    ("{types: {id1: 2, cset3: {Car: 1.0.0}}}", "the likelihood of 'Car' is '1.0.0'"),
    ("{types: 3}", "the body of a record types is a mapping"),
    ("{act: {act2: {Talking: 1.0}, " + TIMES + "}}", "there is no id2"),
    (
        "{act: {act2: {Talking: 1.0}, act3: {Run: 1}, id2: 2, " + TIMES + "}}",
        "there are 2 keys act0",
    ),
    ("{act: {act2: {'': 1.0}, id2: 2, " + TIMES + "}}", "'' is no name"),
    ('{act: {act2: {"a\\nb": 1.0}, id2: 2, ' + TIMES + "}}", "is no name"),
    ("{act: {act2: {Run: 1.0}, id2: 2}}", "there is no timespan"),
    ("{act: {act2: {Run: 1.0}, id2: 2, timespan: []}}", "the timespan has no tsr0"),
    ("{act: {act2: {Run: 1.0}, id2: 2, timespan: [{tsr0: [3, 1]}]}}", "reversed"),
    ("{act: {act2: {Run: 1.0}, id2: 2, timespan: [{tsr0: [3]}]}}", "tsr0 is not [first, last]"),
    ("{act: {act2: {Run: 1.0}, id2: 2, timespan: [{tsr0: [0, 999999999]}]}}", "is outside 0 to"),
    ("{act: {act2: {Run: 1.0}, id2: 2, " + TIMES + ", actors: [{id1: 8}]}}", "the actor 8, which"),
    ("{act: {act2: {Run: 1.0}, id2: 2, " + TIMES + ", actors: [8]}}", "an actor is {id1"),
    ("{act: {act2: {Run: 1.0}, id2: 2, " + TIMES + ", actors: 8}}", "the actors are no list"),
    (
        "{act: {act2: {Run: 1.0}, id2: 2, "
        + TIMES
        + ", actors: [{id1: 1, timespan: [{tsr0: [2, 1]}]}]}}",
        "reversed",
    ),
    ("{geom: {id1: 1, ts0: 2, g0: 1 2 3 4, x: '" + "x" * (3 << 20) + "'}}", "longer than 1048576"),
]


def block(records: list[str]) -> str:
    return "".join(f"- {record}\n" for record in records)


def flow(records: list[str]) -> str:
    return "[{meta: x},\n" + ",\n".join(records) + "]\n"


def bare(records: list[str]) -> str:
    return "".join(f"{record}\n" for record in records)


FORMS = {"block": (block, 0), "flow": (flow, 1), "bare": (bare, 0)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("record", "message"), FAULTS)
def test_a_fault_is_an_error_or_a_counted_skip(
    tmp_path: Path, form: str, record: str, message: str
) -> None:
    write, before = FORMS[form]
    path = tmp_path / "x.geom.yml"
    path.write_text(write([*GOOD[:3], record, *GOOD[3:]]))
    with pytest.raises(AnnotationError) as raised:
        read_kpf([path], clip="x")
    assert f"{path}, line {4 + before}: " in str(raised.value)
    assert any(each in str(raised.value) for each in message.split("|"))
    assert len(str(raised.value)) < 500
    read = read_kpf([path], clip="x", lenient=True)
    assert [each.line for each in read.problems] == [4 + before]
    assert read.skipped == 1
    assert read.tracks[0].frames_T.tolist() == [0, 1, 3]
    assert [each.id for each in read.activities] == [1]


BROKEN = [
    ("{geom: {id1: 1, ts0: 2, g0: 1 2 3 4}", "not closed|not YAML"),
    ("{geom: {id1: 1, ts0: 2, g0: '1 2 3 4}}", "not closed|not YAML|ends inside"),
    ("junk", "no record|a mapping of one key"),
    ("{geom: {id1: 1, ts0: 2, g0: 1 2 3 4}}}", "no record|not YAML|a mapping of one key|no item"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("record", "message"), BROKEN[:1] + BROKEN[2:])
def test_reading_goes_on_after_what_cannot_be_cut_out(
    tmp_path: Path, form: str, record: str, message: str
) -> None:
    write, before = FORMS[form]
    path = tmp_path / "x.geom.yml"
    path.write_text(write([*GOOD[:3], record, *GOOD[3:]]))
    with pytest.raises(AnnotationError, match=rf"line {4 + before}: .*({message})"):
        read_kpf([path], clip="x")
    read = read_kpf([path], clip="x", lenient=True)
    assert read.skipped >= 1
    assert read.tracks[0].frames_T.tolist()[-1] == 3
    assert [each.id for each in read.activities] == [1]


@pytest.mark.parametrize("form", FORMS)
def test_a_quotation_that_does_not_end_is_reported_where_it_begins(
    tmp_path: Path, form: str
) -> None:
    write, before = FORMS[form]
    path = tmp_path / "x.geom.yml"
    path.write_text(write([*GOOD[:3], BROKEN[1][0], *GOOD[3:]]))
    with pytest.raises(AnnotationError, match=rf"line {4 + before}: .*({BROKEN[1][1]})"):
        read_kpf([path], clip="x")
    assert read_kpf([path], clip="x", lenient=True).skipped >= 1


def test_a_file_cut_short_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.geom.yml"
    whole = flow(GOOD)
    for length in [1, *range(2, len(whole) - 2, 7), len(whole) - 2]:
        path.write_text(whole[:length])
        with pytest.raises(AnnotationError):
            read_kpf([path], clip="x")
    path.write_text(whole)
    assert len(read_kpf([path], clip="x").activities) == 1


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n...\n", "[]", "[ ]\n# end\n"])
def test_a_file_with_no_records_is_no_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.geom.yml"
    path.write_text(text)
    assert read_kpf([path], clip="x").tracks == ()


@pytest.mark.parametrize("text", ["hello: world\n", "-5\n", "\x00\x00\x00 ftypisom", "<xml/>"])
def test_what_is_no_kpf_at_all_is_an_error_even_leniently(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.geom.yml"
    path.write_text(text)
    with pytest.raises(AnnotationError, match="line 1: KPF begins with"):
        read_kpf([path], clip="x", lenient=True)


def test_bytes_that_are_not_utf8_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.types.yml"
    path.write_bytes(b"- {types: {id1: 1, cset3: {caf\xe9: 1.0}}}\n")
    with pytest.raises(AnnotationError, match="line 1: bytes that are not UTF-8"):
        read_kpf([path], clip="x")


@pytest.mark.parametrize("odd", [b"caf\xe9", b"a\x07", b"a\x00"])
def test_odd_bytes_are_noticed_in_records_read_the_quick_way_too(
    tmp_path: Path, odd: bytes
) -> None:
    path = tmp_path / "x.geom.yml"
    record = b"- {geom: {id1: 1, ts0: %d, g0: 1 2 3 4, src: %s}}\n"
    path.write_bytes(record % (0, b"a") + record % (1, b"b") + record % (2, odd))
    with pytest.raises(AnnotationError, match=r"line 3: (bytes that are not UTF-8|not YAML)"):
        read_kpf([path], clip="x")


def test_an_alias_bomb_is_refused_at_its_first_anchor(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for letter, before in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"  {letter}: &{letter} [{','.join([f'*{before}'] * 9)}]\n"
    path = tmp_path / "x.geom.yml"
    path.write_text("- " + bomb)
    with pytest.raises(AnnotationError, match="line 1: anchors"):
        read_kpf([path], clip="x")


@pytest.mark.parametrize("opening", ["[", "{", "[{", "- ", "- {a: ["])
def test_deep_nesting_is_refused_quickly(tmp_path: Path, opening: str) -> None:
    path = tmp_path / "x.geom.yml"
    path.write_text(opening * 200_000)
    with pytest.raises(AnnotationError):
        read_kpf([path], clip="x")


def test_several_spans_become_several_activities_and_an_actor_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "x.activities.yml"
    path.write_text(
        "- {act: {act2: {Run: 1.0}, id2: 0, timespan: [{tsr0: [1, 2]}, {tsr0: [5, 9]}]}}\n"
        "- {act: {act2: {Walk: 0.4, Stand: 0.6}, id2: 1, timespan: [{tsr0: [0, 0]}],\n"
        "   actors: [{id1: 7}, {id1: 3}, {id1: 7}]}}\n"
    )
    read = read_kpf([path], clip="x")
    assert [(each.id, each.label, each.start, each.stop) for each in read.activities] == [
        (0, "Run", 1, 3),
        (1, "Stand", 0, 1),
        (2, "Run", 5, 10),
    ]
    assert [each.actors for each in read.activities] == [(), (7, 3), ()]


def test_a_second_activity_of_an_id_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.activities.yml"
    path.write_text(block([GOOD[0], GOOD[4], GOOD[4]]))
    with pytest.raises(AnnotationError, match="line 3: the activity id 1 appears a second time"):
        read_kpf([path], clip="x")
    assert len(read_kpf([path], clip="x", lenient=True).activities) == 1


def test_too_many_objects_are_absurd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyvirat.annotations.building.MAX_TRACKS", 2)
    path = tmp_path / "x.geom.yml"
    path.write_text("".join(f"- {{geom: {{id1: {n}, ts0: 0, g0: 1 2 3 4}}}}\n" for n in range(3)))
    with pytest.raises(AnnotationError, match="line 3: the object 2 is one more than the 2"):
        read_kpf([path], clip="x")


numbers = (
    st.integers(-200, 9999).map(str)
    | st.floats(-200, 9999).map(repr)
    | st.sampled_from(["1.", "+3", "1e2", "007", "0x10", "1_0", "nan", "~"])
)
quotes = st.sampled_from(["", "'", '"'])
space = st.sampled_from(["", " ", "  ", "\n  "])


@st.composite
def geometry_texts(draw: Any) -> str:
    """Records of geometry in few shapes, most of them right and some of them not."""
    values = {
        "id1": draw(st.integers(0, 2).map(str) | st.sampled_from(["x", "-1", "1.0"])),
        "ts0": draw(st.integers(0, 50).map(str) | st.sampled_from(["03", "4.0", "5e0", ""])),
        "g0": draw(quotes),
        "src": draw(st.sampled_from(["truth", "'truth'", "a b", "[1]", "{}", "x # y", "&a 1"])),
        "id0": "7",
    }
    mark = values["g0"]
    values["g0"] = mark + " ".join(draw(st.lists(numbers, min_size=4, max_size=4))) + mark
    order = draw(st.sampled_from([("id1", "id0", "ts0", "g0"), ("g0", "id1", "src", "ts0")]))
    quote = draw(quotes)
    gap = draw(space)
    pairs = f",{gap}".join(f"{quote}{key}{quote}:{draw(space)}{values[key]}" for key in order)
    return f"- {{ geom: {{{gap}{pairs}{gap}}}{gap}}}\n"


def everything(path: Path) -> list[object]:
    log = ProblemLog(lenient=True)
    found: list[object] = [*KpfStream(path, log)]
    return [*found, *((each.line, each.message) for each in log.listed)]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(geometry_texts(), min_size=2, max_size=8))
def test_the_quick_way_and_yaml_agree(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "agree.yml"
    path.write_text("".join(texts))
    quick = everything(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kpf_stream, "MAX_SHAPES", 0)
        assert quick == everything(path)


def test_a_pattern_takes_only_whole_records_of_its_keys() -> None:
    pattern = geometry_pattern(("id1", "ts0", "g0", "src"))
    found = pattern.fullmatch("{ geom: {id1: 1, ts0: 2, g0: 3 4 5.5 -6e1, src: truth } }")
    assert found is not None
    assert found.group("id1", "ts0", "x1", "y1", "x2", "y2") == ("1", "2", "3", "4", "5.5", "-6e1")
    for other in (
        "{ geom: {id1: 1, ts0: 2, g0: 3 4 5 6 } }",
        "{ geom: {id1: 1, ts0: 2, src: truth, g0: 3 4 5 6} }",
        "{ geom: {id1: 1, ts0: 2, g0: 3 4 5 6, src: [truth] } }",
        "{ geom: {id1: 1, ts0: 2, g0: '3 4 5 6, src: truth } }",
        "{ geom: {id1:1, ts0: 2, g0: 3 4 5 6, src: truth } }",
    ):
        assert pattern.fullmatch(other) is None


def test_a_tree_is_plain_text_whatever_yaml_would_make_of_it() -> None:
    assert load_tree("{a: yes, b: 010, c: 1:30, d: !!set {x}, e: [~, '']}") == {
        "a": "yes",
        "b": "010",
        "c": "1:30",
        "d": {"x": ""},
        "e": ["~", ""],
    }
    with pytest.raises(RecordError, match="2 documents"):
        load_tree("a\n---\nb")
    with pytest.raises(RecordError, match="a key that is no plain text"):
        load_tree("{[a]: b}")


_MEASURE = """
import json, re, sys
from pathlib import Path
from tinyvirat.annotations.kpf import read_kpf
status = Path("/proc/self/status")
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) / 1024
before = peak()
boxes = sum(len(track.frames_T) for track in read_kpf([Path(sys.argv[1])], clip="x").tracks)
print(json.dumps([boxes, peak() - before]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
def test_geometry_is_streamed_even_from_a_single_line(tmp_path: Path) -> None:
    path = tmp_path / "x.geom.yml"
    boxes = 160_000
    with path.open("w") as file:
        file.write("[")
        for number in range(boxes):
            file.write(
                f"{{geom: {{g0: 1024 768 1100 {900 + number % 7}, id0: {number}, "
                f"id1: {number % 9}, keyframe: true, src: truth, ts0: {number}, "
                f"ts1: {number / 30:.12f}}}}}, "
            )
        file.write("]\n")
    megabytes = path.stat().st_size / 2**20
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    read, grown = json.loads(done.stdout)
    assert read == boxes
    # 40 bytes a box are the result (6 MiB); the text, held whole, would be 17 MiB more.
    assert megabytes > 17
    assert grown < 17, f"{megabytes:.1f} MiB of text took {grown:.1f} MiB"
