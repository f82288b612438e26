"""Expected calibration error and temperature: by hand, as torchmetrics, and on known truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error

from tinyvirat.evaluation.arrays import logit, sigmoid, softmax
from tinyvirat.evaluation.calibration import fit_temperature, reliability
from tinyvirat.evaluation.thresholds import TuningSet

CLASSES = ("walk", "run", "talk")


def truthful(seed: int, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose probabilities are the true ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=(clips, 3))
    return logits, rng.random((clips, 3)) < sigmoid(logits)


def test_the_error_by_hand() -> None:
    # Two answers at 0.9, one right; two at 0.2, none right: (|0.9 - 0.5| + |0.2 - 0|) / 2.
    high, low = logit(0.9), logit(0.2)
    result = reliability(
        [[high], [high], [low], [low]], [[1], [0], [0], [0]], ("walk",), multi_label=True, bins=10
    )
    assert result.expected_error == pytest.approx(0.3)
    assert result.answers == 4
    filled = {b.low: b for b in result.bins if b.answers}
    assert [round(low, 1) for low in filled] == [0.1, 0.8]
    assert all(b.probability is None and b.right is None for b in result.bins if not b.answers)


def test_single_labels_are_judged_by_their_first_choice() -> None:
    logits = np.log([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    result = reliability(logits, np.eye(3)[[0, 0]], CLASSES, multi_label=False, bins=10)
    assert result.answers == 2
    assert result.expected_error == pytest.approx((abs(0.6 - 1) + abs(0.7 - 0)) / 2)


def test_as_torchmetrics() -> None:
    logits, targets = truthful(0, 300)
    ours = reliability(logits, targets, CLASSES, multi_label=True, bins=15).expected_error
    theirs = binary_calibration_error(
        torch.from_numpy(sigmoid(logits).ravel()), torch.from_numpy(targets.ravel().astype(int)), 15
    )
    assert ours == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_certainty_falls_into_a_bin(probability: float) -> None:
    certain = 800.0 if probability else -800.0
    result = reliability([[certain]], [[1]], ("walk",), multi_label=True)
    assert sum(b.answers for b in result.bins) == 1
    assert result.expected_error == 1.0 - probability


def test_a_temperature_that_was_put_in_is_found() -> None:
    logits, targets = truthful(1, 4000)
    sources = tuple(str(n) for n in range(4000))
    for heat in (0.25, 1.0, 3.0):
        tuning = TuningSet(logits * heat, targets, CLASSES, sources)
        found = fit_temperature(tuning, multi_label=True)
        assert found == pytest.approx(heat, rel=0.05)
    before = reliability(logits * 3.0, targets, CLASSES, multi_label=True).expected_error
    after = reliability(logits * 3.0, targets, CLASSES, multi_label=True, temperature=3.0)
    assert after.expected_error < 0.03 < before


def test_a_temperature_is_found_for_single_labels() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(scale=2.0, size=(4000, 3))
    labels = [rng.choice(3, p=row) for row in softmax(logits)]
    sources = tuple(str(n) for n in range(4000))
    tuning = TuningSet(logits * 2.0, np.eye(3)[labels], CLASSES, sources)
    assert fit_temperature(tuning, multi_label=False) == pytest.approx(2.0, rel=0.07)


def test_no_other_temperature_is_likelier() -> None:
    logits, targets = truthful(3, 50)
    tuning = TuningSet(logits * 1.7, targets, CLASSES, tuple(str(n) for n in range(50)))
    found = fit_temperature(tuning, multi_label=True)

    def loss(temperature: float) -> float:
        probability = sigmoid(logits * 1.7 / temperature)
        return float(-np.log(np.where(targets, probability, 1 - probability)).mean())

    assert loss(found) <= min(loss(found * factor) for factor in (0.9, 0.99, 1.01, 1.1))


def test_a_set_without_errors_gives_the_lower_bound() -> None:
    tuning = TuningSet([[5.0], [-5.0]], [[1], [0]], ("walk",), ("a", "b"))
    assert fit_temperature(tuning, multi_label=True) == pytest.approx(0.05, rel=0.01)


def test_what_makes_no_sense_is_refused() -> None:
    for options in ({"bins": 0}, {"temperature": 0.0}, {"temperature": float("nan")}):
        with pytest.raises(ValueError, match="must be positive"):
            reliability([[1.0]], [[1]], ("walk",), multi_label=True, **options)
