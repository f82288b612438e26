"""Which clips are seen more often than once an epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
