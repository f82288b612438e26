"""The real server in a process of its own, over a real connection."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinyvirat.cli import main

pytest.importorskip("uvicorn", reason="the extra `service` is not installed")
pytest.importorskip("fastapi", reason="the extra `service` is not installed")
pytest.importorskip("python_multipart", reason="the extra `service` is not installed")

HEAD = b'--b\r\nContent-Disposition: form-data; name="video"; filename="c.mp4"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"


@pytest.fixture(scope="module")
def port(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that is ready; ends as by Ctrl-C, with exit code 0."""
    log = tmp_path_factory.mktemp("server") / "log"
    options = ["--port", "0", "--device", "cpu", "--precision", "float32", "--upload-seconds", "2"]
    words = [sys.executable, "-m", "tinyvirat", "serve", str(model), *options]
    with log.open("wb") as file:
        server = subprocess.Popen(words, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 120
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text("utf-8"))):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.1)
        yield int(found[1])
        server.send_signal(signal.SIGINT)
        assert server.wait(30) in (0, 130, -signal.SIGINT), log.read_text("utf-8")
        assert "Traceback" not in log.read_text("utf-8")
    finally:
        server.kill()
        server.wait()


def ask(port: int, request: bytes, *, pause: bytes | None = None) -> tuple[int, dict[str, object]]:
    """Sends raw bytes (and, when `pause` is given, nothing more until the answer comes)."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(1 << 16):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def post(body: bytes, length: int | None = None) -> bytes:
    lines = [
        "POST /recognize HTTP/1.1",
        "Host: x",
        "Connection: close",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_clip_over_the_wire(port: int, clip: Path) -> None:
    status, answer = ask(port, post(HEAD + clip.read_bytes() + TAIL))
    assert status == 200
    (row,) = answer["predictions"]  # type: ignore[misc]
    assert row["video"] == "c.mp4" and set(row["scores"]) == {"carry", "pull", "walk"}


def test_health_over_the_wire(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60) as answer:
        assert json.load(answer)["status"] == "ok"
        assert "server" not in answer.headers


def test_a_client_that_stops_sending(port: int) -> None:
    status, answer = ask(port, post(HEAD + b"half", length=100_000))
    assert (status, answer["error"]) == (408, "the upload took longer than 2 seconds")


def test_a_client_that_goes_away(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(post(HEAD + b"half", length=100_000))
    assert ask(port, post(HEAD + b"no video" + TAIL))[0] == 422, "the server lives on"


def test_a_length_that_is_too_large(port: int) -> None:
    status, answer = ask(port, post(b"", length=10**12))
    assert status == 413 and answer["error"] == "the video is larger than 64 MB"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "70000"], "--port 70000 is not in 0 to 65535"),
        (["--seconds", "0"], "the limit seconds is 0.0, not above 0"),
    ],
)
def test_options_that_cannot_be(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["serve", "nothing", *options]) == 1
    assert message in capsys.readouterr().err


def test_no_such_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "nothing"]) == 1
    assert "nothing: neither a folder" in capsys.readouterr().err


def test_without_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "nothing"]) == 1
    assert "pip install 'tinyvirat[service]'" in capsys.readouterr().err
