"""3D ResNets: blocks, shortcuts and the network as a whole. Equality with the published ones is in
`test_import_classifiers.py`."""

from __future__ import annotations

import pytest
import torch

from tinyvirat.models.resnet3d import BLOCKS, PadShortcut, ResNet3DConfig

from .network_checks import (
    clips,
    exports,
    gradient_reaches_everything,
    keeps_dtype,
    overfits,
    same_in_channels_last,
    seeded,
)

KINDS = {
    "basic-A": ResNet3DConfig(10, 5, "A", width=4),
    "basic-B": ResNet3DConfig(18, 5, "B", width=4),
    "bottleneck-A": ResNet3DConfig(50, 5, "A", width=4),
    "bottleneck-B": ResNet3DConfig(50, 5, "B", width=4),
    "wide": ResNet3DConfig(50, 5, "B", width=4, widen=2),
}
kinds = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)


@pytest.mark.parametrize("depth", BLOCKS)
def test_depth_counts_its_layers(depth: int) -> None:
    with torch.device("meta"):
        network = ResNet3DConfig(depth, width=1).build()
    convolutions = [
        name
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv3d) and "downsample" not in name
    ]
    assert len(convolutions) + 1 == depth  # The head is the last layer.


def test_shortcut_a_subsamples_and_adds_zeros() -> None:
    x = clips(2, 3, 5, 6, 7)
    y = PadShortcut(4, 2)(x)
    assert y.shape == (2, 7, 3, 3, 4)
    assert torch.equal(y[:, :3], torch.nn.functional.avg_pool3d(x, 1, stride=2))
    assert not y[:, 3:].any()


def test_shortcut_a_has_no_parameters() -> None:
    for shortcut, expected in (("A", 0), ("B", 4)):
        names = seeded(ResNet3DConfig(50, 5, shortcut, width=2), settled=False).state_dict()
        blocks = {name.split(".downsample")[0] for name in names if "downsample" in name}
        assert len(blocks) == expected


def test_temporal_and_spatial_strides_are_the_published_ones() -> None:
    network = seeded(ResNet3DConfig(10, 5, width=2), settled=False)
    sizes = {}
    for name in ("conv1", "pool", "layer1", "layer2", "layer3", "layer4"):
        module = network.get_submodule(name)
        module.register_forward_hook(
            lambda _m, _i, out, name=name: sizes.update({name: tuple(out.shape[2:])})
        )
    network(clips(1, 3, 16, 112, 112))
    assert sizes == {
        "conv1": (16, 56, 56),
        "pool": (8, 28, 28),
        "layer1": (8, 28, 28),
        "layer2": (4, 14, 14),
        "layer3": (2, 7, 7),
        "layer4": (1, 4, 4),
    }


@kinds
def test_gradient_reaches_every_parameter(config: ResNet3DConfig) -> None:
    gradient_reaches_everything(seeded(config, settled=False), clips(2, 3, 16, 32, 32))


@pytest.mark.parametrize("kind", ["basic-A", "wide"])
def test_overfits_one_batch(kind: str) -> None:
    network = seeded(KINDS[kind], settled=False)
    overfits(network, clips(3, 3, 8, 16, 16), torch.tensor([0, 1, 2]), steps=40, lr=1e-2)


@pytest.mark.parametrize(
    ("kind", "dtype", "tolerance"),
    [
        ("basic-A", torch.float64, 1e-4),
        ("basic-A", torch.bfloat16, 0.1),
        ("bottleneck-B", torch.float64, 1e-3),
    ],
)
def test_keeps_the_dtype_of_its_weights(kind: str, dtype: torch.dtype, tolerance: float) -> None:
    keeps_dtype(seeded(KINDS[kind]), clips(1, 3, 16, 32, 32), dtype, tolerance)


@kinds
def test_memory_format_changes_nothing(config: ResNet3DConfig) -> None:
    same_in_channels_last(seeded(config), clips(2, 3, 16, 30, 34))


def test_exports_to_plain_operators() -> None:
    exports(seeded(KINDS["basic-A"]), clips(1, 3, 16, 30, 32))


def test_evaluation_is_repeatable() -> None:
    network, x = seeded(KINDS["basic-A"]), clips(2, 3, 16, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 14, 20), (33, 40, 24)])
def test_any_size_gives_one_answer_a_clip(shape: tuple[int, int, int]) -> None:
    network = seeded(KINDS["basic-B"], settled=False)
    with torch.no_grad():
        logits_BK = network(clips(2, 3, *shape))
    assert logits_BK.shape == (2, 5)
    assert torch.isfinite(logits_BK).all()


def test_features_are_what_the_head_sees() -> None:
    network, x = seeded(KINDS["wide"]), clips(2, 3, 16, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.head(network.features(x)), network(x))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"depth": 20}, "depth 20 is not one of 10, 18, 34, 50"),
        ({"shortcut": "C"}, "shortcut 'C' is not one of A, B"),
        ({"num_classes": 0}, "must be in 1"),
        ({"width": 10**9}, "must be in 1"),
        ({"depth": 18, "widen": 2}, "needs bottlenecks"),
    ],
)
def test_refuses_senseless_configurations(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ResNet3DConfig(**fields)  # type: ignore[arg-type]  # the point of the test
