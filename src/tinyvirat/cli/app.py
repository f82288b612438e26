"""`tinyvirat app`: a page to try recognition on, and to teach it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from tinyvirat.common.progress import say


def app(
    *,
    model: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    limit_mb: float = 200.0,
    limit_seconds: float = 120.0,
    labels: Path | None = None,
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
) -> int:
    """Shows a page: drop a video, see its tubes, click one, download the results, label tubes.

    Saved labels are a manifest with clips, for `tinyvirat finetune`. There is no password: leave it
    on this machine, or put a proxy before it that knows its visitors. Each video is decoded in a
    process of its own, with little memory and a time-out.

    Args:
        model: a model's or a run's folder, or the name of fetched weights; the model that ships if
            not given.
        host: the address to listen on; 127.0.0.1 is this machine alone.
        port: the port to listen on; 0 takes a free one.
        limit_mb: largest upload in megabytes.
        limit_seconds: longest video.
        labels: folder for saved labels; in the cache folder if not given.
        device: where PyTorch computes; auto takes a GPU where there is one.
        precision: number format of the network; auto takes the fastest that is safe.
    """
    from tinyvirat.app.limits import AppLimits
    from tinyvirat.common.errors import TinyviratError
    from tinyvirat.common.files import cache_folder
    from tinyvirat.models.saved import DEFAULT_MODEL
    from tinyvirat.recognition.load import load

    if not 0 <= port <= 65535:
        raise TinyviratError(f"--port {port} is not in 0 to 65535")
    limits = AppLimits(megabytes=limit_mb, seconds=limit_seconds)
    if find_spec("gradio") is None:  # it is imported when its surroundings are set
        raise TinyviratError("the page is not installed: pip install 'tinyvirat[app]'")
    from tinyvirat.app.server import LOOPBACK, run_server

    name = model or DEFAULT_MODEL
    recognizer = load(name, device=device, precision=precision)
    if host not in LOOPBACK:
        say(f"tinyvirat: {host} may be reached from other machines, and the page has no password")
    # A folder is named so that the shown command works from anywhere.
    shown = str(Path(name).absolute()) if Path(name).exists() else name
    folder = labels or cache_folder() / "labels"
    run_server(recognizer, shown, folder, limits, host=host, port=port)
    return 0
