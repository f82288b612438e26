"""A report as Markdown, between the marks of a page that is otherwise written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinyvirat.benchmark.records import (
    AS_PUBLISHED,
    PUBLISHED,
    BenchmarkError,
    Cost,
    Report,
    Speed,
    Timing,
)

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
NONE = ""
QUIET = 1.5
"""Processes that may run or wait beside the benchmark on a machine that counts as quiet."""


def between_marks(page: str, text: str, where: str) -> str:
    """The page with `text` between its marks.

    Raises:
        BenchmarkError: the marks are not there, or in the wrong order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"{where}: no lines {BEGIN} and {END}, between which results go")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def section(report: Report, picture: str | None = None) -> str:
    """All tables of a report.

    Args:
        report: what was measured.
        picture: where its picture is, as a link from the page.
    """
    parts = [_made(report), _peaks(report)]
    if report.speeds:
        parts.append("### Networks\n\n" + table(*speed_cells(report.speeds)))
        if picture is not None:
            parts.append(f"![Speed against error and cost]({picture})")
        parts.append(_limits(report))
    for part, title in TITLES.items():
        rows = [row for row in report.timings if row.part == part]
        if rows:
            parts.append(f"### {title}\n\n{table(*timing_cells(rows))}")
        if part == "training" and (limits := _training_limits(report, rows)):
            parts.append(limits)
    if report.costs:
        parts.append("### What it costs in accuracy\n\n" + table(*cost_cells(report.costs)))
    left_out = [f"- {_safe(keys)}: {_safe(why)}" for keys, why in reasons(report)]
    if left_out:
        parts.append("### What did not run\n\n" + "\n".join(left_out))
    return "\n\n".join(parts)


TITLES = {
    "training": "Training steps",
    "data": "Clips on their way to the network",
    "video": "A whole video",
    "start": "From cold",
}


def _made(report: Report) -> str:
    machine = report.machine
    libraries = ", ".join(f"{name} {version}" for name, version in machine.versions)
    threads = "one thread" if machine.threads == 1 else f"{machine.threads} threads"
    where = f", PyTorch on {machine.accelerator or machine.device}" * (machine.device != "cpu")
    lines = [
        f"Made by `{machine.command}` at commit {machine.commit},",
        f"{machine.time}, on {machine.processor}{where}, {threads} a process,",
        f"seed {machine.seed}, {libraries}; do not edit.",
    ]
    if machine.load > QUIET:
        lines.append(
            f"**The machine was busy** (load {machine.load:.1f} before it began): all absolute "
            "figures are too low, and ratios uncertain."
        )
    return "\n".join(lines)


def _peaks(report: Report) -> str:
    rows = [(p.precision, f"{p.best:.0f}", f"{p.median:.0f}") for p in report.peaks]
    head = ("matrix products", "best turn, GFLOP/s", "middle turn, GFLOP/s")
    return "### The machine\n\n" + table(head, rows)


