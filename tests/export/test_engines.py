"""Exported files in PyTorch's place: the same answers through `Inference`, and what goes wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tinyvirat.cli import main
from tinyvirat.common.pixels import to_float
from tinyvirat.models import engines
from tinyvirat.models import inference as inference_module
from tinyvirat.models.engines import EngineError, Exported, FileEngine, FrameInput
from tinyvirat.models.inference import Inference, open_inference
from tinyvirat.models.saved import ModelError, load_model, replace_description
from tinyvirat.video import write_video

from .conftest import SIDES
from .small import FRAMES

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("openvino", reason="the extra `export` is not installed")
onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")

ENGINES = ("onnx", "openvino")
SUFFIX = {"onnx": "onnx", "openvino": "xml"}


def windows(*sizes: tuple[int, int], frames: int = FRAMES) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randint(0, 256, (frames, *size, 3), dtype=torch.uint8, generator=generator)
        for size in sizes
    ]


MIXED = windows((20, 11), (10, 10), (30, 40), (9, 9), (50, 50), (12, 16), (24, 24))


def near(got: Tensor, wanted: Tensor, share: float = 1e-4) -> None:
    assert got.shape == wanted.shape and got.dtype == torch.float32
    assert (got - wanted).abs().max() <= share * (wanted.max() - wanted.min())


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_answers_like_pytorch(exported: Path, engine: Any) -> None:
    """Windows of mixed sizes, through files of two sides, in batches."""
    wanted = open_inference(exported, device="cpu", precision="float32").window_logits(MIXED)
    assert wanted.std(0).min() > 1e-4, "windows must differ for their order to be seen"
    for batch in (8, 3):
        inference = open_inference(exported, engine=engine, precision="float32", batch=batch)
        assert inference.engine is not None
        inference.network.register_forward_pre_hook(lambda *_: pytest.fail("PyTorch was asked"))
        near(inference.window_logits(MIXED), wanted)
        near(inference.clip_logits(MIXED), wanted.mean(0))
    assert inference.enlarge(MIXED[0])[1].video_BCTHW.shape[-1] == 32, (
        "pictures are still PyTorch's"
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("side", SIDES)
def test_a_file_is_a_model_of_its_own(
    exported: Path, tmp_path: Path, engine: str, side: int
) -> None:
    """Moved away from its model, it still has labels and probabilities, and answers alike."""
    for path in (exported / "exported").glob(f"model-{side}px.*"):
        shutil.copy(path, tmp_path)
    inference = open_inference(tmp_path / f"model-{side}px.{SUFFIX[engine]}", precision="float32")
    usual = open_inference(exported, device="cpu", precision="float32")
    assert inference.spec.name == usual.spec.name
    assert inference.spec.thresholds == usual.spec.thresholds
    assert inference.spec.temperature == 1.5
    assert inference.preprocess.sizes == (side,)
    usual.preprocess = usual.preprocess.at(side)
    near(inference.window_logits(MIXED), usual.window_logits(MIXED))
    with pytest.raises(EngineError, match=r"only answers; for pictures .* name the model's folder"):
        inference.enlarge(MIXED[0])


def test_levels_reach_the_file_as_they_were() -> None:
    """All 256 levels go to [-1, 1] and come back, whatever the engine."""
    seen = []

    def run(frames_BTHWC: np.ndarray) -> np.ndarray:
        seen.append(frames_BTHWC)
        return np.zeros((len(frames_BTHWC), 3), np.float32)

    takes = FrameInput(FRAMES, 16, 16, prepared=True)
    engine = FileEngine([Exported(Path("x"), None, "", takes, run)])  # type: ignore[arg-type]
    levels = torch.arange(FRAMES * 16 * 16 * 3).remainder(256).to(torch.uint8)
    frames_BTHWC = levels.reshape(1, FRAMES, 16, 16, 3)
    engine.logits(to_float(frames_BTHWC.permute(0, 4, 1, 2, 3)))
    assert seen[0].dtype == np.uint8 and seen[0].flags.c_contiguous
    assert np.array_equal(seen[0], frames_BTHWC.numpy())


def test_recognize_through_an_engine(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command gives the rows it gives without; from a file alone too."""
    clip = tmp_path / "clip.mp4"
    write_video(clip, np.concatenate(windows((20, 30), (20, 30))), Fraction(10))
    file = exported / "exported" / "model-24px.xml"
    rows = {}
    for model, engine in ((exported, "torch"), *((exported, e) for e in ENGINES), (file, "torch")):
        words = ["recognize", str(clip), "--model", str(model), "--engine", engine, "--json"]
        assert main([*words, "--device", "cpu", "--precision", "float32"]) == 0
        rows[str(model) + engine] = json.loads(capsys.readouterr().out)
    wanted, *others = rows.values()
    for row in others:
        assert row["scores"] == pytest.approx(wanted["scores"], abs=1e-4)
        assert row | {"scores": 0} == wanted | {"scores": 0}


