"""How a trained network is tested: as it was trained, on smaller clips, or with its map applied."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tinyvirat.models.blocks import SuperResolved
from tinyvirat.models.recognizer import Recognizer
from tinyvirat.models.saved import Model
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.named import TestMap

SEED = 0x3A9


@dataclass(frozen=True)
class Variant:
    """A way to test a network.

    Attributes:
        size: side in pixels that clips are made small to; None: as in training.
        map: `none` (paper: the attention branch is not used), `learnt`: the enlarged clip is
            multiplied with its map before it is classified, or `random`: with the same map moved to
            a random place, so that it darkens as much and points nowhere.
    """

    size: int | None = None
    map: TestMap = "none"

    @property
    def folder(self) -> str:
        """Where in a run's folder its evaluation is."""
        at = "" if self.size is None else f"_at_{self.size}"
        masked = "" if self.map == "none" else f"_map_{self.map}"
        return f"evaluation{at}{masked}"

    @property
    def words(self) -> str:
        """What is other than in training; empty where nothing is."""
        said = [] if self.size is None else [f"tested at {self.size} px"]
        said += {"none": [], "learnt": ["the map applied"], "random": ["a random map applied"]}[
            self.map
        ]
        return ", ".join(said)

    def of(self, model: Model, *, to_grey: bool = False) -> Model:
        """A model that answers in this way; its network is changed in place.

        Args:
            model: as it was trained.
            to_grey: apply a map as the joint training with `mask_to_grey` did.

        Raises:
            ReproduceError: a map is to be applied, and the network has none.
        """
        spec, network = model.spec, model.network
        if self.size is not None:
            spec = replace(spec, preprocess=spec.preprocess.at(self.size))
        if self.map != "none":
            _apply_map(network, spec.name, moved=self.map == "random", to_grey=to_grey)
        return Model(spec, network)


def _apply_map(network: Recognizer, name: str, *, moved: bool, to_grey: bool) -> None:
    try:
        network.config = replace(network.config, mask=True, mask_to_grey=to_grey)
    except ValueError as error:
        raise ReproduceError(f"{name}: there is no attention map to apply: {error}") from error
    if moved and network.super_resolution is not None:
        network.super_resolution = MovedMap(network.super_resolution)


class MovedMap(nn.Module):
    """A super-resolution network whose map is moved to a random place in time and space.

    What leaves the clip on one side comes back on the other, so that the values stay the same. The
    places are drawn one after another from a generator of its own: the same clips in the same order
    get the same.
    """

    def __init__(self, network: nn.Module, seed: int = SEED) -> None:
        super().__init__()
        self.network = network
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, x_BCTHW: Tensor, *, with_map: bool = True) -> SuperResolved:
        """The enlarged clips, and their maps in other places, if they are wanted."""
        enlarged: SuperResolved = self.network(x_BCTHW, with_map=with_map)
        map_B1THW = enlarged.attention_B1THW
        if map_B1THW is None:
            return enlarged
        return SuperResolved(enlarged.video_BCTHW, torch.stack([self._moved(m) for m in map_B1THW]))

    def _moved(self, map_1THW: Tensor) -> Tensor:
        sides = map_1THW.shape[1:]
        by = [int(torch.randint(side, (), generator=self.generator)) for side in sides]
        return map_1THW.roll(by, dims=(1, 2, 3))
