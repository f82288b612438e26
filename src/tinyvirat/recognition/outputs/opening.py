"""The outputs by their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvirat.recognition.events import Sink
from tinyvirat.recognition.outputs.actev import ActevSink
from tinyvirat.recognition.outputs.files import OutputError
from tinyvirat.recognition.outputs.jsonl import JsonlSink
from tinyvirat.recognition.outputs.report import ReportSink
from tinyvirat.recognition.outputs.strip import StripDrawer
from tinyvirat.recognition.outputs.strips import StripsSink
from tinyvirat.recognition.outputs.tables import TablesSink
from tinyvirat.recognition.outputs.timeline import TimelineSink
from tinyvirat.recognition.outputs.video import VideoSink

if TYPE_CHECKING:
    from tinyvirat.recognition.load import ActionRecognizer


@dataclass(frozen=True)
class _Plan:
    """Where outputs go, and what they share."""

    out: Path
    drawer: StripDrawer
    wanted: frozenset[str]


# The report comes last: it takes up the video, which must be whole by then.
BUILDERS: dict[str, Callable[[_Plan], Sink]] = {
    "jsonl": lambda plan: JsonlSink(plan.out),
    "csv": lambda plan: TablesSink(plan.out),
    "actev": lambda plan: ActevSink(plan.out),
    "video": lambda plan: VideoSink(plan.out),
    "strips": lambda plan: StripsSink(plan.out, plan.drawer),
    "timeline": lambda plan: TimelineSink(plan.out),
    "report": lambda plan: ReportSink(plan.out, plan.drawer, video="video" in plan.wanted),
}

ALL = tuple(BUILDERS)
"""Every output, in the order in which they are written."""


def open_sinks(
    out: Path, recognizer: ActionRecognizer | None, wanted: tuple[str, ...] = ALL
) -> list[Sink]:
    """The outputs of one video, ready to begin.

    They are to be given every call in the order of the list, `end` too.

    Args:
        out: the folder that they write into; it is made when they begin.
        recognizer: the model at work, whose networks draw the strips; None, or a model that is here
            as an exported file only, leaves them with the input row.
        wanted: names from `ALL`, in any order.

    Raises:
        OutputError: a name that is none of them, or `out` is a file.
    """
    for name in wanted:
        if name not in ALL:
            near = get_close_matches(name, ALL, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise OutputError(f"{name!r} is no output{hint}; there are: {', '.join(ALL)}")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; the outputs need a folder")
    plan = _Plan(out, StripDrawer(recognizer), frozenset(wanted))
    return [build(plan) for name, build in BUILDERS.items() if name in wanted]
