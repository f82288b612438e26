"""What would be built of real annotations, beside the paper's Table I.

    python benchmarks/plan_statistics.py KPF TEXT V2_EXCERPT docs/build-tinyvirat.md

KPF and TEXT are folders of annotations of VIRAT (DIVA's and VIRAT's own), V2_EXCERPT a piece of
TinyVIRAT-v2's list of validation clips. No video is needed. The tables go between the page's
markers; nothing else of it is touched.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tinyvirat.annotations import AnnotationFiles, Annotations, list_annotations, read_annotations
from tinyvirat.common.files import write_text
from tinyvirat.datasets.tubes import (
    BuildRules,
    Sample,
    Splits,
    Statistics,
    VideoPlan,
    plan_video,
    read_rules,
    samples_of_plan,
    samples_of_spans,
    select,
    splits_of,
    statistics,
)
from tinyvirat.datasets.tubes.cut import pieces_of
from tinyvirat.datasets.tubes.splits import recording_of

MARKED = re.compile(r"(<!-- plan -->\n).*?(<!-- /plan -->)", re.DOTALL)
ANY_SIZE = ("size.smallest=2", "size.largest=100000")
RARE = "select.min_samples=1"
CHANGES = (
    ("as they are", ()),
    ("`merge.measure=iou`", ("merge.measure=iou",)),
    ("`merge.measure=actors`", ("merge.measure=actors",)),
    ("`merge.threshold=1`: only what lies inside", ("merge.threshold=1",)),
    ("`crop.window=fixed`", ("crop.window=fixed",)),
    ("`crop.context=0`", ("crop.context=0",)),
    ("`crop.context=0.5`", ("crop.context=0.5",)),
    ("`locate.longest_gap=0`", ("locate.longest_gap=0",)),
    ("`cut.shortest=1`", ("cut.shortest=1",)),
    ("`cut.longest=64`", ("cut.longest=64",)),
    ("`cut.longest=100000`: never cut", ("cut.longest=100000",)),
    ("`size.larger_than=112`", ("size.larger_than=112",)),
)
"""Changes of the rules whose effect is shown."""


class Folder:
    """A folder of annotations, read once."""

    def __init__(self, root: Path) -> None:
        self.files: Sequence[AnnotationFiles] = list_annotations(root)
        self.splits: Splits = splits_of(self.files, root, BuildRules().splits)
        self.read: list[Annotations] = [read_annotations(one, lenient=True) for one in self.files]

    def plans(self, rules: BuildRules) -> list[VideoPlan]:
        """One a video."""
        return [plan_video(one, rules, self.splits.of(one.clip)) for one in self.read]

    def clips(self, *changes: str) -> Statistics:
        """Statistics of what is built under the rules with some changes."""
        rules = read_rules(None, [RARE, *changes])
        return statistics(samples_of_plan(select(self.plans(rules), rules)))

    def spans(self, *changes: str) -> Statistics:
        """Statistics of what has no boxes."""
        plans = self.plans(read_rules(None, changes))
        return statistics(
            [one for plan in plans for one in samples_of_spans(plan.unlocated, plan.split)]
        )


def tables(kpf: Folder, text: Folder, excerpt: Path) -> str:
    """All tables, as Markdown."""
    v2 = json.loads(excerpt.read_text(encoding="utf-8"))
    built = kpf.clips()
    spans = kpf.spans()
    own = text.clips()
    parts = [
        f"Rules {BuildRules().digest}, `{RARE}`. Frames are of a clip, sides those of its windows "
        "in pixels: mean (smallest to largest).",
        _table_1(kpf, text, v2, built, spans, own),
        _bins(("DIVA, built", built), ("VIRAT's text, built", own)),
        "Clips of a class:",
        _classes(("DIVA, built", built), ("DIVA, *without boxes*", spans)),
        _classes(("VIRAT's text, built", own)),
        "What the rules do, on VIRAT's text annotations:",
        _changes(text),
        _sides(kpf, v2),
    ]
    return "\n\n".join(parts) + "\n"


def _table_1(
    kpf: Folder, text: Folder, v2: list[dict], built: Statistics, spans: Statistics, own: Statistics
) -> str:
    excerpt = statistics(
        [
            Sample(one["video_id"], "val", tuple(one["label"]), one["dim"][0], one["dim"][1])
            for one in v2
        ]
    )
    rows = [
        "| | source videos | clips | classes | frames | side | several labels |",
        "|---|---|---|---|---|---|---|",
        "| TinyVIRAT, Table I of the paper | - | 12,829 | 26 | 93.93 | 70 (10 to 128) | yes |",
        _row(f"TinyVIRAT-v2, {len(v2)} validation clips", excerpt),
        _row("DIVA, built", built, len(kpf.read)),
        _row("DIVA, clips of any size", kpf.clips(*ANY_SIZE), len(kpf.read)),
        _row("DIVA, *without boxes*: spans only", spans, len(kpf.read)),
        _row("the same under all of DIVA's names", kpf.spans("labels.select=all"), len(kpf.read)),
        _row("VIRAT's text, built", own, len(text.read)),
        _row("VIRAT's text, clips of any size", text.clips(*ANY_SIZE), len(text.read)),
    ]
    return "\n".join(rows)


def _row(name: str, found: Statistics, annotated: int | None = None) -> str:
    videos = str(found.videos) if annotated is None else f"{found.videos} of {annotated}"
    several = sum(count for labels, count in found.labels_per_clip if labels > 1)
    return (
        f"| {name} | {videos} | {found.clips:,} | {found.classes} | {found.mean_frames:.2f} "
        f"({found.shortest} to {found.longest}) | {_side(found)} | {several / found.clips:.0%} |"
    )


def _side(found: Statistics) -> str:
    if found.mean_side is None:
        return "-"
    return f"{found.mean_side:.1f} ({found.smallest_side} to {found.largest_side})"


def _bins(*columns: tuple[str, Statistics]) -> str:
    bins = columns[0][1].bins[1:-1]
    rows = ["| clips with a side of | " + " | ".join(bins) + " |", "|---|" + "---|" * len(bins)]
    for name, found in columns:
        rows.append(f"| {name} | " + " | ".join(map(str, found.clips_by_bin[1:-1])) + " |")
    return "\n".join(rows)


def _classes(*columns: tuple[str, Statistics]) -> str:
    counts = [{one.label: one.clips for one in found.by_class} for _, found in columns]
    names = sorted(
        set().union(*counts), key=lambda name: (-sum(c.get(name, 0) for c in counts), name)
    )
    rows = ["| class | " + " | ".join(name for name, _ in columns) + " |"]
    rows.append("|---|" + "---|" * len(columns))
    rows += [
        f"| {name} | " + " | ".join(str(c.get(name, 0)) for c in counts) + " |" for name in names
    ]
    return "\n".join(rows)


def _changes(text: Folder) -> str:
    rows = ["| rules | clips | frames | side | several labels |", "|---|---|---|---|---|"]
    for name, changes in CHANGES:
        cells = _row(name, text.clips(*changes)).split(" | ")
        rows.append(" | ".join([cells[0], cells[2], *cells[4:]]))
    return "\n".join(rows)


def _sides(kpf: Folder, v2: list[dict]) -> str:
    """What the excerpt and the folders say of sides, and of how TinyVIRAT-v2 was cut."""
    validation = {one["video_id"] for one in v2}
    annotated = {one.clip for one in kpf.read}
    shared = sorted(validation & annotated)
    train = [one for one in shared if kpf.splits.of(one) == "train"]
    recordings: dict[str, set[str]] = {}
    for name in annotated:
        recordings.setdefault(recording_of(name), set()).add(kpf.splits.of(name))
    mixed = sum(len(sides) > 1 for sides in recordings.values())
    lengths = sorted((one["dim"][0] for one in v2), reverse=True)
    longest = BuildRules().cut.longest
    likely = sum(length > pieces_of(longest + 1, longest)[0][1] for length in lengths)
    return (
        f"Sides: {len(shared)} of the {len(validation)} source videos in the excerpt of "
        f"TinyVIRAT-v2's validation list are annotated here, and {len(train)} of them lie in a "
        f"folder for training ({', '.join(f'`{one}`' for one in train)}). "
        f"{mixed} of the {len(recordings)} recordings have pieces on both sides of these folders."
        f"\n\nLengths: the longest of the excerpt's {len(lengths)} clips has {lengths[0]} frames, "
        f"{likely} are longer than half of {longest}, and no length occurs more than "
        f"{max(map(lengths.count, lengths))} times."
    )


def main(kpf: Path, text: Path, excerpt: Path, page: Path) -> None:
    """Writes the tables into the page."""
    before = page.read_text(encoding="utf-8")
    if not MARKED.search(before):
        raise SystemExit(f"{page}: the markers <!-- plan --> and <!-- /plan --> are gone")
    found = tables(Folder(kpf), Folder(text), excerpt)
    write_text(page, MARKED.sub(lambda match: f"{match[1]}\n{found}\n{match[2]}", before))
    print(found)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*map(Path, sys.argv[1:]))
