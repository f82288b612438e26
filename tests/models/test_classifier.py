"""What all classifiers have in common: what they see on the way is what their answer is made of."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tinyvirat.models.classifier import STAGES, Classifier
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.x3d import X3DConfig

from .network_checks import clips, seeded

SMALL: dict[str, Any] = {
    "i3d": I3DConfig(5, 112, width=0.0625),
    "i3d, first pool": I3DConfig(5, 224, width=0.0625),
    "resnet3d": ResNet3DConfig(10, 5, width=4),
    "resnet3d, bottlenecks": ResNet3DConfig(50, 5, width=4),
    "x3d": X3DConfig(5, width=4, depth=1.0, features=16),
}
SIDES = {"i3d": (16, 8, 4, 2)}
"""Of the maps of a 32 px clip, where that is not 8, 4, 2, 1."""


@pytest.fixture(params=SMALL)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def network_of(kind: str) -> Classifier:
    network: Classifier = seeded(SMALL[kind])
    return network


def test_it_sees_what_it_answers_from(kind: str) -> None:
    network, x = network_of(kind), clips(2, 3, 16, 32, 32)
    with torch.no_grad():
        seen = network.see(x)
        assert torch.equal(seen.logits_BK, network(x))
        assert torch.equal(seen.features_BC, network.features(x))
        assert torch.equal(network.pooled(seen.stages[-1]), seen.features_BC)
        assert torch.equal(network.answer(seen.features_BC), seen.logits_BK)
    assert seen.features_BC.shape == (2, network.head.in_features)


def test_each_stage_has_its_width_and_half_the_side(kind: str) -> None:
    network = network_of(kind)
    with torch.no_grad():
        maps = network.see(clips(1, 3, 16, 32, 32)).stages
    assert len(maps) == STAGES
    assert tuple(x.shape[1] for x in maps) == network.widths
    assert tuple(x.shape[-1] for x in maps) == SIDES.get(kind, (8, 4, 2, 1))


def test_every_layer_stands_in_one_step(kind: str) -> None:
    network = network_of(kind)
    layers = [layer for stage in network.steps() for layer in stage]
    held = [id(p) for layer in layers for p in layer.parameters()]
    assert len(held) == len(set(held))
    behind = {id(p) for p in network.parameters()} - set(held)
    names = {name.split(".")[0] for name, p in network.named_parameters() if id(p) in behind}
    assert names == ({"last", "hidden", "head"} if kind == "x3d" else {"head"})


def test_what_is_not_asked_for_is_not_computed(kind: str) -> None:
    network, x = network_of(kind), clips(1, 3, 16, 32, 32)
    run: list[int] = []
    for number, stage in enumerate(network.steps()):
        stage[-1].register_forward_hook(lambda *_, number=number: run.append(number))
    with torch.no_grad():
        maps = network.stage_maps(x, 2)
        assert run == [0, 1]
        torch.testing.assert_close(maps, network.see(x).stages[:2], rtol=0, atol=0)


def test_later_stages_leave_the_maps_alone(kind: str) -> None:
    """A layer that works in place would change a map behind the back of who looks at it."""
    network, x = network_of(kind), clips(1, 3, 16, 32, 32)
    with torch.no_grad():
        for number, seen in enumerate(network.see(x).stages):
            assert torch.equal(seen, network.stage_maps(x, number + 1)[-1])


def test_dropout_is_behind_the_features() -> None:
    for kind in ("i3d", "x3d"):
        network, features = network_of(kind).train(), torch.ones(64, 16)
        torch.manual_seed(0)
        assert not torch.equal(
            network.answer(features[:, :1].expand(-1, network.head.in_features)),
            network.head(features[:, :1].expand(-1, network.head.in_features)),
        )


@pytest.mark.parametrize("zero_to_one", [False, True])
def test_a_recogniser_sees_in_its_classifiers_range(zero_to_one: bool) -> None:
    network = RecognizerConfig(SMALL["resnet3d"], side=32, zero_to_one=zero_to_one).build().eval()
    x = clips(1, 3, 8, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.see(x).logits_BK, network.classify(x))
        fed = (x + 1) / 2 if zero_to_one else x
        assert torch.equal(network.classify(x), network.classifier(fed))
