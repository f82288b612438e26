"""The numbers that the paper prints, and ours beside them.

Every value below is the paper's (Tables II to V), in per cent, never measured by this package. Rows
that the paper itself takes from other work are marked `cited`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinyvirat.evaluation.significance import Interval
from tinyvirat.evaluation.tables import Cell, Column, Table


@dataclass(frozen=True)
class PaperRow:
    """One printed row.

    Attributes:
        key: what our rows are matched by, and `tinyvirat reproduce` calls it.
        method: as printed.
        size: the input's height and width, as printed; None where the table has no such column.
        percent: the printed value.
        cited: whether the paper took it from other work.
    """

    key: str
    method: str
    size: str | None
    percent: float
    cited: bool = False


@dataclass(frozen=True)
class PaperTable:
    """One printed table."""

    name: str
    title: str
    metric: str
    rows: tuple[PaperRow, ...]


F1 = "F1-score"
ACCURACY = "accuracy"
"""The metrics of the tables, as the paper calls them."""

TABLE_2 = PaperTable(
    "Table II",
    "Video action classification on TinyVIRAT",
    F1,
    (
        PaperRow("i3d", "I3D", None, 28.73),
        PaperRow("i3d_prog_dvsr", "I3D + Prog. DVSR", None, 32.55),
        PaperRow("i3d_prog_dvsr_attention", "I3D + Prog. DVSR + Att.", None, 34.49),
        PaperRow("resnet50", "ResNet-50", None, 29.08),
        PaperRow("resnet50_prog_dvsr", "ResNet-50 + Prog. DVSR", None, 29.81),
        PaperRow("resnet50_prog_dvsr_attention", "ResNet-50 + Prog. DVSR + Att.", None, 30.80),
        PaperRow("wide_resnet50", "WideResNet", None, 32.66),
        PaperRow("wide_resnet50_prog_dvsr", "WideResNet + Prog. DVSR", None, 34.05),
        PaperRow(
            "wide_resnet50_prog_dvsr_attention", "WideResNet + Prog. DVSR + Attn.", None, 35.07
        ),
    ),
)

TABLE_3 = PaperTable(
    "Table III",
    "Video action classification on HMDB-51",
    ACCURACY,
    (
        PaperRow("i3d_112", "I3D", "112x112", 52.61),
        PaperRow("sosr", "SoSR [12]", "80x60", 54.77, cited=True),
        PaperRow("bicubic_14", "Bicubic - I3D", "14x14", 10.59),
        PaperRow("privacy_preserving_12x16", "Privacy-Preserv [19]", "12x16", 28.68, cited=True),
        PaperRow("fully_coupled_12x16", "F. Coupled [32]", "12x16", 39.15, cited=True),
        PaperRow("dvsr_14", "DVSR", "14x14", 41.24),
        PaperRow("prog_dvsr_14", "Prog. DVSR", "14x14", 41.63),
        PaperRow("bicubic_28", "Bicubic - I3D", "28x28", 46.97),
        PaperRow("privacy_preserving_24x32", "Privacy-Preserv [19]", "24x32", 32.15, cited=True),
        PaperRow("dvsr_28", "DVSR", "28x28", 53.66),
        PaperRow("prog_dvsr_28", "Prog. DVSR", "28x28", 55.95),
    ),
)

TABLE_4 = PaperTable(
    "Table IV",
    "Video action classification on UCF-101",
    ACCURACY,
    (
        PaperRow("i3d_112", "I3D", "112x112", 84.72),
        PaperRow("sosr", "SoSR [12]", "80x60", 83.92, cited=True),
        PaperRow("bicubic_14", "Bicubic - I3D", "14x14", 14.14),
        PaperRow("dvsr_14", "DVSR", "14x14", 68.17),
        PaperRow("prog_dvsr_14", "Prog. DVSR", "14x14", 70.55),
        PaperRow("bicubic_28", "Bicubic - I3D", "28x28", 66.72),
        PaperRow("dvsr_28", "DVSR", "28x28", 82.37),
        PaperRow("prog_dvsr_28", "Prog. DVSR", "28x28", 82.87),
    ),
)

TABLE_5 = PaperTable(
    "Table V",
    "Ablation on TinyVIRAT, I3D",
    F1,
    (
        PaperRow("without_dvsr", "w/o DVSR", None, 28.73),
        PaperRow("dvsr", "DVSR", None, 30.45),
        PaperRow("prog_dvsr", "Progressive DVSR", None, 32.55),
        PaperRow("prog_dvsr_attention", "Progressive DVSR + Attention", None, 34.49),
    ),
)

PAPER_TABLES: Mapping[str, PaperTable] = {
    "table2": TABLE_2,
    "table3": TABLE_3,
    "table4": TABLE_4,
    "table5": TABLE_5,
}


@dataclass(frozen=True)
class OurRow:
    """One measured row.

    Attributes:
        score: a share (0 to 1), with its interval or without; None for a row not run.
        method: what it is called; needed only where the paper has no such row.
        size: the input's height and width, likewise; where it is not that of the paper's row, the
            table says both.
        deviation: standard deviation of the score over seeds, a share; None for a single seed.
    """

    score: Interval | float | None
    method: str = ""
    size: str | None = None
    deviation: float | None = None


@dataclass(frozen=True)
class _Line:
    """A row of the table that is made: ours, the paper's, or both."""

    method: str
    size: str | None
    ours: OurRow | None
    paper: float | None


