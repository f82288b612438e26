"""The super-resolution networks of the authors, from their checkpoints' names and shapes."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from tinyvirat.models.dvsr import DVSR, DVSRConfig, ProgressiveDVSR, ProgressiveDVSRConfig
from tinyvirat.models.importers.rebuild import (
    ImportWeightsError,
    TensorMap,
    load_renamed,
    renamed,
    shape_of,
    values_named,
)

DENSE = r"RDB(\d)\.conv(\d)\.conv_spatial"
PROG_DVSR = "authors-prog-dvsr"
DVSR_LAYOUT = "authors-dvsr"


def import_prog_dvsr(tensors: TensorMap) -> ProgressiveDVSR:
    """The authors' Progressive DVSR: `PG2`, or `LOCPG2` where it has the attention branch.

    Scale, widths and the branch are inferred.

    Raises:
        ImportWeightsError: the checkpoint is not of this layout.
    """
    channels = shape_of(tensors, "convin.conv_spatial.weight", PROG_DVSR)[0]
    growth = shape_of(tensors, "res_hall.0.RDB1.conv1.conv_spatial.weight", PROG_DVSR)[0]
    stages = len({name.split(".")[1] for name in tensors if name.startswith("rgb_proj.")})
    if not 1 <= stages <= 3:
        raise ImportWeightsError(
            f"layout {PROG_DVSR}: {stages} output heads (`rgb_proj`), not 1 to 3"
        )
    attention = any(name.startswith("saliency_dec.") for name in tensors)
    with values_named(PROG_DVSR), torch.device("meta"):
        network = ProgressiveDVSRConfig(2**stages, channels, growth, attention).build()
    return load_renamed(network, renamed(tensors, _prog_name, PROG_DVSR), PROG_DVSR)


def _prog_name(name: str) -> str:
    """Our name for a tensor of theirs; what matches nothing is kept and complained of later."""
    match = re.fullmatch(r"res_hall\.(\d+)\." + DENSE + r"\.(\w+)", name)
    if match:
        rrdb, block, conv, leaf = match.groups()
        return f"encoder.{rrdb}.blocks.{int(block) - 1}.convs.{int(conv) - 1}.{leaf}"
    match = re.fullmatch(r"up_layers\.(\d+)\.(?:(\d+)\.)?(?:c(\d)\.)?conv_spatial\.(\w+)", name)
    if match:
        stage, position, conv, leaf = match.groups()
        block = int(position or 0) + (int(conv) - 1 if conv else 0)
        return f"decoder.{stage}.{block}.conv.{leaf}"
    for pattern, ours in (
        (r"convin\.conv_spatial\.", "first."),
        (r"rgb_proj\.(\d+)\.seq\.l0\.conv_spatial\.", r"heads.\1.hidden."),
        (r"rgb_proj\.(\d+)\.seq\.l1\.conv_spatial\.", r"heads.\1.rgb."),
        (r"saliency_dec\.(\d+)\.conv_spatial\.", r"attention.convs.\1."),
        (r"saliency_dec\.(\d+)\.norm\.", r"attention.norms.\1."),
    ):
        renamed, count = re.subn("^" + pattern, ours, name)
        if count:
            return renamed
    return name


def import_dvsr(tensors: TensorMap) -> DVSR:
    """The authors' non-progressive DVSR (`G6`), with spectral-norm parameters folded into weights.

    Raises:
        ImportWeightsError: the checkpoint is not of this layout.
    """
    tensors = fold_spectral_norm(tensors)
    channels = shape_of(tensors, "convin.conv_spatial.weight", DVSR_LAYOUT)[0]
    growth = shape_of(tensors, "res_hall.rrdb1.RDB1.conv1.conv_spatial.weight", DVSR_LAYOUT)[0]
    blocks = len({n.split(".")[1] for n in tensors if n.startswith("res_hall.")})
    doublings = len({n.split(".")[1] for n in tensors if n.startswith("up_hall.")})
    if not 1 <= doublings <= 3:
        raise ImportWeightsError(
            f"layout {DVSR_LAYOUT}: {doublings} enlarging layers (`up_hall`), not 1 to 3"
        )
    with values_named(DVSR_LAYOUT), torch.device("meta"):
        network = DVSRConfig(2**doublings, channels, growth, blocks).build()
    return load_renamed(network, renamed(tensors, _dvsr_name, DVSR_LAYOUT), DVSR_LAYOUT)


def _dvsr_name(name: str) -> str:
    match = re.fullmatch(r"res_hall\.rrdb(\d+)\." + DENSE + r"\.(\w+)", name)
    if match:
        rrdb, block, conv, leaf = match.groups()
        return f"encoder.{int(rrdb) - 1}.blocks.{int(block) - 1}.convs.{int(conv) - 1}.{leaf}"
    match = re.fullmatch(r"up_hall\.upconv(\d+)\.conv_spatial\.(\w+)", name)
    if match:
        return f"enlarge.{int(match[1]) - 1}.conv.{match[2]}"
    for theirs, ours in (
        ("convin.", "first."),
        ("convbout.", "trunk."),
        ("conv1.", "hidden.conv."),
        ("conv2.", "rgb."),
    ):
        if name.startswith(theirs + "conv_spatial."):
            return ours + name.removeprefix(theirs + "conv_spatial.")
    return name


def fold_spectral_norm(tensors: TensorMap) -> dict[str, Tensor]:
    """Replaces PyTorch's older spectral-norm parameters by the weights they stand for.

    `weight_orig`, `weight_u` and `weight_v` become `weight = weight_orig / (u . W v)` with W
    reshaped to (out, -1); computed in float64, kept in the dtype of `weight_orig`. A checkpoint
    without `weight_v` (the very first form) gives it as W^T u, normalised.

    Raises:
        ImportWeightsError: a vector is missing or misshapen, or the norm is zero or not a number.
    """
    folded = dict(tensors)
    for name in tensors:
        if name.endswith("weight_orig"):
            stem = name.removesuffix("_orig")
            for part in ("_orig", "_u", "_v"):
                folded.pop(stem + part, None)
            folded[stem] = _folded(tensors, stem)
    return folded


def _folded(tensors: TensorMap, stem: str) -> Tensor:
    original = tensors[f"{stem}_orig"]
    matrix = original.double().reshape(original.shape[0], -1)
    vectors: dict[str, Tensor] = {}
    for part, length in (("_u", matrix.shape[0]), ("_v", matrix.shape[1])):
        vector = tensors.get(stem + part)
        if vector is None and part == "_v":
            vector = F.normalize(matrix.T @ vectors["_u"], dim=0)
        if vector is None:
            raise ImportWeightsError(f"{stem}_orig has no {stem}_u beside it: both are needed")
        if vector.shape != (length,):
            raise ImportWeightsError(
                f"{stem}{part} is {tuple(vector.shape)}, not {(length,)} as {stem}_orig needs it"
            )
        vectors[part] = vector.double()
    norm = torch.dot(vectors["_u"], matrix @ vectors["_v"])
    if norm == 0 or not torch.isfinite(norm):
        raise ImportWeightsError(f"{stem}_orig has the spectral norm {norm.item()}")
    return (original.double() / norm).to(original.dtype)
