"""The whole frame as one tube: for clips that somebody has already cropped."""

from __future__ import annotations

from tinyvirat.recognition.proposals.records import TubeBox, TubeFrame
from tinyvirat.video import Frame


class WholeFrame:
    """One tube, number 0, from the first frame to the last.

    Args:
        width: of a frame in pixels.
        height: of a frame in pixels.

    Attributes:
        delay: 0; a frame's box is given at once.
    """

    def __init__(self, width: int, height: int) -> None:
        self.delay = 0
        self._box = TubeBox(0, (0.0, 0.0, float(width), float(height)))
        self._begun = False

    def update(self, frame: Frame) -> tuple[TubeFrame, ...]:
        """The tube in the next frame."""
        born = () if self._begun else (0,)
        self._begun = True
        return (TubeFrame(frame.index, frame.time, (self._box,), born),)

    def finish(self) -> tuple[TubeFrame, ...]:
        """Nothing: nothing is held back."""
        return ()
