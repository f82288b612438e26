"""The process that decodes one upload: `python -m tinyvirat.service.child PATH LIMITS`.

It answers requests on standard input, one JSON line each, with JSON lines on standard output, some
of them followed by the bytes of a frame. Should a video take over a decoder, it has a process that
writes no files, has little memory and dies in time; and what it says to its parent is data.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

from tinyvirat.common.errors import TinyviratError
from tinyvirat.service.limits import Limits


def main(path: Path, limits: Limits) -> None:
    """Serves the frames of one video until standard input ends."""
    confine(limits)
    from tinyvirat.video import VideoError, VideoReader, open_video

    out = sys.stdout.buffer

    def answer(reader: VideoReader, asked: dict[str, Any]) -> None:
        if "read" in asked:
            for index in asked["read"]:
                clip = reader.read([index])
                frame_HWC = clip.frames_THWC[0]
                say(out, {"index": index, "time": float(clip.times_T[0])}, frame_HWC.tobytes())
        else:
            say(out, {"count": count(reader, path, limits)})

    try:
        with open_video(path, decoder="pyav", threads=1) as reader:
            info = reader.info
            if info.width * info.height > limits.pixels:
                raise VideoError(
                    path,
                    f"its pictures are {info.width} x {info.height}; the limit is {limits.pixels} "
                    "pixels",
                )
            say(
                out,
                {
                    "width": info.width,
                    "height": info.height,
                    "fps": str(info.fps),
                    "header_frames": info.header_frames,
                    "duration": info.duration,
                    "codec": info.codec,
                    "pixel_format": info.pixel_format,
                    "rotation": info.rotation,
                },
            )
            for line in sys.stdin.buffer:
                answer(reader, json.loads(line))
    except VideoError as error:
        say(out, {"error": error.cause})
    except TinyviratError as error:
        say(out, {"error": str(error).replace(str(path), "the video")})
    except MemoryError:
        say(out, {"error": "it needs more memory than a video may"})


def confine(limits: Limits) -> None:
    """Takes from this process what decoding does not need."""
    seconds = int(limits.seconds) + 1
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def count(reader: Any, path: Path, limits: Limits) -> int:
    """The number of frames, refused early where the file itself says that it is too long."""
    from tinyvirat.video import VideoError

    claimed = reader.info.header_frames or 0
    found = claimed if claimed > limits.frames else reader.count()
    if found > limits.frames:
        raise VideoError(path, f"has {found} frames; the limit is {limits.frames}")
    return int(found)


def say(out: BinaryIO, message: dict[str, Any], data: bytes = b"") -> None:
    """One answer: a JSON line, and the bytes that belong to it."""
    out.write(json.dumps(message).encode() + b"\n")
    out.write(data)
    out.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Limits(**json.loads(sys.argv[2])))
