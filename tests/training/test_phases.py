"""What each phase minimises, what learns from it, and at which rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tinyvirat.datasets.degrade import stage_target
from tinyvirat.models.any_size import ENTRIES, AnySizeDVSRConfig
from tinyvirat.models.recognizer import Recognizer, RecognizerConfig, masked
from tinyvirat.training.classification_losses import (
    CrossEntropy,
    DistributionBalanced,
    distribution_balanced_loss,
)
from tinyvirat.training.fade import Fade
from tinyvirat.training.inputs import Inputs, LabelledBatch
from tinyvirat.training.loop import _pieces
from tinyvirat.training.mixup import mixed
from tinyvirat.training.objectives import classification_loss, reconstruction_loss
from tinyvirat.training.phases import (
    Classification,
    Joint,
    Losses,
    Phase,
    Place,
    Segment,
    Setting,
    SuperResolution,
    phases_of,
    steps_for,
)
from tinyvirat.training.recipe import (
    ClassifierPhase,
    Clips,
    JointPhase,
    Optimizer,
    Recipe,
    Sampling,
    SuperResolutionPhase,
)

from .small import CLASSIFIER, CLIPS, NETWORK, RECIPE

PLACE = Place(step=0, segment_step=0, stage=None, epoch_steps=2.0, seed=7)
CLASSES = 3
MOST = 10**9


def setting(recipe: Recipe = RECIPE, **changes: Any) -> Setting:
    torch.manual_seed(0)
    network = RecognizerConfig(
        replace(CLASSIFIER, num_classes=CLASSES), recipe.super_resolution, side=32
    ).build()
    if recipe.super_resolution == NETWORK:
        sr: Any = network.super_resolution
        for head in sr.heads:
            nn.init.normal_(head.rgb.weight, std=0.1)  # fresh ones are near zero
    counts = {"data": torch.tensor([4, 2, 2]), "sr_data": torch.tensor([6, 1, 1])}
    whole = {"recipe": recipe, "network": network, "labels": "single", "counts": counts}
    return Setting(**({"clips": {"data": 8, "sr_data": 8}} | whole | changes))  # type: ignore[arg-type]


def batch(seed: int = 0, clips: int = 2) -> LabelledBatch:
    draw = torch.Generator().manual_seed(seed)
    sizes = [(36 + 4 * n, 44) for n in range(clips)]
    return LabelledBatch(
        [torch.randint(0, 256, (8, h, w, 3), generator=draw, dtype=torch.uint8) for h, w in sizes],
        torch.eye(CLASSES)[torch.arange(clips) % CLASSES],
        [seed * 10 + n for n in range(clips)],
    )


def parts_of(network: Recognizer) -> dict[str, list[nn.Parameter]]:
    sr: Any = network.super_resolution
    return {
        "encoder": [*sr.first.parameters(), *sr.encoder.parameters()],
        "decoder": list(sr.decoder.parameters()),
        "branch": list(sr.attention.parameters()),
        "classifier": list(network.classifier.parameters()),
    }


def learners(phase: Phase, losses: Losses) -> set[str]:
    """The parts of the network that the loss moves."""
    losses.total.backward()
    moved = {
        name
        for name, parameters in parts_of(phase.network).items()
        if any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in parameters)
    }
    for parameter in phase.network.parameters():
        parameter.grad = None
    return moved


def joint(**changes: Any) -> Joint:
    phase = Joint(setting(), JointPhase(steps=3, batch=2, **changes))
    phase.set_modes()
    return phase


REC, ATT = {"lambda_att": 0.0}, {"lambda_rec": 0.0}
ALL = {"encoder", "decoder", "branch", "classifier"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ALL),
        # Eq. 1 moves the video; the map is only its weight, unless it is asked to learn.
        (REC, {"encoder", "decoder"}),
        (REC | {"map_learns_from_rec": True}, {"encoder", "decoder", "branch"}),
        (REC | {"map_learns_from_rec": True, "weighted": False}, {"encoder", "decoder"}),
        # Eq. 2 moves everything; without the video still the encoder, which the map is made of.
        (ATT, ALL),
        (ATT | {"video_learns_from_att": False}, {"encoder", "branch", "classifier"}),
        (ATT | {"classifier_on": "plain"}, ALL),
        (REC | {"classifier_on": "plain"}, {"encoder", "decoder", "classifier"}),
        (ATT | {"attention": False}, {"encoder", "decoder", "classifier"}),
        (ATT | {"attention": False, "video_learns_from_att": False}, {"classifier"}),
        (REC | {"attention": False}, {"encoder", "decoder"}),
        (
            {"attention": False, "video_learns_from_att": False, "classifier_on": "plain"},
            {"encoder", "decoder", "classifier"},
        ),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_what_learns_in_the_joint_phase(options: dict[str, Any], expected: set[str]) -> None:
    phase = joint(**options)
    shared = batch()
    losses = phase.losses({"data": shared, "sr_data": shared}, PLACE)
    assert learners(phase, losses) == expected
    # Whatever was held still for a moment learns again.
    assert all(p.requires_grad for p in phase.network.parameters())


@pytest.mark.parametrize("lambda_att", [0.0, 0.5])
def test_a_branch_that_nothing_teaches_stays_as_it_is(lambda_att: float) -> None:
    """Weight decay would change it, and slowly make another map of it."""
    decaying = Optimizer(lr=0.01, weight_decay=0.1)
    phase = joint(lambda_att=lambda_att, optimizer=decaying)
    network = phase.network.super_resolution
    assert network is not None
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    phase.losses({"data": batch(), "sr_data": batch()}, PLACE).total.backward()  # type: ignore[no-untyped-call]
    for optimizer in phase.optimizers.values():
        optimizer.step()
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    assert any("attention." in name for name in moved) == (lambda_att > 0.0)
    assert any("attention." not in name for name in moved)


@contextmanager
def seen_by(module: nn.Module) -> Iterator[list[Tensor]]:
    """What a network is given."""
    seen: list[Tensor] = []
    hook: Callable[..., None] = lambda _, args: seen.append(args[0].detach().clone())  # noqa: E731
    handle = module.register_forward_pre_hook(hook)
    yield seen
    handle.remove()


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("on", ["masked", "plain"])
def test_the_joint_losses_are_the_equations(grey: bool, on: Any) -> None:
    phase = joint(
        mask_to_grey=grey, classifier_on=on, lambda_rec=3.0, lambda_att=0.7, lambda_sparsity=0.2
    )
    network, shared = phase.network, batch()
    with seen_by(network.classifier) as seen:
        total, parts = phase.losses({"data": shared, "sr_data": shared}, PLACE)
    pairs = Inputs(CLIPS).pairs(shared)
    with torch.no_grad():
        video, attention = network.enlarge(pairs.low_BCTHW)
        assert attention is not None
        rec = reconstruction_loss(video, pairs.high_BCTHW, attention)
        dark = video * attention if grey else (video + 1) * attention - 1
        cls = classification_loss(network.classify(dark), shared.targets_BK, "single")
        plain = classification_loss(network.classify(video), shared.targets_BK, "single")
    torch.testing.assert_close(seen[0], dark)
    assert torch.equal(seen[0], masked(video, attention, to_grey=grey))
    expected = {"rec": rec, "cls": cls, "map": attention.mean()}
    if on == "plain":
        torch.testing.assert_close(seen[1], video)
        expected["cls_plain"] = plain
    torch.testing.assert_close(parts, expected)
    att = parts["cls"] + 0.2 * parts["map"]
    whole = 3.0 * parts["rec"] + 0.7 * att + parts.get("cls_plain", 0.0)
    torch.testing.assert_close(total, whole)


def test_without_attention_the_map_is_nowhere() -> None:
    phase = joint(attention=False, lambda_rec=100.0, lambda_att=1.0)
    shared = batch()
    with seen_by(phase.network.classifier) as seen:
        total, parts = phase.losses({"data": shared, "sr_data": shared}, PLACE)
    pairs = Inputs(CLIPS).pairs(shared)
    with torch.no_grad():
        video = phase.network.enlarge(pairs.low_BCTHW).video_BCTHW
    torch.testing.assert_close(seen[0], video)
    torch.testing.assert_close(parts["rec"], reconstruction_loss(video, pairs.high_BCTHW))
    assert "map" not in parts
    torch.testing.assert_close(total, 100 * parts["rec"] + parts["cls"])


def test_the_published_pass_of_the_classifier_is_its_own() -> None:
    """Its gradient is that of the plain clip alone, whatever the weights of the other terms."""
    gradients = []
    for factor in (0.5, 50.0):
        phase = joint(classifier_on="plain", lambda_att=factor, lambda_rec=factor)
        shared = batch()
        phase.losses({"data": shared, "sr_data": shared}, PLACE).total.backward()
        gradients.append([p.grad for p in phase.network.classifier.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_each_loss_takes_its_own_clips() -> None:
    tiny = replace(CLIPS, tiny=True)
    phase = Joint(setting(replace(RECIPE, clips=tiny)), JointPhase(steps=3, batch=2))
    phase.set_modes()
    labelled, large = batch(1), batch(2)
    small = [clip[:, 8:19, 4:15] for clip in labelled.clips]
    labelled = replace(labelled, clips=small)
    with seen_by(phase._super_resolution()) as seen:
        parts = phase.losses({"data": labelled, "sr_data": large}, PLACE).parts
    inputs = Inputs(tiny)
    pairs = inputs.pairs(large)
    assert [x.tolist() for x in seen] == [pairs.low_BCTHW.tolist(), inputs.low(labelled).tolist()]
    with torch.no_grad():
        video, attention = phase.network.enlarge(pairs.low_BCTHW)
        assert attention is not None
        rec = reconstruction_loss(video, pairs.high_BCTHW, attention)
        _, other = phase.network.enlarge(inputs.low(labelled))
    torch.testing.assert_close(parts["rec"], rec)
    assert other is not None
    torch.testing.assert_close(parts["map"], other.mean())


def test_one_batch_for_both_roles_is_enlarged_once() -> None:
    phase = joint()
    shared = batch()
    with seen_by(phase._super_resolution()) as seen:
        phase.losses({"data": shared, "sr_data": shared}, PLACE)
    assert len(seen) == 1


@pytest.mark.parametrize(("stage", "frames", "side"), [(1, 4, 16), (2, 8, 32), (None, 8, 32)])
def test_phase_one_learns_each_stage_from_its_truth(
    stage: int | None, frames: int, side: int
) -> None:
    settings = SuperResolutionPhase(steps=(3, 5), batch=(2,), fade=Fade(per_step=0.25), weight=3.0)
    phase = SuperResolution(setting(), settings)
    phase.set_modes()
    one = batch()
    total, parts = phase.losses({"sr_data": one}, replace(PLACE, stage=stage, segment_step=2))
    alpha = 1.0 if stage == 1 else 0.5
    assert parts["alpha"].item() == alpha
    pairs = Inputs(CLIPS).pairs(one)
    with torch.no_grad():
        video = phase._super_resolution()(pairs.low_BCTHW, stage, alpha).video_BCTHW
    assert video.shape == (2, 3, frames, side, side)
    truth = stage_target(pairs.high_BCTHW, frames, side)
    torch.testing.assert_close(parts["rec"], reconstruction_loss(video, truth))
    torch.testing.assert_close(total, 3.0 * parts["rec"])


def test_phase_one_leaves_branch_and_classifier_alone() -> None:
    phase = SuperResolution(setting(), SuperResolutionPhase(steps=(3,), batch=(2,)))
    phase.set_modes()
    assert learners(phase, phase.losses({"sr_data": batch()}, PLACE)) == {"encoder", "decoder"}
    learning = {id(p) for p in phase.learning}
    parts = parts_of(phase.network)
    assert not learning & {id(p) for p in [*parts["branch"], *parts["classifier"]]}
    assert learning >= {id(p) for p in [*parts["encoder"], *parts["decoder"]]}
    assert not phase.network.classifier.training


def test_trained_at_once_nothing_is_faded() -> None:
    phase = SuperResolution(setting(), SuperResolutionPhase(steps=(3,), batch=(2,)))
    phase.set_modes()
    assert phase.losses({"sr_data": batch()}, PLACE).parts["alpha"].item() == 1.0
    assert phase.segments == (Segment(3, 2, None),)


def test_the_stages_have_their_own_lengths_and_batches() -> None:
    phase = SuperResolution(
        setting(), SuperResolutionPhase(epochs=(1.5, 2.0), batch=(4, 30), fade=Fade(epochs=1.0))
    )
    # 8 clips: 2 batches of 4 an epoch, or one of all 8.
    assert phase.segments == (Segment(3, 4, 1), Segment(2, 8, None))
    assert phase.steps == 5


def test_random_entries_are_drawn_by_the_iteration() -> None:
    network = AnySizeDVSRConfig(channels=2, growth=2)
    clips = Clips(size=28, full=112, short_side=112, frames=4)
    recipe = replace(RECIPE, super_resolution=network, clips=clips, phase1=None, phase2=None)
    settings = SuperResolutionPhase(steps=(30,), batch=(1,), random_entries=True)
    phase = SuperResolution(setting(recipe), settings)
    phase.set_modes()
    one = batch(clips=1)
    one = replace(one, clips=[clip[:4] for clip in one.clips])
    sides = []
    with seen_by(phase._super_resolution()) as seen, torch.no_grad():
        for seed in (*range(12), 0):
            phase.losses({"sr_data": one}, replace(PLACE, seed=seed))
            sides.append(seen[-1].shape[-1])
    assert set(sides) == set(ENTRIES)
    assert sides[0] == sides[-1]


def phase3(recipe: Recipe = RECIPE, **changes: Any) -> Classification:
    phase = Classification(setting(recipe), ClassifierPhase(steps=3, batch=2, **changes))
    phase.set_modes()
    return phase


def test_phase_three_learns_the_classifier_on_enlarged_clips() -> None:
    phase = phase3()
    one = batch()
    with seen_by(phase.network.classifier) as seen:
        losses = phase.losses({"data": one}, PLACE)
    with torch.no_grad():
        video = phase.network.enlarge(Inputs(CLIPS).low(one)).video_BCTHW
        expected = classification_loss(phase.network.classify(video), one.targets_BK, "single")
    torch.testing.assert_close(seen[0], video)  # not masked
    torch.testing.assert_close(losses.total, expected)
    assert learners(phase, losses) == {"classifier"}
    assert phase.frozen
    assert not phase._super_resolution().training


def test_phase_three_can_move_the_generator_too() -> None:
    phase = phase3(freeze_generator=False)
    assert learners(phase, phase.losses({"data": batch()}, PLACE)) == {
        "encoder",
        "decoder",
        "classifier",
    }
    assert phase._super_resolution().training
    assert {id(p) for p in phase.learning} == {id(p) for p in phase.network.parameters()}


def test_the_bicubic_baseline_has_no_generator() -> None:
    phase = phase3(replace(RECIPE, super_resolution=None, phase1=None, phase2=None))
    one = batch()
    with seen_by(phase.network.classifier) as seen:
        phase.losses({"data": one}, PLACE).total.backward()
    assert seen[0].shape[-1] == 32
    assert all(p.grad is not None for p in phase.network.classifier.parameters())


def test_frozen_norms_keep_their_statistics_and_learn_their_weights() -> None:
    for frozen in (True, False):
        phase = phase3(freeze_norm=frozen)
        norms = [m for m in phase.network.classifier.modules() if isinstance(m, nn.BatchNorm3d)]
        before = [norm.running_mean.clone() for norm in norms if norm.running_mean is not None]
        phase.losses({"data": batch()}, PLACE).total.backward()
        after = [norm.running_mean for norm in norms]
        assert all(map(torch.equal, before, after)) == frozen
        assert all(norm.weight.grad is not None for norm in norms)
        assert phase.network.classifier.training


def test_class_weights_reach_the_loss() -> None:
    plain, weighted = phase3(), phase3(loss=CrossEntropy(class_weights=True))
    one = batch()
    with torch.no_grad():
        loss = weighted.losses({"data": one}, PLACE).total
        video = weighted.network.enlarge(Inputs(CLIPS).low(one)).video_BCTHW
        logits = weighted.network.classify(video)
    weights_K = torch.tensor([8 / 12, 8 / 6, 8 / 6])
    expected = classification_loss(logits, one.targets_BK, "single", weights_K)
    torch.testing.assert_close(loss, expected)
    assert abs(loss - plain.losses({"data": one}, PLACE).total) > 1e-3


@pytest.mark.parametrize("role", ["data", "sr_data"])
def test_the_joint_loss_knows_the_classes_of_its_own_clips(role: Any) -> None:
    settings = JointPhase(steps=3, batch=2, att_from=role, loss=DistributionBalanced(kappa=1.0))
    phase = Joint(setting(labels="multi"), settings)
    phase.set_modes()
    shared = batch()
    with seen_by(phase.network.classifier) as seen:
        parts = phase.losses({"data": shared, "sr_data": shared}, PLACE).parts
    with torch.no_grad():
        logits = phase.network.classify(seen[0])
    classes = phase.setting.classes(role)
    expected = distribution_balanced_loss(logits, shared.targets_BK, classes, settings.loss)
    torch.testing.assert_close(parts["cls"], expected)
    other = phase.setting.classes("data" if role == "sr_data" else "sr_data")
    unlike = distribution_balanced_loss(logits, shared.targets_BK, other, settings.loss)
    assert abs(unlike - expected) > 1e-3


def test_mixup_lays_enlarged_clips_and_labels_over_each_other() -> None:
    phase = phase3(mixup=0.4)
    one = batch()
    with seen_by(phase.network.classifier) as seen:
        loss = phase.losses({"data": one}, PLACE).total
    with torch.no_grad():
        video = phase.network.enlarge(Inputs(CLIPS).low(one)).video_BCTHW
        video, targets = mixed(video, one.targets_BK, alpha=0.4, seed=PLACE.seed, seeds=one.seeds)
        expected = classification_loss(phase.network.classify(video), targets, "single")
    torch.testing.assert_close(seen[0], video)
    torch.testing.assert_close(loss, expected)
    assert 0 < targets[0, 1] < 1


@pytest.mark.parametrize(("clips", "count"), [(8, 4), (8, 3), (8, 8), (7, 3), (7, 7), (1, 2)])
def test_no_cut_into_pieces_parts_a_pair(clips: int, count: int) -> None:
    """Mixed in pieces, clips and labels are what they are mixed as a whole."""
    assert (phase3(mixup=0.4).together, phase3().together) == (2, 1)
    x_B1111, targets_BK = torch.arange(float(clips)).view(-1, 1, 1, 1, 1), torch.eye(clips)
    whole = LabelledBatch(list(x_B1111), targets_BK, tuple(range(clips)))
    pieces = list(_pieces({"data": whole}, count, 2))
    assert len(pieces) == max(1, min(count, clips // 2))
    assert sum(share for share, _ in pieces) == pytest.approx(1.0)

    def mix(part: LabelledBatch) -> tuple[Tensor, Tensor]:
        x, targets = torch.stack(list(part.clips)), part.targets_BK
        return mixed(x, targets, alpha=0.4, seed=3, seeds=part.seeds)

    parts = [mix(piece["data"]) for _, piece in pieces]
    for found, wanted in zip(zip(*parts, strict=True), mix(whole), strict=True):
        assert torch.equal(torch.cat(found), wanted)


def test_repeats_are_for_the_classifier() -> None:
    phase = phase3(sampling=Sampling(repeat_factor=0.3))
    assert phase.sampling.repeat_factor == 0.3
    assert phase3().sampling == joint().sampling == Sampling()


def test_rates_are_constant_or_fall_as_a_cosine_and_heads_have_their_own() -> None:
    phase = Joint(
        setting(),
        JointPhase(
            steps=10,
            batch=2,
            optimizer=Optimizer(lr=1e-3),
            classifier_optimizer=Optimizer(lr=2e-3, decay="cosine"),
            head_lr=5.0,
        ),
    )
    for step in range(10):
        phase.set_rates(step)
        generator, classifier = (o.param_groups for o in phase.optimizers.values())
        cosine = 0.5 * (1 + math.cos(math.pi * step / 10))
        assert [group["lr"] for group in generator] == [1e-3]
        assert [group["lr"] for group in classifier] == pytest.approx(
            [2e-3 * cosine, 5 * 2e-3 * cosine]
        )
    head = {id(p) for p in phase.optimizers["classifier"].param_groups[1]["params"]}
    assert head == {id(p) for p in phase.network.classifier.head.parameters()}  # type: ignore[union-attr]


def test_a_late_decay_keeps_its_rate_for_two_thirds_and_then_falls_to_zero() -> None:
    late = Optimizer(lr=1e-3, decay="late")
    assert [late.rate(done) for done in (0.0, 0.5, 2 / 3)] == [1e-3] * 3
    assert late.rate(5 / 6) == pytest.approx(5e-4)
    assert late.rate(1.0) == pytest.approx(0.0, abs=1e-12)
    assert Optimizer(lr=1e-3).rate(1.0) == 1e-3


def test_adam_is_the_papers() -> None:
    phase = Joint(setting(), JointPhase(steps=1, optimizer=Optimizer(weight_decay=5e-5)))
    for name, decay in (("generator", 5e-5), ("classifier", 0.0)):
        group = phase.optimizers[name].param_groups[0]
        assert isinstance(phase.optimizers[name], torch.optim.Adam)
        assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.9), decay)


def test_a_batch_has_no_more_clips_than_the_smaller_role() -> None:
    phase = Joint(setting(clips={"data": 9, "sr_data": 4}), JointPhase(epochs=2, batch=6))
    assert phase.segments == (Segment(4, 4),)  # two epochs of 9 // 4 batches of the labelled clips
    assert Classification(setting(), ClassifierPhase(epochs=3, batch=99)).segments == (
        Segment(3, 8),
    )


@pytest.mark.parametrize(
    ("epochs", "clips", "batch_size", "steps"),
    [(1, 8, 4, 2), (2.5, 8, 4, 5), (1, 9, 4, 2), (3, 3, 4, 3), (0.1, 8, 4, 1)],
)
def test_epochs_are_counted_in_whole_batches(
    epochs: float, clips: int, batch_size: int, steps: int
) -> None:
    assert steps_for(epochs, clips, batch_size) == steps


def test_phases_come_in_order() -> None:
    assert [phase.name[0] for phase in phases_of(setting())] == ["1", "2", "3"]
    assert [p.name[0] for p in phases_of(setting(replace(RECIPE, phase2=None)))] == ["1", "3"]
