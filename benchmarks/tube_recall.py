"""How many of those who move are in a tube, how many tubes are somebody, and how fast that is.

    python benchmarks/tube_recall.py VIDEO ANNOTATIONS [--clip NAME] [--out FOLDER]
    python benchmarks/tube_recall.py --simulated [--seeds 4] [--out FOLDER]
    python benchmarks/tube_recall.py VIDEO --people benchmarks/vtest_people.csv

ANNOTATIONS is a file or folder of VIRAT, KPF or ActEV annotations. `--simulated` renders scenes
with known truth (people of 12 to 60 px, one seed a scene, the camera of every second one shakes);
they are drawings, and no evidence about real footage. Prints a Markdown table and writes
`tube_recall.json`. What the columns mean is said in `tinyvirat.recognition.proposals.agreement`:
moving is to get farther than one's own size in two seconds; tracks and tubes agree where half of
their frames do, at an intersection over union of 0.5. Speed is that of the proposals alone, without
decoding, on one thread, by the processor's time.

`--people` is a table of the places (frame, x, y) of everybody to be seen in some frames, marked
by eye, with those who stand or are half hidden; and for some who are in no box there, where the
same person is in a frame up to a second away (near_frame, near_x, near_y). Prints how many of
them are in a box, how many of the others are in one a moment away, and how many boxes hold nobody.
"""

import argparse
import csv
import json
import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2

from tinyvirat.annotations import Track, read_annotations
from tinyvirat.common.files import write_text
from tinyvirat.datasets.simulate import SceneConfig, read_truth, write_scene
from tinyvirat.recognition.proposals import TubeBox, TubeFrame, collect, open_tubes
from tinyvirat.recognition.proposals.agreement import Agreement, agreement
from tinyvirat.video import Frame, VideoReader, open_video

SCENES = {"frames": 300, "people": 8, "vehicles": 1, "actor_height": (12.0, 60.0)}
SIZES = ((640, 360), (1280, 720))

Place = tuple[float, float]
"""x and y in pixels."""


@dataclass(frozen=True)
class Row:
    """One video's figures."""

    name: str
    frames: int
    width: int
    height: int
    milliseconds: float
    agreement: Agreement


def measured(name: str, video: Path, tracks: Iterable[Track]) -> Row:
    """Tubes of motion in one video, against the truth."""
    with open_video(video, threads=1) as reader:
        info = reader.info
        found, frames, seconds = proposed(reader)
    tubes = collect(found)
    result = agreement(list(tracks), tubes, float(info.fps))
    return Row(name, frames, info.width, info.height, 1000 * seconds / max(1, frames), result)


def proposed(reader: VideoReader) -> tuple[list[TubeFrame], int, float]:
    """All tubes of motion, the number of frames, and the processor's seconds without decoding."""
    info = reader.info
    source = open_tubes("motion", info.width, info.height, float(info.fps))
    found: list[TubeFrame] = []
    frames, seconds = 0, 0.0

    def take(frame: Frame | None) -> None:
        nonlocal seconds
        begun = time.thread_time()
        found.extend(source.finish() if frame is None else source.update(frame))
        seconds += time.thread_time() - begun

    for frame in reader:
        take(frame)
        frames += 1
    take(None)
    return found, frames, seconds


def simulated(seeds: int, folder: Path) -> Iterable[Row]:
    """One row a rendered scene; scenes are kept in `folder`."""
    for seed in range(seeds):
        width, height = SIZES[seed // 2 % len(SIZES)]
        jitter = 2.0 * (seed % 2)
        here = folder / f"scene_{seed}"
        if not (here / "truth.json").is_file():
            scene = SceneConfig(
                seed=100 + seed, width=width, height=height, jitter=jitter, **SCENES
            )
            write_scene(scene, here)
        truth = read_truth(here / "truth.json")
        yield measured(f"simulated {seed}, shaking {jitter:g} px", truth.video, truth.tracks)


def people_in_tubes(video: Path, people: Path) -> str:
    """Who of those marked in some frames is in a box of these frames, in words."""
    marked: dict[int, list[Place]] = {}
    elsewhere: dict[tuple[int, Place], tuple[int, Place]] = {}
    with people.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            frame, place = int(row["frame"]), (float(row["x"]), float(row["y"]))
            marked.setdefault(frame, []).append(place)
            if row["near_frame"]:
                near = (float(row["near_x"]), float(row["near_y"]))
                elsewhere[frame, place] = (int(row["near_frame"]), near)
    with open_video(video, threads=1) as reader:
        fps = float(reader.info.fps)
        found = {one.index: one.boxes for one in proposed(reader)[0]}
    boxes = [(frame, one) for frame in marked for one in found[frame]]
    empty = sum(not any(_holds(one, place) for place in marked[frame]) for frame, one in boxes)
    everybody = [(frame, place) for frame, places in marked.items() for place in places]
    missed = [
        (frame, place)
        for frame, place in everybody
        if not any(_holds(one, place) for one in found[frame])
    ]
    soon = [
        elsewhere[mark]
        for mark in missed
        if mark in elsewhere and abs(elsewhere[mark][0] - mark[0]) <= fps
    ]
    again = sum(any(_holds(one, place) for one in found[frame]) for frame, place in soon)
    return (
        f"{len(everybody) - len(missed)} of {len(everybody)} people in {len(marked)} frames of "
        f"{video.name} are in a tube; {again} of the other {len(missed)} are in one within a "
        f"second; {empty} of {len(boxes)} boxes hold nobody"
    )


def _holds(one: TubeBox, place: Place) -> bool:
    left, top, right, bottom = one.box
    return left <= place[0] <= right and top <= place[1] <= bottom


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| video | size | moving tracks found | tubes right | boxes found | boxes right | ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        result = row.agreement
        lines.append(
            f"| {row.name} | {row.width}x{row.height} | {result.found} of {result.tracks} | "
            f"{result.right} of {result.tubes} | {_share(result.boxes_found, result.boxes)} | "
            f"{_share(result.tube_boxes_right, result.tube_boxes)} | {row.milliseconds:.1f} |"
        )
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "-"


def main() -> None:
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("annotations", type=Path, nargs="?")
    parser.add_argument("--clip")
    parser.add_argument("--people", type=Path)
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if given.people is not None and given.video is not None:
        print(people_in_tubes(given.video, given.people))
        return
    if not given.simulated and (given.video is None or given.annotations is None):
        parser.error("give VIDEO and ANNOTATIONS, VIDEO and --people, or --simulated")
    out = given.out or Path(tempfile.mkdtemp(prefix="tube_recall-"))
    if given.simulated:
        rows = list(simulated(given.seeds, out))
    else:
        clip = given.clip or given.video.stem
        tracks = read_annotations(given.annotations, clip=clip).tracks
        rows = [measured(clip, given.video, tracks)]
    print(table(rows))
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "tube_recall.json", json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
