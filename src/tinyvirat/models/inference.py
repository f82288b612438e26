"""A model made ready to answer: on its device, in its precision, in batches.

Evaluation and recognition both go through here, so that they give the same numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.precision import fastest_dtype
from tinyvirat.models.blocks import SuperResolved
from tinyvirat.models.engines import (
    SUFFIXES,
    Engine,
    EngineError,
    EngineName,
    FileEngine,
    engine_beside,
    is_exported,
    open_exported,
)
from tinyvirat.models.norm_folding import fold_norms
from tinyvirat.models.recognizer import Recognizer
from tinyvirat.models.saved import Model, ModelSpec, load_model, model_folder

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`; `auto` takes a CUDA or MPS device where there is one.

    Raises:
        TinyviratError: no such device on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # Some can be named, even written to, but not read.
    except (RuntimeError, AssertionError, ValueError, ImportError) as error:
        reason = str(error).split("\n")[0][:200]
        raise TinyviratError(
            f"device {name!r} cannot be used here; `tinyvirat doctor` lists those that can: "
            f"{reason}"
        ) from error
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The number format called `name`; `auto` takes what a short measurement finds fastest.

    Raises:
        TinyviratError: `name` is not a format that networks run in.
    """
    if name == "auto":
        return fastest_dtype(device)
    if name not in DTYPES:
        raise TinyviratError(f"precision {name!r} is not one of auto, {', '.join(DTYPES)}")
    return DTYPES[name]


class Inference:
    """Answers for windows of decoded frames.

    Args:
        model: the recogniser; its network is copied, and then moved, converted and folded
            (`fold_norms`): what was given can still learn and be saved. With an engine its
            description is enough: such an `Inference` answers, but has no pictures to show.
        device: where PyTorch computes; `auto` picks.
        precision: `auto`, `float32`, `bfloat16` or `float16`, for PyTorch.
        batch: at most how many windows at once, 1 or more.
        engine: what computes the logits instead of PyTorch.

    Attributes:
        preprocess: frames to network input: the model's own, unless it is replaced by a variant
            (`Preprocess.at`) to see how the network answers to smaller clips.
    """

    def __init__(
        self,
        model: Model | ModelSpec,
        *,
        device: str = "auto",
        precision: str = "auto",
        batch: int = 8,
        engine: Engine | None = None,
    ) -> None:
        if batch < 1:
            raise TinyviratError(f"batch {batch} is not 1 or more")
        self.spec = model.spec if isinstance(model, Model) else model
        self.preprocess = self.spec.preprocess
        self.device = pick_device(device)
        self.dtype = pick_dtype(precision, self.device)
        self.batch = batch
        self.engine = engine
        self._network = (
            placed(copy.deepcopy(model.network), self.device, self.dtype)
            if isinstance(model, Model)
            else None
        )

    @property
    def network(self) -> Recognizer:
        """The network in PyTorch.

        Raises:
            EngineError: there is only an exported file.
        """
        if self._network is None:
            raise EngineError(
                f"{self.spec.name} is here as an exported file, which only answers; for pictures "
                "of what it enlarges, name the model's folder"
            )
        return self._network

    @torch.inference_mode()
    def window_logits(self, windows: Sequence[Tensor]) -> Tensor:
        """Logits of windows whose sizes may differ.

        Args:
            windows: `frames_THWC` uint8 RGB each.

        Returns:
            `logits_NK`, float32 on the CPU, in the order of `windows`.
        """
        logits_NK = torch.empty(len(windows), len(self.spec.labels))
        for bucket in self.preprocess.buckets([w.to(self.device) for w in windows]):
            for begin in range(0, len(bucket.indices), self.batch):
                part = slice(begin, begin + self.batch)
                logits_NK[list(bucket.indices[part])] = self._logits(bucket.x_BCTHW[part])
        return logits_NK

    def clip_logits(self, frames_NTHWC: Sequence[Tensor] | Tensor) -> Tensor:
        """Logits of one clip, `(K,)`: the mean over its windows (published code)."""
        return self.window_logits(list(frames_NTHWC)).mean(0)

    @torch.inference_mode()
    def enlarge(self, window_THWC: Tensor) -> tuple[Tensor, SuperResolved]:
        """The network's input of one window and what super-resolution makes of it, for pictures.

        Returns:
            `x_BCTHW` and the enlarged clip and map, float32 on the CPU, B being 1.
        """
        x_BCTHW = self.preprocess([window_THWC.to(self.device)])
        enlarged = self.network.enlarge(self._ready(x_BCTHW))
        attention = enlarged.attention_B1THW
        return x_BCTHW.cpu(), SuperResolved(
            enlarged.video_BCTHW.float().cpu(),
            None if attention is None else attention.float().cpu(),
        )

    def _logits(self, x_BCTHW: Tensor) -> Tensor:
        if self.engine is not None:
            return self.engine.logits(x_BCTHW)
        logits_BK: Tensor = self.network(self._ready(x_BCTHW)).float().cpu()
        return logits_BK

    def _ready(self, x_BCTHW: Tensor) -> Tensor:
        return network_input(x_BCTHW, self.dtype)


