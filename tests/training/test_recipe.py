"""Recipes: what is written is what is meant, and anything else is said before work begins."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from tinyvirat.models.any_size import AnySizeDVSRConfig, PreUpsampledDVSRConfig
from tinyvirat.models.dvsr import DVSRConfig, ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.reproduce.named import named_recipe
from tinyvirat.training.classification_losses import LOSSES, Asymmetric, CrossEntropy, Focal
from tinyvirat.training.fade import Fade
from tinyvirat.training.recipe import (
    LARGEST_RECIPE,
    ClassifierPhase,
    Clips,
    Distill,
    JointPhase,
    Optimizer,
    Recipe,
    RecipeError,
    SuperResolutionPhase,
    Tuning,
    load_recipe,
    recipe_text,
    with_overrides,
)

from .small import RECIPE

SHIPPED = sorted(Path(str(resources.files("tinyvirat.recipes"))).rglob("*.yaml"))
TEXT = """\
name: short
classifier: {network: i3d, input_size: 112}
super_resolution: {network: prog-dvsr, scale: 4, channels: 8, growth: 8, attention: true}
clips: {size: 28}
phase1: {steps: [4, 6], batch: [2], fade: {per_step: 0.01}}
phase2: {epochs: 1, batch: 2}
phase3: {steps: 5, freeze_norm: true, optimizer: {lr: 1e-4, betas: [0.9, 0.999]}}
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_text(text: str) -> Path:
        path = tmp_path / "r.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def test_a_recipe_is_read(write: Any) -> None:
    assert load_recipe(write(TEXT)) == Recipe(
        name="short",
        classifier=I3DConfig(input_size=112),
        super_resolution=ProgressiveDVSRConfig(scale=4, channels=8, growth=8, attention=True),
        clips=Clips(size=28),
        phase1=SuperResolutionPhase(steps=(4, 6), batch=(2,), fade=Fade(per_step=0.01)),
        phase2=JointPhase(epochs=1.0, batch=2),
        phase3=ClassifierPhase(
            steps=5, freeze_norm=True, optimizer=Optimizer(lr=1e-4, betas=(0.9, 0.999))
        ),
    )


def test_the_papers_values_are_the_defaults(write: Any) -> None:
    recipe = load_recipe(write(TEXT))
    assert recipe.phase1 is not None and recipe.phase2 is not None
    assert recipe.phase1.optimizer == Optimizer(lr=2e-4, betas=(0.5, 0.9), decay="constant")
    joint = recipe.phase2
    assert (joint.lambda_rec, joint.lambda_att, joint.lambda_sparsity) == (1.0, 0.5, 0.5)
    assert (joint.attention, joint.weighted, joint.video_learns_from_att) == (True, True, True)
    assert (joint.rec_from, joint.att_from) == ("sr_data", "data")
    assert recipe.phase3 is not None
    assert joint.loss == recipe.phase3.loss == CrossEntropy(class_weights=False)
    assert (recipe.phase3.sampling.repeat_factor, recipe.phase3.mixup) == (0.0, 0.0)
    assert recipe.tuning == Tuning(thresholds=True, temperature=True, hold_out=0.1)
    assert Fade() == Fade(per_step=5e-3)
    assert (recipe.clips.frames, recipe.clips.strides, recipe.clips.full) == (16, (1, 2), 112)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_shipped_recipe_loads_by_name_and_round_trips(path: Path, write: Any) -> None:
    name = path.relative_to(Path(str(resources.files("tinyvirat.recipes")))).with_suffix("")
    recipe = named_recipe(name.as_posix())
    assert load_recipe(write(recipe_text(recipe))) == recipe


