"""How fast clips are cut out of a 1080p video with 50 concurrent tracks, against decoding alone.

    python benchmarks/build_speed.py [--out FOLDER] [--frames 240] [--rounds 5]

Renders a surveillance scene once (a minute or two; it is kept in FOLDER), then takes turns, on two
cores: decoding the video to pictures as they are stored, decoding it to RGB frames as
`open_video` gives them, and building: decoding, cutting 50 windows out of every frame and encoding
them as clips. Best wall time of the rounds. Prints a Markdown table and writes `build_speed.json`.
"""

import argparse
import json
import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinyvirat.annotations import Track
from tinyvirat.common.files import write_text
from tinyvirat.datasets.build.cut import PRESET, QUANTISER, cut_video
from tinyvirat.datasets.build.records import CutJob, NamedClip
from tinyvirat.datasets.build.state import work_folder
from tinyvirat.datasets.simulate import SceneConfig, read_truth, write_scene
from tinyvirat.datasets.tubes import PlannedClip, Tube, read_rules
from tinyvirat.datasets.tubes.windows import windows_of
from tinyvirat.video import open_video
from tinyvirat.video.planes import PlaneReader

TRACKS = 50
CLIP_FRAMES = 120
LARGEST_SIDE = 128
TARGET = 0.7


def scene(folder: Path, frames: int) -> Path:
    """Renders the scene, unless it is there; gives the path of its truth."""
    config = SceneConfig(
        width=1920,
        height=1080,
        frames=frames,
        people=48,
        vehicles=8,
        actor_height=(28.0, 84.0),
        crf=23,
    )
    path = folder / f"scene-{frames}" / "truth.json"
    return path if path.exists() else write_scene(config, path.parent)


def plan(tracks: tuple[Track, ...], frames: int) -> tuple[NamedClip, ...]:
    """Fifty tracks of tiny actors, each as clips one after the other.

    Where an actor is not seen, its window stays where it was.
    """
    rules = read_rules()
    clips: list[NamedClip] = []
    for track in tracks:
        every = np.arange(frames)
        boxes_T4 = np.stack(
            [np.interp(every, track.frames_T, edge) for edge in track.boxes_T4.T], axis=1
        )
        windows_T4 = windows_of(boxes_T4, rules.crop, (1920, 1080))
        if windows_T4[0, 2] - windows_T4[0, 0] > LARGEST_SIDE:
            continue
        for start in range(0, frames, CLIP_FRAMES):
            part_T4 = boxes_T4[start : start + CLIP_FRAMES]
            tube = Tube("scene", start, ("moving",), part_T4, (track.id,), (track.id,))
            name = f"{len(clips):05d}"
            windows = windows_T4[start : start + CLIP_FRAMES]
            clips.append(NamedClip(name, PlannedClip(f"scene/{name}", tube, windows, "train")))
        if len(clips) * CLIP_FRAMES >= TRACKS * frames:
            break
    return tuple(clips)


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def decode(video: Path) -> None:
    """Goes over the pictures as they are stored."""
    with PlaneReader(video) as reader:
        for _ in reader:
            pass


def decode_rgb(video: Path) -> None:
    """Goes over the RGB frames."""
    with open_video(video) as reader:
        for _ in reader:
            pass


def cut(video: Path, clips: tuple[NamedClip, ...], out: Path, frames: int) -> None:
    """Builds the clips, from nothing."""
    shutil.rmtree(out, ignore_errors=True)
    work_folder(out).mkdir(parents=True)
    job = CutJob("scene", video, out, "videos/train/scene", clips, frames, "")
    done = cut_video(job)
    if len(done.clips) != len(clips) or done.unreadable:
        raise SystemExit(f"only {len(done.clips)} of {len(clips)} clips were cut: {done}")


def main() -> None:
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build-speed"))
    parser.add_argument("--frames", type=int, default=2 * CLIP_FRAMES)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    truth = read_truth(scene(options.out, options.frames))
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)
    clips = plan(truth.tracks, truth.frames)
    ways: dict[str, Callable[[], None]] = {
        "decoding, pictures as stored": lambda: decode(truth.video),
        "decoding, RGB frames": lambda: decode_rgb(truth.video),
        "building": lambda: cut(truth.video, clips, options.out / "clips", truth.frames),
    }
    times = {name: [measure(way) for _ in range(options.rounds)] for name, way in ways.items()}
    best = {name: (min(w for w, _ in of), min(p for _, p in of)) for name, of in times.items()}
    report(options.out, truth.frames, clips, best, cores)


def report(
    out: Path,
    frames: int,
    clips: tuple[NamedClip, ...],
    best: dict[str, tuple[float, float]],
    cores: list[int],
) -> None:
    """Prints the table and writes the JSON file."""
    sides = [one.clip.side for one in clips]
    built, built_cpu = best["building"]
    rows = [
        {
            "work": name,
            "frames_per_second": frames / wall,
            "clips_per_second": len(clips) / wall if name == "building" else None,
            "building_against_it": wall / built,
            "building_against_it_processor_time": processor / built_cpu,
        }
        for name, (wall, processor) in best.items()
    ]
    data = {
        "video": {"width": 1920, "height": 1080, "frames": frames},
        "clips": len(clips),
        "concurrent_tracks": TRACKS,
        "clip_frames": CLIP_FRAMES,
        "mean_side": sum(sides) / len(sides),
        "encoder": f"x264 {PRESET} qp {QUANTISER}",
        "cores": len(cores),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "target": TARGET,
        "rows": rows,
    }
    write_text(out / "build_speed.json", json.dumps(data, indent=1) + "\n")
    print("| work | frames/s | clips/s | building is at this part of its speed (processor time) |")
    print("|---|---|---|---|")
    for row in rows:
        rate = f"{row['clips_per_second']:.1f}" if row["clips_per_second"] else ""
        print(
            f"| {row['work']} | {row['frames_per_second']:.1f} | {rate} "
            f"| {row['building_against_it']:.2f} "
            f"({row['building_against_it_processor_time']:.2f}) |"
        )


if __name__ == "__main__":
    main()
