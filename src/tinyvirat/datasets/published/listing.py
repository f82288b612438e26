"""A data set as its own lists describe it, before a clip of it is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.published.facts import Facts


class PublishedError(TinyviratError):
    """A published data set that is not as it was published, or is not there."""


@dataclass(frozen=True)
class ListedClip:
    """One clip as a list names it.

    Attributes:
        id: names the clip; unique in its data set.
        name: its file as the list writes it.
        file: that file; `None` where there is none.
        split: `train`, `val` or `test`.
        labels: the classes it shows; none where they are not published.
        source: what the official split keeps together.
        origin: the recording it was cut from, as far as the lists tell. Mostly the source; where
            the official split keeps less together than one recording, it is more.
        dim: frames, height and width as the list claims them; `None` where it does not.
        extra: whatever else the list says.
    """

    id: str
    name: str
    file: Path | None
    split: str
    labels: tuple[str, ...]
    source: str
    origin: str
    dim: tuple[int, int, int] | None = None
    extra: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Listing:
    """All that the lists of a data set say, and what is wrong with them.

    Attributes:
        facts: what is published of it.
        root: the folder that holds every file.
        classes: its classes, in the order of the network's outputs.
        clips: its clips, in the order of the lists.
        unused: clips that the lists name and leave out.
        unlisted: video files, relative to `root`, that no list names.
        differences: where the lists are not as published, in words.
        notes: what a user of this data set has to know, in words.
    """

    facts: Facts
    root: Path
    classes: tuple[str, ...]
    clips: tuple[ListedClip, ...]
    unused: int = 0
    unlisted: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
