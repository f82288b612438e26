"""Networks as the child processes run them: as published, and in every engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyvirat.benchmark.engines import open_onnx, open_openvino
from tinyvirat.benchmark.records import PUBLISHED
from tinyvirat.models.blocks import SuperResolved
from tinyvirat.models.classifier import Classifier
from tinyvirat.models.inference import DTYPES, network_input, pick_device, placed
from tinyvirat.models.recognizer import Recognizer
from tinyvirat.models.saved import load_model
from tinyvirat.models.zoo import config_from_json

ANSWERED = 1
"""Clips that are answered for when outputs are compared: a size that everybody has worked at."""

COARSE = 4
"""Places a side of the random pattern that a clip is enlarged from: neighbours are alike in it, as
in a video."""

Run = Callable[[Tensor], Tensor]


class Runner(NamedTuple):
    """A network ready to run.

    Attributes:
        output: `x_BCTHW`, float32 on the CPU, to logits or an enlarged clip, likewise.
        video: the same to the enlarged clip; None where there is none, or none to be had.
    """

    output: Run
    video: Run | None


class NetworkWork:
    """Runs a network on clips of its input side; the size is the number of clips.

    Args:
        job: `config` (as JSON) or `model` (a folder), `side`, `frames`, `engine`, `precision`,
            `seed`, `device` and, for an exported network, its `file`.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._clips: dict[int, Tensor] = {}
        self._runner = open_runner(job)
        self.facts: dict[str, Any] = {}

    def once(self, size: int) -> None:
        """See `Work`."""
        if size not in self._clips:
            self._clips[size] = clips(
                size, self._job["frames"], self._job["side"], self._job["seed"]
            )
        self._runner.output(self._clips[size])

    def answer(self, path: Path) -> None:
        """Writes `output` and, if there is one, `video` of a clip."""
        x_BCTHW = clips(ANSWERED, self._job["frames"], self._job["side"], self._job["seed"])
        found = {"output": self._runner.output(x_BCTHW).numpy()}
        if self._runner.video is not None:
            found["video"] = self._runner.video(x_BCTHW).numpy()
        np.savez(path, **found)  # type: ignore[arg-type]  # its stubs take a name for an option


def open_runner(job: dict[str, Any]) -> Runner:
    """The network of a job in its engine.

    Raises:
        TinyviratError: an engine or a precision that there is not.
    """
    engine, precision = str(job["engine"]), str(job["precision"])
    if engine == "onnx":
        return Runner(open_onnx(Path(job["file"]), precision), None)
    if engine == "openvino":
        return Runner(open_openvino(Path(job["file"]), precision), None)
    network, device = built(job), pick_device(job["device"])
    if engine == PUBLISHED:
        return _as_published(network.to(device), device)
    return _ours(network, device, DTYPES[precision], compiled=engine == "compiled")


def built(job: dict[str, Any]) -> nn.Module:
    """The network with the weights that the seed, or the model's folder, gives."""
    if job.get("model"):
        return load_model(Path(job["model"])).network.eval()
    torch.manual_seed(job["seed"])
    network: nn.Module = config_from_json(job["config"], where="job").build().eval()
    return network


def clips(count: int, frames: int, side: int, seed: int) -> Tensor:
    """Random clips that are smooth in space and time, `x_BCTHW` in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, COARSE, COARSE, COARSE, generator=generator) * 2 - 1
    return F.interpolate(coarse, size=(frames, side, side), mode="trilinear")


def plain(answer: Tensor | SuperResolved) -> Tensor:
    """Logits, or the enlarged clip."""
    return answer.video_BCTHW if isinstance(answer, SuperResolved) else answer


def _as_published(network: nn.Module, device: torch.device) -> Runner:
    """Everything that the published networks compute, the attention map among it."""

    @torch.inference_mode()
    def video(x_BCTHW: Tensor) -> Tensor:
        assert isinstance(network, Recognizer)
        return network.enlarge(x_BCTHW.to(device)).video_BCTHW.cpu()

    @torch.inference_mode()
    def output(x_BCTHW: Tensor) -> Tensor:
        x_BCTHW = x_BCTHW.to(device)
        if isinstance(network, Recognizer):
            return network.classify(network.enlarge(x_BCTHW).video_BCTHW).cpu()
        return plain(network(x_BCTHW)).cpu()

    return Runner(output, _video_of(network, video, output))


def _ours(
    network: nn.Module, device: torch.device, dtype: torch.dtype, *, compiled: bool
) -> Runner:
    """As `Inference` runs it, or compiled with its weights held fast."""
    network = placed(network, device, dtype)
    called: Callable[..., Any] = network
    if compiled:
        called = torch.compile(network, options={"freezing": device.type == "cpu"})

    @torch.inference_mode()
    def video(x_BCTHW: Tensor) -> Tensor:
        assert isinstance(network, Recognizer)
        enlarged = network.enlarge(network_input(x_BCTHW.to(device), dtype), with_map=False)
        return enlarged.video_BCTHW.float().cpu()

    @torch.no_grad()
    def output(x_BCTHW: Tensor) -> Tensor:
        return plain(called(network_input(x_BCTHW.to(device), dtype))).float().cpu()

    return Runner(output, _video_of(network, video, output))


def _video_of(network: nn.Module, of_recognizer: Run, output: Run) -> Run | None:
    if isinstance(network, Recognizer):
        return None if network.super_resolution is None else of_recognizer
    return None if isinstance(network, Classifier) else output
