"""`tinyvirat reproduce`: the paper's tables, run and set beside what it prints."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinyvirat.common.progress import say

if TYPE_CHECKING:
    from tinyvirat.reproduce.estimate import Estimate
    from tinyvirat.reproduce.plan import Plan
    from tinyvirat.training.data import ClipFiles


def reproduce(
    table: str,
    *,
    data: Path | None = None,
    sr_data: Path | None = None,
    out: Path = Path("runs/reproduce"),
    rows: list[str] | None = None,
    seeds: int = 1,
    family: Literal["paper", "as_published_code"] = "paper",
    budget: float = 1.0,
    steps: int | None = None,
    set: list[str] | None = None,
    cache: Path | None = None,
    root: Path | None = None,
    sr_root: Path | None = None,
    dry_run: bool = False,
    gmac_per_second: float | None = None,
    cpu: bool = False,
    json: bool = False,
) -> int:
    """Runs the rows of a table and sets them beside the paper's; run again, goes on.

    TABLE is table2 (TinyVIRAT), table3 (HMDB-51), table4 (UCF-101) or table5 (the ablation on
    TinyVIRAT), one of our own (ucf101_12, ucf101_12_beyond, ut_interaction), or a .yml file of
    rows. What rows share is trained once. With several GPUs rows are run side by side, one process
    a GPU. The table, its seeds, intervals, costs and the protocol are in OUT/TABLE.md.

    Args:
        table: which table.
        data: the data set's folder, or a manifest.
        sr_data: manifest of larger clips that give low- and high-resolution pairs, for clips that
            are tiny by nature.
        out: folder of the runs and tables; several tables in one folder share runs.
        rows: names of rows, or patterns such as '*_14'; without it all. The table shows those, and
            what was run before.
        seeds: how many seeds each row is run with.
        family: paper, or as_published_code for the code's values where the paper has others.
        budget: share of the recipes' iterations, for all rows alike; 0.01 is 1 %. The table says
            it.
        steps: iterations of every stage of every phase, instead of the recipes', to try it out.
        set: values that win over the recipes', such as upkeep.workers=8; with a pattern of rows
            before it ('*_14:phase3.batch=12') for these rows.
        cache: folder of decoded frames.
        root: the folder that a manifest's paths are relative to, where it is not its own.
        sr_root: the same for SR_DATA.
        dry_run: only say what it takes, a line a row; needs no data, and counts the clips of DATA
            where that is a manifest.
        gmac_per_second: for --dry-run, the speed that times are worked out with; without it the
            speed of training is measured on this machine.
        cpu: compute on the CPU even where there is a GPU.
        json: print JSON instead of text.
    """
    from tinyvirat.common.errors import TinyviratError
    from tinyvirat.evaluation.tables import as_text, to_json
    from tinyvirat.reproduce.changes import Budget
    from tinyvirat.reproduce.page import main_table
    from tinyvirat.reproduce.plan import make_plan
    from tinyvirat.reproduce.run import Order
    from tinyvirat.reproduce.run import reproduce as run_plan
    from tinyvirat.training.data import ClipFiles

    plan = make_plan(
        table,
        rows=rows or (),
        seeds=seeds,
        family=family,
        changes=set or (),
        budget=Budget(budget, steps),
    )
    files = None if data is None else ClipFiles(data, sr_data, root=root, sr_root=sr_root)
    if dry_run:
        clips = _clips(plan, files)
        _say_estimate(_estimate(plan, clips, gmac_per_second, cpu), json)
        return 0
    if files is None:
        raise TinyviratError("--data is needed: the data set's folder, or a manifest")
    done = run_plan(plan, Order(files, out, cache=cache, cpu=cpu), _say)
    if json:
        print(to_json(done.outcome), end="")
    else:
        print(as_text(main_table(done.plan, done.outcome)))
        print(done.page)
    return 1 if done.failures else 0


def _clips(plan: Plan, files: ClipFiles | None) -> tuple[int, int]:
    """Training clips that have labels, and that give pairs: counted, or as published.

    How many clips give pairs to tiny ones is not published: as many are taken.
    """
    from tinyvirat.reproduce.sources import open_sources

    if files is None or files.data.is_dir():
        return plan.text.train, plan.text.train
    sources = open_sources(plan, files)
    return sources.clips, sources.sr_clips


def _estimate(
    plan: Plan, clips: tuple[int, int], gmac_per_second: float | None, cpu: bool
) -> Estimate:
    from tinyvirat.common.errors import TinyviratError
    from tinyvirat.models.inference import pick_device
    from tinyvirat.reproduce.estimate import Speed, estimate, measured_speed

    if gmac_per_second is None:
        speed = measured_speed(pick_device("cpu" if cpu else "auto"))
    elif gmac_per_second > 0:
        speed = Speed(gmac_per_second, f"{gmac_per_second:g} GMAC/s, as given")
    else:
        raise TinyviratError(f"--gmac-per-second {gmac_per_second:g} is not a speed")
    return estimate(plan, speed, clips=clips[0], sr_clips=clips[1])


def _say_estimate(found: Estimate, json: bool) -> None:
    from tinyvirat.common.plain import to_plain
    from tinyvirat.common.words import counted
    from tinyvirat.reproduce.estimate import duration

    if json:
        print(json_module.dumps(to_plain(found), indent=1))
        return
    for row in found.rows:
        print(row.line)
    runs = counted(found.trainings, "run")
    print(
        f"{runs} in all, those that rows share counted once: about "
        f"{duration(found.hours)} of training on one device ({found.basis}). Counted with "
        f"{found.clips[0]:,} training clips and {found.clips[1]:,} that give pairs; an iteration "
        "as three forward passes of what learns and one of what does not."
    )


def _say(text: str) -> None:
    say(f"reproduce: {text}")
