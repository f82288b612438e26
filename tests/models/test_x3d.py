"""X3D: its shape, its cost, and what every classifier must stand."""

from __future__ import annotations

import pytest
import torch

from tinyvirat.models.x3d import Excitation, X3DConfig
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

SMALL = X3DConfig(num_classes=5, width=4, depth=1.0, features=16, dropout=0.0)


def test_published_shape_and_size() -> None:
    config = X3DConfig()
    assert config.blocks == (3, 5, 11, 7)
    # Table 4 of the paper gives X3D-S 3.76 million parameters, and 1.96 GFLOP (of one
    # multiplication with addition) for 13 frames of 160 x 160.
    assert cost_of(config, 160, frames=13).parameters / 1e6 == pytest.approx(3.76, abs=0.05)
    assert cost_of(config, 160, frames=13).gmac == pytest.approx(1.96, rel=0.05)


def test_depth_rounds_up() -> None:
    assert X3DConfig(depth=1.0).blocks == (1, 2, 5, 3)
    assert X3DConfig(depth=2.0).blocks == (2, 4, 10, 6)
    assert X3DConfig(depth=0.1).blocks == (1, 1, 1, 1)


def test_every_second_block_excites() -> None:
    network = seeded(SMALL, settled=False)
    found = [[isinstance(b.excite, Excitation) for b in stage] for stage in network.stages]
    assert found == [[True], [True, False], [True, False, True, False, True], [True, False, True]]


def test_time_is_kept_and_space_halved() -> None:
    network = seeded(SMALL, settled=False)
    with torch.no_grad():
        x = network.stem(clips(1, 3, 7, 64, 48))
        assert x.shape[2:] == (7, 32, 24)
        assert network.stages(x).shape[2:] == (7, 2, 2)


def test_gradient_reaches_every_parameter() -> None:
    gradient_reaches_everything(seeded(SMALL), clips(2, 3, 4, 64, 64))


def test_overfits_one_batch() -> None:
    overfits(seeded(SMALL, settled=False), clips(4, 3, 4, 32, 32), torch.arange(4), 40, 1e-2)


def test_formats() -> None:
    network = seeded(SMALL)
    x = clips(2, 3, 4, 64, 64)
    keeps_dtype(seeded(SMALL), x, torch.float64, 1e-3)
    keeps_dtype(seeded(SMALL), x, torch.bfloat16, 5e-2)
    same_in_channels_last(network, x)
    exports(network, clips(1, 3, 4, 64, 64))


@pytest.mark.parametrize(
    "wrong",
    [{"num_classes": 0}, {"width": 0}, {"depth": 0.0}, {"depth": 9.0}, {"dropout": 1.0}],
)
def test_impossible_values_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        X3DConfig(**wrong)  # type: ignore[arg-type]
