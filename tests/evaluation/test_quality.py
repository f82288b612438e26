"""PSNR and SSIM: by hand, by the textbook, as torchmetrics, and what their protocol promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.quality import VideoQuality, mean_quality, measure, published_psnr


def pair(seed: int = 0, noise: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    truth = torch.rand(2, 3, 3, 20, 24) * 2.0 - 1.0
    return truth + noise * torch.randn_like(truth), truth


def textbook_ssim(image: np.ndarray, truth: np.ndarray) -> float:
    """Wang et al. 2004 on one channel in [0, 1], window by window."""
    ramp = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    window = np.outer(ramp, ramp) / np.outer(ramp, ramp).sum()
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for y in range(image.shape[0] - 10):
        for x in range(image.shape[1] - 10):
            a, b = image[y : y + 11, x : x + 11], truth[y : y + 11, x : x + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a = (window * (a - mean_a) ** 2).sum()
            var_b = (window * (b - mean_b) ** 2).sum()
            both = (window * (a - mean_a) * (b - mean_b)).sum()
            above = (2 * mean_a * mean_b + c1) * (2 * both + c2)
            values.append(above / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return float(np.mean(values))


def test_psnr_by_hand_is_averaged_over_frames() -> None:
    # Errors of 0.2 and 0.02 in [-1, 1] are 0.1 and 0.01 of the range: 20 dB and 40 dB.
    truth = torch.zeros(1, 3, 2, 16, 16)
    video = truth.clone()
    video[:, :, 0] += 0.2
    video[:, :, 1] -= 0.02
    (found,) = measure(video, truth)
    assert found.psnr == pytest.approx(30.0, abs=1e-3)


def test_ssim_is_the_textbooks() -> None:
    video, truth = pair()
    found = measure(video, truth)
    for b in range(2):
        unit = [((x[b].clamp(-1, 1) + 1) / 2).double().numpy() for x in (video, truth)]
        frames = [textbook_ssim(unit[0][c, t], unit[1][c, t]) for c in range(3) for t in range(3)]
        assert found[b].ssim == pytest.approx(float(np.mean(frames)), abs=1e-5)


def test_ssim_of_nearly_flat_frames_survives_single_precision() -> None:
    torch.manual_seed(0)
    truth = 0.8 + 0.01 * torch.randn(1, 1, 1, 24, 24)
    video = truth + 0.01 * torch.randn_like(truth)
    unit = [((x[0, 0, 0] + 1) / 2).double().numpy() for x in (video, truth)]
    assert measure(video, truth)[0].ssim == pytest.approx(textbook_ssim(*unit), abs=1e-3)


def test_what_leaves_the_range_is_clamped() -> None:
    truth = torch.ones(1, 3, 1, 16, 16)
    (found,) = measure(truth + 5.0, truth)
    assert found.psnr == 100.0
    assert found.ssim == pytest.approx(1.0)


def test_an_exact_frame_counts_one_hundred() -> None:
    _, truth = pair()
    assert measure(truth, truth)[0].psnr == 100.0
    half = truth.clone()
    half[:, :, 0] = 0.0
    assert 33.0 < measure(half, truth)[0].psnr < 100.0
    assert mean_quality(measure(truth, truth)).ssim == pytest.approx(1.0)


def test_it_does_not_depend_on_the_batch_and_the_published_one_does() -> None:
    video, truth = pair()
    video[1] = truth[1] + 0.01
    together = measure(video, truth)
    alone = measure(video[:1], truth[:1]) + measure(video[1:], truth[1:])
    assert together == alone
    parts = [published_psnr(video[b : b + 1], truth[b : b + 1]) for b in range(2)]
    assert published_psnr(video, truth) < np.mean(parts) - 3.0


def test_the_published_psnr_is_of_the_batch_unclamped() -> None:
    video, truth = pair()
    error = float((video - truth).double().pow(2).mean())
    assert published_psnr(video, truth) == pytest.approx(10 * math.log10(4.0 / error), abs=1e-4)
    theirs = float(peak_signal_noise_ratio(video, truth, data_range=2.0))
    assert published_psnr(video, truth) == pytest.approx(theirs)
    clamped = measure(video, truth)
    assert clamped[0].psnr > published_psnr(video[:1], truth[:1])


def test_more_noise_is_worse() -> None:
    little, much = (mean_quality(measure(*pair(noise=noise))) for noise in (0.05, 0.3))
    assert little.psnr > much.psnr
    assert little.ssim > much.ssim


def test_the_order_of_videos_does_not_matter() -> None:
    video, truth = pair()
    assert measure(video.flip(0), truth.flip(0)) == measure(video, truth)[::-1]


def test_bfloat16_is_measured_in_single_precision() -> None:
    video, truth = pair()
    low = video.bfloat16()
    assert measure(low, truth) == measure(low.float(), truth)


def test_the_mean_is_over_videos() -> None:
    quality = mean_quality([VideoQuality(20.0, 0.5), VideoQuality(30.0, 0.9)])
    assert (quality.videos, quality.psnr, quality.ssim) == (2, 25.0, pytest.approx(0.7))
    assert "clamp" in quality.protocol
    with pytest.raises(EvaluationError, match="no videos"):
        mean_quality([])


@pytest.mark.parametrize(
    ("shape", "other"),
    [
        ((1, 3, 1, 16, 16), (1, 3, 2, 16, 16)),
        ((3, 1, 16, 16), (3, 1, 16, 16)),
        ((1, 3, 1, 10, 16), (1, 3, 1, 10, 16)),
        ((1, 16, 3, 16, 16), (1, 16, 3, 16, 16)),
        ((0, 3, 1, 16, 16), (0, 3, 1, 16, 16)),
    ],
)
def test_shapes_that_do_not_fit(shape: tuple[int, ...], other: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape|videos must be"):
        measure(torch.zeros(shape), torch.zeros(other))


def test_values_that_cannot_be_measured() -> None:
    truth = torch.zeros(1, 3, 1, 16, 16)
    with pytest.raises(EvaluationError, match="super-resolved video holds"):
        measure(truth * torch.nan, truth)
    with pytest.raises(ValueError, match="floating point"):
        measure(truth.to(torch.uint8), truth)
