"""Small folders laid out exactly as the published data sets are, with what is odd about them.

Every clip shows a square that moves over a background; its colour tells its class, so that a small
network can learn it. Nothing of the real data is in them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tinyvirat.video import write_video

UCF_CLASSES = ("Archery", "HandstandPushups", "Surfing")
HMDB_CLASSES = ("brush_hair", "shoot_bow", "wave")
TINYVIRAT_LABELS = (
    ("activity_walking",),
    ("activity_carrying", "activity_walking"),
    ("vehicle_moving",),
    ("Opening", "Misc"),
)
TINYVIRAT_ORDER = (
    "Opening",
    "Interacts",
    "Pull",
    "activity_carrying",
    "Entering",
    "vehicle_moving",
    "Exiting",
    "Loading",
    "Talking",
    "activity_running",
    "vehicle_turning_left",
    "vehicle_stopping",
    "Riding",
    "Closing",
    "activity_walking",
    "Push",
    "specialized_using_tool",
    "vehicle_starting",
    "specialized_miscellaneous",
    "activity_standing",
    "Transport_HeavyCarry",
    "activity_gesturing",
    "vehicle_turning_right",
    "specialized_talking_phone",
    "specialized_texting_phone",
    "Misc",
)
COLOURS = ((230, 40, 40), (40, 220, 60), (50, 70, 240), (230, 220, 40), (200, 60, 220))


def picture(kind: int, size_HW: tuple[int, int], frames: int, seed: int) -> NDArray[np.uint8]:
    """`frames_THWC`: a square in the colour of `kind` that moves over a grey background."""
    rng = np.random.default_rng(seed)
    height, width = size_HW
    frames_THWC = np.tile(rng.integers(60, 120, (1, height, width, 1), np.uint8), (frames, 1, 1, 3))
    side = max(2, min(size_HW) // 2)
    top, left = rng.integers(0, (height - side + 1, width - side + 1))
    for t in range(frames):
        down, across = (top + t) % (height - side + 1), (left + t) % (width - side + 1)
        frames_THWC[t, down : down + side, across : across + side] = COLOURS[kind % len(COLOURS)]
    return frames_THWC


def write_avi(path: Path, frames_THWC: NDArray[np.uint8], fps: int = 25) -> None:
    """Writes an AVI with MPEG-4 video, as UCF-101 and HMDB-51 are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.height, stream.width = frames_THWC.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"qscale": "3"}
        for frame_HWC in frames_THWC:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode(None))


def write_ucf101(
    root: Path,
    classes: Sequence[str] = UCF_CLASSES,
    *,
    groups: Sequence[int] = range(1, 26),
    clips: int = 1,
    frames: int = 6,
    size_HW: tuple[int, int] = (24, 32),
) -> Path:
    """`ROOT/UCF-101/<Class>/v_<Class>_gNN_cNN.avi` and `ROOT/ucfTrainTestlist`.

    As in the real one, files of `HandstandPushups` are called `v_HandStandPushups_...`, lists end
    their lines with CR LF, and a group of each class is one video.

    Args:
        root: where to.
        classes: their names.
        groups: numbers of the groups of each class.
        clips: of each group.
        frames: of each clip.
        size_HW: of its frames.

    Returns:
        `root`.
    """
    names: dict[str, list[tuple[int, str]]] = {}
    for kind, label in enumerate(classes):
        stem = label.replace("HandstandPushups", "HandStandPushups")
        for group in groups:
            for clip in range(1, clips + 1):
                name = f"v_{stem}_g{group:02}_c{clip:02}.avi"
                seed = kind * 10_000 + group * 100 + clip
                write_avi(root / "UCF-101" / label / name, picture(kind, size_HW, frames, seed))
                names.setdefault(label, []).append((group, name))
    lists = root / "ucfTrainTestlist"
    numbered = [f"{number} {label}" for number, label in enumerate(classes, start=1)]
    _write_lines(lists / "classInd.txt", numbered)
    for split in (1, 2, 3):
        tested = range(7 * split - 6, 7 * split + 1)
        train, test = [], []
        for number, label in enumerate(classes, start=1):
            for group, name in names[label]:
                if group in tested:
                    test.append(f"{label}/{name}")
                else:
                    train.append(f"{label}/{name} {number}")
        _write_lines(lists / f"trainlist0{split}.txt", train)
        _write_lines(lists / f"testlist0{split}.txt", test)
    return root


