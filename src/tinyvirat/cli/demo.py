"""`tinyvirat demo`: all of it on rendered scenes, without data and without a network connection."""

from __future__ import annotations

import json as json_module
from pathlib import Path

from tinyvirat.common.progress import say


def demo(
    *, out: Path = Path("tinyvirat-demo"), seed: int = 0, cpu: bool = False, json: bool = False
) -> int:
    """Renders scenes, trains the three phases and the baseline, measures both, and leaves a page.

    It needs no data and no connection, and about two minutes of training on two free cores. Run
    again, it goes on where it was stopped. The scenes are drawings: what it prints is no result
    about real video.

    Args:
        out: the demonstration's folder; index.html in it is the page.
        seed: of the scenes and of the training.
        cpu: compute on the CPU even where there is a GPU.
        json: print what was found as JSON instead of the table.
    """
    from tinyvirat.common.plain import to_plain
    from tinyvirat.demo.run import PAGE, run_demo
    from tinyvirat.demo.settings import Settings
    from tinyvirat.evaluation.tables import as_text

    outcome = run_demo(out, Settings(seed=seed), _say, cpu=cpu)
    if json:
        print(json_module.dumps(to_plain(outcome), indent=1))
    else:
        print(as_text(outcome.recognition_table()))
        print(f"{outcome.seconds:.0f} s in all; the page: {out / PAGE}")
    return 0


def _say(text: str) -> None:
    say(f"demo: {text}")
