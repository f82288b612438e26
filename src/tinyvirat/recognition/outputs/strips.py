"""A picture for each of the tubes that have most to show: `strips/tube-0001.png`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from tinyvirat.recognition.events import Event, StreamEnd, StreamHeader, TubeEnd
from tinyvirat.recognition.outputs.files import writing
from tinyvirat.recognition.outputs.keeping import Best, rank_of
from tinyvirat.recognition.outputs.strip import StripDrawer, titled

FOLDER = "strips"
MOST = 200


class StripsSink:
    """Draws a tube when it ends, if it is among the best so far.

    Args:
        out: the folder that `strips` is made in. Pictures of an earlier run are removed from it.
        drawer: what draws.
        most: how many pictures are kept: those of tubes that do something first, then by score.
    """

    def __init__(self, out: Path, drawer: StripDrawer, most: int = MOST) -> None:
        self._folder = out / FOLDER
        self._drawer = drawer
        self._kept = Best[Path](most)
        self._beside: Path | None = None

    def begin(self, header: StreamHeader) -> None:
        """Makes a folder beside."""
        with writing(self._folder):
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            beside = tempfile.mkdtemp(prefix=f".{FOLDER}-", dir=self._folder.parent)
        self._beside = Path(beside)

    def take(self, event: Event) -> None:
        """Draws a tube."""
        if not isinstance(event, TubeEnd) or self._beside is None:
            return
        rank = rank_of(event)
        if not self._kept.takes(rank):
            return
        picture = self._drawer.draw(event)
        if picture is None:
            return
        path = self._beside / f"tube-{event.tube:04d}.png"
        with writing(self._folder / path.name):
            titled(picture, event).save(path)
            fallen = self._kept.offer(rank, path)
            if fallen is not None:
                fallen.unlink()

    def end(self, end: StreamEnd) -> None:
        """Puts the pictures into their folder."""
        beside, self._beside = self._beside, None
        if beside is None:
            return
        with writing(self._folder):
            for old in self._folder.glob("tube-*.png"):
                old.unlink()
            if len(self._kept):
                self._folder.mkdir(exist_ok=True)
            for path in self._kept:
                path.replace(self._folder / path.name)
            shutil.rmtree(beside)
        if not len(self._kept):
            with suppress(OSError):  # Not there, or somebody's own files in it.
                self._folder.rmdir()

    def abandon(self) -> None:
        """Removes the pictures."""
        beside, self._beside = self._beside, None
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
