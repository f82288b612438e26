"""Recipes by name: files of the package, rows of its tables, and both as the published code has it.

A row of a table is a recipe and what is changed in it (`rows.yml`), so that it has a name too:
`table4/prog_dvsr_14` is a file, `table4/end_to_end_14` a row, `as_published_code/table4/dvsr_14`
the published code's form of the file.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Literal

from tinyvirat.common.plain import PlainDataError, from_plain
from tinyvirat.common.strict_yaml import YamlError, parse
from tinyvirat.evaluation.paper import PAPER_TABLES, PaperTable
from tinyvirat.reproduce.changes import changed, in_order
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.training.recipe import Recipe, load_recipe

ROWS = "rows.yml"
FAMILIES = ("as_published_code",)
LARGEST = 1 << 16

Dataset = Literal["tinyvirat", "ucf101", "hmdb51"]
TestMap = Literal["none", "learnt", "random"]


@dataclass(frozen=True)
class RowText:
    """A row as `rows.yml` has it.

    Attributes:
        row: its name; a printed row has that of `tinyvirat.evaluation.paper`.
        method: what tables call it; a printed row is called as in the paper.
        recipe: which recipe it is; empty: that of its own name.
        set: what is changed in it, `KEY=VALUE` each.
        super_resolution: the recipe whose network is taken over, by a recipe without phase 1; `set`
            holds for it too.
        teacher: the row whose run teaches it, for a recipe that distils.
        test_size: side in pixels at which it is tested, where that is not what it was trained on.
        test_map: the attention map applied at test: `learnt`, or in a `random` place.
        against: the rows that it is compared with, clip by clip.
    """

    row: str
    method: str = ""
    recipe: str = ""
    set: tuple[str, ...] = ()
    super_resolution: str = ""
    teacher: str = ""
    test_size: int | None = None
    test_map: TestMap = "none"
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableText:
    """A table as its `rows.yml` has it.

    Attributes:
        classes: of its data set, for the count of operations.
        train: clips of its training split, for the dry run.
        test: clips of its test split.
        title: of a table that is not the paper's.
        metric: of a table that is not the paper's.
        dataset: how a folder becomes a manifest; None takes manifests only.
        rows: in order.
        rows_of: instead of `rows`: the table whose rows these are, on other data.
        notes: what a reader has to know.
    """

    classes: int
    train: int
    test: int
    title: str = ""
    metric: Literal["accuracy", "F1-score"] = "accuracy"
    dataset: Dataset | None = None
    rows: tuple[RowText, ...] = ()
    rows_of: str = ""
    notes: tuple[str, ...] = ()


def recipes_folder() -> Path:
    """The folder of the recipes that come with the package."""
    return Path(str(resources.files("tinyvirat.recipes")))


def recipe_files() -> dict[str, Path]:
    """Every recipe file of the package, by its name."""
    folder = recipes_folder()
    paths = sorted(folder.rglob("*.yaml"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def table_names() -> tuple[str, ...]:
    """The tables of the package."""
    return tuple(sorted(path.parent.name for path in recipes_folder().glob(f"*/{ROWS}")))


def table_file(name: str) -> Path:
    """The `rows.yml` of a table: one of the package by its name, or a `.yml` file.

    Raises:
        ReproduceError: no such table.
    """
    if name.endswith(".yml"):
        return Path(name)
    if name not in table_names():
        raise ReproduceError(
            f"the table {name!r} is not one of {', '.join(table_names())}{_guess(name)}, nor a "
            ".yml file of rows"
        )
    return recipes_folder() / name / ROWS


def _guess(name: str) -> str:
    near = difflib.get_close_matches(name, table_names(), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def paper_table(name: str, text: TableText) -> PaperTable:
    """What the paper prints of a table; of one that is not the paper's, no rows."""
    return PAPER_TABLES.get(name) or PaperTable("", text.title or name, text.metric, ())


def read_table(path: Path) -> TableText:
    """Reads a `rows.yml`; the rows of one that refers to another are that one's.

    Raises:
        ReproduceError: the file cannot be read, is not such a file, or names a row twice.
    """
    text = _read(path)
    if not isinstance(text, dict):
        raise ReproduceError(f"{path}: not a table: it needs classes, train, test and rows")
    try:
        table = from_plain(TableText, text, where=str(path))
    except PlainDataError as error:
        raise ReproduceError(str(error)) from error
    if bool(table.rows) == bool(table.rows_of):
        raise ReproduceError(f"{path}: either rows or rows_of is needed, and not both")
    names = [row.row for row in table.rows]
    twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
    if twice is not None:
        raise ReproduceError(f"{path}: the row {twice!r} is given twice")
    taught = {row.row: row.teacher for row in table.rows if row.teacher}
    for name, teacher in taught.items():
        if teacher not in names or teacher in taught:
            raise ReproduceError(
                f"{path}: row {name}: the teacher {teacher!r} is no row of the table that has no "
                "teacher itself"
            )
    return table


