"""Rows of JSON: `predictions.jsonl`, a row a stretch of a tube, and `actions.jsonl`."""

from __future__ import annotations

import json
from pathlib import Path

from tinyvirat.recognition.events import Action, Event, StreamEnd, StreamHeader
from tinyvirat.recognition.outputs.files import GrowingFile
from tinyvirat.recognition.results import Prediction


class JsonlSink:
    """Writes every prediction and every action as it comes.

    Args:
        out: the folder of the two files.
    """

    def __init__(self, out: Path) -> None:
        self._predictions = GrowingFile(out / "predictions.jsonl")
        self._actions = GrowingFile(out / "actions.jsonl")

    def begin(self, header: StreamHeader) -> None:
        """Makes the files."""
        self._predictions.open()
        self._actions.open()

    def take(self, event: Event) -> None:
        """Writes the row of a prediction or an action."""
        if isinstance(event, Prediction):
            self._predictions.write(json.dumps(event.to_json()) + "\n")
        elif isinstance(event, Action):
            self._actions.write(json.dumps(event.to_json()) + "\n")

    def end(self, end: StreamEnd) -> None:
        """Gives the files their names."""
        self._predictions.finish()
        self._actions.finish()

    def abandon(self) -> None:
        """Removes the files."""
        self._predictions.drop()
        self._actions.drop()
