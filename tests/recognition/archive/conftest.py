"""A small archive: videos with somebody who moves, clips, one that is broken, one cut short."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyvirat.recognition.archive.crew import Here
from tinyvirat.recognition.archive.notes import DONE
from tinyvirat.recognition.archive.records import Archive, Plan
from tinyvirat.recognition.archive.run import recognize_archive
from tinyvirat.video import write_video

from ..conftest import write_model

FPS = Fraction(10)
OUTPUTS = ("jsonl", "csv", "actev")


def scene(frames: int, width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """A square that walks before a still background, and turns round at its edges."""
    rng = np.random.default_rng(seed)
    still_HWC = rng.integers(60, 120, (height // 8, width // 8, 3), np.uint8)
    frames_THWC = np.repeat(still_HWC.repeat(8, 0).repeat(8, 1)[None], frames, axis=0)
    room = width - 32
    for t in range(frames):
        x = abs((3 * t + 20 * seed) % (2 * room) - room)
        frames_THWC[t, 40:64, x : x + 20] = 235 - 40 * (t % 2)
    return frames_THWC


def archive_of(folder: Path) -> Path:
    """The archive; the long video comes first."""
    (folder / "gate").mkdir(parents=True)
    write_video(folder / "a_long.mp4", scene(400, 160, 120), FPS)
    write_video(folder / "gate" / "one.mp4", scene(60, 160, 120, 1), FPS)
    write_video(folder / "gate" / "two.mp4", scene(60, 160, 120, 2), FPS)
    write_video(folder / "clip_1.mp4", scene(20, 96, 96, 3), FPS)
    write_video(folder / "clip_2.mp4", scene(9, 64, 80, 4), FPS)
    (folder / "broken.mp4").write_bytes(b"this is no video" * 100)
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model for several labels, with weights of no meaning."""
    return write_model(tmp_path_factory.mktemp("models") / "attention", "attention")


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive. Do not change the files."""
    return archive_of(tmp_path_factory.mktemp("archive") / "videos")


def plan_of(model: Path, out: Path, outputs: tuple[str, ...] | None = OUTPUTS) -> Plan:
    return Plan(out, str(model), outputs=outputs, device="cpu", precision="float32")


def found(folder: Path) -> list[Path]:
    """Its videos, as the command line finds them."""
    return sorted(path for path in folder.rglob("*") if path.suffix == ".mp4")


def recognized(videos: Path, plan: Plan) -> Archive:
    return recognize_archive(found(videos), videos, plan, Here(plan), progress=False)


@pytest.fixture(scope="session")
def folder_of_whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole") / "out"


@pytest.fixture(scope="session")
def whole(videos: Path, model: Path, folder_of_whole: Path) -> Archive:
    """What one process makes of the archive."""
    return recognized(videos, plan_of(model, folder_of_whole))


@pytest.fixture(scope="session")
def whole_out(whole: Archive, folder_of_whole: Path) -> Path:
    """Its folder. Do not change the files."""
    return folder_of_whole


def bytes_of(out: Path) -> dict[str, bytes]:
    """Everything that was written about videos, but when and where it was done."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in (DONE, "archive.json", "lock")
    }


def lasting(out: Path) -> dict[str, object]:
    """The notes, without what differs from run to run."""
    kept = {}
    for path in sorted(out.rglob(DONE)):
        note = json.loads(path.read_text())
        for name in ("seconds", "cpu_seconds", "memory_mb", "stages", "host", "threads"):
            del note[name]
        kept[path.parent.name] = note
    return kept