def beside_paper(
    paper: PaperTable, ours: Mapping[str, OurRow], *, notes: tuple[str, ...] = ()
) -> Table:
    """Our scores beside the printed ones, the printed ones marked as the paper's.

    Columns in which no row has anything are left out: the input, the deviation over seeds, and the
    paper's for a table that the paper does not have.

    Args:
        paper: one of `PAPER_TABLES`, or one without rows for a table of our own.
        ours: our rows by key. Keys that the paper does not have come last, in their own order, with
            nothing in the paper's column.
        notes: what else to say below the table: data, protocol, which F1, seeds.

    Raises:
        ValueError: a row that the paper does not have is given no name.
    """
    lines = _lines(paper, ours)
    shown: list[tuple[Column, list[Cell]]] = [(Column("method"), [one.method for one in lines])]
    if any(one.size is not None for one in lines):
        shown.append((Column("input"), [one.size for one in lines]))
    scores: list[Cell] = [one.ours.score if one.ours else None for one in lines]
    shown.append((Column(f"ours: {paper.metric}, %", "percent"), scores))
    deviations: list[Cell] = [one.ours.deviation if one.ours else None for one in lines]
    if any(cell is not None for cell in deviations):
        shown.append((Column("± over seeds, points", "percent"), deviations))
    if paper.rows:
        printed: list[Cell] = [one.paper for one in lines]
        shown.append((Column(f"the paper's: {paper.metric}, %", "percent"), printed))
    columns = tuple(column for column, _ in shown)
    rows = tuple(zip(*(cells for _, cells in shown), strict=True))
    title = f"{paper.title} (after {paper.name})" if paper.rows else paper.title
    return Table(title, columns, rows, (*_notes(paper), *notes))


def _lines(paper: PaperTable, ours: Mapping[str, OurRow]) -> list[_Line]:
    lines = []
    for row in paper.rows:
        own = ours.get(row.key)
        size = row.size
        if own is not None and size is not None and own.size not in (None, size):
            size = f"{size} (ours: {own.size})"
        method = f"{row.method} (cited)" if row.cited else row.method
        lines.append(_Line(method, size, own, row.percent / 100.0))
    printed = {row.key for row in paper.rows}
    for key, own in ours.items():
        if key in printed:
            continue
        if not own.method:
            raise ValueError(f"the row {key!r} is not in {paper.name} of the paper and has no name")
        lines.append(_Line(own.method, own.size, own, None))
    return lines


def _notes(paper: PaperTable) -> list[str]:
    if not paper.rows:
        return []
    said = [f"The last column is printed in {paper.name} of the paper; it was not measured here."]
    if any(row.cited for row in paper.rows):
        said.append("(cited): the paper takes this value from other work.")
    if paper.metric == F1:
        said.append("The paper does not say which average its F1 is, nor at which threshold.")
    return said