Cells = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""The head of a table and its rows."""


def speed_cells(speeds: Sequence[Speed]) -> Cells:
    """The table of networks; what did not run is left out."""
    head = (
        "network",
        "engine",
        "precision",
        "GMAC",
        "M parameters",
        "clips/s, one",
        "clips/s, best",
        "at",
        "times published, one",
        "times published, best",
        "share of peak",
        "error",
        "PSNR, dB",
        "MB",
    )
    return head, [_speed(row) for row in speeds if row.reason is None]


def timing_cells(timings: Sequence[Timing]) -> Cells:
    """The table of everything else, likewise."""
    head = ("what", "how", "seconds", "for one", "times", "MB")
    return head, [
        (
            row.what,
            row.variant,
            _number(row.seconds, ".3g"),
            row.unit,
            _number(row.ratio, ".1f"),
            _number(row.memory_mb, ".0f"),
        )
        for row in timings
        if row.reason is None
    ]


def cost_cells(costs: Sequence[Cost]) -> Cells:
    """The table of accuracy, likewise."""
    head = ("model", "engine", "precision", "score", "%", "points gained", "other answers")
    return head, [
        (
            row.model,
            row.engine,
            row.precision,
            row.metric,
            _number(None if row.score is None else 100 * row.score, ".2f"),
            _gained(row),
            f"{row.other} of {row.clips}",
        )
        for row in costs
        if row.reason is None
    ]


def _gained(row: Cost) -> str:
    values = [None if v is None else f"{100 * v:+.2f}" for v in (row.gained, row.low, row.high)]
    point, low, high = values
    return f"{point or NONE}" if low is None or high is None else f"{point} [{low}, {high}]"


def _speed(row: Speed) -> tuple[str, ...]:
    published = AS_PUBLISHED if row.engine == PUBLISHED else row.engine
    return (
        row.network,
        published,
        row.precision,
        f"{row.gmac:.1f}",
        f"{row.parameters / 1e6:.1f}",
        _rate(row.seconds),
        _rate(row.seconds_batched),
        NONE if row.batch is None else str(row.batch),
        _number(row.ratio, ".1f"),
        _number(row.ratio_batched, ".1f"),
        NONE if row.share is None else f"{row.share:.0%}",
        _number(row.error, ".1e"),
        _number(row.psnr, ".1f"),
        _number(row.memory_mb, ".0f"),
    )


def _highest_rate(report: Report) -> tuple[str, float]:
    """The precision and GFLOP/s of what was fastest in a run; 0 where nothing was measured.

    That is a matrix product or a whole network, for engines that have better kernels than the
    matrix products were measured with.
    """
    rates = [(peak.precision, peak.best) for peak in report.peaks]
    rates += [
        (row.precision, 2.0 * row.gmac / row.seconds_batched)
        for row in report.speeds
        if row.seconds_batched
    ]
    return max(rates, key=lambda rate: rate[1], default=("", 0.0))


def _training_limits(report: Report, rows: Sequence[Timing]) -> str:
    """For every phase, how fast the operations of a step alone could be."""
    _, peak = _highest_rate(report)
    found = []
    for phase in dict.fromkeys(row.what for row in rows):
        mine = [row for row in rows if row.what == phase and row.seconds and row.gmac]
        if not peak or not mine or mine[0].variant != AS_PUBLISHED:
            continue
        published, best = mine[0].seconds or 0.0, min(row.seconds or 0.0 for row in mine)
        least = 2.0 * (mine[0].gmac or 0.0) / peak
        cells = (mine[0].gmac or 0.0, published, best, least, published / least, published / best)
        found.append((phase, *(f"{cell:.3g}" for cell in cells)))
    head = (
        "step of",
        "GMAC a clip",
        "as published, s",
        "best, s",
        "its operations at the peak, s",
        "so at most, times as published",
        "reached",
    )
    return table(head, found) if found else ""


def _limits(report: Report) -> str:
    """For every network, how fast its operations alone could be."""
    precision, peak = _highest_rate(report)
    if not peak:
        return ""
    ran = [row for row in report.speeds if row.seconds_batched]
    rows = []
    for network in dict.fromkeys(row.network for row in ran):
        mine = [row for row in ran if row.network == network and row.ratio_batched]
        if not mine:
            continue
        best = min(mine, key=lambda row: row.seconds_batched or 0.0)
        seconds = best.seconds_batched or 0.0
        published = seconds * (best.ratio_batched or 0.0)
        least = 2.0 * best.gmac / peak
        rows.append(
            (
                network,
                f"{best.published or network}, {published * 1e3:.0f}",
                f"{best.engine} {best.precision}, {seconds * 1e3:.0f}",
                f"{least * 1e3:.0f}",
                f"{published / least:.1f}",
                _number(best.ratio_batched, ".1f"),
            )
        )
    head = (
        "network",
        "as published, ms a clip",
        "best, ms",
        "its operations at the peak, ms",
        "so at most, times as published",
        "reached",
    )
    said = f"The peak is {peak:.0f} GFLOP/s, the highest rate of this run, in {precision}."
    return f"### The limit\n\n{said}\n\n{table(head, rows)}"


def reasons(report: Report) -> list[tuple[str, str]]:
    """What did not run, and why; those with one reason together."""
    why: dict[str, list[str]] = {}
    rows: tuple[Speed | Timing | Cost, ...] = (*report.speeds, *report.timings, *report.costs)
    for row in rows:
        if row.reason is not None:
            why.setdefault(row.reason, []).append(" ".join(row.key))
    return [("; ".join(keys), reason) for reason, keys in why.items()]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_safe, line)) + " |" for line in lines)


def _safe(text: str) -> str:
    """Text that ends neither its cell nor its line."""
    return " ".join(text.split()).replace("|", "\\|")


def _rate(seconds: float | None) -> str:
    return NONE if not seconds else f"{1 / seconds:.3g}"


def _number(value: float | None, form: str) -> str:
    return NONE if value is None else format(value, form)
