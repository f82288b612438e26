"""Tubes of what moves before a still camera.

`background` says what of a picture is not background, `blobs` takes it apart, `follow` gives the
pieces to actors, `keeping` makes tubes of those. Here they are put together, and two things are
done that need all of them: actors at rest are kept out of the background for a while (somebody who
stops to talk must not vanish), and what turns out to be the hole that somebody left in the
background (who stood there when the video began, or parked for an hour) is filled.

What this cannot see: who never moves; who looks like the ground behind; who is carried by a camera
that turns or zooms. What it sees though it is no actor: waves that run along a tape or a hedge,
reflections that walk along a window.

Boxes come `delay` frames late, about a second: that long a look ahead bridges gaps, smooths boxes
and tells actors from what flutters.
"""

from __future__ import annotations

import cv2
import numpy as np

from tinyvirat.recognition.proposals.actor import Actor
from tinyvirat.recognition.proposals.background import Background, Mask, reduction
from tinyvirat.recognition.proposals.blobs import Pieces, nothing_in, pieces_of
from tinyvirat.recognition.proposals.boxes import grown
from tinyvirat.recognition.proposals.camera import Picture
from tinyvirat.recognition.proposals.follow import Follower
from tinyvirat.recognition.proposals.keeping import Sighting, TubeKeeper, lag_of
from tinyvirat.recognition.proposals.records import Box, TubeFrame
from tinyvirat.recognition.proposals.settings import (
    MotionSettings,
    check_video,
    checked_frame,
    frames_of,
)
from tinyvirat.video import Frame

REST_S = 0.4
"""Seconds at rest after which it is asked whether anybody is there; and again, as often."""
FILL = 0.12
"""Part of the square of the smallest height that the smallest piece must fill."""
LEAST_PIECE = 4.0
"""Pixels of the mask."""


class MotionTubes:
    """Tubes of what moves; a `TubeSource`.

    The first frames, `settings.warm_up` seconds of them, are held (reduced) until the background
    is known, and then looked at like all others: tubes begin with the video.

    Args:
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second; below 1 and above 120 it is taken for 1 and 120.
        settings: how.

    Attributes:
        delay: frames that may have gone in and not come out.

    Raises:
        ProposalError: a size or rate that no video has.
    """

    def __init__(
        self, width: int, height: int, fps: float, settings: MotionSettings | None = None
    ) -> None:
        self._settings = settings = settings or MotionSettings()
        self._size = (width, height)
        self._fps = fps = check_video(width, height, fps)
        self._scale = settings.scale or reduction(width, height)
        self._small = (
            max(1, round(width * self._scale)),
            max(1, round(height * self._scale)),
        )
        smallest = settings.smallest * self._scale
        self._least = max(LEAST_PIECE, FILL * smallest**2)
        self._background = Background(self._small, fps, settings)
        self._follower = Follower(settings, fps, smallest)
        lag = lag_of(settings.keeping, fps)
        self._keeper = TubeKeeper(self._size, lag, frames_of(settings.keeping.smooth / 2, fps))
        self._warm_up = frames_of(settings.warm_up, fps, 1)
        self._waiting: list[tuple[int, float, Picture]] = []
        self._warm = False
        self._stay = frames_of(settings.stay, fps)
        self._rest = frames_of(REST_S, fps, 2)
        self.delay = max(lag, self._warm_up - 1)

    def update(self, frame: Frame) -> tuple[TubeFrame, ...]:
        """Takes the next frame; gives those whose tubes are ready.

        Raises:
            ProposalError: the frame has another size than the source was made for.
        """
        picture_HWC = checked_frame(frame.frame_HWC, self._size)
        if self._scale < 1.0:
            picture_HWC = np.asarray(
                cv2.resize(picture_HWC, self._small, interpolation=cv2.INTER_AREA), np.uint8
            )
        elif not self._warm:
            picture_HWC = picture_HWC.copy()  # it is kept, and may be the reader's own memory
        if self._warm:
            return self._look(frame.index, frame.time, picture_HWC)
        self._waiting.append((frame.index, frame.time, picture_HWC))
        return self._begin() if len(self._waiting) >= self._warm_up else ()

    def finish(self) -> tuple[TubeFrame, ...]:
        """Gives the frames that are left."""
        return (() if self._warm else self._begin()) + self._keeper.finish()

    def _begin(self) -> tuple[TubeFrame, ...]:
        """Learns the background of the frames that wait, and looks at them."""
        waiting, self._waiting, self._warm = self._waiting, [], True
        if waiting:
            self._background.begin([picture_HWC for _, _, picture_HWC in waiting])
        return tuple(ready for frame in waiting for ready in self._look(*frame))

    def _look(self, index: int, time: float, picture_HWC: Picture) -> tuple[TubeFrame, ...]:
        seen = self._background.foreground(picture_HWC)
        largest = (self._settings.largest * self._small[0], self._settings.largest * self._small[1])
        pieces = (
            nothing_in(seen.mask_HW)
            if seen.flood
            else pieces_of(seen.mask_HW, seen.sure_HW, self._least, largest)
        )
        actors = self._follower.follow(pieces)
        self._background.learn(self._known())
        self._fill_holes(pieces)
        shift = (seen.shift[0] / self._scale, seen.shift[1] / self._scale)
        return self._keeper.add(index, time, [self._sighting(actor) for actor in actors], shift)

    def _sighting(self, actor: Actor) -> Sighting:
        x1, y1, x2, y2 = (actor.box_4 / self._scale).tolist()
        box: Box = (x1, y1, x2, y2)
        life = self._follower.place - actor.born + 1
        return Sighting(actor.number, box, actor.confirmed, score=min(1.0, actor.alone / life))

    def _known(self) -> Mask:
        """Where actors are who must not become background: 255 there."""
        known_HW = np.zeros((self._small[1], self._small[0]), np.uint8)
        for actor in self._follower.actors:
            patience = self._stay if actor.confirmed else self._rest
            if self._follower.at_rest(actor) <= patience:
                x1, y1, x2, y2 = np.rint(grown(actor.box_4[None], 0.15, 2.0)[0]).astype(int)
                known_HW[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = 255
        return known_HW

    def _fill_holes(self, pieces: Pieces) -> None:
        """Makes background of what is at rest and only a hole that somebody left in it."""
        follower, holes = self._follower, set[int]()
        for actor in follower.actors:
            still = follower.at_rest(actor)
            due = still >= self._rest and still % self._rest == 0 and actor.last == follower.place
            if due and self._background.is_hole(pieces.labels_HW > 0, actor.box_4):
                self._background.fill(actor.box_4)
                holes.add(actor.number)
        if holes:
            follower.actors = [actor for actor in follower.actors if actor.number not in holes]
