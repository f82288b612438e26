"""A whole check: from a manifest to a report, and the quarantine that follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tinyvirat.common.cores import usable_cores
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import track
from tinyvirat.datasets.health.duplicates import duplicates, near_duplicates
from tinyvirat.datasets.health.facts import ClipFacts, FileFacts, view_of
from tinyvirat.datasets.health.giveaways import Giveaways, giveaways
from tinyvirat.datasets.health.memory import Memory
from tinyvirat.datasets.health.pool import Job, measured
from tinyvirat.datasets.health.problems import KINDS, Problem, clip_problems, worst
from tinyvirat.datasets.health.quarantine import (
    Quarantined,
    quarantine_file,
    write_quarantine,
)
from tinyvirat.datasets.manifest import Manifest
from tinyvirat.datasets.records import ClipRecord


@dataclass(frozen=True)
class CheckOptions:
    """What a check looks for.

    Attributes:
        window: frames that a network sees at once.
        stride: distance between them.
        near: report clips whose thumbnails differ in so many bits of 192 at most; None looks for
            equal frames only.
        permutations: draws by which labels that a property gives away are judged; 0 does not look
            for them.
        seed: of these draws.

    Raises:
        TinyviratError: a value out of its range.
    """

    window: int = 16
    stride: int = 1
    near: int | None = None
    permutations: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("window", 1), ("stride", 1), ("permutations", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise TinyviratError(f"{name} is {getattr(self, name)}; use {least} or more")
        if self.near is not None and not 0 <= self.near <= 64:
            raise TinyviratError(
                f"near is {self.near}; use 0 to 64 of the 192 bits: at 96 any two clips are near"
            )


@dataclass(frozen=True)
class HealthReport:
    """What a check found.

    Attributes:
        manifest: the manifest file.
        clips: how many were looked at.
        files: how many files they are in.
        frames: how many frames were decoded, now or in an earlier check.
        options: what was looked for.
        problems: of the clips, in the manifest's order, the worst of each first.
        giveaways: labels that a property gives away; None where that was not looked for.
    """

    manifest: Path
    clips: int
    files: int
    frames: int
    options: CheckOptions
    problems: tuple[Problem, ...]
    giveaways: Giveaways | None

    @property
    def given_away(self) -> tuple[str, ...]:
        """The labels that a property gives away."""
        if self.giveaways is None:
            return ()
        return tuple(one.label for one in self.giveaways.found if one.flagged)

    @property
    def healthy(self) -> bool:
        """Whether nothing at all was found."""
        return not self.problems and not self.given_away

    @property
    def counts(self) -> dict[str, int]:
        """Clips by kind of problem, worst kind first, without the kinds that are not there."""
        found = Counter(problem.kind for problem in self.problems)
        return {kind: found[kind] for kind in KINDS if found[kind]}


@dataclass(frozen=True)
class Checked:
    """A report, and what a quarantine is made from.

    Attributes:
        report: what was found.
        records: the clips.
        facts: what their frames are, in the same order.
    """

    report: HealthReport
    records: tuple[ClipRecord, ...]
    facts: tuple[ClipFacts, ...]


def check(
    manifest: Manifest,
    options: CheckOptions | None = None,
    *,
    workers: int | None = None,
    memory: Path | None = None,
) -> Checked:
    """Decodes every file of a manifest and looks for whatever is wrong.

    Args:
        manifest: the clips, read with `quarantine=False` and `check_files=False`.
        options: what to look for.
        workers: processes that decode; None is one a core, 0 decodes in this one.
        memory: folder of facts measured before; None is the package's.

    Raises:
        TinyviratError: processes cannot be started, or facts cannot be kept.
    """
    options = options or CheckOptions()
    if workers is not None and workers < 0:
        raise TinyviratError(f"workers is {workers}; use 0 or more")
    by_file = _by_file(manifest)
    jobs = [
        Job(file, tuple(view_of(manifest.records[n]) for n in clips))
        for file, clips in by_file.items()
    ]
    found = _facts(manifest.path, jobs, usable_cores() if workers is None else workers, memory)
    file_of: dict[int, FileFacts] = {}
    clip_of: dict[int, ClipFacts] = {}
    for job in jobs:
        for n, clip in zip(by_file[job.file], found[job.file].clips, strict=True):
            file_of[n], clip_of[n] = found[job.file], clip
    files = tuple(file_of[n] for n in range(len(manifest.records)))
    facts = tuple(clip_of[n] for n in range(len(manifest.records)))
    report = HealthReport(
        manifest=manifest.path,
        clips=len(manifest.records),
        files=len(jobs),
        frames=sum(one.frames for one in found.values()),
        options=options,
        problems=_problems(manifest.records, files, facts, options),
        giveaways=_giveaways(manifest, files, facts, options),
    )
    return Checked(report, manifest.records, facts)


def quarantined(checked: Checked, kinds: Sequence[str]) -> tuple[Quarantined, ...]:
    """The rows of a quarantine: one for each clip that has a problem of these kinds."""
    by_id = {
        record.id: (record, fact)
        for record, fact in zip(checked.records, checked.facts, strict=True)
    }
    rows = []
    for clip, problems in worst(checked.report.problems).items():
        chosen = [problem for problem in problems if problem.kind in kinds]
        if chosen:
            record, fact = by_id[clip]
            detail = "; ".join(problem.detail for problem in chosen)
            rows.append(Quarantined(clip, record.path, chosen[0].kind, detail, fact.content))
    return tuple(rows)


def write_list(checked: Checked, kinds: Sequence[str]) -> Path:
    """Writes the quarantine of these kinds beside the manifest; returns the list's path.

    Raises:
        ManifestError: the list there cannot be read or replaced.
    """
    path = quarantine_file(checked.report.manifest)
    write_quarantine(
        path,
        quarantined(checked, kinds),
        about=[(record.id, record.path) for record in checked.records],
        reasons=KINDS,
    )
    return path


def _by_file(manifest: Manifest) -> dict[Path, list[int]]:
    """The clips of every file, which is decoded once."""
    by_file: dict[Path, list[int]] = {}
    for n, record in enumerate(manifest.records):
        by_file.setdefault(manifest.file(record), []).append(n)
    return by_file


def _facts(
    manifest: Path, jobs: Sequence[Job], workers: int, folder: Path | None
) -> dict[Path, FileFacts]:
    found: dict[Path, FileFacts] = {}
    with Memory(manifest, folder) as memory:
        new = []
        for job in jobs:
            known = memory.recall(job)
            if known is None:
                new.append(job)
            else:
                found[job.file] = known
        for job, facts in track(measured(new, workers), "checking", len(new)):
            found[job.file] = facts
            memory.learn(job, facts)
    return found


def _problems(
    records: Sequence[ClipRecord],
    files: Sequence[FileFacts],
    facts: Sequence[ClipFacts],
    options: CheckOptions,
) -> tuple[Problem, ...]:
    found: list[Problem] = []
    for record, file, clip in zip(records, files, facts, strict=True):
        found += clip_problems(record, file, clip, window=options.window, stride=options.stride)
    found += duplicates(records, facts)
    if options.near is not None:
        found += near_duplicates(records, facts, options.near)
    by_clip = worst(found)
    return tuple(problem for record in records for problem in by_clip.get(record.id, ()))


def _giveaways(
    manifest: Manifest,
    files: Sequence[FileFacts],
    facts: Sequence[ClipFacts],
    options: CheckOptions,
) -> Giveaways | None:
    """Judges the clips that decode, by what they are rather than by what was recorded."""
    chosen = [n for n, file in enumerate(files) if file.trouble is None and facts[n].frames]
    if options.permutations == 0 or not manifest.labels or not chosen:
        return None
    records = [manifest.records[n] for n in chosen]
    sizes = [_size(record, files[n]) for n, record in zip(chosen, records, strict=True)]
    properties: dict[str, list[float]] = {
        "frame rate": [float(Fraction(files[n].fps)) for n in chosen],
        "frames": [float(facts[n].frames) for n in chosen],
        "height": [float(height) for height, _ in sizes],
        "width": [float(width) for _, width in sizes],
    }
    return giveaways(
        properties,
        manifest.targets(records) > 0,
        manifest.labels,
        [record.source for record in records],
        permutations=options.permutations,
        seed=options.seed,
    )


def _size(record: ClipRecord, file: FileFacts) -> tuple[int, int]:
    if record.windows is None:
        return file.height, file.width
    side = max(x2 - x1 for x1, _, x2, _ in record.windows)
    return side, side
