"""Makes the video files of these tests: every frame carries its own number in black and white."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

ROWS, COLUMNS = 2, 5
"""Numbers are written as ROWS * COLUMNS bits, one block each: 0 to 1023."""


def colours(frames: int, height: int = 48, width: int = 80) -> NDArray[np.uint8]:
    """Clips of colour blocks with a black first frame, frames_THWC."""
    chance = np.random.default_rng(frames)
    blocks = chance.integers(0, 256, (frames, -(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    blocks[0] = 0
    return blocks.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]


def coded(number: int, height: int = 48, width: int = 80) -> NDArray[np.uint8]:
    """A frame_HWC with `number` in its blocks, the lowest bit at the top left."""
    frame_HWC = np.zeros((height, width, 3), np.uint8)
    for bit in range(ROWS * COLUMNS):
        if number >> bit & 1:
            frame_HWC[block(bit, height, width)] = 255
    return frame_HWC


def number_of(frame_HWC: NDArray[np.uint8]) -> int:
    """The number in a frame; fails where a block is neither black nor white."""
    number = 0
    for bit in range(ROWS * COLUMNS):
        level = frame_HWC[block(bit, *frame_HWC.shape[:2])].mean()
        assert level < 64 or level > 192, f"bit {bit} is washed out: {level}"
        number |= int(level > 128) << bit
    return number


def numbers_of(frames_THWC: NDArray[np.uint8]) -> list[int]:
    return [number_of(frame_HWC) for frame_HWC in frames_THWC]


def block(bit: int, height: int, width: int) -> tuple[slice, slice]:
    row, column = divmod(bit, COLUMNS)
    return (
        slice(row * height // ROWS, (row + 1) * height // ROWS),
        slice(column * width // COLUMNS, (column + 1) * width // COLUMNS),
    )


@dataclass(frozen=True)
class Recipe:
    """How to encode a test file; the defaults give an H.264 MP4 with B-frames and several GOPs."""

    frames: int = 60
    height: int = 48
    width: int = 80
    codec: str = "libx264"
    pixels: str = "yuv420p"
    fps: Fraction = Fraction(25)
    pts: Sequence[int] | None = None
    time_base: Fraction | None = None
    options: dict[str, str] = field(
        default_factory=lambda: {"g": "12", "bf": "3", "crf": "12", "sc_threshold": "0"}
    )
    container: dict[str, str] = field(default_factory=dict)
    matrix: Sequence[int] | None = None
    colourful: bool = False
    colour_matrix: int = 5
    full_range: bool = False

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """The frames: numbered, or blocks of colour."""
        if self.colourful:
            yield from colours(self.frames, self.height, self.width)
        else:
            yield from (coded(n, self.height, self.width) for n in range(self.frames))


def encode(path: Path, recipe: Recipe | None = None, **changes: object) -> Path:
    """Writes the numbered frames of a recipe to `path`."""
    recipe = recipe or Recipe(**changes)
    with av.open(str(path), "w", options=recipe.container) as container:
        stream = container.add_stream(recipe.codec, rate=recipe.fps, options=recipe.options)
        stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, recipe.pixels
        stream.codec_context.time_base = recipe.time_base or 1 / recipe.fps
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace = recipe.colour_matrix
        stream.codec_context.color_range = 2 if recipe.full_range else 1
        if recipe.matrix is not None:
            stream.set_display_matrix(recipe.matrix)
        container.start_encoding()
        for number, picture in enumerate(recipe.pictures()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=recipe.pixels,
                dst_colorspace=recipe.colour_matrix,
                dst_color_range=2 if recipe.full_range else 1,
            )
            frame.pts = number if recipe.pts is None else recipe.pts[number]
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def copy(source: Path, path: Path, first: int, *, shift: int = 0) -> Path:
    """A stream copy of `source` from its packet number `first` on, times moved by `shift` ticks."""
    with av.open(str(source)) as before, av.open(str(path), "w") as after:
        stream = before.streams.video[0]
        copied = after.add_stream_from_template(stream)
        packets = [packet for packet in before.demux(stream) if packet.size]
        for packet in packets[first:]:
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copied
            after.mux(packet)
    return path


def cut(source: Path, path: Path, part: float) -> Path:
    """The first bytes of a file, as a broken-off download or a full disk leaves them."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


def damage(source: Path, path: Path, packets: Sequence[int], *, keep: int = 0) -> Path:
    """A copy of a file in which the payloads of some packets are noise after `keep` bytes."""
    data = bytearray(source.read_bytes())
    noise = np.random.default_rng(0)
    with av.open(str(source)) as container:
        known = [p for p in container.demux(container.streams.video[0]) if p.size]
        for number in packets:
            begin, size = known[number].pos + keep, known[number].size - keep
            data[begin : begin + size] = noise.bytes(size)
    path.write_bytes(data)
    return path


def speak(path: Path, *, cover: bool = False) -> Path:
    """A file with sound and no picture, or none but that of its cover."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 80, 48, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            still = av.VideoFrame.from_ndarray(coded(5), format="rgb24")
            container.mux([*picture.encode(still), *picture.encode(None)])
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


ODD_TIMES = np.cumsum(np.random.default_rng(7).integers(1, 90, 60)).tolist()

# name: (suffix, how it is encoded)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "b-frames": (".mp4", {}),
    "variable-rate": (".mp4", {"pts": ODD_TIMES, "time_base": Fraction(1, 1000)}),
    "variable-rate-mkv": (".mkv", {"pts": ODD_TIMES, "time_base": Fraction(1, 1000)}),
    "open-gop": (".mp4", {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1"}}),
    "intra-refresh": (".mp4", {"options": {"g": "12", "x264-params": "intra-refresh=1"}}),
    "matroska-without-a-count": (".mkv", {}),
    "transport-stream": (".ts", {}),
    "raw-h264": (".h264", {}),
    "avi-mpeg4": (".avi", {"codec": "mpeg4", "options": {"g": "12", "q": "2"}}),
    "avi-mpeg4-b-frames": (".avi", {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}}),
    "avi-h264-b-frames": (".avi", {}),
    "avi-mjpeg-full-range": (".avi", {"codec": "mjpeg", "pixels": "yuvj420p", "options": {}}),
    "mpeg2": (".mpg", {"codec": "mpeg2video", "options": {"g": "12", "bf": "2", "q": "2"}}),
    "vp8-hidden-frames": (
        ".webm",
        {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "10", "b:v": "1M"}},
    ),
    "grey": (".mp4", {"pixels": "gray"}),
    "grey-one-plane": (".mkv", {"codec": "ffv1", "pixels": "gray", "options": {}}),
    "grey-16-bit": (".mkv", {"codec": "ffv1", "pixels": "gray16le", "options": {}}),
    "ten-bit": (".mp4", {"pixels": "yuv420p10le"}),
    "odd-sides": (".mp4", {"pixels": "yuv444p", "height": 47, "width": 81}),
    "odd-sides-half-colour": (
        ".mkv",
        {"codec": "ffv1", "options": {}, "height": 47, "width": 81},
    ),
    "tiny": (".mp4", {"height": 10, "width": 10}),
    "one-frame": (".mp4", {"frames": 1}),
    "one-frame-avi": (".avi", {"frames": 1, "codec": "mpeg4", "options": {}}),
}


def made(folder: Path, name: str) -> Path:
    """The file of that kind, encoded the first time that it is asked for."""
    suffix, changes = KINDS[name]
    path = folder / f"{name}{suffix}"
    return path if path.exists() else encode(path, **changes)
