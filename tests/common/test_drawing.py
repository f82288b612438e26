"""Figures: whole or not there, the same whatever the user's settings, with text of any kind."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

from tinyvirat.common.drawing import drawable, figure


def draw(path: Path, *, tight: bool = True) -> Path:
    with figure(path, (3.0, 2.0), dpi=50, tight=tight) as drawn:
        drawn.text(0.4, 0.5, drawable("it costs $5, not $6"))
    return path


def test_a_figure_is_as_large_as_asked_or_as_what_is_on_it(tmp_path: Path) -> None:
    sizes = [Image.open(draw(tmp_path / "a.png", tight=tight)).size for tight in (False, True)]
    assert sizes[0] == (150, 100)
    assert sizes[1][0] < 150 and sizes[1][1] < 100


def test_settings_of_the_user_do_not_show(tmp_path: Path) -> None:
    before = draw(tmp_path / "before.png").read_bytes()
    with mpl.rc_context({"font.size": 30.0, "figure.facecolor": "red", "savefig.dpi": 10}):
        assert draw(tmp_path / "after.png").read_bytes() == before


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("before")
    with pytest.raises(RuntimeError, match="half way"), figure(tmp_path / "a.png", (1, 1)):
        raise RuntimeError("half way")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.png", "before")]


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.jpg: pictures are PNG files"):
        draw(tmp_path / "a.jpg")


def test_names_are_drawn_as_text() -> None:
    assert drawable("a$b$\n") == r"a\$b\$ "
    assert drawable("x" * 99) == "x" * 27 + "…"
    assert drawable("x" * 99, None) == "x" * 99
