"""Made-up answers: rectangles that move over a grey ground, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tinyvirat.recognition.events import (
    Action,
    AnsweredBox,
    AnsweredFrame,
    Event,
    Sink,
    StreamEnd,
    StreamHeader,
    TubeEnd,
)
from tinyvirat.recognition.proposals.records import Box, TubeBox
from tinyvirat.recognition.results import Prediction
from tinyvirat.video import Frame

LABELS = ("carry", "pull", "walk")
STRETCH = 20
COLOURS = ((200, 60, 40), (50, 90, 210), (230, 200, 60), (60, 160, 90))


@dataclass(frozen=True)
class Actor:
    """One tube: when it lives, what it does when, and whether it was read at all."""

    start: int
    stop: int
    acts: tuple[tuple[str, int, int, float], ...] = ()
    type: str = "person"
    read: bool = True


ACTORS = (
    Actor(10, 70, (("walk", 10, 70, 0.9), ("carry", 30, 50, 0.75))),
    Actor(0, 100, type="vehicle"),
    Actor(90, 95, type="unknown", read=False),
)


@dataclass(frozen=True)
class Scene:
    """A video that never was.

    Attributes:
        actors: its tubes, by their numbers.
        size: width and height.
        frames: how many.
        video: what it is called.
        fps: its rate.
        labels: of the model.
        times: of the frames; None gives them the rate.
        scale: of the pictures.
        known: whether the header knows how many frames there are.
    """

    actors: tuple[Actor, ...] = ACTORS
    size: tuple[int, int] = (160, 120)
    frames: int = 100
    video: str = "yard.avi"
    fps: Fraction = Fraction(25)
    labels: tuple[str, ...] = LABELS
    times: Sequence[float] | None = None
    scale: float = 1.0
    known: bool = True

    @property
    def header(self) -> StreamHeader:
        return StreamHeader(
            video=self.video,
            width=self.size[0],
            height=self.size[1],
            fps=self.fps,
            frames=self.frames if self.known else None,
            labels=self.labels,
            thresholds=(0.5,) * len(self.labels),
            multi_label=True,
            model="made-up",
        )

    @property
    def end(self) -> StreamEnd:
        stages = {"decode": 0.5, "proposals": 0.75, "crop": 0.25, "network": 2.0, "write": 0.5}
        tubes, windows = len(self.actors), sum(actor.read for actor in self.actors) * 5
        return StreamEnd(self.frames, 0, 0, tubes, windows, 4.0, False, stages)

    def time(self, frame: int) -> float:
        if self.times is not None and frame < len(self.times):
            return self.times[frame]
        return float(frame / self.fps)

    def box(self, tube: int, frame: int) -> Box:
        """Where a tube is: it walks to and fro, each in its own line; fractions of an eighth."""
        width, height = self.size
        side = max(6.0, height / 8)
        across = max(1.0, width - side)
        x = (frame * 1.125 + tube * 17.5) % (2 * across)
        x = min(x, 2 * across - x)
        y = (tube * side * 1.5 + 0.25) % max(1.0, height - side)
        x2, y2 = min(x + side * 0.75, width), min(y + side, height)
        left, top = min(x, x2 - 1), min(y, y2 - 1)
        eighths = [round(edge * 8) / 8 for edge in (left, top, x2, y2)]
        return eighths[0], eighths[1], eighths[2], eighths[3]

    def scores(self, tube: int, frame: int) -> dict[str, float]:
        found = {label: round(0.04 + 0.01 * (k % 7), 3) for k, label in enumerate(self.labels)}
        for label, start, stop, score in self.actors[tube].acts:
            if start <= frame < stop:
                found[label] = score
        return found

    def events(self) -> Iterator[Event]:
        """Everything, in the order in which a stream would know it."""
        for index in range(self.frames):
            yield self._frame(index)
            for tube, actor in enumerate(self.actors):
                if not actor.start < index + 1 <= actor.stop:
                    continue
                over = index + 1 == actor.stop
                if actor.read and (over or (index + 1 - actor.start) % STRETCH == 0):
                    first = actor.start + (index - actor.start) // STRETCH * STRETCH
                    yield self._stretch(tube, first, index + 1)
                acts = self._actions(tube)
                yield from (action for action in acts if action.stop == index + 1)
                if over:
                    yield self._over(tube, acts)

    def _frame(self, index: int) -> AnsweredFrame:
        width, height = (max(1, round(side * self.scale)) for side in self.size)
        picture = np.full((height, width, 3), 96, np.uint8)
        picture[::8] = 110
        boxes = []
        for tube, actor in enumerate(self.actors):
            if actor.start <= index < actor.stop:
                box = self.box(tube, index)
                x1, y1, x2, y2 = (round(edge * self.scale) for edge in box)
                picture[y1:y2, x1:x2] = COLOURS[tube % len(COLOURS)]
                scores = self.scores(tube, index) if actor.read else None
                held = sorted((a[3], a[0]) for a in actor.acts if a[1] <= index < a[2])
                labels = tuple(label for _, label in reversed(held))
                boxes.append(AnsweredBox(TubeBox(tube, box, actor.type), labels, scores))
        return AnsweredFrame(Frame(index, self.time(index), picture), self.scale, tuple(boxes))

    def _stretch(self, tube: int, start: int, stop: int) -> Prediction:
        scores = self.scores(tube, start)
        return Prediction(
            video=self.video,
            tube=tube,
            start=start,
            stop=stop,
            start_time=self.time(start),
            stop_time=self.time(stop),
            scores=scores,
            labels=tuple(label for label in scores if scores[label] >= 0.5),
            boxes=tuple(self.box(tube, frame) for frame in range(start, stop)),
            model="made-up",
        )

    def _actions(self, tube: int) -> tuple[Action, ...]:
        actor = self.actors[tube]
        return tuple(
            Action(
                video=self.video,
                tube=tube,
                type=actor.type,
                label=label,
                start=start,
                stop=stop,
                start_time=self.time(start),
                stop_time=self.time(stop),
                score=score,
                peak=min(1.0, score + 0.05),
            )
            for label, start, stop, score in sorted(actor.acts, key=lambda act: act[1])
        )

    def _over(self, tube: int, actions: tuple[Action, ...]) -> TubeEnd:
        actor = self.actors[tube]
        middle = (actor.start + actor.stop) // 2
        window = np.random.default_rng(tube).integers(0, 256, (8, 24, 20, 3), np.uint8)
        places = np.linspace(actor.start, actor.stop - 1, 8).astype(int).tolist()
        return TubeEnd(
            video=self.video,
            tube=tube,
            type=actor.type,
            start=actor.start,
            stop=actor.stop,
            start_time=self.time(actor.start),
            stop_time=self.time(actor.stop),
            scores=self.scores(tube, middle) if actor.read else None,
            actions=actions[:100],
            best_window_THWC=window if actor.read else None,
            best_start=middle if actor.read else None,
            boxes=tuple(self.box(tube, place) for place in places),
        )


def crowd(tubes: int, **changes: Any) -> Scene:
    """Many tubes, one after the other and side by side, with all labels in turn."""
    frames = 40 + 4 * tubes
    labels = changes.get("labels", LABELS)
    actors = []
    for tube in range(tubes):
        start = 4 * tube
        stop = min(frames, start + 24 + 12 * (tube % 4))
        label, score = labels[tube % len(labels)], 0.5 + 0.4 * ((tube * 7) % 11) / 10
        acts = () if tube % 5 == 4 else ((label, start + 2, stop - 2, score),)
        actors.append(Actor(start, stop, acts, ("person", "vehicle")[tube % 2]))
    return replace(Scene(), actors=tuple(actors), frames=frames, **changes)


def play(sinks: Sink | Iterable[Sink], scene: Scene, *, end: StreamEnd | None = None) -> None:
    """Gives sinks a scene from beginning to end."""
    listed = list(sinks) if isinstance(sinks, Iterable) else [sinks]
    for sink in listed:
        sink.begin(scene.header)
    for event in scene.events():
        for sink in listed:
            sink.take(event)
    for sink in listed:
        sink.end(end or scene.end)
