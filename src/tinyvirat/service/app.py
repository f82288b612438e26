"""The HTTP service: a model behind three addresses, with limits on what a client may ask.

There is no authentication: it listens on this machine alone unless told otherwise, and belongs
behind a proxy that knows its clients.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from tinyvirat import __version__
from tinyvirat.common.words import shown_name
from tinyvirat.models.saved import describe
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.service.limits import Limits
from tinyvirat.service.remote import TooSlowError, open_remote
from tinyvirat.video import VideoError

FIELD = "video"
OVERHEAD = 1 << 16
"""Bytes that the form around an upload may take."""

LONGEST_NAME = 200
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
"""What `/recognize` takes, for `/openapi.json`: the form is read by hand, to count its bytes."""


class Places:
    """How many requests are under way, answered or waiting; never more than the limits say."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.taken = 0
        self.answered = 0
        self._answering = asyncio.Semaphore(limits.at_once)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A place for a request, from its upload to its answer."""
        if self.taken >= self.limits.at_once + self.limits.waiting:
            raise _busy()
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The request's turn to be answered."""
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self._answering.acquire()
        except TimeoutError:
            raise _busy() from None
        try:
            yield
            self.answered += 1
        finally:
            self._answering.release()


def create_app(recognizer: ActionRecognizer, limits: Limits | None = None) -> FastAPI:
    """The service for one model.

    - `GET /health`: 200 while it can answer.
    - `GET /model`: labels, thresholds, preprocessing, and the limits.
    - `POST /recognize`: a form with the file `video`; the rows of `tinyvirat recognize --json`.

    Every error is `{"error": "a sentence"}`: 400 no such form, 408 the upload took too long, 413 it
    is too large, 422 it cannot be read as a video or is too long, 503 too much to do, 504 the
    answer took too long.

    Args:
        recognizer: the loaded model.
        limits: what clients may ask; None takes the defaults.
    """
    limits = limits or Limits()
    places = Places(limits)
    app = FastAPI(title="tinyvirat", version=__version__, docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {
            "status": "ok",
            "model": recognizer.spec.name,
            "version": __version__,
            "under_way": places.taken,
            "answered": places.answered,
        }

    @app.get("/model")
    async def model() -> dict[str, Any]:
        told = describe(recognizer.spec) | {"limits": asdict(limits)}
        del told["tuned_on"]  # names of somebody's videos
        return told

    @app.post("/recognize", openapi_extra=UPLOAD)
    async def recognize(request: Request) -> dict[str, Any]:
        async with places.one():
            with tempfile.TemporaryDirectory(prefix="tinyvirat-") as folder:
                path = Path(folder) / "video"
                name = await _received(request, path, limits)
                async with places.turn():
                    return await run_in_threadpool(_answer, recognizer, path, name, limits)

    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "something failed here; the server's log says what"}, 500)

    return app


async def _received(request: Request, path: Path, limits: Limits) -> str:
    """Writes the upload to `path`; its name."""
    try:
        async with asyncio.timeout(limits.upload_seconds):
            return await _form_file(request, path, limits)
    except TimeoutError:
        raise HTTPException(
            408, f"the upload took longer than {limits.upload_seconds:g} seconds"
        ) from None
    except ClientDisconnect:
        raise HTTPException(400, "the upload was broken off") from None


async def _form_file(request: Request, path: Path, limits: Limits) -> str:
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > limits.bytes + OVERHEAD:
        raise _too_large(limits)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _no_form()
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await request.receive()
        seen += len(message.get("body", b""))
        if seen > limits.bytes + OVERHEAD:
            raise _too_large(limits)
        return message

    async with Request(request.scope, counted).form(max_files=1, max_fields=8) as form:
        upload = form.get(FIELD)
        if not isinstance(upload, UploadFile):
            raise _no_form()
        if (upload.size or 0) > limits.bytes:
            raise _too_large(limits)
        with path.open("wb") as file:
            while piece := await upload.read(1 << 20):
                file.write(piece)
        return shown_name(upload.filename or "", LONGEST_NAME)


def _answer(recognizer: ActionRecognizer, path: Path, name: str, limits: Limits) -> dict[str, Any]:
    """The rows of a video, or the error that says why there are none."""
    try:
        with open_remote(path, limits) as reader:
            prediction = recognizer.recognize_reader(reader, name)
    except TooSlowError as error:
        raise HTTPException(504, f"{name}: {error.cause}") from error
    except VideoError as error:
        raise HTTPException(422, f"{name}: {error.cause}") from error
    return {"predictions": [prediction.to_json()]}


def _busy() -> HTTPException:
    return HTTPException(503, "there is too much to do; try again later", {"Retry-After": "10"})


def _no_form() -> HTTPException:
    return HTTPException(
        400, f"send a form (multipart/form-data) with the video file in the field {FIELD!r}"
    )


def _too_large(limits: Limits) -> HTTPException:
    return HTTPException(413, f"the video is larger than {limits.megabytes:g} MB")
