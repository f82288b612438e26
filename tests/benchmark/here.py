"""Children that work in this process: the same code, without their start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyvirat.benchmark.children import ChildError
from tinyvirat.benchmark.worker import open_work, timed


class HereChild:
    """A child that is no process."""

    def __init__(self, job: dict[str, Any], **_: Any) -> None:
        self.job = job
        self.work_of: Any = None

    def ready(self) -> dict[str, Any]:
        try:
            self.work_of = open_work(self.job)
        except Exception as error:
            raise ChildError(str(error)) from error
        return {"prepare_seconds": 0.0, **self.work_of.facts}

    def work(self, **order: Any) -> dict[str, Any]:
        if "answer" in order:
            self.work_of.answer(Path(order["answer"]))
            return {}
        size = min(order["size"], 64)  # matrices need not be large here
        return timed(self.work_of, size, warm=True)

    def close(self) -> None:
        pass

    def __enter__(self) -> HereChild:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class HereCrew:
    """Children that are no processes."""

    jobs: list[dict[str, Any]]

    def __init__(self, **_: Any) -> None:
        self.children: dict[str, HereChild] = {}

    def start(self, name: str, job: dict[str, Any]) -> None:
        self.children[name] = HereChild(job)
        self.jobs.append(job)

    def __enter__(self) -> HereCrew:
        return self

    def __exit__(self, *_: object) -> None:
        pass