def test_there_are_shipped_recipes() -> None:
    assert len(SHIPPED) >= 4


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        replace(RECIPE, phase1=SuperResolutionPhase(epochs=(1.5, 2.0), fade=Fade(epochs=2.0))),
        replace(RECIPE, clips=replace(RECIPE.clips, tiny=True, fit="stretch", strides=(3,))),
        replace(RECIPE, super_resolution=None, phase1=None, phase2=None, weights="i3d"),
        replace(
            RECIPE,
            clips=replace(RECIPE.clips, seen=40),
            phase2=None,
            phase3=ClassifierPhase(steps=3, distill=Distill(features=1.0, feature_stages=(2, 4))),
        ),
    ],
)
def test_a_resolved_recipe_round_trips(recipe: Recipe, write: Any) -> None:
    text = recipe_text(recipe)
    assert load_recipe(write(text)) == recipe
    assert recipe_text(load_recipe(write(text))) == text
    # Every value is spelled out.
    assert set(yaml.safe_load(text)) == set(Recipe.__dataclass_fields__)


def test_a_loss_is_named_with_what_differs(write: Any) -> None:
    path = write(TEXT + "labels: multi\n")
    changes = ("phase3.loss={name: focal, gamma: 1}", "phase3.loss.alpha=null")
    recipe = load_recipe(path, (*changes, "phase2.loss.name=asymmetric"))
    assert recipe.phase2 is not None and recipe.phase3 is not None
    assert recipe.phase3.loss == Focal(gamma=1.0, alpha=None)
    assert recipe.phase2.loss == Asymmetric()
    for name, kind in LOSSES.items():
        found = load_recipe(path, (f"phase3.loss.name={name}",)).phase3
        assert found is not None and found.loss == kind()
    assert load_recipe(write(recipe_text(recipe))) == recipe


