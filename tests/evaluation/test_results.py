"""The page of measured results: each figure is the one that a run's own file holds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyvirat.cli import main
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.prediction_file import read_predictions, write_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.results import results_page, with_section
from tinyvirat.evaluation.run_results import find_results, find_untested

SHA = "ab" * 32
QUALITY = {
    "super-resolved": {"psnr": 33.184, "ssim": 0.82154, "videos": 60},
    "bicubic": {"psnr": 32.58, "ssim": 0.8059, "videos": 60},
}


HOW = {"level": 0.95, "sources": 4, "resamples": 2000, "seed": 0}
"""How an interval was drawn."""


def write_run(
    folder: Path,
    *,
    name: str = "ut-high",
    seed: int = 0,
    time: str = "2026-11-22T10:59:05+00:00",
    score: str = "top1",
    side: int = 28,
    quality: Any = None,
    evaluation: str = "evaluation",
    **facts: Any,
) -> Path:
    """A run's folder with the files that the page reads."""
    data = {"manifest": "m.jsonl", "sha256": SHA, "train": 60, "val": 0}
    environment = {
        "command": f"/opt/bin/tinyvirat train {name} --data /home/me/set1.jsonl --out /home/me/x",
        "time": time,
        "commit": "0123456789ab",
        "torch": "2.13.0",
        "processor": "2 x Chip",
        "data": {"data": data, "sr_data": data},
    }
    summary = {
        "name": name,
        "seed": seed,
        "parameters": 12_294_000,
        "gmac": 7.04,
        "precision": "bf16",
        "phases": {
            "2-joint": {"steps": 50, "seconds": 100.4},
            "3-classifier": {"steps": 120, "seconds": 57.5},
        },
    }
    interval = {**HOW, "point": 0.7333, "low": 0.65, "high": 0.8}
    metrics = {"split": "test", "manifest_sha256": SHA, "intervals": {score: interval}}
    write(folder / "environment.json", [environment | {"commit": "an earlier"}, environment])
    write(folder / "summary.json", summary)
    write(folder / evaluation / "metrics.json", metrics)
    test = {
        "command": f"/opt/bin/tinyvirat evaluate /home/me/{folder.name}",
        "commit": "ba9876543210",
    }
    seen = {"input_sizes": [side], "quality": quality, "environment": test, **facts}
    write(folder / evaluation / "evaluation.json", seen)
    return folder


def write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def change(path: Path, **values: Any) -> None:
    """Replaces values of a JSON object; None takes a key away."""
    data = json.loads(path.read_text(encoding="utf-8"))
    last = data[-1] if isinstance(data, list) else data
    last |= values
    for key in [key for key, value in values.items() if value is None]:
        del last[key]
    write(path, data)


def test_golden(tmp_path: Path) -> None:
    write_run(tmp_path / "way" / "high", side=112)
    later = "2026-11-22T11:59:05+00:00"
    write_run(tmp_path / "way" / "prog", name="ut-prog", time=later, quality=QUALITY)
    assert results_page(tmp_path, "A title", "What it says.\n") == (
        "## A title\n"
        "\n"
        "What it says.\n"
        "\n"
        "### way\n"
        "\n"
        "**Scores**\n"
        "\n"
        "| run | top 1, % | PSNR, dB | SSIM |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| ut-high | 73.3 [65.0, 80.0] | - | - |\n"
        "| ut-prog | 73.3 [65.0, 80.0] | 33.18 | 0.8215 |\n"
        "\n"
        "- [low, high]: 95 % bootstrap intervals over source videos.\n"
        "- Bicubic enlargement of 28 px: PSNR 32.58 dB, SSIM 0.8059, 60 clips.\n"
        "\n"
        "**Costs**\n"
        "\n"
        "| run | input | parameters, M | GMAC a window | iterations by phase | training, s "
        "| seed |\n"
        "| --- | --- | ---: | ---: | --- | ---: | --- |\n"
        "| ut-high | 112 px | 12.29 | 7.0 | 2-joint: 50, 3-classifier: 120 | 158 | 0 |\n"
        "| ut-prog | 28 px | 12.29 | 7.0 | 2-joint: 50, 3-classifier: 120 | 158 | 0 |\n"
        "\n"
        "- Training is the time of its iterations: without loading clips, validation and "
        "checkpoints.\n"
        "\n"
        "### How each number was made\n"
        "\n"
        "- **way/high** (ut-high, seed 0): `tinyvirat train ut-high --data set1.jsonl --out x`; "
        "commit an earlier, then 0123456789ab, torch 2.13.0, 2 x Chip, bf16, "
        "2026-11-22T10:59:05+00:00; data SHA-256 abababababab, 60 training clips\n"
        "  - `tinyvirat evaluate high`; commit ba9876543210; split test\n"
        "- **way/prog** (ut-prog, seed 0): `tinyvirat train ut-prog --data set1.jsonl --out x`; "
        "commit an earlier, then 0123456789ab, torch 2.13.0, 2 x Chip, bf16, "
        "2026-11-22T11:59:05+00:00; data SHA-256 abababababab, 60 training clips\n"
        "  - `tinyvirat evaluate prog`; commit ba9876543210; split test\n"
    )


