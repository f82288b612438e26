"""I3D: padding, windows and the network as a whole. Equality with the published one is in
`test_import_classifiers.py`."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvirat.models.i3d import (
    I3D,
    MIXED,
    I3DConfig,
    SamePool,
    Unit,
    largest_neighbour,
    same_padding,
)
from tinyvirat.models.zoo import cost_of

from .network_checks import (
    clips,
    exports,
    gradient_reaches_everything,
    keeps_dtype,
    overfits,
    same_in_channels_last,
    seeded,
)

TINY = I3DConfig(num_classes=5, width=0.0625)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        # TensorFlow's documentation: odd places go behind; 224 -> 112 with 7/2 pads 2 and 3.
        (224, 7, 2, (2, 3)),
        (16, 7, 2, (2, 3)),
        (15, 7, 2, (3, 3)),
        (112, 3, 2, (0, 1)),
        (7, 3, 2, (1, 1)),
        (7, 2, 2, (0, 1)),
        (8, 2, 2, (0, 0)),
        (9, 3, 1, (1, 1)),
        (1, 1, 2, (0, 0)),
    ],
)
def test_same_padding_is_tensorflows(
    size: int, kernel: int, stride: int, expected: tuple[int, int]
) -> None:
    assert same_padding(size, kernel, stride) == expected


@settings(deadline=None)
@given(
    size=st.tuples(*[st.integers(1, 9)] * 3),
    kind=st.sampled_from(
        [
            ((1, 3, 3), (1, 2, 2)),
            ((3, 3, 3), (2, 2, 2)),
            ((2, 2, 2), (2, 2, 2)),
            ((3,) * 3, (1,) * 3),
        ]
    ),
)
def test_pool_equals_explicit_padding(
    size: tuple[int, int, int], kind: tuple[tuple[int, int, int], tuple[int, int, int]]
) -> None:
    x = clips(1, 2, *size)
    pads: list[int] = []
    for n, kernel, stride in reversed(list(zip(size, *kind, strict=True))):
        pads += same_padding(n, kernel, stride)
    expected = F.max_pool3d(F.pad(x, pads, value=-torch.inf), *kind)
    assert expected.shape[2:] == tuple(-(-n // s) for n, s in zip(size, kind[1], strict=True))
    torch.testing.assert_close(SamePool(*kind)(x), expected, rtol=0, atol=0)


@pytest.mark.parametrize("size", [(16, 14, 14), (15, 13, 14), (1, 1, 2)])
def test_strided_convolution_equals_explicit_padding(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    unit = Unit(3, 4, 7, stride=2).eval()
    x = clips(1, 3, *size)
    pads: list[int] = []
    for n in reversed(size):
        pads += same_padding(n, 7, 2)
    expected = F.relu(F.conv3d(F.pad(x, pads), unit.conv.weight, stride=2) / (1 + 1e-3) ** 0.5)
    torch.testing.assert_close(unit(x), expected)


def test_has_the_published_size() -> None:
    # Carreira and Zisserman, table 1: 12 M; 1,024 x 400 + 400 of these are the Kinetics logits.
    assert cost_of(I3DConfig(400, 224), 224).parameters == 12_287_264 + 1024 * 400 + 400
    assert cost_of(I3DConfig(400, 112), 112).parameters == 12_697_264


def test_batch_norm_is_the_published_one() -> None:
    norms = [m for m in I3D(TINY).modules() if isinstance(m, torch.nn.BatchNorm3d)]
    assert len(norms) == 3 + 6 * len(MIXED)
    assert {(m.eps, m.momentum) for m in norms} == {(1e-3, 0.01)}


@pytest.mark.parametrize("frames", [16, 17, 24, 40])
@pytest.mark.parametrize(("input_size", "side"), [(112, 112), (224, 224)])
def test_long_clips_average_the_published_windows(frames: int, input_size: int, side: int) -> None:
    if frames == 40 and side == 224:
        side = 193  # Still 7 x 7 at the end, from an odd size.
    network = seeded(I3DConfig(5, input_size, width=0.0625))
    last = []
    network.mixed["5c"].register_forward_hook(lambda *args: last.append(args[-1]))
    with torch.no_grad():
        got = network(clips(1, 3, frames, side, side))
        assert last[0].shape[3:] == (7, 7)
        pooled = F.avg_pool3d(last[0], (2, 7, 7), stride=1)
        logits_BKT = torch.einsum("bcthw,kc->bkt", pooled, network.head.weight)
        expected = (logits_BKT + network.head.bias[:, None]).mean(2)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 14, 20), (9, 112, 64), (5, 7, 128), (16, 10, 10)])
@pytest.mark.parametrize("input_size", [112, 224])
def test_any_size_gives_one_answer_a_clip(shape: tuple[int, int, int], input_size: int) -> None:
    network = seeded(I3DConfig(3, input_size, width=0.0625), settled=False)
    with torch.no_grad():
        logits_BK = network(clips(2, 3, *shape))
    assert logits_BK.shape == (2, 3)
    assert torch.isfinite(logits_BK).all()


def test_both_sizes_share_their_weights_but_not_their_answers() -> None:
    small, large = seeded(I3DConfig(5, 112, width=0.0625)), I3DConfig(5, 224, width=0.0625).build()
    large.load_state_dict(small.state_dict())
    x = clips(1, 3, 16, 64, 64)
    with torch.no_grad():
        assert (small(x) - large.eval()(x)).abs().max() > 1e-3


def test_gradient_reaches_every_parameter() -> None:
    gradient_reaches_everything(seeded(TINY, settled=False), clips(2, 3, 16, 32, 32))


def test_overfits_one_batch() -> None:
    network = seeded(I3DConfig(3, width=0.0625, dropout=0.0), settled=False)
    overfits(network, clips(3, 3, 8, 16, 16), torch.tensor([0, 1, 2]), steps=30, lr=1e-2)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-4), (torch.bfloat16, 0.5)])
def test_keeps_the_dtype_of_its_weights(dtype: torch.dtype, tolerance: float) -> None:
    keeps_dtype(seeded(TINY), clips(1, 3, 16, 32, 32), dtype, tolerance)


def test_memory_format_changes_nothing() -> None:
    same_in_channels_last(seeded(TINY), clips(2, 3, 16, 30, 34))


def test_exports_to_plain_operators() -> None:
    exports(seeded(I3DConfig(5, 224, width=0.0625)), clips(1, 3, 16, 30, 32))


def test_evaluation_is_repeatable_and_training_drops() -> None:
    network, x = seeded(TINY), clips(2, 3, 16, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(x), network(x))
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.train()
        assert not torch.equal(network(x), network(x))


def test_features_are_what_the_head_sees() -> None:
    network, x = seeded(TINY), clips(2, 3, 16, 32, 32)
    with torch.no_grad():
        features_BC = network.features(x)
        torch.testing.assert_close(network.head(features_BC), network(x))
    assert features_BC.shape == (2, network.head.in_features)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"input_size": 128}, "input_size 128 is not one of"),
        ({"num_classes": 0}, "num_classes 0"),
        ({"dropout": 1.0}, "dropout 1.0"),
        ({"width": 0.0}, "width"),
        ({"width": float("nan")}, "width"),
        ({"width": float("inf")}, "width"),
        ({"stem": (64, 64)}, "stem must have 3"),
        ({"mixed": MIXED[:8]}, "mixed 9 rows"),
        ({"stem": (64, 0, 192)}, "channel counts"),
        ({"stem": (64, 10**12, 192)}, "channel counts"),
    ],
)
def test_refuses_senseless_configurations(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        I3DConfig(**fields)  # type: ignore[arg-type]  # the point of the test


def test_configuration_from_lists_equals_the_one_from_tuples() -> None:
    lists = I3DConfig(stem=[64, 64, 192], mixed=[list(row) for row in MIXED])  # type: ignore[arg-type]
    assert lists == I3DConfig()
    assert hash(lists) == hash(I3DConfig())


@settings(deadline=None, max_examples=30)
@given(
    size=st.tuples(*[st.integers(1, 6)] * 3),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    last=st.booleans(),
)
def test_the_pool_for_answering_gives_the_same_values(
    size: tuple[int, int, int], dtype: torch.dtype, last: bool
) -> None:
    """Bit for bit, whatever the size; negative values show what lies outside."""
    x = clips(2, 5, *size, seed=sum(size)).to(dtype) - 2
    if last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    pool = SamePool((3, 3, 3), (1, 1, 1))
    given_x = x.clone()
    expected = pool(x)
    with torch.inference_mode():
        assert torch.equal(pool(x), expected)
    with torch.no_grad():
        found = pool(x)
    assert torch.equal(found, expected)
    assert torch.equal(x, given_x), "what it is given is needed by other branches"
    assert torch.equal(largest_neighbour(x), F.max_pool3d(x, 3, 1, padding=1))
