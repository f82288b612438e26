"""A manifest that lies elsewhere than its clips: beside a folder that nobody may write to, say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tinyvirat.cli import main
from tinyvirat.common.errors import TinyviratError
from tinyvirat.training.data import ClipFiles, open_data
from tinyvirat.training.run import Order, run

from .small import RECIPE, without

PHASE3 = without(RECIPE, 1, 2)


@pytest.fixture
def moved(clips: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(clips, tmp_path / "moved.jsonl"))


def test_it_is_the_same_data(clips: Path, moved: Path) -> None:
    here = open_data(PHASE3, ClipFiles(clips))
    with pytest.raises(TinyviratError, match=r"does not exist; .* as root \(--root\)"):
        open_data(PHASE3, ClipFiles(moved))
    assert open_data(PHASE3, ClipFiles(moved, root=clips.parent)).digest == here.digest
    both = open_data(PHASE3, ClipFiles(clips, moved, sr_root=clips.parent))
    assert both.manifests["sr_data"].root == clips.parent


def test_one_file_for_both_roles_is_read_once(clips: Path) -> None:
    found = ClipFiles(clips, clips.parent / "." / clips.name).read()
    assert found["data"] is found["sr_data"]


@pytest.mark.usefixtures("hurried")
def test_it_is_trained_and_tested_on(
    clips: Path, moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, root = tmp_path / "run", clips.parent
    assert run(PHASE3, Order(ClipFiles(moved, root=root), out=out, cpu=True))
    asked = ["evaluate", str(out), "--data", str(moved), "--device", "cpu", "--no-quality"]
    assert main(asked) == 1
    assert "--root" in capsys.readouterr().err
    assert main([*asked, "--root", str(root)]) == 0
    assert "top 1" in capsys.readouterr().out


def test_a_folder_of_clips_has_no_other_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["finetune", "nothing", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*asked, "--root", str(tmp_path)]) == 1
    assert "is a folder; --root is for a manifest" in capsys.readouterr().err
