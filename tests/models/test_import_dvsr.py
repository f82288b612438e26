"""The authors' super-resolution networks: equal to ours, whatever widths a checkpoint has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from tinyvirat.models.dvsr import DVSRConfig, ProgressiveDVSRConfig
from tinyvirat.models.importers import ImportWeightsError, import_reference
from tinyvirat.models.importers.dvsr import fold_spectral_norm
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec, load_model, save_model
from tinyvirat.models.weights import WeightsError, import_classifier, import_super_resolution
from tinyvirat.video.sampling import AllWindows

from .convolution import conv3d
from .network_checks import clips
from .parity import Call, Case, check_output, input_tensor, load_case
from .super_resolution_checks import fresh, trilinear

PROG = "authors-prog-dvsr"
PLAIN = "authors-dvsr"
CASES = {
    "prog_dvsr_x8": PROG,
    "prog_dvsr_x4": PROG,
    "prog_dvsr_attention_x8": PROG,
    "prog_dvsr_attention_x4": PROG,
    "dvsr_x8": PLAIN,
    "dvsr_x4": PLAIN,
}
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


def call_of(call: Call) -> dict[str, Any]:
    """The published call's arguments as ours: their `scale` is the stage, `fadein` the old path."""
    if not call.kwargs:
        return {}
    assert set(call.kwargs) == {"scale", "fadein"}
    return {"stage": call.kwargs["scale"], "alpha": 1.0 - call.kwargs["fadein"]}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_equals_the_published_network(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(F, "conv3d", conv3d)
    case: Case = load_case(name)
    network: Any = import_reference(case.state_dict(dtype), CASES[name])
    assert {p.dtype for p in network.parameters()} == {dtype}
    for call in case.calls:
        with torch.inference_mode():
            answer = network(input_tensor(call.input_shape, dtype), **call_of(call))
        outputs = [output for output in answer if output is not None]
        for got, expected in zip(outputs, call.outputs, strict=True):
            check_output(got, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 1, 1)])
@pytest.mark.parametrize("frames", [1, 4, 5])
def test_the_fast_convolution_is_a_convolution(frames: int, stride: tuple[int, int, int]) -> None:
    x = clips(2, 3, frames, 70, 66, dtype=torch.float64)
    weight, bias = clips(4, 3, 3, 3, 3, seed=1).double(), clips(4, seed=2).double()
    expected = F.conv3d(x, weight, bias, stride, (1, 1, 1), (1, 1, 1), 1)
    got = conv3d(x, weight, bias, stride, (1, 1, 1), (1, 1, 1), 1)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-13)


def foreign(network: nn.Module) -> dict[str, Tensor]:
    """The authors' checkpoint of a network of ours."""
    stages = len(network.heads) if hasattr(network, "heads") else 0
    name_of = (lambda name: progressive_name(name, stages)) if stages else plain_name
    return {name_of(name): tensor for name, tensor in network.state_dict().items()}


def dense_name(block: str, conv: str) -> str:
    return f"RDB{int(block) + 1}.conv{int(conv) + 1}.conv_spatial"


def progressive_name(name: str, stages: int) -> str:
    match name.split("."):
        case ["first", leaf]:
            return f"convin.conv_spatial.{leaf}"
        case ["encoder", rrdb, "blocks", block, "convs", conv, leaf]:
            return f"res_hall.{rrdb}.{dense_name(block, conv)}.{leaf}"
        case ["decoder", stage, position, "conv", leaf]:
            halvings = stages - 1 - int(stage)
            if int(position) < halvings:
                return f"up_layers.{stage}.{position}.conv_spatial.{leaf}"
            between = f"{halvings}." if halvings else ""
            conv = f"c{int(position) - halvings + 1}"
            return f"up_layers.{stage}.{between}{conv}.conv_spatial.{leaf}"
        case ["heads", stage, "hidden", leaf]:
            return f"rgb_proj.{stage}.seq.l0.conv_spatial.{leaf}"
        case ["heads", stage, "rgb", leaf]:
            return f"rgb_proj.{stage}.seq.l1.conv_spatial.{leaf}"
        case ["attention", "convs", index, leaf]:
            return f"saliency_dec.{index}.conv_spatial.{leaf}"
        case ["attention", "norms", index, leaf]:
            return f"saliency_dec.{index}.norm.{leaf}"
    raise AssertionError(name)


