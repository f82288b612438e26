"""How fast annotations are read, data sets checked and batches loaded, beside the published way.

    pip install opencv-python-headless
    python benchmarks/data_speed.py [--out FOLDER] [--rounds 5] [--clips 48]

Makes its own annotations and clips (kept in FOLDER), then takes turns and gives the best of all
rounds. Prints a Markdown table and writes `data_speed.json`. Everything but the check works in one
process with one thread, as a loader's worker does, on both sides, and counts the processor's time:
what else the machine does then matters little. The check is timed by the clock, on all cores.

The published way is written after the authors' code for UCF-101: OpenCV goes to the first frame and
reads on; each frame becomes a Pillow image, is resized to a short side of 128, cropped, mirrored,
made 28 px small and 112 px large again, and each of the three becomes a tensor.

Ours comes twice: as training loads it, clips of a short side of 128 that are cropped, mirrored and
made small where the network is (`loaded`), and with that done on this processor too (`and paired`).
`decoding alone` is the bound of every loader that decodes: no pixel is looked at.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "threads;1")

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tinyvirat.annotations import Annotations, Track
from tinyvirat.annotations.kpf import read_kpf, write_kpf
from tinyvirat.common.files import write_text
from tinyvirat.datasets import ClipRecord, Manifest, read_manifest, write_manifest
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.degrade import Degrade
from tinyvirat.datasets.loading import BatchPlan, ClipDataset, ClipLoader
from tinyvirat.video import write_video
from tinyvirat.video.sampling import RandomWindow

TRACKS, FRAMES = 60, 5000
BATCH = 8
COPIES = 10
# Epochs after which nearly all cached frames have been checked once.
SETTLING = 20
WINDOW = RandomWindow(length=16, strides=(1, 2))
SHORT, CROP, SMALL = 128, 112, 28


@dataclass(frozen=True)
class Kind:
    """Clips of one size: as a data set of the paper has them on average."""

    name: str
    height: int
    width: int
    frames: int


KINDS = (Kind("like UCF-101", 240, 320, 186), Kind("like TinyVIRAT", 70, 70, 94))


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` is to the published way, `target` what the ratio should be."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    target: str = ""


def main() -> None:
    """Measures everything and writes it down."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("data_speed"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clips", type=int, default=48)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [annotations(options.out / "kpf", options.rounds)]
    for kind in KINDS:
        manifest = made(options.out / kind.name.replace(" ", "_"), kind, options.clips)
        rows.append(checking(linked(manifest, COPIES), kind, options.rounds))
        rows += loading(manifest, kind, options.out, options.rounds)
    print(table(rows))
    found = {
        "machine": f"{os.cpu_count()} x {_processor()}, {platform.platform()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "opencv": _opencv().__version__,
        "clips": options.clips,
        "rounds": options.rounds,
        "rows": [vars(row) for row in rows],
    }
    write_text(options.out / "data_speed.json", json.dumps(found, indent=1) + "\n")


def annotations(folder: Path, rounds: int) -> Row:
    """Records of a KPF geometry file read in a second."""
    count = TRACKS * FRAMES
    frames_T = np.arange(FRAMES)
    tracks = []
    for number in range(TRACKS):
        left_T, top_T = 10.0 + frames_T * 0.1 + number, 20.0 + frames_T * 0.05 + number
        boxes_T4 = np.stack([left_T, top_T, left_T + 30.5, top_T + 61.25], axis=1)
        tracks.append(Track(number, "person", frames_T, boxes_T4))
    paths = write_kpf(folder, Annotations("big", tuple(tracks), ()), fps=Fraction(30))
    read = best(lambda: read_kpf(paths, clip="big"), rounds)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    what = f"KPF geometry, {count:,} records, {megabytes:.0f} MB: read"
    return Row(what, count / read, "records/s", target="100,000 records/s")


