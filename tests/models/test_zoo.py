"""Configurations by name: as data and back, strictly; what they cost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tinyvirat.common.plain import PlainDataError
from tinyvirat.models.any_size import AnySizeDVSRConfig
from tinyvirat.models.dvsr import DVSRConfig, ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.zoo import NETWORKS, ZOO, config_from_json, config_to_json, cost_of


@pytest.mark.parametrize("name", ZOO)
def test_every_entry_travels_as_json(name: str) -> None:
    config = ZOO[name].config
    data = config_to_json(config)
    assert data["network"] in NETWORKS
    again = config_from_json(json.loads(json.dumps(data)), where="model.json")
    assert again == config
    assert type(again) is type(config)
    assert hash(again) == hash(config)


@pytest.mark.parametrize("name", ZOO)
def test_every_entry_runs_at_its_side(name: str) -> None:
    entry = ZOO[name]
    cost = cost_of(entry.config, entry.side)
    assert cost.parameters > 1e5 and cost.gmac > 1
    assert entry.what


def test_every_network_has_a_name_and_the_paper_is_complete() -> None:
    assert {type(entry.config) for entry in ZOO.values()} == set(NETWORKS.values())
    for scale in (4, 8):
        assert ZOO[f"prog-dvsr-x{scale}"].config == ProgressiveDVSRConfig(scale)
        assert ZOO[f"dvsr-x{scale}"].config == DVSRConfig(scale)
        recognizer = ZOO[f"i3d-prog-dvsr-x{scale}"].config
        assert recognizer.super_resolution == ProgressiveDVSRConfig(scale, attention=True)
        assert recognizer.classifier == I3DConfig(num_classes=26, input_size=112)
        assert ZOO[f"i3d-prog-dvsr-x{scale}"].side * scale == recognizer.side == 112
        assert not recognizer.mask and not recognizer.zero_to_one
    for name in ("resnet3d-50", "wide-resnet3d-50"):
        recognizer = ZOO[f"{name}-prog-dvsr-x4"].config
        assert recognizer.classifier == ZOO[name].config
        assert recognizer.zero_to_one
    assert ZOO["i3d-bicubic"].config.super_resolution is None


@pytest.mark.parametrize(
    "config",
    [
        RecognizerConfig(
            I3DConfig(num_classes=7, width=0.25, dropout=0.0, stem=(8, 8, 8)),
            AnySizeDVSRConfig(4, 2, attention=True),
            side=96,
            zero_to_one=True,
            mask=True,
        ),
        RecognizerConfig(ResNet3DConfig(18, 3, "A", 8)),
        DVSRConfig(2, 8, 4, 7),
    ],
)
def test_other_values_travel_too(config: Any) -> None:
    data = json.loads(json.dumps(config_to_json(config)))
    assert config_from_json(data, where="model.json") == config


def test_what_is_no_configuration_cannot_be_written() -> None:
    for thing in ("i3d", object(), nn.ReLU(), {"network": "i3d"}, I3DConfig):
        with pytest.raises(TypeError, match="is not the configuration of a network"):
            config_to_json(thing)


I3D = {"network": "i3d"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "is not one of prog-dvsr"),
        (3, "is not one of prog-dvsr"),
        ([I3D], "is not one of prog-dvsr"),
        ({}, "is not one of prog-dvsr"),
        ({"network": ["i3d"]}, "is not one of prog-dvsr"),
        ({"network": {}}, "is not one of prog-dvsr"),
        ({"network": None}, "is not one of prog-dvsr"),
        ({"network": "i3b"}, "did you mean 'i3d'"),
        ({"network": "__class__"}, "is not one of prog-dvsr"),
        (I3D | {"classes": 3}, "'classes' is not one of num_classes"),
        (I3D | {"__init__": 3}, "'__init__' is not one of"),
        (I3D | {"num_classes": "3"}, "num_classes: '3' is no int"),
        (I3D | {"num_classes": 3.0}, "num_classes: 3.0 is no int"),
        (I3D | {"num_classes": True}, "num_classes: True is no int"),
        (I3D | {"num_classes": None}, "num_classes: None is no int"),
        (I3D | {"num_classes": 0}, "num_classes 0"),
        (I3D | {"width": "wide"}, "width: 'wide' is no float"),
        (I3D | {"width": True}, "width: True is no float"),
        (I3D | {"width": float("inf")}, "width: inf is not a finite number"),
        (I3D | {"width": float("nan")}, "width: nan is not a finite number"),
        (I3D | {"stem": 8}, "stem: 8 is not a list"),
        (I3D | {"stem": [8, "8", 8]}, r"stem\[1\]: '8' is no int"),
        (I3D | {"stem": [8]}, "stem must have 3 widths"),
        (I3D | {"mixed": [[1, 2]]}, "mixed 9 rows of 6"),
        (I3D | {"mixed": [1]}, r"mixed\[0\]: 1 is not a list"),
        ({"network": "prog-dvsr", "scale": 16}, "scale 16 is not one of 2, 4, 8"),
        ({"network": "prog-dvsr", "attention": 1}, "attention: 1 is no bool"),
        ({"network": "prog-dvsr", "channels": 1 << 60}, "channels .* is not in 1 to 65536"),
        ({"network": "dvsr", "blocks": 10**9}, "blocks 1000000000 is not in 1 to 64"),
        ({"network": "dvsr", "growth": 0}, "growth 0 is not in 1 to 65536"),
        ({"network": "pre-upsampled-dvsr", "side": 111}, "side 111 is not a multiple of 8"),
        ({"network": "resnet3d", "depth": 49}, "depth 49"),
        ({"network": "resnet3d", "shortcut": "C"}, "shortcut 'C'"),
        ({"network": "recognizer"}, "'classifier' is missing"),
        ({"network": "recognizer", "classifier": None}, "classifier"),
        ({"network": "recognizer", "classifier": "i3d"}, "classifier"),
        ({"network": "recognizer", "classifier": {"network": "dvsr"}}, "'dvsr' is not one of i3d"),
        ({"network": "recognizer", "classifier": {"num_classes": 3}}, "is not one of i3d"),
        (
            {"network": "recognizer", "classifier": I3D, "super_resolution": I3D},
            "'i3d' is not one of prog-dvsr, dvsr",
        ),
        ({"network": "recognizer", "classifier": I3D, "mask": True}, "mask needs"),
        ({"network": "recognizer", "classifier": I3D, "side": 0}, "side 0 is not in 1 to"),
    ],
)
def test_wrong_data_is_an_error_with_its_place(data: object, message: str) -> None:
    with pytest.raises(PlainDataError, match=message) as caught:
        config_from_json(data, where="model.json: network")
    assert str(caught.value).startswith("model.json: network")
    assert len(str(caught.value)) < 400


def test_a_network_within_itself_is_not_followed() -> None:
    data: dict[str, Any] = I3D
    for _ in range(20_000):
        data = {"network": "recognizer", "classifier": data}
    with pytest.raises(PlainDataError, match="'recognizer' is not one of i3d, resnet3d"):
        config_from_json(data, where="model.json")


@dataclass(frozen=True)
class Small:
    """A network whose cost is known by hand."""

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv3d(3, 4, 3, padding=1),
            nn.BatchNorm3d(4),
            nn.ReLU(),
            nn.Conv3d(4, 6, (1, 3, 3), stride=(1, 2, 2), bias=False),
            Pooled(),
            nn.Linear(6, 5),
        )


class Pooled(nn.Module):
    def forward(self, x_BCTHW: Tensor) -> Tensor:
        return x_BCTHW.mean((2, 3, 4))


def test_cost_is_what_a_hand_counts() -> None:
    cost = cost_of(Small(), 9, frames=2)
    first = 2 * 9 * 9 * 4 * 3 * 27
    second = 2 * 4 * 4 * 6 * 4 * 9
    assert cost.gmac == pytest.approx((first + second + 6 * 5) / 1e9, rel=1e-12)
    assert cost.parameters == (4 * 3 * 27 + 4) + 2 * 4 + 6 * 4 * 9 + (6 * 5 + 5)


def test_cost_of_the_published_recogniser() -> None:
    """109 GFLOP were measured for the published x8 network with I3D at 112 px."""
    cost = cost_of(ZOO["i3d-prog-dvsr-x8"].config, 14)
    assert cost.gmac == pytest.approx(54.6, abs=0.05)  # without a map: no answer depends on it
    published = cost_of(RecognizerConfig(I3DConfig(), ProgressiveDVSRConfig(8)), 14)
    assert 2 * published.gmac == pytest.approx(109.2, abs=0.5)


def test_cost_allocates_and_computes_nothing() -> None:
    before = torch.get_rng_state()
    huge = cost_of(ProgressiveDVSRConfig(8, channels=4096, growth=4096), 14)
    assert huge.parameters > 5e10
    assert torch.equal(torch.get_rng_state(), before)
