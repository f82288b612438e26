"""One page that plays and shows everything: `report.html`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image, features

from tinyvirat.common.files import written_beside
from tinyvirat.recognition.events import AnsweredFrame, Event, StreamEnd, StreamHeader, TubeEnd
from tinyvirat.recognition.outputs.collecting import Collected
from tinyvirat.recognition.outputs.files import writing
from tinyvirat.recognition.outputs.keeping import Best, rank_of
from tinyvirat.recognition.outputs.page import Report, parts_of
from tinyvirat.recognition.outputs.strip import StripDrawer
from tinyvirat.recognition.outputs.video import NAME as VIDEO

NAME = "report.html"
MOST_TUBES = 500
MOST_STRIPS = 200
QUALITY = 82


class ReportSink:
    """Keeps tubes in brief and their strips small, and writes the page at the end.

    Args:
        out: the folder of the page.
        drawer: what draws the strips.
        video: whether an annotated video is written into the same folder, by a sink that ends
            before this one.
    """

    def __init__(self, out: Path, drawer: StripDrawer, *, video: bool) -> None:
        self._path = out / NAME
        self._drawer = drawer
        self._video = out / VIDEO if video else None
        self._collected = Collected(MOST_TUBES)
        self._strips = Best[tuple[int, bytes]](MOST_STRIPS)
        self._header: StreamHeader | None = None
        self._times: tuple[float, float] | None = None

    def begin(self, header: StreamHeader) -> None:
        """Takes note of what is known."""
        self._header = header

    def take(self, event: Event) -> None:
        """Keeps what the page will show."""
        if isinstance(event, AnsweredFrame):
            time = event.frame.time
            self._times = (time if self._times is None else self._times[0], time)
            return
        self._collected.take(event)
        if isinstance(event, TubeEnd) and self._strips.takes(rank_of(event)):
            picture = self._drawer.draw(event)
            if picture is not None:
                self._strips.offer(rank_of(event), (event.tube, _small(picture)))

    def end(self, end: StreamEnd) -> None:
        """Writes the page."""
        if self._header is None:
            return
        video = self._video if self._video is not None and self._video.is_file() else None
        report = Report(
            header=self._header,
            end=end,
            rows=tuple(self._collected.rows()),
            tubes=self._collected.seen,
            actions=self._collected.acts_seen,
            strips=dict(self._strips),
            times=self._times,
            video=video,
        )
        with (
            writing(self._path),
            written_beside(self._path) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
        ):
            for part in parts_of(report):
                file.write(part)

    def abandon(self) -> None:
        """Nothing was written."""


def _small(picture: Image.Image) -> bytes:
    """A picture as WebP, or as JPEG where Pillow lacks it: a tenth of the PNG."""
    data = BytesIO()
    form = "WEBP" if features.check("webp") else "JPEG"
    picture.save(data, form, quality=QUALITY)
    return data.getvalue()
