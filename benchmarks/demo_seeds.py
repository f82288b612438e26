"""Puts the demonstrations of several seeds, whoever won, into one table of `docs/demo.md`.

    tinyvirat demo --seed 0 --out seeds/0
    ... (1, 2, 3 and 4 likewise)
    python benchmarks/demo_seeds.py seeds/*/summary.json

Every number is read from the `summary.json` of a demonstration, and where it was made from the
`environment.json` of the run beside it; the table stands between two markers, and nothing else in
the page is touched. With `--dry-run` it is only shown.
"""

import json
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tinyvirat.common.files import write_text
from tinyvirat.evaluation.tables import Column, Table, as_markdown

PAGE = Path(__file__).parent.parent / "docs" / "demo.md"
MARKED = re.compile(r"(<!-- seeds -->\n).*?(<!-- /seeds -->)", re.DOTALL)
NOTE = "Rendered scenes: a demonstration, not a result on real video."

Summary = dict[str, Any]
Reading = tuple[str, Callable[[Summary], float]]

RECOGNITION: tuple[Reading, ...] = (
    ("F1 macro bicubic, %", lambda s: s["bicubic"]["f1_macro"]["point"]),
    ("F1 macro three phases, %", lambda s: s["method"]["f1_macro"]["point"]),
    ("F1 macro, knowing nothing, %", lambda s: s["chance"]["f1_macro"]),
    ("mAP bicubic, %", lambda s: s["bicubic"]["mean_average_precision"]["point"]),
    ("mAP three phases, %", lambda s: s["method"]["mean_average_precision"]["point"]),
    ("mAP, knowing nothing, %", lambda s: s["chance"]["mean_average_precision"]),
)
ATTENTION: tuple[Reading, ...] = (
    ("pointing, map, %", lambda s: s["attention"]["learnt"]["pointing"]),
    ("pointing, middle, %", lambda s: s["attention"]["centre"]["pointing"]),
    ("pointing, chance, %", lambda s: s["attention"]["chance"]["pointing"]),
    ("IoU, map, %", lambda s: s["attention"]["learnt"]["iou"]),
    ("IoU, middle, %", lambda s: s["attention"]["centre"]["iou"]),
    ("IoU, chance, %", lambda s: s["attention"]["chance"]["iou"]),
)
QUALITY: tuple[Reading, ...] = (
    ("PSNR bicubic, dB", lambda s: s["quality"]["bicubic"]["psnr"]),
    ("PSNR super-resolved, dB", lambda s: s["quality"]["super-resolved"]["psnr"]),
    ("SSIM bicubic", lambda s: s["quality"]["bicubic"]["ssim"]),
    ("SSIM super-resolved", lambda s: s["quality"]["super-resolved"]["ssim"]),
)


def main(arguments: Sequence[str]) -> None:
    """Reads the summaries and writes the tables into the page."""
    files = [Path(one) for one in arguments if one != "--dry-run"]
    if len(files) < 2:
        raise SystemExit("name the summary.json of two demonstrations or more")
    summaries = sorted((json.loads(file.read_text("utf-8")) for file in files), key=seed_of)
    if len({seed_of(one) for one in summaries}) < len(summaries):
        raise SystemExit(f"seeds {[seed_of(one) for one in summaries]}: each may stand here once")
    text = "\n".join(as_markdown(one) for one in tables(summaries)) + "\n" + made(files, summaries)
    if "--dry-run" in arguments:
        print(text)
        return
    page = PAGE.read_text(encoding="utf-8")
    if not MARKED.search(page):
        raise SystemExit(f"{PAGE}: the markers <!-- seeds --> and <!-- /seeds --> are gone")
    write_text(PAGE, MARKED.sub(lambda found: found[1] + "\n" + text + "\n" + found[2], page))


def seed_of(summary: Summary) -> int:
    """The seed of a demonstration."""
    return int(summary["seed"])


def made(files: Sequence[Path], summaries: Sequence[Summary]) -> str:
    """On what the demonstrations ran, and how long they took."""
    environments = [
        json.loads((file.parent / "method" / "environment.json").read_text("utf-8"))[-1]
        for file in files
    ]
    parts = [
        f"{name} {', '.join(sorted({str(e[key]) for e in environments}))}"
        for name, key in (("commit", "commit"), ("torch", "torch"), ("on", "processor"))
    ]
    seconds = [one["seconds"] for one in summaries]
    training = [one["method"]["seconds"] + one["bicubic"]["seconds"] for one in summaries]
    return (
        f"Made by {'; '.join(parts)}; {summaries[0]['precision']}. A demonstration took "
        f"{min(seconds):.0f} to {max(seconds):.0f} s, training {min(training):.0f} to "
        f"{max(training):.0f} s of it.\n"
    )


def tables(summaries: Sequence[Summary]) -> tuple[Table, ...]:
    """Recognition, attention and quality, a row a seed, then mean and standard deviation."""
    clips = summaries[0]["clips"]["test"]
    count = len(summaries)
    gains = [
        one["method"]["mean_average_precision"]["point"]
        - one["bicubic"]["mean_average_precision"]["point"]
        for one in summaries
    ]
    verdict = (
        f"mAP of the three phases less the baseline's: {100 * statistics.mean(gains):+.1f} points "
        f"in the mean of {count} seeds (standard deviation {100 * statistics.stdev(gains):.1f}); "
        f"the three phases lead in {sum(gain > 0 for gain in gains)} of {count}."
    )
    return (
        _table(f"Recognition of {clips} unseen clips", RECOGNITION, summaries, verdict),
        _table("The attention map against the true masks", ATTENTION, summaries),
        _table("Enlarging unseen large clips", QUALITY, summaries),
    )


def _table(
    title: str, readings: Sequence[Reading], summaries: Sequence[Summary], *notes: str
) -> Table:
    values_SR = [[read(one) for _, read in readings] for one in summaries]
    columns = [Column("seed")]
    for name, _ in readings:
        if name.endswith("%"):
            columns.append(Column(name, "percent", 1))
        else:
            columns.append(Column(name, "number", 4 if name.startswith("SSIM") else 2))
    rows = [(str(seed_of(s)), *row) for s, row in zip(summaries, values_SR, strict=True)]
    by_reading = list(zip(*values_SR, strict=True))
    rows.append(("mean", *map(statistics.mean, by_reading)))
    rows.append(("standard deviation", *map(statistics.stdev, by_reading)))
    return Table(title, tuple(columns), tuple(rows), (NOTE, *notes))


if __name__ == "__main__":
    main(sys.argv[1:])
