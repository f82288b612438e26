"""What is in video files, found out by decoding each once, side by side, and remembered.

A header may say anything about its file; only decoding counts. That takes minutes for a large data
set, so that what was measured is kept in a file beside the manifest: an interrupted run goes on
where it was, and further manifests of the same files cost nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tinyvirat.common.cores import usable_cores
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import track
from tinyvirat.datasets.records import FPS, LARGEST_SIDE, MOST_FRAMES
from tinyvirat.video import VideoError, open_video

MEASURED_FILE = "measured.jsonl"
HEADER = {"format": "tinyvirat-measured", "version": 1}
# A rate of more digits than a manifest holds is no rate that a camera has.
LARGEST_DENOMINATOR = 100_000
MOST_WORKERS = 8


class MeasureError(TinyviratError):
    """Clips that cannot be measured as asked, or a file that does not hold what was measured."""


@dataclass(frozen=True)
class Measured:
    """What decoding a file showed.

    Attributes:
        frames: as many as decode.
        height: of its frames, pixels, after rotation.
        width: of its frames, pixels, after rotation.
        fps: frames a second, on average.
    """

    frames: int
    height: int
    width: int
    fps: Fraction


def measure(file: Path) -> Measured | str:
    """Decodes one file from its first frame to its last; the trouble in words where it cannot."""
    try:
        with open_video(file, threads=1) as video:
            frames, info = video.count(), video.info
    except VideoError as error:
        return str(error)
    fps = info.fps.limit_denominator(LARGEST_DENOMINATOR)
    return Measured(frames, info.height, info.width, fps)


def measure_files(
    files: Sequence[Path], *, workers: int | None = None, memory: Measurements | None = None
) -> list[Measured | str]:
    """Measures files side by side, with progress on standard error.

    Args:
        files: the video files.
        workers: files decoded at once; `None` is one a core, eight at most.
        memory: what was measured before; new results are added to it one by one. Trouble is not
            remembered: it is looked at again each time.

    Returns:
        One result a file, in their order: what is in it, or the trouble as `PATH: cause`.

    Raises:
        MeasureError: fewer than one worker.
    """
    if workers is not None and workers < 1:
        raise MeasureError(f"workers is {workers}; it must be 1 or more")

    def one(file: Path) -> Measured | str:
        known = None if memory is None else memory.find(file)
        if known is not None:
            return known
        found = measure(file)
        if memory is not None and isinstance(found, Measured):
            memory.add(file, found)
        return found

    with ThreadPoolExecutor(workers or min(MOST_WORKERS, usable_cores())) as pool:
        try:
            return list(track(pool.map(one, files), "decoding", len(files)))
        finally:
            # An interrupt must not wait until all the other files are decoded.
            pool.shutdown(cancel_futures=True)


class Measurements:
    """What was measured, in a JSONL file that grows by a line a clip.

    A file is known again by its path below `root`, its size and the time of its last change. Every
    line is written at once, so that an interrupt loses nothing; a line that was cut off is ignored.

    Args:
        path: the file; made when the first result is added.
        root: the folder that the clips are in.

    Raises:
        MeasureError: the file cannot be read, or it is not one of these.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self._root = root.resolve()
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int, int], Measured] = {}
        self._begun = False
        self._read()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, file: Path) -> Measured | None:
        """What is known of a file as it is now."""
        try:
            return self._known.get(self._key(file))
        except OSError:  # it is not there: measuring says so
            return None

    def add(self, file: Path, measured: Measured) -> None:
        """Remembers what was measured; may be called from several threads.

        Raises:
            MeasureError: it cannot be written.
        """
        try:
            path, size, changed = self._key(file)
            row = {
                "path": path,
                "size": size,
                "mtime_ns": changed,
                "frames": measured.frames,
                "height": measured.height,
                "width": measured.width,
                "fps": str(measured.fps),
            }
            with self._lock:
                self._append(row)
                self._known[path, size, changed] = measured
        except OSError as error:
            raise MeasureError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _key(self, file: Path) -> tuple[str, int, int]:
        status = file.stat()
        resolved = file.resolve()
        inside = resolved.is_relative_to(self._root)
        path = resolved.relative_to(self._root) if inside else resolved
        return path.as_posix(), status.st_size, status.st_mtime_ns

    def _append(self, row: dict[str, object]) -> None:
        lines = [row] if self._begun else [HEADER, row]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)
        self._begun = True

    def _read(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise MeasureError(f"{self.path}: cannot be read: {error.strerror}") from error
        if not text:
            return
        lines = text.split("\n")
        if _parsed(lines[0]) != HEADER:
            raise MeasureError(
                f"{self.path}: does not hold what was measured of clips (its first line is not "
                f"{json.dumps(HEADER)}); move it away, or write the manifest into another folder"
            )
        self._begun = True
        for line in lines[1:]:
            entry = _entry(_parsed(line))
            if entry is not None:
                self._known[entry[0]] = entry[1]
        if lines[-1]:  # an interrupt cut the last line off: the next one must not be joined to it
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _entry(row: object) -> tuple[tuple[str, int, int], Measured] | None:
    """A line's key and result, or `None` when it is not what `add` wrote."""
    if not isinstance(row, dict):
        return None
    path, fps = row.get("path"), row.get("fps")
    numbers = [row.get(k) for k in ("size", "mtime_ns", "frames", "height", "width")]
    if not isinstance(path, str) or not isinstance(fps, str) or not FPS.fullmatch(fps):
        return None
    size, changed, frames, height, width = (n if type(n) is int else -1 for n in numbers)
    if size < 0 or not 1 <= frames <= MOST_FRAMES or Fraction(fps) <= 0:
        return None
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        return None
    return (path, size, changed), Measured(frames, height, width, Fraction(fps))