@pytest.mark.parametrize("engine", ENGINES)
def test_other_clips_than_it_was_made_for(exported: Path, engine: Any) -> None:
    inference = open_inference(exported, engine=engine, precision="float32")
    with pytest.raises(EngineError, match="no exported file takes clips of 5 frames of 16 x 16 px"):
        inference.window_logits(windows((10, 10), frames=5))
    inference.preprocess = inference.preprocess.at(20)
    with pytest.raises(EngineError, match=r"20 x 20 px \(there: 8 of 16 px, 8 of 24 px\)"):
        inference.window_logits(windows((10, 10)))


def test_files_of_other_weights_are_refused(exported: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(exported, other)
    text = json.loads((other / "model.json").read_text("utf-8"))
    (other / "model.json").write_text(json.dumps(text | {"weights_sha256": "0" * 64}), "utf-8")
    with pytest.raises(EngineError, match=r"made from another model than .*export.*anew"):
        open_inference(other, engine="onnx")


def test_new_thresholds_need_no_new_files(exported: Path, tmp_path: Path) -> None:
    tuned = tmp_path / "tuned"
    shutil.copytree(exported, tuned)
    spec = replace(load_model(tuned).spec, thresholds=(0.2, 0.2, 0.2), temperature=2.0)
    replace_description(tuned, spec)
    assert open_inference(tuned, engine="onnx").spec == spec


def test_models_that_were_not_exported(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("model.json", "weights.safetensors"):
        shutil.copy(folder / name, bare)
    with pytest.raises(
        EngineError, match=r"not there; `tinyvirat export .*--format onnx` makes it"
    ):
        open_inference(bare, engine="onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "onnx", "precision": "bfloat16"}, "onnx computes in float32, not in bfloat16"),
        ({"engine": "openvino", "precision": "float16"}, "float32 or bfloat16, not in float16"),
        ({"engine": "onnx", "device": "cuda"}, "onnx computes on the CPU, not on 'cuda'"),
        ({"engine": "onnx", "precision": "int4"}, "precision 'int4' is not one of"),
    ],
)
def test_what_an_engine_cannot_do(exported: Path, options: Any, message: str) -> None:
    with pytest.raises(Exception, match=message):
        open_inference(exported, **options)


def test_bfloat16_in_openvino(exported: Path) -> None:
    """Near everywhere; on processors without the instructions it is float32 all the same."""
    wanted = open_inference(exported, device="cpu", precision="float32").window_logits(MIXED)
    got = open_inference(exported, engine="openvino", precision="bfloat16").window_logits(MIXED)
    near(got, wanted, share=0.05)


def test_auto_is_exact_in_onnx_and_fast_in_openvino(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    opened = engines.open_exported

    def noting(path: Path, *, precision: torch.dtype) -> Exported:
        asked.append(precision)
        return opened(path, precision=precision)

    monkeypatch.setattr(engines, "open_exported", noting)
    monkeypatch.setattr(inference_module, "fastest_dtype", lambda device: torch.bfloat16)
    for engine in ENGINES:
        open_inference(exported, engine=engine)  # type: ignore[arg-type]
    assert asked == [torch.float32] * 2 + [torch.bfloat16] * 2


def test_a_file_has_its_own_engine(exported: Path) -> None:
    path = exported / "exported" / "model-16px.onnx"
    assert open_inference(path, engine="onnx").engine is not None
    with pytest.raises(EngineError, match="is run by --engine onnx, not by openvino"):
        open_inference(path, engine="openvino")
    with pytest.raises(EngineError, match="there is no such file"):
        open_inference(exported / "exported" / "model-17px.onnx")


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_share_an_engine(exported: Path, engine: Any) -> None:
    """Each asks for its own window, and none gets another's answer."""
    inference = open_inference(exported, engine=engine, precision="float32")
    wanted = [inference.window_logits([window]) for window in MIXED]
    wrong: list[int] = []

    def ask(number: int) -> None:
        for _ in range(30):
            if not torch.equal(inference.window_logits([MIXED[number]]), wanted[number]):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(MIXED))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_the_libraries(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for engine, library in (("onnx", "onnxruntime"), ("openvino", "openvino")):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(EngineError, match=f"{library} is needed .*tinyvirat.export"):
            open_inference(exported, engine=engine)  # type: ignore[arg-type]


def test_an_inference_of_a_description_alone_needs_an_engine(folder: Path) -> None:
    inference = Inference(load_model(folder).spec, device="cpu", precision="float32")
    with pytest.raises(EngineError, match="only answers"):
        inference.window_logits(MIXED[:1])


def identity(description: str | None, name: str = "frames", classes: int = 3) -> bytes:
    """A small ONNX file that is not ours: it gives the mean level as every logit."""
    h, types = onnx.helper, onnx.TensorProto
    frames = h.make_tensor_value_info(name, types.UINT8, ["b", FRAMES, 16, 16, 3])
    logits = h.make_tensor_value_info("logits", types.FLOAT, ["b", classes])
    nodes = [
        h.make_node("Cast", [name], ["levels"], to=types.FLOAT),
        h.make_node("ReduceMean", ["levels", "axes"], ["mean"], keepdims=0),
        h.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        h.make_node("Expand", ["column", "row"], ["logits"]),
    ]
    constants = [
        h.make_tensor("axes", types.INT64, [4], [1, 2, 3, 4]),
        h.make_tensor("last", types.INT64, [1], [1]),
        h.make_tensor("row", types.INT64, [2], [1, classes]),
    ]
    graph = h.make_graph(nodes, "mean", [frames], [logits], constants)
    made = h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=10)
    if description is not None:
        h.set_model_props(made, {"tinyvirat": description})
    data: bytes = made.SerializeToString()
    return data


def described(exported: Path, **changes: Any) -> str:
    session = onnxruntime.InferenceSession(exported / "exported" / "model-16px.onnx")
    told = json.loads(session.get_modelmeta().custom_metadata_map["tinyvirat"])
    return json.dumps(told | changes)


def test_files_from_elsewhere(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    good = described(exported)
    deep = "[" * 100_000 + "]" * 100_000
    cases: Sequence[tuple[bytes, str]] = [
        (b"", "cannot be opened; damaged, or not a file of"),
        (b"hello", "cannot be opened"),
        (identity(good)[:-40], "cannot be opened"),
        (identity(None), "no description inside"),
        (identity("{"), "its description is damaged"),
        (identity("[]"), "its description is damaged"),
        (identity(deep), "its description is damaged"),
        (identity("{}"), "its description is damaged: KeyError"),
        (identity(described(exported, model={"format": 9})), "format 9 is not 1"),
        (identity(described(exported, model=None)), "format None is not 1"),
        (identity(described(exported, input=3)), "its description is damaged"),
        (
            identity(
                described(exported, input={"frames": 8, "height": 16, "width": 0, "prepared": True})
            ),
            "0 x 16 px is not in 1 to 4096",
        ),
        (
            identity(
                described(
                    exported, input={"frames": "8", "height": 16, "width": 16, "prepared": True}
                )
            ),
            "frames: '8' is no int",
        ),
        (identity(good, name="image"), r"takes \['image'\] and gives \['logits'\]"),
    ]
    for data, message in cases:
        path.write_bytes(data)
        with pytest.raises(ModelError, match=message) as caught:
            open_inference(path)
        assert str(caught.value).startswith(str(path)) and len(str(caught.value)) < 500


def test_a_file_that_gives_other_logits_than_it_has_labels(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(identity(described(exported)))
    levels = open_inference(path).window_logits(MIXED[:2])
    assert levels.shape == (2, 3), "the file itself is sound"
    path.write_bytes(identity(described(exported), classes=4))
    with pytest.raises(EngineError, match=r"logits of shape \(1, 4\), not float32 of \(1, 3\)"):
        open_inference(path).window_logits(MIXED[:1])


def test_files_for_whole_frames_are_for_other_programs(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    takes = {"frames": FRAMES, "height": 16, "width": 16, "prepared": False}
    path.write_bytes(identity(described(exported, input=takes)))
    with pytest.raises(EngineError, match="whole frames of 16 x 16 px, for other programs"):
        open_inference(path)


def test_an_onnx_file_reads_no_other_file(exported: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(2, dtype=np.int64).tobytes())
    made = onnx.load_model_from_string(identity(described(exported)))
    for tensor in made.graph.initializer:
        if tensor.name == "row":
            tensor.ClearField("int64_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="../secret.bin")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(EngineError, match="cannot be opened"):
        open_inference(tmp_path / "in" / "x.onnx")


def test_damaged_openvino_files(exported: Path, tmp_path: Path) -> None:
    source = exported / "exported" / "model-16px.xml"
    whole, weights = source.read_bytes(), source.with_suffix(".bin").read_bytes()
    path = tmp_path / "x.xml"
    for xml, bin_ in (
        (b"", weights),
        (b"<net/>", weights),
        (whole[: len(whole) // 2], weights),
        (whole.replace(b"tinyvirat value", b"tinyvirus value"), weights),
        (whole.replace(b'tinyvirat value="', b'tinyvirat value="\xff'), weights),
        (whole, weights[:100]),
        (whole, None),
    ):
        path.write_bytes(xml)
        path.with_suffix(".bin").unlink(missing_ok=True)
        if bin_ is not None:
            path.with_suffix(".bin").write_bytes(bin_)
        with pytest.raises(EngineError) as caught:
            open_inference(path, precision="float32")
        assert str(caught.value).startswith(str(path)) and len(str(caught.value)) < 500


SIGNALS = """
import gc, signal, subprocess, sys
from pathlib import Path
from tinyvirat.models.engines import open_exported

signal.signal(signal.SIGCHLD, lambda *_: None)
first, second = (open_exported(Path(name)) for name in sys.argv[1:])
del first
gc.collect()
del second
gc.collect()
subprocess.run(["true"], check=True)
print("alive")
"""


def test_signals_reach_a_process_whose_openvino_engines_are_gone(exported: Path) -> None:
    files = sorted(map(str, exported.rglob("*.xml")))
    assert len(files) == 2
    command = [sys.executable, "-c", SIGNALS, *files]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout) == (0, "alive\n"), run.stderr
