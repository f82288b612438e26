"""Each loss against a plain transcription of its paper's formula, and where it becomes another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.training.classification_losses import (
    LOSSES,
    Asymmetric,
    ClassCounts,
    CrossEntropy,
    DistributionBalanced,
    Focal,
    Loss,
    asymmetric_loss,
    check_loss,
    focal_loss,
    rebalanced_weights,
)
from tinyvirat.training.objectives import classification_loss

CLASSES = ClassCounts(torch.tensor([40, 10, 2, 0, 50]), 50)
EXAMPLES: list[Loss] = [
    CrossEntropy(),
    CrossEntropy(class_weights=True),
    Focal(),
    Focal(gamma=0.5, alpha=None),
    Asymmetric(),
    Asymmetric(gamma_positive=1.0, gamma_negative=2.0, clip=0.0),
    Asymmetric(gamma_negative=0.5, clip=0.2),
    DistributionBalanced(),
    DistributionBalanced(lambda_negative=5.0, mu=0.3, gamma=2.0),
]


def plain(loss: Loss, z: Tensor, y: Tensor) -> Tensor:
    """The formulas as they are printed, in float64 and without any care for large logits."""
    p = 1 / (1 + torch.exp(-z))
    n = CLASSES.counts_K.double()
    if isinstance(loss, CrossEntropy):
        w = (CLASSES.clips - n.clamp(min=1)) / n.clamp(min=1) if loss.class_weights else n * 0 + 1
        w = torch.where(n > 0, w, 1.0)
        return (-w * y * p.log() - (1 - y) * (1 - p).log()).mean()
    if isinstance(loss, Focal):
        a, b = (1.0, 1.0) if loss.alpha is None else (loss.alpha, 1 - loss.alpha)
        positive = -a * (1 - p) ** loss.gamma * p.log()
        negative = -b * p**loss.gamma * (1 - p).log()
        return (y * positive + (1 - y) * negative).mean()
    if isinstance(loss, Asymmetric):
        q = torch.relu(p - loss.clip)
        positive = -((1 - p) ** loss.gamma_positive) * p.log()
        negative = -(q**loss.gamma_negative) * (1 - q).log()
        return (y * positive + (1 - y) * negative).mean()
    total = z.new_zeros(())
    for b in range(len(z)):
        for k in range(z.shape[1]):
            drawn = sum(y[b, i] / n[i].clamp(min=1) for i in range(z.shape[1]))
            r = 1 / n[k].clamp(min=1) / drawn
            weight = loss.alpha + 1 / (1 + torch.exp(-loss.beta * (r - loss.mu)))
            share = min(max(float(n[k]) / CLASSES.clips, 0.01), 0.99)
            v = z[b, k] - loss.kappa * math.log(1 / share - 1)
            scale = loss.lambda_negative
            positive = torch.log(1 + torch.exp(-v)) * (1 - 1 / (1 + torch.exp(-v))) ** loss.gamma
            hit = 1 / (1 + torch.exp(-scale * v))
            negative = torch.log(1 + torch.exp(scale * v)) / scale * hit**loss.gamma
            total = total + weight * (y[b, k] * positive + (1 - y[b, k]) * negative)
    return total / z.numel()


def case(seed: int = 0, clips: int = 4) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(clips, 5, generator=draw, dtype=torch.float64)
    targets = (torch.rand(clips, 5, generator=draw) < 0.4).double()
    targets[:, 1] = 1.0
    return logits, targets


def value_and_gradient(function: Callable[[Tensor, Tensor], Tensor], z: Tensor, y: Tensor) -> Any:
    z = z.clone().requires_grad_()
    value = function(z, y)
    return value.detach(), torch.autograd.grad(value, z)[0]


@pytest.mark.parametrize("loss", EXAMPLES, ids=str)
@pytest.mark.parametrize("fractions", [False, True])
def test_value_and_gradient_are_the_papers(loss: Loss, fractions: bool) -> None:
    logits, targets = case()
    if fractions:
        targets = 0.7 * targets + 0.3 * targets.flip(0)
    built = loss.build(CLASSES, "multi")
    found = value_and_gradient(built, logits, targets)
    expected = value_and_gradient(lambda z, y: plain(loss, z, y), logits, targets)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    # Four clips against one: a mean, so that pieces of a batch add up to the batch.
    parts = [built(logits[b : b + 1], targets[b : b + 1]) for b in range(4)]
    torch.testing.assert_close(torch.stack(parts).mean(), found[0])


@pytest.mark.parametrize("loss", EXAMPLES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [30.0, 1e4, 1e30])
def test_large_logits_have_finite_values_and_gradients(
    loss: Loss, dtype: torch.dtype, size: float
) -> None:
    logits = torch.tensor([[-size, size, 0.0, size, -size]] * 2, dtype=dtype)
    targets = torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0], [0.0] * 5])
    value, gradient = value_and_gradient(loss.build(CLASSES, "multi"), logits, targets)
    assert value.dtype == torch.float32
    assert value.isfinite() and gradient.isfinite().all()
    assert value > 0
    # What is answered as wrongly as can be still learns; what is answered rightly has nothing to.
    pushes = gradient[0]
    assert pushes[0] < 0 and pushes[2] < 0
    if size > 100:
        assert pushes[3] == 0 and pushes[4] == 0


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([Focal, Asymmetric, DistributionBalanced]),
    st.lists(st.floats(-80, 80, width=32), min_size=5, max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_no_answer_has_a_negative_loss(kind: Any, logits: list[float], labels: list[bool]) -> None:
    z, y = torch.tensor([logits]), torch.tensor([labels]).float()
    value, gradient = value_and_gradient(kind().build(CLASSES, "multi"), z, y)
    assert value >= 0 and gradient.isfinite().all()
    # A larger logit never makes a missing label dearer to have, or a true one dearer to name.
    assert (gradient[y == 1] <= 0).all() and (gradient[y == 0] >= -1e-7).all()


@pytest.mark.parametrize(
    "loss",
    [
        Focal(gamma=0.0, alpha=None),
        Asymmetric(gamma_positive=0.0, gamma_negative=0.0, clip=0.0),
        DistributionBalanced(alpha=0.5, beta=0.0, lambda_negative=1.0, kappa=0.0),
    ],
    ids=str,
)
def test_without_its_own_each_is_binary_cross_entropy(loss: Loss) -> None:
    logits, targets = case()
    found = value_and_gradient(loss.build(CLASSES, "multi"), logits, targets)
    expected = value_and_gradient(lambda z, y: classification_loss(z, y, "multi"), logits, targets)
    torch.testing.assert_close(found, expected)


def test_without_a_margin_the_asymmetric_loss_with_equal_exponents_is_focal() -> None:
    logits, targets = case()
    torch.testing.assert_close(
        asymmetric_loss(logits, targets, 2.0, 2.0, 0.0), focal_loss(logits, targets, 2.0)
    )


def test_easy_negatives_below_the_margin_do_not_count() -> None:
    logits = torch.tensor([[-4.0]], requires_grad=True)  # p = 0.018
    loss = asymmetric_loss(logits, torch.zeros(1, 1), 0.0, 4.0, 0.05)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() < 1e-12
    assert logits.grad is not None and logits.grad.item() == 0.0


def test_on_the_margin_the_gradient_is_finite() -> None:
    """The square root of nothing has none."""
    value, gradient = value_and_gradient(
        Asymmetric(gamma_negative=0.5, clip=0.5).build(CLASSES, "multi"),
        torch.zeros(1, 5),
        torch.zeros(1, 5),
    )
    assert value < 1e-7 and torch.equal(gradient, torch.zeros(1, 5))


def test_a_certain_mistake_has_a_finite_loss_however_small_the_margin() -> None:
    value, gradient = value_and_gradient(
        Asymmetric(clip=1e-8).build(CLASSES, "multi"),
        torch.full((1, 5), 200.0),
        torch.zeros(1, 5),
    )
    assert 5.0 < value < 20.0 and torch.isfinite(gradient).all()


def test_a_clip_without_labels_has_a_loss_however_flat_the_weights() -> None:
    loss = DistributionBalanced(beta=0.0).build(CLASSES, "multi")
    value, gradient = value_and_gradient(loss, torch.zeros(1, 5), torch.zeros(1, 5))
    assert value > 0 and gradient.isfinite().all()


def test_a_class_is_weighted_by_its_share_of_the_clip() -> None:
    """By hand: classes of 40, 10 and 2 clips."""
    counts = torch.tensor([40.0, 10.0, 2.0])
    targets = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    found = rebalanced_weights(targets, counts, DistributionBalanced())

    def weight(ratio: float) -> float:
        return 0.1 + 1 / (1 + math.exp(-10 * (ratio - 0.2)))

    assert found[0].tolist() == pytest.approx([weight(0.2), weight(0.8), weight(4.0)])
    drawn = 1 / 40 + 1 / 2
    expected = [weight(1 / 40 / drawn), weight(1 / 10 / drawn), weight(1 / 2 / drawn)]
    assert found[1].tolist() == pytest.approx(expected)
    assert found[2].tolist() == pytest.approx([1.1] * 3)  # none of them: every negative counts


def test_rare_classes_are_given_a_higher_threshold_to_learn() -> None:
    """Where nothing is known, p = 0.5 costs a rare class's positive more than a common one's."""
    loss = DistributionBalanced(alpha=0.5, beta=0.0, lambda_negative=1.0, kappa=0.5)
    classes = ClassCounts(torch.tensor([5, 50]), 100)
    _, gradient = value_and_gradient(
        loss.build(classes, "multi"), torch.zeros(1, 2), torch.ones(1, 2)
    )
    assert gradient[0, 0] < gradient[0, 1] < 0
    assert gradient[0, 1].item() == pytest.approx(-0.25)  # half of the clips: no shift


def test_only_cross_entropy_is_for_one_label_a_clip() -> None:
    for loss in EXAMPLES:
        check_loss(loss, "multi", "phase3")
        if isinstance(loss, CrossEntropy):
            check_loss(loss, "single", "phase3")
            continue
        with pytest.raises(TinyviratError, match=r"phase3: the loss '[a-z-]+' judges each class"):
            check_loss(loss, "single", "phase3")
    assert set(LOSSES.values()) == {type(loss) for loss in EXAMPLES}


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (Focal, {"gamma": -1.0}, "gamma is -1.0; it must be 0 or more"),
        (Focal, {"alpha": 1.5}, "alpha is 1.5; it must be from 0 to 1"),
        (Asymmetric, {"clip": 1.0}, "clip is 1.0; it must be from 0 to 0.99"),
        (Asymmetric, {"gamma_negative": -1.0}, "gamma_negative is -1.0"),
        (DistributionBalanced, {"lambda_negative": 0.5}, "lambda_negative is 0.5; .* 1 or more"),
        (DistributionBalanced, {"kappa": -0.1}, "kappa is -0.1"),
        (DistributionBalanced, {"mu": 2.0}, "mu is 2.0"),
    ],
)
def test_numbers_that_make_no_loss(kind: Any, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**options)
