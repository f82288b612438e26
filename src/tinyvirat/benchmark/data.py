"""How fast clips come: decoded, from the cache, and made small."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

from tinyvirat.benchmark.children import Crew
from tinyvirat.benchmark.networks import clips
from tinyvirat.benchmark.records import Timing
from tinyvirat.benchmark.speeds import FRAMES, How
from tinyvirat.benchmark.turns import Pace, Party
from tinyvirat.common.pixels import to_uint8
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.degrade import Degrade
from tinyvirat.datasets.loading import ClipDataset, Sample
from tinyvirat.datasets.manifest import read_manifest, write_manifest
from tinyvirat.datasets.records import ClipRecord
from tinyvirat.video import write_video
from tinyvirat.video.sampling import RandomWindow

MODES = {
    "decode": "16 frames decoded",
    "cache": "16 frames from the cache",
    "pairs": "from the cache, cropped and made small",
}
CLIPS = 8
SHORT_SIDE = 128
MADE = (160, 208, 48)
"""Height, width and frames of the clips that are made where there is no manifest."""


class DataWork:
    """Loads clips of a manifest, one after another; the size is how many.

    Args:
        job: `manifest`, `mode`, `folder` (for the cache), `seed`.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        manifest = read_manifest(Path(job["manifest"]))
        self.mode = str(job["mode"])
        cache = None if self.mode == "decode" else FrameCache(Path(job["folder"]))
        self._dataset = ClipDataset(
            manifest,
            manifest.records[:CLIPS],
            RandomWindow(FRAMES, (1,)),
            seed=int(job["seed"]),
            short_side=SHORT_SIDE,
            cache=cache,
        )
        self._degrade = Degrade(SHORT_SIDE, crop=112, low=14)
        self._next = 0
        self.facts: dict[str, Any] = {}
        if cache is not None:
            self.once(len(self._dataset))

    def once(self, size: int) -> None:
        """See `Work`."""
        keys = [divmod(self._next + n, len(self._dataset)) for n in range(size)]
        self._next += size
        samples = [one for one in self._dataset.__getitems__(keys) if isinstance(one, Sample)]
        if len(samples) != size:
            raise ValueError("clips of the manifest cannot be read; see `tinyvirat data check`")
        if self.mode == "pairs":
            self._degrade([s.frames_NTHWC[0] for s in samples], [s.seed for s in samples])

    def answer(self, path: Path) -> None:
        """There is nothing to compare."""
        raise NotImplementedError


def measure_data(how: How, manifest: Path | None) -> list[Timing]:
    """Seconds of a clip on its way to the network, by what is done to it.

    Args:
        how: threads, seed and pace.
        manifest: of clips to load; None makes some of noise.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        Crew(threads=how.threads, seconds=how.pace.limit) as crew,
    ):
        if manifest is None:
            manifest = made_clips(Path(folder), how.seed)
        for mode in MODES:
            job = {
                "kind": "data",
                "mode": mode,
                "manifest": str(manifest.resolve()),
                "folder": str(Path(folder) / mode),
                "seed": how.seed,
            }
            crew.start(mode, job)
        pace = Pace(how.pace.turns, (CLIPS,), how.pace.budget, how.pace.limit)
        found = Party(crew.children, pace).play()
    rows = []
    for mode, what in MODES.items():
        best = found[mode].best()
        seconds = None if best is None else best[1]
        rows.append(Timing("data", what, "ours", seconds=seconds, reason=found[mode].reason))
    return rows


def made_clips(folder: Path, seed: int) -> Path:
    """Writes clips of smooth noise and their manifest, whose path is returned."""
    height, width, frames = MADE
    records = []
    for number in range(CLIPS):
        x_CTHW = to_uint8(clips(1, frames, max(height, width), seed + number))[0]
        path = folder / f"{number}.mp4"
        write_video(path, x_CTHW.movedim(0, -1)[:, :height, :width].numpy(), Fraction(25))
        records.append(
            ClipRecord(
                id=str(number),
                path=path.name,
                frames=frames,
                height=height,
                width=width,
                fps=Fraction(25),
                labels=("noise",),
                split="train",
                source=str(number),
            )
        )
    manifest = folder / "clips.jsonl"
    write_manifest(manifest, records)
    return manifest