def made(folder: Path, kind: Kind, clips: int) -> Manifest:
    """A manifest of clips of textured ground that goes by under a noisy camera."""
    records = []
    for number in range(clips):
        path = folder / f"{number:03}.mp4"
        if not path.exists():
            write_video(path, _passing(kind, number), Fraction(30), crf=23)
        records.append(
            ClipRecord(
                id=path.stem,
                path=path.name,
                frames=kind.frames,
                height=kind.height,
                width=kind.width,
                fps=Fraction(30),
                labels=("passing",),
                split="train",
                source=path.stem,
            )
        )
    write_manifest(folder / "manifest.jsonl", records)
    return read_manifest(folder / "manifest.jsonl")


def _passing(kind: Kind, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    height, width = kind.height + kind.frames // 2, kind.width + kind.frames
    coarse = Image.fromarray(rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8))
    ground = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    noise = rng.normal(0.0, 3.0, (kind.height, kind.width, 3)).astype(np.int16)
    frames = [
        ground[t // 2 : t // 2 + kind.height, t : t + kind.width] + np.roll(noise, 7 * t, (0, 1))
        for t in range(kind.frames)
    ]
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)


def checking(manifest: Manifest, kind: Kind, rounds: int) -> Row:
    """Clips checked in a second by the command, its start included, on all cores."""
    taken = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as memory:
            words = ("data", "check", manifest.path, "--permutations", "0", "--quarantine", "none")
            taken.append(best(lambda: _tinyvirat(*words, cache=memory), 1, time.perf_counter))  # noqa: B023
    what = f"`data check`, {kind.frames} frames of {kind.width}x{kind.height}"
    return Row(what, len(manifest.records) / min(taken), "clips/s")


