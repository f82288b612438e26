"""The server behind the page: what it lets in, what it lets out, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tinyvirat.app.labels import LabelStore
from tinyvirat.app.limits import AppLimits
from tinyvirat.recognition.load import ActionRecognizer

LOOPBACK = ("127.0.0.1", "localhost")
HEADERS = {
    # The page is all there is: nothing is loaded from, or sent to, anywhere else.
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guarded:
    """Adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, guarded)


def create_app(
    recognizer: ActionRecognizer,
    model: str,
    labels: Path,
    workspace: Path,
    limits: AppLimits | None = None,
    *,
    host: str = LOOPBACK[0],
) -> Any:
    """The page behind its guards, as an ASGI application.

    Args:
        recognizer: the model.
        model: what to call it on a command line.
        labels: the folder of saved labels.
        workspace: for what visitors bring and get; removing it is the caller's.
        limits: of a visit; None takes the defaults.
        host: the address that will be listened on. On this machine's own, requests must name it:
            a page from elsewhere cannot reach it by giving its own name this address.
    """
    limits = limits or AppLimits()
    _quiet(workspace)
    import gradio as gr

    from tinyvirat.app.page import Place, build_page, theme
    from tinyvirat.app.words import STYLE

    place = Place(recognizer, model, limits, LabelStore(labels), workspace)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guarded)
    if host in LOOPBACK:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
    return gr.mount_gradio_app(
        app,
        build_page(place),
        path="/",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        max_file_size=limits.bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css=STYLE,
    )


def run_server(
    recognizer: ActionRecognizer,
    model: str,
    labels: Path,
    limits: AppLimits,
    *,
    host: str,
    port: int,
) -> None:
    """Shows the page until Ctrl-C; then nothing of a visitor's is left but saved labels.

    Args:
        recognizer: as for `create_app`, like the next three.
        model: its name.
        labels: the folder of saved labels.
        limits: of a visit.
        host: the address to listen on.
        port: the port; 0 takes a free one.
    """
    # Uvicorn raises again the signal that ended it: this one, too, must let the folder be removed.
    signal.signal(signal.SIGTERM, _ended)
    with tempfile.TemporaryDirectory(prefix="tinyvirat-app-", ignore_cleanup_errors=True) as folder:
        app = create_app(recognizer, model, labels, Path(folder), limits, host=host)
        uvicorn.run(
            app,
            host=host,
            port=port,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )


def _ended(kind: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + kind)


def _quiet(workspace: Path) -> None:
    """Tells Gradio, before it is loaded, to keep to this machine and to one folder."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(workspace / "uploads")
