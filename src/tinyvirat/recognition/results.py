"""What recognition answers: plain result objects, and their row in a JSONL file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyvirat.common.files import write_text


@dataclass(frozen=True)
class Prediction:
    """What is done in one clip or tube.

    Attributes:
        video: the file, as it was given.
        tube: number of the tube in its video; 0 for a whole clip.
        start: first frame looked at, from 0, in the source video's own numbering.
        stop: the frame after the last.
        start_time: time of the first frame in seconds, from the video's timestamps.
        stop_time: time in seconds at which the last frame ends.
        scores: every label's probability, in the model's order.
        labels: those at or above their threshold, most probable first (single-label models: the
            most probable one). Empty is a proper answer.
        boxes: `x1, y1, x2, y2` a frame in pixels of the source; None for a whole clip.
        model: the name of the model that answered.
    """

    video: str
    tube: int
    start: int
    stop: int
    start_time: float
    stop_time: float
    scores: Mapping[str, float]
    labels: tuple[str, ...]
    boxes: tuple[tuple[float, float, float, float], ...] | None
    model: str

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The `count` most probable labels with their probabilities, best first."""
        return sorted(self.scores.items(), key=lambda item: -item[1])[:count]

    def to_json(self) -> dict[str, Any]:
        """The row of a recognition file."""
        return {
            "video": self.video,
            "tube": self.tube,
            "start": self.start,
            "stop": self.stop,
            "start_time": round(self.start_time, 6),
            "stop_time": round(self.stop_time, 6),
            "scores": {label: round(score, 6) for label, score in self.scores.items()},
            "labels": list(self.labels),
            "boxes": None if self.boxes is None else [list(box) for box in self.boxes],
            "model": self.model,
        }


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Writes one JSON row a prediction, whole or not at all."""
    write_text(path, "".join(json.dumps(p.to_json()) + "\n" for p in predictions))
