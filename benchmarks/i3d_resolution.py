"""Does the fetched I3D name real actions, and how much does it lose when clips are made small?

    python benchmarks/i3d_resolution.py UCF101_12 docs/low-resolution-gap.md

UCF101_12 holds `clips.csv` (path, label, split, group) and the clips. The first test clip of each
class is recognised at native size and made 28 and 14 px small. A sanity check of the weights, not a
benchmark: twelve clips.
"""

import csv
import sys
from pathlib import Path

import tinyvirat
from tinyvirat.common.files import write_text
from tinyvirat.training.journal import environment

MODEL = "i3d-kinetics400"
SIZES = (None, 28, 14)
SAME = {
    "Archery": {"archery"},
    "BasketballDunk": {"dunking basketball"},
    "Diving": {"springboard diving", "diving cliff"},
    "Drumming": {"playing drums"},
    "HorseRace": {"riding or walking with horse"},
    "JugglingBalls": {"juggling balls"},
    "JumpRope": {"skipping rope"},
    "PlayingPiano": {"playing piano"},
    "PlayingViolin": {"playing violin"},
    "SkyDiving": {"skydiving"},
    "Surfing": {"surfing water"},
    "Swing": {"swinging on something"},
}
"""UCF-101's classes and the Kinetics-400 classes of the same name or meaning."""


def main(clips: Path, page: Path) -> None:
    """Recognises twelve clips three times and writes the table."""
    with (clips / "clips.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    first = {row["label"]: row["path"] for row in reversed(rows)}
    columns = []
    for size in SIZES:
        model = tinyvirat.load(MODEL, input_size=size)
        missing = set().union(*SAME.values()) - set(model.spec.labels)
        if missing:
            raise SystemExit(f"no such Kinetics classes: {sorted(missing)}")
        columns.append({label: model.recognize(clips / first[label])[0] for label in SAME})
    lines = [
        "| clip | native size | made 28 px | made 14 px |",
        "|---|---|---|---|",
    ]
    hits = [0] * len(SIZES)
    for label, same in SAME.items():
        cells = []
        for number, column in enumerate(columns):
            best = column[label].top(5)
            rank = next((i for i, (name, _) in enumerate(best, 1) if name in same), None)
            hits[number] += rank is not None
            mark = f"**{rank}**" if rank else "-"
            cells.append(f"{mark}, {best[0][0]} {best[0][1]:.2f}")
        lines.append(f"| {label} ({Path(first[label]).stem}) | " + " | ".join(cells) + " |")
    total = " | ".join(f"{hit} of {len(SAME)}" for hit in hits)
    lines.append(f"| right name among the first five | {total} |")
    write_text(page, PAGE.format(table="\n".join(lines), **environment(sys.argv[:1])))
    print(page.read_text(encoding="utf-8"))


PAGE = """\
# What a small clip costs an ordinary recogniser

Made by `python benchmarks/i3d_resolution.py UCF101_12 docs/low-resolution-gap.md` at commit
{commit}, tinyvirat {tinyvirat}, torch {torch}, {processor}, {time}; do not edit.

I3D (RGB) with DeepMind's Kinetics-400 weights (`tinyvirat weights fetch i3d-kinetics400`), as
published at 224 px, on the first test clip (UCF-101 split 1) of twelve UCF-101 classes
(Soomro, Zamir and Shah, 2012): at native size (128 px short side), and made 28 and 14 px small
before it is enlarged again. Each cell: the rank of the class's own Kinetics name among the first
five (`-`: not there), then what came first. One clip a class: a sanity check of the weights and of
the gap that this project is about, not a benchmark.

{table}
"""

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
