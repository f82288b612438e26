"""`tinyvirat serve`: a model behind HTTP."""

from __future__ import annotations

from typing import Literal


def serve(
    model: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    engine: Literal["torch", "onnx", "openvino"] = "torch",
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    max_mb: float = 64.0,
    max_frames: int = 3000,
    max_pixels: int = 1920 * 1080,
    seconds: float = 60.0,
    upload_seconds: float = 60.0,
    at_once: int = 1,
    waiting: int = 8,
) -> int:
    """Answers over HTTP: POST a video to /recognize and get the rows of `recognize --json`.

    /health says that it works, /model what it knows. There is no authentication: leave it on this
    machine, or put a proxy before it that knows its clients. Each upload is decoded in a process of
    its own, with little memory and a time-out.

    Args:
        model: a model's or a run's folder, the name of fetched weights, or an exported file.
        host: the address to listen on; 127.0.0.1 is this machine alone.
        port: the port to listen on.
        engine: what computes; onnx and openvino need the model exported.
        device: where PyTorch computes; auto takes a GPU where there is one.
        precision: number format of the network; auto takes the fastest that is safe.
        max_mb: largest upload in megabytes.
        max_frames: longest video.
        max_pixels: largest picture, width times height.
        seconds: longest time from the end of the upload to the answer.
        upload_seconds: longest time that an upload may take.
        at_once: how many requests are answered side by side.
        waiting: how many more may be under way before others are sent away.
    """
    from tinyvirat.common.errors import TinyviratError
    from tinyvirat.service.limits import Limits

    if not 0 <= port <= 65535:
        raise TinyviratError(f"--port {port} is not in 0 to 65535")
    limits = Limits(
        max_mb, max_frames, max_pixels, seconds, upload_seconds, at_once=at_once, waiting=waiting
    )
    try:
        import uvicorn

        from tinyvirat.service.app import create_app
    except ImportError as error:
        raise TinyviratError(
            f"the service is not installed ({error}): pip install 'tinyvirat[service]'"
        ) from error
    from tinyvirat.models.inference import open_inference
    from tinyvirat.recognition.load import ActionRecognizer

    inference = open_inference(model, engine=engine, device=device, precision=precision)
    app = create_app(ActionRecognizer(inference), limits)
    most = at_once + waiting + HEADROOM
    uvicorn.run(app, host=host, port=port, limit_concurrency=most, server_header=False)
    return 0


HEADROOM = 32
"""Connections beyond the requests under way: for health checks, and to say that all is taken."""