def plain_name(name: str) -> str:
    match name.split("."):
        case ["encoder", rrdb, "blocks", block, "convs", conv, leaf]:
            return f"res_hall.rrdb{int(rrdb) + 1}.{dense_name(block, conv)}.{leaf}"
        case ["enlarge", index, "conv", leaf]:
            return f"up_hall.upconv{int(index) + 1}.conv_spatial.{leaf}"
        case ["first" | "trunk" | "rgb" as part, leaf] | ["hidden" as part, "conv", leaf]:
            theirs = {"first": "convin", "trunk": "convbout", "hidden": "conv1", "rgb": "conv2"}
            return f"{theirs[part]}.conv_spatial.{leaf}"
    raise AssertionError(name)


CONFIGS = [
    (PROG, ProgressiveDVSRConfig(8, 4, 2)),
    (PROG, ProgressiveDVSRConfig(8, 8, 3, attention=True)),
    (PROG, ProgressiveDVSRConfig(4, 4, 5)),
    (PROG, ProgressiveDVSRConfig(4, 6, 1, attention=True)),
    (PROG, ProgressiveDVSRConfig(2, 3, 2)),
    (PROG, ProgressiveDVSRConfig(2, 5, 2, attention=True)),
    (PLAIN, DVSRConfig(8, 4, 2, 1)),
    (PLAIN, DVSRConfig(4, 5, 3, 2)),
    (PLAIN, DVSRConfig(2, 4, 6, 10)),
]


@pytest.mark.parametrize(("layout", "config"), CONFIGS)
@pytest.mark.parametrize("counters", [True, False])
def test_widths_scale_and_branch_are_read_from_the_checkpoint(
    layout: str, config: Any, counters: bool
) -> None:
    network = fresh(config)
    checkpoint = {
        name: tensor
        for name, tensor in foreign(network).items()
        if counters or not name.endswith("num_batches_tracked")
    }
    got: Any = import_reference(checkpoint, layout)
    assert got.config == config
    assert not got.training
    x = clips(1, 3, 4, 3, 4)
    with torch.no_grad():
        for one, other in zip(got(x), network(x), strict=True):
            assert one is other is None or torch.equal(one, other)
    for name, tensor in got.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name]), name
        assert tensor.device.type == "cpu"
    assert all(parameter.requires_grad for parameter in got.parameters())


@pytest.mark.parametrize("name", CASES)
def test_the_names_of_the_published_checkpoints_are_these(name: str) -> None:
    """What `foreign` writes, on which the tests here rest, is what the authors' code writes."""
    config: Any = (
        ProgressiveDVSRConfig(8 if "x8" in name else 4, attention="attention" in name)
        if CASES[name] == PROG
        else DVSRConfig(8 if "x8" in name else 4)
    )
    with torch.device("meta"):
        written = foreign(config.build())
    floating = {n: tuple(t.shape) for n, t in written.items() if t.is_floating_point()}
    assert floating == dict(load_case(name).keys)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("layout", "config"), [CONFIGS[3], CONFIGS[7]])
def test_dtype_is_kept(layout: str, config: Any, dtype: torch.dtype) -> None:
    checkpoint = foreign(fresh(config).to(dtype))
    got: Any = import_reference(checkpoint, layout)
    assert {t.dtype for t in got.state_dict().values() if t.is_floating_point()} == {dtype}
    with torch.no_grad():
        assert got(clips(1, 3, 4, 2, 2, dtype=dtype)).video_BCTHW.dtype == dtype


def test_no_memory_is_shared() -> None:
    checkpoint = foreign(fresh(CONFIGS[3][1]))
    got = import_reference(checkpoint, PROG)
    before = {name: tensor.clone() for name, tensor in got.state_dict().items()}
    for tensor in checkpoint.values():
        tensor.fill_(7)
    for name, tensor in got.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_wrapped_and_parallel_checkpoints() -> None:
    config = CONFIGS[0][1]
    checkpoint = {f"module.{n}": t for n, t in foreign(fresh(config)).items()}
    got: Any = import_reference({"state_dict": checkpoint, "epoch": 3}, PROG)
    assert got.config == config