def test_runs_stand_in_the_order_in_which_they_were_trained(tmp_path: Path) -> None:
    write_run(tmp_path / "a", name="late", time="2026-11-22T12:00:00+00:00")
    write_run(tmp_path / "b", name="early", time="2026-11-22T09:00:00+00:00")
    assert [one.name for one in find_results(tmp_path)] == ["early", "late"]


def test_seeds_stand_together(tmp_path: Path) -> None:
    """Whenever each was trained."""
    for hour, name, seed in ((9, "a", 1), (10, "b", 0), (11, "a", 0), (12, "b", 1)):
        write_run(
            tmp_path / f"{name}{seed}", name=name, seed=seed, time=f"2026-11-22T{hour:02}:00:00"
        )
    names = [one.name for one in find_results(tmp_path)]
    assert names == ["a, seed 0", "a, seed 1", "b, seed 0", "b, seed 1"]


def test_a_network_that_others_took_over_has_its_cost_and_its_command(tmp_path: Path) -> None:
    write_run(tmp_path / "x" / "row")
    run = write_run(tmp_path / "x" / "sr", name="sr")
    shutil.rmtree(run / "evaluation")
    assert find_untested(tmp_path) == [], "it has not ended"
    change(run / "summary.json", complete=True)
    (found,) = find_untested(tmp_path)
    assert (found.name, found.group, found.folder) == ("sr", "x", run)
    page = results_page(tmp_path, "T")
    assert len(rows_of(page, "Scores")) == 1
    assert rows_of(page, "Costs")[0].startswith("| sr | - | 12.29 | 7.0 |")
    assert "- **x/sr** (sr, seed 0): `tinyvirat train sr " in page


def test_a_folder_of_runs_is_a_table(tmp_path: Path) -> None:
    write_run(tmp_path / "side14" / "high", name="h")
    write_run(tmp_path / "side28" / "high", name="h")
    page = results_page(tmp_path, "t")
    assert page.index("### side14") < page.index("### side28")
    assert page.count("**Scores**") == 2


def test_an_evaluation_at_another_size_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "high", side=112)
    write_run(run, side=14, evaluation="evaluation_at_14")
    assert [one.name for one in find_results(tmp_path)] == ["ut-high", "ut-high, tested at 14 px"]


def test_an_evaluation_of_another_kind_says_what_it_is(tmp_path: Path) -> None:
    run = write_run(tmp_path / "att")
    write_run(run, evaluation="evaluation_map_random", tested="a random map applied")
    names = [one.name for one in find_results(tmp_path)]
    assert names == ["ut-high", "ut-high, a random map applied"]


def test_seeds_of_one_recipe_are_told_apart(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"x{seed}", seed=seed)
    write_run(tmp_path / "y", name="other", seed=5)
    names = {one.name for one in find_results(tmp_path)}
    assert names == {"ut-high, seed 0", "ut-high, seed 1", "other"}


