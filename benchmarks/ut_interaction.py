"""Lays out UT-Interaction's six classes for training set to set.

    python benchmarks/ut_interaction.py CLIPS OUT

CLIPS holds `clips.csv` (path, label, set, sequence) and the clips; OUT gets a copy of them and two
manifests, `set1_to_set2.jsonl` and `set2_to_set1.jsonl`: one set trains, the other tests. The clips
labelled `none` are left out: they have another frame rate and length, which would give them away.
"""

import csv
import shutil
import sys
from pathlib import Path

from tinyvirat.datasets.manifest import ClipRecord, write_manifest
from tinyvirat.video import open_video

SETS = ("set1", "set2")


def main(clips: Path, out: Path) -> None:
    """Copies the clips and writes both manifests."""
    with (clips / "clips.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] != "none"]
    for row in rows:
        (out / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clips / row["path"], out / row["path"])
    for train, test in (SETS, SETS[::-1]):
        split = {train: "train", test: "test"}
        records = [record(out, row, split[row["set"]]) for row in rows]
        if len({r.fps for r in records}) > 1:
            raise SystemExit(f"clips of several frame rates: {sorted({r.fps for r in records})}")
        write_manifest(out / f"{train}_to_{test}.jsonl", records)


def record(out: Path, row: dict[str, str], split: str) -> ClipRecord:
    """The manifest row of one clip."""
    with open_video(out / row["path"]) as reader:
        info, frames = reader.info, reader.count()
    return ClipRecord(
        id=row["path"].removesuffix(".mp4"),
        path=row["path"],
        frames=frames,
        height=info.height,
        width=info.width,
        fps=info.fps,
        labels=(row["label"],),
        split=split,
        source=f"{row['set']}/{row['sequence']}",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