def broken(layout: str, change: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    """A checkpoint with some tensors replaced, added, or (None) taken out."""
    config = CONFIGS[3][1] if layout == PROG else CONFIGS[7][1]
    checkpoint: dict[str, Tensor | None] = {**foreign(fresh(config))}
    for name, tensor in change.items():
        assert tensor is not None or name in checkpoint
        checkpoint[name] = tensor
    return {name: tensor for name, tensor in checkpoint.items() if tensor is not None}


BIAS = "res_hall.0.RDB2.conv3.conv_spatial.bias"


@pytest.mark.parametrize(
    ("layout", "change", "message"),
    [
        (PROG, {BIAS: None}, "lacks encoder.0.blocks.1.convs.2.bias"),
        (PROG, {"extra.weight": torch.ones(2)}, "has besides extra.weight"),
        (PROG, {BIAS: torch.ones(9)}, r"encoder.0.blocks.1.convs.2.bias is \(9,\), not \(1,\)"),
        (PROG, {"convin.conv_spatial.weight": None}, "no tensor 'convin.conv_spatial.weight'"),
        (PROG, {"res_hall.0.RDB1.conv1.conv_spatial.weight": None}, "no tensor 'res_hall.0.RDB1"),
        (PROG, {"saliency_dec.0.norm.running_var": None}, "attention.norms.0.running_var"),
        (PROG, {"saliency_dec.1.norm.weight": torch.ones(1)}, "attention.norms.1.weight"),
        (PROG, {"res_hall.2.RDB1.conv1.conv_spatial.bias": torch.ones(1)}, "encoder.2.blocks.0"),
        (PROG, {"rgb_proj.2.seq.l0.conv_spatial.bias": torch.ones(6)}, "lacks encoder.2"),
        (PROG, {f"rgb_proj.{i}.x": torch.ones(1) for i in range(5)}, r"5 output heads"),
        (PROG, {"first.weight": torch.ones(6, 3, 3, 3, 3)}, "stand for the same tensor"),
        (PLAIN, {"convbout.conv_spatial.bias": None}, "lacks trunk.bias"),
        (PLAIN, {"conv2.conv_spatial.bias": torch.ones(4)}, r"rgb.bias is \(4,\), not \(3,\)"),
        (PLAIN, {"conv2.norm.weight": torch.ones(3)}, "has besides conv2.norm.weight"),
        (PLAIN, {"up_hall.upconv9.conv_spatial.bias": torch.ones(5)}, "lacks enlarge.2"),
        (PLAIN, {f"up_hall.{i}.x": torch.ones(1) for i in range(4)}, "6 enlarging layers"),
        (PLAIN, {f"res_hall.{i}.x": torch.ones(1) for i in range(9999)}, "blocks 10001"),
        (PLAIN, {"convin.conv_spatial.weight": torch.ones(1 << 20)}, "channels 1048576"),
        (PLAIN, {"convin.conv_spatial.weight_u": torch.ones(5)}, "has besides first.weight_u"),
    ],
)
def test_what_does_not_fit_is_named(
    layout: str, change: Mapping[str, Tensor | None], message: str
) -> None:
    with pytest.raises(ImportWeightsError, match=message) as caught:
        import_reference(broken(layout, change), layout)
    assert layout in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_network_without_heads() -> None:
    checkpoint = foreign(fresh(CONFIGS[0][1]))
    headless = {n: t for n, t in checkpoint.items() if not n.startswith("rgb_proj.")}
    with pytest.raises(ImportWeightsError, match="0 output heads"):
        import_reference(headless, PROG)


def test_the_other_layout_is_recognised_as_such() -> None:
    with pytest.raises(ImportWeightsError, match="is it of another layout"):
        import_reference(foreign(fresh(CONFIGS[0][1])), PLAIN)
    with pytest.raises(ImportWeightsError, match="is it of another layout"):
        import_reference(foreign(fresh(CONFIGS[6][1])), PROG)


class Published(nn.Module):
    """The non-progressive network under the authors' names, written from its description, with
    PyTorch's own spectral norm where the published one has it: in the RRDBs and the trunk."""

    def __init__(self, doublings: int, channels: int, growth: int, blocks: int) -> None:
        super().__init__()
        self.convin = self.wrapped(3, channels, normed=False)
        self.res_hall = nn.Module()
        for rrdb in range(blocks):
            dense = nn.Module()
            for block in range(3):
                convs = nn.Module()
                for conv in range(5):
                    width = growth if conv < 4 else channels
                    wrapped = self.wrapped(channels + conv * growth, width, normed=True)
                    convs.add_module(f"conv{conv + 1}", wrapped)
                dense.add_module(f"RDB{block + 1}", convs)
            self.res_hall.add_module(f"rrdb{rrdb + 1}", dense)
        self.convbout = self.wrapped(channels, channels, normed=True)
        self.up_hall = nn.Module()
        for doubling in range(doublings):
            wrapped = self.wrapped(channels, channels, normed=False)
            self.up_hall.add_module(f"upconv{doubling + 1}", wrapped)
        self.conv1 = self.wrapped(channels, channels, normed=False)
        self.conv2 = self.wrapped(channels, 3, normed=False)

    @staticmethod
    def wrapped(in_channels: int, out_channels: int, *, normed: bool) -> Any:
        conv = nn.Conv3d(in_channels, out_channels, 3, padding=1)
        wrapped = nn.Module()
        wrapped.conv_spatial = spectral_norm(conv) if normed else conv
        return wrapped

    def forward(self, x: Tensor) -> Tensor:
        shallow = deep = self.convin.conv_spatial(x)
        for rrdb in self.res_hall.children():
            inner = deep
            for block in rrdb.children():
                features = [inner]
                *first, last = [wrapped.conv_spatial for wrapped in block.children()]
                for conv in first:
                    features.append(F.leaky_relu(conv(torch.cat(features, 1)), 0.2))
                inner = inner + 0.2 * last(torch.cat(features, 1))
            deep = deep + 0.2 * inner
        y = shallow + self.convbout.conv_spatial(deep)
        for wrapped in self.up_hall.children():
            t, h, w = y.shape[2:]
            y = F.leaky_relu(wrapped.conv_spatial(trilinear(y, (t, 2 * h, 2 * w))), 0.2)
        y = F.leaky_relu(self.conv1.conv_spatial(y), 0.2)
        answer: Tensor = self.conv2.conv_spatial(y).tanh()
        return answer


def trained(dtype: torch.dtype = torch.float64, rounds: int = 3) -> Published:
    """With vectors u and v that have seen some rounds of training, in evaluation mode."""
    torch.manual_seed(0)
    network = Published(2, 5, 3, 2).to(dtype)
    with torch.no_grad():
        for _ in range(rounds):
            network(clips(1, 3, 2, 3, 3, dtype=dtype))
        for parameter in network.parameters():
            parameter.mul_(1.5)
    return network.eval()


@pytest.mark.parametrize("rounds", [0, 1, 20])
def test_spectral_norm_is_folded_into_the_weights(rounds: int) -> None:
    published = trained(rounds=rounds)
    checkpoint = published.state_dict()
    assert sum(name.endswith("weight_orig") for name in checkpoint) == 2 * 3 * 5 + 1
    got: Any = import_reference(checkpoint, PLAIN)
    assert got.config == DVSRConfig(4, 5, 3, 2)
    x = clips(2, 3, 3, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(got(x).video_BCTHW, published(x), rtol=1e-12, atol=1e-12)


def test_without_v_it_is_computed_from_u() -> None:
    published = trained(rounds=30)  # Enough for u and v to be nearly singular vectors.
    whole = import_reference(published.state_dict(), PLAIN)
    without = {n: t for n, t in published.state_dict().items() if not n.endswith("weight_v")}
    got = import_reference(without, PLAIN)
    for name, tensor in got.state_dict().items():
        torch.testing.assert_close(tensor, whole.state_dict()[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_folding_keeps_the_dtype_and_loses_no_more_than_it(dtype: torch.dtype) -> None:
    checkpoint = {n: t.to(dtype) for n, t in trained().state_dict().items()}
    exact = fold_spectral_norm({n: t.double() for n, t in checkpoint.items()})
    for name, tensor in fold_spectral_norm(checkpoint).items():
        assert tensor.dtype == dtype
        assert torch.equal(tensor, exact[name].to(dtype)), name


TRUNK = "convbout.conv_spatial.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{TRUNK}_u": None}, f"{TRUNK}_orig has no {TRUNK}_u beside it"),
        ({f"{TRUNK}_u": torch.ones(4)}, rf"{TRUNK}_u is \(4,\), not \(5,\)"),
        ({f"{TRUNK}_u": torch.ones(4), f"{TRUNK}_v": None}, rf"{TRUNK}_u is \(4,\), not \(5,\)"),
        ({f"{TRUNK}_u": torch.ones(5, 1)}, rf"{TRUNK}_u is \(5, 1\), not \(5,\)"),
        ({f"{TRUNK}_v": torch.ones(5)}, rf"{TRUNK}_v is \(5,\), not \(135,\)"),
        ({f"{TRUNK}_orig": torch.zeros(5, 5, 3, 3, 3)}, f"{TRUNK}_orig has the spectral norm 0.0"),
        ({f"{TRUNK}_u": torch.full((5,), torch.nan)}, f"{TRUNK}_orig has the spectral norm nan"),
        ({f"{TRUNK}_orig": None}, "lacks trunk.weight; has besides trunk.weight_u"),
    ],
)
def test_a_spectral_norm_that_cannot_be_folded(
    change: Mapping[str, Tensor | None], message: str
) -> None:
    checkpoint: dict[str, Tensor | None] = {**trained().state_dict(), **change}
    kept = {name: tensor for name, tensor in checkpoint.items() if tensor is not None}
    with pytest.raises(ImportWeightsError, match=message):
        import_reference(kept, PLAIN)


