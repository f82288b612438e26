"""Tubes and what they do, for pictures of all of them: the best, when there are too many."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from tinyvirat.recognition.events import Action, Event, TubeEnd
from tinyvirat.recognition.outputs.keeping import Best, rank_of

ACTIONS_A_TUBE = 10
"""Room for so many actions a tube on average; a single tube may have more."""

TOP = 5


@dataclass(frozen=True)
class TubeRow:
    """A tube in brief.

    Attributes:
        tube: without its window, with its highest scores only.
        actions: by their beginning.
    """

    tube: TubeEnd
    actions: tuple[Action, ...]


class Collected:
    """Keeps tubes as they end, in bounded memory.

    Args:
        most: how many tubes.
    """

    def __init__(self, most: int) -> None:
        self._tubes = Best[TubeEnd](most)
        self._actions = Best[Action](most * ACTIONS_A_TUBE)

    @property
    def seen(self) -> int:
        """How many tubes there were."""
        return self._tubes.seen

    @property
    def acts_seen(self) -> int:
        """How many actions there were."""
        return self._actions.seen

    def take(self, event: Event) -> None:
        """Keeps a tube or an action."""
        if isinstance(event, Action):
            self._actions.offer((event.peak,), event)
        elif isinstance(event, TubeEnd):
            self._tubes.offer(rank_of(event), _brief(event))

    def rows(self) -> list[TubeRow]:
        """The tubes by their beginning, with their actions."""
        acts: dict[int, list[Action]] = defaultdict(list)
        for action in self._actions:
            acts[action.tube].append(action)
        return [
            TubeRow(tube, tuple(sorted(acts[tube.tube], key=lambda a: (a.start, a.label))))
            for tube in sorted(self._tubes, key=lambda tube: (tube.start, tube.tube))
        ]


def seconds_of_labels(rows: list[TubeRow]) -> dict[str, float]:
    """How long each label is held by any tube, in seconds."""
    seconds: dict[str, float] = defaultdict(float)
    for row in rows:
        for action in row.actions:
            seconds[action.label] += max(0.0, action.stop_time - action.start_time)
    return dict(seconds)


def lanes_of(actions: tuple[Action, ...]) -> list[int]:
    """A lane for each action, by their order, so that those of one lane do not overlap."""
    ends: list[float] = []
    lanes = []
    for action in actions:
        free = next((k for k, stop in enumerate(ends) if stop <= action.start_time), len(ends))
        if free == len(ends):
            ends.append(0.0)
        ends[free] = action.stop_time
        lanes.append(free)
    return lanes


def _brief(tube: TubeEnd) -> TubeEnd:
    scores = tube.scores
    if scores is not None:
        scores = dict(sorted(scores.items(), key=lambda item: -item[1])[:TOP])
    return replace(tube, scores=scores, actions=(), best_window_THWC=None)