def test_bicubic_enlargement_is_that_of_each_input(tmp_path: Path) -> None:
    small = {name: dict(one, psnr=25.0) for name, one in QUALITY.items()}
    write_run(tmp_path / "a", side=14, quality=small)
    write_run(tmp_path / "b", side=28, quality=QUALITY)
    page = results_page(tmp_path, "t")
    assert "Bicubic enlargement of 14 px: PSNR 25.00 dB" in page
    assert "Bicubic enlargement of 28 px: PSNR 32.58 dB" in page


def test_scores_of_many_labels_have_their_own_columns(tmp_path: Path) -> None:
    write_run(tmp_path / "a", score="macro")
    write_run(tmp_path / "b", name="b", score="mean_average_precision")
    page = results_page(tmp_path, "t")
    assert "| run | macro F1 at p = 0.5, % | mAP, % |" in page
    assert "| ut-high | 73.3 [65.0, 80.0] | - |" in page


def test_a_single_source_has_no_interval(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    alone = {"top1": {**HOW, "point": 0.5, "low": None, "high": None}}
    change(run / "evaluation" / "metrics.json", intervals=alone)
    assert "| ut-high | 50.0 |" in results_page(tmp_path, "t")


def test_no_folder_of_this_machine_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    page = results_page(tmp_path, "t")
    assert "/home/me" not in page and "/opt" not in page


def test_a_run_that_was_not_evaluated_is_not_there(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    shutil.rmtree(run / "evaluation")
    with pytest.raises(EvaluationError, match="no run in it has a folder evaluation"):
        find_results(tmp_path)


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("summary.json", {"phases": None}, "summary.json: 'phases' is missing"),
        ("summary.json", {"phases": {"1": {"steps": 3}}}, "summary.json: 'seconds' is missing"),
        ("summary.json", {"phases": [3]}, "summary.json: 'steps' is missing"),
        ("environment.json", {"commit": None}, "environment.json: 'commit' is missing"),
        ("environment.json", {"torch": None}, "environment.json: 'torch' is missing"),
        (
            "evaluation/evaluation.json",
            {"environment": {"commit": "x"}},
            "evaluation.json: 'command' is missing",
        ),
        ("environment.json", {"data": {}}, "environment.json: 'data' is missing"),
        ("environment.json", {"data": {"data": {}}}, "environment.json: 'sha256' is missing"),
        ("evaluation/metrics.json", {"intervals": None}, "metrics.json: 'intervals' is missing"),
        ("evaluation/metrics.json", {"manifest_sha256": None}, "'manifest_sha256' is missing"),
        (
            "evaluation/metrics.json",
            {"intervals": {"top1": {"point": 0.5}}},
            "metrics.json: 'low' is missing",
        ),
        ("evaluation/evaluation.json", {"input_sizes": None}, "'input_sizes' is missing"),
        (
            "evaluation/evaluation.json",
            {"quality": {"bicubic": {"psnr": 3.0}}},
            "evaluation.json: 'ssim' is missing",
        ),
    ],
)
def test_a_file_that_lacks_something_is_named(
    tmp_path: Path, file: str, values: dict[str, Any], message: str
) -> None:
    change(write_run(tmp_path / "a") / file, **values)
    with pytest.raises(EvaluationError, match=message):
        results_page(tmp_path, "t")


@pytest.mark.parametrize(
    "file",
    ["summary.json", "environment.json", "evaluation/metrics.json", "evaluation/evaluation.json"],
)
@pytest.mark.parametrize("text", ["{", "[]", "3", "\xff", '{"a": 1}'])
def test_a_damaged_file_is_an_error(tmp_path: Path, file: str, text: str) -> None:
    (write_run(tmp_path / "a") / file).write_bytes(text.encode("latin-1"))
    with pytest.raises(EvaluationError, match=Path(file).name):
        results_page(tmp_path, "t")


