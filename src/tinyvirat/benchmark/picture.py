"""A report as a picture: how fast, beside what it costs and how near it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyvirat.benchmark.records import AS_PUBLISHED, PUBLISHED, Report, Speed
from tinyvirat.common.files import written_beside

SMALLEST_ERROR = 1e-8
"""What equals the float32 output exactly is drawn here: its axis has no zero."""

COLOURS = {
    PUBLISHED: "black",
    "torch": "tab:red",
    "compiled": "tab:orange",
    "onnx": "tab:blue",
    "openvino": "tab:green",
}
MARKERS = {"float32": "o", "bfloat16": "^", "int8": "s"}


def draw(report: Report, path: Path) -> bool:
    """Draws clips a second against GMAC, and against the error, as PNG.

    Returns:
        Whether there was anything to draw.
    """
    rows = [row for row in report.speeds if row.seconds_batched]
    if not rows:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (cost, error) = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    for row in rows:
        rate = 1.0 / (row.seconds_batched or 1.0)
        style = {
            "color": COLOURS.get(row.engine, "grey"),
            "marker": MARKERS.get(row.precision, "x"),
            "linestyle": "",
        }
        cost.plot(row.gmac, rate, label=_label(row), **style)
        if row.error is not None:
            error.plot(max(row.error, SMALLEST_ERROR), rate, **style)
    _name(rows, cost)
    for axis, label in ((cost, "GMAC a clip"), (error, "relative error of the output")):
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.margins(0.1)
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
    cost.set_ylabel("clips a second, at the best batch")
    handles, labels = cost.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique, loc="lower center", ncol=5, fontsize=8)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    plt.close(figure)
    return True


def _label(row: Speed) -> str:
    return AS_PUBLISHED if row.engine == PUBLISHED else f"{row.engine} {row.precision}"


def _name(rows: Sequence[Speed], axis: object) -> None:
    """Writes each network's name over its fastest row."""
    for name in dict.fromkeys(row.network for row in rows):
        best = min(
            (row for row in rows if row.network == name), key=lambda r: r.seconds_batched or 0.0
        )
        place = (best.gmac, 1.0 / (best.seconds_batched or 1.0))
        axis.annotate(  # type: ignore[attr-defined]  # Matplotlib's axes have no public type
            name, place, xytext=(0, 6), textcoords="offset points", fontsize=7, ha="center"
        )
