"""`tinyvirat bench`: what it says, writes and ends with; the measuring itself is tested beside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tinyvirat.benchmark import run as run_module
from tinyvirat.benchmark.page import BEGIN, END
from tinyvirat.benchmark.records import Report, read_report, write_report
from tinyvirat.cli import main

from .test_report import REPORT

TWO = ("--threads", "2")
"""As many as in the report."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[run_module.Wanted]:
    """What would be measured; the report is always the same."""
    seen: list[run_module.Wanted] = []

    def run(wanted: run_module.Wanted) -> Report:
        seen.append(wanted)
        return REPORT

    monkeypatch.setattr(run_module, "run", run)
    return seen


def test_files_and_page(asked: list[run_module.Wanted], tmp_path: Path) -> None:
    page = tmp_path / "docs" / "performance.md"
    page.parent.mkdir()
    page.write_text(f"# Speed\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    out = tmp_path / "docs" / "performance"
    assert main(["bench", "--out", str(out), "--page", str(page)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["bench.json", "bench.md", "speed.png"]
    assert read_report(out / "bench.json") == REPORT
    text = page.read_text(encoding="utf-8")
    assert "(performance/speed.png)" in text
    assert "| net | torch | bfloat16 |" in text
    assert "(speed.png)" in (out / "bench.md").read_text(encoding="utf-8")


def test_a_page_without_marks_is_refused_before_anything_is_measured(
    asked: list[run_module.Wanted], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks", encoding="utf-8")
    assert main(["bench", "--out", str(tmp_path / "out"), "--page", str(page)]) == 1
    assert "page.md: no lines" in capsys.readouterr().err
    assert asked == []


def test_an_earlier_report_of_other_threads_is_refused_before_anything_is_measured(
    asked: list[run_module.Wanted], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(tmp_path / "bench.json", REPORT)
    words = ["--against", str(tmp_path / "bench.json"), "--threads", "1"]
    assert main(["bench", *words]) == 1
    assert "use --threads 2" in capsys.readouterr().err
    assert asked == []


def test_what_is_asked_for_is_measured(asked: list[run_module.Wanted]) -> None:
    words = ["--networks", "i3d-112", "x3d-s", "--engines", "onnx", "--threads", "3", "--seed", "7"]
    assert main(["bench", *words, "--training", "--start", "--paths"]) == 0
    (wanted,) = asked
    assert [one.name for one in wanted.subjects] == ["i3d-112", "x3d-s"]
    assert (wanted.how.engines, wanted.how.threads, wanted.how.seed) == (("onnx",), 3, 7)
    assert wanted.training and wanted.start and wanted.data
    assert main(["bench", "--quick", "--networks", "none"]) == 0
    assert asked[1].subjects == ()
    assert asked[1].how.pace.batches == (1,)


def test_json_on_standard_output(
    asked: list[run_module.Wanted], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["machine"]["threads"] == 2
    assert data["changes"] == []


def test_slower_than_before_ends_with_1(
    asked: list[run_module.Wanted], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only if it lost more than the tolerance."""
    then = tmp_path / "bench.json"
    faster = tuple(
        row
        if row.seconds_batched is None
        else replace(row, seconds_batched=row.seconds_batched / 2)
        for row in REPORT.speeds
    )
    write_report(then, replace(REPORT, speeds=faster))
    assert main(["bench", *TWO, "--against", str(then)]) == 1
    assert "net, torch, bfloat16: 0.50 times" in capsys.readouterr().out
    assert main(["bench", *TWO, "--against", str(then), "--tolerance", "0.6"]) == 0
    write_report(then, REPORT)
    assert main(["bench", *TWO, "--against", str(then)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--networks", "i4d"], "'i4d' is no network"),
        (["--page", "page.md"], "--page needs --out"),
        (["--video", "video.mp4"], "--model goes together with --video"),
        (["--tolerance", "1"], "--tolerance 1.0 is not a part"),
        (["--threads", "0"], "--threads 0 is not 1 to 1024"),
        (["--against", "nothing.json"], "nothing.json: there is no such file"),
        (["--networks", "./nothing"], "nothing"),
    ],
)
def test_mistakes_are_said_before_anything_is_measured(
    asked: list[run_module.Wanted],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    assert main(["bench", *words]) == 1
    assert message in capsys.readouterr().err
    assert asked == []