def write_hmdb51(
    root: Path,
    classes: Sequence[str] = HMDB_CLASSES,
    *,
    films: int = 6,
    clips: int = 2,
    frames: int = 6,
    size_HW: tuple[int, int] = (24, 32),
) -> Path:
    """`ROOT/hmdb51_org/<class>/<film>_<class>_f_cm_np1_fr_med_N.avi` and the lists of all splits.

    As in the real one, a film is on one side within a class and on several across classes (the
    first film of every class is the same), clips that a split does not use have a 0 (the last of
    the last film), names hold brackets and exclamation marks, and lines end with a space.

    Args:
        root: where to.
        classes: their names.
        films: of each class.
        clips: of each film.
        frames: of each clip.
        size_HW: of its frames.

    Returns:
        `root`.
    """
    for kind, label in enumerate(classes):
        sides: dict[int, list[str]] = {1: [], 2: [], 3: []}
        for film in range(films):
            title = f"Film_{label}__[_NEW_!!_]_{film}" if film else "Return_of_the_King_1"
            for clip in range(clips):
                name = f"{title}_{label}_f_cm_np1_fr_med_{clip}.avi"
                seed = kind * 10_000 + film * 100 + clip
                write_avi(root / "hmdb51_org" / label / name, picture(kind, size_HW, frames, seed))
                unused = film == films - 1 and clip == clips - 1
                for split, lines in sides.items():
                    tested = (film + kind) % 3 == split - 1
                    lines.append(f"{name} {0 if unused else 1 + tested} ")
        for split, lines in sides.items():
            path = root / "testTrainMulti_7030_splits" / f"{label}_test_split{split}.txt"
            _write_lines(path, lines, end="\n")
    return root


def write_tinyvirat(
    root: Path,
    version: int = 1,
    *,
    videos: int = 2,
    clips: int = 4,
    frames: int = 20,
    sides: Sequence[int] = (10, 24, 36),
) -> Path:
    """TinyVIRAT v1 in `ROOT/TinyVIRAT`, or v2 in `ROOT/TinyVIRAT_V2`.

    As in the real ones, sides go down to 10 px, `dim` is wrong for a clip of each split (the
    first), clips have several labels; v2 has no labels for test clips, which lie in one folder,
    validation ids have gaps, train ids have six digits and the others five, and one video is in
    train and in val.

    Args:
        root: where to.
        version: 1 or 2.
        videos: source videos a split.
        clips: of each video.
        frames: of each clip; the last clip of a split has 5.
        sides: of the clips' squares, pixels, one after another.

    Returns:
        The data set's folder.
    """
    folder = root / ("TinyVIRAT" if version == 1 else "TinyVIRAT_V2")
    files = {
        1: {"train": "tiny_train.json", "test": "tiny_test.json"},
        2: {
            "train": "tiny_train_v2.json",
            "val": "tiny_val_v2.json",
            "test": "tiny_test_v2_public.json",
        },
    }[version]
    for place, (split, name) in enumerate(files.items()):
        entries = []
        for number in range(videos * clips):
            kind, side = number % len(TINYVIRAT_LABELS), sides[number % len(sides)]
            length = 5 if number == videos * clips - 1 else frames
            video = f"VIRAT_S_00020{place}_0{number // clips}_000100_000200"
            if version == 2 and split != "test" and number < clips:
                video = "VIRAT_S_000002"
            entry = _entry(version, split, number, video)
            path = folder / "videos" / split / entry["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            seed = place * 1000 + number
            write_video(path, picture(kind, (side, side), length, seed), Fraction(30))
            entry["dim"] = [length + 3 * (number == 0), side, side]
            if version == 1 or split != "test":
                entry["label"] = list(TINYVIRAT_LABELS[kind])
            entries.append(entry)
        data = {"tubes": entries} if version == 1 else entries
        (folder / name).write_text(json.dumps(data, indent=6), encoding="utf-8")
    if version == 2:
        numbers = {label: number for number, label in enumerate(TINYVIRAT_ORDER)}
        (folder / "class_map.json").write_text(json.dumps(numbers), encoding="utf-8")
        (folder / "changelog.txt").write_text("1. Rebalanced.\n", encoding="utf-8")
    return folder


def _entry(version: int, split: str, number: int, video: str) -> dict[str, object]:
    if version == 1:
        return {"path": f"{video}/{number}.mp4"}
    if split == "test":
        return {"id": f"{number:05}", "path": f"{number:05}.mp4"}
    # Validation ids have gaps: 00001 and 00003 are missing.
    name = f"{number:06}" if split == "train" else f"{number + (number > 0) + (number > 1):05}"
    return {"id": name, "video_id": video, "path": f"{video}/{name}.mp4"}


def _write_lines(path: Path, lines: Sequence[str], end: str = "\r\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
