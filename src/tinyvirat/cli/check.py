"""`tinyvirat data check`: is a data set what its manifest says, and fit to learn from?"""

from __future__ import annotations

import json as json_text
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinyvirat.common.progress import say
from tinyvirat.common.words import counted

if TYPE_CHECKING:
    from tinyvirat.datasets.health.check import HealthReport
    from tinyvirat.datasets.health.giveaways import Giveaways
    from tinyvirat.datasets.health.quarantine import Quarantined
    from tinyvirat.evaluation.tables import Table

Kind = Literal[
    "unreadable",
    "size",
    "frames",
    "blank",
    "leak",
    "near-leak",
    "frozen",
    "duplicate",
    "near-duplicate",
    "short",
    "header",
    "rate",
    "none",
]
MOST_SHOWN = 50


def check(
    manifest: Path,
    *,
    root: Path | None = None,
    window: int = 16,
    stride: int = 1,
    near_duplicates: int | None = None,
    permutations: int = 200,
    quarantine: list[Kind] | None = None,
    workers: int | None = None,
    json: bool = False,
) -> int:
    """Decodes every clip of a manifest and looks for whatever is wrong with the data set.

    Looks for clips that do not decode or are not as recorded (frames, size, frame rate), that are
    shorter than their header says or than a network's window, that are blank or frozen, or that
    are there twice, in one split or in two; and for labels that frame rate, length or size alone
    would give away. What was measured is kept: stopped, it goes on; run again, it looks at changed
    files only.

    Clips with the problems named by --quarantine are listed in quarantine.jsonl beside the
    manifest. Training and evaluation leave them out, and say so.

    Exits with 0 when the data set is healthy and with 1 when anything was found.

    Args:
        manifest: the manifest.
        root: the folder that its paths are relative to, where it is not the manifest's own.
        window: frames that a network sees at once.
        stride: distance between these frames.
        near_duplicates: also report clips that look nearly like another one: whose thumbnails
            differ in so many bits of 192 at most. 12 is a good start.
        permutations: draws by which it is judged whether a label is given away; 0 leaves that out.
        quarantine: problems whose clips are listed; by default unreadable, size, frames, blank and
            leak. none leaves the list as it is.
        workers: processes that decode; by default one a core, and 0 decodes in this one.
        json: print everything that was found as JSON instead of tables.
    """
    from tinyvirat.common.errors import TinyviratError
    from tinyvirat.datasets.health.check import CheckOptions, quarantined, write_list
    from tinyvirat.datasets.health.check import check as check_manifest
    from tinyvirat.datasets.health.problems import DEFAULT_QUARANTINE
    from tinyvirat.datasets.manifest import read_manifest

    kinds = tuple(DEFAULT_QUARANTINE if quarantine is None else quarantine)
    if "none" in kinds and len(kinds) > 1:
        raise TinyviratError("--quarantine: none stands alone; leave it out, or name no problems")
    options = CheckOptions(window, stride, near_duplicates, permutations)
    clips = read_manifest(manifest, root=root, check_files=False, quarantine=False)
    checked = check_manifest(clips, options, workers=workers)
    rows = quarantined(checked, kinds)
    if "none" not in kinds:
        where = write_list(checked, kinds)
        if rows:
            listed = f"lists {len(rows):,} of {counted(len(clips.records), 'clip')}"
            say(f"{where}: {listed}")
    if json:
        sys.stdout.write(_json(checked.report, rows) + "\n")
    else:
        _show(checked.report, rows)
    return int(not checked.report.healthy)


def _json(report: HealthReport, rows: Sequence[Quarantined]) -> str:
    from tinyvirat.common.plain import to_plain

    found = {
        "healthy": report.healthy,
        "counts": report.counts,
        "given_away": report.given_away,
        **to_plain(report),
        "quarantined": to_plain(rows),
    }
    return json_text.dumps(found, indent=1, ensure_ascii=False)


def _show(report: HealthReport, rows: Sequence[Quarantined]) -> None:
    from tinyvirat.evaluation.tables import as_text

    tables = [_counts(report, rows)]
    if report.problems:
        tables.append(_problems(report))
    if report.giveaways is not None and report.giveaways.found:
        tables.append(_giveaways(report.giveaways))
    sys.stdout.write("\n".join(as_text(table) for table in tables))
    verdict = "healthy"
    if not report.healthy:
        parts = [f"{count} {kind}" for kind, count in report.counts.items()]
        parts += [f"{label!r} is given away" for label in report.given_away]
        verdict = "not healthy: " + ", ".join(parts)
    sys.stdout.write(f"\n{report.manifest}: {verdict}\n")


def _counts(report: HealthReport, rows: Sequence[Quarantined]) -> Table:
    from tinyvirat.datasets.health.problems import KINDS
    from tinyvirat.evaluation.tables import Column, Table

    listed = Counter(row.reason for row in rows)
    near = report.options.near is not None
    chosen = [kind for kind in KINDS if near or not kind.startswith("near-")]
    return Table(
        f"{counted(report.clips, 'clip')} in {counted(report.files, 'file')}, "
        f"{counted(report.frames, 'frame')}",
        (
            Column("problem"),
            Column("clips", "count"),
            Column("in quarantine for it", "count"),
            Column("what it is"),
        ),
        tuple((kind, report.counts.get(kind, 0), listed[kind], KINDS[kind]) for kind in chosen),
    )


def _problems(report: HealthReport) -> Table:
    """The worst first."""
    from tinyvirat.datasets.health.problems import KINDS
    from tinyvirat.evaluation.tables import Column, Table

    kinds = list(KINDS)
    shown = sorted(report.problems, key=lambda one: kinds.index(one.kind))[:MOST_SHOWN]
    left = len(report.problems) - len(shown)
    return Table(
        "What was found",
        (Column("clip"), Column("problem"), Column("detail")),
        tuple((one.id, one.kind, one.detail) for one in shown),
        (f"{left} more with --json.",) if left else (),
    )


def _giveaways(giveaways: Giveaways) -> Table:
    from tinyvirat.evaluation.tables import Column, Table

    notes = [
        "Balanced accuracy of the property alone, cross-validated over sources; 50 is chance. p is "
        f"from {giveaways.permutations} permutations, adjusted for all labels and properties.",
        "Given away: no chance (p of 0.05 or less), and the property alone makes at most half of "
        "the errors of the likelier answer.",
    ]
    if giveaways.constant:
        notes.append(f"The same for all clips: {', '.join(giveaways.constant)}.")
    if giveaways.unjudged:
        notes.append(f"Too few clips or sources to judge: {', '.join(giveaways.unjudged)}.")
    return Table(
        "Labels by what tells them without a look at the clip",
        (
            Column("label"),
            Column("clips", "count"),
            Column("by"),
            Column("balanced accuracy, %", "percent", 1),
            Column("p", "number", 3),
            Column("accuracy, %", "percent", 1),
            Column("likelier answer, %", "percent", 1),
            Column("given away"),
        ),
        tuple(
            (
                one.label,
                one.clips,
                one.by,
                one.balanced_accuracy,
                one.p,
                one.accuracy,
                one.majority,
                "yes" if one.flagged else "no",
            )
            for one in giveaways.found
        ),
        tuple(notes),
    )
