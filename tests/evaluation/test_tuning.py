"""A model's own thresholds and temperature: found on held-out clips, kept as it will use them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.evaluation.arrays import sigmoid
from tinyvirat.evaluation.calibration import reliability
from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.metrics import multi_label
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.thresholds import tuned
from tinyvirat.evaluation.tuning import FEWEST_CLIPS, thresholds_of, tune
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.saved import ModelSpec
from tinyvirat.video.sampling import AllWindows

LABELS = ("walk", "run", "talk")
CONFIG = RecognizerConfig(I3DConfig(num_classes=3, width=0.0625))
SPEC = ModelSpec("tiny", CONFIG, LABELS, True, Preprocess(), AllWindows())


def answers(
    clips: int = 400, *, seed: int = 0, heat: float = 1.0, split: str = "val", multi: bool = True
) -> Predictions:
    """Answers whose probabilities are the true ones but for a temperature; class 2 is rare."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=(clips, 3)) - [0.0, 1.0, 4.0]
    targets = rng.random((clips, 3)) < sigmoid(logits)
    if not multi:
        raised = np.exp(logits)
        p = raised / raised.sum(1, keepdims=True)
        targets = np.eye(3)[[rng.choice(3, p=row) for row in p]] > 0
    return Predictions(
        ids=tuple(f"{split} {n}" for n in range(clips)),
        sources=tuple(f"{split} video {n % 9}" for n in range(clips)),
        sizes_N2=np.full((clips, 2), 30),
        logits_NK=heat * logits,
        targets_NK=targets,
        classes=LABELS,
        multi_label=multi,
        split=split,
        manifest_sha256="ab" * 32,
        model="tiny",
    )


def named(spec: ModelSpec, logits_NK: np.ndarray) -> np.ndarray:
    """What the model names, as recognition does: probabilities against its thresholds."""
    return spec.probabilities(torch.from_numpy(logits_NK)).numpy() >= np.float32(spec.thresholds)


def test_the_model_names_what_its_tuned_thresholds_let_through() -> None:
    held_out, test = answers(heat=3.0), answers(seed=1, heat=3.0, split="test")
    spec, found = tune(SPEC, held_out)
    assert spec.temperature == pytest.approx(3.0, rel=0.15)
    assert found.temperature == spec.temperature
    assert found.thresholds == dict(zip(LABELS, spec.thresholds, strict=True))
    assert (found.clips, found.sources, found.split, found.untuned) == (400, 9, "val", ())
    assert spec.tuned_on == tuple(f"val video {n}" for n in range(9))
    wanted = tuned(held_out.tuning_set())
    own = thresholds_of(spec)
    assert own is not None
    assert own.logits == pytest.approx(wanted.logits, rel=1e-9)
    for one in (held_out, test):
        predicted = wanted.predict(one.logits_NK)
        assert (own.predict(one.logits_NK) == predicted).all()
        assert (named(spec, one.logits_NK) == predicted).all()
    # The rare class is found where p = 0.5 hardly finds it.
    scores = multi_label(test.logits_NK, test.known_targets(), LABELS, test.sources, tuned=own)
    assert scores.f1_tuned is not None
    assert spec.thresholds[2] < 0.5
    assert scores.f1_tuned.per_class[2].f1 > scores.f1.per_class[2].f1
    before = reliability(test.logits_NK, test.known_targets(), LABELS, multi_label=True)
    after = reliability(
        test.logits_NK,
        test.known_targets(),
        LABELS,
        multi_label=True,
        temperature=spec.temperature,
    )
    assert after.expected_error < 0.5 * before.expected_error


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(*[st.floats(0.0, 1.0) for _ in LABELS]),
    st.floats(0.05, 20.0),
    st.lists(st.tuples(*[st.floats(-12, 12, width=32) for _ in LABELS]), min_size=1, max_size=8),
)
def test_a_models_thresholds_decide_the_same_everywhere(
    thresholds: tuple[float, ...], temperature: float, logits: list[tuple[float, ...]]
) -> None:
    spec = replace(SPEC, thresholds=thresholds, temperature=temperature)
    own = thresholds_of(spec)
    assert own is not None
    logits_NK = np.array(logits)
    near = np.abs(sigmoid(logits_NK / temperature) - thresholds) < 1e-6
    assert ((own.predict(logits_NK) == named(spec, logits_NK)) | near).all()


