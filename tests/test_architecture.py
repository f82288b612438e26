"""The rules of the house, held to the source itself: what may import what, and how modules look."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
SOURCE = REPOSITORY / "src"
FILES = sorted((SOURCE / "tinyvirat").rglob("*.py"))
LONGEST = 500

BOTTOM = {"common"}
DATA = BOTTOM | {"video", "annotations"}
LEARNING = DATA | {"models", "datasets"}
MAY_IMPORT: dict[str, set[str]] = {
    "common": set(),
    "video": BOTTOM,
    "annotations": BOTTOM,
    "models": BOTTOM | {"video.sampling"},
    "datasets": DATA,
    "evaluation": LEARNING,
    "recognition": LEARNING,
    "export": LEARNING,
    "recipes": set(),
    # The edges within one level, each for a reason:
    "training": LEARNING | {"evaluation"},  # validates while it trains
    "reproduce": LEARNING | {"training", "evaluation"},  # trains rows and scores them
    "app": LEARNING | {"recognition", "service"},  # a page around it; opens uploads as it does
    "service": LEARNING | {"recognition"},  # answers over HTTP with it
    "benchmark": LEARNING
    | {"training", "evaluation", "recognition", "export"},  # all that takes time
    "demo": LEARNING | {"training", "evaluation", "recognition"},  # does what a user would
}
"""What each room may import besides itself (a room, or one module of it); `cli` may import all."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "docstring_parser": "jsonargparse[signatures]",
    "yaml": "pyyaml",
}
"""Distributions whose name is not that of the module they bring."""


def name_of(file: Path) -> str:
    """The dotted name of a source file, `tinyvirat.video` for its `__init__.py`."""
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file) for file in FILES}


def imports(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported anywhere in `tree`, within functions too."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def forbidden(tree: ast.Module, module: str, is_package: bool = False) -> list[str]:
    """What `module`, with syntax `tree`, imports of the house although its room may not."""
    room = module.partition(".")[2].partition(".")[0]
    if room in ("", "cli", "__main__"):  # the front doors
        return []
    allowed = MAY_IMPORT.get(room, set()) | {room}
    found = []
    for line, name in imports(tree, module, is_package):
        top, _, rest = name.partition(".")
        if top != "tinyvirat" or rest in ("", "__version__"):
            continue
        if not any(rest == one or rest.startswith(f"{one}.") for one in allowed):
            found.append(f"{module}, line {line}: imports {name}")
    return found


@functools.cache
def parsed() -> list[tuple[str, Path, ast.Module]]:
    """Name, file and syntax tree of every module."""
    return [(name_of(file), file, ast.parse(file.read_text(encoding="utf-8"))) for file in FILES]


def test_there_is_something_to_look_at() -> None:
    assert {"tinyvirat.common.errors", "tinyvirat.cli", "tinyvirat.video"} <= MODULES


def test_every_room_has_its_rule() -> None:
    rooms = {path.name for path in (SOURCE / "tinyvirat").iterdir() if [*path.glob("*.py")]}
    assert rooms - {"__pycache__", "cli"} <= set(MAY_IMPORT)


def test_imports_run_downward_only() -> None:
    found = [
        fault
        for name, file, tree in parsed()
        for fault in forbidden(tree, name, file.stem == "__init__")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "text", "faults"),
    [
        ("tinyvirat.common.files", "from tinyvirat.video import reader", 1),
        ("tinyvirat.models.zoo", "def f():\n    import tinyvirat.datasets.manifest", 1),
        ("tinyvirat.models.zoo", "from tinyvirat.video.sampling import RandomWindow", 0),
        ("tinyvirat.models.zoo", "from tinyvirat.video import sampling", 0),
        ("tinyvirat.models.zoo", "from tinyvirat.video import open_video", 1),
        ("tinyvirat.datasets.build", "from tinyvirat import models, video", 1),
        ("tinyvirat.datasets.build", "from ..models import zoo\nfrom .manifest import read", 1),
        ("tinyvirat.video.reader", "if TYPE_CHECKING:\n    from tinyvirat.annotations import T", 1),
        ("tinyvirat.training.loop", "from tinyvirat.evaluation import evaluate", 0),
        ("tinyvirat.evaluation.metrics", "from tinyvirat.training import loop", 1),
        ("tinyvirat.app", "from tinyvirat.recognition import stream", 0),
        ("tinyvirat.training.loop", "from tinyvirat import load", 1),
        ("tinyvirat", "def f():\n    from tinyvirat.recognition import load", 0),
        ("tinyvirat.cli.train", "from tinyvirat.training import loop", 0),
        ("tinyvirat.common.files", "from tinyvirat import __version__", 0),
        ("tinyvirat.common.files", "import tinyvirat.commonplace", 1),
    ],
)
def test_the_rule_itself(module: str, text: str, faults: int) -> None:
    assert len(forbidden(ast.parse(text), module)) == faults


def test_only_declared_libraries_are_imported() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *(one for extra in extras for one in extras[extra])]
    known = {re.split(r"[<>=!~;\s]", one)[0] for one in declared}
    known |= {re.sub(r"\[.*\]", "", one) for one in known}
    found = []
    for name, file, tree in parsed():
        for line, imported in imports(tree, name, file.stem == "__init__"):
            top = imported.split(".")[0]
            if top in sys.stdlib_module_names or top == "tinyvirat":
                continue
            if DISTRIBUTIONS.get(top, top) not in known:
                found.append(f"{name}, line {line}: {imported} is no declared dependency")
            if any(part.startswith("_") for part in imported.split(".")):
                found.append(f"{name}, line {line}: {imported} is private to its library")
    assert not found, "\n".join(found)


def test_no_module_is_too_long() -> None:
    lengths = {name_of(file): len(file.read_text("utf-8").splitlines()) for file in FILES}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_only_the_command_line_prints() -> None:
    found = [
        f"{name}, line {node.lineno}"
        for name, _, tree in parsed()
        if not name.startswith("tinyvirat.cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not found, "\n".join(found)


def test_everything_public_says_what_it_is() -> None:
    found = []
    for name, _, tree in parsed():
        public = [
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
        ]
        found += [f"{name}.{node.name}" for node in public if not ast.get_docstring(node)]
        found += [] if ast.get_docstring(tree) else [name]
    assert not found, "\n".join(found)


def test_a_silenced_type_error_names_its_code() -> None:
    bare = re.compile(r"#\s*type:\s*ignore(?!\[)")
    found = [name_of(file) for file in FILES if bare.search(file.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("module", ["tinyvirat", "tinyvirat.cli"])
def test_a_start_imports_nothing_heavy(module: str) -> None:
    heavy = ("torch", "numpy", "av", "matplotlib", "rich", "accelerate", "jsonargparse", "PIL")
    code = f"import sys, {module}; sys.stdout.write(' '.join({set(heavy)!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
