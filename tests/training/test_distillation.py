"""What a student learns from its teacher, term by term, and within a run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tinyvirat.common.errors import TinyviratError
from tinyvirat.models.classifier import Classifier, Seen
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.saved import load_model
from tinyvirat.models.x3d import X3DConfig
from tinyvirat.training.checkpoint import FOLDER, find_checkpoint
from tinyvirat.training.data import ClipFiles
from tinyvirat.training.distillation import (
    Distiller,
    Teacher,
    attention,
    attention_loss,
    feature_loss,
    frozen_digest,
    frozen_model,
    load_teacher,
    logit_loss,
)
from tinyvirat.training.inputs import Inputs
from tinyvirat.training.mixup import mixed
from tinyvirat.training.phases import Classification
from tinyvirat.training.recipe import (
    ClassifierPhase,
    Distill,
    Optimizer,
    Recipe,
    recipe_text,
    with_overrides,
)
from tinyvirat.training.run import Order, run

from .processes import exit_code, rows_of, together, train
from .small import CLIPS, RECIPE, UPKEEP, without, write_clips
from .test_phases import PLACE, batch, seen_by, setting

CPU = torch.device("cpu")
ALL = Distill(labels=0.5, logits=2.0, temperature=3.0, features=1.5, attention=0.7)
TEACHER = replace(
    without(RECIPE, 1, 2), name="teacher", super_resolution=None, clips=replace(CLIPS, size=32)
)
STUDENT = replace(
    TEACHER,
    name="student",
    classifier=X3DConfig(width=4, depth=1.0, features=16),
    clips=replace(CLIPS, seen=40),
    phase3=ClassifierPhase(steps=4, batch=4, mixup=0.4, distill=ALL),
    upkeep=replace(UPKEEP, ema=0.9),
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestLogits:
    def test_it_is_the_divergence_of_softened_answers(self) -> None:
        mine, theirs, t = noise(3, 4), noise(3, 4, seed=1), 2.5
        expected = 0.0
        for b in range(3):
            p = [math.exp(z / t) for z in theirs[b].tolist()]
            q = [math.exp(z / t) for z in mine[b].tolist()]
            for k in range(4):
                pk, qk = p[k] / sum(p), q[k] / sum(q)
                expected += t * t * pk * math.log(pk / qk) / 3
        assert logit_loss(mine, theirs, "single", t).item() == pytest.approx(expected)

    def test_several_labels_are_a_divergence_each(self) -> None:
        mine, theirs, t = noise(2, 3), noise(2, 3, seed=1), 1.5
        expected = 0.0
        for z, y in zip(mine.flatten().tolist(), theirs.flatten().tolist(), strict=True):
            q, p = 1 / (1 + math.exp(-z / t)), 1 / (1 + math.exp(-y / t))
            each = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
            expected += t * t * each / 6
        assert logit_loss(mine, theirs, "multi", t).item() == pytest.approx(expected)

    @pytest.mark.parametrize("labels", ["single", "multi"])
    def test_it_is_least_where_the_answers_agree(self, labels: Any) -> None:
        theirs = noise(3, 4)
        assert logit_loss(theirs, theirs, labels, 2.0).item() == pytest.approx(0.0, abs=1e-12)
        assert logit_loss(noise(3, 4, seed=2), theirs, labels, 2.0) > 0.05

    @pytest.mark.parametrize("labels", ["single", "multi"])
    def test_the_gradient_keeps_its_size_at_any_temperature(self, labels: Any) -> None:
        sizes = []
        for temperature in (20.0, 200.0):
            mine = noise(4, 5).requires_grad_()
            logit_loss(mine, noise(4, 5, seed=1), labels, temperature).backward()
            assert mine.grad is not None
            sizes.append(mine.grad.norm())
        torch.testing.assert_close(*sizes, rtol=0.05, atol=0)

    @pytest.mark.parametrize("labels", ["single", "multi"])
    def test_sure_answers_have_finite_losses(self, labels: Any) -> None:
        mine = torch.tensor([[500.0, -500.0]], requires_grad=True)
        loss = logit_loss(mine, -mine.detach(), labels, 1.0)
        loss.backward()
        assert mine.grad is not None and loss.isfinite() and mine.grad.isfinite().all()


def lengths(x: Tensor) -> Tensor:
    return x.square().sum().sqrt()


class TestFeatures:
    def test_it_is_the_distance_of_directions_place_by_place(self) -> None:
        mine, theirs = noise(2, 3, 1, 2, 2), noise(2, 3, 1, 2, 2, seed=1)
        expected = []
        for b in range(2):
            for place in range(4):
                a, c = mine[b].flatten(1)[:, place], theirs[b].flatten(1)[:, place]
                expected.append(lengths(a / lengths(a) - c / lengths(c)) ** 2)
        torch.testing.assert_close(feature_loss(mine, theirs), torch.stack(expected).mean())
        torch.testing.assert_close(feature_loss(3 * mine, theirs), feature_loss(mine, theirs))

    def test_larger_maps_are_averaged_down_in_each_dimension(self) -> None:
        small, large = noise(1, 3, 4, 2, 2), noise(1, 3, 2, 4, 4, seed=1)
        shrunk = small.reshape(1, 3, 2, 2, 2, 2).mean(3)
        other = large.reshape(1, 3, 2, 2, 2, 2, 2).mean((4, 6))
        expected = feature_loss(shrunk, other)
        torch.testing.assert_close(feature_loss(small, large), expected)
        torch.testing.assert_close(feature_loss(large, small), expected)

    def test_nothing_at_all_has_a_finite_gradient(self) -> None:
        mine = torch.zeros(1, 3, 1, 1, 1, requires_grad=True)
        feature_loss(mine, noise(1, 3, 1, 1, 1)).backward()
        assert mine.grad is not None and mine.grad.isfinite().all()


class TestAttention:
    def test_it_is_the_distance_of_maps_of_squares(self) -> None:
        mine, theirs = noise(2, 3, 2, 2, 2), noise(2, 5, 2, 2, 2, seed=1)
        expected = []
        for b in range(2):
            a, c = (x[b].square().mean(0).flatten() for x in (mine, theirs))
            expected.append(lengths(a / lengths(a) - c / lengths(c)) ** 2)
        torch.testing.assert_close(attention_loss(mine, theirs), torch.stack(expected).mean())
        torch.testing.assert_close(attention_loss(mine, mine.flip(1)), torch.zeros(()).double())

    def test_maps_are_averaged_after_they_are_squared(self) -> None:
        checks = torch.ones(1, 2, 1, 4, 4)
        checks[..., ::2] = -1.0
        assert attention(checks).unique().tolist() == [1.0]
        lit = torch.ones(1, 2, 1, 2, 2)
        assert attention_loss(checks, lit) == 0.0
        lit[..., 0, 0] = 3.0
        assert attention_loss(checks, lit) > 0.1


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "single": lambda a, b: logit_loss(a, b, "single", 2.0),
    "multi": lambda a, b: logit_loss(a, b, "multi", 2.0),
    "features": lambda a, b: feature_loss(a[:, :, None, None, None], b[:, :, None, None, None]),
    "attention": lambda a, b: attention_loss(a.view(3, 1, 2, 1, 3), b.view(3, 2, 1, 1, 3)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_values(name: str) -> None:
    mine, theirs = noise(3, 6).requires_grad_(), noise(3, 6, seed=1)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, theirs), (mine,))


@pytest.mark.parametrize("name", LOSSES)
def test_following_the_gradient_ends_at_the_teacher(name: str) -> None:
    mine, theirs = noise(3, 6).requires_grad_(), noise(3, 6, seed=1)
    optimizer = torch.optim.Adam([mine], lr=0.1)
    for step in range(300):
        optimizer.zero_grad()
        loss = LOSSES[name](mine, theirs)
        loss.backward()
        optimizer.step()
        if step == 0:
            assert loss > 0.01
    assert loss < 1e-4


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_worked_out_in_float32(name: str) -> None:
    mine, theirs = noise(3, 6), noise(3, 6, seed=1)
    half = LOSSES[name](mine.bfloat16(), theirs.bfloat16())
    assert half.dtype == torch.float32
    exact = LOSSES[name](mine.bfloat16().double(), theirs.bfloat16().double())
    assert half.item() == pytest.approx(exact.item(), rel=1e-4)


def student_and_teacher(**widths: float) -> tuple[Classifier, Classifier]:
    torch.manual_seed(1)
    mine = X3DConfig(3, width=4, depth=0.1, features=16, dropout=0.0).build()
    return mine.eval(), I3DConfig(3, 224, width=widths.get("i3d", 0.0625)).build().eval()


def test_unlike_networks_are_compared_stage_by_stage() -> None:
    mine, theirs = student_and_teacher()
    settings = replace(ALL, feature_stages=(2, 4), attention_stages=(1, 3))
    distiller = Distiller(settings, mine, theirs, "single")
    with torch.no_grad():
        small, large = (
            mine.see(torch.rand(2, 3, 8, 32, 32)),
            theirs.see(torch.rand(2, 3, 8, 64, 64)),
        )
        terms = distiller(small, large)
        project = distiller.projections
        features = [
            feature_loss(project[str(n)](small.stages[n - 1]), large.stages[n - 1]) for n in (2, 4)
        ]
        looks = [attention_loss(small.stages[n - 1], large.stages[n - 1]) for n in (1, 3)]
    expected = {
        "logits": logit_loss(small.logits_BK, large.logits_BK, "single", 3.0),
        "features": (features[0] + features[1]) / 2,
        "attention": (looks[0] + looks[1]) / 2,
    }
    torch.testing.assert_close(terms, expected)
    weighted = 0.5 * 0.9 + 2.0 * terms["logits"] + 1.5 * terms["features"]
    weighted = weighted + 0.7 * terms["attention"]
    torch.testing.assert_close(distiller.total(torch.tensor(0.9), terms), weighted)


def test_only_unlike_widths_are_projected() -> None:
    mine, theirs = student_and_teacher()
    assert [*Distiller(ALL, mine, theirs, "single").projections] == ["pooled"]
    assert not [*Distiller(replace(ALL, features=0.0), mine, theirs, "single").parameters()]
    assert not [*Distiller(ALL, theirs, theirs, "single").parameters()]


def test_terms_without_weight_are_not_worked_out() -> None:
    mine, theirs = student_and_teacher()
    settings = Distill(logits=0.0, features=0.0, attention=1.0, attention_stages=(4,))
    nothing = torch.full((1, 1, 1, 1, 1), torch.nan)
    seen = Seen((nothing,) * 3 + (torch.ones(1, 2, 1, 2, 2),), nothing, nothing)
    assert {
        k: v.item() for k, v in Distiller(settings, mine, theirs, "multi")(seen, seen).items()
    } == {"attention": 0.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"logits": -1.0}, "logits is -1.0"),
        ({"logits": 0.0}, "nothing is distilled"),
        ({"attention_stages": (3, 2)}, r"attention_stages is \[3, 2\]; stages are 1 to 4"),
        ({"feature_stages": (5,)}, "feature_stages"),
        ({"feature_stages": (0,)}, "feature_stages"),
        ({"attention": 1.0, "attention_stages": ()}, "needs attention_stages"),
    ],
)
def test_senseless_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Distill(**wrong)


def distilling(recipe: Recipe = RECIPE, **changes: Any) -> Classification:
    """Phase 3 with a teacher on clips of 32 px, of another width."""
    torch.manual_seed(5)
    config = RecognizerConfig(I3DConfig(3, width=0.125, dropout=0.5), side=32)
    teacher = Teacher(config.build().eval().requires_grad_(False), 32)
    settings = ClassifierPhase(steps=3, batch=2, **({"distill": ALL} | changes))
    phase = Classification(setting(recipe, teacher=teacher), settings)
    phase.set_modes()
    return phase


@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_the_teacher_sees_the_same_clip_in_high_resolution(alpha: float) -> None:
    phase = distilling(mixup=alpha)
    teacher, one = phase.setting.teacher, batch()
    assert teacher is not None
    with seen_by(teacher.network.classifier.steps()[0][0]) as shown:
        losses = phase.losses({"data": one}, PLACE)
    pairs = Inputs(CLIPS).pairs(one)
    with torch.no_grad():
        low = phase.network.enlarge(pairs.low_BCTHW).video_BCTHW
        high, targets = pairs.high_BCTHW, one.targets_BK
        if alpha:
            mix: dict[str, Any] = {"alpha": alpha, "seed": PLACE.seed, "seeds": one.seeds}
            low, targets = mixed(low, targets, **mix)
            high, _ = mixed(high, one.targets_BK, **mix)
        mine, theirs = phase.network.see(low), teacher.network.see(high)
        assert phase.distiller is not None
        terms = phase.distiller(mine, theirs)
        cls = phase.loss(mine.logits_BK, targets)
    assert torch.equal(shown[0], high)
    torch.testing.assert_close(losses.parts["cls"], cls)
    for name, term in terms.items():
        torch.testing.assert_close(losses.parts[f"distill_{name}"], term)
    torch.testing.assert_close(losses.total, phase.distiller.total(cls, terms))


def test_a_teacher_of_small_clips_sees_them_small() -> None:
    phase = distilling()
    assert phase.setting.teacher is not None
    phase.setting = replace(phase.setting, teacher=replace(phase.setting.teacher, side=8))
    with seen_by(phase.setting.teacher.network.classifier.steps()[0][0]) as shown:
        phase.losses({"data": batch()}, PLACE)
    low = phase.setting.teacher.network.enlarge(Inputs(CLIPS).pairs(batch()).low_BCTHW)
    assert torch.equal(shown[0], low.video_BCTHW)


def test_clips_that_are_tiny_by_nature_are_shown_as_they_are() -> None:
    tiny = replace(CLIPS, tiny=True)
    phase = distilling(replace(without(RECIPE, 1, 2), clips=tiny))
    one = batch()
    one = replace(one, clips=[clip[:, 8:19, 4:15] for clip in one.clips])
    assert phase.setting.teacher is not None
    with seen_by(phase.setting.teacher.network.classifier.steps()[0][0]) as shown:
        phase.losses({"data": one}, PLACE)
    assert torch.equal(shown[0], Inputs(replace(tiny, size=32)).low(one))


def test_student_and_projection_learn_and_the_teacher_does_not() -> None:
    phase = distilling()
    teacher = phase.setting.teacher
    assert teacher is not None and phase.distiller is not None
    before = {name: tensor.clone() for name, tensor in teacher.network.state_dict().items()}
    phase.losses({"data": batch()}, PLACE).total.backward()
    assert all(p.grad is None for p in teacher.network.parameters())
    after = teacher.network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert not any(module.training for module in teacher.network.modules())
    own = [*phase.network.classifier.parameters(), *phase.distiller.parameters()]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in own)
    assert {id(p) for p in own} == {id(p) for p in phase.learning}
    assert phase.helpers == {"distiller": phase.distiller}


def test_the_projection_follows_from_the_seed() -> None:
    def weight(recipe: Recipe) -> Tensor:
        distiller = distilling(recipe).distiller
        assert distiller is not None
        found: Tensor = distiller.projections["pooled"].weight  # type: ignore[assignment]
        return found

    state = torch.random.get_rng_state()
    first = weight(RECIPE)
    torch.random.set_rng_state(state)
    torch.rand(3)
    assert torch.equal(weight(RECIPE), first)
    assert not torch.equal(weight(replace(RECIPE, seed=1)), first)


@pytest.mark.parametrize("term", ["logits", "features", "attention"])
def test_each_term_brings_the_student_to_the_teacher(term: str) -> None:
    """Without labels: on one batch, the term falls to a fraction of what it was."""
    zero = {"labels": 0.0, "logits": 0.0, "features": 0.0, "attention": 0.0}
    phase = distilling(distill=Distill(**(zero | {term: 1.0})), freeze_norm=True)
    optimizer = torch.optim.Adam(phase.learning, lr=3e-3)
    one, losses = batch(), []
    for _ in range(25):
        optimizer.zero_grad()
        total, parts = phase.losses({"data": one}, PLACE)
        assert torch.equal(total, parts[f"distill_{term}"] * 1.0)
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.fixture(scope="module")
def teacher(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on high resolution."""
    out = tmp_path_factory.mktemp("teacher")
    assert run(TEACHER, Order(ClipFiles(clips), out=out, cpu=True))
    return out


