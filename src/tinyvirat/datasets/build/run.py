"""The whole build: find, plan, choose, cut, write down."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.common.progress import track
from tinyvirat.datasets.build.cut import PRESET, QUANTISER, cut_video, unreadable
from tinyvirat.datasets.build.records import (
    BuildError,
    CutJob,
    CutVideo,
    NamedClip,
    PlannedVideo,
    Trouble,
)
from tinyvirat.datasets.build.report import (
    rare_classes,
    troubles_of_cuts,
    troubles_of_plan,
    write_report,
)
from tinyvirat.datasets.build.sources import PlanJob, find_sources, plan_source
from tinyvirat.datasets.build.state import fingerprint, forget_others, load_cut, opened
from tinyvirat.datasets.build.workers import Crashed, Workers, tell_progress
from tinyvirat.datasets.manifest import LABELS_FILE, write_manifest
from tinyvirat.datasets.records import ClipRecord
from tinyvirat.datasets.tinyvirat_layout import (
    Layout,
    classes_of,
    folder_of,
    names_of,
    split_in,
    write_layout,
)
from tinyvirat.datasets.tubes import (
    BuildRules,
    PlannedClip,
    Statistics,
    VideoPlan,
    samples_of_plan,
    samples_of_records,
    samples_of_spans,
    select,
    statistics,
)

MANIFEST, STATISTICS, REPORT = "manifest.jsonl", "statistics.json", "report.json"
SETTINGS = f"x264 {PRESET} qp {QUANTISER}"


@dataclass(frozen=True, eq=False)
class Plan:
    """What would be built.

    Attributes:
        jobs: the annotated videos, by name.
        videos: what is known of each.
        clips: that are to be cut, video by video.
        troubles: met so far.
    """

    jobs: tuple[PlanJob, ...]
    videos: tuple[PlannedVideo, ...]
    clips: tuple[PlannedClip, ...]
    troubles: tuple[Trouble, ...]

    @property
    def statistics(self) -> Statistics:
        """Of the clips."""
        return statistics(samples_of_plan(self.clips))

    @property
    def span_statistics(self) -> Statistics:
        """Of what would be clips, size apart, if the annotations said where."""
        plans = [one.plan for one in self.videos]
        every = (samples_of_spans(plan.unlocated, plan.split) for plan in plans)
        return statistics([sample for samples in every for sample in samples])


@dataclass(frozen=True, eq=False)
class Built:
    """What was built.

    Attributes:
        manifest: the file.
        records: its clips.
        troubles: all that were met; they are in `report.json` too.
        cut: how many videos were cut now; the others were done before.
    """

    manifest: Path
    records: tuple[ClipRecord, ...]
    troubles: tuple[Trouble, ...]
    cut: int

    @property
    def statistics(self) -> Statistics:
        """Of the clips."""
        return statistics(samples_of_records(self.records))


def plan_build(
    annotations: Path,
    videos: Path | None,
    rules: BuildRules,
    workers: Workers,
    *,
    format: str | None = None,
    lenient: bool = False,
    spans: bool = False,
) -> Plan:
    """Reads all annotations and plans all clips; of videos, only the first frame is read.

    Args:
        annotations: their folder.
        videos: the folder of the videos; `None` plans everything that is annotated.
        rules: of the plan.
        workers: those who do it.
        format: only annotations of this format; `None` is all.
        lenient: skip and count malformed records, instead of failing at the first.
        spans: be content without any clip where there are activities without boxes.

    Raises:
        TinyviratError: annotations or videos that cannot be used, or no clip remains.
    """
    jobs, left_over = find_sources(annotations, videos, rules, format=format, lenient=lenient)
    found: dict[int, PlannedVideo] = {}

    def steps() -> Generator[None]:
        for number, planned in filter(None, workers.run(plan_source, jobs)):
            if isinstance(planned, Crashed):
                empty = VideoPlan(jobs[number].files.clip, jobs[number].split, ())
                planned = PlannedVideo(empty, 0, unreadable=planned.why)
            found[number] = planned
            yield

    for _ in track(steps(), "planning", len(jobs)):
        pass
    planned = tuple(found[number] for number in range(len(jobs)))
    readable = [one.plan for one in planned if one.unreadable is None]
    if not readable:
        raise BuildError(
            f"{videos}: none of its {len(jobs)} annotated videos can be read; the first: "
            f"{planned[0].plan.video}: {planned[0].unreadable}"
        )
    troubles = [*left_over, *(trouble for one in planned for trouble in troubles_of_plan(one))]
    nothing_but_spans = (
        spans and not any(one.clips for one in readable) and any(one.unlocated for one in readable)
    )
    clips = () if nothing_but_spans else select(readable, rules)
    return Plan(jobs, planned, clips, tuple(troubles))


def build(
    plan: Plan,
    out: Path,
    rules: BuildRules,
    workers: Workers,
    *,
    layout: Layout = "v2",
    threads: int | None = None,
) -> Built:
    """Cuts the clips of a plan and writes the data set; goes on where it was interrupted.

    The same plan gives the same files to the byte, whoever the workers are and however often it was
    interrupted.

    Args:
        plan: made with videos.
        out: the folder of the data set; new, empty, or of the same build before.
        rules: that the plan was made with.
        workers: those who do it.
        layout: TinyVIRAT's of 2020 (`v1`) or of 2021 (`v2`).
        threads: of each decoder; None chooses by the size of the pictures.

    Raises:
        BuildError: the folder cannot be used, or no clip could be cut.
        TinyviratError: a clip cannot be written.
    """
    about = {"rules": rules.values, "rule_versions": rules.provenance()["rule_versions"]}
    with opened(out, about | {"layout": layout}):
        jobs = _cut_jobs(plan, out, layout)
        done = {job.video: load_cut(out, job.video, job.fingerprint) for job in jobs}
        missing = [job for job in jobs if done[job.video] is None]
        if missing:
            # Until all is done, nothing may look as if it were.
            (out / MANIFEST).unlink(missing_ok=True)
        fresh = _cut_all(missing, workers, partial(cut_video, threads=threads, tick=tell_progress))
        cuts = [done[job.video] or fresh[job.video] for job in jobs]
        forget_others(out, [cut.video for cut in cuts if cut.unreadable is None])
        records = _records(plan, jobs, cuts, rules)
        troubles = (
            *plan.troubles,
            *troubles_of_cuts(jobs, cuts),
            *rare_classes(records, rules),
        )
        write_report(out / REPORT, plan.videos, len(records), troubles, rules)
        if not records:
            raise BuildError(f"{out}: no clip could be cut; {REPORT} there says why")
        write_layout(out, layout, records)
        write_text(out / LABELS_FILE, "".join(f"{label}\n" for label in classes_of(records)))
        built = Built(out / MANIFEST, records, troubles, len(missing))
        write_text(out / STATISTICS, json.dumps(built.statistics.to_plain(), indent=1) + "\n")
        write_manifest(out / MANIFEST, records)
    return built


def _cut_jobs(plan: Plan, out: Path, layout: Layout) -> list[CutJob]:
    """A job for every video with clips, by name."""
    annotated = {one.plan.video: one.annotated for one in plan.videos}
    file_of = {job.files.clip: job.video for job in plan.jobs}
    named = map(NamedClip, names_of(plan.clips, layout), plan.clips)
    jobs = []
    for video, several in groupby(named, key=lambda one: one.clip.tube.video):
        clips, file = tuple(several), file_of[video]
        if file is None:
            raise BuildError("this plan was made without videos; name their folder (--videos)")
        folder = folder_of(split_in(layout, clips[0].clip.split), video)
        jobs.append(
            CutJob(
                video=video,
                file=file,
                out=out,
                folder=folder,
                clips=clips,
                annotated=annotated[video],
                fingerprint=fingerprint(file, folder, clips, SETTINGS),
            )
        )
    return jobs


def _cut_all(
    jobs: Sequence[CutJob], workers: Workers, function: Callable[[CutJob], CutVideo]
) -> dict[str, CutVideo]:
    """Cuts videos, those that take longest first; what became of each, by its name."""
    order = sorted(jobs, key=lambda job: -job.annotated)
    total = sum(job.annotated for job in order)
    cuts: dict[str, CutVideo] = {}

    def frames() -> Generator[None]:
        shown = finished = 0
        for step in workers.run(function, order):
            if step is not None:
                number, cut = step
                job = order[number]
                if isinstance(cut, Crashed):
                    cut = unreadable(job, cut.why)
                cuts[job.video] = cut
                finished += job.annotated
            now = min(total, max(workers.progress, finished))
            yield from (None for _ in range(now - shown))
            shown = max(shown, now)

    for _ in track(frames(), "cutting, frame", total):
        pass
    return cuts


def _records(
    plan: Plan, jobs: Sequence[CutJob], cuts: Sequence[CutVideo], rules: BuildRules
) -> tuple[ClipRecord, ...]:
    """The rows of all clips that were written, in the order of the plan."""
    provenance = rules.provenance()
    return tuple(
        _record(named, job, cut, provenance)
        for job, cut in zip(jobs, cuts, strict=True)
        for named in job.clips
        if named.name in {clip.name for clip in cut.clips}
    )


def _record(
    named: NamedClip, job: CutJob, cut: CutVideo, provenance: dict[str, object]
) -> ClipRecord:
    tube = named.clip.tube
    return ClipRecord(
        id=named.clip.id,
        path=f"{job.folder}/{named.name}.mp4",
        frames=len(named.clip.windows_T4),
        height=named.clip.side,
        width=named.clip.side,
        fps=cut.fps,
        labels=tube.labels,
        split=job.folder.split("/")[1],
        source=job.video,
        tracks=tube.tracks or None,
        extra={
            "video": job.file.name,
            "frame": [cut.width, cut.height],
            "span": [tube.start, tube.stop],
            "windows": _windows(named.clip),
            "actor": (tube.boxes_T4[:, 2:] - tube.boxes_T4[:, :2]).mean(axis=0).round(2).tolist(),
            "activities": list(tube.activities),
            **provenance,
        },
    )


def _windows(clip: PlannedClip) -> list[list[int]]:
    """The windows one a frame, or the one of all frames."""
    windows: list[list[int]] = clip.windows_T4.tolist()
    still = all(window == windows[0] for window in windows)
    return windows[:1] if still else windows
