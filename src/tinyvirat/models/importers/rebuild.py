"""What all importers share: naming what does not fit, and loading what does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from tinyvirat.common.errors import TinyviratError

TensorMap = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)
COUNTER = "num_batches_tracked"


class ImportWeightsError(TinyviratError):
    """A checkpoint that is not what its layout says."""


def shape_of(tensors: TensorMap, name: str, layout: str) -> tuple[int, ...]:
    """The shape of a tensor from which something is inferred.

    Raises:
        ImportWeightsError: it is not there.
    """
    if name not in tensors:
        raise ImportWeightsError(
            f"layout {layout}: the checkpoint has no tensor {name!r}; "
            f"it begins with {_some(sorted(tensors))}: is it of another layout?"
        )
    return tuple(tensors[name].shape)


@contextmanager
def values_named(layout: str) -> Iterator[None]:
    """Turns a value that a configuration refuses into an error of the checkpoint it comes from."""
    try:
        yield
    except ValueError as error:
        raise ImportWeightsError(f"layout {layout}: {error}") from error


def renamed(tensors: TensorMap, name_of: Callable[[str], str], layout: str) -> dict[str, Tensor]:
    """The tensors under the names that `name_of` gives them.

    Raises:
        ImportWeightsError: two of them stand for the same tensor.
    """
    ours: dict[str, str] = {}
    for theirs in tensors:
        other = ours.setdefault(name_of(theirs), theirs)
        if other != theirs:
            raise ImportWeightsError(
                f"layout {layout}: {other!r} and {theirs!r} stand for the same tensor"
            )
    return {name: tensors[theirs] for name, theirs in ours.items()}


def load_renamed(network: Network, tensors: TensorMap, layout: str) -> Network:
    """Gives `network` the tensors, already under its own names, in their own dtype.

    The network, which may be on the meta device, is on the tensors' device and in evaluation mode
    afterwards. The `num_batches_tracked` counters may be missing.

    Raises:
        ImportWeightsError: names the tensors that are missing, unexpected or of another shape.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in tensors and not name.endswith(COUNTER)]
    extra = [name for name in tensors if name not in wanted]
    wrong = [
        f"{name} is {tuple(tensors[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    complaints = [
        f"{what} {_some(names)}"
        for what, names in (("lacks", missing), ("has besides", extra), ("misfits:", wrong))
        if names
    ]
    if complaints:
        raise ImportWeightsError(
            f"layout {layout}: the checkpoint {'; '.join(complaints)} (names as in this package)"
        )
    filled = {
        name: tensors[name].detach().clone()
        if name in tensors
        else torch.zeros(default.shape, dtype=default.dtype)
        for name, default in wanted.items()
    }
    network.load_state_dict(filled, assign=True)
    return network.eval()


def _some(names: Iterable[str], most: int = 4) -> str:
    names = list(names)
    tail = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + tail