def answers(folder: Path, right: list[bool], ids: str = "abcdef") -> None:
    """What a run answered for six clips of three videos."""
    right_N = np.array(right)
    logits_NK = np.stack([right_N, ~right_N], axis=1).astype(float)
    targets_NK = np.tile([True, False], (len(right), 1))
    write_predictions(
        folder / "evaluation" / "predictions.jsonl",
        Predictions(
            ids=tuple(ids),
            sources=tuple(f"video {sorted(ids).index(clip) // 2}" for clip in ids),
            sizes_N2=np.full((len(right), 2), 28),
            logits_NK=logits_NK,
            targets_NK=targets_NK,
            classes=("run", "walk"),
            multi_label=False,
            split="test",
            manifest_sha256=SHA,
            model="m",
        ),
    )


def test_runs_are_compared_pair_by_pair(tmp_path: Path) -> None:
    answers(write_run(tmp_path / "a" / "bicubic", name="bicubic"), [True, False] * 3)
    # The same clips in another order: the one that "a" gets wrong in each video is right here.
    answers(write_run(tmp_path / "b" / "better", name="better"), [True] * 6, ids="fedcba")
    page = results_page(tmp_path, "T", against=["bicubic"])
    assert "Gained over bicubic" in page
    (row,) = [line for line in page.splitlines() if line.startswith("| better | +")]
    assert row.startswith("| better | +50.0 [+50.0, +50.0] | 0.0")
    with pytest.raises(EvaluationError, match="no run is called 'none'; there are bicubic, better"):
        results_page(tmp_path, "T", against=["none"])


def test_runs_on_other_clips_are_not_compared(tmp_path: Path) -> None:
    answers(write_run(tmp_path / "a" / "bicubic", name="bicubic"), [True, False] * 3)
    answers(write_run(tmp_path / "b" / "other", name="other"), [True] * 6, ids="uvwxyz")
    with pytest.raises(EvaluationError, match="of other clips"):
        results_page(tmp_path, "T", against=["bicubic"])


def test_what_counts_is_the_clips_that_a_run_was_scored_on(tmp_path: Path) -> None:
    half, other = [True, False] * 3, {"data": {"data": {"sha256": "cd" * 32, "train": 9}}}
    answers(write_run(tmp_path / "a" / "low", name="low"), half)
    answers(write_run(tmp_path / "b" / "elsewhere", name="trained elsewhere"), half)
    change(tmp_path / "b" / "elsewhere" / "environment.json", **other)
    for group in "ab":  # they learnt from the same clips, and were scored on others
        answers(write_run(tmp_path / group / "far", name=f"far {group}"), half, ids="uvwxyz")
        change(tmp_path / group / "far" / "evaluation" / "metrics.json", manifest_sha256="cd" * 32)
    rows = rows_of(results_page(tmp_path, "T", against=["low"]), "Gained over low")
    assert [row.split("|")[1] for row in rows] == [" trained elsewhere "]


def test_other_labels_under_the_same_names_are_refused(tmp_path: Path) -> None:
    answers(write_run(tmp_path / "low", name="low"), [True] * 6)
    answers(write_run(tmp_path / "other", name="other"), [True] * 6)
    file = tmp_path / "other" / "evaluation" / "predictions.jsonl"
    wrong = read_predictions(file)
    write_predictions(file, replace(wrong, targets_NK=~wrong.known_targets()))
    with pytest.raises(EvaluationError, match="with other labels or sources"):
        results_page(tmp_path, "T", against=["low"])


def rows_of(page: str, table: str) -> list[str]:
    """The lines of a table of a page, without its head."""
    lines = page.split(f"**{table}**\n\n")[1].split("\n\n")[0].splitlines()
    return lines[2:]


def test_seeds_are_averaged_and_compared_seed_by_seed(tmp_path: Path) -> None:
    right = {0: [True, False] * 3, 1: [True] * 6}
    for seed, found in right.items():
        answers(write_run(tmp_path / "a" / f"low{seed}", name="low", seed=seed), found)
    answers(write_run(tmp_path / "a" / "one", name="one", seed=1), [True, False] * 3)
    page = results_page(tmp_path, "T", against=["low"])
    assert rows_of(page, "Mean over seeds") == ["| low | 75.0 [75.0, 75.0] | 35.4 | 0, 1 |"]
    (row,) = rows_of(page, "Gained over low")
    assert row.startswith("| one | -50.0 [-50.0, -50.0] |") and row.endswith("| 1 |")


