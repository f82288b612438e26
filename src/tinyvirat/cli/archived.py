"""What `tinyvirat recognize` does with a folder of videos that is written about."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tinyvirat.cli.recognized import clips_table, safe
from tinyvirat.common.progress import say
from tinyvirat.common.words import counted
from tinyvirat.recognition.archive.cluster import RayCrew, Share
from tinyvirat.recognition.archive.crew import Here
from tinyvirat.recognition.archive.records import Archive, Outcome, Plan
from tinyvirat.recognition.archive.run import SUMMARY, clip_predictions, recognize_archive
from tinyvirat.recognition.results import write_predictions

LONGEST_TABLE = 200
"""Videos that are listed."""
MOST_LABELS = 3


def archived(
    videos: list[Path],
    folder: Path,
    plan: Plan,
    *,
    ray: str | None,
    share: Share,
    rows: bool,
    top: int,
) -> int:
    """Recognises the videos of a folder, here or on a cluster; the exit code.

    Args:
        videos: files under `folder`.
        folder: which was searched for them.
        plan: what is made of each.
        ray: address of a Ray cluster; None does it here.
        share: what a worker takes of the cluster.
        rows: print a row of JSON a video instead of tables.
        top: how many labels the table shows for each clip.
    """
    crew = Here(plan) if ray is None else RayCrew(plan, ray, share)
    archive = recognize_archive(videos, folder, plan, crew, told=_tell)
    clips = clip_predictions(plan, archive)
    if clips:
        write_predictions(plan.out / "predictions.jsonl", clips)
    if rows:
        for outcome in archive.outcomes:
            print(json.dumps(outcome.to_json()))
    else:
        console = Console(emoji=False)
        if clips:
            console.print(clips_table(clips[:LONGEST_TABLE], top))
        _show(console, archive, folder, rows_of_clips=bool(clips))
    say(f"{plan.out / SUMMARY}: {summed_up(archive)}")
    if archive.interrupted:
        say("tinyvirat: interrupted; the same command goes on where this was")
        return 130
    return 1 if archive.failed else 0


def _tell(outcome: Outcome) -> None:
    if outcome.error is not None:
        say(f"tinyvirat: error: {outcome.error}")


def summed_up(archive: Archive) -> str:
    """How it went with all of them, in a line."""
    finished = len(archive.outcomes) - len(archive.failed)
    text = f"{finished:,} of {counted(archive.videos, 'video')} finished"
    if archive.before:
        text += f" ({archive.before:,} before)"
    if archive.failed:
        text += f"; {len(archive.failed):,} failed"
    rate = archive.frames / max(archive.seconds, 1e-9)
    frames = counted(archive.frames, "frame")
    return f"{text}; {frames} in {archive.seconds:.1f} s, {rate:.1f} frames/s"


def _show(console: Console, archive: Archive, folder: Path, *, rows_of_clips: bool) -> None:
    """The tables of long videos and of what failed."""
    long = [
        one
        for one in archive.outcomes
        if one.note is not None and not (one.note.clip and rows_of_clips)
    ]
    if long:
        console.print(_videos_table(long[:LONGEST_TABLE], folder))
    if len(long) > LONGEST_TABLE:
        console.print(f"and {len(long) - LONGEST_TABLE} more: see {SUMMARY}")
    if archive.failed:
        table = Table(title=safe(f"{folder}: failed"))
        table.add_column("video", overflow="fold")
        table.add_column("begun", justify="right")
        table.add_column("why", overflow="fold")
        for one in archive.failed:
            table.add_row(_within(one, folder), str(one.attempts), safe(str(one.error)))
        console.print(table)


def _within(outcome: Outcome, folder: Path) -> str:
    return safe(str(Path(outcome.job.video).relative_to(folder)))


def _videos_table(outcomes: list[Outcome], folder: Path) -> Table:
    table = Table(title=safe(str(folder)))
    table.add_column("video", overflow="fold")
    for name in ("frames", "lasts, s", "tubes", "took, s"):
        table.add_column(name, justify="right")
    table.add_column("actions", overflow="fold")
    for one in outcomes:
        note = one.note
        if note is None:
            continue
        most = [f"{a.name} {a.amount:g}" for a in note.actions[:MOST_LABELS]]
        more = ["..."] if len(note.actions) > MOST_LABELS else []
        table.add_row(
            _within(one, folder),
            str(note.frames),
            f"{note.video_seconds:.1f}",
            str(note.tubes),
            "before" if one.attempts == 0 else f"{note.seconds:.1f}",
            safe(", ".join(most + more)) or "none above its threshold",
        )
    return table
