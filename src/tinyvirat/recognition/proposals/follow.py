"""Who the pieces of foreground belong to, from frame to frame.

Trackers made for detectors (SORT, ByteTrack and their kin) give each actor one detection. A moving
blob is no detection: one person falls apart into several pieces, and two people who pass each other
are one piece for a while. So pieces are given to actors many to many, by where a Kalman filter
expects each of them:

- Pieces within an actor's expected box are its own, however many; their hull is what is seen of it.
- A piece that several actors claim is shared. Each of them keeps its size, takes the edges that are
  clear of the others, and goes on as expected where there are none.
- What is nobody's is grouped, offered to actors that are missed nearby, and else somebody new.
- What was taken for one may come apart (`_parting`), and two that always go together may be one.
- Two who lie upon each other for long are one box with two names. One of them is then taken for
  missed, and finds itself in who came off meanwhile, or ends.
- Somebody new is confirmed when it was seen for a while and has gone somewhere on a straight way
  (`Follower._judge` below): trees, flags and reflections move on the spot, or come and go. Who
  comes off somebody confirmed and is about as high need only stir.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyvirat.recognition.proposals.actor import Actor, size_of, straightness, travelled
from tinyvirat.recognition.proposals.blobs import Pieces, together
from tinyvirat.recognition.proposals.boxes import (
    areas,
    grown,
    hull,
    intersections,
    ious,
    matched,
    separation,
)
from tinyvirat.recognition.proposals.kalman import BoxFilter
from tinyvirat.recognition.proposals.records import BoxArray
from tinyvirat.recognition.proposals.settings import MotionSettings, frames_of

MARGIN, LEAST_MARGIN = 0.12, 1.5
"""Around an expected box, in parts of its sides and in pixels: pieces within are the actor's."""
YOUNG_GAP_S = 0.2
"""Seconds that somebody not confirmed may be out of sight."""
APART_S = 0.3
"""Seconds for which the pieces of a confirmed actor must stay apart before they are two."""
JOINED_S = 1.0
"""Seconds for which two must go together before they are one."""
UPON_S, UPON = 0.6, 0.6
"""Seconds for which two must have the same pieces, and the intersection over union of their boxes,
before one of them is taken for missed."""
AS_HIGH = 0.6
"""Of the height of who they come off: who is as high is somebody as well, and no shadow or limb."""
PARTED_S, STIR = 0.5, 0.1
"""Seconds that these must be seen, and parts of their own size that they must go."""
SPECK = 0.15
"""Of an actor's largest piece: what is smaller and lies apart says nothing of where it is."""
LARGE = 0.25
"""Of an actor's largest piece: what is smaller is not somebody else."""
SHADE = 0.02
"""Part of a thing's pixels that cannot be a shadow's; a shadow has less."""
REST = 0.25
"""Sizes: who has not gone so far is at rest."""
SEEN, ALONE = 0.9, 0.6
"""Parts of its life that somebody new must have been seen, and seen by itself."""
STRAIGHT = 0.7
"""The way gone, as a part of the way that it was gone on."""
TRAIL_S, TRAIL = 0.2, 10
"""Seconds between the places that are remembered, and how many are."""
LEAST_TRAVEL = 0.75
"""Of the smallest height: who goes less has not gone anywhere."""
FLUTTER = 0.5
"""Part of the time that somebody at rest must be seen."""
MOST_ALIKE = 2.5
"""Times: whose side has grown or shrunk more while out of sight is somebody else."""
WIDEST = 5.0
"""Times its height: what is wider is no actor."""
MOST_ACTORS = 400
"""Of a flicker over the whole picture, no more are followed."""

Flags = NDArray[np.bool_]


