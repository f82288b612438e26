"""Opening a file as a video, with every door shut that an untrusted file might use."""

from __future__ import annotations

import stat
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from tinyvirat.video.errors import VideoError

# Containers of one file that holds its own frames. Playlists and the like (hls, dash, concat, sdp,
# image sequences) are left out: such a file, whatever its name, could make FFmpeg open others.
DEMUXERS = (
    "3g2,3gp,asf,avi,dv,flv,h264,hevc,ivf,m4a,m4v,matroska,mj2,mov,mp4,mpeg,mpegts,mpegvideo,mxf,nut,"
    "obu,ogg,rm,webm,yuv4mpegpipe"
)
MAX_SIDE = 16384
MAX_PIXELS = 2**27


def checked_path(path: Path) -> Path:
    """`path`, if it is a regular file that holds something.

    Raises:
        VideoError: it is missing, empty, a folder, a pipe or a device.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise VideoError(path, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise VideoError(path, f"cannot be opened: {_reason(error)}") from None
    if stat.S_ISDIR(found.st_mode):
        raise VideoError(path, "is a folder, not a video file")
    if not stat.S_ISREG(found.st_mode):
        # A pipe has no second reading and may never end; a device may block for ever.
        raise VideoError(path, "is a pipe, socket or device; only regular files can be read")
    if found.st_size == 0:
        raise VideoError(path, "is empty")
    return path


def open_container(path: Path) -> InputContainer:
    """The demuxer of a file.

    Raises:
        VideoError: the file cannot be opened, or is no video that FFmpeg knows.
    """
    try:
        return av.open(
            # Absolute, so that no name can pass for a protocol such as `concat:` or `http:`.
            str(checked_path(path).absolute()),
            options={"max_pixels": str(MAX_PIXELS)},
            container_options={"format_whitelist": DEMUXERS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except av.FFmpegError as error:
        raise VideoError(
            path,
            f"cannot be read as a video: {_reason(error)} "
            "(damaged, cut off, not a video, or of a kind that is not read)",
        ) from None


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The video stream that players choose, cover pictures apart.

    Raises:
        VideoError: there is none, no decoder knows it, or its pictures are too large.
    """
    candidates = [s for s in container.streams.video if not _is_cover(s)]
    if not candidates:
        kinds = {"cover picture" if s.type == "video" else s.type for s in container.streams}
        held = ", ".join(sorted(kinds)) or "nothing"
        raise VideoError(path, f"holds no video stream (it holds: {held})")
    best = container.streams.best("video")
    stream = next((s for s in candidates if best and s.index == best.index), candidates[0])
    if stream.codec_context is None:
        raise VideoError(path, "its video is in a coding that this FFmpeg cannot decode")
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    checked_size(path, stream.codec_context.width, stream.codec_context.height)
    return stream


def checked_size(path: Path, width: int, height: int) -> None:
    """Refuses pictures that no camera makes and that would fill the memory.

    Raises:
        VideoError: a side is longer than 16,384 pixels or the picture has more than 134 million.
    """
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise VideoError(
            path,
            f"its pictures are {width}x{height}; the limit is {MAX_SIDE} pixels a side and "
            f"{MAX_PIXELS / 1e6:.0f} million pixels",
        )


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _reason(error: Exception) -> str:
    """The system's or FFmpeg's words, without numbers and paths."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    log = getattr(error, "log", None)
    if log and log[1]:
        words += f" ({log[1][2].strip()})"
    return str(words)
