"""A small healthy data set, and everything that can be wrong with one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tinyvirat.datasets import ClipRecord, Manifest, read_manifest, write_manifest
from tinyvirat.video import open_video, write_video

LABELS = ("run", "walk")
SPLITS = ("train", "train", "val", "test")
CLIPS = 12
FRAMES, HEIGHT, WIDTH = 20, 24, 32


def moving(frames: int, height: int, width: int, seed: int) -> np.ndarray:
    """A coarse background with a bright bar that goes across."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 160, (1, height // 4 + 1, width // 4 + 1, 3), np.uint8)
    still = coarse.repeat(4, 1).repeat(4, 2)[:, :height, :width]
    frames_THWC = np.tile(still, (frames, 1, 1, 1))
    for t in range(frames):
        left = (t * 2 + seed) % (width - 4)
        frames_THWC[t, :, left : left + 4] = 230
    return frames_THWC


def healthy_records(folder: Path) -> list[ClipRecord]:
    """Writes the files of a data set without faults; returns its records."""
    records = []
    for number in range(CLIPS):
        # Length, size and rate vary, alike in both classes.
        frames, width = FRAMES + number // 2 % 3, WIDTH + 2 * (number // 2 % 2)
        path = folder / f"clip{number:02}.mp4"
        write_video(path, moving(frames, HEIGHT, width, number), Fraction(25))
        record = ClipRecord(
            id=path.stem,
            path=path.name,
            frames=frames,
            height=HEIGHT,
            width=width,
            fps=Fraction(25),
            labels=(LABELS[number % 2],),
            split=SPLITS[number // 2 % 4],
            source=f"video{number // 2}",
        )
        records.append(record)
    return records


def written(folder: Path, records: list[ClipRecord], name: str = "manifest.jsonl") -> Path:
    """Writes a manifest; returns its path."""
    write_manifest(folder / name, records)
    return folder / name


def opened(path: Path) -> Manifest:
    """A manifest as a check reads it."""
    return read_manifest(path, check_files=False, quarantine=False)


def edit(records: list[ClipRecord], n: int, **changes: object) -> None:
    """Changes what is recorded of one clip."""
    records[n] = replace(records[n], **changes)


def write(folder: Path, records: list[ClipRecord], n: int, frames_THWC: np.ndarray) -> None:
    """Gives a clip other frames, and records them as they are."""
    write_video(folder / records[n].path, frames_THWC, Fraction(25))
    length, height, width = frames_THWC.shape[:3]
    edit(records, n, frames=length, height=height, width=width)


def missing(folder: Path, records: list[ClipRecord]) -> None:
    (folder / records[3].path).unlink()


def not_a_video(folder: Path, records: list[ClipRecord]) -> None:
    (folder / records[3].path).write_text("no video at all")


def cut_off(folder: Path, records: list[ClipRecord]) -> None:
    file = folder / records[3].path
    file.write_bytes(file.read_bytes()[:200])


def other_size(folder: Path, records: list[ClipRecord]) -> None:
    edit(records, 3, height=HEIGHT + 2)


def more_frames(folder: Path, records: list[ClipRecord]) -> None:
    edit(records, 3, frames=records[3].frames + 1)


def fewer_frames(folder: Path, records: list[ClipRecord]) -> None:
    edit(records, 3, frames=records[3].frames - 1)


def blank(folder: Path, records: list[ClipRecord]) -> None:
    write(folder, records, 3, np.full((FRAMES, HEIGHT, WIDTH, 3), 90, np.uint8))


def flicker(folder: Path, records: list[ClipRecord]) -> None:
    """Every frame is of one colour, but not of the same."""
    levels_T = np.linspace(20, 220, FRAMES).astype(np.uint8)
    write(folder, records, 3, np.tile(levels_T[:, None, None, None], (1, HEIGHT, WIDTH, 3)))


def frozen(folder: Path, records: list[ClipRecord]) -> None:
    write(folder, records, 3, np.tile(moving(1, HEIGHT, WIDTH, 77), (FRAMES, 1, 1, 1)))


def short(folder: Path, records: list[ClipRecord]) -> None:
    write(folder, records, 3, moving(15, HEIGHT, WIDTH, 77))


def other_rate(folder: Path, records: list[ClipRecord]) -> None:
    edit(records, 3, fps=Fraction(24))


def copied(folder: Path, records: list[ClipRecord]) -> None:
    """Clip 3 once more, in its own split (train)."""
    (folder / "copy.mp4").write_bytes((folder / records[3].path).read_bytes())
    records.append(replace(records[3], id="copy", path="copy.mp4", source="copy"))


def leaked(folder: Path, records: list[ClipRecord]) -> None:
    """Clip 3, of train, is what clip 6, of test, shows."""
    for n in (3, 6):
        write(folder, records, n, moving(FRAMES, HEIGHT, WIDTH, 77))


def promised_more(folder: Path, records: list[ClipRecord]) -> None:
    """An AVI that breaks off: its header still tells of all frames."""
    file = folder / "promised.avi"
    with av.open(str(file), "w") as out:
        stream = out.add_stream("mjpeg", rate=25, width=WIDTH, height=HEIGHT, pix_fmt="yuvj420p")
        for frame_HWC in moving(60, HEIGHT, WIDTH, 77):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        out.mux(stream.encode(None))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with open_video(file) as video:
        count = video.count()
    assert FRAMES < count < 60
    edit(records, 3, path=file.name, frames=count, width=WIDTH)


PLANTED: dict[str, tuple[Callable[[Path, list[ClipRecord]], None], dict[str, list[str]]]] = {
    "missing": (missing, {"clip03": ["unreadable"]}),
    "not a video": (not_a_video, {"clip03": ["unreadable"]}),
    "cut off": (cut_off, {"clip03": ["unreadable"]}),
    "another size": (other_size, {"clip03": ["size"]}),
    "more frames recorded": (more_frames, {"clip03": ["frames"]}),
    "fewer frames recorded": (fewer_frames, {"clip03": ["frames"]}),
    "blank": (blank, {"clip03": ["blank"]}),
    "flicker": (flicker, {"clip03": ["blank"]}),
    "frozen": (frozen, {"clip03": ["frozen"]}),
    "short": (short, {"clip03": ["short"]}),
    "another rate": (other_rate, {"clip03": ["rate"]}),
    "a copy in its split": (copied, {"copy": ["duplicate"]}),
    "a copy in another split": (leaked, {"clip03": ["leak"]}),
    "a header that promises more": (promised_more, {"clip03": ["header"]}),
}
"""What is planted, and what is to be found: clip to kinds of problems, worst first."""


def rows_of(path: Path) -> list[dict[str, object]]:
    """The rows of a quarantine list."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
