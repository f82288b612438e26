"""The measured choice of a number format."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from tinyvirat.common import precision
from tinyvirat.common.precision import PrecisionResult, fastest_dtype, measure


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No measurement is left from, or for, another test."""
    precision._measure.cache_clear()
    yield
    precision._measure.cache_clear()


def slowed(monkeypatch: pytest.MonkeyPatch, seconds: dict[torch.dtype, float]) -> list[int]:
    """Makes convolutions take these times on a clock of their own; returns their input sizes."""
    sizes: list[int] = []
    clock = [0.0]

    def convolve(x: torch.Tensor, weight: torch.Tensor, padding: int) -> torch.Tensor:
        sizes.append(x.numel())
        clock[0] += seconds[x.dtype]
        return x

    monkeypatch.setattr(torch.nn.functional, "conv3d", convolve)
    monkeypatch.setattr(precision, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    return sizes


def test_a_real_measurement_is_quick_and_whole() -> None:
    began = time.perf_counter()
    results = measure("cpu")
    assert time.perf_counter() - began < 20  # 0.2 to 0.5 s on a quiet machine
    assert [one.dtype for one in results] == [torch.float32, torch.bfloat16, torch.float16]
    assert results[0] == PrecisionResult(torch.float32, 1.0)
    for one in results:
        assert (one.ratio is None) == (one.reason is not None)
        assert one.ratio is None or one.ratio > 0


def test_it_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    measure("cpu")
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("bfloat16", "float16", "chosen", "with_float16"),
    [
        (0.001, 0.002, torch.bfloat16, torch.bfloat16),
        (0.002, 0.001, torch.bfloat16, torch.float16),
        (0.008, 0.001, torch.float32, torch.float16),
        (0.0038, 0.0038, torch.float32, torch.float32),
    ],
)
def test_the_fastest_wins_if_it_is_worth_it(
    bfloat16: float,
    float16: float,
    chosen: torch.dtype,
    with_float16: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = {torch.float32: 0.004, torch.bfloat16: bfloat16, torch.float16: float16}
    slowed(monkeypatch, times)
    assert fastest_dtype("cpu") == chosen
    assert fastest_dtype(torch.device("cpu"), float16=True) == with_float16
    assert [one.ratio for one in measure("cpu")] == pytest.approx(
        [1, 0.004 / bfloat16, 0.004 / float16]
    )


def test_a_hopeless_format_is_measured_on_the_small_input_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = {torch.float32: 0.001, torch.bfloat16: 0.02, torch.float16: 0.001}
    sizes = slowed(monkeypatch, times)
    assert measure("cpu")[1].ratio == pytest.approx(0.05)
    assert sizes.count(max(sizes)) == 2 * precision.ROUNDS  # float32 and float16


def test_a_slow_machine_gets_two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = slowed(monkeypatch, dict.fromkeys(precision.CANDIDATES, 1.0))
    measure("cpu")
    assert sizes.count(max(sizes)) == 3 * 2


def test_it_is_measured_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = slowed(monkeypatch, dict.fromkeys(precision.CANDIDATES, 0.001))
    measure("cpu")
    done = len(sizes)
    fastest_dtype(torch.device("cpu"))
    assert len(sizes) == done > 0


@pytest.mark.parametrize("fault", ["raises", "wrong", "nan"])
def test_a_format_that_does_not_work_is_never_chosen(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = torch.nn.functional.conv3d

    def convolve(x: torch.Tensor, weight: torch.Tensor, padding: int) -> torch.Tensor:
        if x.dtype != torch.bfloat16:
            return real(x, weight, padding=padding)
        if fault == "raises":
            raise RuntimeError("no kernel\nlong trace")
        return torch.full_like(x, float("nan") if fault == "nan" else 3.0)

    monkeypatch.setattr(torch.nn.functional, "conv3d", convolve)
    result = measure("cpu")[1]
    assert result.ratio is None
    assert result.reason is not None
    assert result.reason == "no kernel" if fault == "raises" else "off by" in result.reason
    assert fastest_dtype("cpu") == torch.float32


def test_a_device_that_cannot_compute_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        measure("meta")
