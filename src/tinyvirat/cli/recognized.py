"""What `tinyvirat recognize` does with one source, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import say
from tinyvirat.common.words import counted, printable
from tinyvirat.recognition.archive.records import OF_FRAMES, name_of
from tinyvirat.recognition.events import Action, Event, Sink, StreamEnd, StreamHeader, TubeEnd
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.outputs.opening import ALL, open_sinks
from tinyvirat.recognition.outputs.words import clock
from tinyvirat.recognition.results import Prediction, write_predictions
from tinyvirat.recognition.stream import StreamSettings, VideoStream, run_stream
from tinyvirat.recognition.stream.run import is_clip

LONGEST_TABLE = 500
"""Actions of one video that are listed."""


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        tubes: `whole`, `motion`, a path, or None.
        out: the folder to write into, if any.
        names: of the videos of the folder that was searched, if it was one: what the files and
            folders of each are called (`archive.records.names_in`).
        outputs: names of what is written, if any were named.
        render: draw what the network saw of clips.
    """

    tubes: str | None
    out: Path | None
    names: Mapping[str, str]
    outputs: tuple[str, ...] | None
    render: bool

    @property
    def gathers_clips(self) -> bool:
        """Whether the rows of all clips go into one file: those of a folder, unless outputs are
        named."""
        return bool(self.names) and self.outputs is None

    def place(self, video: str) -> Path | None:
        """The folder for what is written about a video."""
        if self.out is None or not self.names:
            return self.out
        return self.out / self.name(video)

    def name(self, video: str) -> str:
        """What files and folders of a video are called."""
        return self.names.get(video) or name_of(Path(video), Path(video).parent)


class Shown:
    """A sink for the screen: rows as they come, or tables at the end.

    Args:
        json: print rows.
        top: labels that the table of clips shows.
    """

    def __init__(self, *, json: bool, top: int) -> None:
        self._json = json
        self._top = top
        self._clips: list[Prediction] = []
        self._last: list[Prediction] = []
        self._videos: list[_Video] = []

    def begin(self, header: StreamHeader) -> None:
        """The next source."""
        self._last = []
        self._videos.append(_Video(header.video, []))

    def take(self, event: Event) -> None:
        """Prints or keeps it."""
        if isinstance(event, Prediction):
            if self._json:
                print(json.dumps(event.to_json()), flush=True)
            if event.boxes is None:
                self._last.append(event)
        elif isinstance(event, Action):
            self._videos[-1].add(event)
        elif isinstance(event, TubeEnd):
            self._videos[-1].tubes += 1

    def end(self, end: StreamEnd) -> None:
        """Keeps a clip's answer."""
        if self._last:
            self._videos.pop()
        self._clips += self._last

    def abandon(self) -> None:
        """Forgets the source."""
        self._videos.pop()

    def clip(self) -> Prediction | None:
        """The answer for the last source, if it was a clip."""
        return self._last[0] if self._last else None

    def write_clips(self, out: Path | None) -> None:
        """Writes the rows of all clips."""
        if self._clips and out is not None:
            write_predictions(out / "predictions.jsonl", self._clips)

    def tables(self) -> None:
        """Prints the tables, unless rows were printed."""
        if self._json:
            return
        if self._clips:
            Console(emoji=False).print(clips_table(self._clips, self._top))
        for video in self._videos:
            video.print()


@dataclass
class _Video:
    """What one video's table shows."""

    name: str
    actions: list[Action]
    tubes: int = 0
    more: int = 0

    def add(self, action: Action) -> None:
        if len(self.actions) < LONGEST_TABLE:
            self.actions.append(action)
        else:
            self.more += 1

    def print(self) -> None:
        console = Console(emoji=False)  # `:car:` in a name is no picture of one
        if not self.actions:
            tubes = counted(self.tubes, "tube")
            console.print(safe(f"{self.name}: no action above its threshold in {tubes}"))
            return
        table = Table(title=safe(self.name))
        table.add_column("tube", justify="right")
        table.add_column("type")
        table.add_column("when", justify="right")
        table.add_column("label", overflow="fold")
        table.add_column("score", justify="right")
        for one in sorted(self.actions, key=lambda action: (action.start_time, action.tube)):
            when = f"{clock(one.start_time)} - {clock(one.stop_time)}"
            score = f"{one.score:.2f}"
            table.add_row(str(one.tube), safe(one.type), when, safe(one.label), score)
        console.print(table)
        if self.more:
            console.print(f"and {self.more} more")


def one(
    recognizer: ActionRecognizer,
    stream: VideoStream,
    asked: Asked,
    shown: Shown,
    *,
    progress: bool,
) -> StreamEnd:
    """Recognises one source, writes what was asked for, and draws it if it is a clip.

    Raises:
        TinyviratError: it cannot be read, or something cannot be written.
    """
    clip = is_clip(stream.info, asked.tubes)
    if asked.render and not clip:
        stream.close()
        raise TinyviratError(
            f"{stream.info.name}: --render draws clips of at most 128 x 128 px; a long video gets "
            "its pictures with --outputs strips,video"
        )
    place = asked.place(stream.info.name)
    sinks: list[Sink] = [shown]
    settings = StreamSettings()
    if place is not None and not (clip and asked.gathers_clips):
        wanted = asked.outputs or ALL
        sinks += open_sinks(place, recognizer, wanted)
        settings = StreamSettings(frames=any(name in OF_FRAMES for name in wanted))
    end = run_stream(recognizer, stream, sinks, asked.tubes, settings, progress=progress)
    found = shown.clip()
    if asked.render and asked.out is not None and found is not None:
        from tinyvirat.recognition.render import render

        for picture in render(recognizer, found, asked.out / "pictures" / asked.name(found.video)):
            say(f"wrote {picture}")
    return end


def safe(text: str) -> str:
    """Text for a table or a line of the screen: a name is no markup, and steers no terminal."""
    return escape(printable(text))


def clips_table(predictions: list[Prediction], top: int) -> Table:
    """Clips with their `top` most probable labels."""
    table = Table()
    table.add_column("clip", overflow="fold")
    table.add_column("frames", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column(f"top {top}", overflow="fold")
    for p in predictions:
        best = ", ".join(f"{label} {score:.2f}" for label, score in p.top(top))
        seconds = f"{p.stop_time - p.start_time:.1f}"
        table.add_row(safe(p.video), str(p.stop - p.start), seconds, safe(best))
    return table
