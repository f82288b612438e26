"""Every network of the zoo, small: the same operators in the same order, fewer channels."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from itertools import zip_longest
from typing import Any

import torch
from torch import nn

from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import Recognizer, RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec
from tinyvirat.models.zoo import ZOO
from tinyvirat.video.sampling import AllWindows, AnySampler

LABELS = ("carry", "pull", "walk")
FRAMES = 8
SIDE = 32
CLASSIFIER = ResNet3DConfig(10, num_classes=3, width=2)
SMALL: dict[str, Any] = {"channels": 4, "growth": 2, "last_channels": 2, "features": 8, "blocks": 1}
# Deeper ones repeat the same blocks.
DEPTHS = {18: 10, 34: 10, 101: 50, 2.2: 1.0}


def shrunk(config: Any) -> Any:
    """A network's configuration with few channels and three classes."""
    changes: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            changes[field.name] = shrunk(value)
        elif field.name == "num_classes":
            changes[field.name] = len(LABELS)
        elif field.name == "width":
            changes[field.name] = 0.1 if isinstance(value, float) else 4
        elif field.name == "depth":
            changes[field.name] = DEPTHS.get(value, value)
        elif field.name == "side":
            changes[field.name] = SIDE
        elif field.name == "attention":
            # The branch is on top of all that the network has without it.
            changes[field.name] = not getattr(config, "factored", False)
        elif field.name in SMALL and value is not None:
            changes[field.name] = SMALL[field.name]
    return replace(config, **changes)


def parts(config: Any) -> tuple[Any, Any]:
    """Super-resolution and classifier of any network of the zoo, None for what it has not."""
    if isinstance(config, RecognizerConfig):
        return config.super_resolution, config.classifier
    return (None, config) if hasattr(config, "num_classes") else (config, None)


def cases() -> dict[str, RecognizerConfig]:
    """Recognisers that together hold every part of every network of the zoo.

    Each super-resolution network, and none, is put together with another classifier as long as
    there are any. Attention maps are used where there are any.
    """
    enlarging: dict[Any, str] = {None: "bicubic"}
    naming: dict[Any, str] = {}
    for name, entry in ZOO.items():
        sr, classifier = parts(shrunk(entry.config))
        enlarging.setdefault(sr, name)
        naming.setdefault(classifier, name)
    naming.pop(None)
    found = {}
    for sr, classifier in zip_longest(enlarging, naming, fillvalue=CLASSIFIER):
        name = f"{enlarging[sr]} + {naming.get(classifier, 'resnet3d-10')}"
        mask = bool(getattr(sr, "attention", False))
        zero_to_one = isinstance(classifier, ResNet3DConfig)
        found[name] = RecognizerConfig(classifier, sr, SIDE, zero_to_one, mask)
    return found


def input_side(config: RecognizerConfig) -> int:
    """A small input side: one that the network's scale brings to `SIDE`, or that it resizes."""
    scale = getattr(config.super_resolution, "scale", None)
    return 20 if scale is None else SIDE // scale


def settled(config: RecognizerConfig) -> Recognizer:
    """The network with fixed weights in evaluation mode, its batch norms with uneven statistics."""
    torch.manual_seed(0)
    network = config.build().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.2, 0.2)
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return network


def model(
    config: RecognizerConfig,
    preprocess: Preprocess,
    sampler: AnySampler | None = None,
    **description: Any,
) -> Model:
    """A model that can be saved."""
    given = {"name": "tiny", "labels": LABELS, "multi_label": True} | description
    spec = ModelSpec(
        config=config, preprocess=preprocess, sampler=sampler or AllWindows(FRAMES), **given
    )
    return Model(spec, settled(config))