def test_the_scores_of_the_tuning_videos_are_refused() -> None:
    held_out = answers()
    own = thresholds_of(tune(SPEC, held_out)[0])
    with pytest.raises(EvaluationError, match="were tuned on 9 of the videos"):
        multi_label(
            held_out.logits_NK, held_out.known_targets(), LABELS, held_out.sources, tuned=own
        )
    for split in ("train", "test"):
        with pytest.raises(EvaluationError, match=f"of the {split} split"):
            tune(SPEC, answers(split=split))


def test_rare_labels_keep_one_half() -> None:
    held_out = answers()
    rows = np.flatnonzero(held_out.known_targets()[:, 2])[4:]
    targets = held_out.known_targets().copy()
    targets[rows, 2] = False
    spec, found = tune(SPEC, replace(held_out, targets_NK=targets))
    assert found.untuned == ("talk",)
    assert spec.thresholds[2] == 0.5 != spec.thresholds[0]


@pytest.mark.parametrize("clips", [FEWEST_CLIPS - 1, FEWEST_CLIPS])
def test_few_clips_change_nothing(clips: int) -> None:
    spec, found = tune(SPEC, answers(clips))
    assert (spec == SPEC) == (clips < FEWEST_CLIPS)
    assert (found.thresholds == {}) == (clips < FEWEST_CLIPS)


def test_either_can_be_left_as_it_is() -> None:
    held_out = answers(heat=3.0)
    warm, _ = tune(SPEC, held_out, thresholds=False)
    assert warm.thresholds == () and warm.temperature != 1.0
    cut, _ = tune(SPEC, held_out, temperature=False)
    assert cut.temperature == 1.0 and len(cut.thresholds) == 3
    # A new temperature leaves what is named as it is.
    others = tuple(f"other video {n % 9}" for n in range(400))
    elsewhere = replace(answers(seed=2, heat=3.0), sources=others)
    both, found = tune(cut, elsewhere, thresholds=False)
    assert both.temperature != 1.0
    assert thresholds_of(both).logits == pytest.approx(thresholds_of(cut).logits)  # type: ignore[union-attr]
    assert set(both.tuned_on) == {f"{s} video {n}" for s in ("val", "other") for n in range(9)}
    assert found.untuned == ()
    again, _ = tune(both, held_out)
    assert again.tuned_on == cut.tuned_on  # all anew: nothing of the other videos is left in it


def test_clips_answered_without_an_error_set_no_temperature() -> None:
    held_out = answers()
    sure = replace(held_out, logits_NK=np.where(held_out.known_targets(), 2.0, -2.0))
    spec, found = tune(SPEC, sure)
    assert spec.temperature == found.temperature == 1.0
    hopeless = replace(held_out, logits_NK=-sure.logits_NK)
    assert tune(SPEC, hopeless)[0].temperature == 1.0


def test_a_temperature_that_is_not_found_again_does_not_stay() -> None:
    right = replace(answers(multi=False), logits_NK=10.0 * answers(multi=False).known_targets())
    warm = replace(SPEC, multi_label=False, temperature=2.0, tuned_on=("old",))
    spec, found = tune(warm, right)
    assert (spec.temperature, found.temperature) == (1.0, 1.0)
    assert "old" not in spec.tuned_on


def test_single_labels_have_a_temperature_only() -> None:
    spec, found = tune(replace(SPEC, multi_label=False), answers(1000, heat=2.0, multi=False))
    assert spec.temperature == pytest.approx(2.0, rel=0.15)
    assert spec.thresholds == () and found.thresholds == {}
    assert thresholds_of(spec) is None
    assert len(spec.tuned_on) == 9


def test_thresholds_of_an_overconfident_network_stay_apart_from_certainty() -> None:
    held_out = answers(heat=200.0)
    spec, _ = tune(SPEC, held_out, temperature=False)
    assert all(1e-6 <= p <= 1 - 1e-6 for p in spec.thresholds)
    own = thresholds_of(spec)
    assert own is not None
    predicted = own.predict(held_out.logits_NK)
    assert (predicted == named(spec, held_out.logits_NK)).all()
