"""The loop over an archive of videos: what is finished is skipped, the rest is given to a crew."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.recognition.archive.crew import Crew
from tinyvirat.recognition.archive.notes import fingerprint, finished, held, places
from tinyvirat.recognition.archive.records import Archive, Outcome, Plan, jobs_of
from tinyvirat.recognition.archive.showing import Showing
from tinyvirat.recognition.proposals.choose import check_tubes
from tinyvirat.recognition.results import Prediction

SUMMARY = "archive.json"


def recognize_archive(
    videos: Sequence[Path],
    folder: Path,
    plan: Plan,
    crew: Crew,
    *,
    progress: bool = True,
    told: Callable[[Outcome], None] | None = None,
) -> Archive:
    """Recognises the videos of a folder, each into a folder of its own under `plan.out`.

    The outputs of a video come whole or not at all, with a `done.json`; a video that has one is
    skipped unless it, the model or the settings have changed. A video that cannot be read is
    reported and does not end the rest. Ctrl-C keeps what is finished. `archive.json` in `plan.out`
    sums it up. What is written about a video does not depend on the crew, apart from times, names
    of machines and, in the last digits, the number of threads and the kind of processor.

    Args:
        videos: files under `folder`, in the order of the summary.
        folder: which was searched for them.
        plan: what is made of each.
        crew: who does it.
        progress: whether videos done, frames a second and the time left are shown on standard
            error.
        told: is called with what became of each video that was begun, as soon as it is known.

    Raises:
        TinyviratError: the folder of the outputs is in use or cannot be written to, there is no
            such model or file of tubes, boxes of one video would be taken for those of another, an
            output is not known, or the crew cannot work.
    """
    began = time.monotonic()
    check_tubes(plan.tubes, videos)
    plan = plan.settled()
    jobs = jobs_of(videos, folder)
    mark = fingerprint(plan)
    with held(plan.out):
        outcomes: dict[str, Outcome] = {}
        for job in jobs:
            note = finished(plan, job, mark)
            if note is not None:
                outcomes[job.name] = Outcome(job, note, attempts=0)
        left = [job for job in jobs if job.name not in outcomes]
        interrupted = False
        with Showing(
            len(jobs), len(outcomes), sum(job.size for job in left), shown=progress
        ) as showing:
            try:
                for outcome in crew.run(left, mark, showing.at):
                    if outcome is None:
                        showing.beat()
                    elif outcome.interrupted:
                        interrupted = True
                    else:
                        outcomes[outcome.job.name] = outcome
                        showing.finished(outcome)
                        if told is not None:
                            told(outcome)
            except KeyboardInterrupt:
                interrupted = True
        there = tuple(outcomes[job.name] for job in jobs if job.name in outcomes)
        archive = Archive(there, len(jobs), time.monotonic() - began, interrupted)
        write_text(plan.out / SUMMARY, json.dumps(archive.to_json(), indent=1) + "\n")
    return archive


def clip_predictions(plan: Plan, archive: Archive) -> list[Prediction]:
    """The answers for all clips whose rows are not in folders of their own, in their order."""
    found: list[Prediction] = []
    for outcome in archive.outcomes:
        if outcome.note is not None and outcome.note.clip and plan.outputs is None:
            text = (places(plan, outcome.job)[1] / "predictions.jsonl").read_text(encoding="utf-8")
            found += [_prediction(line) for line in text.splitlines()]
    return found


def _prediction(line: str) -> Prediction:
    row = json.loads(line)
    return Prediction(**row | {"labels": tuple(row["labels"])})
