"""A camera that speaks RTSP (RFC 2326) as much as one needs to: H.264 over TCP, for one viewer."""

from __future__ import annotations

import re
import socketserver
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction

import av
import numpy as np

FPS, CLOCK = 20, 90_000
SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=camera
c=IN IP4 127.0.0.1
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=framerate:20
a=control:track
"""


def encoded(frames: int, seed: int = 0) -> list[list[bytes]]:
    """Pictures of 64 x 48 px as the NAL units that each is made of."""
    rng = np.random.default_rng(seed)
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = 64, 48, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, FPS), Fraction(FPS)
    codec.options = {"tune": "zerolatency", "g": "10", "x264-params": "annexb=1:repeat-headers=1"}
    pictures = []
    for t in range(frames):
        noise = (rng.integers(0, 40, (48, 64, 3)) + 2 * t).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
        frame.pts = t
        for packet in codec.encode(frame):
            units = re.split(rb"\x00\x00\x00?\x01", bytes(packet))
            pictures.append([unit for unit in units if unit])
    return pictures


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):
            while request := self._request():
                method = request.split(" ", 1)[0]
                sequence = re.search(r"(?im)^CSeq: *(\d+)", request)
                assert sequence is not None
                self._answer(method, sequence[1])
                if method == "PLAY":
                    self._play()
                    return

    def _request(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()).strip():
            lines.append(line)
        return "".join(lines)

    def _answer(self, method: str, sequence: str) -> None:
        body, more = "", "Session: 1\r\n"
        if method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = SDP.replace("\n", "\r\n")
            more = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif method == "SETUP":
            more += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{more}\r\n{body}".encode())

    def _play(self) -> None:
        number = 0
        for t, units in enumerate(self.server.next()):
            for unit in units:
                last = 0x80 if unit is units[-1] else 0
                head = struct.pack(">BBHII", 0x80, last | 96, number, t * CLOCK // FPS, 7)
                packet = head + unit
                self.wfile.write(b"$\x00" + struct.pack(">H", len(packet)) + packet)
                number += 1
            time.sleep(0.002)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, films: Sequence[list[list[bytes]]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._films = list(films)

    def next(self) -> list[list[bytes]]:
        return self._films.pop(0) if self._films else []


@contextmanager
def camera(*films: list[list[bytes]]) -> Iterator[str]:
    """The address of a camera that gives one film a connection, and then none."""
    with _Server(films) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"rtsp://user:secret@127.0.0.1:{server.server_address[1]}/live"
        server.shutdown()
