"""Activities that overlap in space and time become multi-label tubes of constant labels.

Who belongs together is decided among the activities of one moment. The one with the largest box
leads; every other that overlaps it joins it; of those that remain the largest leads again. So a
group is a star and not a chain: A over B over C over D does not put A and D into one crop unless
one of the four holds them all, and a tube is hardly larger than its largest activity. (Connected
components would glue a queue of people, or a car park, into one tube.)

A moment lasts until something begins or ends. Two activities overlap or not all the while that
both last, by their mean, so that boxes that tremble about the threshold do not shred a tube, and
somebody who passes by in front does not join.

A tube runs through all moments in which labels and actors remain the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinyvirat.annotations import Activity
from tinyvirat.datasets.tubes.locate import Stretch
from tinyvirat.datasets.tubes.records import BoxArray, Span, Tube
from tinyvirat.datasets.tubes.rules import MergeRule


class Member(Protocol):
    """What can belong to a group: an activity, for a while."""

    @property
    def activity(self) -> Activity:
        """What is done."""

    @property
    def start(self) -> int:
        """The first frame."""

    @property
    def stop(self) -> int:
        """The frame after the last."""

    @property
    def actors(self) -> tuple[int, ...]:
        """Who does it."""


M = TypeVar("M", bound=Member)
Key = tuple[tuple[str, ...], tuple[int, ...]]
Overlap = Callable[[M, M], float]


@dataclass(frozen=True)
class Moment(Generic[M]):
    """Members of one group for as long as nothing begins or ends."""

    start: int
    stop: int
    members: tuple[M, ...]


@dataclass(frozen=True)
class Piece(Generic[M]):
    """Moments that follow each other, with the same labels and the same actors."""

    labels: tuple[str, ...]
    actors: tuple[int, ...]
    moments: tuple[Moment[M], ...]

    @property
    def activities(self) -> tuple[int, ...]:
        """The ids of the activities it is made of, ascending."""
        return tuple(sorted({m.activity.id for one in self.moments for m in one.members}))


@dataclass(frozen=True)
class _Alone:
    """An activity that is not located: its span is all that is known."""

    activity: Activity

    @property
    def start(self) -> int:
        return self.activity.start

    @property
    def stop(self) -> int:
        return self.activity.stop

    @property
    def actors(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.activity.actors)))


def merge(video: str, stretches: Iterable[Stretch], rule: MergeRule) -> tuple[Tube, ...]:
    """The tubes of one video, by their first frame; each frame of each stretch is in one of them.

    Args:
        video: its name.
        stretches: of its activities, in any order.
        rule: when two overlap.
    """

    def overlap(a: Stretch, b: Stretch) -> float:
        return overlap_of(a, b, rule.measure)

    ranked = sorted(stretches, key=lambda one: _rank(one, rule))
    return tuple(
        Tube(
            video=video,
            start=piece.moments[0].start,
            labels=piece.labels,
            boxes_T4=np.concatenate([_hull(moment) for moment in piece.moments]),
            tracks=piece.actors,
            activities=piece.activities,
        )
        for piece in _sorted(pieces(ranked, overlap, rule.threshold))
    )


def merge_unlocated(
    video: str, activities: Iterable[Activity], rule: MergeRule
) -> tuple[Span, ...]:
    """What would be merged of activities without any box, as far as shared actors tell.

    Args:
        video: its name.
        activities: in any order.
        rule: its threshold is held against the measure `actors`, whatever its own.
    """
    ranked = sorted(map(_Alone, activities), key=lambda one: (-len(one.actors), one.activity.id))
    return tuple(
        Span(
            video=video,
            start=piece.moments[0].start,
            stop=piece.moments[-1].stop,
            labels=piece.labels,
            tracks=piece.actors,
            activities=piece.activities,
        )
        for piece in _sorted(pieces(ranked, shared_actors, rule.threshold))
    )


def overlap_of(a: Stretch, b: Stretch, measure: str) -> float:
    """How much two stretches overlap, from 0 to 1; 0 where they have no frame in common.

    Args:
        a: one.
        b: the other.
        measure: as in `MergeRule`.
    """
    start, stop = max(a.start, b.start), min(a.stop, b.stop)
    if stop <= start:
        return 0.0
    if measure == "actors":
        return shared_actors(a, b)
    if _far(a.bounds, b.bounds):  # most pairs of a wide scene
        return 0.0
    one_T4 = a.boxes_T4[start - a.start : stop - a.start]
    two_T4 = b.boxes_T4[start - b.start : stop - b.start]
    low = np.maximum(one_T4[:, :2], two_T4[:, :2])
    high = np.minimum(one_T4[:, 2:], two_T4[:, 2:])
    common_T = np.clip(high - low, 0.0, None).prod(axis=1)
    areas = area(one_T4), area(two_T4)
    whole_T = np.minimum(*areas) if measure == "smaller" else areas[0] + areas[1] - common_T
    return float(np.mean(common_T / whole_T))


def shared_actors(a: Member, b: Member) -> float:
    """The part of the smaller cast that belongs to the larger one; 0 where there is nobody."""
    fewer = min(len(a.actors), len(b.actors))
    return len(set(a.actors) & set(b.actors)) / fewer if fewer else 0.0


def area(boxes_T4: BoxArray) -> NDArray[np.float64]:
    """The area of each box in square pixels."""
    return np.asarray((boxes_T4[:, 2:] - boxes_T4[:, :2]).prod(axis=1))


def pieces(ranked: Sequence[M], overlap: Overlap[M], threshold: float) -> Iterator[Piece[M]]:
    """Groups members moment by moment and joins moments while labels and actors remain.

    Args:
        ranked: whoever leads before others comes before them.
        overlap: of two that have a frame in common.
        threshold: two overlap from here on.
    """
    linked = _Links(ranked, overlap, threshold)
    times = sorted({time for one in ranked for time in (one.start, one.stop)})
    beginning: dict[int, list[int]] = {}
    for index, one in enumerate(ranked):
        beginning.setdefault(one.start, []).append(index)
    active: list[int] = []
    open_: dict[Key, list[Moment[M]]] = {}
    for start, stop in pairwise(times):
        lasting = [index for index in active if ranked[index].stop > start]
        active = sorted(lasting + beginning.get(start, []))
        going_on: dict[Key, list[Moment[M]]] = {}
        for key, members in _keyed([ranked[i] for i in group] for group in linked.stars(active)):
            going_on[key] = open_.pop(key, [])
            going_on[key].append(Moment(start, stop, members))
        yield from (Piece(*key, tuple(moments)) for key, moments in open_.items())
        open_ = going_on
    yield from (Piece(*key, tuple(moments)) for key, moments in open_.items())


class _Links(Generic[M]):
    """Who overlaps whom, worked out once for each pair that meets."""

    def __init__(self, ranked: Sequence[M], overlap: Overlap[M], threshold: float) -> None:
        self._ranked, self._overlap, self._threshold = ranked, overlap, threshold
        self._known: dict[tuple[int, int], float] = {}

    def stars(self, active: Sequence[int]) -> list[list[int]]:
        """The groups of a moment: in each a leader, and those that overlap it most of all leaders.

        Args:
            active: positions in `ranked`, ascending.
        """
        groups: dict[int, list[int]] = {}
        for index in active:
            overlaps = [(self._between(leader, index), -leader) for leader in groups]
            most, leader = max(overlaps, default=(0.0, 0))
            if overlaps and most >= self._threshold:
                groups[-leader].append(index)
            else:
                groups[index] = [index]
        return list(groups.values())

    def _between(self, first: int, second: int) -> float:
        pair = (first, second)
        if pair not in self._known:
            self._known[pair] = self._overlap(self._ranked[first], self._ranked[second])
        return self._known[pair]


def _keyed(groups: Iterable[Sequence[M]]) -> list[tuple[Key, tuple[M, ...]]]:
    """Groups with their labels and actors; those that have both in common are one."""
    keyed: dict[Key, list[M]] = {}
    for group in groups:
        labels = tuple(sorted({member.activity.label for member in group}))
        actors = tuple(sorted({actor for member in group for actor in member.actors}))
        keyed.setdefault((labels, actors), []).extend(group)
    return [(key, tuple(members)) for key, members in keyed.items()]


def _far(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Whether two boxes have nothing in common."""
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _hull(moment: Moment[Stretch]) -> BoxArray:
    parts = [
        member.boxes_T4[moment.start - member.start : moment.stop - member.start]
        for member in moment.members
    ]
    low = np.min([part[:, :2] for part in parts], axis=0)
    high = np.max([part[:, 2:] for part in parts], axis=0)
    return np.concatenate([low, high], axis=1)


def _rank(one: Stretch, rule: MergeRule) -> tuple[float, float, int, int]:
    cast = -len(one.actors) if rule.measure == "actors" else 0
    return cast, -float(np.mean(area(one.boxes_T4))), one.activity.id, one.start


def _sorted(found: Iterable[Piece[M]]) -> list[Piece[M]]:
    return sorted(found, key=lambda one: (one.moments[0].start, one.activities, one.actors))
