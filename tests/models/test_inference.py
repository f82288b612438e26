"""Answers for windows of frames: order, batches, devices, number formats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tinyvirat.common.errors import TinyviratError
from tinyvirat.models import inference as module
from tinyvirat.models.any_size import AnySizeDVSRConfig
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.inference import DTYPES, Inference, pick_device, pick_dtype
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec
from tinyvirat.video.sampling import AllWindows

from .network_checks import seeded

CONFIG = RecognizerConfig(
    ResNet3DConfig(10, num_classes=3, width=4),
    ProgressiveDVSRConfig(2, 4, 2, attention=True),
    side=32,
    zero_to_one=True,
    mask=True,
)
ANY = RecognizerConfig(
    ResNet3DConfig(10, num_classes=3, width=4), AnySizeDVSRConfig(2, 1, attention=True), mask=True
)
PAD = Preprocess(16, full=None, short_side=None, fit="pad")
SIDES = Preprocess((14, 28, 56, 112), full=None, short_side=None, fit="pad")


def model(config: RecognizerConfig = CONFIG, preprocess: Preprocess = PAD) -> Model:
    spec = ModelSpec("tiny", config, ("a", "b", "c"), True, preprocess, AllWindows(8))
    return Model(spec, seeded(config))


def on_cpu(of: Model, **options: Any) -> Inference:
    return Inference(of, device="cpu", **{"precision": "float32", **options})


def windows(*sizes: tuple[int, int], frames: int = 8) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randint(0, 256, (frames, *size, 3), dtype=torch.uint8, generator=generator)
        for size in sizes
    ]


MIXED = windows((20, 11), (10, 10), (30, 40), (9, 9), (50, 50), (12, 28), (16, 16))


def test_answers_are_the_networks_own() -> None:
    of = model()
    x = PAD(MIXED)
    with torch.no_grad():
        expected = of.network(x)
    got = on_cpu(of).window_logits(MIXED)
    assert got.shape == (7, 3) and got.dtype == torch.float32 and got.device.type == "cpu"
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("config", "preprocess"), [(CONFIG, PAD), (ANY, SIDES)])
def test_batch_and_company_do_not_matter(config: RecognizerConfig, preprocess: Preprocess) -> None:
    """Alone, in batches of two and all at once, in whatever order: the same logits, in order."""
    of = model(config, preprocess)
    some = windows((20, 11), (10, 10), (58, 12), (9, 9), (30, 30), (12, 28))
    together = on_cpu(of, batch=8).window_logits(some)
    assert together.std(0).min() > 1e-4, "windows must differ for their order to be seen"
    alone = torch.cat([on_cpu(of, batch=1).window_logits([window]) for window in some])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)
    pairs = on_cpu(of, batch=2).window_logits(some)
    torch.testing.assert_close(pairs, together, rtol=1e-4, atol=1e-5)
    backwards = on_cpu(of).window_logits(some[::-1]).flip(0)
    torch.testing.assert_close(backwards, together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("batch", "expected"), [(1, [1] * 7), (3, [3, 3, 1]), (8, [7])])
def test_no_batch_is_larger_than_asked(batch: int, expected: list[int]) -> None:
    inference = on_cpu(model(), batch=batch)
    seen: list[int] = []
    inference.network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    inference.window_logits(MIXED)
    assert seen == expected


def test_a_clip_is_the_mean_of_its_windows() -> None:
    inference = on_cpu(model())
    frames_NTHWC = torch.stack(windows((12, 12), (12, 12), (12, 12)))
    expected = inference.window_logits(list(frames_NTHWC)).mean(0)
    for given in (frames_NTHWC, list(frames_NTHWC)):
        got = inference.clip_logits(given)
        assert got.shape == (3,)
        torch.testing.assert_close(got, expected)


def test_no_windows() -> None:
    assert on_cpu(model()).window_logits([]).shape == (0, 3)


def test_probabilities_of_answers() -> None:
    inference = on_cpu(model())
    logits = inference.window_logits(MIXED)
    several = inference.spec.probabilities(logits)
    one = replace(inference.spec, multi_label=False).probabilities(logits)
    for probabilities in (several, one):
        assert probabilities.min() > 0
        assert probabilities.max() < 1
    torch.testing.assert_close(one.sum(1), torch.ones(7))


def test_nothing_random_and_nothing_learned() -> None:
    of = model()
    of.network.train()
    inference = on_cpu(of)
    assert not inference.network.training
    before = {name: tensor.clone() for name, tensor in of.network.state_dict().items()}
    first, second = inference.window_logits(MIXED), inference.window_logits(MIXED)
    assert torch.equal(first, second)
    assert not first.requires_grad
    for name, tensor in of.network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_enlarging_for_pictures() -> None:
    of = model()
    (window,) = windows((20, 11))
    x_BCTHW, enlarged = on_cpu(of).enlarge(window)
    assert torch.equal(x_BCTHW, PAD([window]))
    with torch.no_grad():
        expected = of.network.enlarge(x_BCTHW)
    assert enlarged.attention_B1THW is not None and expected.attention_B1THW is not None
    assert enlarged.video_BCTHW.shape == (1, 3, 8, 32, 32)
    torch.testing.assert_close(enlarged.video_BCTHW, expected.video_BCTHW, rtol=1e-4, atol=1e-5)
    assert enlarged.attention_B1THW.shape == (1, 1, 8, 32, 32)
    half = on_cpu(of, precision="bfloat16").enlarge(window)
    assert [half[0].dtype, half[1].video_BCTHW.dtype] == [torch.float32] * 2
    bicubic = model(RecognizerConfig(ResNet3DConfig(10, num_classes=3, width=4), side=32))
    assert on_cpu(bicubic).enlarge(window)[1].attention_B1THW is None


def test_another_preprocess() -> None:
    inference = on_cpu(model())
    usual = inference.window_logits(MIXED)
    inference.preprocess = inference.spec.preprocess.at(8)
    smaller = inference.window_logits(MIXED)
    assert not torch.allclose(smaller, usual, atol=1e-3)
    x_BCTHW, enlarged = inference.enlarge(MIXED[0])
    assert x_BCTHW.shape[-1] == 8
    assert enlarged.attention_B1THW is not None
    assert enlarged.attention_B1THW.shape[-1] == enlarged.video_BCTHW.shape[-1] == 32


@pytest.mark.parametrize(("name", "error"), [("bfloat16", 0.03), ("float16", 0.005)])
def test_half_precision_is_near(name: str, error: float) -> None:
    exact = on_cpu(model()).window_logits(MIXED)
    inference = on_cpu(model(), precision=name)
    assert {p.dtype for p in inference.network.parameters()} == {DTYPES[name]}
    half = inference.window_logits(MIXED)
    assert half.dtype == torch.float32
    worst = ((half - exact).norm() / exact.norm()).item()
    assert 0 < worst < error


def test_weights_and_input_lie_channels_last() -> None:
    inference = on_cpu(model())
    assert inference.network.classifier.conv1.weight.is_contiguous(
        memory_format=torch.channels_last_3d
    )
    seen: list[bool] = []
    inference.network.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last_3d))
    )
    inference.window_logits(MIXED)
    assert seen == [True]


@pytest.mark.parametrize("batch", [0, -1])
def test_impossible_batches(batch: int) -> None:
    with pytest.raises(TinyviratError, match=f"batch {batch} is not 1 or more"):
        on_cpu(model(), batch=batch)


@pytest.mark.parametrize(
    "name",
    ["", "gpu", "cuda:99", "cuda:x", "cuda:-1", "meta", "xla", "hpu", "vulkan", "opengl", "ipu:0"],
)
def test_unknown_devices(name: str) -> None:
    with pytest.raises(TinyviratError, match=f"device '{name}' cannot be used here") as caught:
        pick_device(name)
    assert "tinyvirat doctor" in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 350


def test_known_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_an_accelerator(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto") == torch.device(expected)


def test_number_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for name, dtype in DTYPES.items():
        assert pick_dtype(name, cpu) == dtype
    asked: list[torch.device] = []
    monkeypatch.setattr(
        module, "fastest_dtype", lambda device: asked.append(device) or torch.bfloat16
    )
    assert pick_dtype("auto", cpu) == torch.bfloat16
    assert asked == [cpu]


@pytest.mark.parametrize("name", ["", "half", "float64", "Float32", "int8"])
def test_unknown_number_formats(name: str) -> None:
    allowed = "auto, float32, bfloat16, float16"
    with pytest.raises(TinyviratError, match=f"precision '{name}' is not one of {allowed}"):
        pick_dtype(name, torch.device("cpu"))