def test_counters_come_back_as_counters() -> None:
    checkpoint = foreign(fresh(CONFIGS[1][1]))
    counters = [name for name in checkpoint if re.search("num_batches_tracked$", name)]
    assert len(counters) == 2
    for name in counters:
        checkpoint[name] = torch.tensor(5)
    with_them = import_reference(checkpoint, PROG).state_dict()
    without = {n: t for n, t in checkpoint.items() if n not in counters}
    without_them = import_reference(without, PROG).state_dict()
    for index in (0, 1):
        name = f"attention.norms.{index}.num_batches_tracked"
        assert (with_them[name].item(), without_them[name].item()) == (5, 0)
        assert with_them[name].dtype == without_them[name].dtype == torch.int64


def test_a_network_is_put_before_a_classifier_that_is_here(tmp_path: Path) -> None:
    config = RecognizerConfig(ResNet3DConfig(10, num_classes=2, width=2), side=16)
    base = ModelSpec(
        "base",
        config,
        labels=("a", "b"),
        multi_label=False,
        preprocess=Preprocess(size=16, full=16, short_side=18),
        sampler=AllWindows(),
    )
    save_model(tmp_path / "base", Model(base, fresh(config, seed=2).eval()))
    network = fresh(ProgressiveDVSRConfig(4, channels=4, growth=2), seed=3).eval()
    torch.save(foreign(network), tmp_path / "sr.pth")
    folder = import_super_resolution(
        tmp_path / "sr.pth",
        "authors-prog-dvsr",
        tmp_path / "both",
        classifier=str(tmp_path / "base"),
    )
    model = load_model(folder)
    assert model.spec.preprocess.sizes == (4,)
    assert "sr.pth" in (folder / "CARD.md").read_text()
    x = clips(2, 3, 8, 4, 4)
    classifier = load_model(tmp_path / "base").network.classifier
    with torch.no_grad():
        torch.testing.assert_close(model.network(x), classifier(network(x).video_BCTHW))
    with pytest.raises(WeightsError, match="instead of labels"):
        import_classifier(
            tmp_path / "sr.pth", "authors-prog-dvsr", tmp_path / "c", labels="ab", multi_label=True
        )
