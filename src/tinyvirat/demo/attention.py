"""How well an attention map finds the actors of rendered clips, whose true masks are known.

A map is held to two others: one that is the same everywhere (chance), and a Gaussian in the middle
of the frame, because a clip is a window around its actor and its middle is a good guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinyvirat.common.files import inside
from tinyvirat.common.pixels import resize
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.loading import ClipDataset
from tinyvirat.datasets.manifest import ClipRecord, Manifest
from tinyvirat.datasets.simulate import read_masks
from tinyvirat.models.inference import Inference

Maps = NDArray[np.float64]
Masks = NDArray[np.bool_]

SIGMA = 0.25
"""Of the Gaussian control, as a part of the side."""


@dataclass(frozen=True)
class Agreement:
    """How a map agrees with the true masks, as the mean over frames.

    Attributes:
        pointing: share of the frames whose largest value lies on an actor; where several pixels
            share the largest value, the share of those that do.
        iou: soft intersection over union: the sum of the smaller of map and mask over the sum of
            the larger. Each frame of the map is divided by its largest value first.
    """

    pointing: float
    iou: float


@dataclass(frozen=True)
class AttentionResult:
    """The learnt map beside its two controls, on the same frames.

    Attributes:
        frames: how many were measured: those in which an actor is seen.
        learnt: the network's map.
        centre: the Gaussian in the middle.
        chance: a map that is the same everywhere: both numbers are then the actors' mean area.
    """

    frames: int
    learnt: Agreement
    centre: Agreement
    chance: Agreement


def measure_attention(
    inference: Inference, manifest: Manifest, split: str, *, cache: FrameCache | None = None
) -> AttentionResult | None:
    """Compares the map of every clip's first window with the clip's masks.

    Args:
        inference: a model whose clips go whole into the network (`fit` not `crop`).
        manifest: rendered clips, with their masks in `extra`.
        split: which of them.
        cache: of decoded frames.

    Returns:
        None where the model has no attention branch.

    Raises:
        SimulationError: a clip's masks cannot be read.
    """
    if not getattr(inference.spec.config.super_resolution, "attention", False):
        return None
    records = manifest.of(split)
    dataset = ClipDataset(manifest, records, inference.spec.sampler, cache=cache)
    maps, masks = [], []
    for number, record in enumerate(records):
        attention_B1THW = inference.enlarge(dataset[number].frames_NTHWC[0])[1].attention_B1THW
        assert attention_B1THW is not None
        maps.append(attention_B1THW[0, 0].double().numpy())
        chosen = inference.spec.sampler.windows(record.frames)[0]
        masks_THW = read_masks(masks_file(manifest, record))[chosen]
        masks.append(shrink_masks(torch.from_numpy(masks_THW), maps[-1].shape[-1]))
    return compare(np.concatenate(maps), np.concatenate(masks))


def masks_file(manifest: Manifest, record: ClipRecord) -> Path:
    """Where the masks of a rendered clip lie.

    Raises:
        TinyviratError: the record names none, or one outside its folder.
    """
    name = str(record.extra.get("masks", ""))
    return inside(manifest.root, name, where=f"{manifest.path}, clip {record.id!r}, extra.masks")


def shrink_masks(masks_THW: Tensor, side: int) -> Masks:
    """Square masks at another side: true where actors fill half of the new pixel or more."""
    part_THW = resize((masks_THW > 0).float(), (side, side), "bilinear")
    return np.asarray(part_THW.numpy() >= 0.5)


def compare(maps_NHW: Maps, masks_NHW: Masks) -> AttentionResult:
    """Frames of a map, in [0, 1], with their masks; frames without an actor do not count.

    Raises:
        ValueError: the shapes differ, or no frame shows an actor.
    """
    if maps_NHW.shape != masks_NHW.shape:
        raise ValueError(f"maps of {maps_NHW.shape} against masks of {masks_NHW.shape}")
    seen_N = masks_NHW.any(axis=(1, 2))
    if not seen_N.any():
        raise ValueError("no frame shows an actor: there is nothing to compare with")
    maps_NHW, masks_NHW = maps_NHW[seen_N], masks_NHW[seen_N]
    centre_HW = centre_gaussian(*maps_NHW.shape[1:])
    pairs = list(zip(maps_NHW, masks_NHW, strict=True))
    return AttentionResult(
        frames=len(pairs),
        learnt=_agreement(pairs),
        centre=_agreement((centre_HW, mask_HW) for mask_HW in masks_NHW),
        chance=_agreement((np.ones_like(centre_HW), mask_HW) for mask_HW in masks_NHW),
    )


def centre_gaussian(height: int, width: int) -> Maps:
    """A bump in the middle of a frame, `SIGMA` of its sides wide."""
    y_H, x_W = ((np.arange(side) + 0.5) / side - 0.5 for side in (height, width))
    return np.exp(-(y_H[:, None] ** 2 + x_W[None] ** 2) / (2 * SIGMA**2))


def _agreement(pairs: Iterable[tuple[Maps, Masks]]) -> Agreement:
    pointing, iou = [], []
    for map_HW, mask_HW in pairs:
        top = float(map_HW.max())
        pointing.append(float(mask_HW[map_HW == top].mean()))
        scaled_HW = map_HW / top if top > 0 else map_HW
        smaller, larger = np.minimum(scaled_HW, mask_HW), np.maximum(scaled_HW, mask_HW)
        iou.append(float(smaller.sum() / larger.sum()))
    return Agreement(float(np.mean(pointing)), float(np.mean(iou)))
