"""Testing a network otherwise than it was trained."""

from __future__ import annotations

import pytest
import torch

from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig, masked
from tinyvirat.models.saved import Model, ModelSpec
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.variants import MovedMap, Variant
from tinyvirat.video.sampling import AllWindows

NETWORK = ProgressiveDVSRConfig(scale=4, channels=4, growth=4, attention=True)


def model(*, attention: bool = True) -> Model:
    torch.manual_seed(0)
    sr = NETWORK if attention else None
    config = RecognizerConfig(I3DConfig(num_classes=2, width=0.0625), sr, side=32)
    spec = ModelSpec(
        name="small",
        config=config,
        labels=("a", "b"),
        multi_label=False,
        preprocess=Preprocess(8, 32, 36),
        sampler=AllWindows(8),
    )
    return Model(spec, config.build().eval())


@pytest.fixture(scope="module", name="x_BCTHW")
def clips() -> torch.Tensor:
    return torch.rand(2, 3, 8, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_as_trained_nothing_changes() -> None:
    one = model()
    assert Variant().of(one).spec == one.spec
    assert (Variant().folder, Variant().words) == ("evaluation", "")


def test_smaller_clips() -> None:
    found = Variant(size=4).of(model())
    assert found.spec.preprocess == Preprocess(4, 32, 36)
    assert Variant(size=4).folder == "evaluation_at_4"
    assert Variant(size=4).words == "tested at 4 px"


@torch.no_grad()
def test_the_map_applied(x_BCTHW: torch.Tensor) -> None:
    plain = model().network
    video, map_B1THW = plain.enlarge(x_BCTHW)
    assert map_B1THW is not None
    found = Variant(map="learnt").of(model()).network(x_BCTHW)
    assert torch.equal(found, plain.classify(masked(video, map_B1THW)))
    assert not torch.equal(found, plain(x_BCTHW))


@torch.no_grad()
def test_the_map_is_applied_as_it_was_learnt(x_BCTHW: torch.Tensor) -> None:
    plain = model().network
    video, map_B1THW = plain.enlarge(x_BCTHW)
    assert map_B1THW is not None
    found = Variant(map="learnt").of(model(), to_grey=True).network(x_BCTHW)
    assert torch.equal(found, plain.classify(masked(video, map_B1THW, to_grey=True)))
    assert not torch.equal(found, plain.classify(masked(video, map_B1THW)))


@torch.no_grad()
def test_a_map_in_a_random_place(x_BCTHW: torch.Tensor) -> None:
    network = model().network
    assert network.super_resolution is not None
    learnt = network.super_resolution(x_BCTHW)
    moved = MovedMap(network.super_resolution)(x_BCTHW)
    assert torch.equal(moved.video_BCTHW, learnt.video_BCTHW)
    assert moved.attention_B1THW.shape == learnt.attention_B1THW.shape
    for mine, theirs in zip(moved.attention_B1THW, learnt.attention_B1THW, strict=True):
        assert not torch.equal(mine, theirs)
        assert torch.equal(mine.flatten().sort().values, theirs.flatten().sort().values)
    shifts = [_shift(m, t) for m, t in zip(moved[1], learnt[1], strict=True)]
    assert shifts[0] != shifts[1]  # each clip has a place of its own
    for mine, theirs, by in zip(moved[1], learnt[1], shifts, strict=True):
        assert torch.equal(mine, theirs.roll(by, dims=(1, 2, 3)))
    assert all(any(by[axis] for by in shifts) for axis in range(3))  # in time, down and across
    again = MovedMap(network.super_resolution)(x_BCTHW)
    assert torch.equal(again.attention_B1THW, moved.attention_B1THW)


def _shift(moved_1THW: torch.Tensor, map_1THW: torch.Tensor) -> tuple[int, ...]:
    """By how much a map was moved in time and space."""
    sides = map_1THW.shape[1:]
    places = [
        torch.tensor(torch.unravel_index(one.argmax(), one.shape))[1:]
        for one in (moved_1THW, map_1THW)
    ]
    return tuple(
        int((a - b) % side) for a, b, side in zip(places[0], places[1], sides, strict=True)
    )


@torch.no_grad()
def test_a_random_map_is_applied_to_what_is_classified(x_BCTHW: torch.Tensor) -> None:
    found = Variant(map="random").of(model()).network(x_BCTHW)
    assert not torch.equal(found, Variant(map="learnt").of(model()).network(x_BCTHW))
    assert torch.equal(found, Variant(map="random").of(model()).network(x_BCTHW))


@pytest.mark.parametrize("kind", ["learnt", "random"])
def test_a_network_without_a_map(kind: str) -> None:
    with pytest.raises(ReproduceError, match="small: there is no attention map to apply"):
        Variant(map=kind).of(model(attention=False))  # type: ignore[arg-type]


def test_folders_and_words_are_distinct() -> None:
    every = [Variant(size, kind) for size in (None, 14) for kind in ("none", "learnt", "random")]
    assert len({one.folder for one in every}) == len({one.words for one in every}) == 6
