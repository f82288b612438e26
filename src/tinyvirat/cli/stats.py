"""`tinyvirat data stats`: what is in a data set, in tables and figures."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvirat.common.progress import say

if TYPE_CHECKING:
    from tinyvirat.datasets.figures.summary import Summary
    from tinyvirat.datasets.tubes.statistics import Statistics
    from tinyvirat.evaluation.tables import Table


def stats(
    manifest: Path,
    *,
    root: Path | None = None,
    name: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Counts a data set and draws it, after the tables and figures of the paper's section III.

    Tables: the row of Table I beside the paper's rows; splits; sizes; classes. Figures: a contact
    sheet (Fig. 1), the actors' share of the frame (Fig. 2), the actors' size against the video's
    (Fig. 3), clips by class and by size (Fig. 4), and which classes are shown together. A figure
    for which the rows do not have the numbers is left out, and named. Clips in quarantine are not
    counted.

    Args:
        manifest: the manifest.
        root: the folder that its paths are relative to, where it is not the manifest's own.
        name: of the data set in the tables; that of the manifest's folder by default.
        out: folder for the figures and statistics.json; by default statistics beside the manifest.
        json: print the numbers as JSON instead of tables.
    """
    from tinyvirat.datasets.figures.summary import summary
    from tinyvirat.datasets.figures.write import write_statistics
    from tinyvirat.datasets.manifest import read_manifest
    from tinyvirat.evaluation.tables import as_text

    clips = read_manifest(manifest, root=root, check_files=False)
    if note := clips.quarantine_note():
        say(note)
    found = summary(clips, name or manifest.resolve().parent.name)
    written = write_statistics(out or manifest.parent / "statistics", clips, found)
    if json:
        text = json_text.dumps(found.to_plain(), indent=1, ensure_ascii=False)
        sys.stdout.write(f"{text}\n")
    else:
        sys.stdout.write("\n".join(as_text(table) for table in _tables(found)))
    for line in written.left_out:
        say(f"left out: {line}")
    for file in written.files:
        say(f"wrote {file}")


def _tables(found: Summary) -> list[Table]:
    counted = found.statistics
    tables = [_table_1(found), _splits(counted), _sizes(found)]
    if counted.by_class:
        tables.append(_classes(found))
    if len(counted.labels_per_clip) > 1 or counted.multi_label:
        tables.append(_labels_per_clip(counted))
    return tables


def _table_1(found: Summary) -> Table:
    from tinyvirat.datasets.figures.summary import TABLE_1
    from tinyvirat.evaluation.tables import Column, Table

    shown = [(found.row, "this"), *((row, "paper") for row in TABLE_1)]
    rows = tuple(
        (
            one.name,
            one.resolution,
            one.mean_frames,
            "yes" if one.multi_label else "no",
            one.classes,
            one.videos,
            whose,
        )
        for one, whose in shown
    )
    return Table(
        "Table I",
        (
            Column("data set"),
            Column("resolution"),
            Column("frames on average", "number"),
            Column("multi-label"),
            Column("classes", "count"),
            Column("videos", "count"),
            Column("from"),
        ),
        rows,
    )


def _splits(counted: Statistics) -> Table:
    from tinyvirat.evaluation.tables import Column, Table

    parts = zip(counted.splits, counted.clips_by_split, counted.videos_by_split, strict=True)
    return Table(
        "Splits",
        (Column("split"), Column("clips", "count"), Column("sources", "count")),
        (*parts, ("all", counted.clips, counted.videos)),
        (f"Frames of a clip: {counted.shortest} to {counted.longest}.",),
    )


def _sizes(found: Summary) -> Table:
    from tinyvirat.evaluation.tables import Column, Table

    counted, notes = found.statistics, []
    if counted.mean_side is not None:
        notes.append(
            f"Longer side: {counted.smallest_side} to {counted.largest_side} pixels, "
            f"{counted.mean_side:.1f} on average."
        )
    if found.actors is None:
        notes.append("How large the actors were in the source videos is not told by the rows.")
    else:
        what = "actor" if found.actors.measure == "box" else "window around the actor"
        frames = ", ".join(f"{w}x{h} ({n})" for (w, h), n in found.actors.frames[:5])
        notes.append(
            f"The {what} takes {100 * found.actors.mean_ratio:.2f} % of the source video's frame "
            f"on average ({len(found.actors.sizes)} clips); source videos: {frames}."
        )
    return Table(
        "Sizes",
        (Column("longer side, pixels"), Column("clips", "count"), Column("%", "percent", 1)),
        tuple(
            (name, clips, clips / counted.clips)
            for name, clips in zip(counted.bins, counted.clips_by_bin, strict=True)
        ),
        tuple(notes),
    )


def _classes(found: Summary) -> Table:
    from tinyvirat.evaluation.tables import Column, Table

    counted = found.statistics
    columns = [Column("class"), Column("clips", "count")]
    columns += [Column(split, "count") for split in counted.splits]
    bins = [number for number, clips in enumerate(counted.clips_by_bin) if clips]
    columns += [Column(f"{counted.bins[number]} px", "count") for number in bins]
    notes = []
    if found.absent:
        notes.append(f"In no clip: {', '.join(found.absent)}.")
    return Table(
        "Classes",
        tuple(columns),
        tuple(
            (one.label, one.clips, *one.by_split, *(one.by_bin[number] for number in bins))
            for one in counted.by_class
        ),
        tuple(notes),
    )


def _labels_per_clip(counted: Statistics) -> Table:
    from tinyvirat.evaluation.tables import Column, Table

    return Table(
        "Labels of a clip",
        (Column("labels", "count"), Column("clips", "count")),
        counted.labels_per_clip,
    )