def _tinyvirat(*words: object, cache: str) -> None:
    command = [sys.executable, "-m", "tinyvirat", *map(str, words)]
    environment = os.environ | {"TINYVIRAT_CACHE": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "clips in" not in done.stdout:
        raise SystemExit(f"{command} failed: {done.stderr}")


def linked(manifest: Manifest, times: int) -> Manifest:
    """The same clips several times over, in files of their own names."""
    folder = manifest.root / "linked"
    folder.mkdir(exist_ok=True)
    records = []
    for number in range(times):
        for record in manifest.records:
            path = folder / f"{number}-{record.path}"
            if not path.exists():
                path.hardlink_to(manifest.file(record))
            records.append(replace(record, id=path.stem, path=path.name))
    write_manifest(folder / "manifest.jsonl", records)
    return read_manifest(folder / "manifest.jsonl")


def loading(manifest: Manifest, kind: Kind, out: Path, rounds: int) -> list[Row]:
    """Batches loaded in a second: the published way, and ours from mp4 and from the cache."""
    records, rng = manifest.records, np.random.default_rng(0)
    plan = BatchPlan(len(records), BATCH)
    pairs = Degrade(SHORT, crop=CROP, low=SMALL)
    cache = FrameCache(out / f"cache-{kind.width}")
    epochs = iter(range(10**9))

    def loader(kept: FrameCache | None) -> ClipLoader:
        return ClipLoader(ClipDataset(manifest, None, WINDOW, short_side=SHORT, cache=kept), plan)

    def epoch(batches: ClipLoader, paired: bool) -> None:
        for batch in batches.epoch(next(epochs)):
            if paired:
                pairs(batch.clips, batch.seeds)

    def published_epoch() -> None:
        for first in range(0, plan.batches * BATCH, BATCH):
            clips = [published(manifest.file(r), r.frames, rng) for r in records[first:][:BATCH]]
            for each in zip(*clips, strict=True):
                torch.stack(each)

    decoding, cached = loader(None), loader(cache)
    for _ in range(SETTLING):
        epoch(cached, False)
    ways: dict[str, Callable[[], None]] = {
        "the published way": published_epoch,
        "decoding alone": lambda: decoded(manifest, rng),
        "from mp4, loaded": lambda: epoch(decoding, False),
        "from mp4, loaded and paired": lambda: epoch(decoding, True),
        "from the cache, loaded": lambda: epoch(cached, False),
        "from the cache, loaded and paired": lambda: epoch(cached, True),
    }
    taken = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            # What takes little is done several times, to be more than the clock's steps.
            often = 5 if name == "from the cache, loaded" else 1
            taken[name] = min(taken[name], best(lambda: repeated(way, often), 1) / often)  # noqa: B023
    targets = {"from mp4, loaded": "5x", "from the cache, loaded": "50x"}
    size = f"{kind.frames} frames of {kind.width}x{kind.height}"
    return [
        Row(
            f"batches of {BATCH}, {size}: {name}",
            plan.batches / seconds,
            "batches/s",
            taken["the published way"] / seconds,
            targets.get(name, ""),
        )
        for name, seconds in taken.items()
    ]


def decoded(manifest: Manifest, rng: np.random.Generator) -> None:
    """What no loader can do without: the frames up to the window's last, decoded and let go."""
    for record in manifest.records:
        last = int(WINDOW.windows(record.frames, rng).max())
        with av.open(str(manifest.file(record))) as video:
            video.streams.video[0].codec_context.thread_count = 1
            for _ in zip(range(last + 1), video.decode(video=0), strict=False):
                pass


def repeated(work: Callable[[], object], times: int) -> None:
    """Does the same several times."""
    for _ in range(times):
        work()


def published(path: Path, frames: int, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    """One training sample the published way: small, enlarged again, and original, in [-1, 1]."""
    cv2 = _opencv()
    length = WINDOW.length
    stride = 2 if frames >= 2 * length and rng.random() <= 0.5 else 1
    start = int(rng.integers(0, max(1, frames - length * stride)))
    across, down = (int(place) for place in rng.integers(0, SHORT - CROP + 1, 2))
    mirrored = rng.random() <= 0.5
    outputs = [torch.zeros(3, length, side, side) for side in (SMALL, CROP, CROP)]
    video = cv2.VideoCapture(str(path))
    video.set(cv2.CAP_PROP_POS_FRAMES, start)
    at, (_, picture) = start, video.read()
    for number, wanted in enumerate(range(start, start + length * stride, stride)):
        while at != wanted:
            _, picture = video.read()
            at += 1
        chw = torch.from_numpy(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
        image = Image.fromarray(np.ascontiguousarray(chw.numpy().transpose(1, 2, 0)))
        factor = SHORT / min(image.size)
        size = int(image.width * factor), int(image.height * factor)
        image = image.resize(size, Image.Resampling.BILINEAR)
        image = image.crop((across, down, across + CROP, down + CROP))
        if mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        small = image.resize((SMALL, SMALL), Image.Resampling.BICUBIC)
        large = small.resize((CROP, CROP), Image.Resampling.BICUBIC)
        for output, one in zip(outputs, (small, large, image), strict=True):
            output[:, number] = _tensor(one)
    video.release()
    return tuple((output - 0.5) / 0.5 for output in outputs)


def _tensor(image: Image.Image) -> torch.Tensor:
    levels = torch.from_numpy(np.array(image))
    return levels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)


def best(
    work: Callable[[], object],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """The shortest time of some rounds, in seconds."""
    taken = []
    for _ in range(rounds):
        began = clock()
        work()
        taken.append(clock() - began)
    return min(taken)


def table(rows: list[Row]) -> str:
    """The results as Markdown."""
    lines = ["| what | speed | to the published way | target |", "|---|---:|---:|---:|"]
    for row in rows:
        number = f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:.1f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}x"
        lines.append(f"| {row.what} | {number} {row.unit} | {ratio} | {row.target} |")
    return "\n".join(lines)


def _opencv():
    try:
        import cv2
    except ImportError as error:
        raise SystemExit("OpenCV is needed: pip install opencv-python-headless") from error
    cv2.setNumThreads(1)
    return cv2


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
