"""Exported files that answer instead of PyTorch: ONNX Runtime and OpenVINO.

`tinyvirat export` writes them. Such a file is alone enough: the model's description is in it. What
is read is trusted for nothing; neither format holds code, and ONNX Runtime does not let a file name
another outside its folder. There is no reader for `.pt2` here: `torch.export.load` can execute what
such a file holds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinyvirat import __version__
from tinyvirat.common.pixels import to_uint8
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain
from tinyvirat.models.preprocess import MAX_SIDE
from tinyvirat.models.saved import (
    DESCRIPTION,
    ModelError,
    ModelSpec,
    describe,
    read_description,
    spec_from_json,
)

if TYPE_CHECKING:
    import openvino

EngineName: TypeAlias = Literal["torch", "onnx", "openvino"]
Format: TypeAlias = Literal["onnx", "openvino", "pt2"]
SUFFIXES: Mapping[str, str] = {"onnx": ".onnx", "openvino": ".xml", "pt2": ".pt2"}
"""Formats to the ending of their file; OpenVINO has its weights in a `.bin` beside it."""

FOLDER = "exported"
"""Where the exported files of a model are, in its own folder, unless they were put elsewhere."""

KEY = "tinyvirat"
"""Under which the description stands in a file."""

INPUT, OUTPUT = "frames", "logits"
MAX_FRAMES = 1024
Runner: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class EngineError(ModelError):
    """An engine or an exported file that cannot be used."""


class Engine(Protocol):
    """Something else than PyTorch that computes logits."""

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """`logits_BK`, float32 on the CPU, of what `Preprocess` gives: float32 in [-1, 1].

        Raises:
            EngineError: clips of that size or length are not what it was made for.
        """


@dataclass(frozen=True)
class FrameInput:
    """The frames an exported file takes: uint8 RGB, (clips, frames, height, width, 3).

    Attributes:
        frames: in a clip.
        height: pixels.
        width: pixels.
        prepared: the frames have been through the model's preprocessing (all but the range);
            otherwise they are frames as decoded, and the preprocessing is in the file.
    """

    frames: int
    height: int
    width: int
    prepared: bool

    def __post_init__(self) -> None:
        if not 1 <= self.frames <= MAX_FRAMES:
            raise ValueError(f"frames {self.frames} is not in 1 to {MAX_FRAMES}")
        if not 1 <= min(self.height, self.width) <= max(self.height, self.width) <= MAX_SIDE:
            raise ValueError(f"{self.width} x {self.height} px is not in 1 to {MAX_SIDE} a side")


@dataclass(frozen=True)
class Exported:
    """An open exported file.

    Attributes:
        path: the file.
        spec: the model it was made from.
        weights_sha256: the hash of that model's weights.
        takes: its input.
        run: uint8 frames, as `takes` says, to `logits_BK`, float32.
    """

    path: Path
    spec: ModelSpec
    weights_sha256: str
    takes: FrameInput
    run: Runner


class FileEngine:
    """Exported files of one model, one for each side of its prepared clips."""

    def __init__(self, files: Sequence[Exported]) -> None:
        self.by_side = {one.takes.height: one for one in files}

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """See `Engine`; the levels that the clips were made of are found back exactly."""
        frames, height, width = x_BCTHW.shape[-3:]
        one = self.by_side.get(height)
        if one is None or (one.takes.frames, one.takes.width) != (frames, width):
            there = ", ".join(f"{e.takes.frames} of {s} px" for s, e in self.by_side.items())
            raise EngineError(
                f"no exported file takes clips of {frames} frames of {width} x {height} px (there: "
                f"{there}); the model's own sampling and input size are needed, or --engine torch"
            )
        levels_BTHWC = to_uint8(x_BCTHW.cpu()).permute(0, 2, 3, 4, 1).contiguous().numpy()
        return torch.from_numpy(one.run(levels_BTHWC))


def exported_path(folder: Path, format: Format, takes: FrameInput) -> Path:
    """Where the exported file of that input is by default.

    Args:
        folder: the model's.
        format: `onnx`, `openvino` or `pt2`.
        takes: its input.
    """
    size = f"{takes.height}px" if takes.prepared else f"{takes.height}x{takes.width}"
    return folder / FOLDER / f"model-{size}{SUFFIXES[format]}"


def prepared_inputs(spec: ModelSpec) -> list[FrameInput]:
    """The inputs that together take every clip prepared by a model: one for each side."""
    return [
        FrameInput(spec.sampler.length, side, side, prepared=True) for side in spec.preprocess.sizes
    ]


def engine_beside(folder: Path, name: EngineName, *, precision: torch.dtype) -> FileEngine:
    """The engine made of a model's exported files.

    Args:
        folder: the model's, where `tinyvirat export` has put them.
        name: `onnx` or `openvino`.
        precision: what to compute in.

    Raises:
        EngineError: they are not there, or made from other weights.
    """
    spec, digest = read_description(folder / DESCRIPTION)
    assert name != "torch"
    files = []
    for takes in prepared_inputs(spec):
        path = exported_path(folder, name, takes)
        remedy = f"`tinyvirat export {folder} --format {name}` makes it"
        if not path.is_file():
            raise EngineError(f"{path}: not there; {remedy}")
        one = open_exported(path, precision=precision)
        if one.weights_sha256 != digest or one.takes != takes:
            raise EngineError(f"{path}: made from another model than {folder}; {remedy} anew")
        files.append(one)
    return FileEngine(files)


def is_exported(name: str) -> bool:
    """Whether `name` is that of an exported file rather than of a model or its folder."""
    return Path(name).suffix in SUFFIXES.values() and not Path(name).is_dir()


def open_exported(path: Path, *, precision: torch.dtype = torch.float32) -> Exported:
    """Opens an exported file, ready to run on the CPU with as many threads as PyTorch uses.

    Args:
        path: a `.onnx` file, or an `.xml` with its `.bin` beside it.
        precision: `torch.float32`, or for OpenVINO `torch.bfloat16`.

    Raises:
        EngineError: not there, damaged, not made by `tinyvirat export`, its engine is not installed
            or cannot compute in `precision`.
    """
    if not path.is_file():
        raise EngineError(f"{path}: there is no such file")
    if path.suffix == SUFFIXES["onnx"]:
        text, run = _onnx(path, precision)
    elif path.suffix == SUFFIXES["openvino"]:
        text, run = _openvino(path, precision)
    else:
        raise EngineError(
            f"{path}: only .onnx and .xml files are run here; a .pt2 may hold code, and is for "
            "torch.export.load where its origin is trusted"
        )
    spec, digest, takes = read_metadata(text, path)

    def checked(frames_BTHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits_BK = run(frames_BTHWC)
        wanted = (len(frames_BTHWC), len(spec.labels))
        if logits_BK.shape != wanted or logits_BK.dtype != np.float32:
            raise EngineError(
                f"{path}: gave {logits_BK.dtype} logits of shape {logits_BK.shape}, not float32 of "
                f"{wanted}; damaged, or not a file of `tinyvirat export`"
            )
        return logits_BK

    return Exported(path, spec, digest, takes, checked)


def metadata(spec: ModelSpec, weights_sha256: str, takes: FrameInput) -> str:
    """The description inside an exported file, as JSON."""
    data = {
        "tinyvirat": __version__,
        "input": {"name": INPUT, "dtype": "uint8", "layout": "BTHWC", "colour": "RGB"}
        | to_plain(takes),
        "output": {"name": OUTPUT, "dtype": "float32", "layout": "BK"},
        "model": describe(spec) | {"weights_sha256": weights_sha256},
    }
    return json.dumps(data)


def read_metadata(text: str | None, path: Path) -> tuple[ModelSpec, str, FrameInput]:
    """What `metadata` wrote: the model, the hash of its weights, and the input.

    Raises:
        ModelError: none, or not such a description.
    """
    if text is None:
        raise EngineError(f"{path}: no description inside; only files of `tinyvirat export` do")
    try:
        data: Any = json.loads(text)
        given = data["input"]
        fields = {key: given[key] for key in ("frames", "height", "width", "prepared")}
        described = data["model"]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise EngineError(f"{path}: its description is damaged: {error!r:.80}") from error
    spec, digest = spec_from_json(described, path)
    try:
        return spec, digest, from_plain(FrameInput, fields, where=f"{path}: input")
    except PlainDataError as error:
        raise EngineError(str(error)) from error


def _onnx(path: Path, precision: torch.dtype) -> tuple[str | None, Runner]:
    """The description in an ONNX file, and what runs it."""
    if precision != torch.float32:
        raise EngineError(f"--engine onnx computes in float32, not in {_name(precision)}")
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing("onnxruntime", error) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what goes wrong is raised, and said once
    try:
        session = onnxruntime.InferenceSession(
            path, sess_options=options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except Exception as error:  # its exceptions have no base of their own
        raise _unreadable(path, error) from error
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    names = [one.name for one in session.get_inputs()], [one.name for one in session.get_outputs()]
    _check_names(path, *names)

    def run(frames_BTHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            logits_BK: NDArray[np.float32] = session.run([OUTPUT], {INPUT: frames_BTHWC})[0]
        except Exception as error:
            raise _failed(path, error) from error
        return logits_BK

    return text, run


def openvino_core() -> openvino.Core:
    """OpenVINO, once for the whole process, which keeps it to its end.

    Its CPU plugin gives a thread a stack for signals, and at its end puts back what it found: of
    two that end in the order they began, the second leaves a stack that is gone, and the next
    signal (a child's end, Ctrl-C) ends the process.

    Raises:
        EngineError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise _missing("openvino", error) from error
    return _only_core(openvino.Core)


@cache
def _only_core(build: Callable[[], openvino.Core]) -> openvino.Core:
    return build()


def _openvino(path: Path, precision: torch.dtype) -> tuple[str | None, Runner]:
    """The description in an OpenVINO file, and what runs it."""
    hints = {torch.float32: "f32", torch.bfloat16: "bf16"}
    if precision not in hints:
        raise EngineError(
            f"--engine openvino computes in float32 or bfloat16, not in {_name(precision)}"
        )
    core = openvino_core()
    settings = {
        "INFERENCE_PRECISION_HINT": hints[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    try:
        model = core.read_model(path)
        text = str(model.get_rt_info([KEY]).value) if model.has_rt_info([KEY]) else None
        names = [
            [name for port in ports for name in port.names]
            for ports in (model.inputs, model.outputs)
        ]
        _check_names(path, *names)
        compiled = core.compile_model(model, "CPU", settings)
    except (RuntimeError, ValueError) as error:  # ValueError: text that is not UTF-8
        raise _unreadable(path, error) from error
    one_at_a_time = threading.Lock()

    def run(frames_BTHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            with one_at_a_time:  # its memory for the answer is used again by the next clips
                return np.array(compiled({INPUT: frames_BTHWC})[OUTPUT])
        except RuntimeError as error:
            raise _failed(path, error) from error

    return text, run


def _check_names(path: Path, inputs: list[str], outputs: list[str]) -> None:
    if inputs != [INPUT] or outputs != [OUTPUT]:
        raise EngineError(
            f"{path}: takes {inputs} and gives {outputs}; a file of `tinyvirat export` takes "
            f"{INPUT!r} and gives {OUTPUT!r}"
        )


def _missing(module: str, error: ImportError) -> EngineError:
    return EngineError(
        f"{module} is needed for that and does not load ({error}): pip install 'tinyvirat[export]'"
    )


def _unreadable(path: Path, error: Exception) -> EngineError:
    return EngineError(
        f"{path}: cannot be opened; damaged, or not a file of `tinyvirat export`: {_line(error)}"
    )


def _failed(path: Path, error: Exception) -> EngineError:
    return EngineError(f"{path}: could not answer: {_line(error)}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
