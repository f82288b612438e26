"""The super-resolution networks of the authors, from their checkpoints' names and shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from tinyvirat.models.dvsr import DVSR, DVSRConfig, ProgressiveDVSR, ProgressiveDVSRConfig
from tinyvirat.models.importers.rebuild import (
    ImportWeightsError,
    TensorMap,
    load_renamed,
    shape_of,
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
    network = ProgressiveDVSRConfig(2**stages, channels, growth, attention).build()
    return load_renamed(network, {_prog_name(n, stages): t for n, t in tensors.items()}, PROG_DVSR)


def _prog_name(name: str, stages: int) -> str:
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
    network = DVSRConfig(2**doublings, channels, growth, blocks).build()
    return load_renamed(network, {_dvsr_name(n): t for n, t in tensors.items()}, DVSR_LAYOUT)


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
    reshaped to (out, -1). A checkpoint without `weight_v` (the very first form) gives it as W^T u,
    normalised.
    """
    folded = {name: t for name, t in tensors.items() if not _is_spectral(name)}
    for name, original in tensors.items():
        if not name.endswith("weight_orig"):
            continue
        stem = name.removesuffix("_orig")
        if f"{stem}_u" not in tensors:
            raise ImportWeightsError(f"{name} has no {stem}_u beside it: spectral norm needs it")
        matrix = original.reshape(original.shape[0], -1)
        u = tensors[f"{stem}_u"]
        v = tensors.get(f"{stem}_v")
        if v is None:
            v = torch.nn.functional.normalize(matrix.T @ u, dim=0)
        if u.shape != matrix.shape[:1] or v.shape != matrix.shape[1:]:
            raise ImportWeightsError(
                f"{stem}_u and {stem}_v are {tuple(u.shape)} and {tuple(v.shape)}, "
                f"not {tuple(matrix.shape[:1])} and {tuple(matrix.shape[1:])}"
            )
        folded[stem] = original / torch.dot(u, matrix @ v)
    return folded


def _is_spectral(name: str, ends: Sequence[str] = ("weight_orig", "weight_u", "weight_v")) -> bool:
    return name.endswith(tuple(ends))
