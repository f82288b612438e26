"""Recognition of one video over time: frames, tubes, windows, network, answers.

    source -> Ahead (thread) -> TubeSource -> TubeReading -> NetworkQueue (thread) -> events

Of each frame no more is kept than what is still needed: the frame until its tubes are known, then
the surroundings of its actors until their windows are cut, then, where somebody wants to see it, a
reduced picture until everything is answered.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np

from tinyvirat.recognition.events import Event, StreamEnd, StreamHeader
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.proposals import TubeFrame, TubeSource, WholeFrame, open_tubes
from tinyvirat.recognition.proposals.settings import FASTEST, SLOWEST
from tinyvirat.recognition.stream.ahead import Pause
from tinyvirat.recognition.stream.held import HeldFrames
from tinyvirat.recognition.stream.intervals import Rule
from tinyvirat.recognition.stream.network import NetworkQueue
from tinyvirat.recognition.stream.patches import patches_of, whole
from tinyvirat.recognition.stream.settings import StreamSettings
from tinyvirat.recognition.stream.source_info import SourceInfo
from tinyvirat.recognition.stream.sources import VideoStream
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.recognition.stream.tubes import Found, Reading, TubeReading
from tinyvirat.recognition.stream.windows import sliding
from tinyvirat.video import Frame, VideoError

Tubes: TypeAlias = str | Path | TubeSource | Callable[[int, int, float], TubeSource] | None
"""Which tubes: `whole`, `motion`, the path of a file, a new source, or what makes one for a video's
width, height and frames a second; None chooses by the size of the frames."""

PATIENCE_S, LIVE_PATIENCE_S = 5.0, 1.0
MOST_HELD = 320 << 20
"""Bytes of held frames; beyond it nothing waits for a batch to be full."""


class Recognition(ABC):
    """One video being recognised: iterate over it once. A context manager.

    Attributes:
        info: what is known of the source.
        header: what is known before the first answer.
        stages: where the time goes.
        frames: read so far.
        interrupted: `stop` was called before the end.
        tubes: found so far.
        whole: everything was given that the frames so far allow, although the source may have
            broken.
        on_frame: called with `frames` at every frame, in the thread that iterates.
    """

    def __init__(self, info: SourceInfo, header: StreamHeader) -> None:
        self.info = info
        self.header = header
        self.stages = Stages()
        self.frames = 0
        self.tubes = 0
        self.interrupted = False
        self.whole = False
        self.on_frame: Callable[[int], None] = _nothing
        self._stop = threading.Event()

    def __enter__(self) -> Recognition:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def __iter__(self) -> Iterator[Event]:
        """Everything that is found, as soon as it is known.

        Raises:
            VideoError: the source broke; everything up to there has been given.
        """

    @abstractmethod
    def close(self) -> None:
        """Lets go of the source."""

    @abstractmethod
    def end(self) -> StreamEnd:
        """How it went, so far."""

    def stop(self) -> None:
        """Asks to read no further: what has been read is answered for, and then it ends.

        May be called from another thread, and from the handler of a signal.
        """
        self._stop.set()


class StreamRecognition(Recognition):
    """Recognition of tubes over time.

    Args:
        recognizer: the model.
        source: an open source; it is closed at the end.
        tubes: which.
        settings: how.
    """

    def __init__(
        self,
        recognizer: ActionRecognizer,
        source: VideoStream,
        tubes: Tubes,
        settings: StreamSettings,
    ) -> None:
        info = source.info
        super().__init__(info, header_of(recognizer, info, settings))
        self._source = source
        self._settings = settings
        self._open_tubes = _opener(tubes, info, settings)
        self._again = not hasattr(tubes, "update")  # a source of tubes is used up, not so the rest
        self._tube_source = self._open_tubes()
        self._reading = _reading(recognizer, self.header, settings, self._tube_source)
        self._waiting: deque[Frame] = deque()  # for their tubes
        self._live: dict[int, TubeReading] = {}
        self._first_tube = 0  # added to the numbers that the tube source gives
        self._time = 0.0
        patience = settings.patience
        if patience is None:
            patience = LIVE_PATIENCE_S if info.live else PATIENCE_S
        self._network = NetworkQueue(
            recognizer.inference, self.stages, patience=patience, live=info.live
        )
        self._held = HeldFrames(settings.widest) if settings.frames else None

    def __iter__(self) -> Iterator[Event]:
        broken: VideoError | None = None
        try:
            frames = self._source.frames(self.stages)
            while True:
                try:
                    item = next(frames, None)
                except VideoError as error:
                    broken = error
                    break
                if item is None:
                    break
                if self._stop.is_set():
                    self.interrupted = True
                    break
                yield from self._take(item)
            yield from self._end_tubes()
            self.whole = True
        finally:
            self.close()
        if broken is not None:
            raise broken

    def close(self) -> None:
        """Lets go of the source and of the network's thread."""
        self._source.close()
        self._network.close()

    def end(self) -> StreamEnd:
        """How it went, so far."""
        return StreamEnd(
            frames=self.frames,
            dropped=self._source.dropped,
            reconnects=self._source.reconnects,
            tubes=self.tubes,
            windows=self._network.windows,
            seconds=self.stages.elapsed,
            interrupted=self.interrupted,
            stages=dict(self.stages.seconds),
        )

    def _take(self, item: Frame | Pause) -> Iterator[Event]:
        if isinstance(item, Frame):
            self.frames += 1
            self.on_frame(self.frames)
            self._waiting.append(item)
            with self.stages.measure("proposals"):
                ready = self._tube_source.update(item)
            for tubes in ready:
                yield from self._read(self._waiting.popleft(), tubes)
        elif item is Pause.BROKEN:
            yield from self._begin_again()
        elif self.info.live:
            yield from self._answers(everything=True)

    def _begin_again(self) -> Iterator[Event]:
        """The source was lost for a while: who was there is not followed over the gap."""
        if self._again:
            yield from self._end_tubes()
            self._first_tube = self.tubes
            self._tube_source = self._open_tubes()

    def _end_tubes(self) -> Iterator[Event]:
        with self.stages.measure("proposals"):
            ready = self._tube_source.finish()
        for tubes in ready:
            yield from self._read(self._waiting.popleft(), tubes)
        self._waiting.clear()
        for found in [self._end(number) for number in list(self._live)]:
            yield from self._give(found)
        yield from self._answers(everything=True)

    def _read(self, frame: Frame, tubes: TubeFrame) -> Iterator[Event]:
        """One frame and its tubes."""
        boxes = [replace(box, tube=self._first_tube + box.tube) for box in tubes.boxes]
        here = {box.tube for box in boxes}
        with self.stages.measure("crop"):
            if self._held is not None:
                self._held.add(frame, boxes)
            ended = [self._end(number) for number in list(self._live) if number not in here]
            if self._reading.whole:
                patches = [whole(frame.frame_HWC)] * len(boxes)
            else:
                patches = patches_of(frame.frame_HWC, [box.box for box in boxes])
            for box, patch in zip(boxes, patches, strict=True):
                window = self._tube(box.tube, frame.index).add(frame.time, box, patch)
                if window is not None:
                    self._network.add(window)
        self._time = frame.time
        for found in ended:
            yield from self._give(found)
        crowded = self._held is not None and self._held.bytes > MOST_HELD
        yield from self._answers(everything=crowded)

    def _tube(self, number: int, index: int) -> TubeReading:
        reading = self._live.get(number)
        if reading is None:
            reading = self._live[number] = TubeReading(number, index, self._reading)
            self.tubes += 1
        return reading

    def _end(self, number: int) -> Found:
        """Ends a tube; gives what is known of it without another answer of the network."""
        reading = self._live.pop(number)
        window = reading.finish()
        if window is not None:
            self._network.add(window)
        return reading.last()

    def _answers(self, *, everything: bool) -> Iterator[Event]:
        taken = self._network.rest() if everything else self._network.ready(self._time)
        for window, logits_K in taken:
            yield from self._give(window.tube.answer(window, logits_K))
        if self._held is not None:
            yield from self._held.ready()

    def _give(self, found: Found) -> Iterator[Event]:
        if self._held is not None:
            for answer in found.answers:
                self._held.answer(answer)
        yield from found.events


