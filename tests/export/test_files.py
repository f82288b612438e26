"""What `tinyvirat export` writes: where, with what inside, and what it refuses."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tinyvirat.cli import main
from tinyvirat.export import run as module
from tinyvirat.export.program import Deployed, trace
from tinyvirat.export.run import ExportError, export_model
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.engines import FrameInput, open_exported
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.saved import ModelError, load_model, read_description, save_model

from .conftest import BOTH, SIDES, SMALLEST
from .small import CLASSIFIER, FRAMES, LABELS, SIDE, model, settled

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")


def untold(data: bytes) -> bool:
    """Whether nothing in a file tells of the machine and the modules that it was made with."""
    here = str(Path(__file__).parents[2]).encode()
    return not any(word in data for word in (b"site-packages", b"pkg.torch", here))


def test_the_documented_python_runs(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of docs/deploy.md that need nothing of this package, on a file of another side."""
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text("utf-8")
    code = page[page.index("```python") + 9 :].partition("```")[0]
    assert "import tinyvirat" not in code
    monkeypatch.chdir(exported / "exported")
    exec(code.replace("28", "24").replace("(1, 16,", f"(1, {FRAMES},"), {})
    assert "'carry': " in capsys.readouterr().out


@pytest.mark.parametrize("side", SIDES)
def test_an_onnx_file_is_enough_for_who_has_nothing_else(exported: Path, side: int) -> None:
    """Labels, thresholds, temperature and input from the file alone, through ONNX Runtime alone."""
    path = exported / "exported" / f"model-{side}px.onnx"
    session = onnxruntime.InferenceSession(path)
    (takes,) = session.get_inputs()
    assert (takes.name, takes.type) == ("frames", "tensor(uint8)")
    assert takes.shape == ["batch", FRAMES, side, side, 3]
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [
        ("logits", "tensor(float)", ["batch", 3])
    ]
    told = json.loads(session.get_modelmeta().custom_metadata_map["tinyvirat"])
    assert told["input"] == {
        "name": "frames",
        "dtype": "uint8",
        "layout": "BTHWC",
        "colour": "RGB",
        "frames": FRAMES,
        "height": side,
        "width": side,
        "prepared": True,
    }
    assert told["model"] == json.loads((exported / "model.json").read_text("utf-8"))
    assert untold(path.read_bytes())


