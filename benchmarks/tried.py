"""What was tried to make the networks faster, piece by piece, on this machine.

    python benchmarks/tried.py docs/performance.md [--threads 2]

Every row sets a way beside the way before it, with the same weights and the same input, in turns;
the best of all turns is taken, as whatever else runs only ever adds time. Writes the table between
the page's marks.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.ao.nn.quantized import Conv3d as Conv3dInt8

from tinyvirat.common.files import write_text
from tinyvirat.models.blocks import ResidualDenseBlock, enlarge_frames, leaky
from tinyvirat.models.i3d import largest_neighbour
from tinyvirat.models.inference import placed
from tinyvirat.models.unfilled import unfilled
from tinyvirat.models.zoo import ZOO
from tinyvirat.training.journal import environment

BEGIN, END = "<!-- tried: begin -->", "<!-- tried: end -->"
HALF, LAST = torch.bfloat16, torch.channels_last_3d
TURNS, BUDGET = 15, 6.0


@dataclass(frozen=True)
class Trial:
    """Two ways to the same.

    Attributes:
        what: a few words.
        before: the way before.
        after: the way tried.
        kept: whether the package does it.
        tolerance: largest relative difference that they may have; None: they are no answers to the
            same.
        made_real: what turns the later answer into numbers, if it is none.
    """

    what: str
    before: Callable[[], Tensor]
    after: Callable[[], Tensor]
    kept: bool
    tolerance: float | None = 2e-2
    made_real: Callable[[Tensor], Tensor] = Tensor.float


def main(page: Path, threads: int) -> None:
    """Measures everything and replaces the table between the page's marks."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with torch.inference_mode():
        rows = [row(trial) for trial in trials()]
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page}: no lines {BEGIN} and {END}")
    write_text(page, f"{before}{BEGIN}\n{table(rows, threads)}\n{END}{after}")


def clip(*shape: int, dtype: torch.dtype = HALF) -> Tensor:
    """Random features, channels last."""
    return torch.randn(1, *shape).to(dtype).contiguous(memory_format=LAST)


def trials() -> list[Trial]:
    """All of them; the shapes are those of Prog. DVSR x8 and of I3D for 112 px."""
    large, middle, small = clip(32, 16, 112, 112), clip(32, 16, 56, 56), clip(32, 16, 14, 14)
    exact, usual = large.float().contiguous(), large.contiguous()
    weight = (torch.randn(32, 32, 3, 3, 3) * 0.03).to(HALF).contiguous(memory_format=LAST)
    exact_weight, usual_weight = weight.float().contiguous(), weight.contiguous()
    eight, made_real = in_int8(large.float(), weight.float())
    mixed = clip(256, 8, 28, 28)
    rgb = clip(3, 16, 14, 14)
    return [
        Trial(
            "convolution of 32 channels at 112 px: float32 as published, bfloat16 channels last",
            lambda: F.conv3d(exact, exact_weight, padding=1),
            lambda: F.conv3d(large, weight, padding=1),
            kept=True,
        ),
        Trial(
            "the same: bfloat16 in the default memory format, channels last",
            lambda: F.conv3d(usual, usual_weight, padding=1),
            lambda: F.conv3d(large, weight, padding=1),
            kept=True,
        ),
        Trial(
            "the same: 3D, three 2D convolutions on neighbouring frames laid side by side",
            lambda: F.conv3d(large, weight, padding=1),
            lambda: side_by_side(large, weight),
            kept=False,
        ),
        Trial(
            "the same: bfloat16, int8 with whole tensors on one scale",
            lambda: F.conv3d(large, weight, padding=1),
            eight,
            kept=False,
            tolerance=0.1,
            made_real=made_real,
        ),
        Trial(
            "max-pooling 3 x 3 x 3 of I3D, 256 channels at 28 px: at once, axis by axis",
            lambda: F.max_pool3d(mixed, 3, 1, padding=1),
            lambda: largest_neighbour(mixed),
            kept=True,
            tolerance=0.0,
        ),
        Trial(
            "enlarging 56 to 112 px, 32 channels: in bfloat16, in float32 and back",
            lambda: enlarge_frames(middle, (112, 112)),
            lambda: enlarge_frames(middle.float(), (112, 112)).to(HALF),
            kept=False,
            tolerance=0.0,
        ),
        Trial(
            "enlarging RGB 14 to 112 px: in bfloat16, in float32 and back",
            lambda: enlarge_frames(rgb, (112, 112)),
            lambda: enlarge_frames(rgb.float(), (112, 112)).to(HALF),
            kept=False,
            tolerance=0.0,
        ),
        Trial(
            "enlarging, then convolution: linear, nearest folded into a transposed convolution "
            "(another answer: it would need other weights)",
            lambda: F.conv3d(enlarge_frames(middle, (112, 112)), weight, padding=1),
            lambda: folded_nearest(middle, weight),
            kept=False,
            tolerance=None,
        ),
        Trial(
            "dense block at 14 px: joined each time, written into one buffer",
            lambda: dense(small),
            lambda: dense_in_buffer(small),
            kept=False,
        ),
        Trial("I3D at 112 px: with batch norms, folded", *i3d(), kept=True, tolerance=None),
    ]


