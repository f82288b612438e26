"""Known answers of the published networks: fills weights by rule and compares outputs.

`parity/*.json` holds, for each published network, the names and shapes of its tensors and what it
answers in float64 (eval mode) when they are filled by the rule below. The rule is closed-form, so
no weights need to be stored.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent / "parity"


@dataclass(frozen=True)
class ExpectedOutput:
    """What one output tensor must be: its shape, summary and some single values."""

    shape: tuple[int, ...]
    mean: float
    std: float
    l2: float
    probe_index: tuple[int, ...]
    probe_value: tuple[float, ...]


@dataclass(frozen=True)
class Call:
    """One call of the network: input shape, the published call's arguments, expected outputs."""

    input_shape: tuple[int, ...]
    kwargs: dict[str, Any]
    outputs: tuple[ExpectedOutput, ...]


@dataclass(frozen=True)
class Case:
    """One published network: its tensors' names and shapes, and its calls."""

    name: str
    config: dict[str, Any]
    keys: tuple[tuple[str, tuple[int, ...]], ...]
    calls: tuple[Call, ...]

    def state_dict(self, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
        """The published state dictionary, filled by the rule."""
        return filled_state_dict(self.keys, dtype)


def load_case(name: str) -> Case:
    """Reads `parity/<name>.json`."""
    data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    calls = tuple(
        Call(
            tuple(case["input_shape"]),
            case["kwargs"],
            tuple(
                ExpectedOutput(
                    tuple(out["shape"]),
                    out["mean"],
                    out["std"],
                    out["l2"],
                    tuple(out["probe_index"]),
                    tuple(out["probe_value"]),
                )
                for out in case["outputs"]
            ),
        )
        for case in data["cases"]
    )
    keys = tuple((name, tuple(shape)) for name, shape in data["keys"])
    return Case(name, data["config"], keys, calls)


def filled_state_dict(
    keys: tuple[tuple[str, tuple[int, ...]], ...], dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Tensors for `keys` (sorted by name), filled by the rule of the parity vectors."""
    return {
        name: torch.from_numpy(_fill(i, name, shape)).to(dtype)
        for i, (name, shape) in enumerate(keys)
    }


def _fill(i: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    n = math.prod(shape)
    base = np.arange(n, dtype=np.float64)
    # In place: the largest of these networks has 158 million values.
    base *= 0.7310
    base += 1.37 * i
    np.sin(base, out=base)
    base = base.reshape(shape)
    if name.endswith("running_var"):
        return 1 + 0.25 * base
    if name.endswith("running_mean"):
        return 0.1 * base
    if len(shape) <= 1:
        return 1 + 0.1 * base if name.endswith("weight") else 0.05 * base
    base *= 2
    base /= np.sqrt(n / shape[0])
    return base


def input_tensor(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    """The known input of `shape`."""
    j = np.arange(math.prod(shape), dtype=np.float64)
    return torch.from_numpy(np.sin(0.37 * j + 0.5 * np.sin(0.011 * j)).reshape(shape)).to(dtype)


def check_output(got: Tensor, expected: ExpectedOutput, rtol: float) -> None:
    """Holds `got` to `expected`: shape, then every probe, mean, deviation and norm.

    `rtol` is relative to the output's own scale (its population standard deviation), because single
    values may lie near zero; mean, deviation and norm are held to the same.
    """
    assert tuple(got.shape) == expected.shape
    flat = got.detach().double().reshape(-1)
    scale = expected.std
    probes = flat[torch.tensor(expected.probe_index)]
    worst = (probes - torch.tensor(expected.probe_value, dtype=torch.float64)).abs().max().item()
    assert worst <= rtol * scale, f"probes differ by {worst:.3e}, allowed {rtol * scale:.3e}"
    assert abs(flat.mean().item() - expected.mean) <= rtol * scale
    assert abs(flat.std(correction=0).item() - expected.std) <= rtol * scale
    assert abs(flat.norm().item() - expected.l2) <= rtol * expected.l2
