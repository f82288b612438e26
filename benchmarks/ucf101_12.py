"""Makes the manifest of the twelve classes of UCF-101 by the split-1 rule.

    python benchmarks/ucf101_12.py CLIPS OUT

CLIPS holds `clips.csv` (path, label, split, group) and the clips. OUT gets a copy of them and
`manifest.jsonl`. Groups 1 to 7 test, the others train.
"""

import csv
import shutil
import sys
from pathlib import Path

from tinyvirat.common.progress import track
from tinyvirat.datasets.manifest import ClipRecord, write_manifest
from tinyvirat.video import open_video


def main(clips: Path, out: Path) -> None:
    """Measures every clip and writes the manifest."""
    with (clips / "clips.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if (int(row["group"][1:]) <= 7) != (row["split"] == "test"):
            raise SystemExit(f"{row['path']}: group {row['group']} is not a {row['split']} group")
    for row in rows:
        (out / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clips / row["path"], out / row["path"])
    records = [record(out, row) for row in track(rows, "measuring", len(rows))]
    write_manifest(out / "manifest.jsonl", records)


def record(out: Path, row: dict[str, str]) -> ClipRecord:
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
        split=row["split"],
        source=f"{row['label']}_{row['group']}",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
