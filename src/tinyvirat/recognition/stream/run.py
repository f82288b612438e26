"""From a source to events, and from there into sinks: `recognize_stream` and `run_stream`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tinyvirat.recognition.events import Event, Sink, StreamEnd
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.proposals.choose import CROPPED
from tinyvirat.recognition.stream.clips import ClipRecognition
from tinyvirat.recognition.stream.recognition import Recognition, StreamRecognition, Tubes
from tinyvirat.recognition.stream.settings import StreamSettings
from tinyvirat.recognition.stream.source_info import SourceInfo
from tinyvirat.recognition.stream.sources import VideoStream, open_stream
from tinyvirat.recognition.stream.watching import Watching
from tinyvirat.video import VideoError


def recognize_stream(
    recognizer: ActionRecognizer,
    source: str | Path | int | VideoStream,
    tubes: Tubes = None,
    settings: StreamSettings | None = None,
) -> Iterator[Event]:
    """What is done in a video, piece by piece, in memory that does not grow with its length.

    A file whose frames are at most 128 pixels wide and high is a clip of one actor: unless other
    tubes are asked for, it gets one `Prediction` for the whole of it, the same as
    `ActionRecognizer.recognize` gives. Anything else is read over time.

    Args:
        recognizer: the model.
        source: a video file, an address (`rtsp://`, `http://`, ...), the number of a camera, or an
            open source.
        tubes: `whole` (the whole frame), `motion` (what moves), the path of a file of detections,
            tracks or annotations, a tube source, or what makes one of a video's width, height and
            frames a second. None is `whole` for frames of at most 128 pixels, else `motion`.
        settings: how; None takes the defaults.

    Yields:
        `Prediction`, `Action` and `TubeEnd` in the order in which they become known, and
        `AnsweredFrame` if `settings.frames`.

    Raises:
        VideoError: the source cannot be opened, or breaks; then everything up to there has been
            given before.
        ProposalError: the tubes cannot be found as asked.
    """
    with open_recognition(recognizer, source, tubes, settings) as recognition:
        yield from recognition


def open_recognition(
    recognizer: ActionRecognizer,
    source: str | Path | int | VideoStream,
    tubes: Tubes = None,
    settings: StreamSettings | None = None,
) -> Recognition:
    """The same, opened but not begun: its header is known, and it can be watched and stopped.

    Args:
        recognizer: as for `recognize_stream`, like all others.
        source: what to read.
        tubes: which.
        settings: how.

    Raises:
        VideoError: the source cannot be opened.
        ProposalError: the tubes cannot be found as asked.
    """
    settings = settings or StreamSettings()
    stream = open_stream(source) if isinstance(source, str | Path | int) else source
    try:
        info = stream.info
        if info.path is not None and is_clip(info, tubes):
            stream.close()
            return ClipRecognition(recognizer, info, info.path, settings)
        return StreamRecognition(recognizer, stream, tubes, settings)
    except BaseException:
        stream.close()
        raise


def is_clip(info: SourceInfo, tubes: Tubes) -> bool:
    """Whether a source is taken for a clip of one actor, which gets one answer."""
    small = max(info.width, info.height) <= CROPPED
    return info.path is not None and small and (tubes is None or tubes == "whole")


def run_stream(
    recognizer: ActionRecognizer,
    source: str | Path | int | VideoStream,
    sinks: Sequence[Sink],
    tubes: Tubes = None,
    settings: StreamSettings | None = None,
    *,
    progress: bool = True,
) -> StreamEnd:
    """Recognises a video into sinks.

    Ctrl-C (or SIGTERM), once, ends the reading: what was read so far is answered for, and the sinks
    are ended properly. The second time it breaks off. This needs the main thread; elsewhere signals
    are left alone.

    Args:
        recognizer: the model.
        source: as for `recognize_stream`.
        sinks: are given everything. If anything but the source breaks, all are abandoned.
        tubes: as for `recognize_stream`.
        settings: how; `frames` must be set where a sink wants them.
        progress: whether frames a second and the time left are shown on standard error.

    Returns:
        How it went; `interrupted` says that it was ended by hand.

    Raises:
        VideoError: the source cannot be opened; or it broke, and the sinks have been ended with
            what was known until then.
        ProposalError: the tubes cannot be found as asked.
    """
    with open_recognition(recognizer, source, tubes, settings) as recognition:
        begun: list[Sink] = []  # and not ended
        try:
            with _stopped_by_hand(recognition):
                broken = _drive(recognition, sinks, begun, progress)
            end = recognition.end()
            for sink in sinks:
                sink.end(end)
                begun.remove(sink)
        except BaseException:
            for sink in begun:
                sink.abandon()
            raise
    if broken is not None:
        raise broken
    return end


def _drive(
    recognition: Recognition, sinks: Sequence[Sink], begun: list[Sink], progress: bool
) -> VideoError | None:
    """Gives the sinks everything; the error by which the source broke, if it did."""
    header = recognition.header
    for sink in sinks:
        begun.append(sink)
        sink.begin(header)
    with Watching(Path(header.video).name, header.frames, shown=progress) as watching:
        recognition.on_frame = watching.at
        try:
            for event in recognition:
                with recognition.stages.measure("write"):
                    for sink in sinks:
                        sink.take(event)
        except VideoError as error:
            if not (recognition.whole and recognition.frames):
                raise
            return error
    return None


@contextmanager
def _stopped_by_hand(recognition: Recognition) -> Iterator[None]:
    """Makes the first Ctrl-C, or SIGTERM, stop the recognition, and the second what it was."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler that is not Python's own cannot be put back, so it stays.
    now = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    before = {kind: handler for kind, handler in now.items() if handler is not None}

    def put_back() -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)

    def stop(_kind: int, _frame: FrameType | None) -> None:
        recognition.stop()
        put_back()

    for kind in before:
        signal.signal(kind, stop)
    try:
        yield
    finally:
        put_back()