def test_an_onnx_file_is_valid_and_plain(exported: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
    path = exported / "exported" / f"model-{SIDES[0]}px.onnx"
    onnx.checker.check_model(path, full_check=True)
    file = onnx.load(path)
    assert {one.domain for one in file.opset_import} == {""}
    assert not any(tensor.external_data for tensor in file.graph.initializer)
    antialiased = [
        node.name
        for node in file.graph.node
        for attribute in node.attribute
        if attribute.name == "antialias" and attribute.i
    ]
    assert not antialiased, "not every engine reads them"


def test_openvino_files_carry_the_same_description(exported: Path) -> None:
    spec, digest = read_description(exported / "model.json")
    for side in SIDES:
        path = exported / "exported" / f"model-{side}px.xml"
        one = open_exported(path)
        assert (one.spec, one.weights_sha256) == (spec, digest)
        assert one.takes == FrameInput(FRAMES, side, side, prepared=True)
        assert untold(path.read_bytes())


def test_whole_frames_through_the_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Preprocessing in the file: decoded frames of any shape in, evaluation's logits out."""
    out = tmp_path / "deep" / "camera.onnx"
    words = ["export", str(folder), "--format", "onnx", "--out", str(out)]
    assert main([*words, "--frame-size", "30", "45", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["path"] == str(out) and told["size"] == out.stat().st_size
    assert told["takes"] == {"frames": FRAMES, "height": 30, "width": 45, "prepared": False}
    assert 0 <= told["difference"] <= 1e-4
    assert [p.name for p in out.parent.iterdir()] == ["camera.onnx"], "nothing is left beside it"
    frames = np.random.default_rng(0).integers(0, 256, (2, FRAMES, 30, 45, 3), dtype=np.uint8)
    got = onnxruntime.InferenceSession(out).run(None, {"frames": frames})[0]
    with torch.inference_mode():
        wanted = load_model(folder).network(BOTH(list(torch.from_numpy(frames)))).numpy()
    assert np.abs(got - wanted).max() <= 1e-4 * np.ptp(wanted)


def test_a_pt2_file_and_the_table(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(folder), "--format", "pt2", "--out", str(tmp_path)]) == 0
    assert "model-16px.pt2" in capsys.readouterr().out.replace("\n", "").replace(" ", "").replace(
        "│", ""
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model-16px.pt2", "model-24px.pt2"]
    path = tmp_path / "model-24px.pt2"
    with zipfile.ZipFile(path) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("tinyvirat.json"))
        assert json.loads(archive.read(name))["model"]["labels"] == list(LABELS)
        graph = next(n for n in archive.namelist() if n.endswith("models/model.json"))
        assert untold(archive.read(graph))
    frames = torch.zeros(5, FRAMES, 24, 24, 3, dtype=torch.uint8)
    assert torch.export.load(path).module()(frames).shape == (5, 3)
    with pytest.raises(ModelError, match="may hold code"):
        open_exported(path)


def test_attention_that_is_not_used_is_left_out() -> None:
    sr = ProgressiveDVSRConfig(2, 4, 2, attention=True)
    takes = FrameInput(FRAMES, 16, 16, prepared=True)
    kept = {}
    for mask in (False, True):
        network = settled(RecognizerConfig(CLASSIFIER, sr, side=SIDE, mask=mask))
        program = trace(Deployed(network, BOTH, takes), takes)
        kept[mask] = [name for name in program.state_dict if ".attention." in name]
        assert network.super_resolution.attention is not None, "the model itself is not changed"
        in_place = [n.name for n in program.graph.nodes if str(n.target).endswith("_.default")]
        assert not in_place
    assert not kept[False] and kept[True]


class Answering:
    """Stands in for writing: a file whose answers are off by a share of PyTorch's range."""

    def __init__(self, off: float) -> None:
        self.off = off

    def __call__(self, path: Path, program: Any, description: str) -> Any:
        path.write_bytes(b"new")
        path.with_suffix(".bin").write_bytes(b"new")

        def run(frames_BTHWC: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                logits = program(torch.from_numpy(frames_BTHWC)).numpy()
            return logits + np.float32(self.off)

        return run


@pytest.mark.parametrize("off", [1e9, float("nan")])
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_a_file_that_answers_otherwise_is_not_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: float, format: Any
) -> None:
    monkeypatch.setitem(module.WRITERS, format, Answering(off))
    monkeypatch.setattr(module, "trace", lambda deployed, takes: deployed)
    name = f"model-16px{module.SUFFIXES[format]}"
    for old in (name, "model-16px.bin"):
        (tmp_path / old).write_bytes(b"old")
    with pytest.raises(ExportError, match=r"differ from PyTorch's by .* of their range"):
        export_model(folder, format, out=tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        name: b"old",
        "model-16px.bin": b"old",
    }


def test_openvino_files_change_together(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.WRITERS, "openvino", Answering(0.0))
    monkeypatch.setattr(module, "trace", lambda deployed, takes: deployed)
    (tmp_path / "model-16px.xml").write_bytes(b"old")
    written = export_model(folder, "openvino", out=tmp_path)
    assert [one.size for one in written] == [6, 6]
    names = [f"model-{side}px{end}" for side in SIDES for end in (".bin", ".xml")]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert all(p.read_bytes() == b"new" for p in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "x.xml"], "--out x.xml: a file of --format onnx ends in .onnx"),
        (["--out", "x.bin"], "--out x.bin: a file of --format onnx ends in .onnx"),
        (["--out", "x.onnx"], "several input sides .16, 24 px., a file each: give a folder"),
        (["--frame-size", "0", "20"], "--frame-size cannot be: 20 x 0 px is not in 1 to 4096"),
        (["--frame-size", "20", "5000"], "--frame-size cannot be: 5000 x 20 px is not in 1"),
        (["--frame-size", "4000", "4000"], "frames of 4000 px are made 24 px small"),
    ],
)
def test_what_cannot_be(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    import re

    assert main(["export", str(folder), "--format", "onnx", *options]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_clips_that_the_network_cannot_take(tmp_path: Path) -> None:
    config = RecognizerConfig(CLASSIFIER, ProgressiveDVSRConfig(8, 2, 1), side=SIDE)
    preprocess = Preprocess(4, full=None, short_side=None, fit="pad")
    broken = model(config, preprocess)
    save_model(tmp_path, broken)
    text = (tmp_path / "model.json").read_text("utf-8")
    (tmp_path / "model.json").write_text(text.replace(f'"length": {FRAMES}', '"length": 100000'))
    with pytest.raises(ExportError, match="clips cannot be exported: frames 100000 is not in"):
        export_model(tmp_path, "pt2")


def test_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "nothing-of-that-name", "--format", "pt2"]) == 1
    assert "nothing-of-that-name: neither a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("format", "absent"),
    [("onnx", "onnxscript"), ("onnx", "onnxruntime"), ("openvino", "openvino")],
)
def test_without_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, format: Any, absent: str
) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(ExportError, match=f"needs {absent}, which .*tinyvirat.export"):
        export_model(folder, format)


def test_the_smallest_model_is_what_the_fixture_says(folder: Path) -> None:
    assert load_model(folder).spec.config == SMALLEST
