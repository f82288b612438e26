"""Those who do the work of an archive; here the one of this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from tinyvirat.recognition.archive.records import Job, Outcome, Plan

Watch = Callable[[Job, int, int | None], None]
"""Is told how many frames of a video were read, and of how many, as far as that is known."""


class Crew(Protocol):
    """Recognises videos."""

    def run(self, jobs: Sequence[Job], mark: str, watch: Watch) -> Generator[Outcome | None]:
        """Recognises every video.

        Args:
            jobs: the videos.
            mark: the plan's fingerprint.
            watch: is told of videos that are under way.

        Yields:
            What became of each, in any order; now and then None.

        Raises:
            TinyviratError: something is wrong that would be so for every video.
        """
        ...


class Here:
    """This process: one video after the other.

    Args:
        plan: what is made of the videos. The model is loaded when the first video comes.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan.settled()

    def run(self, jobs: Sequence[Job], mark: str, watch: Watch) -> Generator[Outcome | None]:
        """See `Crew.run`. Ctrl-C ends with an outcome that says so."""
        if not jobs:
            return
        from tinyvirat.recognition.archive.work import recognize_one
        from tinyvirat.recognition.load import load

        plan = self._plan
        recognizer = load(
            plan.model,
            device=plan.device,
            precision=plan.precision,
            input_size=plan.input_size,
            engine=plan.engine,
        )
        for job in jobs:
            outcome = recognize_one(recognizer, plan, mark, job, watch)
            yield outcome
            if outcome.interrupted:
                return
