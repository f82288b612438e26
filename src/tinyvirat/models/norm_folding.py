"""Batch norms worked into the convolutions before them, for a network that only answers.

In evaluation a batch norm is one factor and one addend a channel: the convolution whose output it
takes can have both in its weights. The answer is the same up to float32's rounding, a pass over
every feature map is saved, and in bfloat16 the output is rounded after its mean has been taken away
and not before.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tinyvirat.models.attention import ForegroundAttention


def fold_norms(network: nn.Module) -> tuple[str, ...]:
    """Folds every batch norm of a network into the convolution before it, in place.

    Args:
        network: one of this package's, in evaluation mode; float32 or float64, so that nothing is
            lost on the way.

    Returns:
        The names of the norms that are gone: an `nn.Identity` stands where each was.
    """
    pairs = tuple(norm_pairs(network))
    for conv_name, norm_name in pairs:
        conv, norm = network.get_submodule(conv_name), network.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv3d)
        assert isinstance(norm, nn.BatchNorm3d)
        network.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm))
        network.set_submodule(norm_name, nn.Identity())
    return tuple(norm_name for _, norm_name in pairs)


def norm_pairs(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of convolutions, each with that of the norm that alone takes what it gives.

    All networks here register a norm right after its convolution, but for the attention branch,
    which has its convolutions in one list and its norms in another.
    """
    last = None
    apart: tuple[str, ...] = ()
    for name, module in network.named_modules():
        if name.startswith(apart):
            continue
        if isinstance(module, ForegroundAttention):
            prefix = f"{name}." if name else ""
            apart = (*apart, prefix) if prefix else ("",)
            for index, norm in enumerate(module.norms):
                if isinstance(norm, nn.BatchNorm3d):
                    yield f"{prefix}convs.{index}", f"{prefix}norms.{index}"
        elif isinstance(module, nn.Conv3d):
            last = name
        elif isinstance(module, nn.BatchNorm3d) and last is not None:
            yield last, name
            last = None
