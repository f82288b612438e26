"""Recipes by name, and files of rows that are not what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.named import (
    family_changes,
    named_recipe,
    read_table,
    recipe_files,
    recipes_folder,
    rows_of,
    table_file,
    table_names,
)
from tinyvirat.training.recipe import RecipeError, load_recipe

TABLE = "classes: 3\ntrain: 5\ntest: 2\n"


def test_a_recipe_of_the_package_is_its_file() -> None:
    file = recipes_folder() / "table4" / "prog_dvsr_14.yaml"
    assert named_recipe("table4/prog_dvsr_14") == load_recipe(file)


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    file = recipes_folder() / "table4" / "i3d_112.yaml"
    copy = tmp_path / "mine.yaml"
    copy.write_bytes(file.read_bytes())
    assert named_recipe(str(copy), ("seed=3",)).seed == 3
    with pytest.raises(RecipeError, match="no such file"):
        named_recipe("nowhere.yaml")


def test_a_row_without_a_file_is_what_it_changes_in_another() -> None:
    row, other = named_recipe("table4/end_to_end_14"), named_recipe("table4/prog_dvsr_14")
    assert row.phase1 is not None and other.phase1 is not None
    assert (row.phase1.epochs, row.phase1.batch) == ((500.0,), (24,))
    assert sum(other.phase1.epochs) == sum(row.phase1.epochs)  # the data is seen as often
    assert row.super_resolution == other.super_resolution
    assert row.phase3 == other.phase3


def test_a_row_of_a_table_with_the_rows_of_another() -> None:
    assert named_recipe("table3/prog_dvsr_28") == named_recipe("table4/prog_dvsr_28")


def test_overrides_win_and_make_what_is_missing() -> None:
    recipe = named_recipe("table4/i3d_112", ("phase3.batch=7", "super_resolution.network=dvsr",
        "clips.size=14", "phase3.freeze_generator=false"))  # fmt: skip
    assert recipe.phase3 is not None and recipe.phase3.batch == 7
    assert recipe.super_resolution is not None


def test_a_family_changes_what_it_names_and_nothing_else() -> None:
    paper = named_recipe("table4/prog_dvsr_attention_14")
    code = named_recipe("as_published_code/table4/prog_dvsr_attention_14")
    assert paper.phase2 is not None and code.phase2 is not None
    assert (paper.phase2.lambda_rec, paper.phase2.lambda_att) == (1.0, 0.5)
    assert (code.phase2.lambda_rec, code.phase2.lambda_att) == (1.0, 0.5)
    assert (paper.phase2.lambda_sparsity, code.phase2.lambda_sparsity) == (0.5, 0.001)
    assert (code.phase2.classifier_on, code.phase2.mask_to_grey) == ("plain", True)
    assert code.phase2.video_learns_from_att is False
    assert code.phase2.optimizer.weight_decay == 5e-5
    assert code.phase2.optimizer.betas == (0.5, 0.9)
    assert code.phase2.classifier_optimizer.betas == (0.9, 0.999)
    assert code.phase1 is not None and code.phase1.fade.epochs == 2.0
    assert code.phase3 is not None and code.phase3.optimizer.betas == (0.9, 0.999)
    assert (code.super_resolution, code.clips) == (paper.super_resolution, paper.clips)


def test_the_published_joint_training_without_a_map_weighs_reconstruction_a_hundredfold() -> None:
    code = named_recipe("as_published_code/table4/prog_dvsr_joint_28").phase2
    assert code is not None
    assert (code.attention, code.lambda_rec, code.lambda_att) == (False, 100.0, 1.0)
    assert (code.classifier_on, code.video_learns_from_att) == ("masked", True)
    assert code.optimizer.weight_decay == 0.0


def test_a_family_leaves_alone_what_a_row_does_not_have() -> None:
    code = named_recipe("as_published_code/table4/i3d_112")
    assert (code.phase1, code.phase2) == (None, None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ut_interaction", "neither a .yaml file nor a recipe .*ut_interaction/high"),
        ("table4/prog_dvsr_15", "table4 has no such row; it has i3d_112, .*prog_dvsr_14"),
        ("as_published_code/table9/x", "as_published_code/table9/x: neither"),
        ("../table4/i3d_112", "neither"),
        ("", "neither"),
    ],
)
def test_an_unknown_name_says_what_there_is(name: str, message: str) -> None:
    with pytest.raises(ReproduceError, match=message):
        named_recipe(name)


@pytest.mark.parametrize("table", table_names())
def test_every_file_of_a_tables_folder_serves_a_row(table: str) -> None:
    home, rows, _ = rows_of(table_file(table))
    used = {row.recipe or row.row for row in rows} | {row.super_resolution for row in rows}
    own = {path.stem for path in table_file(table).parent.glob("*.yaml")}
    # Table V uses those of Table II, and the demo has no table.
    assert own <= {name.rpartition("/")[2] for name in used} or home != table_file(table)


def test_the_tables_are_all_there() -> None:
    tables = {"table2", "table3", "table4", "table5", "ucf101_12", "ut_interaction"}
    assert tables <= set(table_names())
    assert table_file("table3").is_file()
    with pytest.raises(ReproduceError, match=r"'tabel4' is not one of .*did you mean table4"):
        table_file("tabel4")


def test_a_file_of_rows_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(TABLE + "rows: [{row: a, recipe: table4/i3d_112}]\n", encoding="utf-8")
    home, rows, _ = rows_of(table_file(str(path)))
    assert (home, rows[0].recipe) == (path, "table4/i3d_112")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "not a table"),
        ("", "not a table"),
        (TABLE, "either rows or rows_of"),
        (TABLE + "rows: [{row: a}]\nrows_of: table4\n", "either rows or rows_of"),
        (TABLE + "rows: [{row: a}, {row: a}]\n", "the row 'a' is given twice"),
        (TABLE + "rows: [{row: a, teacher: b}]\n", "row a: the teacher 'b' is no row"),
        (TABLE + "rows: [{row: a, teacher: a}]\n", "row a: the teacher 'a' is no row"),
        (TABLE + "rows: [{rwo: a}]\n", "'rwo' is not one of row"),
        (TABLE + "rows: [{row: a, test_map: other}]\n", "'other' is not one of none, learnt"),
        (TABLE + "rows: [{row: a, set: x=1}]\n", "set: 'x=1' is not a list"),
        (TABLE + "dataset: ucf\nrows: [{row: a}]\n", "'ucf' is not one of"),
        ("classes: x\ntrain: 5\ntest: 2\nrows: [{row: a}]\n", "classes: 'x' is no int"),
        ("train: 5\ntest: 2\nrows: [{row: a}]\n", "'classes' is missing"),
        ("a: *b\n", "aliases"),
        ("a: [\n", "not YAML"),
        ("a: " + "x" * 70_000, "larger than"),
    ],
)
def test_a_wrong_file_of_rows_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReproduceError, match=message) as told:
        read_table(path)
    assert str(path) in str(told.value)


def test_rows_of_a_table_that_has_none_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "rows.yml"
    path.write_text(TABLE + "rows_of: table3\n", encoding="utf-8")
    with pytest.raises(ReproduceError, match="table3 has no rows of its own"):
        rows_of(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ReproduceError, match="cannot be read"):
        rows_of(path)
    with pytest.raises(ReproduceError, match="no such file"):
        rows_of(tmp_path / "other.yml")


def test_the_families() -> None:
    assert family_changes("paper") == ()
    assert "phase1.fade.epochs=2" in family_changes("as_published_code")
    with pytest.raises(ReproduceError, match="'code' is not one of paper, as_published_code"):
        family_changes("code")


def test_no_recipe_is_a_network_of_another_width_than_the_published() -> None:
    for name in recipe_files():
        if name.startswith("table"):
            config = named_recipe(name).super_resolution
            if isinstance(config, ProgressiveDVSRConfig):
                assert (config.channels, config.growth) == (32, 32)
