"""Who pieces of foreground belong to, where pictures would hide what is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinyvirat.recognition.proposals import MotionSettings
from tinyvirat.recognition.proposals.actor import Actor
from tinyvirat.recognition.proposals.blobs import Pieces, pieces_of
from tinyvirat.recognition.proposals.follow import Follower

FPS, SIDE = 10, 200
Box = tuple[float, float, float, float]


def pieces(boxes: Sequence[Box]) -> Pieces:
    """The pieces of a mask with these boxes."""
    mask_HW = np.zeros((SIDE, SIDE), np.uint8)
    for x1, y1, x2, y2 in np.rint(np.asarray(boxes)).astype(int):
        mask_HW[y1:y2, x1:x2] = 255
    return pieces_of(mask_HW, mask_HW, 4.0, (SIDE, SIDE))


def followed(scene: Callable[[int], Sequence[Box]], frames: int) -> list[Actor]:
    """Who is confirmed and seen in the last frame."""
    follower = Follower(MotionSettings(), FPS, 8.0)
    for t in range(frames):
        seen = follower.follow(pieces(scene(t)))
    return [actor for actor in seen if actor.confirmed]


def upright(x: float, y: float = 100.0) -> Box:
    return x, y, x + 12, y + 36


def inside(box: Box, actor: Actor) -> bool:
    """Whether the middle of a box is in an actor's, which is not much larger."""
    x1, y1, x2, y2 = actor.box_4
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return bool(x1 <= x <= x2 and y1 <= y <= y2 and x2 - x1 <= 1.5 * (box[2] - box[0]))


def test_who_comes_off_somebody_and_hardly_moves_is_somebody() -> None:
    def pair(t: int) -> list[Box]:
        x, gone = 20 + 3.0 * min(t, 20), 0.3 * max(0, t - 20)
        return [upright(x - gone), upright(x + 12 + gone)]

    found = followed(pair, 50)
    assert len(found) == 2
    assert all(any(inside(box, actor) for actor in found) for box in pair(49))


def test_what_comes_off_somebody_and_stands_is_nobody() -> None:
    """It may be the hole that they leave in the background."""

    def pair(t: int) -> list[Box]:
        x = 20 + 3.0 * t
        return [upright(x), *([upright(20 + 3.0 * 20 - 14)] if t > 20 else [])]

    (found,) = followed(pair, 45)
    assert inside(pair(44)[0], found)


def test_what_comes_off_somebody_and_is_low_is_nobody() -> None:
    def bag(t: int) -> list[Box]:
        x, dropped = 20 + 3.0 * t, (70.0, 128.0, 78.0, 136.0)
        return [upright(x), *([dropped] if t > 20 else [])]

    (found,) = followed(bag, 45)
    assert inside(bag(44)[0], found)


def test_two_on_one_piece_do_not_leave_the_other_piece_without() -> None:
    """One joins the other, they are one for a while, and part where nobody expects it."""

    def met(t: int) -> list[Box]:
        one = upright(10 + 2.0 * min(t, 43) + 0.4 * max(0, t - 43), 120)
        if t < 35:
            return [one, upright(one[0], 60 + 3.0 * max(0, t - 15))]
        return [one] if t < 43 else [one, upright(one[0] - 26 - 0.4 * (t - 43), 120)]

    found = followed(met, 75)
    assert len(found) == 2
    assert all(any(inside(box, actor) for actor in found) for box in met(74))
