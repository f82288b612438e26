"""What went wrong in a build without stopping it, and what the rules left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.datasets.build.records import CutJob, CutVideo, PlannedVideo, Trouble
from tinyvirat.datasets.records import ClipRecord
from tinyvirat.datasets.tubes import BuildRules


def troubles_of_plan(planned: PlannedVideo) -> Iterator[Trouble]:
    """What was met while a video was planned."""
    video = planned.plan.video
    if planned.unreadable is not None:
        yield Trouble("unreadable", video, planned.unreadable)
    if planned.skipped:
        first = f", the first: {planned.problems[0]}" if planned.problems else ""
        yield Trouble(
            "annotation", video, f"{planned.skipped} malformed records were left out{first}"
        )
    for problem in planned.plan.problems:
        yield Trouble("plan", video, problem)


def troubles_of_cuts(jobs: Sequence[CutJob], cuts: Sequence[CutVideo]) -> Iterator[Trouble]:
    """What was met while videos were cut."""
    for job, cut in zip(jobs, cuts, strict=True):
        lost = len(job.clips) - len(cut.clips)
        if cut.unreadable is not None:
            where = f"after {cut.frames} frames: " if cut.frames else ""
            yield Trouble("unreadable", job.video, where + cut.unreadable, lost)
        elif cut.frames < job.annotated:
            yield Trouble(
                "shorter than annotated",
                job.video,
                f"has {cut.frames} frames; its annotations go to frame {job.annotated - 1}",
                lost,
            )


def rare_classes(records: Iterable[ClipRecord], rules: BuildRules) -> Iterator[Trouble]:
    """Classes that were common enough before clips were lost."""
    least = rules.select.min_samples
    counts = Counter(label for record in records for label in record.labels)
    for label, count in sorted(counts.items()):
        if count < least:
            yield Trouble(
                "class below min_samples",
                "",
                f"{label!r} has {count} clips and should have {least}: others were lost",
            )


def write_report(
    path: Path,
    planned: Sequence[PlannedVideo],
    clips: int,
    troubles: Sequence[Trouble],
    rules: BuildRules,
) -> None:
    """Writes the report of a build as JSON.

    Args:
        path: the file.
        planned: what was known of every video.
        clips: how many were cut.
        troubles: all that were met.
        rules: of the build.
    """
    left = [one.plan.left_out for one in planned]
    names = Counter[str]()
    for one in left:
        names.update(dict(one.labels))
    data = {
        "videos": len(planned),
        "clips": clips,
        "clips_lost": sum(trouble.clips for trouble in troubles),
        "left_out": {
            "short": sum(one.short for one in left),
            "small": sum(one.small for one in left),
            "large": sum(one.large for one in left),
            "without_boxes": sum(len(one.plan.unlocated) for one in planned),
            "labels": dict(sorted(names.items())),
        },
        "rules": {"digest": rules.digest, **rules.values},
        "troubles": [asdict(trouble) for trouble in troubles],
    }
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
