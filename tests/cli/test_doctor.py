"""`tinyvirat doctor`: it tries things out, and says what to do about what is missing."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from tinyvirat.cli import doctor, main
from tinyvirat.common import precision
from tinyvirat.common.precision import PrecisionResult

RESULTS = (
    PrecisionResult(torch.float32, 1.0),
    PrecisionResult(torch.bfloat16, 2.5),
    PrecisionResult(torch.float16, None, "no kernel"),
)


@pytest.fixture(autouse=True)
def a_machine_where_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast answers, so that each test breaks one thing only."""
    monkeypatch.setattr(precision, "measure", lambda device: RESULTS)
    monkeypatch.setattr("tinyvirat.video.decoders", lambda: {"pyav": None}, raising=False)
    monkeypatch.setenv("TINYVIRAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


def findings(capsys: pytest.CaptureFixture[str], code: int) -> dict[str, dict[str, Any]]:
    """What doctor finds, by area and name, having exited with `code`."""
    assert main(["doctor", "--json"]) == code
    return {f"{one['area']} {one['name']}": one for one in json.loads(capsys.readouterr().out)}


def test_a_whole_machine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = findings(capsys, 0)
    declared = {"python", "tinyvirat", "torch", "av", "jsonargparse", "torchcodec"}
    named = {one["name"] for one in found.values() if one["area"] == "version"}
    assert declared <= named
    assert not {"pytest", "ruff", "mypy"} & named
    assert found["version torch"]["found"] == metadata.version("torch")
    assert found["version torch"]["needed"]
    assert not found["version torchcodec"]["needed"]
    assert found["decoder pyav"]["found"] == "decodes"
    assert "can be written to" in found[f"storage {tmp_path / 'cache'}"]["found"]
    assert list((tmp_path / "cache").iterdir()) == []
    assert all(one["remedy"] == "" for one in found.values() if one["well"])


def test_it_says_which_number_format_is_fast(capsys: pytest.CaptureFixture[str]) -> None:
    assert findings(capsys, 0)["device cpu"]["found"].endswith(
        "speed: float32 1x, bfloat16 2.5x, float16 does not work (no kernel); computes in bfloat16"
    )


def test_the_table_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name in ("torch", "cpu", "pyav", "cache"):
        assert name in out
    assert out.endswith("All that is needed works.\n")


def test_a_missing_dependency(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in ("torchmetrics", "torchcodec"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = findings(capsys, 1)
    assert not found["version torchmetrics"]["well"]
    assert found["version torchmetrics"]["remedy"] == "pip install -c constraints.txt -e ."
    assert found["version torchcodec"]["remedy"] == 'pip install "tinyvirat[torchcodec]"'
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "optional: not installed" in out
    assert out.endswith("Needed and missing: torchmetrics.\n")


@pytest.mark.parametrize(("broken", "code"), [("torchcodec", 0), ("pyav", 1)])
def test_a_decoder_that_does_not_decode(
    broken: str, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = {"pyav": None, "torchcodec": None, broken: "libavutil is not there"}
    monkeypatch.setattr("tinyvirat.video.decoders", lambda: reasons)
    decoder = findings(capsys, code)[f"decoder {broken}"]
    assert decoder["found"] == "libavutil is not there"
    assert not decoder["well"]
    assert "pip install" in decoder["remedy"]


def test_a_cache_folder_that_cannot_be_written_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = str(tmp_path / "file" / "cache")
    monkeypatch.setenv("TINYVIRAT_CACHE", folder)
    found = findings(capsys, 1)[f"storage {folder}"]
    assert "cannot be written to" in found["found"]
    assert "set TINYVIRAT_CACHE" in found["remedy"]


def test_little_space_is_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "LITTLE_SPACE_GB", 1e9)
    found = findings(capsys, 0)[f"storage {tmp_path / 'cache'}"]
    assert not found["well"]
    assert "more space" in found["remedy"]


def test_a_device_that_cannot_compute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(device: str) -> None:
        raise RuntimeError("illegal instruction")

    monkeypatch.setattr(precision, "measure", fail)
    assert "illegal instruction" in findings(capsys, 1)["device cpu"]["found"]


def test_a_driver_that_torch_does_not_use(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "NVIDIA_DRIVER", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = findings(capsys, 0)["device nvidia"]
    assert not found["well"]
    assert "pytorch.org" in found["remedy"]
