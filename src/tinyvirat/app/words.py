"""What the page says: its texts, its tables, and how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tinyvirat.app.found import Found, FoundTube
from tinyvirat.app.limits import AppLimits
from tinyvirat.common.words import counted
from tinyvirat.datasets.records import ClipRecord
from tinyvirat.models.saved import ModelSpec
from tinyvirat.recognition.outputs.words import clock

TUBE_COLUMNS = ["tube", "type", "from - to", "labels", "scores"]
SAVED_COLUMNS = ["labels", "video", "frames", "split", "clip"]
NOTHING = "nothing"
MOST_NAMED = 12
"""Labels that the introduction lists."""

STYLE = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
.tv-head h1 { font-size: 1.7rem; font-weight: 700; letter-spacing: -.02em; margin: .6rem 0 .1rem; }
.tv-head p { margin: .15rem 0; max-width: 62rem; line-height: 1.5; }
.tv-head p + p { font-size: .88rem; opacity: .75; }
.tv-step { display: flex; align-items: center; gap: .65rem; font-size: 1.12rem; font-weight: 650;
  margin: .9rem 0 0; }
.tv-step b { flex: none; display: grid; place-items: center; width: 1.75rem; height: 1.75rem;
  border-radius: 50%; background: var(--primary-600); color: #fff; font-size: .95rem; }
.tv-step span { font-weight: 400; font-size: .9rem; opacity: .75; }
.tv-note { font-size: .86rem; opacity: .78; line-height: 1.45; margin: .2rem 0; }
.tv-said { padding: .55rem .9rem; border-radius: 8px; border-left: 4px solid var(--primary-500);
  background: var(--block-background-fill); line-height: 1.45; overflow-wrap: anywhere; }
.tv-said.tv-error { border-color: #e03131; }
.tv-said.tv-done { border-color: #2f9e44; }
.tv-tube h3 { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline;
  font-size: 1rem; font-weight: 650; margin: .2rem 0 .6rem; }
.tv-tube h3 span { font-weight: 400; opacity: .75; font-variant-numeric: tabular-nums; }
.tv-tube h3 em { font-style: normal; font-weight: 500; color: var(--primary-500); }
.tv-side { display: flex; flex-wrap: wrap; gap: 1.2rem; align-items: flex-start; }
.tv-side figure, .tv-strips { margin: 0; }
.tv-crop video { width: 220px; height: 220px; object-fit: contain; image-rendering: pixelated;
  background: #000; border-radius: 8px; display: block; }
.tv-scores { flex: 1 1 26rem; min-width: 0; }
.tv-scores svg { width: 100%; height: auto; display: block; }
.tv-tube figcaption, .tv-strips dt { font-size: .8rem; opacity: .75; margin-top: .25rem; }
.tv-strips { margin-top: .8rem; display: grid; gap: .5rem; }
.tv-strips > div { display: grid; grid-template-columns: 8.5rem 1fr;
  align-items: center; gap: .8rem; }
.tv-strips dd { margin: 0; } .tv-strips dt { margin: 0; }
.tv-strips img { width: 100%; border-radius: 6px; display: block; margin: 0; }
@media (max-width: 640px) { .tv-strips > div { grid-template-columns: 1fr; } }
.tv-flat, .tv-flat .html-container, .tv-flat .prose { padding: 0 !important; margin: 0; }
#tv-tubes *, #tv-saved * { font-family: var(--font) !important;
  font-size: .86rem; font-variant-numeric: tabular-nums; }
#tv-tubes .selection-button, #tv-saved .selection-button { display: none; }
#tv-tubes td { cursor: pointer; }
#tv-command textarea { font-family: var(--font-mono); font-size: .82rem; }
"""


def head(spec: ModelSpec) -> str:
    """The introduction."""
    named = ", ".join(escape(label) for label in spec.labels[:MOST_NAMED])
    more = len(spec.labels) - MOST_NAMED
    rest = f" and {more} more" if more > 0 else ""
    return (
        "<div class='tv-head'><h1>Tiny actions in surveillance video</h1>"
        "<p>Who does what, where and when, even where the actors are a few pixels tall. Each one "
        "is followed, cut out, made larger and recognised; then you can say what you see, and "
        "train a model of your own on it.</p>"
        f"<p>The model {escape(spec.name)} knows: {named}{rest}. Videos stay on the machine that "
        "shows this page, and are removed after your visit.</p></div>"
    )


def step(number: int, title: str, hint: str = "") -> str:
    """The heading of a step."""
    return f"<div class='tv-step'><b>{number}</b>{escape(title)}<span>{escape(hint)}</span></div>"


def note(text: str) -> str:
    """Small print."""
    return f"<p class='tv-note'>{escape(text)}</p>"


def sample_note() -> str:
    """What the sample is."""
    return note("The sample is a rendered scene of ten seconds: drawings, no real people.")


def limits_note(limits: AppLimits) -> str:
    """What is taken."""
    return note(
        f"Any usual video file up to {limits.megabytes:g} MB and {limits.seconds:g} seconds, from "
        "a camera that stands still. One video is recognised at a time; others wait in a queue."
    )


def said(text: str, kind: str = "") -> str:
    """A sentence to the visitor: plain, `error` or `done`."""
    role = " role='alert'" if kind == "error" else ""
    return f"<div class='tv-said tv-{kind or 'plain'}'{role}>{escape(text)}</div>"


def summary(found: Found, name: str) -> str:
    """How recognition went, in a sentence."""
    end, acting = found.end, sum(bool(tube.best) for tube in found.tubes)
    read = len(found.tubes) + found.more
    size = f"{found.header.width} x {found.header.height} px"
    text = (
        f"{name}: {counted(end.frames, 'frame')} of {size} in {end.seconds:.1f} s; "
        f"{counted(read, 'tube')}, something is done in {acting}"
    )
    if found.unread:
        text += f"; {found.unread} more too short to be read"
    if found.more:
        text += f"; the first {len(found.tubes)} are listed, the files have all"
    return said(text + ".", "done")


def tube_rows(found: Found) -> list[list[object]]:
    """The table of tubes."""
    return [_tube_row(tube) for tube in found.tubes]


def _tube_row(tube: FoundTube) -> list[object]:
    end = tube.end
    when = f"{clock(end.start_time)} - {clock(end.stop_time)}"
    if not tube.best:
        top, score = tube.top
        return [end.tube, end.type, when, NOTHING, f"({top} {score:.2f})"]
    scores = ", ".join(f"{score:.2f}" for score in tube.best.values())
    return [end.tube, end.type, when, ", ".join(tube.best), scores]


def saved_rows(records: Sequence[ClipRecord]) -> list[list[object]]:
    """The table of saved labels, the newest first."""
    return [
        [
            ", ".join(record.labels) or NOTHING,
            str(record.extra.get("video", record.source)),
            record.length,
            record.split,
            record.id,
        ]
        for record in reversed(records)
    ]