def weights(out: Path) -> dict[str, Tensor]:
    return load_model(out / "model").network.state_dict()


def test_left_off_and_continued_it_is_the_same_run(
    clips: Path, tmp_path: Path, teacher: Path, hurried: None
) -> None:
    whole, parts = (
        Order(ClipFiles(clips), tmp_path / n, teacher=teacher, cpu=True) for n in ("a", "b")
    )
    assert run(STUDENT, whole)
    assert not run(STUDENT, replace(parts, until=3))
    assert run(STUDENT, parts)
    assert rows_of(parts.out) == rows_of(whole.out)
    mine, theirs = weights(parts.out), weights(whole.out)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    values = [row for row in rows_of(whole.out) if "loss" in row]
    assert len(values) == 4
    terms = {"cls", "distill_logits", "distill_features", "distill_attention"}
    assert all(terms <= set(row) for row in values)
    # The model is the student alone, and sees what it saw in training.
    model = load_model(whole.out / "model")
    assert isinstance(model.spec.config.classifier, X3DConfig)
    assert model.spec.config.side == 40
    assert next((whole.out / FOLDER).glob("*.safetensors")).is_file()
    facts = json.loads((whole.out / "environment.json").read_text())
    assert facts[0]["teacher"] == str(teacher)


def test_two_processes_learn_as_one(clips: Path, tmp_path: Path, teacher: Path) -> None:
    """The projection, too: its gradient is of the clips of both."""
    assert STUDENT.phase3 is not None
    slow = replace(STUDENT.phase3, steps=3, optimizer=Optimizer(lr=1e-4))
    recipe = replace(STUDENT, classifier=replace(STUDENT.classifier, dropout=0.0), phase3=slow)
    order = Order(ClipFiles(clips), out=tmp_path / "one", teacher=teacher, cpu=True)
    assert exit_code(train, recipe, order) == 0
    together(train, recipe, replace(order, out=tmp_path / "two"))
    one, two = (rows_of(tmp_path / name) for name in ("one", "two"))
    for row, other in zip(one, two, strict=True):
        assert (row.pop("phase"), row.pop("step")) == (other.pop("phase"), other.pop("step"))
        assert row == pytest.approx(other, rel=2e-3, abs=1e-6)


