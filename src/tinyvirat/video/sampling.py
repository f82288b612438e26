"""Which frames of a clip make the windows that a network sees: pure functions of the frame count.

A sampler is a frozen dataclass; its method `windows` turns a number of frames into frame numbers
`indices_NT`. The same object serves training, evaluation, recognition and export, and travels in
the checkpoint as plain data (`sampler_to_dict`, `sampler_from_dict`).

A window of `length` frames at `stride` spans `(length - 1) * stride + 1` frames. A clip too short
for that begins again at its first frame (`short="loop"`) or holds its last one (`short="edge"`); it
is never filled with black, as the published code does by mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tinyvirat.video.errors import SamplingError

Short: TypeAlias = Literal["loop", "edge"]
Remainder: TypeAlias = Literal["drop", "keep"]


class Sampler(Protocol):
    """Anything that says which frames to look at."""

    @property
    def length(self) -> int:
        """Frames in a window (T)."""
        ...

    def windows(self, frames: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
        """The frame numbers `indices_NT` of the windows of a clip of `frames` frames."""
        ...


@dataclass(frozen=True)
class RandomWindow:
    """One window at a random place: the training protocol (published code).

    That is 16 frames from a random start, every second frame with probability 0.5: the strides 1
    and 2, equally likely. A drawn stride whose span does not fit the clip gives way to the largest
    listed one that does.

    Args:
        length: frames in the window.
        strides: the distances between frames to choose from, equally likely.
        short: what a clip too short for every stride becomes: `loop` or `edge`.

    Raises:
        SamplingError: a value out of its range.
    """

    length: int = 16
    strides: tuple[int, ...] = (1, 2)
    short: Short = "loop"

    def __post_init__(self) -> None:
        if not isinstance(self.strides, list | tuple) or not self.strides:
            raise SamplingError(f"strides is {self.strides!r}; it must list one number or more")
        object.__setattr__(self, "strides", tuple(self.strides))
        _check_counts(
            length=self.length, **{f"strides[{i}]": s for i, s in enumerate(self.strides)}
        )
        _check_choice("short", self.short, get_args(Short))

    def windows(self, frames: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
        """One window, drawn with `rng`.

        Args:
            frames: frames of the clip, 1 or more.
            rng: the source of chance; needed. The same state gives the same window.

        Returns:
            `indices_NT`, shape (1, length), int64.

        Raises:
            SamplingError: no frames, or no `rng`.
        """
        _check_counts(frames=frames)
        if rng is None:
            raise SamplingError(
                "RandomWindow needs a random generator; give rng=numpy.random.default_rng(seed), "
                "or sample with CentreWindow or AllWindows"
            )
        stride = self.strides[int(rng.integers(len(self.strides)))]
        if _span(self.length, stride) > frames:
            stride = max(
                (s for s in self.strides if _span(self.length, s) <= frames),
                default=min(self.strides),
            )
        free = frames - _span(self.length, stride)
        start = int(rng.integers(free + 1)) if free > 0 else 0
        return _windows([start], frames, self.length, stride, self.short)


@dataclass(frozen=True)
class CentreWindow:
    """One window in the middle of the clip; of two middles, the earlier.

    Args:
        length: frames in the window.
        stride: distance between its frames.
        short: what a clip shorter than the span becomes: `loop` or `edge`.

    Raises:
        SamplingError: a value out of its range.
    """

    length: int = 16
    stride: int = 1
    short: Short = "loop"

    def __post_init__(self) -> None:
        _check_counts(length=self.length, stride=self.stride)
        _check_choice("short", self.short, get_args(Short))

    def windows(self, frames: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
        """The window.

        Args:
            frames: frames of the clip, 1 or more.
            rng: not used; here so that every sampler is called alike.

        Returns:
            `indices_NT`, shape (1, length), int64.

        Raises:
            SamplingError: no frames.
        """
        _check_counts(frames=frames)
        start = max(0, (frames - _span(self.length, self.stride)) // 2)
        return _windows([start], frames, self.length, self.stride, self.short)


@dataclass(frozen=True)
class AllWindows:
    """All windows one after another, none overlapping: the test protocol (published code).

    A clip of 70 frames has 4 windows of 16. What is left at the end, here 6 frames, is left out as
    published (`remainder="drop"`, the default, so that numbers compare), or seen in one more window
    that is moved back to end on the last frame (`remainder="keep"`). A clip shorter than one window
    gives one window either way.

    Args:
        length: frames in a window.
        stride: distance between its frames; the next window begins `length * stride` frames later.
        short: what a clip shorter than the span becomes: `loop` or `edge`.
        remainder: `drop` or `keep`.

    Raises:
        SamplingError: a value out of its range.
    """

    length: int = 16
    stride: int = 1
    short: Short = "loop"
    remainder: Remainder = "drop"

    def __post_init__(self) -> None:
        _check_counts(length=self.length, stride=self.stride)
        _check_choice("short", self.short, get_args(Short))
        _check_choice("remainder", self.remainder, get_args(Remainder))

    def windows(self, frames: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
        """The windows, first to last.

        Args:
            frames: frames of the clip, 1 or more.
            rng: not used; here so that every sampler is called alike.

        Returns:
            `indices_NT`, shape (N, length), int64, N at least 1.

        Raises:
            SamplingError: no frames.
        """
        _check_counts(frames=frames)
        last = max(0, frames - _span(self.length, self.stride))
        starts = list(range(0, last + 1, self.length * self.stride))
        if self.remainder == "keep" and starts[-1] < last:
            starts.append(last)
        return _windows(starts, frames, self.length, self.stride, self.short)


@dataclass(frozen=True)
class SlidingWindows:
    """Overlapping windows every `hop` frames, to the last frame of the clip: recognition.

    When the hops do not end on the last frame, one more window does.

    Args:
        length: frames in a window.
        hop: frames from one window's start to the next's; `length * stride` at most, so that no
            stretch of the clip goes unseen.
        stride: distance between the frames of a window.
        short: what a clip shorter than the span becomes: `loop` or `edge`.

    Raises:
        SamplingError: a value out of its range.
    """

    length: int = 16
    hop: int = 8
    stride: int = 1
    short: Short = "loop"

    def __post_init__(self) -> None:
        _check_counts(length=self.length, hop=self.hop, stride=self.stride)
        _check_choice("short", self.short, get_args(Short))
        if self.hop > self.length * self.stride:
            raise SamplingError(
                f"hop is {self.hop}, which leaves frames between the windows unseen; "
                f"it must be {self.length * self.stride} (length * stride) or less"
            )

    def windows(self, frames: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
        """The windows, first to last.

        Args:
            frames: frames of the clip, 1 or more.
            rng: not used; here so that every sampler is called alike.

        Returns:
            `indices_NT`, shape (N, length), int64, N at least 1.

        Raises:
            SamplingError: no frames.
        """
        _check_counts(frames=frames)
        last = max(0, frames - _span(self.length, self.stride))
        starts = list(range(0, last + 1, self.hop))
        if starts[-1] < last:
            starts.append(last)
        return _windows(starts, frames, self.length, self.stride, self.short)


AnySampler: TypeAlias = RandomWindow | CentreWindow | AllWindows | SlidingWindows

KINDS: dict[str, type[AnySampler]] = {
    "random": RandomWindow,
    "centre": CentreWindow,
    "all": AllWindows,
    "sliding": SlidingWindows,
}


def sampler_to_dict(sampler: AnySampler) -> dict[str, Any]:
    """A sampler as plain data for a checkpoint: its `kind` and every field.

    Raises:
        SamplingError: `sampler` is none of the four kinds.
    """
    for kind, build in KINDS.items():
        if type(sampler) is build:
            # Lists, not tuples: what is written must equal what JSON gives back.
            plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(sampler).items()}
            return {"kind": kind, **plain}
    raise SamplingError(
        f"{type(sampler).__name__} cannot be saved; the samplers are {_listed(KINDS)}"
    )


def sampler_from_dict(data: Mapping[str, Any]) -> AnySampler:
    """The sampler that `sampler_to_dict` wrote; fields left out take their defaults.

    Raises:
        SamplingError: no or an unknown `kind`, an unknown field, or a value out of its range.
    """
    if not isinstance(data, Mapping):
        raise SamplingError(f"a sampler is a mapping with a 'kind', not {type(data).__name__}")
    values = dict(data)
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise SamplingError(f"the sampler's kind is {kind!r}; it must be one of {_listed(KINDS)}")
    allowed = [field.name for field in fields(KINDS[kind])]
    unknown = [key for key in values if key not in allowed]
    if unknown:
        raise SamplingError(
            f"the sampler {kind!r} has no {_listed(map(repr, unknown))}; it has {_listed(allowed)}"
        )
    return KINDS[kind](**values)


def _span(length: int, stride: int) -> int:
    """Frames from a window's first to its last, both included."""
    return (length - 1) * stride + 1


def _windows(
    starts: list[int], frames: int, length: int, stride: int, short: Short
) -> NDArray[np.int64]:
    """Windows from `starts`, which fit the clip unless it is shorter than one span."""
    steps_T = np.arange(length, dtype=np.int64) * stride
    if _span(length, stride) > frames:
        steps_T = steps_T % frames if short == "loop" else np.minimum(steps_T, frames - 1)
    return np.asarray(starts, dtype=np.int64)[:, None] + steps_T


def _check_counts(**values: object) -> None:
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise SamplingError(f"{name} is {value!r}; it must be a whole number, 1 or more")


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SamplingError(f"{name} is {value!r}; it must be one of {_listed(allowed)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
