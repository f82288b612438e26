"""The tables' rows made small enough to run: what is changed in them, and data of their layouts."""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path

from tinyvirat.datasets.manifest import ClipRecord, write_manifest
from tinyvirat.reproduce.changes import Budget
from tinyvirat.reproduce.plan import Plan, make_plan
from tinyvirat.reproduce.sources import Sources
from tinyvirat.training.data import ClipFiles
from tinyvirat.video import write_video

from ..datasets.published.stand_ins import picture

TWO = Budget(steps=2)
FULL = 32
SMALL = (
    "weights=null",
    f"clips.full={FULL}",
    "clips.short_side=36",
    "clips.frames=8",
    "super_resolution.channels=4",
    "super_resolution.growth=4",
    "upkeep.workers=0",
    "upkeep.precision=float32",
    "upkeep.cache=false",
)
ON_LARGE = (
    *SMALL,
    "classifier.width=0.0625",
    "*:clips.size=32",
    "[!b]*_14:clips.size=4",
    "[!b]*_28:clips.size=8",
    "bicubic_trained_14:clips.size=4",
    "bicubic_trained_28:clips.size=8",
    "dvsr_*:super_resolution.blocks=1",
)
"""For Tables III and IV."""

OURS = {
    "ucf101_12": (
        *SMALL,
        "classifier.width=0.0625",
        "*_14:clips.size=4",
        "high*:clips.size=32",
    ),
    "ucf101_12_beyond": (
        *SMALL,
        "[!x]*:classifier.width=0.0625",
        "x3d*:classifier.width=4",
        "x3d*:classifier.depth=0.5",
        "x3d*:classifier.features=16",
        "*_14:clips.size=4",
        "*_28:clips.size=8",
        "high*:clips.size=32",
        "light*:clips.seen=16",
        "*slim*:super_resolution.last_channels=2",
        "*narrow*:super_resolution.last_channels=2",
        "*published*:super_resolution.growth=3",
        "*fast*:super_resolution.growth=5",
        # The any-size network has its sizes.
        "any_size_14:clips.size=14",
        "any_size_28:clips.size=28",
        "any_size*:clips.full=112",
        "any_size*:clips.short_side=112",
    ),
    "ut_interaction": (*SMALL, "classifier.width=0.0625", "clips.size=8", "high*:clips.size=32"),
}
"""For tables of our own."""

ON_TINY = (*SMALL, "*:clips.size=32")
"""For Tables II and V."""

OWN = {
    "table2": (
        "*prog_dvsr*:clips.size=8",
        "i3d*:classifier.width=0.0625",
        "*resnet50*:classifier.width=4",
    ),
    "table3": (),
    "table4": (),
    "table5": (
        "classifier.width=0.0625",
        "*dvsr*:clips.size=8",
        "dvsr:super_resolution.blocks=1",
        "without_dvsr:clips.size=32",
        "end_to_end:clips.size=8",
        "*at_test:clips.size=8",
        "bicubic_28:clips.size=8",
    ),
}


@functools.cache
def small_plan(table: str, *rows: str, seeds: int = 1, family: str = "paper") -> Plan:
    """The plan of a table of the paper with networks and clips of a few pixels, two steps long."""
    tiny = table in ("table2", "table5")
    changes = (*(ON_TINY if tiny else ON_LARGE), *OWN[table])
    return make_plan(table, rows=rows, seeds=seeds, family=family, changes=changes, budget=TWO)


def write_large(folder: Path, clips: int = 4, frames: int = 8, side: int = 40) -> Path:
    """A manifest of larger clips without labels, which give pairs."""
    records = []
    for number in range(clips):
        path = folder / f"{number}.mp4"
        write_video(path, picture(number, (side, side), frames, number), Fraction(30))
        records.append(
            ClipRecord(
                id=str(number),
                path=path.name,
                frames=frames,
                height=side,
                width=side,
                fps=Fraction(30),
                labels=(),
                split="train",
                source=str(number),
            )
        )
    write_manifest(folder / "large.jsonl", records)
    return folder / "large.jsonl"


def sources_of(manifest: Path) -> Sources:
    """A manifest alone as what a plan is run on."""
    return Sources(
        files=ClipFiles(manifest),
        clips=8,
        sr_clips=8,
        tested=2,
        classes=3,
        sha256="s",
        labelled="d",
        digest="d",
    )
