"""The report: whole in one file, safe whatever the names, right in its times, plain when empty."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tinyvirat.recognition.events import Action, StreamEnd
from tinyvirat.recognition.outputs import page
from tinyvirat.recognition.outputs.opening import ALL, open_sinks

from .scenes import Actor, Scene, crowd, play

VOID = {"meta", "img", "link", "br", "hr", "input"}
EVIL = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onclick='alert(1)",
    "<!--",
    "]]>&amp;",
)


class Page(HTMLParser):
    """The elements of a page, with their attributes; checks that they close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def of(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """Attributes of the elements of a kind."""
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(attributes.get(k.rstrip("_")) == v for k, v in wanted.items())
        ]

    @property
    def data(self) -> Any:
        """What the script is given."""
        return json.loads(self.texts["script"][0])

    @property
    def text(self) -> str:
        """Everything that can be read."""
        kinds = ("script", "style")
        return " ".join(t for tag, ts in self.texts.items() if tag not in kinds for t in ts)


def written(
    folder: Path, scene: Scene, *, wanted: tuple[str, ...] = ALL, end: StreamEnd | None = None
) -> Page:
    play(open_sinks(folder, None, wanted), scene, end=end)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_all_outputs_side_by_side(tmp_path: Path) -> None:
    report = written(tmp_path, Scene())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "actions.csv",
        "actions.jsonl",
        "activities.json",
        "annotated.mp4",
        "predictions.jsonl",
        "report.html",
        "strips",
        "timeline.png",
        "tubes.csv",
    ]
    (video,) = report.of("video")
    head, _, data = str(video["src"]).partition(",")
    assert head == "data:video/mp4;base64"
    assert base64.b64decode(data) == (tmp_path / "annotated.mp4").read_bytes()
    pictures = [str(image["src"]).partition(",") for image in report.of("img", class_="strip")]
    assert len(pictures) == 2
    for _, _, data in pictures:
        assert Image.open(BytesIO(base64.b64decode(data))).width > 900


def test_everything_that_can_be_clicked_has_its_time(tmp_path: Path) -> None:
    """Times on the page are those of the video, which begins with the first frame."""
    times = [10.0 + 0.04 * number for number in range(101)]
    scene = Scene(times=times)
    report = written(tmp_path, scene, wanted=("video", "report"))
    seconds = {(b["data-tube"], b["data-time"]) for b in report.of("button", class_="seek")}
    assert seconds == {("0", "0.400"), ("1", "0.000"), ("2", "3.600")}
    chips = [(b["data-tube"], b["data-time"]) for b in report.of("button", class_="chip")]
    assert chips == [("0", "0.400"), ("0", "1.200")]
    assert len(report.of("g", tabindex="0")) == 3
    actions = [event for event in scene.events() if isinstance(event, Action)]
    labels = report.data["labels"]
    assert report.data["seconds"] == pytest.approx(4.0)
    assert {(a[0], a[1], a[2], labels[a[3]]) for a in report.data["actions"]} == {
        (round(a.start_time - 10, 3), round(a.stop_time - 10, 3), a.tube, a.label) for a in actions
    }
    assert "00:10.4 - 00:12.8" in report.text  # what is read is the source's own time


def test_labels_to_filter_by_name_the_tubes_that_have_them(tmp_path: Path) -> None:
    scene = crowd(9)
    report = written(tmp_path, scene, wanted=("report",))
    labels = report.data["labels"]
    for kind in ("article", "g"):
        found = {
            str(one["data-tube"]): {labels[int(k)] for k in str(one["data-labels"]).split()}
            for one in report.of(kind)
        }
        wanted = {str(t): {act[0] for act in actor.acts} for t, actor in enumerate(scene.actors)}
        assert found == wanted
    numbers = [str(k) for k in range(len(labels))]
    assert [button["data-label"] for button in report.of("button", class_="label")] == numbers


