"""Which clips are seen more often than once an epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyvirat.training.phase_settings import Sampling


def repeats(sampling: Sampling, targets_NK: NDArray[np.float32]) -> tuple[float, ...] | None:
    """How often each training clip is to be seen in an epoch, N numbers; None: once each.

    Args:
        sampling: of the phase.
        targets_NK: 0 or 1, of the training clips.
    """
    if sampling.class_aware:
        return class_aware_shares(targets_NK)
    if sampling.repeat_factor:
        return repeat_factors(targets_NK, sampling.repeat_factor)
    return None


def repeat_factors(targets_NK: NDArray[np.float32], threshold: float) -> tuple[float, ...]:
    """Repeat-factor sampling (Gupta et al. 2019, LVIS, appendix B).

    A class that the share f of the clips shows has the factor max(1, sqrt(threshold / f)); a clip
    has the largest factor of its labels, and 1 without any.

    Args:
        targets_NK: 0 or 1, of the training clips.
        threshold: t, from 0 to 1: classes that are rarer than this are repeated.

    Returns:
        How often each clip is to be seen in an epoch, N numbers of 1 or more.
    """
    share_K = targets_NK.mean(axis=0, dtype=np.float64)
    factor_K = np.sqrt(threshold / np.where(share_K > 0, share_K, 1.0))
    factors_N = (targets_NK * factor_K).max(axis=1, initial=1.0)
    return tuple(factors_N.tolist())


def class_aware_shares(targets_NK: NDArray[np.float32]) -> tuple[float, ...]:
    """Class-aware sampling (Shen et al. 2016): every class is drawn alike, and so are its clips.

    With n_k clips of class k, a clip is seen in proportion to the sum of 1 / n_k over its labels.
    Clips without labels are a class of their own, where there are any.

    Args:
        targets_NK: 0 or 1, of the training clips.

    Returns:
        How often each clip is to be seen in an epoch, N numbers above 0 whose sum is N.
    """
    none_N1 = ~targets_NK.any(axis=1, keepdims=True)
    shown_NK = np.concatenate([targets_NK, none_N1], axis=1, dtype=np.float64)
    shares_N = (shown_NK / np.maximum(shown_NK.sum(axis=0), 1.0)).sum(axis=1)
    return tuple((shares_N * (len(shares_N) / shares_N.sum())).tolist())