def test_a_moved_teacher_is_the_same_and_another_one_is_not(
    clips: Path, tmp_path: Path, teacher: Path, hurried: None
) -> None:
    order = Order(ClipFiles(clips), tmp_path / "run", teacher=teacher, cpu=True, until=1)
    assert not run(STUDENT, order)
    assert not run(STUDENT, replace(order, teacher=teacher / "model"))
    position = find_checkpoint(order.out)
    assert position is not None and position.step == 2
    other = tmp_path / "other"
    assert run(replace(TEACHER, seed=1), Order(ClipFiles(clips), other, cpu=True))
    with pytest.raises(TinyviratError, match="holds a run of another recipe or other data"):
        run(STUDENT, replace(order, teacher=other))


def test_without_a_teacher_the_checksum_is_what_it_was(
    clips: Path, tmp_path: Path, teacher: Path, hurried: None
) -> None:
    """Of the recipe's text and the data alone, so that runs of earlier versions go on."""
    text = recipe_text(TEACHER)
    assert "distill" not in text and "seen" not in text
    assert "distill" in recipe_text(STUDENT) and "seen: 40" in recipe_text(STUDENT)


def test_a_recipe_and_its_teacher_belong_together(
    clips: Path, tmp_path: Path, teacher: Path
) -> None:
    with pytest.raises(TinyviratError, match=r"'student' learns from a teacher .*--teacher"):
        run(STUDENT, Order(ClipFiles(clips), tmp_path, cpu=True))
    with pytest.raises(TinyviratError, match=r"learns from no teacher.*phase3\.distill\.logits=1"):
        run(TEACHER, Order(ClipFiles(clips), tmp_path, teacher=teacher, cpu=True))
    with pytest.raises(TinyviratError, match="nowhere: neither a folder"):
        run(STUDENT, Order(ClipFiles(clips), tmp_path, teacher=Path("nowhere"), cpu=True))
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_that_cannot_teach_is_told(teacher: Path) -> None:
    labels = load_model(teacher / "model").spec.labels

    def load(recipe: Recipe, labels: Any = labels, kind: Any = "single") -> Teacher:
        return load_teacher(teacher, recipe, labels, kind, CPU)

    assert load(STUDENT).side == 32
    for wrong in ({"labels": labels[::-1]}, {"kind": "multi"}):
        with pytest.raises(TinyviratError, match="does not answer with the classes of the data"):
            load(STUDENT, **wrong)
    by_features = with_overrides(STUDENT, ("phase3.distill.logits=0",))
    assert load(by_features, labels=("other",), kind="multi").side == 32
    for tiny in (False, True):
        small = replace(STUDENT, clips=replace(CLIPS, tiny=tiny, full=16, short_side=18))
        with pytest.raises(TinyviratError, match=r"takes clips of 32 px, and clips\.full is 16"):
            load(small)


def test_a_frozen_model_has_nothing_to_learn(teacher: Path) -> None:
    model = frozen_model(str(teacher), CPU)
    assert not any(p.requires_grad for p in model.network.parameters())
    assert not any(isinstance(m, nn.Module) and m.training for m in model.network.modules())
    stored = json.loads((teacher / "model" / "model.json").read_text())
    assert frozen_digest(teacher) == stored["weights_sha256"]


def test_several_labels(tmp_path: Path, hurried: None) -> None:
    data = write_clips(tmp_path, splits={"train": 8})
    multi = replace(TEACHER, labels="multi")
    assert run(multi, Order(ClipFiles(data), tmp_path / "teacher", cpu=True))
    student = replace(STUDENT, labels="multi", clips=CLIPS, classifier=TEACHER.classifier)
    order = Order(ClipFiles(data), tmp_path / "run", teacher=tmp_path / "teacher", cpu=True)
    assert run(student, order)
    assert all(math.isfinite(row["distill_logits"]) for row in rows_of(order.out) if "loss" in row)
