"""What is kept of frames is enough for their windows, and no more than it must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tinyvirat.common.pixels import crop_windows
from tinyvirat.datasets.tubes.rules import CropRule
from tinyvirat.recognition.proposals import square_windows
from tinyvirat.recognition.stream.patches import cut_window, patches_of

WIDTH, HEIGHT = 160, 120


def frames(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.parametrize(
    "at",
    [
        lambda t: (60 + 2 * t, 50, 72 + 2 * t, 74),  # walks
        lambda t: (0, 4 * t, 10, 4 * t + 20),  # at the edge of the frame
        lambda t: (90 + t, 80, 96 + 2 * t, 92 + t),  # grows to twice its size
        lambda t: (150 - t, 100, 160, 120 - t / 3),  # in the corner
    ],
)
def test_windows_are_those_of_the_whole_frames(at: object) -> None:
    frames_THWC = frames(12)
    boxes = [tuple(map(float, at(t))) for t in range(12)]  # type: ignore[operator]
    patches = [patches_of(f, [box])[0] for f, box in zip(frames_THWC, boxes, strict=True)]
    assert sum(one.pixels_HWC.nbytes for one in patches) < frames_THWC.nbytes / 2
    assert all(one.pixels_HWC.base is None for one in patches)  # the frame can go
    indices_T = np.array([0, 3, 6, 9, 11])
    rule = CropRule()
    found = cut_window(patches, boxes, indices_T, (WIDTH, HEIGHT), rule)
    windows_T4 = square_windows(boxes, (WIDTH, HEIGHT), rule)[indices_T]
    wanted = crop_windows(torch.from_numpy(frames_THWC[indices_T]), windows_T4)
    assert found.dtype == torch.uint8
    assert torch.equal(found, wanted)


def test_a_window_that_outgrows_what_was_kept_repeats_its_edge() -> None:
    frames_THWC = frames(2)
    boxes = [(70.0, 50.0, 76.0, 56.0), (20.0, 10.0, 110.0, 100.0)]
    patches = [patches_of(f, [box])[0] for f, box in zip(frames_THWC, boxes, strict=True)]
    found = cut_window(patches, boxes, np.arange(2), (WIDTH, HEIGHT), CropRule())
    assert found.shape[1] >= 90
    assert (found[0, 0] == found[0, 1]).all()  # rows beyond what was kept


def test_a_crowd_is_kept_as_the_frame_itself() -> None:
    (frame_HWC,) = frames(1)
    boxes = [(10.0 * n, 20.0, 10.0 * n + 20, 60.0) for n in range(14)]
    patches = patches_of(frame_HWC, boxes)
    assert len(patches) == 14
    assert all(one.pixels_HWC is frame_HWC for one in patches)
    assert patches_of(frame_HWC, []) == []