def _nothing(_frames: int) -> None:
    """Nobody watches."""


def header_of(
    recognizer: ActionRecognizer, info: SourceInfo, settings: StreamSettings
) -> StreamHeader:
    """What is known before the first answer."""
    spec = recognizer.spec
    if spec.multi_label:
        thresholds = spec.thresholds or (0.5,) * len(spec.labels)
    else:
        thresholds = (settings.threshold,) * len(spec.labels)
    return StreamHeader(
        video=info.name,
        width=info.width,
        height=info.height,
        fps=info.fps,
        frames=info.frames,
        labels=spec.labels,
        thresholds=thresholds,
        multi_label=spec.multi_label,
        model=spec.name,
    )


def _reading(
    recognizer: ActionRecognizer,
    header: StreamHeader,
    settings: StreamSettings,
    tubes: TubeSource,
) -> Reading:
    enter_K = np.array(header.thresholds)
    rule = Rule(enter_K, enter_K * settings.leave, not header.multi_label, settings.shortest_action)
    rate = min(max(float(header.fps), SLOWEST), FASTEST)  # streams may claim 90,000
    faster = 1.0 if recognizer.spec.fps is None else rate / recognizer.spec.fps
    return Reading(
        video=header.video,
        spec=recognizer.spec,
        settings=settings,
        sampler=sliding(recognizer.spec.sampler, settings.overlap, faster),
        rule=rule,
        size=(header.width, header.height),
        frame_time=float(1 / header.fps),
        whole=isinstance(tubes, WholeFrame),
    )


def _opener(tubes: Tubes, info: SourceInfo, settings: StreamSettings) -> Callable[[], TubeSource]:
    """What begins the tubes of a video, as often as it must be begun."""
    width, height, fps = info.width, info.height, float(info.fps)
    if tubes is None or isinstance(tubes, str | Path):
        clip = None if info.path is None else info.path.stem
        return lambda: open_tubes(
            tubes,
            width,
            height,
            fps,
            clip=clip,
            motion=settings.motion,
            tracking=settings.tracking,
        )
    if hasattr(tubes, "update"):
        given = cast(TubeSource, tubes)
        return lambda: given
    return lambda: tubes(width, height, fps)