def test_rows_without_a_seed_in_common_are_not_compared(tmp_path: Path) -> None:
    answers(write_run(tmp_path / "a" / "low", name="low"), [True, False] * 3)
    answers(write_run(tmp_path / "a" / "one", name="one", seed=1), [True] * 6)
    with pytest.raises(
        EvaluationError, match=r"one and low have no seed in common: \[1\] and \[0\]"
    ):
        results_page(tmp_path, "T", against=["low"])


def test_each_group_is_compared_with_its_own_row(tmp_path: Path) -> None:
    half, whole = [True, False] * 3, [True] * 6
    for group, low, high in (("side14", half, whole), ("side28", whole, half)):
        answers(write_run(tmp_path / group / "low", name="low"), low)
        answers(write_run(tmp_path / group / "high", name="high"), high)
    answers(write_run(tmp_path / "all" / "best", name="best", side=112), whole)
    # At a size that is neither theirs nor its own it is not compared: it has no answers to read.
    write_run(tmp_path / "all" / "best", name="best", side=14, evaluation="evaluation_at_14")
    page = results_page(tmp_path, "T", against=["low"])
    for group, gained in (("side14", ("+50.0", "+50.0")), ("side28", ("-50.0", "+0.0"))):
        rows = rows_of(page.split(f"### {group}")[1], "Gained over low")
        assert [row.split("|")[1:3] for row in rows] == [
            [f" {name} ", f" {one} [{one}, {one}] "]
            for name, one in zip(("high", "best"), gained, strict=True)
        ]
    assert "Gained over" not in page.split("### all")[1].split("###")[0]


def test_a_second_baseline_is_a_second_table(tmp_path: Path) -> None:
    half, whole = [True, False] * 3, [True] * 6
    for group, names in (("side14", ("low", "wide", "thin")), ("side28", ("low", "thin"))):
        for name in names:
            answers(write_run(tmp_path / group / name, name=name), half if name == "low" else whole)
    page = results_page(tmp_path, "T", against=["low", "wide"])
    side14, side28 = page.split("### side28")
    assert [row.split("|")[1:3] for row in rows_of(side14, "Gained over wide")] == [
        [" low ", " -50.0 [-50.0, -50.0] "],
        [" thin ", " +0.0 [+0.0, +0.0] "],
    ]
    assert "Gained over low" in side28 and "Gained over wide" not in side28


def test_runs_of_one_name_and_seed_are_told_by_their_folders(tmp_path: Path) -> None:
    for folder in "ab":
        write_run(tmp_path / folder)
    assert {one.name for one in find_results(tmp_path)} == {"ut-high (a)", "ut-high (b)"}


def test_a_page_keeps_its_other_sections() -> None:
    first, second = "## One\n\n### a\n\ntext\n", "## Two\n\nmore\n"
    page = with_section(with_section("", first), second)
    assert page.startswith("# Measured results\n\n") and page.count("\n## ") == 2
    assert with_section(page, second) == page
    changed = with_section(page, "## One\n\nother\n")
    assert "### a" not in changed and changed.index("other") < changed.index("## Two")
    with pytest.raises(EvaluationError, match="was not made by this"):
        with_section("# My own page\n\nimportant\n\n## One\n", first)


def test_notes_have_no_sections_of_their_own(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    assert "### Part" in results_page(tmp_path, "T", "text\n### Part\n")
    with pytest.raises(EvaluationError, match=r"the heading '## Part'.*use ###"):
        results_page(tmp_path, "T", "text\n## Part\n")


def test_a_page_or_notes_that_cannot_be_read_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "runs" / "a")
    page, words = tmp_path / "page.md", ["results", str(tmp_path / "runs"), "--out"]
    assert main([*words, str(page), "--notes", str(tmp_path / "none.md")]) == 1
    assert "none.md: cannot be read" in capsys.readouterr().err
    page.write_text("# My own page\n", encoding="utf-8")
    assert main([*words, str(page)]) == 1
    assert "page.md: the page does not begin with" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "# My own page\n"