def test_overrides_win_and_make_what_is_missing(write: Any) -> None:
    path = write(TEXT)
    changed = load_recipe(
        path,
        (
            "phase3.optimizer.lr=1e-5",
            "phase1.batch=[2, 1]",
            "upkeep.ema=0.9",
            "phase2=null",
            "name='3'",
        ),
    )
    assert changed.phase1 is not None and changed.phase3 is not None
    assert changed.phase3.optimizer.lr == 1e-5
    assert changed.phase3.optimizer.betas == (0.9, 0.999)  # beside it, untouched
    assert changed.phase1.batch == (2, 1)
    assert changed.upkeep.ema == 0.9
    assert changed.phase2 is None
    assert changed.name == "3"
    same = with_overrides(load_recipe(path), ("phase3.optimizer.lr=1e-5",))
    assert same == load_recipe(path, ("phase3.optimizer.lr=1e-5",))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("phase3.optimizer.lr", "write KEY=VALUE"),
        ("=3", "write KEY=VALUE"),
        ("phase3.optimiser.lr=1", "'optimiser' is not one of .*did you mean 'optimizer'"),
        ("name.x=1", "'name' holds 'short', which has no keys"),
        ("phase1.steps.0=3", "'steps' holds"),
        ("phase3..lr=1", "'' is not one of"),
        ("seed=*x", "aliases"),
        ("seed=[", "not YAML"),
        ("seed=x", "seed: 'x' is no int"),
        ("super_resolution.network=dvsr2", "did you mean 'dvsr'"),
    ],
)
def test_a_wrong_override_is_told(write: Any, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(write(TEXT), (override,))
    with pytest.raises(RecipeError, match=message):
        with_overrides(load_recipe(write(TEXT)), (override,))


WRONG = [
    ("phase4: {steps: 3}", "'phase4' is not one of .*did you mean 'phase"),
    ("network: i3d", "'network' is not one of name"),
    ("phase3: {step: 5}", "phase3: 'step' is not one of .*did you mean 'steps'"),
    ("phase3: {steps: 5.5}", "phase3: steps: 5.5 is no int"),
    ("phase3: {steps: yes}", "steps: True is no int"),
    ("phase3: {steps: 5, epochs: 1}", "phase3: either steps or epochs"),
    ("phase3: {}", "phase3: either steps or epochs"),
    ("phase3: {steps: -5}", "phase3: steps is -5"),
    ("phase3: {steps: 5, batch: 0}", "phase3: batch is 0"),
    ("phase3: {steps: 5, optimizer: {lr: -1}}", "optimizer: lr is -1"),
    ("phase3: {steps: 5, optimizer: {lr: .inf}}", "lr: inf is not a finite number"),
    ("phase3: {steps: 5, optimizer: {betas: [1.0, 0.9]}}", r"betas are \(1.0, 0.9\)"),
    ("phase3: {steps: 5, optimizer: {betas: [0.9]}}", "betas: 1 values instead of 2"),
    (
        "phase3: {steps: 5, optimizer: {decay: linear}}",
        "'linear' is not one of constant, cosine, late",
    ),
    ("phase3: {steps: 5, head_lr: -1}", "phase3: head_lr is -1"),
    ("phase3: {steps: 5, loss: focal}", "phase3: loss: 'focal' is not a mapping"),
    ("phase3: {steps: 5, loss: {gamma: 2}}", "phase3: loss: 'None' is not one of cross-entropy, f"),
    ("phase3: {steps: 5, loss: {name: focall}}", "loss: 'focall' is .*did you mean 'focal'"),
    ("phase3: {steps: 5, loss: {name: focal, clip: 1}}", "loss: 'clip' is not one of gamma, alpha"),
    ("phase3: {steps: 5, loss: {name: focal, gamma: -1}}", "loss: gamma is -1"),
    ("phase3: {steps: 5, loss: {name: i3d}}", "loss: 'i3d' is not one of cross-entropy"),
    ("phase3: {steps: 5, sampling: {repeat_factor: 2}}", "sampling: repeat_factor is 2.0; it is a"),
    ("phase3: {steps: 5, mixup: -0.1}", "phase3: mixup is -0.1"),
    ("clips: {size: 28, seen: 0}", "clips: seen is 0"),
    ("phase3: {steps: 5, distill: {teacher: a}}", "distill: 'teacher' is not one of labels, log"),
    ("phase3: {steps: 5, distill: {logits: 0}}", "distill: logits, features and attention are all"),
    ("clips: {size: 28, seen: 56}", "phase2 trains .*leave clips.seen out"),
    ("phase2: {steps: 5, lambda_rec: -1}", "phase2: lambda_rec is -1"),
    ("phase2: {steps: 5, rec_from: here}", "'here' is not one of data, sr_data"),
    ("phase1: {steps: 4, batch: [2]}", "phase1: steps: 4 is not a list"),
    ("phase1: {steps: [4, 6], epochs: [1, 1]}", "phase1: either steps or epochs"),
    ("phase1: {steps: [4, 6], batch: [1, 2, 3]}", "phase1: 3 batch sizes for 2 stages"),
    ("phase1: {steps: [4, 0]}", r"phase1: steps\[1\] is 0"),
    ("phase1: {steps: [4, 6], batch: [0]}", r"phase1: batch\[0\] is 0"),
    ("phase1: {steps: [4, 5, 6]}", "phase1: 3 lengths for a network of 2 stages"),
    ("phase1: {steps: [4, 6], fade: {per_step: 0}}", "fade: per_step is 0.0, not in"),
    ("phase1: {steps: [4, 6], random_entries: true}", "random_entries is for the network any-size"),
    ("clips: {size: 14}", "makes 56 px of clips.size 14, and clips.full is 112"),
    ("clips: {size: 0}", "clips: .*size is 0"),
    ("clips: {size: 28, short_side: 100}", "clips: .*short_side"),
    ("clips: {size: 28, flip: 1.5}", "clips: flip is 1.5"),
    ("clips: {size: 28, frames: 0}", "clips: length is 0"),
    ("clips: {size: 28, frames: 1000000000000}", "clips: frames is 1000000000000"),
    ("clips: {size: 28, strides: []}", "clips: strides is"),
    ("clips: {size: 28, test_stride: 0}", "clips: stride is 0"),
    ("clips: {size: 28, fit: stretch}", "fit: stretch is for clips with tiny: true"),
    ("super_resolution: {network: prog-dvsr, scale: 3}", "super_resolution: scale 3 is not one of"),
    ("super_resolution: {network: i3d}", "super_resolution: 'i3d' is not one of prog-dvsr"),
    ("super_resolution: null", "phase1 and phase2 need a super_resolution"),
    ("super_resolution: {network: prog-dvsr, scale: 4}", "needs a super_resolution with attention"),
    ("classifier: {network: i3d, dropout: 1.0}", "classifier: dropout 1.0 is not in"),
    ("tuning: {hold_out: 0.6}", "tuning: hold_out is 0.6; it is a share from 0 to 0.5"),
    ("tuning: {threshold: true}", "tuning: 'threshold' is .*did you mean 'thresholds'"),
    ("upkeep: {checkpoint_every: 0}", "upkeep: checkpoint_every is 0"),
    ("upkeep: {accumulate: 0}", "upkeep: accumulate is 0"),
    ("upkeep: {ema: 1.0}", "upkeep: ema is 1.0"),
    ("upkeep: {workers: -1}", "upkeep: workers is -1"),
    ("upkeep: {precision: half}", "'half' is not one of auto, float32"),
    ("name: 3", "name: 3 is no str"),
    ("name: &a x\nlabels: *a", "aliases"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_a_wrong_recipe_is_told_with_its_file(write: Any, line: str, message: str) -> None:
    key = line.partition(":")[0]
    kept = [old for old in TEXT.splitlines() if old.partition(":")[0] != key]
    path = write("\n".join([*kept, line]) + "\n")
    with pytest.raises(RecipeError, match=f"(?s)^{path}: .*{message}"):
        load_recipe(path)


def test_a_recipe_needs_a_phase(write: Any) -> None:
    text = "\n".join(line for line in TEXT.splitlines() if not line.startswith("phase"))
    with pytest.raises(RecipeError, match="at least one of phase1, phase2 and phase3"):
        load_recipe(write(text))


def test_tiny_clips_give_no_truth(write: Any) -> None:
    text = TEXT.replace("{size: 28}", "{size: 28, tiny: true}")
    assert load_recipe(write(text)).clips.tiny
    with pytest.raises(RecipeError, match="rec_from: data cannot be with tiny clips"):
        load_recipe(write(text), ("phase2.rec_from=data",))


@pytest.mark.parametrize(
    ("network", "size", "stages"),
    [
        (ProgressiveDVSRConfig(scale=8, channels=4, growth=4), 14, 3),
        (ProgressiveDVSRConfig(scale=2, channels=4, growth=4), 56, 1),
        (DVSRConfig(scale=4, channels=4, growth=4, blocks=1), 28, 1),
        (AnySizeDVSRConfig(channels=4, growth=4), 20, 1),
        (PreUpsampledDVSRConfig(channels=2), 28, 3),
    ],
)
def test_each_network_has_its_stages(network: Any, size: int, stages: int) -> None:
    for lengths in {1, stages}:
        Recipe(
            "r",
            I3DConfig(),
            network,
            clips=Clips(size=size),
            phase1=SuperResolutionPhase(steps=(5,) * lengths),
        )
    with pytest.raises(ValueError, match=f"4 lengths for a network of {stages} stages"):
        Recipe(
            "r",
            I3DConfig(),
            network,
            clips=Clips(size=size),
            phase1=SuperResolutionPhase(steps=(5,) * 4),
        )


def test_what_is_no_recipe_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such file"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="no such file"):
        load_recipe(tmp_path)
    path = tmp_path / "x.yaml"
    path.write_text("- a list\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="a mapping of keys to values is needed"):
        load_recipe(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(path)
    path.write_text("a: " + "x" * LARGEST_RECIPE, encoding="utf-8")
    with pytest.raises(RecipeError, match="not a recipe"):
        load_recipe(path)


def test_a_name_that_looks_like_a_number_is_read_again(write: Any) -> None:
    recipe = replace(RECIPE, name="1e4")
    assert load_recipe(write(recipe_text(recipe))) == recipe
