"""A model made ready to answer: on its device, in its precision, in batches.

Evaluation and recognition both go through here, so that they give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.precision import fastest_dtype
from tinyvirat.models.blocks import SuperResolved
from tinyvirat.models.saved import Model

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
        model: the recogniser; its network is moved and converted in place.
        device: where to compute; `auto` picks.
        precision: `auto`, `float32`, `bfloat16` or `float16`.
        batch: at most how many windows at once, 1 or more.

    Attributes:
        preprocess: frames to network input: the model's own, unless it is replaced by a variant
            (`Preprocess.at`) to see how the network answers to smaller clips.
    """

    def __init__(
        self, model: Model, *, device: str = "auto", precision: str = "auto", batch: int = 8
    ) -> None:
        if batch < 1:
            raise TinyviratError(f"batch {batch} is not 1 or more")
        self.spec = model.spec
        self.preprocess = model.spec.preprocess
        self.device = pick_device(device)
        self.dtype = pick_dtype(precision, self.device)
        self.batch = batch
        network = model.network.to(device=self.device, dtype=self.dtype).eval()
        # The stubs of Module.to know the memory format only together with a tensor.
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

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
                x_BCTHW = self._ready(bucket.x_BCTHW[part])
                logits_NK[list(bucket.indices[part])] = self.network(x_BCTHW).float().cpu()
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

    def _ready(self, x_BCTHW: Tensor) -> Tensor:
        return x_BCTHW.to(dtype=self.dtype, memory_format=torch.channels_last_3d)
