"""Recognition over time: from a file, an address or a camera to answers, in constant memory.

    recognizer = load("model")
    for event in recognize_stream(recognizer, "yard.mp4"):
        if isinstance(event, Action):
            print(event.tube, event.label, event.start_time, event.stop_time, event.score)

`run_stream` does the same into sinks (`tinyvirat.recognition.outputs`), with progress and Ctrl-C;
`open_recognition` is for who wants to watch and to stop it.
"""

from tinyvirat.recognition.stream.connection import SourceError, Timeouts
from tinyvirat.recognition.stream.live import SourceSettings
from tinyvirat.recognition.stream.recognition import Recognition, Tubes
from tinyvirat.recognition.stream.run import open_recognition, recognize_stream, run_stream
from tinyvirat.recognition.stream.settings import StreamError, StreamSettings
from tinyvirat.recognition.stream.source_info import SourceInfo
from tinyvirat.recognition.stream.sources import VideoStream, open_stream

__all__ = [
    "Recognition",
    "SourceError",
    "SourceInfo",
    "SourceSettings",
    "StreamError",
    "StreamSettings",
    "Timeouts",
    "Tubes",
    "VideoStream",
    "open_recognition",
    "open_stream",
    "recognize_stream",
    "run_stream",
]
