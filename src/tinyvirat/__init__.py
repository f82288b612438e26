"""Recognise actions too small to see: low-resolution video action recognition.

import tinyvirat
model = tinyvirat.load("i3d-kinetics400")
for prediction in model.recognize("clip.mp4"):
    print(prediction.top(5))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyvirat.recognition.load import ActionRecognizer, load
    from tinyvirat.recognition.results import Prediction

__version__ = "0.1.0"
__all__ = ["ActionRecognizer", "Prediction", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # Loaded when first used: the command line's help must not wait for torch.
    if name in ("ActionRecognizer", "load"):
        from tinyvirat.recognition import load as home

        return getattr(home, name)
    if name == "Prediction":
        from tinyvirat.recognition.results import Prediction

        return Prediction
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