class Follower:
    """Gives pieces of foreground to actors, frame by frame.

    Args:
        settings: minimum life, gaps, travel.
        fps: of the video.
        smallest: pixels of the mask; what is lower is no actor.

    Attributes:
        actors: who is followed, confirmed or not, seen or missed.
        place: how many frames came before the last one.
    """

    def __init__(self, settings: MotionSettings, fps: float, smallest: float) -> None:
        self.actors: list[Actor] = []
        self.place = -1
        self._fps = fps
        self._smallest = smallest
        self._travel = settings.travel
        self._gap = frames_of(settings.keeping.longest_gap, fps)
        self._life = frames_of(settings.keeping.minimum_life, fps, 2)
        self._young_gap = frames_of(YOUNG_GAP_S, fps, 2)
        self._apart = frames_of(APART_S, fps, 2)
        self._upon = frames_of(UPON_S, fps, 3)
        self._parted_life = frames_of(PARTED_S, fps, 3)
        self._joined = frames_of(JOINED_S, fps, 3)
        self._step = frames_of(TRAIL_S, fps, 1)
        self._beside: dict[tuple[int, int], tuple[int, BoxArray]] = {}
        self._next = 0

    def follow(self, pieces: Pieces) -> list[Actor]:
        """Takes the pieces of the next frame; gives the actors that are seen in it."""
        self.place += 1
        for actor in self.actors:
            actor.box_4 = actor.filter.predict()
        claims_NM = self._claims(pieces.boxes_N4)
        shared_N = claims_NM.sum(1) > 1
        found = _grouped(pieces.boxes_N4[~claims_NM.any(1)])
        doubled, missed, parted = self._doubled(claims_NM), [], []
        for actor, mine_N in zip(self.actors, claims_NM.T, strict=True):
            if not mine_N.any() or actor.number in doubled:
                missed.append(actor)
            elif not (mine_N & shared_N).any():
                others = self._see_alone(actor, pieces, mine_N)
                found += others
                parted += [box_4 for box_4 in others if _came_off(actor, box_4)]
            elif not self._see_shared(actor, pieces, mine_N):
                missed.append(actor)
        self._begin(self._find_again(missed, found), parted)
        self._end()
        self._join()
        seen = [actor for actor in self.actors if actor.last == self.place]
        for actor in seen:
            self._judge(actor)
        return seen

    def at_rest(self, actor: Actor) -> int:
        """For how many frames an actor has not moved."""
        return self.place - actor.moved

    def _claims(self, boxes_N4: BoxArray) -> Flags:
        """Which piece is within which actor's reach, `claims_NM`."""
        if not len(self.actors) or not len(boxes_N4):
            return np.zeros((len(boxes_N4), len(self.actors)), bool)
        expected_M4 = np.stack([actor.box_4 for actor in self.actors])
        reached_NM = intersections(boxes_N4, grown(expected_M4, MARGIN, LEAST_MARGIN))
        of_piece_NM = reached_NM / areas(boxes_N4)[:, None]
        of_actor_NM = intersections(boxes_N4, expected_M4) / areas(expected_M4)
        claims_NM = (of_piece_NM >= 0.5) | (of_actor_NM >= 0.35)
        inside_NM = of_piece_NM >= 0.9
        only_N = inside_NM.sum(1) == 1
        claims_NM[only_N] = inside_NM[only_N]
        for n in np.flatnonzero(claims_NM.sum(1) > 1):
            self._settle(claims_NM[n])
        return claims_NM

    def _doubled(self, claims_NM: Flags) -> set[int]:
        """Who has lain upon somebody confirmed for so long that they are missed since."""
        gone: set[int] = set()
        sharing_M = claims_NM[claims_NM.sum(1) > 1].any(0)
        for m, actor in enumerate(self.actors):
            upon = (sharing_M[m] and actor.confirmed) and any(
                other.confirmed
                and other.number not in gone
                and np.array_equal(claims_NM[:, m], claims_NM[:, n])
                and ious(actor.box_4[None], other.box_4[None])[0, 0] >= UPON
                for n, other in enumerate(self.actors[:m])
            )
            if not upon:
                actor.clear = self.place
            elif self.place - actor.clear >= self._upon:
                actor.last = min(actor.last, actor.clear)
                gone.add(actor.number)
        return gone

    def _settle(self, claims_M: Flags) -> None:
        """Only the confirmed share a piece; of others the one seen most has it to itself."""
        claiming = np.flatnonzero(claims_M)
        kept = [m for m in claiming if self.actors[m].confirmed]
        if not kept:
            kept = [max(claiming, key=lambda m: self.actors[m].seen)]
        claims_M[:] = False
        claims_M[kept] = True

    def _see_alone(self, actor: Actor, pieces: Pieces, mine_N: Flags) -> list[BoxArray]:
        """An actor that shares nothing; gives the pieces that have turned out to be others."""
        boxes_K4, mass_K = pieces.boxes_N4[mine_N], pieces.areas_N[mine_N]
        sure_K = pieces.sure_N[mine_N] * mass_K
        actor.sure += float(sure_K.sum() / mass_K.sum())
        group_K = together(boxes_K4)
        groups = np.unique(group_K)
        if len(groups) == 1:
            actor.apart = 0
            self._take(actor, hull(boxes_K4))
            return []
        hulls_G4 = np.stack([hull(boxes_K4[group_K == group]) for group in groups])
        mass_G = np.array([mass_K[group_K == group].sum() for group in groups])
        shade_G = np.array([sure_K[group_K == group].sum() for group in groups]) < SHADE * mass_G
        if not shade_G.all():
            mass_G[shade_G] = 0.0  # shadows do not say where those are who cast them
        main, other_G = self._parting(actor, hulls_G4, mass_G)
        own_G = mass_G >= SPECK * mass_G[main]
        actor.apart = actor.apart + 1 if other_G.any() else 0
        if actor.apart < (self._apart if actor.confirmed else 1):
            self._take(actor, hull(hulls_G4[own_G]))
            return []
        actor.apart = 0
        own_4 = hull(hulls_G4[own_G & ~other_G])
        actor.filter = BoxFilter(own_4, self._fps)  # its size and speed were those of several
        self._take(actor, own_4)
        return list(hulls_G4[other_G])

    def _parting(
        self, actor: Actor, hulls_G4: BoxArray, mass_G: NDArray[np.float64]
    ) -> tuple[int, Flags]:
        """The main hull of an actor, and which of the others cannot be of the same actor.

        Parts of one person lie above each other, and `together` has put them together. Others are
        about as high as all of it (side by side), or clear of the main one, or out of reach.
        """
        fits_G = intersections(hulls_G4, actor.box_4[None])[:, 0] > 0.0
        main = int(np.argmax(np.where(fits_G, mass_G + 1.0, 0.0) if fits_G.any() else mass_G))
        main_4, all_4 = hulls_G4[main], hull(hulls_G4)
        high_G = np.minimum(hulls_G4[:, 3] - hulls_G4[:, 1], main_4[3] - main_4[1])
        beside_G = high_G >= 0.5 * (all_4[3] - all_4[1])
        gap_G2 = separation(hulls_G4, main_4)
        small_G = np.sqrt(np.minimum(areas(hulls_G4), areas(main_4[None])))
        clear_G = (gap_G2.max(1) >= 0.3 * small_G) | (gap_G2 >= 0.0).all(1)
        reach_14 = grown(actor.box_4[None], MARGIN, LEAST_MARGIN)
        outside_G = intersections(hulls_G4, reach_14)[:, 0] < 0.7 * areas(hulls_G4)
        other_G = (beside_G | clear_G | outside_G) & (mass_G >= LARGE * mass_G[main])
        other_G[main] = False
        return main, np.asarray(other_G)

    def _take(self, actor: Actor, box_4: BoxArray) -> None:
        """An actor is seen, whole and by itself."""
        doubt_2 = np.ones(2)
        if actor.confirmed:  # a sudden change of size is rather a shadow, or somebody else
            seen_2, expected_2 = box_4[2:] - box_4[:2], actor.box_4[2:] - actor.box_4[:2]
            ratio_2 = np.maximum(seen_2 / expected_2, expected_2 / seen_2)
            doubt_2 = np.where(ratio_2 > 1.4, ratio_2**2, 1.0)
        actor.filter.correct(box_4, np.concatenate([doubt_2, doubt_2]))
        actor.alone += 1
        actor.see(self.place)

    def _see_shared(self, actor: Actor, pieces: Pieces, mine_N: Flags) -> bool:
        """An actor that is one piece with others, by the edges that are clear; false if hidden."""
        height, width = pieces.labels_HW.shape
        window_4 = grown(actor.box_4[None], MARGIN, 2.0)[0]
        x1, y1 = np.maximum(np.floor(window_4[:2]), 0).astype(int)
        x2, y2 = np.minimum(np.ceil(window_4[2:]), [width, height]).astype(int)
        if x2 <= x1 or y2 <= y1:
            return False
        mask_HW = np.isin(pieces.labels_HW[y1:y2, x1:x2], pieces.numbers_N[mine_N])
        if mask_HW.sum() < 0.15 * areas(actor.box_4[None])[0]:
            return False
        box_4, doubt_4 = actor.box_4.copy(), np.ones(4)
        lines = ((mask_HW.max(0), int(x1), width), (mask_HW.max(1), int(y1), height))
        for axis, (line, start, end) in enumerate(lines):
            sides, doubts = _clear_edges(line, start, end, box_4[axis::2])
            box_4[axis::2], doubt_4[axis::2] = sides, doubts
        actor.filter.correct(box_4, doubt_4)
        actor.filter.slow(0.5 / self._fps)
        actor.see(self.place)
        return True

    def _find_again(self, missed: Sequence[Actor], found: list[BoxArray]) -> list[BoxArray]:
        """Gives groups of pieces to actors that are missed nearby; gives those that are left.

        Who comes out from behind something is a narrow strip at first, and is taken for somebody
        new; as long as that one is not confirmed, it can turn out to be who is missed.
        """
        pairs = matched(np.array([[self._likeness(a, box) for a in missed] for box in found]), 1e-6)
        for f, m in pairs:
            self._take(missed[m], found[f])
        away = [a for a in missed if a.confirmed and a.last < self.place]
        young = [a for a in self.actors if not a.confirmed and a.last == self.place] if away else []
        likeness = [
            [self._likeness(a, y.box_4) if y.born > a.last else 0.0 for a in away] for y in young
        ]
        grown_up = set()
        for y, m in matched(np.array(likeness), 1e-6):
            self._take(away[m], young[y].box_4)
            grown_up.add(young[y].number)
        self.actors = [actor for actor in self.actors if actor.number not in grown_up]
        taken = {f for f, _ in pairs}
        return [box_4 for f, box_4 in enumerate(found) if f not in taken]

    def _likeness(self, actor: Actor, box_4: BoxArray) -> float:
        """How well a box is where a missed actor may be, and as large; 0 where it is not."""
        side_2, other_2 = actor.box_4[2:] - actor.box_4[:2], box_4[2:] - box_4[:2]
        reach = side_2.max() * (0.7 + 0.5 * (self.place - actor.last) / self._fps)
        away = np.hypot(*(box_4[:2] + box_4[2:] - actor.box_4[:2] - actor.box_4[2:])) / 2
        ratio = max((side_2 / other_2).max(), (other_2 / side_2).max())
        if away > reach or ratio > MOST_ALIKE:
            return 0.0
        return float(2.0 - away / reach - 0.2 * np.log(ratio))

    def _begin(self, found: Sequence[BoxArray], parted: Sequence[BoxArray]) -> None:
        """Follows somebody new, the largest first while there is room.

        Args:
            found: the boxes of those who are new.
            parted: those of them who have come off somebody confirmed.
        """
        for box_4 in sorted(found, key=lambda box_4: -areas(box_4[None])[0]):
            width, height = box_4[2:] - box_4[:2]
            fits = height >= self._smallest and width <= WIDEST * height
            if fits and len(self.actors) < MOST_ACTORS:
                new = Actor.new(self._next, self.place, box_4, self._fps)
                new.parted = any(box_4 is one for one in parted)
                self.actors.append(new)
                self._next += 1

    def _end(self) -> None:
        """Lets go of those who are out of sight for too long, or flutter."""
        kept = []
        for actor in self.actors:
            missed = self.place - actor.last
            if missed:
                actor.filter.slow(0.5 / self._fps)
            actor.steady += ((not missed) - actor.steady) / self._life
            flutters = self.at_rest(actor) > self._life and actor.steady < FLUTTER
            if missed <= (self._gap if actor.confirmed else self._young_gap) and not flutters:
                kept.append(actor)
        self.actors = kept

    def _join(self) -> None:
        """Makes one of two who have long gone together and may be parts of one thing."""
        seen = [actor for actor in self.actors if actor.confirmed and actor.last == self.place]
        beside: dict[tuple[int, int], tuple[int, BoxArray]] = {}
        gone = set()
        for i, older in enumerate(seen):
            for younger in seen[i + 1 :]:
                if not _may_be_parts(older.box_4, younger.box_4):
                    continue
                pair = (older.number, younger.number)
                offset_4 = younger.box_4 - older.box_4
                since, first_4 = self._beside.get(pair, (self.place, offset_4))
                drift_2 = (offset_4 - first_4)[:2] + (offset_4 - first_4)[2:]
                limit = 0.3 * min(size_of(older.box_4), size_of(younger.box_4)) + 1.0
                if np.abs(drift_2).max() / 2 > limit:
                    since, first_4 = self.place, offset_4
                beside[pair] = since, first_4
                if self.place - since >= self._joined:
                    older.box_4 = hull(np.stack([older.box_4, younger.box_4]))
                    older.filter = BoxFilter(older.box_4, self._fps, older.filter.velocity_2)
                    gone.add(younger.number)
        self._beside = beside
        self.actors = [actor for actor in self.actors if actor.number not in gone]

    def _judge(self, actor: Actor) -> None:
        """Whether somebody who is seen has moved of late, and is an actor."""
        if travelled(actor.rest_4, actor.box_4) > REST * size_of(actor.box_4):
            actor.rest_4, actor.moved = actor.box_4, self.place
        if actor.confirmed:
            return
        life = self.place - actor.born + 1
        if (life - 1) % self._step == 0:
            actor.trail.append(actor.box_4)
            if len(actor.trail) > TRAIL:
                actor.trail.popleft()
        side = float((actor.box_4[2:] - actor.box_4[:2]).max())
        if actor.parted and life >= self._parted_life and actor.seen >= SEEN * life:
            actor.confirmed = travelled(actor.trail[0], actor.box_4) >= STIR * side
            return
        enough = max(self._travel * side, LEAST_TRAVEL * self._smallest)
        actor.confirmed = (
            life >= self._life
            and actor.seen >= SEEN * life
            and actor.alone >= ALONE * life
            and actor.sure >= 3 * SHADE * actor.alone
            and self.at_rest(actor) <= self._life
            and travelled(actor.trail[0], actor.box_4) >= enough
            and straightness([*actor.trail, actor.box_4]) >= STRAIGHT
        )