def test_the_page_needs_nothing_else_and_runs_only_its_own_script(tmp_path: Path) -> None:
    report = written(tmp_path, Scene())
    text = (tmp_path / "report.html").read_text()
    (policy,) = [m["content"] for m in report.of("meta") if "http-equiv" in m]
    script = report.texts["script"][1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none'")
    assert len(report.of("script")) == 2
    assert not re.search(r"https?://|@import|url\(", re.sub(r"base64,[^\"]*", "", text))
    for tag, attributes in report.elements:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href"):
            assert str(attributes.get(name) or "data:").startswith("data:")


def test_names_from_elsewhere_stay_text(tmp_path: Path) -> None:
    acts = tuple((label, 2 * k, 2 * k + 9, 0.9) for k, label in enumerate(EVIL))
    scene = Scene(
        actors=(Actor(0, 30, acts, type=EVIL[0]),),
        labels=(*EVIL, "walk"),
        frames=30,
        video=f"/data/{EVIL[1]}",
    )
    evil = replace(scene.header, model=EVIL[2])
    sinks = open_sinks(tmp_path, None, ("report",))
    sinks[0].begin(evil)
    for event in scene.events():
        sinks[0].take(event)
    sinks[0].end(replace(scene.end, stages={EVIL[0]: 1.0}))
    report = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    plain = tags_of(Scene(), tmp_path / "plain")
    assert {tag for tag, _ in report.elements} <= plain
    assert len(report.of("script")) == 2
    assert not any("onclick" in a or "onerror" in a for _, a in report.elements)
    assert all(label in report.text for label in (EVIL[2], EVIL[3], EVIL[4]))
    assert set(report.data["labels"]) == {page.one_line(label) for label in EVIL}


def tags_of(scene: Scene, folder: Path) -> set[str]:
    """The kinds of elements of an ordinary page."""
    return {tag for tag, _ in written(folder, scene, wanted=("report",)).elements}


@settings(max_examples=50)
@given(st.lists(st.text() | st.dictionaries(st.text(), st.text(max_size=9), max_size=3)))
def test_json_in_a_page_can_end_nothing_and_comes_back(value: Any) -> None:
    text = page.inlined(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value


@pytest.mark.parametrize(
    ("scene", "why"),
    [
        (Scene(actors=(), frames=0), "no tube was found"),
        (Scene(actors=(), frames=5), "no tube was found"),
        (Scene(actors=(Actor(0, 30),), frames=30), "reached its threshold"),
        (Scene(actors=(Actor(0, 3, read=False),), frames=5, known=False), "reached its threshold"),
    ],
)
def test_nothing_recognised_is_said_plainly(scene: Scene, why: str, tmp_path: Path) -> None:
    report = written(tmp_path, scene)
    assert "Nothing recognised: " in report.text and why in report.text
    assert len(report.of("video")) == (1 if scene.frames else 0)
    assert "Nothing recognised" not in written(tmp_path, Scene()).text


def test_how_it_went_is_said(tmp_path: Path) -> None:
    end = replace(Scene().end, interrupted=True, dropped=1234, reconnects=2, seconds=2.0)
    text = written(tmp_path, Scene(), wanted=("report",), end=end).text
    for words in (
        "Stopped by hand",
        "1,234 dropped",
        "2 reconnections",
        "2 x as fast as the video",
        "network 2.0 s, 20.0 ms a frame",
        "160 x 120",
    ):
        assert words in text, words
    assert "side by side" in text  # the stages took 4 s of the 2 s
    assert "Stopped by hand" not in written(tmp_path, Scene(), wanted=("report",)).text


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, ("1 frame, 1 dropped, 1 reconnection", "1 action", "1 label; 1 window")),
        (
            2,
            ("2 frames, 2 dropped, 2 reconnections", "2 actions", "2 labels; 2 windows"),
        ),
    ],
)
def test_one_is_not_said_as_several(count: int, words: tuple[str, ...], tmp_path: Path) -> None:
    labels = ("carry", "pull")[:count]
    scene = Scene(
        actors=tuple(Actor(0, count, ((label, 0, count, 0.9),)) for label in labels),
        labels=labels,
        frames=count,
    )
    end = StreamEnd(count, count, count, count, count, 1.0, False, {})
    report = written(tmp_path, scene, wanted=("report",), end=end)
    for said in words:
        assert said in report.texts["small"]


@pytest.mark.parametrize(("left", "said"), [(1, "and 1 rarer one"), (2, "and 2 rarer ones")])
def test_labels_without_room_are_counted(
    left: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MOST_LABELS", 3 - left)
    assert said in written(tmp_path, crowd(9), wanted=("report",)).texts["span"]


def test_a_large_video_stays_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LARGEST_EMBEDDED", 100)
    report = written(tmp_path, Scene(frames=5), wanted=("video", "report"))
    assert [video["src"] for video in report.of("video")] == ["annotated.mp4"]
    assert "keep annotated.mp4 beside it" in report.text


def test_a_video_of_an_earlier_run_is_not_taken_up(tmp_path: Path) -> None:
    (tmp_path / "annotated.mp4").write_bytes(b"of another video")
    assert written(tmp_path, Scene(frames=5), wanted=("report",)).of("video") == []


def test_no_password_is_on_the_page(tmp_path: Path) -> None:
    written(tmp_path, Scene(video="rtsp://me:secret@camera/live"), wanted=("report",))
    text = (tmp_path / "report.html").read_text()
    assert "secret" not in text and "rtsp://camera/live" in text


def test_hundreds_of_tubes_and_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyvirat.recognition.outputs.report.MOST_TUBES", 45)
    labels = tuple(f"label {k}" for k in range(100))
    report = written(tmp_path, crowd(60, labels=labels, size=(8, 8)), wanted=("report",))
    assert len(report.of("article")) == 45
    assert "and 15 more, scored lower, in tubes.csv" in report.text
    assert "48 actions" in report.texts["small"]  # of all tubes, as their number is
    assert len(report.of("button", class_="label")) == page.MOST_LABELS
    timeline = report.of("svg", role="img")[0]
    assert int(str(timeline["height"])) < 300  # tubes that do not overlap share a lane


def test_what_is_abandoned_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("before")
    sinks, scene = open_sinks(tmp_path, None), Scene(frames=30)
    for sink in sinks:
        sink.abandon()
        sink.begin(scene.header)
    for event in scene.events():
        for sink in sinks:
            sink.take(event)
    for sink in sinks:
        sink.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "before"