N = TypeVar("N", bound=nn.Module)


def placed(network: N, device: torch.device, dtype: torch.dtype) -> N:
    """A network made ready to answer, in place: norms folded, channels last.

    Args:
        network: float32, on any device.
        device: where it is to compute.
        dtype: what it is to compute in.
    """
    network.eval()
    fold_norms(network)
    network = network.to(device=device, dtype=dtype)
    # The stubs of Module.to know the memory format only together with a tensor.
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def network_input(x_BCTHW: Tensor, dtype: torch.dtype) -> Tensor:
    """Clips in the number and memory format of a `placed` network."""
    return x_BCTHW.to(dtype=dtype, memory_format=torch.channels_last_3d)


def open_inference(
    name: str | Path,
    *,
    engine: EngineName = "torch",
    device: str = "auto",
    precision: str = "auto",
    batch: int = 8,
) -> Inference:
    """A model ready to answer, by its name or as an exported file.

    Args:
        name: a model's or a run's folder, the name of fetched weights, or an exported `.onnx` or
            `.xml` file, which is its own engine.
        engine: `torch`; or `onnx` or `openvino`: the files that `tinyvirat export` has put into the
            model's folder answer.
        device: where PyTorch computes; the other engines compute on the CPU.
        precision: `auto`, `float32`, `bfloat16` or `float16`; `auto` is float32 for `onnx`, and for
            `openvino` what a short measurement of PyTorch finds faster.
        batch: at most how many windows at once.

    Raises:
        ModelError: no such model or file, a damaged one, or an engine that cannot be used.
    """
    if is_exported(str(name)):
        return _of_file(Path(name), engine, device, precision, batch)
    folder = model_folder(str(name))
    if engine == "torch":
        return Inference(load_model(folder), device=device, precision=precision, batch=batch)
    files = engine_beside(folder, engine, precision=_engine_dtype(engine, device, precision))
    model = load_model(folder)
    return Inference(model, device="cpu", precision="float32", batch=batch, engine=files)


def _of_file(path: Path, engine: str, device: str, precision: str, batch: int) -> Inference:
    """An exported file alone, which answers for clips of any size by bringing them to its own."""
    kind = next(name for name, suffix in SUFFIXES.items() if suffix == path.suffix)
    if engine not in ("torch", kind):
        raise EngineError(f"{path}: is run by --engine {kind}, not by {engine}")
    one = open_exported(path, precision=_engine_dtype(kind, device, precision))
    if not one.takes.prepared:
        raise EngineError(
            f"{path}: takes whole frames of {one.takes.width} x {one.takes.height} px, for other "
            "programs; a file exported without --frame-size can be used here"
        )
    spec = replace(one.spec, preprocess=one.spec.preprocess.at(one.takes.height))
    return Inference(spec, device="cpu", precision="float32", batch=batch, engine=FileEngine([one]))


def _engine_dtype(engine: str, device: str, precision: str) -> torch.dtype:
    if device not in ("auto", "cpu"):
        raise EngineError(f"--engine {engine} computes on the CPU, not on {device!r}")
    if precision != "auto":
        return pick_dtype(precision, torch.device("cpu"))
    fast = engine == "openvino" and pick_dtype("auto", torch.device("cpu")) == torch.bfloat16
    return torch.bfloat16 if fast else torch.float32
