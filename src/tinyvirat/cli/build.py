"""`tinyvirat data build-virat`: annotated surveillance videos to a data set of small clips."""

from __future__ import annotations

import json as json_text
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinyvirat.common.progress import say

if TYPE_CHECKING:
    from tinyvirat.datasets.build.records import Trouble
    from tinyvirat.datasets.build.workers import Workers
    from tinyvirat.datasets.tubes import BuildRules, Statistics
    from tinyvirat.evaluation.tables import Table

MOST_SHOWN = 10
LONGEST_DETAIL = 120


def build_virat(
    *,
    annotations: Path,
    videos: Path | None = None,
    out: Path | None = None,
    rules: Path | None = None,
    set: list[str] | None = None,
    larger_than: int | None = None,
    min_samples: int | None = None,
    layout: Literal["v1", "v2"] = "v2",
    format: Literal["virat", "kpf", "actev"] | None = None,
    lenient: bool = False,
    plan_only: bool = False,
    processes: int | None = None,
    ray: str | None = None,
    json: bool = False,
) -> int:
    """Builds TinyVIRAT from annotated videos: small multi-label clips around people and vehicles.

    Activities that overlap in space and time become one clip with several labels, cut where the
    labels change; a square window follows the actors. The rules and their reasons are in
    docs/build-tinyvirat.md. Each video is decoded once. Stopped, it goes on where it was; the same
    videos and rules give the same bytes.

    Videos that cannot be read or end early, annotations without a video and malformed records that
    were skipped do not stop it: they are listed at the end and in report.json.

    Args:
        annotations: folder of VIRAT text, KPF or ActEV annotations, searched with all below it.
        videos: folder of the videos, searched likewise; may be left out with --plan-only.
        out: folder of the data set: new, empty, or of the same build before.
        rules: a YAML file of rules; without it TinyVIRAT's, as far as the paper tells them.
        set: values that win over the rules, such as crop.context=0.2.
        larger_than: keep the clips whose side is larger than so many pixels instead of tiny ones;
            112 gives the clips that super-resolution learns from.
        min_samples: clips that a class needs; rarer classes are dropped.
        layout: TinyVIRAT's of 2020 (v1) or of 2021 (v2).
        format: read only annotations of this format, where videos are annotated in several.
        lenient: skip and count malformed records instead of ending at the first.
        plan_only: print the statistics of what would be built, and build nothing.
        processes: videos worked on at once; one a core by default.
        ray: address of a Ray cluster that does the work instead, whose machines see the same
            files under the same paths; local starts one here.
        json: print the statistics as JSON instead of tables.
    """
    from tinyvirat.common.cores import usable_cores
    from tinyvirat.common.errors import TinyviratError
    from tinyvirat.common.words import counted
    from tinyvirat.datasets.build.run import build, plan_build

    if not plan_only and (videos is None or out is None):
        missing = "--videos" if videos is None else "--out"
        raise TinyviratError(f"{missing} is missing; only --plan-only does without")
    chosen = _rules(rules, set, larger_than, min_samples)
    workers = _workers(processes, ray)
    plan = plan_build(
        annotations, videos, chosen, workers, format=format, lenient=lenient, spans=plan_only
    )
    if plan_only or out is None:
        _show_troubles(plan.troubles)
        _show(plan.statistics, plan.span_statistics, "Would be built", json)
        return 0
    at_once = min(processes or usable_cores(), len({clip.tube.video for clip in plan.clips}))
    threads = 1 if ray is not None else max(1, usable_cores() // at_once)
    built = build(plan, out, chosen, workers, layout=layout, threads=threads)
    _show_troubles(built.troubles)
    _show(built.statistics, None, f"{out}: built", json)
    say(
        f"{built.manifest}: {counted(len(built.records), 'clip')}; videos cut now: {built.cut}. "
        f"Draw its figures with: tinyvirat data stats {built.manifest}"
    )
    return 0


def _rules(
    path: Path | None, given: Sequence[str] | None, larger_than: int | None, min_samples: int | None
) -> BuildRules:
    from tinyvirat.datasets.tubes import read_rules

    overrides = list(given or ())
    if larger_than is not None:
        overrides.append(f"size.larger_than={larger_than}")
    if min_samples is not None:
        overrides.append(f"select.min_samples={min_samples}")
    return read_rules(path, overrides)


def _workers(processes: int | None, ray: str | None) -> Workers:
    from tinyvirat.common.cores import usable_cores
    from tinyvirat.common.errors import TinyviratError
    from tinyvirat.datasets.build.workers import Processes, RayCluster

    if ray is None:
        return Processes(usable_cores() if processes is None else processes)
    if processes is not None:
        raise TinyviratError("--processes and --ray: the cluster says how many; leave one out")
    return RayCluster(ray)


def _show_troubles(troubles: Sequence[Trouble]) -> None:
    """The first ones of each kind, on standard error."""
    from tinyvirat.evaluation.tables import Column, Table, as_text

    if not troubles:
        return
    counts = Counter(one.kind for one in troubles)
    shown: Counter[str] = Counter()
    rows = []
    for one in troubles:
        shown[one.kind] += 1
        if shown[one.kind] <= MOST_SHOWN:
            cut = one.detail[:LONGEST_DETAIL] + "..." * (len(one.detail) > LONGEST_DETAIL)
            rows.append((one.kind, one.video or None, one.clips or None, cut))
    more = ", ".join(
        f"{count - MOST_SHOWN} {kind}" for kind, count in counts.items() if count > MOST_SHOWN
    )
    table = Table(
        "What was met on the way",
        (Column("what"), Column("video"), Column("clips lost", "count"), Column("detail")),
        tuple(rows),
        (f"And more: {more}.",) if more else (),
    )
    sys.stderr.write(as_text(table))


def _show(built: Statistics, spans: Statistics | None, title: str, json: bool) -> None:
    from tinyvirat.evaluation.tables import as_text

    if json:
        plain = built.to_plain()
        if spans is not None:
            plain |= {"without_boxes": spans.to_plain()}
        sys.stdout.write(json_text.dumps(plain, indent=1) + "\n")
        return
    tables = [_numbers(built, spans, title)]
    if built.by_class:
        tables.append(_classes(built, "Classes"))
    if spans is not None and spans.by_class:
        tables.append(_classes(spans, "Classes of what has no boxes"))
    sys.stdout.write("\n".join(as_text(table) for table in tables))


def _numbers(built: Statistics, spans: Statistics | None, title: str) -> Table:
    from tinyvirat.evaluation.tables import Column, Table

    shown = [("clips", built)]
    if spans is not None and spans.clips:
        shown.append(("spans without boxes: no clips", spans))
    return Table(
        title,
        (
            Column(""),
            Column("number", "count"),
            Column("videos", "count"),
            Column("classes", "count"),
            Column("multi-label"),
            Column("frames on average", "number"),
            Column("side on average", "number", 1),
            Column("sides"),
            Column("splits"),
        ),
        tuple(
            (
                name,
                one.clips,
                one.videos,
                one.classes,
                "yes" if one.multi_label else "no",
                one.mean_frames,
                one.mean_side,
                None if one.smallest_side is None else f"{one.smallest_side}-{one.largest_side}",
                ", ".join(
                    f"{clips} {split}"
                    for split, clips in zip(one.splits, one.clips_by_split, strict=True)
                ),
            )
            for name, one in shown
        ),
    )


def _classes(counted: Statistics, title: str) -> Table:
    from tinyvirat.evaluation.tables import Column, Table

    bins = [number for number, clips in enumerate(counted.clips_by_bin) if clips]
    return Table(
        title,
        (
            Column("class"),
            Column("clips", "count"),
            *(Column(split, "count") for split in counted.splits),
            *(Column(f"{counted.bins[number]} px", "count") for number in bins),
        ),
        tuple(
            (one.label, one.clips, *one.by_split, *(one.by_bin[number] for number in bins))
            for one in counted.by_class
        ),
    )
