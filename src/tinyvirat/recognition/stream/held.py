"""Frames that wait until everything is known that happens in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from tinyvirat.recognition.events import AnsweredBox, AnsweredFrame
from tinyvirat.recognition.proposals.records import TubeBox
from tinyvirat.recognition.stream.tubes import Answer
from tinyvirat.video import Frame


@dataclass(eq=False)
class _Held:
    frame: Frame
    scale: float
    boxes: tuple[TubeBox, ...]
    answers: dict[int, Answer] = field(default_factory=dict)

    def answered(self) -> AnsweredFrame:
        boxes = [(box, self.answers[box.tube]) for box in self.boxes]
        return AnsweredFrame(
            self.frame,
            self.scale,
            tuple(AnsweredBox(box, answer.labels, answer.scores) for box, answer in boxes),
        )


class HeldFrames:
    """Holds frames, reduced, in the order in which they come, and gives them in the same order.

    Args:
        widest: pixels; wider pictures are reduced to this width. 0 keeps them.

    Attributes:
        bytes: of the pictures that are held.
    """

    def __init__(self, widest: int) -> None:
        self.bytes = 0
        self._widest = widest
        self._order: deque[_Held] = deque()
        self._by_index: dict[int, _Held] = {}

    def add(self, frame: Frame, boxes: Sequence[TubeBox]) -> None:
        """Takes the next frame and the boxes that wait for an answer."""
        reduced, scale = _reduced(frame, self._widest)
        held = _Held(reduced, scale, tuple(boxes))
        self.bytes += reduced.frame_HWC.nbytes
        self._order.append(held)
        self._by_index[frame.index] = held

    def answer(self, answer: Answer) -> None:
        """What is known of a tube in some frames, all of which are held."""
        for index in range(answer.start, answer.stop):
            self._by_index[index].answers[answer.tube] = answer

    def ready(self) -> Iterator[AnsweredFrame]:
        """The frames of which everything is known, and of all before them."""
        while self._order and len(self._order[0].answers) == len(self._order[0].boxes):
            held = self._order.popleft()
            del self._by_index[held.frame.index]
            self.bytes -= held.frame.frame_HWC.nbytes
            yield held.answered()


def _reduced(frame: Frame, widest: int) -> tuple[Frame, float]:
    height, width = frame.frame_HWC.shape[:2]
    if not widest or width <= widest:
        return frame, 1.0
    size = (widest, max(1, round(height * widest / width)))
    picture_HWC = cv2.resize(frame.frame_HWC, size, interpolation=cv2.INTER_AREA)
    return Frame(frame.index, frame.time, np.asarray(picture_HWC, np.uint8)), widest / width
