"""Tables in their three forms, and the paper's numbers beside ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.evaluation.breakdown import f1_by_size
from tinyvirat.evaluation.layouts import group_table, multi_label_tables, single_label_tables
from tinyvirat.evaluation.metrics import multi_label, single_label
from tinyvirat.evaluation.paper import PAPER_TABLES, OurRow, beside_paper
from tinyvirat.evaluation.significance import Interval
from tinyvirat.evaluation.tables import Column, Table, as_markdown, as_text, to_json

INTERVAL = Interval(0.3449, 0.312, 0.379, 0.95, 40, 2000, 0)
TABLE = Table(
    "A title",
    (
        Column("name"),
        Column("clips", "count"),
        Column("F1, %", "percent"),
        Column("dB", "number", 1),
    ),
    (("walk", 1200, INTERVAL, 31.25), ("a|b <i>\nc", 7, None, 9), ("only a point", 0, 0.5, None)),
    ("A note.",),
)


def test_text() -> None:
    assert as_text(TABLE) == (
        "A title\n"
        "\n"
        "name          clips                 F1, %    dB\n"
        "------------  -----  --------------------  ----\n"
        "walk           1200  34.49 [31.20, 37.90]  31.2\n"
        "a|b <i> c         7                     -   9.0\n"
        "only a point      0                 50.00     -\n"
        "\n"
        "A note.\n"
    )


def test_text_steers_no_terminal() -> None:
    table = Table("Of \x1b[2J", (Column("name"),), (("\x1b[31m.mp4",),), ("Of \x07.",))
    assert as_text(table) == "Of \\x1b[2J\n\nname\n------------\n\\x1b[31m.mp4\n\nOf \\x07.\n"


def test_markdown() -> None:
    assert as_markdown(TABLE) == (
        "**A title**\n"
        "\n"
        "| name | clips | F1, % | dB |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| walk | 1200 | 34.49 [31.20, 37.90] | 31.2 |\n"
        "| a\\|b &lt;i> c | 7 | - | 9.0 |\n"
        "| only a point | 0 | 50.00 | - |\n"
        "\n"
        "- A note.\n"
    )


def test_json_keeps_every_digit() -> None:
    data = json.loads(to_json(TABLE))
    assert data["rows"][0][2]["point"] == 0.3449
    assert data["columns"][2] == {
        "name": "F1, %",
        "kind": "percent",
        "decimals": 2,
        "signed": False,
    }
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(Table("", (Column("x", "number"),), ((float("nan"),),)))


def test_an_interval_of_one_source_is_a_point() -> None:
    alone = Interval(0.5, None, None, 0.95, 1, 2000, 0)
    assert as_text(Table("t", (Column("x", "percent"),), ((alone,),))).endswith("\n50.00\n")


def test_rows_need_a_cell_a_column() -> None:
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table("t", (Column("a"), Column("b")), (("x",),))


class TestBesideThePaper:
    def test_golden(self) -> None:
        ours = {
            "bicubic_14": OurRow(INTERVAL),
            "prog_dvsr_14": OurRow(0.5),
            "bicubic_trained_14": OurRow(0.4, "Bicubic - I3D, trained on low resolution", "14x14"),
        }
        text = as_markdown(beside_paper(PAPER_TABLES["table4"], ours, notes=("12 classes.",)))
        assert text == (
            "**Video action classification on UCF-101 (after Table IV)**\n"
            "\n"
            "| method | input | ours: accuracy, % | the paper's: accuracy, % |\n"
            "| --- | --- | ---: | ---: |\n"
            "| I3D | 112x112 | - | 84.72 |\n"
            "| SoSR [12] (cited) | 80x60 | - | 83.92 |\n"
            "| Bicubic - I3D | 14x14 | 34.49 [31.20, 37.90] | 14.14 |\n"
            "| DVSR | 14x14 | - | 68.17 |\n"
            "| Prog. DVSR | 14x14 | 50.00 | 70.55 |\n"
            "| Bicubic - I3D | 28x28 | - | 66.72 |\n"
            "| DVSR | 28x28 | - | 82.37 |\n"
            "| Prog. DVSR | 28x28 | - | 82.87 |\n"
            "| Bicubic - I3D, trained on low resolution | 14x14 | 40.00 | - |\n"
            "\n"
            "- The last column is printed in Table IV of the paper; it was not measured here.\n"
            "- (cited): the paper takes this value from other work.\n"
            "- 12 classes.\n"
        )

    def test_tables_without_a_size_have_no_such_column(self) -> None:
        table = beside_paper(PAPER_TABLES["table5"], {"dvsr": OurRow(0.2)})
        assert [c.name for c in table.columns][:2] == ["method", "ours: F1-score, %"]
        assert table.rows[1] == ("DVSR", 0.2, 0.3045)
        assert any("which average" in note for note in table.notes)
        assert not any("cited" in note for note in table.notes)

    def test_a_row_of_ours_needs_a_name(self) -> None:
        with pytest.raises(ValueError, match="'mine' is not in Table V"):
            beside_paper(PAPER_TABLES["table5"], {"mine": OurRow(0.2)})

    def test_keys_are_distinct(self) -> None:
        for paper in PAPER_TABLES.values():
            keys = [row.key for row in paper.rows]
            assert len(set(keys)) == len(keys)

    def test_every_constant_is_printed_in_the_paper(self, shared: Path) -> None:
        lines = (shared / "docs" / "paper.txt").read_text(encoding="utf-8").splitlines()
        for paper in PAPER_TABLES.values():
            heading = f"TABLE {paper.name.removeprefix('Table ')}"
            start = lines.index(heading)
            cells = [line.split("\t") for line in lines[start : start + 17] if "\t" in line][1:]
            printed = [(row[0], row[1:-1], float(row[-1].rstrip("%"))) for row in cells]
            expected = [
                (row.method, [row.size] if row.size else [], row.percent) for row in paper.rows
            ]
            assert printed[: len(expected)] == expected
            assert len(printed) == len(expected)


class TestLayouts:
    def test_single_label(self) -> None:
        result = single_label([[2, 1], [2, 1], [0, 1]], [[1, 0], [0, 1], [0, 1]], ("walk", "run"))
        summary, by_class = single_label_tables(result, {"top1": INTERVAL})
        assert summary.rows[0] == ("top 1", INTERVAL)
        assert "-" in as_text(summary).split("top 5")[1].splitlines()[0]
        assert summary.notes == (
            "[low, high]: 95 % of 2000 bootstrap draws over 40 sources, seed 0.",
        )
        assert by_class.rows == (("walk", 1, 1, 1.0), ("run", 2, 1, 0.5))

    def test_multi_label(self) -> None:
        result = multi_label([[2.0, -1.0], [0.3, -1.0]], [[1, 0], [0, 0]], ("walk", "run"), "ab")
        summary, by_class = multi_label_tables(result, {"macro": INTERVAL})
        assert [row[0] for row in summary.rows] == ["p = 0.5", "logit 0.5 (published code)"]
        assert summary.rows[0][1] is INTERVAL
        assert summary.rows[1][1] == 0.5  # the interval is not that of this threshold
        assert summary.rows[0][-1] == 1.0
        assert any(note.startswith("No clip has run") for note in summary.notes)
        assert any(note.startswith("1 clips have no label") for note in summary.notes)
        assert by_class.rows[0] == (
            "walk", 1, 2, 1, 0.5, 1.0, pytest.approx(2 / 3), 1.0, None, 1.0,
        )  # fmt: skip
        assert by_class.rows[1][-1] is None

    def test_groups(self) -> None:
        predicted = np.array([[True], [False]])
        groups = f1_by_size(predicted, [[1], [1]], ("walk",), [15, 100])
        text = as_text(group_table("by size", groups))
        assert "10-20 px" in text
        assert text.splitlines()[-1].split()[-4:] == ["0.00"] * 4
