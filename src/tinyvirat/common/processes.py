"""This process among those that work together, started by `accelerate launch` or `torchrun`."""

from __future__ import annotations

import torch
from accelerate import PartialState


def without_accelerator(cpu: bool = False) -> bool:
    """Whether to compute on the CPU: because that was asked for, or because there is nothing else.

    Accelerate has to be told: processes on a machine without an accelerator otherwise do not find
    each other, and each does all of the work.
    """
    return cpu or not torch.accelerator.is_available()


def this_process(cpu: bool = False) -> PartialState:
    """Number, count and device of this process; joins the others when it is first called.

    Args:
        cpu: compute on the CPU even where there is an accelerator. Only the first call decides.
    """
    return PartialState(cpu=without_accelerator(cpu))
