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
        key: what our rows are matched by.
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


_F1 = "F1-score"
_ACCURACY = "accuracy"

TABLE_2 = PaperTable(
    "Table II",
    "Video action classification on TinyVIRAT",
    _F1,
    (
        PaperRow("i3d", "I3D", None, 28.73),
        PaperRow("i3d-prog-dvsr", "I3D + Prog. DVSR", None, 32.55),
        PaperRow("i3d-prog-dvsr-att", "I3D + Prog. DVSR + Att.", None, 34.49),
        PaperRow("resnet50", "ResNet-50", None, 29.08),
        PaperRow("resnet50-prog-dvsr", "ResNet-50 + Prog. DVSR", None, 29.81),
        PaperRow("resnet50-prog-dvsr-att", "ResNet-50 + Prog. DVSR + Att.", None, 30.80),
        PaperRow("wideresnet50", "WideResNet", None, 32.66),
        PaperRow("wideresnet50-prog-dvsr", "WideResNet + Prog. DVSR", None, 34.05),
        PaperRow("wideresnet50-prog-dvsr-att", "WideResNet + Prog. DVSR + Attn.", None, 35.07),
    ),
)

TABLE_3 = PaperTable(
    "Table III",
    "Video action classification on HMDB-51",
    _ACCURACY,
    (
        PaperRow("i3d-112", "I3D", "112x112", 52.61),
        PaperRow("sosr", "SoSR [12]", "80x60", 54.77, cited=True),
        PaperRow("bicubic-14", "Bicubic - I3D", "14x14", 10.59),
        PaperRow("privacy-preserving-12x16", "Privacy-Preserv [19]", "12x16", 28.68, cited=True),
        PaperRow("fully-coupled-12x16", "F. Coupled [32]", "12x16", 39.15, cited=True),
        PaperRow("dvsr-14", "DVSR", "14x14", 41.24),
        PaperRow("prog-dvsr-14", "Prog. DVSR", "14x14", 41.63),
        PaperRow("bicubic-28", "Bicubic - I3D", "28x28", 46.97),
        PaperRow("privacy-preserving-24x32", "Privacy-Preserv [19]", "24x32", 32.15, cited=True),
        PaperRow("dvsr-28", "DVSR", "28x28", 53.66),
        PaperRow("prog-dvsr-28", "Prog. DVSR", "28x28", 55.95),
    ),
)

TABLE_4 = PaperTable(
    "Table IV",
    "Video action classification on UCF-101",
    _ACCURACY,
    (
        PaperRow("i3d-112", "I3D", "112x112", 84.72),
        PaperRow("sosr", "SoSR [12]", "80x60", 83.92, cited=True),
        PaperRow("bicubic-14", "Bicubic - I3D", "14x14", 14.14),
        PaperRow("dvsr-14", "DVSR", "14x14", 68.17),
        PaperRow("prog-dvsr-14", "Prog. DVSR", "14x14", 70.55),
        PaperRow("bicubic-28", "Bicubic - I3D", "28x28", 66.72),
        PaperRow("dvsr-28", "DVSR", "28x28", 82.37),
        PaperRow("prog-dvsr-28", "Prog. DVSR", "28x28", 82.87),
    ),
)

TABLE_5 = PaperTable(
    "Table V",
    "Ablation on TinyVIRAT, I3D",
    _F1,
    (
        PaperRow("without-dvsr", "w/o DVSR", None, 28.73),
        PaperRow("dvsr", "DVSR", None, 30.45),
        PaperRow("prog-dvsr", "Progressive DVSR", None, 32.55),
        PaperRow("prog-dvsr-att", "Progressive DVSR + Attention", None, 34.49),
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
        size: the input's height and width, likewise.
    """

    score: Interval | float | None
    method: str = ""
    size: str | None = None


def beside_paper(
    paper: PaperTable, ours: Mapping[str, OurRow], *, notes: tuple[str, ...] = ()
) -> Table:
    """Our scores beside the printed ones, the printed ones marked as the paper's.

    Args:
        paper: one of `PAPER_TABLES`.
        ours: our rows by key. Keys that the paper does not have come last, in their own order, with
            nothing in the paper's column.
        notes: what else to say below the table: data, protocol, which F1, seeds.

    Raises:
        ValueError: a row that the paper does not have is given no name.
    """
    printed_keys = {row.key for row in paper.rows}
    rows: list[tuple[str, str | None, Interval | float | None, float | None]] = []
    for row in paper.rows:
        own = ours.get(row.key)
        mark = " (cited)" if row.cited else ""
        rows.append((row.method + mark, row.size, own.score if own else None, row.percent / 100.0))
    for key, own in ours.items():
        if key in printed_keys:
            continue
        if not own.method:
            raise ValueError(f"the row {key!r} is not in {paper.name} of the paper and has no name")
        rows.append((own.method, own.size, own.score, None))
    columns: tuple[Column, ...] = (
        Column("method"),
        Column("input"),
        Column(f"ours: {paper.metric}, %", "percent"),
        Column(f"the paper's: {paper.metric}, %", "percent"),
    )
    if all(size is None for _, size, _, _ in rows):
        columns = (columns[0], *columns[2:])
        table_rows: tuple[tuple[Cell, ...], ...] = tuple((row[0], *row[2:]) for row in rows)
    else:
        table_rows = tuple(rows)
    said = [f"The last column is printed in {paper.name} of the paper; it was not measured here."]
    if any(row.cited for row in paper.rows):
        said.append("(cited): the paper takes this value from other work.")
    if paper.metric == _F1:
        said.append("The paper does not say which average its F1 is, nor at which threshold.")
    title = f"{paper.title} (after {paper.name})"
    return Table(title, columns, table_rows, (*said, *notes))
