"""The model that comes with the package: whole, small, and as its card says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from tinyvirat.models.saved import DEFAULT_MODEL, SHIPPED, WEIGHTS, load_model, model_folder

FOLDER = SHIPPED / DEFAULT_MODEL
LARGEST = 30_000_000
EVERY = 6
"""Every sixth clip is looked at."""


def test_it_is_found_by_name_wherever_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_folder(DEFAULT_MODEL) == FOLDER


def test_it_is_small_and_can_say_nothing() -> None:
    weights = FOLDER / WEIGHTS
    assert weights.stat().st_size <= LARGEST
    with safe_open(weights, "pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert kinds <= {"F16", "I64"}
    spec = load_model(FOLDER).spec
    assert spec.multi_label and spec.preprocess.sizes == (28,) and spec.fps == 30.0
    assert sorted(spec.labels) == ["hug", "kick", "point", "punch", "push", "shake"]
    assert len(spec.thresholds) == 6 and min(spec.thresholds) >= 0.3


def test_its_card_says_what_was_measured() -> None:
    card = (FOLDER / "CARD.md").read_text(encoding="utf-8")
    facts = json.loads((FOLDER / "scores.json").read_text(encoding="utf-8"))
    assert facts["commit"] in card and not facts["commit"].endswith("+changes")
    for score in facts["scores"]:
        assert f"| {score['what']} | {score['point'] * 100:.1f}" in card
    assert facts["walkers"]["video"] in card
    assert f"{facts['walkers']['false_alarms']} false alarms" in card
    spec = load_model(FOLDER).spec
    assert facts["thresholds"] == dict(zip(spec.labels, spec.thresholds, strict=True))


def test_it_answers_what_its_card_says(shared: Path) -> None:
    from tinyvirat.recognition.load import load

    facts = json.loads((FOLDER / "scores.json").read_text(encoding="utf-8"))
    known = facts["on_its_own_training_clips"]
    recognizer = load(DEFAULT_MODEL, device="cpu", precision="float32")
    clips = sorted(known["likeliest"])
    for clip in clips[::EVERY]:
        (found,) = recognizer.recognize(
            shared / f"data/{clip.replace('ut/', 'ut_interaction/')}.mp4"
        )
        label, score = found.top(1)[0]
        assert score == pytest.approx(known["probability"][clip], abs=5e-3), clip
        assert label == known["likeliest"][clip]
