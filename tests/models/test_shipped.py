"""The models that come with the package: whole, small, and as their cards say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from tinyvirat.models.saved import (
    DEFAULT_MODEL,
    SHIPPED,
    WEIGHTS,
    ModelError,
    load_model,
    model_folder,
    shipped_models,
)

LARGEST = 30_000_000
EVERY = 6
"""Every sixth clip is looked at."""


each = pytest.mark.parametrize("name", shipped_models())


def test_there_are_a_large_and_a_light_one() -> None:
    assert shipped_models() == (DEFAULT_MODEL, "interactions-light")
    large, light = (load_model(SHIPPED / name).spec for name in shipped_models())
    assert large.labels == light.labels


@each
def test_it_is_found_by_name_wherever_one_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_folder(name) == SHIPPED / name
    with pytest.raises(ModelError, match=r"ships \(interactions, interactions-light\)"):
        model_folder("another")


@each
def test_it_is_small_and_can_say_nothing(name: str) -> None:
    weights = SHIPPED / name / WEIGHTS
    assert weights.stat().st_size <= LARGEST
    with safe_open(weights, "pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert kinds <= {"F16", "I64"}
    spec = load_model(SHIPPED / name).spec
    assert spec.name == name
    assert spec.multi_label and spec.preprocess.sizes == (28,) and spec.fps == 30.0
    assert sorted(spec.labels) == ["hug", "kick", "point", "punch", "push", "shake"]
    assert len(spec.thresholds) == 6 and min(spec.thresholds) >= 0.3


@each
def test_its_card_says_what_was_measured(name: str) -> None:
    card = (SHIPPED / name / "CARD.md").read_text(encoding="utf-8")
    facts = json.loads((SHIPPED / name / "scores.json").read_text(encoding="utf-8"))
    assert card.startswith(f"# {name}: ") and f"{facts['gmac']:.1f} GMAC" in card
    assert facts["commit"] in card and not facts["commit"].endswith("+changes")
    for score in facts["scores"]:
        assert f"| {score['what']} | {score['point'] * 100:.1f}" in card
    assert facts["walkers"]["video"] in card
    assert f"{facts['walkers']['false_alarms']} false alarms" in card
    spec = load_model(SHIPPED / name).spec
    assert facts["thresholds"] == dict(zip(spec.labels, spec.thresholds, strict=True))


@each
def test_it_answers_what_its_card_says(name: str, shared: Path) -> None:
    from tinyvirat.recognition.load import load

    facts = json.loads((SHIPPED / name / "scores.json").read_text(encoding="utf-8"))
    known = facts["on_its_own_training_clips"]
    recognizer = load(name, device="cpu", precision="float32")
    clips = sorted(known["likeliest"])
    for clip in clips[::EVERY]:
        (found,) = recognizer.recognize(
            shared / f"data/{clip.replace('ut/', 'ut_interaction/')}.mp4"
        )
        label, score = found.top(1)[0]
        assert score == pytest.approx(known["probability"][clip], abs=5e-3), clip
        assert label == known["likeliest"][clip]
