"""`tinyvirat doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

import json as json_text
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from tinyvirat import __version__

NEEDED = ("torch", "numpy", "av", "accelerate", "safetensors", "torchmetrics", "pillow")
OPTIONAL = ("torchcodec",)


def doctor(*, json: bool = False) -> int:
    """Say what this machine can do, and what is missing.

    Args:
        json: print the findings as JSON instead of tables.
    """
    found = {"python": platform.python_version(), "tinyvirat": __version__}
    for name in NEEDED + OPTIONAL:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    if json:
        text = json_text.dumps({"versions": found}, indent=2) + "\n"
    else:
        text = "".join(f"{name:14}{one}\n" for name, one in found.items())
    sys.stdout.write(text)
    return int(any(found[name] == "missing" for name in NEEDED))