def rows_of(path: Path) -> tuple[Path, tuple[RowText, ...], tuple[str, ...]]:
    """The rows of a table, with the file that they stand in and all notes.

    Raises:
        ReproduceError: as `read_table`; the table that is referred to refers to another.
    """
    table = read_table(path)
    if not table.rows_of:
        return path, table.rows, table.notes
    home = table_file(table.rows_of)
    other = read_table(home)
    if not other.rows:
        raise ReproduceError(f"{path}: rows_of: {table.rows_of} has no rows of its own")
    return home, other.rows, (*table.notes, *other.notes)


def recipe_at(name: str, home: Path) -> Recipe:
    """The recipe that a row of the file `home` names: beside it, or `TABLE/NAME` of the package.

    Raises:
        ReproduceError: no such recipe.
        RecipeError: it is not a valid one.
    """
    if "/" not in name:
        return _loaded(home.parent / f"{name}.yaml")
    files = recipe_files()
    if name not in files:
        raise ReproduceError(f"{home}: there is no recipe {name!r} in the package")
    return _loaded(files[name])


@functools.cache
def _loaded(path: Path) -> Recipe:
    """A recipe; many rows begin with the same."""
    return load_recipe(path)


def row_recipe(row: RowText, home: Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of a row, with what the row changes in it, and what else is changed.

    A row that changes something is no longer the recipe that it began with, and has its own name.

    Raises:
        TinyviratError: no such recipe, or a change that does not fit it.
    """
    recipe = recipe_at(row.recipe or row.row, home)
    if row.set:
        recipe = replace(recipe, name=row.row.replace("_", "-"))
    return changed(recipe, row.row, in_order(row.set, changes))


def recipe_before(row: RowText, home: Path, changes: Sequence[str] = ()) -> Recipe | None:
    """The recipe whose super-resolution network a row takes over, changed likewise.

    Raises:
        TinyviratError: as `row_recipe`; nothing trains the row's super-resolution network.
    """
    if row.super_resolution:
        return changed(recipe_at(row.super_resolution, home), row.row, in_order(row.set, changes))
    recipe = recipe_at(row.recipe or row.row, home)
    if recipe.super_resolution is not None and recipe.phase1 is None:
        raise ReproduceError(
            f"{home}: row {row.row}: nothing trains its super-resolution network; name a recipe "
            "with phase1 under super_resolution"
        )
    return None


def family_changes(family: str) -> tuple[str, ...]:
    """What a family of recipes changes, `[ROWS:]KEY=VALUE` each; the paper's own changes nothing.

    Raises:
        ReproduceError: no such family.
    """
    if family == "paper":
        return ()
    if family not in FAMILIES:
        raise ReproduceError(f"the family {family!r} is not one of paper, {', '.join(FAMILIES)}")
    path = recipes_folder() / f"{family}.yml"
    lines = _read(path)
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ReproduceError(f"{path}: not a list of changes, KEY=VALUE each")
    return tuple(lines)


def named_recipe(name: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """A recipe by its name, or from a file.

    Args:
        name: a `.yaml` file; or a recipe of the package, or a row of one of its tables
            (`TABLE/ROW`), either with the name of a family before it.
        overrides: `key.key=value` each; they win over all else.

    Raises:
        ReproduceError: neither a file nor such a recipe.
        RecipeError: it is not a valid recipe, or an override does not fit it.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return load_recipe(Path(name), overrides)
    family = next((one for one in FAMILIES if name.startswith(f"{one}/")), "paper")
    rest = name.removeprefix(f"{family}/")
    recipe = _packaged(rest, name)
    recipe = changed(recipe, rest.rpartition("/")[2], family_changes(family))
    return changed(recipe, rest, overrides, every=True)


def _packaged(name: str, given: str) -> Recipe:
    files = recipe_files()
    if name in files:
        return load_recipe(files[name])
    table, _, key = name.rpartition("/")
    if table in table_names():
        home, rows, _ = rows_of(table_file(table))
        row = next((row for row in rows if row.row == key), None)
        if row is not None:
            return row_recipe(row, home)
        own = [one.row for one in rows]
        raise ReproduceError(f"{given}: {table} has no such row; it has {', '.join(own)}")
    raise ReproduceError(
        f"{given}: neither a .yaml file nor a recipe of this package; there are "
        f"{', '.join(sorted(files))}, and the rows of {', '.join(table_names())}"
    )


def _read(path: Path) -> object:
    try:
        if not path.is_file():
            raise ReproduceError(f"{path}: there is no such file")
        if path.stat().st_size > LARGEST:
            raise ReproduceError(f"{path}: larger than {LARGEST} bytes: not a file of rows")
        return parse(path.read_text(encoding="utf-8"), where=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ReproduceError(f"{path}: cannot be read: {error}") from error
    except YamlError as error:
        raise ReproduceError(str(error)) from error
