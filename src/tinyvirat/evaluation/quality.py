"""PSNR and SSIM of super-resolved clips, and exactly what they were measured on.

Protocol: both videos are clamped to [-1, 1] and mapped to [0, 1] (data range 1). All three colour
channels and all pixels count, nothing is rounded to 8 bits. PSNR is taken per frame, of the mean
squared error over its channels and pixels, and averaged over the frames of a video; a frame without
error counts as 100 dB, which lies above what any error in 8 bits gives at these sizes (94 dB for
one level in one sample of 112 x 112 x 3). SSIM is taken per frame (2D) with a Gaussian window of
11 x 11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03, as the mean over the windows that lie wholly
inside (Wang et al. 2004), and averaged over the frames of a video. A set's score is the mean over
its videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tinyvirat.evaluation.errors import EvaluationError

if TYPE_CHECKING:
    import torch

PROTOCOL = (
    "RGB in [0, 1] after clamping, all pixels, not rounded; PSNR and SSIM (11 x 11 Gaussian, sigma "
    "1.5, windows inside) per frame, averaged per video, then over videos; an exact frame is 100 dB"
)
HIGHEST_PSNR = 100.0
WINDOW = 11
MARGIN = WINDOW // 2


@dataclass(frozen=True)
class VideoQuality:
    """One video's scores: `psnr` in dB, `ssim` at most 1."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class Quality:
    """The mean over videos.

    Attributes:
        videos: how many.
        psnr: in dB.
        ssim: at most 1.
        protocol: what was measured, in words.
    """

    videos: int
    psnr: float
    ssim: float
    protocol: str = PROTOCOL


def measure(video_BCTHW: torch.Tensor, truth_BCTHW: torch.Tensor) -> tuple[VideoQuality, ...]:
    """PSNR and SSIM of each video of a batch, by the protocol of this module.

    Args:
        video_BCTHW: super-resolved, floating point, [-1, 1]; what lies outside is clamped.
        truth_BCTHW: what it should be, the same shape, [-1, 1].

    Returns:
        One entry a video, in order.

    Raises:
        ValueError: shapes that differ or are not B, 3 or 1, T, H, W; frames smaller than 11 x 11.
        EvaluationError: a value that is not a finite number.
    """
    _check(video_BCTHW, truth_BCTHW)
    found = []
    # One video at a time: SSIM keeps ten copies of what it looks at.
    for video_CTHW, truth_CTHW in zip(video_BCTHW, truth_BCTHW, strict=True):
        video_TCHW, truth_TCHW = _unit_frames(video_CTHW), _unit_frames(truth_CTHW)
        psnr_T, ssim_T = _psnr(video_TCHW, truth_TCHW), _ssim(video_TCHW, truth_TCHW)
        found.append(VideoQuality(float(psnr_T.double().mean()), float(ssim_T.double().mean())))
    return tuple(found)


def published_psnr(video_BCTHW: torch.Tensor, truth_BCTHW: torch.Tensor) -> float:
    """PSNR as the published code has it: of the whole batch at once, unclamped, in dB.

    One mean squared error over every value of the batch, data range 2. It depends on how clips are
    batched, and the set's score is the mean over batches: only for comparison with that code.

    Args:
        video_BCTHW: super-resolved, floating point, about [-1, 1].
        truth_BCTHW: what it should be, the same shape, [-1, 1].

    Raises:
        ValueError: shapes that differ or are not B, 3 or 1, T, H, W; frames smaller than 11 x 11.
        EvaluationError: a value that is not a finite number.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    _check(video_BCTHW, truth_BCTHW)
    psnr = peak_signal_noise_ratio(video_BCTHW.float(), truth_BCTHW.float(), data_range=2.0)
    return min(float(psnr), HIGHEST_PSNR)


def mean_quality(videos: Sequence[VideoQuality]) -> Quality:
    """The mean over videos.

    Raises:
        EvaluationError: there are none.
    """
    if not videos:
        raise EvaluationError("there are no videos whose quality could be averaged")
    psnr = float(np.mean([video.psnr for video in videos]))
    return Quality(len(videos), psnr, float(np.mean([video.ssim for video in videos])))


def _check(video_BCTHW: torch.Tensor, truth_BCTHW: torch.Tensor) -> None:
    shape, other = tuple(video_BCTHW.shape), tuple(truth_BCTHW.shape)
    if shape != other:
        raise ValueError(f"a video of shape {shape} against a truth of shape {other}")
    if len(shape) != 5 or shape[1] not in (1, 3) or 0 in shape or min(shape[3:]) < WINDOW:
        raise ValueError(
            f"videos must be B, 3 or 1, T, H, W with frames of at least {WINDOW} x {WINDOW} "
            f"pixels, got {shape}"
        )
    for name, values in (("super-resolved", video_BCTHW), ("true", truth_BCTHW)):
        if not values.is_floating_point():
            raise ValueError(f"the {name} video must be floating point in [-1, 1]")
        if not bool(values.isfinite().all()):
            raise EvaluationError(f"the {name} video holds values that are not finite numbers")


def _unit_frames(video_CTHW: torch.Tensor) -> torch.Tensor:
    """Frames first, clamped, in [0, 1]: SSIM depends on where black lies."""
    return (video_CTHW.float().clamp(-1.0, 1.0).transpose(0, 1) + 1.0) / 2.0


def _psnr(video_TCHW: torch.Tensor, truth_TCHW: torch.Tensor) -> torch.Tensor:
    from torchmetrics.functional.image import peak_signal_noise_ratio

    psnr_T: torch.Tensor = peak_signal_noise_ratio(
        video_TCHW, truth_TCHW, data_range=1.0, reduction="none", dim=(1, 2, 3)
    )
    return psnr_T.clamp(max=HIGHEST_PSNR)


def _ssim(video_TCHW: torch.Tensor, truth_TCHW: torch.Tensor) -> torch.Tensor:
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    # Channels last is the same answer in a fifth of the time on CPUs: its windows are convolutions.
    videos = (v.contiguous(memory_format=torch.channels_last) for v in (video_TCHW, truth_TCHW))
    # Its own mean includes windows over the mirrored border, which the definition does not have.
    _, map_TCHW = structural_similarity_index_measure(
        *videos, data_range=1.0, reduction="none", return_full_image=True
    )
    inner: torch.Tensor = map_TCHW[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    return inner.mean(dim=(1, 2, 3))
