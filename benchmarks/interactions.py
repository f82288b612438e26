"""Lays out the clips that the shipped recogniser of interactions is trained on.

    python benchmarks/interactions.py UT_INTERACTION UCF101 OUT

UT_INTERACTION holds `clips.csv` (path, label, set, sequence) and clips; `none` are people who stand
or walk and do nothing to each other, all of set 1. UCF101 holds `clips.csv` (path, label, split,
group): of every class and split the first clip of eight groups (six to test) shows what else there
is in the world. OUT gets copies and three manifests: `set1_to_set2.jsonl` and `set2_to_set1.jsonl`
(one set trains, the other tests; the recipe was chosen by them), and `both.jsonl`, all of it to
train on.
"""

import csv
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tinyvirat.datasets.manifest import ClipRecord, write_manifest
from tinyvirat.video import open_video

SETS = ("set1", "set2")
NONE = "none"
OTHERS = {"train": 8, "test": 6}
"""Clips of each of UCF-101's classes."""


def main(interactions: Path, world: Path, out: Path) -> None:
    """Copies the clips and writes the manifests."""
    people = [record(interactions, out, "ut", row) for row in rows_of(interactions)]
    others = [record(world, out, "ucf", row) for row in some_of(rows_of(world))]
    for train, test in (SETS, SETS[::-1]):
        split = {f"ut/{train}": "train", f"ut/{test}": "test"}
        placed = [replace(r, split=split["/".join(r.id.split("/")[:2])]) for r in people]
        write_manifest(out / f"{train}_to_{test}.jsonl", placed + others)
    write_manifest(out / "both.jsonl", [replace(r, split="train") for r in people + others])


def rows_of(clips: Path) -> list[dict[str, str]]:
    """The clips of a set."""
    with (clips / "clips.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def some_of(rows: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """The first clip of some groups of every class and split."""
    taken: dict[tuple[str, str], set[str]] = {}
    for row in sorted(rows, key=lambda row: row["path"]):
        groups = taken.setdefault((row["label"], row["split"]), set())
        if row["group"] not in groups and len(groups) < OTHERS[row["split"]]:
            groups.add(row["group"])
            yield row | {"label": NONE, "sequence": f"{row['label']}/{row['group']}"}


def record(clips: Path, out: Path, kind: str, row: dict[str, str]) -> ClipRecord:
    """Copies one clip; its manifest row."""
    path = f"{kind}/{row['path']}"
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(clips / row["path"], out / path)
    with open_video(out / path) as reader:
        info, frames = reader.info, reader.count()
    return ClipRecord(
        id=path.removesuffix(".mp4"),
        path=path,
        frames=frames,
        height=info.height,
        width=info.width,
        fps=info.fps,
        labels=() if row["label"] == NONE else (row["label"],),
        split=row.get("split", "train"),
        source="/".join([kind, *filter(None, [row.get("set"), row["sequence"]])]),
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
