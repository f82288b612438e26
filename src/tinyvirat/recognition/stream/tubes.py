"""One tube being read: boxes and surroundings go in, windows come out; logits go in, answers come
out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinyvirat.models.saved import ModelSpec
from tinyvirat.recognition.events import Action, TubeEnd
from tinyvirat.recognition.proposals.records import Box, TubeBox
from tinyvirat.recognition.results import Prediction
from tinyvirat.recognition.stream.intervals import Decided, Hysteresis, Interval, Rule, Stretch
from tinyvirat.recognition.stream.past import Past
from tinyvirat.recognition.stream.patches import Patch, cut_window, stack_window
from tinyvirat.recognition.stream.settings import StreamSettings
from tinyvirat.recognition.stream.smoothing import Smoother
from tinyvirat.recognition.stream.summary import Summary
from tinyvirat.recognition.stream.windows import WindowPlace, WindowPlan
from tinyvirat.video.sampling import SlidingWindows

LogitArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reading:
    """What all tubes of a video share.

    Attributes:
        video: the source, as it was given.
        spec: the model's description.
        settings: how to read.
        sampler: the windows.
        rule: when a label holds.
        size: width and height of a frame in pixels.
        frame_time: seconds that a frame lasts.
        whole: the tube is the whole frame, and is not cut to a square.
    """

    video: str
    spec: ModelSpec
    settings: StreamSettings
    sampler: SlidingWindows
    rule: Rule
    size: tuple[int, int]
    frame_time: float
    whole: bool


@dataclass(frozen=True, eq=False)
class Window:
    """A window for the network.

    Attributes:
        tube: whose.
        begin: where what it answers for begins, in frames from the tube's first.
        start: its first frame, in the source's numbering.
        time: at which it was complete, in seconds of the source.
        frames_THWC: uint8 RGB.
    """

    tube: TubeReading
    begin: int
    start: int
    time: float
    frames_THWC: Tensor


@dataclass(frozen=True)
class Answer:
    """What is known of some successive frames of a tube.

    Attributes:
        tube: its number.
        start: the first frame, in the source's numbering.
        stop: the frame after the last.
        labels: what holds, most probable first.
        scores: every label's smoothed probability; None where the tube was too short to be read.
    """

    tube: int
    start: int
    stop: int
    labels: tuple[str, ...]
    scores: dict[str, float] | None


@dataclass(frozen=True)
class Found:
    """What a tube gives at once.

    Attributes:
        answers: of its frames, in order, each frame once.
        events: in the order in which they are given.
    """

    answers: tuple[Answer, ...] = ()
    events: tuple[Prediction | Action | TubeEnd, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    time: float
    box: Box


class TubeReading:
    """Reads one tube. Memory does not grow with its length.

    Args:
        tube: its number.
        first: the number of its first frame in the source.
        reading: what all tubes share.

    Attributes:
        done: all has been given, its end too.
    """

    def __init__(self, tube: int, first: int, reading: Reading) -> None:
        self.tube = tube
        self.done = False
        self._first = first
        self._reading = reading
        settings = reading.settings
        self._plan = WindowPlan(reading.sampler, 1 if reading.whole else settings.shortest_tube)
        self._patches = Past[Patch]()
        self._seen = Past[_Seen]()
        self._begins: deque[int] = deque()  # of the stretches that are not given yet
        self._smoother = Smoother(settings.smooth)
        self._smoothed: deque[LogitArray] = deque()  # of those stretches
        self._hysteresis = Hysteresis(reading.rule)
        self._summary = Summary(len(reading.spec.labels))
        self._answered = 0  # frames from the tube's first
        self._type = ""
        self._begin_time = self._last_time = 0.0
        self._waiting = 0  # windows that the network has not answered
        self._over = False

    def add(self, time: float, box: TubeBox, patch: Patch) -> Window | None:
        """The tube in its next frame; the window that is complete with it."""
        if not self._plan.frames:
            self._begin_time = time
        self._last_time = time
        self._type = box.type
        self._patches.add(patch)
        self._seen.add(_Seen(time, box.box))
        self._summary.box(box.box)
        window = self._cut(self._plan.grow())
        self._forget()
        return window

    def finish(self) -> Window | None:
        """The tube is over; the window that its last frames still need."""
        window = self._cut(self._plan.finish())
        self._over = True
        self._patches.forget(self._plan.frames)
        return window

    def answer(self, window: Window, logits_K: LogitArray) -> Found:
        """What the network says of the next window, in the order of the windows."""
        self._waiting -= 1
        self._begins.append(window.begin)
        scores_K = self._probabilities(logits_K)
        self._summary.window(window.start, window.frames_THWC, scores_K)
        smoothed_K = self._smoother.add(logits_K)
        if smoothed_K is not None:
            self._smoothed.append(smoothed_K)
        found = []
        # A stretch ends where that of the next window begins.
        while self._smoothed and len(self._begins) > 1:
            found.append(self._stretch(self._smoothed.popleft()))
        self._forget()
        return _together([*found, self.last()])

    def last(self) -> Found:
        """What is left; nothing, unless the tube is over and all of its windows are answered."""
        if not self._over or self._waiting or self.done:
            return Found()
        self.done = True
        self._smoothed.extend(self._smoother.finish())
        found = [self._stretch(smoothed_K) for smoothed_K in self._smoothed]
        found.append(self._decided(*self._hysteresis.finish()))
        if self._answered < self._plan.frames:  # too short to be read
            stop = self._first + self._plan.frames
            found.append(Found((Answer(self.tube, self._first, stop, (), None),)))
        return _together([*found, Found(events=(self._end(),))])

    def _cut(self, place: WindowPlace | None) -> Window | None:
        if place is None:
            return None
        begin, stop = int(place.indices_T[0]), int(place.indices_T.max()) + 1
        indices_T = place.indices_T - begin
        patches = self._patches.between(begin, stop)
        if self._reading.whole:
            frames_THWC = stack_window(patches, indices_T)
        else:
            boxes = [one.box for one in self._seen.between(begin, stop)]
            crop = self._reading.settings.crop
            frames_THWC = cut_window(patches, boxes, indices_T, self._reading.size, crop)
        self._waiting += 1
        return Window(self, place.begin, self._first + begin, self._last_time, frames_THWC)

    def _forget(self) -> None:
        """Lets go of what neither a window nor an answer to come needs."""
        self._patches.forget(self._plan.needed)
        self._seen.forget(min(self._answered, self._plan.needed))

    def _stretch(self, smoothed_K: LogitArray) -> Found:
        """The next stretch, now that its scores are known and where it ends."""
        start = self._begins.popleft()
        stop = self._begins[0] if self._begins else self._plan.frames
        scores_K = self._probabilities(smoothed_K)
        self._summary.stretch(scores_K, stop - start)
        seen = self._seen.between(start, stop)
        times = seen[0].time, seen[-1].time + self._reading.frame_time
        return self._decided(*self._hysteresis.add(Stretch(start, stop, *times, scores_K)))

    def _decided(self, decided: Iterable[Decided], intervals: Iterable[Interval]) -> Found:
        answers, events = list[Answer](), list[Prediction | Action]()
        for one in decided:
            answers.append(self._answer(one))
            events.append(self._prediction(one.stretch, answers[-1]))
            self._answered = one.stretch.stop
        for interval in intervals:
            action = self._action(interval)
            self._summary.action(action)
            events.append(action)
        return Found(tuple(answers), tuple(events))

    def _answer(self, decided: Decided) -> Answer:
        labels, stretch = self._reading.spec.labels, decided.stretch
        return Answer(
            self.tube,
            self._first + stretch.start,
            self._first + stretch.stop,
            tuple(labels[number] for number in decided.labels),
            dict(zip(labels, stretch.scores_K.tolist(), strict=True)),
        )

    def _prediction(self, stretch: Stretch, answer: Answer) -> Prediction:
        seen = self._seen.between(stretch.start, stretch.stop)
        return Prediction(
            video=self._reading.video,
            tube=self.tube,
            start=answer.start,
            stop=answer.stop,
            start_time=stretch.start_time,
            stop_time=stretch.stop_time,
            scores=answer.scores or {},
            labels=answer.labels,
            boxes=tuple(one.box for one in seen),
            model=self._reading.spec.name,
        )

    def _action(self, interval: Interval) -> Action:
        return Action(
            video=self._reading.video,
            tube=self.tube,
            type=self._type,
            label=self._reading.spec.labels[interval.label],
            start=self._first + interval.start,
            stop=self._first + interval.stop,
            start_time=interval.start_time,
            stop_time=interval.stop_time,
            score=interval.score,
            peak=interval.peak,
        )

    def _end(self) -> TubeEnd:
        summary, labels = self._summary, self._reading.spec.labels
        scores_K = summary.mean_scores()
        return TubeEnd(
            video=self._reading.video,
            tube=self.tube,
            type=self._type,
            start=self._first,
            stop=self._first + self._plan.frames,
            start_time=self._begin_time,
            stop_time=self._last_time + self._reading.frame_time,
            scores=None if scores_K is None else dict(zip(labels, scores_K.tolist(), strict=True)),
            actions=tuple(sorted(summary.actions, key=lambda action: action.start)),
            best_window_THWC=summary.best_window(),
            best_start=summary.best_start,
            boxes=summary.boxes,
        )

    def _probabilities(self, logits_K: LogitArray) -> NDArray[np.float64]:
        probabilities_K = self._reading.spec.probabilities(torch.from_numpy(logits_K)[None])[0]
        scores_K: NDArray[np.float64] = probabilities_K.double().numpy()
        return scores_K


def _together(found: Sequence[Found]) -> Found:
    return Found(
        tuple(answer for one in found for answer in one.answers),
        tuple(event for one in found for event in one.events),
    )
