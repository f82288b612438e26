"""How well tubes agree with the truth: recall and precision at an overlap of one half.

- A true track is found when one tube covers at least half of its frames with an intersection over
  union of `OVERLAP` or more.
- A tube is right when at least half of its frames lie on one true track in the same way.
- Box by box: in each frame tubes and true boxes are paired, best overlap first; it is counted how
  many true boxes get a tube's, and how many boxes of tubes get a true one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyvirat.annotations import Track
from tinyvirat.recognition.proposals.boxes import ious
from tinyvirat.recognition.proposals.records import ActorTube

OVERLAP = 0.5
PART = 0.5
"""Of a track's or a tube's frames."""
MOVING_S = 2.0
"""Seconds within which somebody who moves gets farther than its own size."""


@dataclass(frozen=True)
class Agreement:
    """Tubes against the truth.

    Attributes:
        tracks: true tracks that move.
        found: of them, those that a tube covers.
        tubes: all.
        right: of them, those that lie on a true track, moving or not.
        boxes: true boxes of tracks that move.
        boxes_found: of them, those that a tube's box lies on.
        tube_boxes: all.
        tube_boxes_right: of them, those that lie on a true box, moving or not.
        missed: the ids of the true tracks that are not found.
        wrong: the numbers of the tubes that are not right.
    """

    tracks: int
    found: int
    tubes: int
    right: int
    boxes: int
    boxes_found: int
    tube_boxes: int
    tube_boxes_right: int
    missed: tuple[int, ...] = ()
    wrong: tuple[int, ...] = ()


def moves(track: Track, fps: float) -> bool:
    """Whether an actor gets farther than its own size (the longer side of its mean box) in 2 s.

    Args:
        track: of the actor.
        fps: of the video.
    """
    if len(track.frames_T) < 2:
        return False
    centre_T2 = (track.boxes_T4[:, :2] + track.boxes_T4[:, 2:]) / 2
    size = float((track.boxes_T4[:, 2:] - track.boxes_T4[:, :2]).mean(0).max())
    later_T = np.searchsorted(track.frames_T, track.frames_T + round(MOVING_S * fps), "right") - 1
    away_T = np.linalg.norm(centre_T2[later_T] - centre_T2, axis=1)
    return bool(away_T.max() > size)


def agreement(tracks: Sequence[Track], tubes: Sequence[ActorTube], fps: float) -> Agreement:
    """Compares tubes with the truth of one video."""
    moving = {track.id for track in tracks if moves(track, fps)}
    true_at, tube_at = defaultdict(list), defaultdict(list)
    for track in tracks:
        for frame, box in zip(track.frames_T.tolist(), track.boxes_T4, strict=True):
            true_at[frame].append((track.id, box))
    for tube in tubes:
        for frame, box in zip(tube.frames_T.tolist(), tube.boxes_T4, strict=True):
            tube_at[frame].append((tube.tube, box))
    over: Counter[tuple[int, int]] = Counter()
    boxes_found = right_boxes = 0
    for frame, here in tube_at.items():
        truth = true_at.get(frame, [])
        if not truth:
            continue
        overlap = ious(np.stack([b for _, b in truth]), np.stack([b for _, b in here]))
        for i, j in np.argwhere(overlap >= OVERLAP):
            over[truth[i][0], here[j][0]] += 1
        while overlap.size and overlap.max() >= OVERLAP:
            i, j = np.unravel_index(overlap.argmax(), overlap.shape)
            right_boxes += 1
            boxes_found += truth[i][0] in moving
            overlap[i, :] = overlap[:, j] = 0.0
    length = {track.id: len(track.frames_T) for track in tracks}
    life = {tube.tube: len(tube.frames_T) for tube in tubes}
    found = {t for (t, _), n in over.items() if n >= PART * length[t]}
    right = {u for (_, u), n in over.items() if n >= PART * life[u]}
    return Agreement(
        tracks=len(moving),
        found=len(found & moving),
        tubes=len(tubes),
        right=len(right),
        boxes=sum(length[t] for t in moving),
        boxes_found=boxes_found,
        tube_boxes=sum(life.values()),
        tube_boxes_right=right_boxes,
        missed=tuple(sorted(moving - found)),
        wrong=tuple(sorted(life.keys() - right)),
    )
