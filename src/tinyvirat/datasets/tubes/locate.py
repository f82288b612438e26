"""Where activities are: the boxes of their actors, frame by frame.

An activity is located in the frames in which at least one of its actors is: somebody who gets into
a car is out of sight before the activity ends, and the car still shows it. Its box is the smallest
around the actors that are located. Frames without any end a stretch. (KPF can give each actor a
span of its own within an activity; in the sequences at hand it is always the activity's.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinyvirat.annotations import Activity, Track
from tinyvirat.datasets.tubes.records import BoxArray

FrameArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Stretch:
    """An activity, or the part of it in which it is located without a gap.

    Attributes:
        activity: which.
        start: its first frame.
        boxes_T4: the smallest box around its actors in each frame.
        actors: the tracks of those that are located in any of these frames, ascending.
    """

    activity: Activity
    start: int
    boxes_T4: BoxArray
    actors: tuple[int, ...]

    @property
    def stop(self) -> int:
        """The frame after its last."""
        return self.start + len(self.boxes_T4)

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest box around all its boxes."""
        (x1, y1), (x2, y2) = self.boxes_T4[:, :2].min(0), self.boxes_T4[:, 2:].max(0)
        return float(x1), float(y1), float(x2), float(y2)


@dataclass(frozen=True, eq=False)
class Seen:
    """A track without its small gaps.

    Attributes:
        frames_T: the frames it is located in, increasing.
        boxes_T4: its box in each.
    """

    frames_T: FrameArray
    boxes_T4: BoxArray


def seen(
    track: Track,
    longest_gap: int,
    frame_size: tuple[int, int] | None = None,
    frames: int | None = None,
) -> Seen:
    """A track, interpolated and clipped.

    Args:
        track: of an object.
        longest_gap: up to so many missing frames in a row are interpolated linearly.
        frame_size: width and height in pixels; boxes are clipped to it, and where less than a
            pixel remains there is none.
        frames: of the video; what lies beyond is left out.
    """
    filled = _filled(track.frames_T, track.boxes_T4, longest_gap)
    keep_T = np.ones(len(filled.frames_T), bool)
    boxes_T4 = filled.boxes_T4
    if frame_size is not None:
        boxes_T4 = np.clip(boxes_T4, 0.0, np.array([*frame_size, *frame_size], np.float64))
        keep_T &= (boxes_T4[:, 2:] - boxes_T4[:, :2]).min(1, initial=np.inf) >= 1.0
    if frames is not None:
        keep_T &= filled.frames_T < frames
    return Seen(filled.frames_T[keep_T], boxes_T4[keep_T])


def _filled(frames_T: FrameArray, boxes_T4: BoxArray, longest_gap: int) -> Seen:
    missing = np.diff(frames_T) - 1
    if not np.any((missing > 0) & (missing <= longest_gap)):
        return Seen(frames_T, boxes_T4)
    ends = np.flatnonzero(missing > longest_gap) + 1
    runs = zip([0, *ends.tolist()], [*ends.tolist(), len(frames_T)], strict=True)
    whole_T = np.concatenate(
        [np.arange(frames_T[first], frames_T[stop - 1] + 1) for first, stop in runs]
    )
    columns = [np.interp(whole_T, frames_T, boxes_T4[:, edge]) for edge in range(4)]
    return Seen(whole_T, np.stack(columns, axis=1))


def located(activity: Activity, seen_of: Mapping[int, Seen]) -> tuple[Stretch, ...]:
    """The stretches in which an activity is located; none where no actor ever is.

    Args:
        activity: which.
        seen_of: the track of each actor by its id.
    """
    parts = {actor: _within(activity, seen_of[actor]) for actor in sorted(set(activity.actors))}
    frames = np.concatenate([np.empty(0, np.int64), *(part.frames_T for part in parts.values())])
    if not len(frames):
        return ()
    boxes = np.concatenate([part.boxes_T4 for part in parts.values()])
    order = np.argsort(frames, kind="stable")
    frames, boxes = frames[order], boxes[order]
    firsts = np.flatnonzero(np.diff(frames, prepend=frames[0] - 1))
    low = np.minimum.reduceat(boxes[:, :2], firsts)
    high = np.maximum.reduceat(boxes[:, 2:], firsts)
    hull_T4, frames_T = np.concatenate([low, high], axis=1), frames[firsts]
    breaks = np.flatnonzero(np.diff(frames_T) > 1) + 1
    return tuple(
        Stretch(activity, int(here_T[0]), here_T4, _present(parts, here_T[0], here_T[-1]))
        for here_T, here_T4 in zip(
            np.split(frames_T, breaks), np.split(hull_T4, breaks), strict=True
        )
    )


def _within(activity: Activity, actor: Seen) -> Seen:
    """What is seen of an actor during an activity."""
    first, stop = np.searchsorted(actor.frames_T, [activity.start, activity.stop])
    return Seen(actor.frames_T[first:stop], actor.boxes_T4[first:stop])


def _present(parts: Mapping[int, Seen], first: np.int64, last: np.int64) -> tuple[int, ...]:
    return tuple(
        actor
        for actor, part in parts.items()
        if np.searchsorted(part.frames_T, first) < np.searchsorted(part.frames_T, last, "right")
    )
