"""The outputs by their names."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvirat.recognition.events import Sink
from tinyvirat.recognition.outputs.actev import ActevSink
from tinyvirat.recognition.outputs.files import OutputError
from tinyvirat.recognition.outputs.jsonl import JsonlSink
from tinyvirat.recognition.outputs.tables import TablesSink
from tinyvirat.recognition.outputs.video import VideoSink

if TYPE_CHECKING:
    from tinyvirat.recognition.load import ActionRecognizer

BUILDERS: dict[str, Callable[[Path], Sink]] = {
    "jsonl": JsonlSink,
    "csv": TablesSink,
    "actev": ActevSink,
    "video": VideoSink,
}

ALL = tuple(BUILDERS)
"""Every output, in the order in which they are written."""


def open_sinks(
    out: Path, recognizer: ActionRecognizer, wanted: tuple[str, ...] = ALL
) -> list[Sink]:
    """The outputs of one video, ready to begin.

    They are to be given every call in the order of the list, `end` too.

    Args:
        out: the folder that they write into; it is made when they begin.
        recognizer: the model at work; its networks draw the strips.
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
    return [build(out) for name, build in BUILDERS.items() if name in wanted]
