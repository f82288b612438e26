"""Equations 1 to 4 against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tinyvirat.training.objectives import (
    attention_loss,
    class_weights,
    classification_loss,
    joint_loss,
    reconstruction_loss,
    sparsity,
)


def video(*values: float) -> Tensor:
    """Clips of one frame of 1 x n pixels and two channels of the same values."""
    return torch.tensor(values).expand(1, 2, 1, 1, len(values))


def test_reconstruction_is_the_mean_difference() -> None:
    loss = reconstruction_loss(video(0.0, 1.0, -1.0), video(0.5, 1.0, 0.5))
    assert loss.item() == pytest.approx((0.5 + 0.0 + 1.5) / 3)


def test_the_map_weights_every_pixel_of_all_channels() -> None:
    attention = torch.tensor([1.0, 0.5, 0.2]).reshape(1, 1, 1, 1, 3)
    loss = reconstruction_loss(video(0.0, 1.0, -1.0), video(0.5, 2.0, 0.5), attention)
    # The divisor is C T H W: it does not become smaller with the map.
    assert loss.item() == pytest.approx((0.5 * 1.0 + 1.0 * 0.5 + 1.5 * 0.2) / 3)


def test_a_map_of_ones_is_the_first_phase() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 2, 3, 4, 5, 5)
    assert torch.equal(
        reconstruction_loss(a, b, torch.ones(2, 1, 4, 5, 5)), reconstruction_loss(a, b)
    )


def test_unlike_shapes_are_no_reconstruction() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2, 1, 1, 2\) and truth \(1, 2, 1, 1, 3\)"):
        reconstruction_loss(video(0.0, 1.0), video(0.0, 1.0, 2.0))


def test_sparsity_is_the_mean_of_the_map() -> None:
    assert sparsity(torch.tensor([0.0, 0.5, 1.0, 0.25])).item() == pytest.approx(1.75 / 4)


def test_one_label_takes_cross_entropy() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert classification_loss(logits, targets, "single").item() == pytest.approx(expected)


def test_several_labels_take_binary_cross_entropy() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0]])
    targets = torch.tensor([[1.0, 1.0]])
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert classification_loss(logits, targets, "multi").item() == pytest.approx(expected)
    none = classification_loss(logits, torch.zeros(1, 2), "multi").item()
    assert none == pytest.approx(-(math.log(0.25) + math.log(0.5)) / 2)


def test_classes_are_weighted() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    weights = torch.tensor([2.0, 4.0])
    single = classification_loss(logits, targets, "single", weights).item()
    # The mean over clips, not over weights: pieces of a batch add up to the batch.
    assert single == pytest.approx(-(2 * math.log(0.75) + 4 * math.log(0.5)) / 2)
    multi = classification_loss(logits, targets, "multi", weights).item()
    positive = 2 * math.log(0.75) + 4 * math.log(0.5)
    assert multi == pytest.approx(-(positive + math.log(0.5) + math.log(0.5)) / 4)


def test_labels_are_single_or_multi() -> None:
    with pytest.raises(ValueError, match="'many' is not one of single, multi"):
        classification_loss(torch.zeros(1, 2), torch.zeros(1, 2), "many")  # type: ignore[arg-type]


def test_equations_two_and_three_weigh_and_add() -> None:
    classification, attention = torch.tensor(2.0), torch.full((1, 1, 2, 2, 2), 0.5)
    att = attention_loss(classification, attention, 0.1)
    assert att.item() == pytest.approx(2.0 + 0.1 * 0.5)
    total = joint_loss(torch.tensor(3.0), att, 100.0, 0.5)
    assert total.item() == pytest.approx(300.0 + 0.5 * 2.05)


def test_rare_classes_count_as_much_as_frequent_ones() -> None:
    counts = torch.tensor([6, 3, 0])
    single = class_weights(counts, 9, "single")
    assert single.tolist() == pytest.approx([9 / (2 * 6), 9 / (2 * 3), 0.0])
    # Over the training set every class that is there has the same share, and the mean weight is 1.
    assert (single * counts)[:2].tolist() == pytest.approx([4.5, 4.5])
    multi = class_weights(counts, 9, "multi")
    assert multi.tolist() == pytest.approx([3 / 6, 6 / 3, 1.0])
    # What all clips show is still learnt.
    assert class_weights(torch.tensor([9, 3]), 9, "multi").tolist() == pytest.approx([1 / 9, 2.0])