def _came_off(actor: Actor, box_4: BoxArray) -> bool:
    """Whether what has come off a confirmed actor is somebody as well: upright, and as high."""
    width, height = box_4[2:] - box_4[:2]
    high = actor.box_4[3] - actor.box_4[1]
    return bool(actor.confirmed and height >= AS_HIGH * high and height > width)


def _clear_edges(
    line_L: Flags, start: int, end: int, expected_2: BoxArray
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The two edges of an actor in a piece that it shares, along one direction.

    An edge is clear where the piece ends inside the window that is looked at, or the picture ends.

    Args:
        line_L: where in the window there is any of the piece.
        start: where the window starts.
        end: where the picture ends.
        expected_2: the edges expected.

    Returns:
        The edges, and how doubtful the centre and the size are (`BoxFilter.correct`).
    """
    at = np.flatnonzero(np.asarray(line_L))
    low, high = start + int(at[0]), start + int(at[-1]) + 1
    low_clear = low > start or start == 0
    high_clear = high < start + len(line_L) or start + len(line_L) == end
    side = float(expected_2[1] - expected_2[0])
    if low_clear and high_clear:
        return (low, high), (2.0, 6.0)
    if low_clear:
        return (low, low + side), (3.0, 100.0)
    if high_clear:
        return (high - side, high), (3.0, 100.0)
    return (float(expected_2[0]), float(expected_2[1])), (100.0, 100.0)


def _may_be_parts(a_4: BoxArray, b_4: BoxArray) -> bool:
    """Whether two boxes touch, and are not both about as high as the two together."""
    touch = intersections(grown(a_4[None], MARGIN, LEAST_MARGIN), b_4[None])[0, 0] > 0.0
    lower = min(a_4[3] - a_4[1], b_4[3] - b_4[1])
    return bool(touch and lower < 0.75 * (max(a_4[3], b_4[3]) - min(a_4[1], b_4[1])))


def _grouped(boxes_K4: BoxArray) -> list[BoxArray]:
    """The hulls of the pieces that belong together."""
    if not len(boxes_K4):
        return []
    group_K = together(boxes_K4)
    return [hull(boxes_K4[group_K == group]) for group in np.unique(group_K)]
