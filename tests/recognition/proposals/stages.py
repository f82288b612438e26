"""Little films with known truth: rectangles that walk over textured ground under a noisy camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tinyvirat.annotations import Track
from tinyvirat.recognition.proposals import ActorTube, TubeFrame, TubeSource, collect
from tinyvirat.recognition.proposals.agreement import Agreement, agreement
from tinyvirat.video import Frame

WIDTH, HEIGHT, FPS = 320, 240, 20
Picture = NDArray[np.uint8]
Path = Callable[[int], tuple[float, float]]


@dataclass(frozen=True)
class Walker:
    """A rectangle: its top left corner in each frame, its width and height, its colour."""

    path: Path
    size: tuple[int, int] = (12, 30)
    colour: tuple[int, int, int] = (230, 40, 40)
    belt: bool = False  # of the ground's colour: in two pieces

    def box(self, frame: int) -> tuple[float, float, float, float]:
        """Where it is, whole pixels."""
        x, y = (float(round(value)) for value in self.path(frame))
        return x, y, x + self.size[0], y + self.size[1]


def straight(x: float, y: float, dx: float, dy: float = 0.0) -> Path:
    """From (x, y), so many pixels a frame."""
    return lambda frame: (x + dx * frame, y + dy * frame)


def ground(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """Textured ground of middling brightness."""
    rng = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(rng.normal(0, 60, (height, width, 1)), (0, 0), 2.0)
    return np.clip(120 + np.repeat(rough[:, :, None], 3, 2), 60, 180).astype(np.uint8)


def film(
    walkers: Sequence[Walker],
    frames: int,
    *,
    seed: int = 0,
    noise: float = 3.0,
    shake: float = 0.0,
    change: Callable[[int, Picture], Picture] | None = None,
    front: Callable[[Picture], None] | None = None,
) -> tuple[list[Frame], list[Track]]:
    """A film and where the walkers are in it.

    Args:
        walkers: who is in it; the later ones are nearer.
        frames: how many.
        seed: of ground, noise and shaking.
        noise: standard deviation in grey levels.
        shake: the greatest shift of the camera in pixels.
        change: done to each clean picture.
        front: draws what stands before everybody.
    """
    rng = np.random.default_rng(seed + 1)
    margin = 8
    base = ground(seed, WIDTH + 2 * margin, HEIGHT + 2 * margin)
    shifts = np.rint(rng.uniform(-shake, shake, (frames, 2))).astype(int)
    shifts[:1] = 0
    # A few fields of noise, moved about: as good as new ones, and quick.
    fields = rng.normal(0, noise, (8, HEIGHT, WIDTH, 3)).round().astype(np.int16)
    made, boxes = [], np.zeros((len(walkers), frames, 4))
    for t in range(frames):
        whole = base.copy()
        for n, walker in enumerate(walkers):
            x1, y1, x2, y2 = (int(edge) + margin for edge in walker.box(t))
            behind = whole[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)].copy()
            whole[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = walker.colour
            if walker.belt:
                belt = slice(len(behind) * 5 // 12, len(behind) * 6 // 12)
                whole[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)][belt] = behind[belt]
            boxes[n, t] = np.array(walker.box(t)) - np.tile(shifts[t], 2)
        dx, dy = shifts[t] + margin
        picture = whole[dy : dy + HEIGHT, dx : dx + WIDTH]
        if front is not None:
            front(picture)
        if change is not None:
            picture = change(t, picture)
        noisy = picture + np.roll(fields[t % 8], int(rng.integers(WIDTH)), axis=1)
        made.append(Frame(t, t / FPS, np.clip(noisy, 0, 255).astype(np.uint8)))
    edge = np.array([WIDTH, HEIGHT] * 2, np.float64)
    inside = np.clip(boxes, 0, edge)
    sides = inside[..., 2:] - inside[..., :2]
    seen = (sides[..., 0] >= 2) & (sides[..., 1] >= 2)
    tracks = [
        Track(n, "person", np.flatnonzero(seen[n]), inside[n][seen[n]]) for n in range(len(walkers))
    ]
    return made, tracks


def given(source: TubeSource, frames: Iterable[Frame]) -> list[TubeFrame]:
    """All that a source gives of some frames."""
    out = [ready for frame in frames for ready in source.update(frame)]
    return out + list(source.finish())


def tubes_of(source: TubeSource, frames: Iterable[Frame]) -> tuple[ActorTube, ...]:
    """The whole tubes of some frames."""
    return collect(given(source, frames))


def judged(
    source: TubeSource, frames: Sequence[Frame], tracks: Sequence[Track]
) -> tuple[Agreement, tuple[ActorTube, ...]]:
    """How well a source does on a film, and its tubes."""
    tubes = tubes_of(source, frames)
    return agreement(tracks, tubes, FPS), tubes
