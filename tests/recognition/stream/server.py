"""A web server that serves one video in the ways that web servers and cameras do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np

FPS = 20


def write_stream(path: Path, frames: int, seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    """An MPEG transport stream of noise that grows brighter; its bytes."""
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w", format="mpegts") as container:
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for t in range(frames):
            noise = rng.integers(0, 60, (size[1], size[0], 3)) + 2 * t
            frame = av.VideoFrame.from_ndarray(noise.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def write_sound_that_goes_on(path: Path, frames: int, seconds: int, *, live: bool) -> bytes:
    """Matroska with a video track that ends after `frames`, and sound that does not; live, its
    header says no length.
    """
    options = {"live": "1"} if live else {}
    with av.open(str(path), "w", format="matroska", container_options=options) as container:
        video = container.add_stream("libx264", rate=Fraction(FPS), options={"tune": "zerolatency"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for t in range(frames):
            picture = np.full((48, 64, 3), 4 * t, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        silence = np.zeros((1, 8000), np.int16)
        for second in range(seconds):
            block = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            block.sample_rate, block.pts = 8000, 8000 * second
            container.mux(sound.encode(block))
        container.mux(sound.encode())
    return path.read_bytes()


class Served:
    """What a request gets, one after the other; the last way serves all further requests.

    Attributes:
        requests: how many there were.
    """

    def __init__(self, *ways: Way) -> None:
        self.requests = 0
        self._ways = ways
        self._lock = threading.Lock()

    def next(self) -> Way:
        with self._lock:
            self.requests += 1
            return self._ways[min(self.requests, len(self._ways)) - 1]


class Way:
    """One way to answer a request.

    Args:
        data: what is served.
        until: part of it after which the connection is closed.
        length: whether the length of the whole is told, as for a file.
        pace: seconds to wait after each 4,096 bytes.
        stall: seconds to wait at the end, without a word.
    """

    def __init__(
        self,
        data: bytes,
        *,
        until: float = 1.0,
        length: bool = True,
        pace: float = 0.0,
        stall: float = 0.0,
    ) -> None:
        self._data = data
        self._until = until
        self._length = length
        self._pace = pace
        self._stall = stall

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "video/mp2t")
        request.send_header("Connection", "close")
        if self._length:
            request.send_header("Content-Length", str(len(self._data)))
        request.end_headers()
        stop = int(len(self._data) * self._until)
        for begin in range(0, stop, 4096):
            request.wfile.write(self._data[begin : min(stop, begin + 4096)])
            time.sleep(self._pace)
        time.sleep(self._stall)


@contextmanager
def serving(served: Served) -> Iterator[str]:
    """The address of a server in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        do_GET: Callable[..., None]

        def log_message(self, *_: object) -> None:
            pass

        def get(self) -> None:
            self.close_connection = True
            with suppress(OSError):  # the reader may have gone
                served.next().answer(self)

    Handler.do_GET = Handler.get
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://user:secret@127.0.0.1:{server.server_address[1]}/live.ts?key=secret"
    finally:
        server.shutdown()
        server.server_close()
