"""Which number format is really the fast one on a device: measured, because names do not tell.

bfloat16 is two to five times faster than float32 on a CPU that has instructions for it, and slower,
1.4 to 60 times, on one that has not; the same code, the same torch. So a 3D convolution, what the
networks here spend their time in, is timed once a process.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

import torch
from torch import nn

CANDIDATES = (torch.float32, torch.bfloat16, torch.float16)

MARGIN = 1.2
"""How many times faster than float32 a format must be before its lost digits are worth it."""

HOPELESS = 1 / 4
"""The speed beside float32 on a small input below which a format is not measured further."""

TOLERANCE = 0.03
"""The largest error, relative to the largest output, that a half-precision convolution may have."""

ROUNDS = 7
BUDGET_S = 0.5
"""No further round begins after this time: a slow machine gets fewer."""


@dataclass(frozen=True)
class PrecisionResult:
    """How one number format does on one device.

    Attributes:
        dtype: the number format.
        ratio: how many times faster than float32 (below 1: slower); None when it does not work.
        reason: why it does not work; None when it does.
    """

    dtype: torch.dtype
    ratio: float | None
    reason: str | None = None


def fastest_dtype(device: torch.device | str, *, float16: bool = False) -> torch.dtype:
    """The number format to compute in on `device`, measured once a process (about 0.3 s).

    Args:
        device: where the networks run.
        float16: let float16 be chosen too. It overflows above 65,504, and training in it needs loss
            scaling, so that the choice is between float32 and bfloat16 by default.

    Returns:
        The fastest format, float32 unless another is at least `MARGIN` times as fast.

    Raises:
        RuntimeError: torch cannot compute on `device` at all.
    """
    allowed = (torch.bfloat16, torch.float16) if float16 else (torch.bfloat16,)
    fastest, dtype = MARGIN, torch.float32
    for one in measure(device):
        if one.dtype in allowed and one.ratio is not None and one.ratio >= fastest:
            fastest, dtype = one.ratio, one.dtype
    return dtype


def measure(device: torch.device | str) -> tuple[PrecisionResult, ...]:
    """Times a 3D convolution in float32, bfloat16 and float16 on `device`, once a process.

    Raises:
        RuntimeError: torch cannot compute on `device` at all.
    """
    return _measure(str(torch.device(device)))


@functools.cache
def _measure(device: str) -> tuple[PrecisionResult, ...]:
    exact = _Trial(device, torch.float32)
    exact.output()
    trials, results = [exact], [PrecisionResult(torch.float32, 1.0)]
    for dtype in CANDIDATES[1:]:
        try:
            trial = _Trial(device, dtype)
            trial.check(exact)
        except (RuntimeError, TypeError) as error:
            results.append(PrecisionResult(dtype, None, str(error).split("\n")[0]))
            continue
        ratio = _race([exact, trial], small=True)[1]
        if ratio < HOPELESS:
            results.append(PrecisionResult(dtype, ratio))
        else:
            trials.append(trial)
    ratios = zip(trials[1:], _race(trials, small=False)[1:], strict=True)
    results += [PrecisionResult(trial.dtype, ratio) for trial, ratio in ratios]
    return tuple(sorted(results, key=lambda result: CANDIDATES.index(result.dtype)))


def _race(trials: list[_Trial], *, small: bool) -> list[float]:
    """How many times faster than the first each trial is, by the best of some rounds."""
    best = [float("inf")] * len(trials)
    began = time.perf_counter()
    for done in range(ROUNDS):  # in turns, so that a busy moment of the machine hits all alike
        best = [min(old, trial.seconds(small)) for old, trial in zip(best, trials, strict=True)]
        if done and time.perf_counter() - began > BUDGET_S:
            break
    return [best[0] / seconds for seconds in best]


class _Trial:
    """One convolution in one format, on an input of a usual size and on a small one."""

    def __init__(self, device: str, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(0)
        # One clip alone would mislead: on a CPU torch keeps small float32 inputs of batch 1 from
        # oneDNN and takes five times as long. An accelerator needs more to have work to do.
        clips, self.repeats = (2, 1) if torch.device(device).type == "cpu" else (32, 8)
        x_BCTHW = torch.randn(clips, 64, 4, 28, 28, generator=generator)
        weight = torch.randn(64, 64, 3, 3, 3, generator=generator) / (64 * 27) ** 0.5
        layout = torch.channels_last_3d
        self.dtype = dtype
        self.x_BCTHW = x_BCTHW.to(device, dtype).contiguous(memory_format=layout)
        self.weight = weight.to(device, dtype).contiguous(memory_format=layout)
        self.small_BCTHW = self.x_BCTHW[:2, :, :2, :8, :8].contiguous(memory_format=layout)

    def check(self, exact: _Trial) -> None:
        """Raises RuntimeError when this format does not work or its results are wrong."""
        y, y_exact = self.output(), exact.output()
        error = ((y - y_exact).abs().max() / y_exact.abs().max()).item()
        if not error <= TOLERANCE:
            raise RuntimeError(f"its results are off by {error:.1%}")

    @torch.inference_mode()
    def output(self) -> torch.Tensor:
        """The small input's result as float32 on the CPU."""
        return nn.functional.conv3d(self.small_BCTHW, self.weight, padding=1).float().cpu()

    @torch.inference_mode()
    def seconds(self, small: bool) -> float:
        """The time of one convolution; reading a value of the last waits for any device."""
        x_BCTHW, repeats = (self.small_BCTHW, 1) if small else (self.x_BCTHW, self.repeats)
        began = time.perf_counter()
        for _ in range(repeats):
            y_BCTHW = nn.functional.conv3d(x_BCTHW, self.weight, padding=1)
        y_BCTHW[0, 0, 0, 0, 0].item()
        return (time.perf_counter() - began) / repeats
