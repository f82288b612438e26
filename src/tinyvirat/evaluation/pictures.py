"""Pictures of results, as PNG files written whole: what is confused, what is found, how surely.

Every function takes the file to write and returns it. The user's own matplotlib settings are left
aside, so that a picture looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyvirat.common.drawing import INK, PALE, SECOND, drawable, figure
from tinyvirat.evaluation.arrays import checked
from tinyvirat.evaluation.calibration import Reliability
from tinyvirat.evaluation.metrics import SingleLabel
from tinyvirat.evaluation.precision import average_precisions, curve

MOST_CURVES = 60
MOST_NUMBERED = 20


def confusion_picture(path: Path, result: SingleLabel) -> Path:
    """True classes down, predicted ones across; each row as shares of the true class's clips.

    With up to 20 classes every cell that is not empty says its number of clips.

    Args:
        path: the PNG file to write.
        result: what `metrics.single_label` gave.
    """
    clips_KK = np.array(result.confusion_KK, dtype=np.float64)
    shares_KK = clips_KK / np.maximum(clips_KK.sum(axis=1, keepdims=True), 1.0)
    count = len(result.classes)
    side = min(3.5 + 0.34 * count, 22.0)
    with figure(path, (side + 0.6, side)) as drawn:
        axes = drawn.subplots()
        image = axes.imshow(shares_KK, cmap="Blues", vmin=0.0, vmax=1.0, interpolation="nearest")
        names = [drawable(name) for name in result.classes]
        size = 9 if count <= 40 else 5
        axes.set_xticks(range(count), names, rotation=90, fontsize=size)
        axes.set_yticks(range(count), names, fontsize=size)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.set_title(f"top 1: {100 * result.top1:.1f} % of {result.clips} clips", fontsize=10)
        drawn.colorbar(image, ax=axes, fraction=0.04, label="share of the true class")
        if count <= MOST_NUMBERED:
            for row, column in np.argwhere(clips_KK > 0):
                colour = "white" if shares_KK[row, column] > 0.5 else "black"
                text = f"{clips_KK[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    return path


def precision_recall_picture(
    path: Path,
    logits_NK: npt.ArrayLike,
    targets_NK: npt.ArrayLike,
    classes: Sequence[str],
) -> Path:
    """One small precision-recall curve a class, the most frequent class first.

    The dashed line is the precision of answering yes always. Classes without positives have no
    curve and are left out; of more than 60 the most frequent are shown. The title says so.

    Args:
        path: the PNG file to write.
        logits_NK: scores.
        targets_NK: 0 or 1.
        classes: K names.

    Raises:
        ValueError, EvaluationError: as `arrays.checked`.
    """
    scored = checked(logits_NK, targets_NK, classes)
    positives_K = scored.targets_NK.sum(axis=0)
    precisions = average_precisions(scored.logits_NK, scored.targets_NK)
    order = [int(k) for k in np.argsort(-positives_K, kind="stable") if positives_K[k]]
    shown = order[:MOST_CURVES]
    columns = max(1, min(6, ceil(sqrt(len(shown)))))
    rows = max(1, ceil(len(shown) / columns))
    with figure(path, (0.6 + 1.9 * columns, 0.9 + 1.9 * rows)) as drawn:
        grid = drawn.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        for place, (axes, k) in enumerate(zip(grid.flat, shown, strict=False)):
            recall, precision = curve(scored.logits_NK[:, k], scored.targets_NK[:, k])
            axes.step(recall, precision, where="pre", color=INK, linewidth=1.4)
            base = positives_K[k] / len(scored.logits_NK)
            axes.axhline(base, color=PALE, linestyle="--", linewidth=1.0)
            axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02))
            found = f"AP {100 * (precisions[k] or 0.0):.0f} %, n = {positives_K[k]}"
            axes.set_title(f"{drawable(scored.classes[k])}\n{found}", fontsize=7)
            axes.tick_params(labelsize=7, labelbottom=place + columns >= len(shown))
        known = [value for value in precisions if value is not None]
        mean = f"mAP {100 * np.mean(known):.1f} %" if known else "no class has positives"
        title = f"{mean}; {len(shown)} of {len(precisions)} classes shown"
        drawn.suptitle(title, fontsize=10)
        drawn.supxlabel("recall", fontsize=9)
        drawn.supylabel("precision", fontsize=9)
    return path


def class_bars_picture(
    path: Path,
    classes: Sequence[str],
    values: Sequence[float | None],
    counts: Sequence[int],
    *,
    label: str,
    second: Sequence[float | None] | None = None,
    names: tuple[str, str] = ("first", "second"),
) -> Path:
    """One bar a class, the most frequent class on top, so that a long tail shows.

    Args:
        path: the PNG file to write.
        classes: K names.
        values: K shares from 0 to 1; None leaves the place empty.
        counts: how many clips each class has; shown behind its name.
        label: what the values are, such as `F1`.
        second: values of another system, drawn below the first.
        names: what the two systems are called.

    Raises:
        ValueError: sequences of different lengths.
    """
    series = [values] if second is None else [values, second]
    if not all(len(entries) == len(classes) for entries in (counts, *series)):
        raise ValueError(f"{len(classes)} classes need as many values and counts")
    order = sorted(range(len(classes)), key=lambda k: -counts[k])
    height = 0.8 / len(series)
    with figure(path, (7.0, 1.2 + 0.26 * len(classes))) as drawn:
        axes = drawn.subplots()
        for s, (entries, colour) in enumerate(zip(series, (INK, SECOND), strict=False)):
            places = [place + (s - (len(series) - 1) / 2) * height for place in range(len(order))]
            lengths = [entries[k] or 0.0 for k in order]
            axes.barh(places, lengths, height, color=colour, label=names[s])
            for place, k in zip(places, order, strict=True):
                entry = entries[k]
                text = " none" if entry is None else f" {100 * entry:.0f}"
                axes.text(entry or 0.0, place, text, va="center", fontsize=6)
        axes.set_yticks(
            range(len(order)), [f"{drawable(classes[k])}  ({counts[k]})" for k in order]
        )
        axes.tick_params(axis="y", labelsize=8)
        axes.invert_yaxis()
        axes.set(xlim=(0.0, 1.05), ylim=(len(order) - 0.4, -0.6), xlabel=label)
        if second is not None:
            drawn.legend(loc="outside lower center", ncols=2, fontsize=8)
    return path


def reliability_picture(
    path: Path, result: Reliability, *, title: str = "", before: Reliability | None = None
) -> Path:
    """What came true over what was promised, with the number of answers below.

    Args:
        path: the PNG file to write.
        result: what `calibration.reliability` gave.
        title: shown above.
        before: the same without a temperature, drawn beside it.
    """
    series = [(result, INK, "expected calibration error")]
    if before is not None:
        series = [
            (before, SECOND, "as the network answers, error"),
            (result, INK, "with the temperature, error"),
        ]
    with figure(path, (4.8, 5.6)) as drawn:
        upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot((0, 1), (0, 1), color=PALE, linestyle="--", label="as promised")
        for one, colour, words in series:
            filled = [b for b in one.bins if b.probability is not None and b.right is not None]
            upper.plot(
                [b.probability or 0.0 for b in filled],
                [b.right or 0.0 for b in filled],
                color=colour,
                marker="o",
                markersize=4,
                clip_on=False,
                zorder=3,
                label=f"{words} {100 * one.expected_error:.1f} %",
            )
        upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that came true")
        upper.legend(loc="best", fontsize=8)
        upper.set_title(drawable(title), fontsize=10)
        for one, colour, _ in reversed(series):
            lower.stairs(
                [b.answers for b in one.bins],
                [b.low for b in one.bins] + [one.bins[-1].high],
                color=colour,
                fill=one is result,
                linewidth=1.4,
            )
        lower.set_yscale("symlog", linthresh=1.0)
        lower.set(xlabel="probability", ylabel="answers")
    return path
