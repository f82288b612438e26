"""A place in a file that moves to any frame: onward by decoding, far ahead by a proven jump."""

from __future__ import annotations

from pathlib import Path

from tinyvirat.video.decoding import Decoding, NotExactError, Picture
from tinyvirat.video.packets import FrameMap

# Frames that are rather decoded in vain than jumped over: reading all packets and opening the file
# again costs about as much.
WORTH_A_JUMP = 100


class Cursor:
    """A place in a file.

    Args:
        path: the file.
        threads: of the decoder; None chooses by the size of the pictures.
        known: what is known about the file.
        begun: a pass at its beginning to start with, if there is one.

    Attributes:
        end: the number of frames, once `at` has answered None.
    """

    def __init__(
        self, path: Path, threads: int | None, known: FrameMap, begun: Decoding | None = None
    ) -> None:
        self.end: int | None = None
        self._path = path
        self._threads = threads
        self._known = known
        self._decoding = begun

    def at(self, index: int) -> Picture | None:
        """Picture number `index`, or None when the file ends before it."""
        try:
            return self._moved_to(index)
        except NotExactError:
            self._known.may_jump = False
            self.close()
            return self._moved_to(index)

    def close(self) -> None:
        """Lets go of the file; `at` opens it again."""
        if self._decoding is not None:
            self._decoding.close()
            self._decoding = None

    def _moved_to(self, index: int) -> Picture | None:
        decoding = self._placed_before(index)
        while (picture := decoding.next()) is not None:
            if picture.index == index:
                return picture
        self.end = decoding.next_index
        if not decoding.jumped:
            self._known.count = decoding.next_index
        return None

    def _placed_before(self, index: int) -> Decoding:
        """A pass whose next frame is `index` or an earlier one."""
        here = 0
        if self._decoding is not None:
            here = self._decoding.next_index
            if here > index:
                self.close()
                here = 0
        far = index - here > WORTH_A_JUMP and self._known.may_jump
        if far and (table := self._known.timetable()) is not None:
            key = table.key_before(index)
            if key is not None and key - here > WORTH_A_JUMP:
                self.close()
                self._decoding = Decoding(self._path, self._known, self._threads, (table, index))
        if self._decoding is None:
            self._decoding = Decoding(self._path, self._known, self._threads)
        return self._decoding