def in_int8(x_BCTHW: Tensor, weight: Tensor) -> tuple[Callable[[], Tensor], Callable[..., Tensor]]:
    """PyTorch's convolution in int8, by oneDNN; its scales are those that fit this very input."""
    warnings.simplefilter("ignore", UserWarning)  # PyTorch will give quantised tensors up
    torch.backends.quantized.engine = "onednn"
    low, high = float(x_BCTHW.min()), float(x_BCTHW.max())
    scale = (high - low) / 255
    eight = torch.quantize_per_tensor(x_BCTHW, scale, round(-low / scale), torch.quint8)
    small = torch.quantize_per_tensor(weight, float(weight.abs().max()) / 127, 0, torch.qint8)
    convolution = Conv3dInt8(weight.shape[1], weight.shape[0], 3, padding=1)
    convolution.set_weight_bias(small, torch.zeros(weight.shape[0]))
    largest = float(F.conv3d(x_BCTHW, weight, padding=1).abs().max())
    convolution.scale, convolution.zero_point = largest * 2 / 255, 128
    return (lambda: convolution(eight)), torch.dequantize


def side_by_side(x_BCTHW: Tensor, weight: Tensor) -> Tensor:
    """A 3D convolution as a 2D one over three times the channels."""
    padded = F.pad(x_BCTHW, (0, 0, 0, 0, 1, 1))
    frames = x_BCTHW.shape[2]
    wide = torch.cat([padded[:, :, t : t + frames] for t in range(3)], 1)
    frames_NCHW = wide.transpose(1, 2)[0].contiguous(memory_format=torch.channels_last)
    flat = weight.transpose(1, 2).reshape(weight.shape[0], -1, 3, 3)
    return F.conv2d(frames_NCHW, flat, padding=1).transpose(0, 1)[None]


def folded_nearest(x_BCTHW: Tensor, weight: Tensor) -> Tensor:
    """Nearest enlargement by two and a convolution, as one transposed convolution."""
    over_2 = [F.pad(weight, (a, 1 - a, b, 1 - b)) for a in (0, 1) for b in (0, 1)]
    folded = torch.stack(over_2).sum(0).flip(2, 3, 4).transpose(0, 1)
    return F.conv_transpose3d(x_BCTHW, folded, stride=(1, 2, 2), padding=(1, 1, 1))


BLOCK = ResidualDenseBlock(32, 32).eval().to(HALF)
BLOCK.to(memory_format=LAST)


def dense(x_BCTHW: Tensor) -> Tensor:
    """The block as it is."""
    return BLOCK(x_BCTHW)


def dense_in_buffer(x_BCTHW: Tensor) -> Tensor:
    """Its features side by side from the beginning: a convolution reads a part of each place."""
    buffer = torch.empty(1, 160, *x_BCTHW.shape[2:], dtype=HALF).contiguous(memory_format=LAST)
    buffer[:, :32] = x_BCTHW
    for index, conv in enumerate(BLOCK.convs[:-1], start=1):
        buffer[:, 32 * index : 32 * (index + 1)] = leaky(conv(buffer[:, : 32 * index]))
    return x_BCTHW + 0.2 * BLOCK.convs[-1](buffer)


def i3d() -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """The classifier with its norms, and as it is opened."""
    x_BCTHW = clip(3, 16, 112, 112)
    with unfilled():
        whole, folded = (ZOO["i3d-112"].config.build().eval() for _ in range(2))
    for network in (whole, folded):
        network.to_empty(device="cpu")
        for tensor in network.state_dict().values():
            tensor.fill_(0.01)
    whole.to(HALF).to(memory_format=LAST)
    placed(folded, torch.device("cpu"), HALF)
    return (lambda: whole(x_BCTHW)), (lambda: folded(x_BCTHW))


def row(trial: Trial) -> str:
    """One line of the table."""
    wanted, found = trial.before().float(), trial.made_real(trial.after())
    differs = ""
    if trial.tolerance is not None:
        error = ((found - wanted).norm() / wanted.norm()).item()
        assert error <= trial.tolerance, f"{trial.what}: differs by {error:.1e}"
        differs = f"{error:.0e}"
    best = [float("inf"), float("inf")]
    began = time.perf_counter()
    for turn in range(TURNS):
        for number, way in enumerate((trial.before, trial.after)):
            start = time.perf_counter()
            way()
            best[number] = min(best[number], time.perf_counter() - start)
        if turn > 2 and time.perf_counter() - began > BUDGET:
            break
    times = f"{best[0] * 1e3:.2f} | {best[1] * 1e3:.2f} | {best[0] / best[1]:.2f}"
    return f"| {trial.what} | {times} | {differs} | {'yes' if trial.kept else 'no'} |"


def table(rows: list[str], threads: int) -> str:
    """The table with what it was made on."""
    facts = environment()
    return "\n".join(
        [
            f"Made by `python benchmarks/tried.py docs/performance.md --threads {threads}` at",
            f"commit {facts['commit']}, {facts['time']}, on {facts['processor']}, load",
            f"{os.getloadavg()[0]:.1f}, torch {torch.__version__}; do not edit.",
            "",
            "| what: before, after | before, ms | after, ms | times faster | differs by | done |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    main(options.page, options.threads)
